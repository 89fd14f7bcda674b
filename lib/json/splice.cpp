// SPDX-License-Identifier: Apache-2.0
#include "json/splice.hpp"

#include <span>

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

using Steps = std::span<const FieldPath::Step>;

bool matches(const FieldPath::Step& step, const Cursor& cursor, std::int64_t index, bool in_object) {
    return in_object ? step.index < 0 && is_named(cursor.name(), step.name) : step.index == index;
}

// What of `wanted` leads to this member or element: all of it, or further in.
bool leads_here(const std::vector<Steps>& wanted, const Cursor& cursor, std::int64_t index, bool in_object, std::vector<Steps>& inner) {
    inner.clear();
    bool whole = false;
    for (const Steps& steps : wanted) {
        if (!matches(steps[0], cursor, index, in_object)) continue;
        if (steps.size() == 1) whole = true;
        else inner.push_back(steps.subspan(1));
    }
    return whole;
}

// Copies a container without what `gone` leads to; false, and nothing copied, if nothing of it is there.
bool copy_without(std::string& out, const Value& container, const std::vector<Steps>& gone) {
    if (container.type != Type::object && container.type != Type::array) return false;
    const bool in_object = container.type == Type::object;
    const std::string_view text = container.text;
    const std::size_t before = out.size();
    std::size_t copied = 0;  // of `text`
    bool any = false;
    bool kept_before = false;        // something stands in front, and a comma goes with what follows it
    std::size_t after_previous = 1;  // behind what was kept last
    std::int64_t index = 0;
    std::vector<Steps> inner;
    for (Cursor cursor(container); cursor.next(); ++index) {
        const std::string_view value = cursor.value().text;
        const auto value_at = static_cast<std::size_t>(value.data() - text.data());
        const std::size_t begin = in_object ? static_cast<std::size_t>(cursor.name().text.data() - text.data()) : value_at;
        const std::size_t end = value_at + value.size();
        if (leads_here(gone, cursor, index, in_object, inner)) {
            any = true;
            const std::size_t up_to = kept_before ? after_previous : begin;
            if (up_to > copied) out.append(text.substr(copied, up_to - copied));
            copied = end;
            if (!kept_before) {
                // The first one takes the comma behind it along, and the space up to the next.
                std::size_t next = text.find_first_not_of(" \t\r\n", end);
                if (next != std::string_view::npos && text[next] == ',') {
                    next = text.find_first_not_of(" \t\r\n", next + 1);
                    copied = next;
                }
            }
            continue;
        }
        if (!inner.empty()) {
            out.append(text.substr(copied, value_at - copied));
            copied = value_at;
            if (copy_without(out, cursor.value(), inner)) {
                any = true;
                copied = end;
            }
        }
        kept_before = true;
        after_previous = end;
    }
    if (any) out.append(text.substr(copied));
    else out.resize(before);
    return any;
}

// Copies what is wanted of a container; all of it where a path ends.
void copy_kept(std::string& out, const Value& container, const std::vector<Steps>& wanted) {
    const bool in_object = container.type == Type::object;
    out.push_back(in_object ? '{' : '[');
    bool first = true;
    std::int64_t index = 0;
    for (Cursor cursor(container); cursor.next(); ++index) {
        std::vector<Steps> inner;
        const bool whole = leads_here(wanted, cursor, index, in_object, inner);
        const Value& value = cursor.value();
        const bool goes_in = !inner.empty() && (value.type == Type::object || value.type == Type::array);
        if (!whole && !goes_in) continue;
        if (!first) out.push_back(',');
        first = false;
        if (in_object) {
            const char* name = cursor.name().text.data();
            out.append(name, static_cast<std::size_t>(value.text.data() - name));
        }
        if (whole) out.append(value.text);
        else copy_kept(out, value, inner);
    }
    out.push_back(in_object ? '}' : ']');
}

bool has_member(const Value& object, std::string_view name) {
    for (Cursor cursor(object); cursor.next();) {
        if (is_named(cursor.name(), name)) return true;
    }
    return false;
}

Value object_in(std::string_view event) {
    const auto begin = event.find('{');
    const auto end = event.rfind('}');
    STREAM_CHECK(begin != std::string_view::npos && end != std::string_view::npos && begin < end);
    return {event.substr(begin, end + 1 - begin), Type::object, false};
}

// Each path's way in this event: the member of exactly its text first. `exact` holds what they point to.
std::vector<Steps> steps_in(const Value& object, const std::vector<FieldPath>& paths, std::vector<FieldPath::Step>& exact) {
    exact.resize(paths.size());
    std::vector<Steps> ways;
    for (std::size_t i = 0; i < paths.size(); ++i) {
        if (!paths[i].is_plain() && has_member(object, paths[i].text)) {
            exact[i].name = paths[i].text;
            ways.emplace_back(&exact[i], 1);
        } else {
            ways.emplace_back(paths[i].steps);
        }
    }
    return ways;
}

}  // namespace

void append_without(std::string& out, std::string_view event, const std::vector<FieldPath>& paths) {
    const Value object = object_in(event);
    std::vector<FieldPath::Step> exact;
    const std::vector<Steps> gone = steps_in(object, paths, exact);
    out.append(event.substr(0, static_cast<std::size_t>(object.text.data() - event.data())));
    if (!copy_without(out, object, gone)) out.append(object.text);
    out.append(event.substr(static_cast<std::size_t>(object.text.data() + object.text.size() - event.data())));
}

void append_kept(std::string& out, std::string_view event, const std::vector<FieldPath>& paths) {
    const Value object = object_in(event);
    std::vector<FieldPath::Step> exact;
    copy_kept(out, object, steps_in(object, paths, exact));
}

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
