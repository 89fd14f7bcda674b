// SPDX-License-Identifier: Apache-2.0
// Progress on a terminal, and counters as NDJSON in a file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "cli/diagnostics.hpp"
#include "io/output.hpp"
#include "time/timestamp.hpp"

namespace stream {

class Progress {
public:
    struct Numbers {
        std::uint64_t events_in = 0;
        std::uint64_t events_out = 0;
        std::uint64_t bytes_in = 0;
        std::uint64_t bytes_out = 0;
        std::uint64_t bad = 0;
        std::uint64_t late = 0;
        std::uint64_t raw_position = 0;
        std::uint64_t raw_size = 0;
        TimeNs newest = time_before_all;
        TimeNs watermark = time_before_all;
        std::string holds;  // the input that the others wait for (--merge); empty: none
        std::string extra;  // the operator's own, as `,"name":value`
    };

    // Null when there is nothing to show and no file to write.
    static Result<std::unique_ptr<Progress>> make(Diagnostics& diagnostics, std::optional<bool> wanted,
                                                  const std::string& stats_path);
    void tick(const Numbers& numbers, bool last);
    Result<void> finish();

private:
    explicit Progress(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

    Diagnostics& diagnostics_;
    bool show_ = false;
    bool forced_ = false;
    bool shown_ = false;
    std::unique_ptr<Output> stats_;
    std::int64_t start_ns_ = 0;
    std::int64_t shown_ns_ = 0;
    std::int64_t stats_ns_ = 0;
    Result<void> failure_;
};

}  // namespace stream
