// SPDX-License-Identifier: Apache-2.0
// The `ts` of formats that know where their time is. Log lines come many a second: a text that repeats
// is parsed once.
#pragma once

#include "base/error.hpp"
#include "json/formats/object_writer.hpp"
#include "time/time_parser.hpp"
#include "time/timestamp.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace stream {

class Stamp {
public:
    static Result<Stamp> make(const TimeOptions& options) {
        auto parser = TimeParser::make(options);
        if (!parser) return pass_on(parser);
        return Stamp(std::move(*parser));
    }

    // The time in `text`, as a JSON string. ErrorKind::data: it is none; nothing was written.
    Result<void> write(std::string_view text, ObjectWriter& object) {
        if (text != text_ || text.empty()) {
            const auto time = parser_.parse_text(text);
            if (!time) return fail(time.error().kind(), time.error().message(), time.error().hint());
            text_ = text;
            json_ = '"';
            append_rfc3339(json_, *time);
            json_ += '"';
        }
        object.raw(json_);
        return {};
    }

    std::string save() const { return parser_.save(); }
    bool load(std::string_view saved) {
        text_.clear();
        return parser_.load(saved);
    }

private:
    explicit Stamp(TimeParser parser) : parser_(std::move(parser)) {}

    TimeParser parser_;
    std::string text_;
    std::string json_;
};

}  // namespace stream
