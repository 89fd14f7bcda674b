// SPDX-License-Identifier: Apache-2.0
#include "expr/val.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/hash.hpp"
#include "expr/val_number.hpp"
#include "json/canonical.hpp"
#include "json/cursor.hpp"

namespace stream::expr {

namespace {

// Values nested deeper than this are refused, so that no recursion over them can exhaust the stack.
constexpr unsigned value_depth_max = 2048;

// A container whose text is longer is looked into once, and what was found is kept while the event lasts.
constexpr std::uint32_t long_text = 1024;

int sign(int order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

Value text_value(Val val) {
    return {val.view(), val.kind == Kind::array_text ? Type::array : Type::object, false};
}

bool same_name(Arena& arena, Val name, std::string_view utf8) {
    return utf8_of(arena, name) == utf8;
}

int compare_at(Arena& arena, Val a, Val b, unsigned depth);

int compare_arrays(Arena& arena, Val a, Val b, unsigned depth) {
    const Array& left = array_of(arena, a);
    const Array& right = array_of(arena, b);
    const std::uint32_t shared = std::min(left.size, right.size);
    for (std::uint32_t i = 0; i < shared; ++i) {
        if (const int order = compare_at(arena, left.items[i], right.items[i], depth + 1)) return order;
    }
    return left.size < right.size ? -1 : left.size > right.size ? 1 : 0;
}

struct Named {
    std::string_view name;
    Val value;
};

std::vector<Named> sorted_members(Arena& arena, Val val) {
    const Object& object = object_of(arena, val);
    std::vector<Named> members;
    members.reserve(object.size);
    for (const Member& member : object) members.push_back({utf8_of(arena, member.name), member.value});
    std::sort(members.begin(), members.end(), [](const Named& x, const Named& y) { return x.name < y.name; });
    return members;
}

int compare_objects(Arena& arena, Val a, Val b, unsigned depth) {
    const std::vector<Named> left = sorted_members(arena, a);
    const std::vector<Named> right = sorted_members(arena, b);
    const std::size_t shared = std::min(left.size(), right.size());
    for (std::size_t i = 0; i < shared; ++i) {
        if (const int order = left[i].name.compare(right[i].name)) return sign(order);
    }
    if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
    for (std::size_t i = 0; i < shared; ++i) {
        if (const int order = compare_at(arena, left[i].value, right[i].value, depth + 1)) return order;
    }
    return 0;
}

int type_rank(Val v) {
    switch (v.kind) {
        case Kind::failed:
        case Kind::null: return 0;
        case Kind::boolean_false: return 1;
        case Kind::boolean_true: return 2;
        case Kind::integer:
        case Kind::number:
        case Kind::number_text: return 3;
        case Kind::string:
        case Kind::string_text: return 4;
        case Kind::array:
        case Kind::array_text: return 5;
        case Kind::object:
        case Kind::object_text: return 6;
    }
    return 0;
}

int compare_at(Arena& arena, Val a, Val b, unsigned depth) {
    if (depth > value_depth_max) throw LimitReached{"depth"};
    arena.work(1);
    const int rank = type_rank(a);
    if (const int other = type_rank(b); rank != other) return rank < other ? -1 : 1;
    switch (rank) {
        case 3: return compare_number_vals(a, b);
        case 4: return sign(utf8_of(arena, a).compare(utf8_of(arena, b)));
        case 5: return compare_arrays(arena, a, b, depth);
        case 6: return compare_objects(arena, a, b, depth);
        default: return 0;
    }
}

}  // namespace

Val Val::of_value(const Value& value) {
    switch (value.type) {
        case Type::missing:
        case Type::null: return null();
        case Type::boolean_false: return boolean(false);
        case Type::boolean_true: return boolean(true);
        case Type::number: return of_text(Kind::number_text, value.text, false);
        case Type::string: return of_text(Kind::string_text, value.text, value.escaped);
        case Type::array: return of_text(Kind::array_text, value.text, false);
        case Type::object: return of_text(Kind::object_text, value.text, false);
    }
    return null();
}

Val val_of_json(std::string_view text) { return Val::of_value(stream::value_of(text)); }

std::string_view utf8_of(Arena& arena, Val string) {
    if (string.kind == Kind::string) return string.view();
    const std::string_view text = string.view();
    if (!string.escaped) return text.substr(1, text.size() - 2);
    arena.work_through(text.size());
    std::string unescaped;
    append_unescaped(unescaped, Value{text, Type::string, true});
    return arena.copy(unescaped);
}

const Array& array_of(Arena& arena, Val array) {
    if (array.kind == Kind::array) return *array.array;
    if (const Array* known = arena.known_array(array.text)) return *known;
    arena.work_through(array.size);
    ArrayBuilder builder(arena, 8);
    for (Cursor cursor(text_value(array)); cursor.next();) builder.add(Val::of_value(cursor.value()));
    const Array* built = builder.finish().array;
    if (array.size > long_text) arena.remember(array.text, built);
    return *built;
}

const Object& object_of(Arena& arena, Val object) {
    if (object.kind == Kind::object) return *object.object;
    if (const Object* known = arena.known_object(object.text)) return *known;
    arena.work_through(object.size);
    ObjectBuilder builder(arena, 12);
    for (Cursor cursor(text_value(object)); cursor.next();) {
        const Value& name = cursor.name();
        // Names are compared again and again: without escapes from here on.
        Val key = Val::of_text(Kind::string_text, name.text, name.escaped);
        if (name.escaped) key = Val::of_string(utf8_of(arena, key));
        builder.set(key, Val::of_value(cursor.value()));
    }
    const Object* built = builder.finish().object;
    if (object.size > long_text) arena.remember(object.text, built);
    return *built;
}

Val member_of(Arena& arena, Val object, std::string_view name, bool& found) {
    found = false;
    Val value;
    if (object.kind == Kind::object_text && object.size > long_text) object = Val::of_object(&object_of(arena, object));
    if (object.kind == Kind::object_text) {
        arena.work_through(object.size);
        for (Cursor cursor(text_value(object)); cursor.next();) {
            const Value& key = cursor.name();
            const bool same = key.escaped ? same_name(arena, Val::of_text(Kind::string_text, key.text, true), name)
                                          : key.inner() == name;
            if (!same) continue;
            found = true;  // the last one counts
            value = Val::of_value(cursor.value());
        }
        return value;
    }
    const Object& built = *object.object;
    if (built.index != nullptr) {
        std::uint32_t place = static_cast<std::uint32_t>(hash64(name, table_seed)) & built.index_mask;
        for (; built.index[place] != 0; place = (place + 1) & built.index_mask) {
            const Member& member = built.members[built.index[place] - 1];
            if (!same_name(arena, member.name, name)) continue;
            found = true;
            return member.value;
        }
        return value;
    }
    for (const Member& member : built) {
        if (!same_name(arena, member.name, name)) continue;
        found = true;
        return member.value;
    }
    return value;
}

Val element_of(Arena& arena, Val array, std::int64_t index, bool& found) {
    found = false;
    if (index < 0) return {};
    if (array.kind == Kind::array_text && array.size > long_text) array = Val::of_array(&array_of(arena, array));
    if (array.kind == Kind::array) {
        if (index >= array.array->size) return {};
        found = true;
        return array.array->items[index];
    }
    std::int64_t at = 0;
    for (Cursor cursor(text_value(array)); cursor.next(); ++at) {
        if (at != index) continue;
        found = true;
        return Val::of_value(cursor.value());
    }
    return {};
}

int compare(Arena& arena, Val a, Val b) { return compare_at(arena, a, b, 0); }

std::string_view type_name(Val value) {
    constexpr std::string_view names[] = {"null", "boolean", "boolean", "number", "string", "array", "object"};
    return names[type_rank(value)];
}

}  // namespace stream::expr
