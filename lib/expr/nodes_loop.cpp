// SPDX-License-Identifier: Apache-2.0
// Loops, early ends, and the functions that order an array by a key.
#include <algorithm>
#include <vector>

#include "expr/nodes.hpp"

namespace stream::expr {

class Label final : public Node {
public:
    Label() : Node(false) {}
    NodePtr body;

    Flow each(Run& run, Val in, Emit emit) const override { return ended(run, body->each(run, in, emit)); }
    bool has_paths() const override { return body->has_paths(); }
    Flow paths(Run& run, const Place& in, EmitPlace emit) const override { return ended(run, body->paths(run, in, emit)); }

private:
    Flow ended(Run& run, Flow flow) const {
        if (flow != Flow::stop || run.stop_at != this) return flow;
        run.stop_at = nullptr;
        return Flow::more;
    }
};

namespace {

class Break final : public Node {
public:
    explicit Break(const Label& label) : Node(false), label_(label) {}
    Flow each(Run& run, Val, Emit) const override {
        run.stop_at = &label_;
        return Flow::stop;
    }
    bool has_paths() const override { return true; }
    Flow paths(Run& run, const Place&, EmitPlace) const override {
        run.stop_at = &label_;
        return Flow::stop;
    }

private:
    const Label& label_;
};

// limit(count; body); without a count, first(body).
class Limit final : public Node {
public:
    Limit(NodePtr count, NodePtr body) : Node(false), count_(std::move(count)), body_(std::move(body)) {}

    Flow each(Run& run, Val in, Emit emit) const override {
        std::int64_t left = 0;
        const Flow begun = begin(run, in, left);
        if (begun != Flow::more) return begun;
        return ended(run, body_->each(run, in, [&](Val value) { return counted(run, emit(value), left); }));
    }
    bool has_paths() const override { return body_->has_paths(); }
    Flow paths(Run& run, const Place& in, EmitPlace emit) const override {
        std::int64_t left = 0;
        const Flow begun = begin(run, in.value, left);
        if (begun != Flow::more) return begun;
        return ended(run, body_->paths(run, in, [&](const Place& place) { return counted(run, emit(place), left); }));
    }

private:
    Flow begin(Run& run, Val in, std::int64_t& left) const {
        left = 1;
        if (count_ == nullptr) return Flow::more;
        const Val count = count_->one(run, in);
        if (count.is_failed()) return Flow::fail;
        // jq 1.6 gives one result for 0 and all for a negative count; later ones none, or an error.
        if (!integer_of(count, left) || left < 1) throw Punt{"limit of a count that is none"};
        return Flow::more;
    }
    Flow counted(Run& run, Flow flow, std::int64_t& left) const {
        if (flow != Flow::more || --left > 0) return flow;
        run.stop_at = this;
        return Flow::stop;
    }
    Flow ended(Run& run, Flow flow) const {
        if (flow != Flow::stop || run.stop_at != this) return flow;
        run.stop_at = nullptr;
        return Flow::more;
    }
    NodePtr count_, body_;
};

class Range final : public Node {
public:
    Range(NodePtr from, NodePtr to, NodePtr by) : Node(false), from_(std::move(from)), to_(std::move(to)), by_(std::move(by)) {}

    Flow each(Run& run, Val in, Emit emit) const override {
        const Val from = from_->one(run, in);
        if (from.is_failed()) return Flow::fail;
        const Val to = to_->one(run, in);
        if (to.is_failed()) return Flow::fail;
        const Val by = by_ == nullptr ? Val::of_integer(1) : by_->one(run, in);
        if (by.is_failed()) return Flow::fail;
        if (!from.is_number() || !to.is_number() || !by.is_number()) {
            if (by_ != nullptr) throw Punt{"range over what is no number"};
            run.fail("range bounds must be numbers, not %A and %B", from, to);
            return Flow::fail;
        }
        std::int64_t at = 0;
        std::int64_t end = 0;
        std::int64_t step = 0;
        if (integer_of(from, at) && integer_of(to, end) && integer_of(by, step)) return integers(run, at, end, step, emit);
        return doubles(run, double_of(from), double_of(to), double_of(by), emit);
    }

private:
    static Flow integers(Run& run, std::int64_t at, std::int64_t end, std::int64_t step, Emit emit) {
        if (step == 0) throw Punt{"range by 0"};
        while (step > 0 ? at < end : at > end) {
            run.step();
            const Flow flow = emit(Val::of_integer(at));
            if (flow != Flow::more) return flow;
            if (__builtin_add_overflow(at, step, &at)) break;
        }
        return Flow::more;
    }
    static Flow doubles(Run& run, double at, double end, double step, Emit emit) {
        if (step == 0) throw Punt{"range by 0"};
        while (step > 0 ? at < end : at > end) {
            run.step();
            const Flow flow = emit(Val::of_number(at));
            if (flow != Flow::more) return flow;
            at += step;
        }
        return Flow::more;
    }
    NodePtr from_, to_, by_;
};

class Until final : public Node {
public:
    Until(NodePtr condition, NodePtr update) : Node(true), condition_(std::move(condition)), update_(std::move(update)) {}
    Val one(Run& run, Val at) const override {
        for (;;) {
            run.step();
            const Val done = condition_->one(run, at);
            if (done.is_failed()) return done;
            if (done.is_truthy()) return at;
            at = update_->one(run, at);
            if (at.is_failed()) return at;
        }
    }

private:
    NodePtr condition_, update_;
};

class While final : public Node {
public:
    While(NodePtr condition, NodePtr update) : Node(false), condition_(std::move(condition)), update_(std::move(update)) {}
    Flow each(Run& run, Val at, Emit emit) const override {
        for (;;) {
            run.step();
            const Val goes_on = condition_->one(run, at);
            if (goes_on.is_failed()) return Flow::fail;
            if (!goes_on.is_truthy()) return Flow::more;
            const Flow flow = emit(at);
            if (flow != Flow::more) return flow;
            at = update_->one(run, at);
            if (at.is_failed()) return Flow::fail;
        }
    }

private:
    NodePtr condition_, update_;
};

class AnyAll final : public Node {
public:
    AnyAll(bool any, NodePtr generator, NodePtr condition)
        : Node(true), any_(any), generator_(std::move(generator)), condition_(std::move(condition)) {}

    Val one(Run& run, Val in) const override {
        const Flow flow = generator_->each(run, in, [&](Val item) {
            return condition_->each(run, item, [&](Val holds) {
                if (holds.is_truthy() != any_) return Flow::more;
                run.stop_at = this;
                return Flow::stop;
            });
        });
        if (flow == Flow::fail) return Val::failed();
        if (flow == Flow::stop) run.stop_at = nullptr;
        return Val::boolean(flow == Flow::stop ? any_ : !any_);
    }

private:
    bool any_;
    NodePtr generator_, condition_;
};

class Keyed final : public Node {
public:
    Keyed(KeyedKind kind, NodePtr key) : Node(true), kind_(kind), key_(std::move(key)) {}

    Val one(Run& run, Val in) const override {
        if (!in.is_array()) return run.fail(complaint(), in);
        const Array& items = array_of(run.arena, in);
        std::vector<Item> keyed;
        run.arena.charge(items.size * sizeof(Item));
        keyed.reserve(items.size);
        for (const Val item : items) {
            run.step();
            Val key;
            if (key_->is_single()) {
                key = key_->one(run, item);
                if (key.is_failed()) return key;
            } else {
                ArrayBuilder keys(run.arena);
                const Flow flow = key_->each(run, item, [&](Val value) {
                    keys.add(value);
                    return Flow::more;
                });
                if (flow != Flow::more) return Val::failed();
                key = keys.finish();
            }
            keyed.push_back({key, item});
        }
        if (kind_ == KeyedKind::min || kind_ == KeyedKind::max) return extreme(run, keyed);
        std::stable_sort(keyed.begin(), keyed.end(),
                         [&](const Item& a, const Item& b) { return compare(run.arena, a.key, b.key) < 0; });
        return collected(run, keyed);
    }

private:
    struct Item {
        Val key;
        Val value;
    };
    const char* complaint() const {
        return kind_ == KeyedKind::sort    ? "%A cannot be sorted, as it is not an array"
               : kind_ == KeyedKind::group ? "%A cannot be grouped, as it is not an array"
                                           : "cannot iterate over %A";
    }
    Val extreme(Run& run, const std::vector<Item>& keyed) const {
        if (keyed.empty()) return {};
        const Item* best = &keyed[0];
        for (const Item& item : keyed) {
            const int order = compare(run.arena, item.key, best->key);
            // Of equals, the first is the least and the last the greatest.
            if (kind_ == KeyedKind::min ? order < 0 : order >= 0) best = &item;
        }
        return best->value;
    }
    Val collected(Run& run, const std::vector<Item>& keyed) const {
        ArrayBuilder out(run.arena, keyed.size());
        for (std::size_t i = 0; i < keyed.size();) {
            if (kind_ == KeyedKind::sort) {
                out.add(keyed[i++].value);
                continue;
            }
            ArrayBuilder group(run.arena);
            const std::size_t first = i;
            do group.add(keyed[i++].value);
            while (i < keyed.size() && compare(run.arena, keyed[i].key, keyed[first].key) == 0);
            out.add(kind_ == KeyedKind::unique ? keyed[first].value : group.finish());
        }
        return out.finish();
    }
    KeyedKind kind_;
    NodePtr key_;
};

}  // namespace

LabelParts make_label() {
    auto made = std::make_unique<Label>();
    Label* label = made.get();
    return {std::move(made), label};
}
void set_label_body(Label& label, NodePtr body) { label.body = std::move(body); }
NodePtr make_break(const Label& label) { return std::make_unique<Break>(label); }
NodePtr make_limit(NodePtr count, NodePtr body) { return std::make_unique<Limit>(std::move(count), std::move(body)); }
NodePtr make_first(NodePtr body) { return std::make_unique<Limit>(nullptr, std::move(body)); }
NodePtr make_range(NodePtr from, NodePtr to, NodePtr by) {
    return std::make_unique<Range>(std::move(from), std::move(to), std::move(by));
}
NodePtr make_until(NodePtr condition, NodePtr update) {
    return std::make_unique<Until>(std::move(condition), std::move(update));
}
NodePtr make_while(NodePtr condition, NodePtr update) {
    return std::make_unique<While>(std::move(condition), std::move(update));
}
NodePtr make_any_all(bool any, NodePtr generator, NodePtr condition) {
    return std::make_unique<AnyAll>(any, std::move(generator), std::move(condition));
}
NodePtr make_keyed(KeyedKind kind, NodePtr key) { return std::make_unique<Keyed>(kind, std::move(key)); }

}  // namespace stream::expr
