// SPDX-License-Identifier: Apache-2.0
// What the operators of stream-table write and say alike.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "ops/changes.hpp"
#include "time/timestamp.hpp"

namespace stream {

// {"op":"c","ts":"…","before": of a change with or without a row before and after; no ts without a time.
inline void begin_change(std::string& out, bool before, bool after, TimeNs time) {
    out += before ? after ? R"({"op":"u")" : R"({"op":"d")" : R"({"op":"c")";
    if (time != time_before_all) {
        out += R"(,"ts":")";
        append_rfc3339(out, time);
        out += '"';
    }
    out += R"(,"before":)";
}

inline void append_row(std::string& out, std::string_view row) { out += row.empty() ? std::string_view("null") : row; }

// To be told at the end: the fields that no row had.
inline std::string missing_fields(std::initializer_list<const ChangeReader*> readers) {
    std::string text;
    for (const ChangeReader* reader : readers) {
        for (const std::string& name : reader->never_seen()) {
            const std::string shown = quoted(name);
            if (text.find(shown) == std::string::npos) text += (text.empty() ? "no row had a field " : ", ") + shown;
        }
    }
    return text;
}

}  // namespace stream
