// SPDX-License-Identifier: Apache-2.0
// Looking into values: members, elements, slices, iteration, recursion; each also as paths.
#include <algorithm>
#include <cmath>

#include "expr/nodes.hpp"
#include "json/cursor.hpp"

namespace stream::expr {

namespace {

constexpr const char* cannot_index = "cannot index %a with %T";
constexpr const char* cannot_iterate = "cannot iterate over %A";

// The element's number, from the end if negative; false if it is no integer.
bool index_of(Val key, std::int64_t& index) { return integer_of(key, index); }

const PathLink* step_to(Run& run, const PathLink* up, Val key) {
    auto* link = static_cast<PathLink*>(run.arena.allocate(sizeof(PathLink)));
    *link = {up, key};
    return link;
}

// Codepoints, and the byte where the n-th begins.
std::int64_t codepoints(std::string_view text) {
    return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}
std::size_t byte_of_codepoint(std::string_view text, std::int64_t n) {
    std::size_t at = 0;
    for (; at < text.size(); ++at) {
        if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) continue;
        if (n-- == 0) break;
    }
    return at;
}

// A bound of a slice as an offset into `size`; false if it is none that both jqs agree on.
bool bound(Val value, std::int64_t size, std::int64_t otherwise, std::int64_t& at) {
    if (value.is_null()) {
        at = otherwise;
        return true;
    }
    if (!integer_of(value, at)) return false;
    if (at < 0) at = at < -size ? 0 : at + size;
    at = std::clamp<std::int64_t>(at, 0, size);
    return true;
}

// A node over a target: what happens to each of its results.
class Over : public Node {
public:
    Over(NodePtr target, bool optional)
        : Node(!optional && (target == nullptr || target->is_single())), target_(std::move(target)), optional_(optional) {}

    Val one(Run& run, Val in) const override {
        const Val at = target_ == nullptr ? in : target_->one(run, in);
        return at.is_failed() ? at : apply(run, at, in);
    }
    Flow each(Run& run, Val in, Emit emit) const override {
        if (single_) return emit_one(one(run, in), emit);
        if (target_ == nullptr) return stepped(apply(run, in, in), emit);
        return target_->each(run, in, [&](Val at) { return stepped(apply(run, at, in), emit); });
    }
    bool has_paths() const override { return target_ == nullptr || target_->has_paths(); }
    Flow paths(Run& run, const Place& in, EmitPlace emit) const override {
        if (target_ == nullptr) return paths_at(run, in, in.value, emit);
        return target_->paths(run, in, [&](const Place& at) { return paths_at(run, at, in.value, emit); });
    }

protected:
    virtual Val apply(Run& run, Val at, Val in) const = 0;
    virtual Val change_at(Run&, Val at, Change) const { return at; }
    virtual Flow paths_at(Run& run, const Place& at, Val in, EmitPlace emit) const = 0;
    Flow stepped(Val value, Emit emit) const {
        if (value.is_failed()) return optional_ ? Flow::more : Flow::fail;
        return emit(value);
    }
    Flow stepped(Run& run, const Place& at, Val key, Val value, EmitPlace emit) const {
        if (value.is_failed()) return optional_ ? Flow::more : Flow::fail;
        return emit(Place{step_to(run, at.path, key), value});
    }
    NodePtr target_;
    bool optional_;
};

class Field final : public Over {
public:
    Field(NodePtr target, Val name, bool optional) : Over(std::move(target), optional), name_(name) {}

protected:
    Val apply(Run& run, Val at, Val) const override {
        if (at.is_object()) {
            bool found = false;
            return member_of(run.arena, at, name_.view(), found);
        }
        return at.is_null() ? at : run.fail(cannot_index, at, name_);
    }
    Flow paths_at(Run& run, const Place& at, Val in, EmitPlace emit) const override {
        return stepped(run, at, name_, apply(run, at.value, in), emit);
    }
    bool can_change() const override { return !optional_ && (target_ == nullptr || target_->can_change()); }
    bool may_leave() const override { return target_ != nullptr && target_->may_leave(); }
    Val change(Run& run, Val in, Change change) const override {
        if (target_ == nullptr) return change_at(run, in, change);
        return target_->change(run, in, [&](Val at) { return change_at(run, at, change); });
    }

    Val change_at(Run& run, Val at, Change change) const override {
        if (!at.is_object() && !at.is_null()) return run.fail(cannot_index, at, name_);
        bool found = false;
        const Val old = at.is_null() ? at : member_of(run.arena, at, name_.view(), found);
        const Val value = change(old);
        if (value.is_failed()) return value;
        ObjectBuilder builder = at.is_null() ? ObjectBuilder(run.arena, 1) : ObjectBuilder(run.arena, object_of(run.arena, at));
        builder.set(name_, value);
        return builder.finish();
    }

private:
    Val name_;
};

class Index final : public Over {
public:
    Index(NodePtr target, NodePtr index, bool optional) : Over(std::move(target), optional), index_(std::move(index)) {
        single_ = single_ && index_->is_single();
    }

    Flow each(Run& run, Val in, Emit emit) const override {
        if (single_) return emit_one(one(run, in), emit);
        const auto over_targets = [&](Val key) {
            if (target_ == nullptr) return stepped(index_value(run, in, key), emit);
            return target_->each(run, in, [&](Val at) { return stepped(index_value(run, at, key), emit); });
        };
        // jq takes the target's results in turn for each result of the index.
        return index_->each(run, in, over_targets);
    }
    bool has_paths() const override {
        return Over::has_paths() && (index_->is_single() || target_ == nullptr || target_->is_single());
    }

protected:
    Val apply(Run& run, Val at, Val in) const override {
        const Val key = index_->one(run, in);
        return key.is_failed() ? key : index_value(run, at, key);
    }
    Flow paths_at(Run& run, const Place& at, Val in, EmitPlace emit) const override {
        return index_->each(run, in, [&](Val key) {
            if (!key.is_string() && !key.is_number()) throw Punt{"a path through a slice or a search"};
            return stepped(run, at, key, index_value(run, at.value, key), emit);
        });
    }

private:
    NodePtr index_;
};

class Slice final : public Over {
public:
    Slice(NodePtr target, NodePtr from, NodePtr to, bool optional)
        : Over(std::move(target), optional), from_(std::move(from)), to_(std::move(to)) {}
    bool has_paths() const override { return false; }
    // The bounds may fail, which no `?` behind the slice catches.
    Flow each(Run& run, Val in, Emit emit) const override {
        if (single_) return emit_one(one(run, in), emit);
        const Val from = from_ == nullptr ? Val::null() : from_->one(run, in);
        if (from.is_failed()) return Flow::fail;
        const Val to = to_ == nullptr ? Val::null() : to_->one(run, in);
        if (to.is_failed()) return Flow::fail;
        if (target_ == nullptr) return stepped(slice_value(run, in, from, to), emit);
        return target_->each(run, in, [&](Val at) { return stepped(slice_value(run, at, from, to), emit); });
    }

protected:
    Val apply(Run& run, Val at, Val in) const override {
        const Val from = from_ == nullptr ? Val::null() : from_->one(run, in);
        if (from.is_failed()) return from;
        const Val to = to_ == nullptr ? Val::null() : to_->one(run, in);
        return to.is_failed() ? to : slice_value(run, at, from, to);
    }
    Flow paths_at(Run&, const Place&, Val, EmitPlace) const override { throw Punt{"a path through a slice"}; }

private:
    NodePtr from_, to_;
};

class Iterate final : public Node {
public:
    Iterate(NodePtr target, bool optional) : Node(false), target_(std::move(target)), optional_(optional) {}

    Flow each(Run& run, Val in, Emit emit) const override {
        if (target_ == nullptr) return items_of(run, in, emit);
        if (target_->is_single()) {
            const Val at = target_->one(run, in);
            return at.is_failed() ? Flow::fail : items_of(run, at, emit);
        }
        return target_->each(run, in, [&](Val at) { return items_of(run, at, emit); });
    }
    bool has_paths() const override { return target_ == nullptr || target_->has_paths(); }
    Flow paths(Run& run, const Place& in, EmitPlace emit) const override {
        if (target_ == nullptr) return items(run, in, emit);
        return target_->paths(run, in, [&](const Place& at) { return items(run, at, emit); });
    }

    bool can_change() const override { return !optional_ && (target_ == nullptr || target_->can_change()); }
    bool may_leave() const override { return target_ != nullptr && target_->may_leave(); }
    bool is_there() const override { return true; }
    Val change(Run& run, Val in, Change change) const override {
        if (target_ == nullptr) return change_items(run, in, change);
        return target_->change(run, in, [&](Val at) { return change_items(run, at, change); });
    }

private:
    static Val change_items(Run& run, Val at, Change change) {
        if (at.is_array()) {
            const Array& items = array_of(run.arena, at);
            ArrayBuilder builder(run.arena, items.size);
            for (const Val item : items) {
                run.step();
                const Val value = change(item);
                if (value.is_failed()) return value;
                builder.add(value);
            }
            return builder.finish();
        }
        if (!at.is_object()) return run.fail(cannot_iterate, at);
        const Object& members = object_of(run.arena, at);
        ObjectBuilder builder(run.arena, members);
        for (const Member& member : members) {
            run.step();
            const Val value = change(member.value);
            if (value.is_failed()) return value;
            builder.set(member.name, value);
        }
        return builder.finish();
    }
    Flow items_of(Run& run, Val at, Emit emit) const {
        if (optional_ && !at.is_array() && !at.is_object()) return Flow::more;
        return each_item(run, at, emit);
    }
    Flow items(Run& run, const Place& at, EmitPlace emit) const {
        if (at.value.is_array()) {
            std::int64_t i = 0;
            for (const Val item : array_of(run.arena, at.value)) {
                run.step();
                const Flow flow = emit(Place{step_to(run, at.path, Val::of_integer(i++)), item});
                if (flow != Flow::more) return flow;
            }
            return Flow::more;
        }
        if (at.value.is_object()) {
            for (const Member& member : object_of(run.arena, at.value)) {
                run.step();
                const Flow flow = emit(Place{step_to(run, at.path, member.name), member.value});
                if (flow != Flow::more) return flow;
            }
            return Flow::more;
        }
        if (optional_) return Flow::more;
        run.fail(cannot_iterate, at.value);
        return Flow::fail;
    }

    NodePtr target_;
    bool optional_;
};

// `..`: a value, then what is in it, depth first.
class Recurse final : public Node {
public:
    Recurse() : Node(false) {}
    Flow each(Run& run, Val in, Emit emit) const override { return walk(run, in, emit, 0); }
    bool has_paths() const override { return true; }
    Flow paths(Run& run, const Place& in, EmitPlace emit) const override { return walk_paths(run, in, emit, 0); }

private:
    static Flow walk(Run& run, Val at, Emit emit, unsigned depth) {
        if (depth > 1100) throw LimitReached{"depth"};
        const Run::Level level(run);
        run.step();
        const Flow flow = emit(at);
        if (flow != Flow::more || !(at.is_array() || at.is_object())) return flow;
        return each_item(run, at, [&](Val item) { return walk(run, item, emit, depth + 1); });
    }
    static Flow walk_paths(Run& run, const Place& at, EmitPlace emit, unsigned depth) {
        if (depth > 1100) throw LimitReached{"depth"};
        const Run::Level level(run);
        run.step();
        Flow flow = emit(at);
        if (flow != Flow::more) return flow;
        if (at.value.is_array()) {
            std::int64_t i = 0;
            for (const Val item : array_of(run.arena, at.value)) {
                flow = walk_paths(run, {step_to(run, at.path, Val::of_integer(i++)), item}, emit, depth + 1);
                if (flow != Flow::more) return flow;
            }
        } else if (at.value.is_object()) {
            for (const Member& member : object_of(run.arena, at.value)) {
                flow = walk_paths(run, {step_to(run, at.path, member.name), member.value}, emit, depth + 1);
                if (flow != Flow::more) return flow;
            }
        }
        return Flow::more;
    }
};

// recurse(f): f's results are collected before they are gone into, so that f is never inside itself.
class RecurseWith final : public Node {
public:
    explicit RecurseWith(NodePtr f) : Node(false), f_(std::move(f)) {}
    Flow each(Run& run, Val in, Emit emit) const override { return walk(run, in, emit, 0); }

private:
    Flow walk(Run& run, Val at, Emit emit, unsigned depth) const {
        if (depth > 1100) throw LimitReached{"depth"};
        const Run::Level level(run);
        run.step();
        Flow flow = emit(at);
        if (flow != Flow::more) return flow;
        ArrayBuilder results(run.arena);
        const Flow own = f_->each(run, at, [&](Val result) {
            results.add(result);
            return Flow::more;
        });
        const ExprError error = run.error;
        const Val* items = results.data();
        for (std::size_t i = 0; i < results.size(); ++i) {
            flow = walk(run, items[i], emit, depth + 1);
            if (flow != Flow::more) return flow;
        }
        if (own == Flow::fail) run.error = error;
        return own;
    }
    NodePtr f_;
};

}  // namespace

Val index_value(Run& run, Val target, Val key) {
    if (target.is_object() && key.is_string()) {
        bool found = false;
        return member_of(run.arena, target, utf8_of(run.arena, key), found);
    }
    if (target.is_array() && key.is_number()) {
        std::int64_t index = 0;
        if (!index_of(key, index)) throw Punt{"an index that is no whole number"};
        bool found = false;
        if (index < 0) index += static_cast<std::int64_t>(count_of(run, target));
        return element_of(run.arena, target, index, found);
    }
    if (target.is_null() && (key.is_string() || key.is_number())) return target;
    if (key.is_object() && (target.is_null() || target.is_array() || target.is_string())) throw Punt{"an object as an index"};
    if (key.is_array() && target.is_array()) throw Punt{"an array as an index"};
    return run.fail(key.is_string() ? cannot_index : "cannot index %a with %b", target, key);
}

Val slice_value(Run& run, Val target, Val from, Val to) {
    if (target.is_null()) return target;
    if (!target.is_array() && !target.is_string()) return run.fail("cannot index %a with object", target);
    if (!(from.is_null() || from.is_number()) || !(to.is_null() || to.is_number())) {
        return run.fail("start and end of a slice must be numbers, not %A and %B", from, to);
    }
    std::int64_t begin = 0;
    std::int64_t end = 0;
    if (target.is_string()) {
        const std::string_view text = utf8_of(run.arena, target);
        run.arena.work_through(text.size());
        const std::int64_t size = codepoints(text);
        if (!bound(from, size, 0, begin) || !bound(to, size, size, end)) throw Punt{"a slice's bound that is no whole number"};
        if (begin >= end) return Val::of_string({});
        const std::size_t first = byte_of_codepoint(text, begin);
        return Val::of_string(text.substr(first, byte_of_codepoint(text.substr(first), end - begin)));
    }
    const Array& array = array_of(run.arena, target);
    if (!bound(from, array.size, 0, begin) || !bound(to, array.size, array.size, end)) throw Punt{"a slice's bound that is no whole number"};
    ArrayBuilder builder(run.arena, static_cast<std::size_t>(std::max<std::int64_t>(end - begin, 0)));
    for (std::int64_t i = begin; i < end; ++i) builder.add(array.items[i]);
    return builder.finish();
}

Flow each_item(Run& run, Val container, Emit emit) {
    if (container.kind == Kind::array_text) {
        for (Cursor cursor(Value{container.view(), Type::array, false}); cursor.next();) {
            run.step();
            const Flow flow = emit(Val::of_value(cursor.value()));
            if (flow != Flow::more) return flow;
        }
        return Flow::more;
    }
    if (container.kind == Kind::array) {
        for (const Val item : *container.array) {
            run.step();
            const Flow flow = emit(item);
            if (flow != Flow::more) return flow;
        }
        return Flow::more;
    }
    if (container.is_object()) {
        for (const Member& member : object_of(run.arena, container)) {
            run.step();
            const Flow flow = emit(member.value);
            if (flow != Flow::more) return flow;
        }
        return Flow::more;
    }
    run.fail(cannot_iterate, container);
    return Flow::fail;
}

std::size_t count_of(Run& run, Val container) {
    if (container.kind == Kind::array_text && container.size > 1024) return array_of(run.arena, container).size;
    if (container.kind == Kind::array_text) {
        std::size_t count = 0;
        for (Cursor cursor(Value{container.view(), Type::array, false}); cursor.next();) ++count;
        return count;
    }
    if (container.kind == Kind::array) return container.array->size;
    return object_of(run.arena, container).size;
}

NodePtr make_field(NodePtr target, Val name, bool optional) {
    return std::make_unique<Field>(std::move(target), name, optional);
}
NodePtr make_index(NodePtr target, NodePtr index, bool optional) {
    return std::make_unique<Index>(std::move(target), std::move(index), optional);
}
NodePtr make_slice(NodePtr target, NodePtr from, NodePtr to, bool optional) {
    return std::make_unique<Slice>(std::move(target), std::move(from), std::move(to), optional);
}
NodePtr make_iterate(NodePtr target, bool optional) { return std::make_unique<Iterate>(std::move(target), optional); }
NodePtr make_recurse() { return std::make_unique<Recurse>(); }
NodePtr make_recurse_with(NodePtr f) { return std::make_unique<RecurseWith>(std::move(f)); }

}  // namespace stream::expr
