// SPDX-License-Identifier: Apache-2.0
// How fast a tool goes, from the counts that it tells at each barrier.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace stream::run {

class Pace {
public:
    struct Rates {
        double in = 0;   // events a second
        double out = 0;
    };

    // Counts as of now, by a steady clock.
    void heard(std::uint64_t events_in, std::uint64_t events_out, std::int64_t now_ns);
    // Between the newest counts and those of a second before them (or the ones before, where reports are rarer). 0 where
    // the tool has been silent for more than twice that long and a second: it tells nothing while nothing comes.
    // Nothing where it has told its counts once or never.
    std::optional<Rates> rates(std::int64_t now_ns) const;

private:
    struct Sample {
        std::uint64_t in;
        std::uint64_t out;
        std::int64_t at_ns;
    };
    std::deque<Sample> samples_;
};

}  // namespace stream::run
