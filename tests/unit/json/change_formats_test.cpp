// SPDX-License-Identifier: Apache-2.0
// The formats of change events: whatever a line holds, it is refused or gives whole events.
#include "json/cursor.hpp"
#include "json/canonical.hpp"
#include "json/scanner.hpp"
#include "json/text_format.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace stream {
namespace {

std::string random_value(int depth);

// Names and words that the formats look for, in any place.
std::string random_object(int depth) {
    static const std::vector<std::string> names = {
        "op",   "before", "after", "source",   "schema", "payload", "ts_ms",  "ts",      "status",      "event_count", "type",         "data",    "old",
        "table", "xid",   "action", "columns", "identity", "timestamp", "name", "value", "change", "kind", "columnnames", "columnvalues", "oldkeys", "keynames", "keyvalues"};
    std::string text = "{";
    const int members = *rc::gen::inRange(0, 7);
    for (int i = 0; i < members; ++i) {
        if (i > 0) text += ", ";
        text += '"' + *rc::gen::elementOf(names) + "\":" + random_value(depth - 1);
    }
    return text + "}";
}

std::string random_value(int depth) {
    static const std::vector<std::string> words = {"\"c\"", "\"u\"", "\"d\"", "\"t\"", "\"I\"", "\"U\"", "\"D\"", "\"B\"", "\"C\"", "\"insert\"", "\"update\"",
                                                   "\"delete\"", "\"bootstrap-insert\"", "\"2019-12-29 04:58:34+00\"", "null", "0", "1596684883", "1e400",
                                                   "\"\\u0000\\\"\"", "true", "[]", "{}"};
    const int kind = depth <= 0 ? 0 : *rc::gen::inRange(0, 4);
    if (kind == 2) return random_object(depth);
    if (kind != 3) return *rc::gen::elementOf(words);
    std::string text = "[";
    const int elements = *rc::gen::inRange(0, 4);
    for (int i = 0; i < elements; ++i) text += (i > 0 ? "," : "") + random_value(depth - 1);
    return text + "]";
}

RC_GTEST_PROP(ChangeFormats, ALineIsRefusedOrGivesWholeEvents, ()) {
    for (const char* name : {"debezium", "maxwell", "wal2json"}) {
        TextFormatOptions options;
        options.name = name;
        auto format = make_text_format(options);
        RC_ASSERT(format.has_value());
        for (int line = 0; line < 4; ++line) {
            std::string record = random_object(4);
            if (*rc::gen::inRange(0, 4) == 0) record.resize(static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(record.size()) + 1)));
            std::string out = "kept";
            auto converted = (*format)->convert(record + "\n", out);
            if (!converted || !*converted) {
                RC_ASSERT(out == "kept");
                continue;
            }
            out = out.substr(4) + "\n";
            RC_LOG() << name << ": " << record << " -> " << out;
            RC_ASSERT(static_cast<std::size_t>(std::count(out.begin(), out.end(), '\n')) == (*format)->events());
            const std::size_t size = out.size();
            out.append(scanner_padding, '\0');
            FieldSet fields;
            Scanner scanner(fields);
            scanner.start(out.data(), size);
            for (std::size_t i = 0; i < (*format)->events(); ++i) {
                RC_ASSERT(scanner.next() == Scanner::Outcome::event);
                std::vector<std::string> members;
                for (Cursor cursor(value_of(scanner.line())); cursor.next();) members.emplace_back(cursor.name().inner());
                if (members.front() == "ts") members.erase(members.begin());
                RC_ASSERT(members.size() >= 3U);
                RC_ASSERT(members[0] == "op");
                RC_ASSERT(members[1] == "before");
                RC_ASSERT(members[2] == "after");
            }
            RC_ASSERT(scanner.next() == Scanner::Outcome::end);
        }
    }
}

}  // namespace
}  // namespace stream
