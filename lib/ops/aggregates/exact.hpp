// SPDX-License-Identifier: Apache-2.0
// The exact aggregates, by name. Each takes a spec whose function and field were checked
// (make_aggregate does that). What they mean is in stream-window(1); of nothing all write null but
// count and distinct, which write 0, and collect, which writes [].
#pragma once

#include <memory>

#include "ops/aggregates/aggregate.hpp"

namespace stream {

// numeric.cpp
std::unique_ptr<Aggregate> make_count(const AggregateSpec& spec);  // of events, or of those with a true field
std::unique_ptr<Aggregate> make_sum(const AggregateSpec& spec);    // exact, in full
std::unique_ptr<Aggregate> make_mean(const AggregateSpec& spec);   // the double nearest to sum ÷ count
std::unique_ptr<Aggregate> make_rate(const AggregateSpec& spec);   // count or sum ÷ seconds of the window
std::unique_ptr<Aggregate> make_span(const AggregateSpec& spec);   // seconds from first to last event

// deviations.cpp
std::unique_ptr<Aggregate> make_variance(const AggregateSpec& spec);  // of a sample, nearest double
std::unique_ptr<Aggregate> make_stddev(const AggregateSpec& spec);    // its root, nearest double

// chosen.cpp: one of the values, in its own bytes; of equal ones the earliest's.
std::unique_ptr<Aggregate> make_first(const AggregateSpec& spec);
std::unique_ptr<Aggregate> make_last(const AggregateSpec& spec);
std::unique_ptr<Aggregate> make_min(const AggregateSpec& spec);  // in jq's order of values, of any type
std::unique_ptr<Aggregate> make_max(const AggregateSpec& spec);

// percentile.cpp: nearest rank, `median` or `pNN`, canonical number text.
std::unique_ptr<Aggregate> make_percentile(const AggregateSpec& spec);

// collect.cpp
std::unique_ptr<Aggregate> make_collect(const AggregateSpec& spec);

// distinct.cpp
std::unique_ptr<Aggregate> make_distinct(const AggregateSpec& spec);

// increase.cpp
std::unique_ptr<Aggregate> make_increase(const AggregateSpec& spec);

}  // namespace stream
