// SPDX-License-Identifier: Apache-2.0
// Builtins on values of any type: length, keys, has, contains, add, entries, flatten, min, max, sort …
#include <algorithm>
#include <vector>

#include "expr/nodes.hpp"
#include "expr/val_number.hpp"

namespace stream::expr {

namespace {

std::int64_t codepoints(std::string_view text) {
    return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

Val length(Run& run, Val in, const Val*) {
    if (in.is_string()) {
        const std::string_view text = utf8_of(run.arena, in);
        run.arena.work_through(text.size());
        return Val::of_integer(codepoints(text));
    }
    if (in.is_array() || in.is_object()) return Val::of_integer(static_cast<std::int64_t>(count_of(run, in)));
    if (in.is_null()) return Val::of_integer(0);
    if (in.is_number()) {
        std::int64_t integer = 0;
        if (quick_integer(in, integer) && integer != INT64_MIN) return Val::of_integer(integer < 0 ? -integer : integer);
        const double number = double_of(in);
        return Val::of_number(number < 0 ? -number : number);
    }
    return run.fail("%A has no length", in);
}

Val logical_not(Run&, Val in, const Val*) { return Val::boolean(!in.is_truthy()); }

Val type(Run&, Val in, const Val*) { return Val::of_string(type_name(in)); }

Val keys_in_order(Run& run, Val in, bool sorted) {
    if (in.is_array()) {
        const auto size = static_cast<std::int64_t>(count_of(run, in));
        ArrayBuilder builder(run.arena, static_cast<std::size_t>(size));
        for (std::int64_t i = 0; i < size; ++i) builder.add(Val::of_integer(i));
        return builder.finish();
    }
    if (!in.is_object()) return run.fail("%A has no keys", in);
    const Object& object = object_of(run.arena, in);
    ArrayBuilder builder(run.arena, object.size);
    for (const Member& member : object) builder.add(member.name);
    if (sorted) {
        std::sort(builder.data(), builder.data() + builder.size(),
                  [&](Val a, Val b) { return utf8_of(run.arena, a) < utf8_of(run.arena, b); });
    }
    return builder.finish();
}
Val keys(Run& run, Val in, const Val*) { return keys_in_order(run, in, true); }
Val keys_unsorted(Run& run, Val in, const Val*) { return keys_in_order(run, in, false); }

Val has(Run& run, Val in, const Val* args) {
    const Val key = args[0];
    if (in.is_object() && key.is_string()) {
        bool found = false;
        member_of(run.arena, in, utf8_of(run.arena, key), found);
        return Val::boolean(found);
    }
    if (in.is_array() && key.is_number()) {
        std::int64_t index = 0;
        if (!integer_of(key, index)) throw Punt{"has() of an index that is no whole number"};
        return Val::boolean(index >= 0 && index < static_cast<std::int64_t>(count_of(run, in)));
    }
    if (in.is_null()) throw Punt{"has() of null"};
    return run.fail("cannot check whether %a has a %b key", in, key);
}

// jq tells true from false here, as if they were types.
bool same_kind(Val a, Val b) {
    if (a.is_boolean() && b.is_boolean()) return a.kind == b.kind;
    return type_name(a) == type_name(b);
}

bool contains_value(Run& run, Val a, Val b, unsigned depth) {
    if (depth > 1100) throw LimitReached{"depth"};
    run.step();
    if (a.is_object() && b.is_object()) {
        for (const Member& member : object_of(run.arena, b)) {
            bool found = false;
            const Val inner = member_of(run.arena, a, utf8_of(run.arena, member.name), found);
            if (!found || !contains_value(run, inner, member.value, depth + 1)) return false;
        }
        return true;
    }
    if (a.is_array() && b.is_array()) {
        const Array& left = array_of(run.arena, a);
        for (const Val wanted : array_of(run.arena, b)) {
            const auto holds = [&](Val item) { return contains_value(run, item, wanted, depth + 1); };
            if (std::none_of(left.begin(), left.end(), holds)) return false;
        }
        return true;
    }
    if (a.is_string() && b.is_string()) {
        const std::string_view text = utf8_of(run.arena, a);
        const std::string_view part = utf8_of(run.arena, b);
        // jq 1.6 ends its search at a NUL, 1.7 does not.
        if (text.find('\0') != std::string_view::npos || part.find('\0') != std::string_view::npos) {
            throw Punt{"contains with a NUL character"};
        }
        return text.find(part) != std::string_view::npos;
    }
    return same_kind(a, b) && compare(run.arena, a, b) == 0;
}

Val contains(Run& run, Val in, const Val* args) {
    if (!same_kind(in, args[0])) return run.fail("%A and %B cannot have their containment checked", in, args[0]);
    return Val::boolean(contains_value(run, in, args[0], 0));
}

Val inside(Run& run, Val in, const Val* args) { return contains(run, args[0], &in); }
Val in_object(Run& run, Val in, const Val* args) { return has(run, args[0], &in); }

Val add(Run& run, Val in, const Val*) {
    if (!in.is_array() && !in.is_object()) return run.fail("cannot iterate over %A", in);
    std::vector<Val> items;
    bool all_strings = true;
    each_item(run, in, [&](Val item) {
        all_strings = all_strings && item.is_string();
        items.push_back(item);
        if (items.size() % 4096 == 0) run.arena.charge(4096 * sizeof(Val));
        return Flow::more;
    });
    if (items.empty()) return {};
    if (all_strings && items.size() > 2) {
        std::string joined;
        for (const Val item : items) {
            joined += utf8_of(run.arena, item);
            run.arena.check_text(joined.size());
        }
        return Val::of_string(run.arena.copy(joined));
    }
    const bool all_arrays = items.size() > 2 && std::all_of(items.begin(), items.end(), [](Val v) { return v.is_array(); });
    if (all_arrays) {
        ArrayBuilder builder(run.arena);
        for (const Val item : items) {
            for (const Val inner : array_of(run.arena, item)) builder.add(inner);
        }
        return builder.finish();
    }
    Val sum;
    for (const Val item : items) {
        run.step();
        sum = apply_arithmetic(run, '+', sum, item);
        if (sum.is_failed()) return sum;
    }
    return sum;
}

// any and all without arguments look at what is in the input.
Val any_or_all(Run& run, Val in, bool any) {
    bool found = false;
    const Flow flow = each_item(run, in, [&](Val item) {
        found = item.is_truthy() == any;
        return found ? Flow::stop : Flow::more;
    });
    if (flow == Flow::fail) return Val::failed();
    return Val::boolean(found ? any : !any);
}
Val any(Run& run, Val in, const Val*) { return any_or_all(run, in, true); }
Val all(Run& run, Val in, const Val*) { return any_or_all(run, in, false); }

Val to_entries(Run& run, Val in, const Val*) {
    if (!in.is_object()) {
        if (in.is_array()) throw Punt{"to_entries of an array"};
        return run.fail("%A has no keys", in);
    }
    const Object& object = object_of(run.arena, in);
    ArrayBuilder builder(run.arena, object.size);
    for (const Member& member : object) {
        auto* members = run.arena.array<Member>(2);
        members[0] = {Val::of_string("key"), member.name};
        members[1] = {Val::of_string("value"), member.value};
        auto* entry = static_cast<Object*>(run.arena.allocate(sizeof(Object)));
        *entry = {members, 2, nullptr, 0};
        builder.add(Val::of_object(entry));
    }
    return builder.finish();
}

Val from_entries(Run& run, Val in, const Val*) {
    if (!in.is_array()) throw Punt{"from_entries of what is no array"};
    const Array& entries = array_of(run.arena, in);
    ObjectBuilder builder(run.arena, entries.size);
    for (const Val entry : entries) {
        bool has_key = false;
        bool has_value = false;
        const Val key = entry.is_object() ? member_of(run.arena, entry, "key", has_key) : Val::null();
        // The versions of jq do not agree on keys of other names and types.
        if (!has_key || !key.is_string()) throw Punt{"from_entries without \"key\""};
        const Val value = member_of(run.arena, entry, "value", has_value);
        if (!has_value) throw Punt{"from_entries without \"value\""};
        builder.set(key, value);
    }
    return builder.finish();
}

void flatten_into(Run& run, Val array, std::int64_t depth, ArrayBuilder& out, unsigned nested) {
    if (nested > 1100) throw LimitReached{"depth"};
    for (const Val item : array_of(run.arena, array)) {
        run.step();
        if (item.is_array() && depth > 0) flatten_into(run, item, depth - 1, out, nested + 1);
        else out.add(item);
    }
}

Val flatten_to(Run& run, Val in, std::int64_t depth) {
    if (!in.is_array()) throw Punt{"flatten of what is no array"};
    ArrayBuilder out(run.arena);
    flatten_into(run, in, depth, out, 0);
    return out.finish();
}
Val flatten(Run& run, Val in, const Val*) { return flatten_to(run, in, 2000); }
Val flatten_by(Run& run, Val in, const Val* args) {
    std::int64_t depth = 0;
    if (!args[0].is_number() || !integer_of(args[0], depth)) throw Punt{"flatten to a depth that is no whole number"};
    if (depth < 0) return run.fail("flatten depth must not be negative");
    return flatten_to(run, in, depth);
}

Val reverse(Run& run, Val in, const Val*) {
    if (!in.is_array()) throw Punt{"reverse of what is no array"};
    const Array& items = array_of(run.arena, in);
    ArrayBuilder out(run.arena, items.size);
    for (std::uint32_t i = items.size; i-- > 0;) out.add(items.items[i]);
    return out.finish();
}

// Where `part` begins in an ASCII string, overlapping ones too. Beyond ASCII, jq 1.6 counts bytes and later
// versions characters.
bool places(Run& run, Val in, Val part, std::vector<std::int64_t>& found) {
    if (!in.is_string() || !part.is_string()) throw Punt{"index of what is no string"};
    const std::string_view text = utf8_of(run.arena, in);
    const std::string_view wanted = utf8_of(run.arena, part);
    const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
    run.arena.work_through(text.size());
    if (wanted.empty() || !std::all_of(text.begin(), text.end(), is_ascii) || text.find('\0') != std::string_view::npos) {
        throw Punt{"index in a string beyond ASCII"};
    }
    for (std::size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1)) {
        run.step();
        if (found.size() % 4096 == 4095) run.arena.charge(4096 * sizeof(std::int64_t));
        found.push_back(static_cast<std::int64_t>(at));
    }
    return !found.empty();
}
Val indices(Run& run, Val in, const Val* args) {
    if (in.is_null()) throw Punt{"index of null"};
    std::vector<std::int64_t> found;
    places(run, in, args[0], found);
    ArrayBuilder out(run.arena, found.size());
    for (const std::int64_t at : found) out.add(Val::of_integer(at));
    return out.finish();
}
Val index(Run& run, Val in, const Val* args) {
    std::vector<std::int64_t> found;
    return places(run, in, args[0], found) ? Val::of_integer(found.front()) : Val::null();
}
Val rindex(Run& run, Val in, const Val* args) {
    std::vector<std::int64_t> found;
    return places(run, in, args[0], found) ? Val::of_integer(found.back()) : Val::null();
}

constexpr Builtin table[] = {
    {"length", 0, length},
    {"not", 0, logical_not},
    {"type", 0, type},
    {"keys", 0, keys},
    {"keys_unsorted", 0, keys_unsorted},
    {"has", 1, has},
    {"in", 1, in_object},
    {"contains", 1, contains},
    {"inside", 1, inside},
    {"add", 0, add},
    {"any", 0, any},
    {"all", 0, all},
    {"to_entries", 0, to_entries},
    {"from_entries", 0, from_entries},
    {"flatten", 0, flatten},
    {"flatten", 1, flatten_by},
    {"reverse", 0, reverse},
    {"indices", 1, indices},
    {"index", 1, index},
    {"rindex", 1, rindex},
};

}  // namespace

std::span<const Builtin> core_builtins() { return table; }

}  // namespace stream::expr
