// SPDX-License-Identifier: Apache-2.0
#include "cli/log/envelope.hpp"

#include <cstring>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/number.hpp"
#include "json/splice.hpp"

namespace stream {

namespace {
constexpr const char* names[] = {"partition", "offset", "append_time"};

FieldSet& with_names(FieldSet& fields) {
    for (const char* name : names) fields.add(FieldPath{name, {{name, -1}}, false});
    return fields;
}
}  // namespace

Envelope::Envelope() : scanner_(with_names(fields_)) {}

void Envelope::set_place(std::uint64_t offset) {
    offset_ = offset;
    tail_.assign(place_);
    append_uint64(tail_, offset);
    tail_ += ",\"append_time\":";
    tail_ += time_;
    tail_ += "}\n";
}

void Envelope::append_event(std::string& out, std::string_view event, const Value* values) {
    const bool has_none = values[0].type == Type::missing && values[1].type == Type::missing && values[2].type == Type::missing;
    if (has_none && event.back() == '}') [[likely]] {
        event.remove_suffix(1);
        const std::size_t last = event.find_last_not_of(" \t\r");
        out.append(event);
        if (event[last] != '{') out.push_back(',');
        out.append(tail_);
        return;
    }
    std::string number;
    append_uint64(number, partition_);
    step_[0].clear();
    append_with_member(step_[0], event, names[0], number);
    number.clear();
    append_uint64(number, offset_);
    step_[1].clear();
    append_with_member(step_[1], step_[0], names[1], number);
    append_with_member(out, step_[1], names[2], time_);
    out.push_back('\n');
}

void Envelope::append_raw(std::string& out, std::string_view record) {
    if (is_utf8(record)) {
        out += "{\"raw\":";
        append_quoted(out, record);
        out += ',';
    } else {
        out += "{\"raw_base64\":\"";
        append_base64(out, record);
        out += "\",";
    }
    out.append(tail_);
}

void Envelope::append(std::string& out, const log::Run& run) {
    partition_ = run.partition;
    place_ = "\"partition\":";
    append_uint64(place_, run.partition);
    place_ += ",\"offset\":";
    time_ = "\"";
    append_rfc3339(time_, run.append_time());
    time_ += '"';
    // The scanner reads a little past the lines' end.
    const std::size_t size = run.lines.size();
    lines_.assign(run.lines);
    lines_.append(scanner_padding, '\0');
    scanner_.start(lines_.data(), size);
    std::size_t at = 0;
    std::uint32_t record = 0;
    const auto raw_up_to = [&](std::size_t end) {  // what the scanner takes for blank
        while (at < end) {
            const std::size_t newline = lines_.find('\n', at);
            set_place(run.offset_of(record++));
            append_raw(out, std::string_view(lines_).substr(at, newline - at));
            at = newline + 1;
        }
    };
    for (;;) {
        const Scanner::Outcome outcome = scanner_.next();
        if (outcome == Scanner::Outcome::end) break;
        raw_up_to(scanner_.line_begin());
        set_place(run.offset_of(record++));
        if (outcome == Scanner::Outcome::event) {
            append_event(out, scanner_.line(), scanner_.values());
        } else {
            append_raw(out, std::string_view(lines_).substr(at, scanner_.line_next() - 1 - at));
        }
        at = scanner_.line_next();
    }
    raw_up_to(size);
}

}  // namespace stream
