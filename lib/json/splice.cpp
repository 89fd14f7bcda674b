// SPDX-License-Identifier: Apache-2.0
#include "json/splice.hpp"

#include "base/check.hpp"
#include "json/canonical.hpp"
#include "json/cursor.hpp"

namespace stream {
namespace {

bool is_named(const Value& name, std::string_view wanted) {
    if (!name.escaped) return name.inner() == wanted;
    std::string unescaped;
    append_unescaped(unescaped, name);
    return unescaped == wanted;
}

}  // namespace

void append_with_member(std::string& out, std::string_view event, std::string_view name,
                        std::string_view value_json) {
    const auto begin = event.find('{');
    const auto end = event.rfind('}');
    STREAM_CHECK(begin != std::string_view::npos && end != std::string_view::npos && begin < end);
    std::string_view replaced;
    bool is_empty = true;
    for (Cursor cursor(Value{event.substr(begin, end + 1 - begin), Type::object, false}); cursor.next();) {
        is_empty = false;
        if (is_named(cursor.name(), name)) replaced = cursor.value().text;
    }
    if (!replaced.empty()) {
        const auto at = static_cast<std::size_t>(replaced.data() - event.data());
        out.append(event.substr(0, at)).append(value_json).append(event.substr(at + replaced.size()));
        return;
    }
    out.append(event.substr(0, end));
    if (!is_empty) out.push_back(',');
    append_quoted(out, name);
    out.push_back(':');
    out.append(value_json).append(event.substr(end));
}

}  // namespace stream
