// SPDX-License-Identifier: Apache-2.0
// The approximate aggregates of stream-window, and the sketches they can write instead of an answer.
//
//   approx_distinct:F      how many different values           HyperLogLog, standard error 0.81 %
//   approx_pNN:F           nearest-rank percentile (also       DDSketch, within 1 % of the exact value
//                          approx_p99.9, approx_median)
//   approx_topN:F          [{"value":…,"count":…,"error":…}]   Space-Saving, max(10 N, 1000) counters:
//                                                              count - error <= true count <= count
//   sketch_distinct:F, sketch_pNN:F, sketch_topN:F             the sketch that such an answer is read from
//   merge:F                what the sketches in F, which must be of one function, answer together
//
// A written sketch is an object of one member, {"sketch":"hll1:…"} (dds1, top1;
// docs/formats/sketches.md). Every function but merge takes raw values and sketches of its kind, mixed
// as they come and whatever their percentile or N: s=sketch_distinct:s of minutes' sketches is that of
// the hour, and approx_p99 can read what sketch_p50 wrote. It is an object because a string would let
// anybody who writes a user agent or a path forge one, or break the run with half a one. Any other
// object is a value like others.
//
// Memory a state: at most 16 KiB, 48 KiB (4,096 buckets; 4 KiB for values over three powers of ten),
// and about 100 bytes a counter plus the values' own. What approx_topN answers depends on the order
// of arrival once there are more different values than counters, and merging sketches of it is then
// within the bounds but not the sketch of the whole; the others depend on neither.
#pragma once

#include "base/error.hpp"
#include "ops/aggregates/aggregate.hpp"

#include <memory>
#include <span>
#include <string_view>

namespace stream {

// Whether make_sketch_aggregate() knows the function, its number aside: true for approx_p101, which
// it then refuses with a better message.
bool is_sketch_function(std::string_view function);

// ErrorKind::usage for an unknown function, a number out of range, or no field.
Result<std::unique_ptr<Aggregate>> make_sketch_aggregate(const AggregateSpec& spec);

// For suggestions and documentation; of the open families (approx_pNN, approx_topN, …) the usual ones.
std::span<const std::string_view> sketch_function_names();

}  // namespace stream
