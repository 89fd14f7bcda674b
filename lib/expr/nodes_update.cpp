// SPDX-License-Identifier: Apache-2.0
// Paths as values, and changing what they lead to: path(f), del(f), = |= += …, getpath, setpath.
#include <algorithm>
#include <utility>
#include <vector>

#include "expr/nodes.hpp"

namespace stream::expr {

namespace {

using Keys = std::vector<Val>;

Keys keys_of(const Place& place) {
    Keys keys;
    for (const PathLink* link = place.path; link != nullptr; link = link->up) keys.push_back(link->key);
    std::reverse(keys.begin(), keys.end());
    return keys;
}

Val path_value(Run& run, const Keys& keys) {
    ArrayBuilder builder(run.arena, keys.size());
    for (const Val key : keys) builder.add(key);
    return builder.finish();
}

// The paths of f in `in`, all of them before anything is changed.
bool collect(Run& run, const Node& f, Val in, std::vector<Keys>& paths) {
    constexpr std::size_t at_once = 64u << 10;
    std::size_t held = 0;
    const Flow flow = f.paths(run, Place{nullptr, in}, [&](const Place& place) {
        run.step();
        paths.push_back(keys_of(place));
        held += sizeof(Keys) + paths.back().size() * sizeof(Val);
        if (held >= at_once) run.arena.charge(std::exchange(held, 0));
        return Flow::more;
    });
    return flow == Flow::more;
}

Val get_at(Run& run, Val at, const Keys& keys) {
    for (const Val key : keys) {
        if (at.is_null()) return at;
        at = index_value(run, at, key);
        if (at.is_failed()) return at;
    }
    return at;
}

Val with_element(Run& run, Val array, Val key, Val value) {
    std::int64_t index = 0;
    if (!integer_of(key, index)) throw Punt{"an index that is no whole number"};
    const Array empty{nullptr, 0};
    const Array& items = array.is_null() ? empty : array_of(run.arena, array);
    if (index < 0) index += items.size;
    if (index < 0) return run.fail("a negative index out of bounds: %B", array, key);
    if (index > 100'000'000) throw LimitReached{"memory"};
    ArrayBuilder builder(run.arena, std::max<std::size_t>(items.size, static_cast<std::size_t>(index) + 1));
    for (const Val item : items) builder.add(item);
    while (builder.size() <= static_cast<std::size_t>(index)) builder.add(Val::null());
    builder.data()[index] = value;
    return builder.finish();
}

// `at` with what `change` makes of the value at the rest of the path.
template <typename Change>
Val set_at(Run& run, Val at, const Keys& keys, std::size_t depth, const Change& change) {
    if (depth == keys.size()) return change(at);
    if (depth > 1100) throw LimitReached{"depth"};
    const Val key = keys[depth];
    const Val inner = index_value(run, at, key);
    if (inner.is_failed()) return inner;
    const Val value = set_at(run, inner, keys, depth + 1, change);
    if (value.is_failed()) return value;
    if (key.is_number()) return with_element(run, at, key, value);
    if (at.is_null()) {
        ObjectBuilder builder(run.arena, 1);
        builder.set(key, value);
        return builder.finish();
    }
    ObjectBuilder builder(run.arena, object_of(run.arena, at));
    builder.set(key, value);
    return builder.finish();
}

// `at` without what the paths in [begin, end) lead to; they are sorted, and go through `depth` keys to here.
using Paths = std::vector<std::pair<Val, const Keys*>>;
Val delete_all(Run& run, Val at, const Paths& paths, std::size_t begin, std::size_t end, std::size_t depth) {
    if (paths[begin].second->size() == depth || at.is_null()) return Val::null();
    const Run::Level level(run);
    const auto key_of = [&](std::size_t i) { return (*paths[i].second)[depth]; };
    const Val first = key_of(begin);
    std::vector<std::int64_t> indexes;
    const bool by_name = first.is_string() && at.is_object();
    if (!by_name && !(first.is_number() && at.is_array())) throw Punt{"a path that cannot be deleted"};
    // Each key with its paths; Kind::failed stands for what goes.
    std::vector<std::pair<Val, Val>> changes;
    for (std::size_t i = begin; i < end;) {
        run.step();
        const Val key = key_of(i);
        if (key.is_string() != by_name) throw Punt{"a path that cannot be deleted"};
        std::size_t next = i + 1;
        while (next < end && compare(run.arena, key_of(next), key) == 0) ++next;
        bool found = false;
        Val inner;
        if (by_name) {
            inner = member_of(run.arena, at, utf8_of(run.arena, key), found);
        } else {
            std::int64_t index = 0;
            if (!integer_of(key, index)) throw Punt{"an index that is no whole number"};
            // Numbers from the end would be counted anew after each.
            if (index < 0 && paths.size() > 1) throw Punt{"deleting from the end"};
            if (index < 0) index += static_cast<std::int64_t>(count_of(run, at));
            inner = element_of(run.arena, at, index, found);
            if (found) indexes.push_back(index);
        }
        // The shortest path comes first: where it ends, all of this goes.
        if (found && paths[i].second->size() == depth + 1) {
            changes.emplace_back(key, Val::failed());
        } else if (found && inner.is_null()) {
            changes.emplace_back(key, inner);
        } else if (found) {
            const Val rest = delete_all(run, inner, paths, i, next, depth + 1);
            if (rest.is_failed()) return rest;
            changes.emplace_back(key, rest);
        }
        i = next;
    }
    if (changes.empty()) return at;
    if (by_name) {
        ObjectBuilder builder(run.arena, object_of(run.arena, at));
        for (const auto& [key, value] : changes) {
            if (value.is_failed()) builder.remove(key);
            else builder.set(key, value);
        }
        return builder.finish();
    }
    const Array& items = array_of(run.arena, at);
    ArrayBuilder builder(run.arena, items.size);
    std::size_t change = 0;  // the indexes are sorted, as the paths are
    for (std::uint32_t i = 0; i < items.size; ++i) {
        if (change == indexes.size() || indexes[change] != i) {
            builder.add(items.items[i]);
            continue;
        }
        if (!changes[change].second.is_failed()) builder.add(changes[change].second);
        ++change;
    }
    return builder.finish();
}

class PathsOf final : public Node {
public:
    explicit PathsOf(NodePtr f) : Node(false), f_(std::move(f)) {}
    Flow each(Run& run, Val in, Emit emit) const override {
        return f_->paths(run, Place{nullptr, in}, [&](const Place& place) { return emit(path_value(run, keys_of(place))); });
    }

private:
    NodePtr f_;
};

class Delete final : public Node {
public:
    explicit Delete(NodePtr f) : Node(true), f_(std::move(f)) {}
    Val one(Run& run, Val in) const override {
        std::vector<Keys> paths;
        if (!collect(run, *f_, in, paths)) return Val::failed();
        if (paths.empty()) return in;
        Paths sorted;
        for (const Keys& keys : paths) sorted.emplace_back(path_value(run, keys), &keys);
        std::stable_sort(sorted.begin(), sorted.end(),
                         [&](const auto& a, const auto& b) { return compare(run.arena, a.first, b.first) < 0; });
        return delete_all(run, in, sorted, 0, sorted.size(), 0);
    }

private:
    NodePtr f_;
};

// f |= with, f = value, f op= value: `op` is 0 for |=, '=' for =, 'a' for //=, else the operator.
class Update final : public Node {
public:
    Update(NodePtr f, char op, NodePtr with, bool tries)
        : Node(true), f_(std::move(f)), op_(op), with_(std::move(with)), tries_(tries) {}
    Val one(Run& run, Val in) const override {
        Val value;
        if (op_ != 0) {
            value = with_->one(run, in);
            if (value.is_failed()) return value;
        }
        if (f_->can_change()) return f_->change(run, in, [&](Val old) { return changed(run, old, value); });
        std::vector<Keys> paths;
        if (!collect(run, *f_, in, paths)) return Val::failed();
        Val at = in;
        for (const Keys& keys : paths) {
            run.step();
            at = set_at(run, at, keys, 0, [&](Val old) { return changed(run, old, value); });
            if (at.is_failed() && tries_) throw Punt{"an error in an assignment through `try`"};
            if (at.is_failed()) return at;
        }
        return at;
    }

private:
    Val changed(Run& run, Val old, Val value) const {
        switch (op_) {
            case 0: return with_->one(run, old);
            case '=': return value;
            case 'a': return old.is_truthy() ? old : value;
            default: return apply_arithmetic(run, op_, old, value);
        }
    }
    NodePtr f_;
    char op_;
    NodePtr with_;
    bool tries_;
};

bool keys_from(Run& run, Val path, Keys& keys) {
    if (!path.is_array()) {
        run.fail("path must be specified as an array, not %A", path);
        return false;
    }
    for (const Val key : array_of(run.arena, path)) {
        if (!key.is_string() && !key.is_number()) throw Punt{"a path of other things than names and numbers"};
        keys.push_back(key);
    }
    return true;
}

class GetPath final : public Node {
public:
    explicit GetPath(NodePtr path) : Node(path->is_single()), path_(std::move(path)) {}
    Val one(Run& run, Val in) const override {
        const Val path = path_->one(run, in);
        return path.is_failed() ? path : get(run, in, path);
    }
    Flow each(Run& run, Val in, Emit emit) const override {
        return path_->each(run, in, [&](Val path) { return emit_one(get(run, in, path), emit); });
    }

private:
    static Val get(Run& run, Val in, Val path) {
        Keys keys;
        return keys_from(run, path, keys) ? get_at(run, in, keys) : Val::failed();
    }
    NodePtr path_;
};

class SetPath final : public Node {
public:
    SetPath(NodePtr path, NodePtr value) : Node(true), path_(std::move(path)), value_(std::move(value)) {}
    Val one(Run& run, Val in) const override {
        const Val path = path_->one(run, in);
        if (path.is_failed()) return path;
        const Val value = value_->one(run, in);
        if (value.is_failed()) return value;
        Keys keys;
        if (!keys_from(run, path, keys)) return Val::failed();
        return set_at(run, in, keys, 0, [&](Val) { return value; });
    }

private:
    NodePtr path_, value_;
};

}  // namespace

NodePtr make_paths_of(NodePtr f) { return std::make_unique<PathsOf>(std::move(f)); }
NodePtr make_delete(NodePtr f) { return std::make_unique<Delete>(std::move(f)); }
NodePtr make_update(NodePtr f, NodePtr with, bool tries) {
    return std::make_unique<Update>(std::move(f), char{0}, std::move(with), tries);
}
NodePtr make_assign(NodePtr f, NodePtr value, bool tries) {
    return std::make_unique<Update>(std::move(f), '=', std::move(value), tries);
}
NodePtr make_update_with(NodePtr f, char op, NodePtr value, bool tries) {
    return std::make_unique<Update>(std::move(f), op, std::move(value), tries);
}
NodePtr make_getpath(NodePtr path) { return std::make_unique<GetPath>(std::move(path)); }
NodePtr make_setpath(NodePtr path, NodePtr value) { return std::make_unique<SetPath>(std::move(path), std::move(value)); }

}  // namespace stream::expr
