// SPDX-License-Identifier: Apache-2.0
// Watermarks from the times of lines that were written: by a command, or by an operator that may change its events'
// times. They lie at whole multiples of `every`, so that they follow from the events alone: after a restart, which
// forgets the newest time, the ones that come again were all written before, and the first new one is written where it
// would have been. So each time is read by itself, too: nothing is chosen at a first event, which a restart would choose
// anew.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "control/lines.hpp"
#include "io/output.hpp"
#include "json/scanner.hpp"
#include "time/time_parser.hpp"

namespace stream {

class OwnWatermarks {
public:
    // An event's time is the first of the fields that it has. `ours`: whether it gives a watermark.
    struct Field {
        std::string name;
        bool ours = true;
    };
    // `every` 0: at each event that is newer than all before. ErrorKind::usage for a field that is an expression.
    static Result<std::unique_ptr<OwnWatermarks>> make(const std::vector<Field>& fields, DurationNs lateness, DurationNs every);

    // Behind a line that was just written, without its line end: the watermark that it gives, if any.
    void follow(std::string_view event, std::string& out, const ControlLines& lines);

    // Passes the lines on, each watermark right behind the event that gave it. Lines that are no events, or have no
    // such time, pass as they are: who reads them judges them.
    Result<void> pass(std::string_view bytes, Output& output, const ControlLines& lines);
    // The end of what one command wrote: its last line gets its end.
    Result<void> end(Output& output, const ControlLines& lines);

private:
    static constexpr std::size_t line_max = 16 << 20;  // a longer one is passed on in pieces

    struct Reader {
        std::string field;
        std::size_t slot;
        bool ours;
        TimeNs written = time_before_all;
    };

    OwnWatermarks(TimeParser parser, DurationNs lateness, DurationNs every)
        : lateness_(lateness), every_(every), parser_(std::move(parser)), fresh_parser_(parser_.save()) {}
    Result<void> scan(std::size_t size, Output& output, const ControlLines& lines);
    // Of the event that the scanner is at: whose watermark has grown.
    const Reader* look();
    std::optional<TimeNs> read(const Reader& reader, const Value& value);
    TimeNs watermark_for(TimeNs time) const;

    DurationNs lateness_;
    DurationNs every_;
    TimeParser parser_;
    std::string fresh_parser_;  // before it has read anything
    FieldSet fields_;
    std::vector<Reader> readers_;
    std::unique_ptr<Scanner> scanner_;
    std::string copy_;           // of a line that is followed
    std::vector<char> waiting_;  // the beginning of a line
    bool in_long_line_ = false;
};

}  // namespace stream
