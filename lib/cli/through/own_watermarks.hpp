// SPDX-License-Identifier: Apache-2.0
// Watermarks from the times of lines that a command wrote. They lie at whole multiples of `every`, so that they follow
// from the events alone: after a restart, which forgets the newest time, the ones that come again were all written
// before, and the first new one is written where it would have been.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "cli/event_time.hpp"
#include "control/lines.hpp"
#include "io/output.hpp"
#include "json/scanner.hpp"

namespace stream {

class OwnWatermarks {
public:
    // `every` 0: at each event that is newer than all before.
    static Result<std::unique_ptr<OwnWatermarks>> make(const std::string& field, DurationNs lateness, DurationNs every);

    // Passes the lines on, each watermark right behind the event that gave it. Lines that are no events, or have no
    // such time, pass as they are: who reads them judges them.
    Result<void> pass(std::string_view bytes, Output& output, const ControlLines& lines);
    // The end of what one command wrote: its last line gets its end.
    Result<void> end(Output& output, const ControlLines& lines);

private:
    static constexpr std::size_t line_max = 16 << 20;  // a longer one is passed on in pieces

    OwnWatermarks(DurationNs lateness, DurationNs every) : lateness_(lateness), every_(every) {}
    Result<void> scan(std::size_t size, Output& output, const ControlLines& lines);
    TimeNs watermark_for(TimeNs time) const;

    DurationNs lateness_;
    DurationNs every_;
    FieldSet fields_;
    std::unique_ptr<EventTime> time_;
    std::unique_ptr<Scanner> scanner_;
    std::vector<char> waiting_;  // the beginning of a line
    bool in_long_line_ = false;
    TimeNs written_ = time_before_all;
};

}  // namespace stream
