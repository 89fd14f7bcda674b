// SPDX-License-Identifier: Apache-2.0
// Pipes, choices, errors and bindings.
#include "expr/nodes.hpp"

namespace stream::expr {

namespace {

class Pipe final : public Node {
public:
    Pipe(NodePtr first, NodePtr second)
        : Node(first->is_single() && second->is_single()), first_(std::move(first)), second_(std::move(second)) {}

    Val one(Run& run, Val in) const override {
        const Val between = first_->one(run, in);
        return between.is_failed() ? between : second_->one(run, between);
    }
    Flow each(Run& run, Val in, Emit emit) const override {
        if (first_->is_single()) {
            const Val between = first_->one(run, in);
            return between.is_failed() ? Flow::fail : second_->each(run, between, emit);
        }
        return first_->each(run, in, [&](Val between) { return second_->each(run, between, emit); });
    }
    bool has_paths() const override { return first_->has_paths() && second_->has_paths(); }
    Flow paths(Run& run, const Place& in, EmitPlace emit) const override {
        return first_->paths(run, in, [&](const Place& between) { return second_->paths(run, between, emit); });
    }
    bool can_change() const override {
        return first_->can_change() && second_->can_change() && (!second_->may_leave() || first_->is_there());
    }
    bool may_leave() const override { return first_->may_leave() || second_->may_leave(); }
    bool is_there() const override { return first_->is_there() && second_->is_there(); }
    Val change(Run& run, Val in, Change change) const override {
        return first_->change(run, in, [&](Val between) { return second_->change(run, between, change); });
    }

private:
    NodePtr first_, second_;
};

class Comma final : public Node {
public:
    Comma(NodePtr first, NodePtr second) : Node(false), first_(std::move(first)), second_(std::move(second)) {}
    Flow each(Run& run, Val in, Emit emit) const override {
        const Flow flow = first_->each(run, in, emit);
        return flow == Flow::more ? second_->each(run, in, emit) : flow;
    }
    bool has_paths() const override { return first_->has_paths() && second_->has_paths(); }
    Flow paths(Run& run, const Place& in, EmitPlace emit) const override {
        const Flow flow = first_->paths(run, in, emit);
        return flow == Flow::more ? second_->paths(run, in, emit) : flow;
    }

private:
    NodePtr first_, second_;
};

class If final : public Node {
public:
    If(NodePtr condition, NodePtr yes, NodePtr no)
        : Node(condition->is_single() && yes->is_single() && no->is_single()), condition_(std::move(condition)),
          yes_(std::move(yes)), no_(std::move(no)) {}

    Val one(Run& run, Val in) const override {
        const Val chosen = condition_->one(run, in);
        if (chosen.is_failed()) return chosen;
        return (chosen.is_truthy() ? yes_ : no_)->one(run, in);
    }
    Flow each(Run& run, Val in, Emit emit) const override {
        return condition_->each(run, in, [&](Val chosen) { return (chosen.is_truthy() ? yes_ : no_)->each(run, in, emit); });
    }
    bool has_paths() const override { return yes_->has_paths() && no_->has_paths(); }
    Flow paths(Run& run, const Place& in, EmitPlace emit) const override {
        return condition_->each(run, in.value,
                                [&](Val chosen) { return (chosen.is_truthy() ? yes_ : no_)->paths(run, in, emit); });
    }

private:
    NodePtr condition_, yes_, no_;
};

class Select final : public Node {
public:
    explicit Select(NodePtr condition) : Node(false), condition_(std::move(condition)) {}
    Flow each(Run& run, Val in, Emit emit) const override {
        if (condition_->is_single()) {
            const Val chosen = condition_->one(run, in);
            if (chosen.is_failed()) return Flow::fail;
            return chosen.is_truthy() ? emit(in) : Flow::more;
        }
        return condition_->each(run, in, [&](Val chosen) { return chosen.is_truthy() ? emit(in) : Flow::more; });
    }
    bool has_paths() const override { return true; }
    Flow paths(Run& run, const Place& in, EmitPlace emit) const override {
        return condition_->each(run, in.value, [&](Val chosen) { return chosen.is_truthy() ? emit(in) : Flow::more; });
    }
    bool can_change() const override { return condition_->is_single(); }
    bool may_leave() const override { return true; }
    bool is_there() const override { return true; }
    Val change(Run& run, Val in, Change change) const override {
        const Val chosen = condition_->one(run, in);
        if (chosen.is_failed()) return chosen;
        return chosen.is_truthy() ? change(in) : in;
    }

private:
    NodePtr condition_;
};

// a // b: a's results that are something, or else b's.
class Alternative final : public Node {
public:
    Alternative(NodePtr first, NodePtr second)
        : Node(first->is_single() && second->is_single()), first_(std::move(first)), second_(std::move(second)) {}

    Val one(Run& run, Val in) const override {
        const Val value = first_->one(run, in);
        if (value.is_failed()) fails();
        return value.is_truthy() ? value : second_->one(run, in);
    }
    Flow each(Run& run, Val in, Emit emit) const override {
        bool found = false;
        bool after = false;
        const Flow flow = first_->each(run, in, [&](Val value) {
            if (!value.is_truthy()) return Flow::more;
            found = true;
            const Flow next = emit(value);
            after = next == Flow::fail;
            return next;
        });
        if (flow == Flow::fail && !after) fails();
        return flow != Flow::more || found ? flow : second_->each(run, in, emit);
    }
    bool has_paths() const override { return first_->has_paths() && second_->has_paths(); }
    Flow paths(Run& run, const Place& in, EmitPlace emit) const override {
        bool found = false;
        bool after = false;
        const Flow flow = first_->paths(run, in, [&](const Place& place) {
            if (!place.value.is_truthy()) return Flow::more;
            found = true;
            const Flow next = emit(place);
            after = next == Flow::fail;
            return next;
        });
        if (flow == Flow::fail && !after) fails();
        return flow != Flow::more || found ? flow : second_->paths(run, in, emit);
    }

private:
    [[noreturn]] static void fails() { throw Punt{"an error before `//`"}; }
    NodePtr first_, second_;
};

// Never single: jq 1.6 catches errors that come after the body's results too, and breaks (of which limit,
// first, any and all are made), 1.7 does not, and only each() sees what comes after.
class Try final : public Node {
public:
    Try(NodePtr body, NodePtr handler, bool uses_message)
        : Node(false), body_(std::move(body)), handler_(std::move(handler)), uses_message_(uses_message) {}

    Flow each(Run& run, Val in, Emit emit) const override {
        const auto checked = [&](Val value) { return passed(run, emit(value)); };
        if (body_->is_single()) {
            const Val value = body_->one(run, in);
            return value.is_failed() ? caught(run, emit) : checked(value);
        }
        const Flow flow = body_->each(run, in, checked);
        return flow == Flow::fail ? caught(run, emit) : passed(run, flow);
    }
    bool has_paths() const override { return handler_ == nullptr && body_->has_paths(); }
    Flow paths(Run& run, const Place& in, EmitPlace emit) const override {
        const Flow flow = body_->paths(run, in, [&](const Place& place) { return passed(run, emit(place)); });
        if (flow != Flow::fail) return passed(run, flow);
        if (run.error.from_user && run.error.a.is_null()) throw Punt{"error(null)"};
        return Flow::more;
    }

private:
    static Flow passed(const Run& run, Flow flow) {
        if (flow == Flow::fail) throw Punt{"an error after `try` or `?`"};
        if (flow == Flow::stop && run.stop_at != nullptr) throw Punt{"an early end through `try` or `?`"};
        return flow;
    }
    Flow caught(Run& run, Emit emit) const {
        if (run.error.from_user && run.error.a.is_null()) throw Punt{"error(null)"};
        if (handler_ == nullptr) return Flow::more;
        // What jq says of a mistake is jq's to say.
        if (uses_message_ && !run.error.from_user) throw Punt{"the text of an error"};
        return handler_->each(run, run.error.from_user ? run.error.a : Val::null(), emit);
    }
    NodePtr body_, handler_;
    bool uses_message_;
};

class Error final : public Node {
public:
    explicit Error(NodePtr value) : Node(true), value_(std::move(value)) {}
    Val one(Run& run, Val in) const override {
        const Val value = value_ == nullptr ? in : value_->one(run, in);
        if (value.is_null()) throw Punt{"error(null)"};
        return value.is_failed() ? value : run.fail_with(value);
    }
    bool has_paths() const override { return true; }
    Flow paths(Run& run, const Place& in, EmitPlace) const override {
        one(run, in.value);
        return Flow::fail;
    }

private:
    NodePtr value_;
};

class Bind final : public Node {
public:
    Bind(NodePtr source, std::unique_ptr<Binding> binding, NodePtr body)
        : Node(source->is_single() && body->is_single()), source_(std::move(source)), binding_(std::move(binding)),
          body_(std::move(body)) {}

    Val one(Run& run, Val in) const override {
        const Val value = source_->one(run, in);
        if (value.is_failed() || !binding_->bind(run, value)) return Val::failed();
        return body_->one(run, in);
    }
    Flow each(Run& run, Val in, Emit emit) const override {
        return source_->each(run, in, [&](Val value) {
            return binding_->bind(run, value) ? body_->each(run, in, emit) : Flow::fail;
        });
    }
    bool has_paths() const override { return body_->has_paths(); }
    Flow paths(Run& run, const Place& in, EmitPlace emit) const override {
        return source_->each(run, in.value, [&](Val value) {
            return binding_->bind(run, value) ? body_->paths(run, in, emit) : Flow::fail;
        });
    }

private:
    NodePtr source_;
    std::unique_ptr<Binding> binding_;
    NodePtr body_;
};

class Reduce final : public Node {
public:
    Reduce(NodePtr source, std::unique_ptr<Binding> binding, NodePtr init, NodePtr update)
        : Node(true), source_(std::move(source)), binding_(std::move(binding)), init_(std::move(init)), update_(std::move(update)) {}

    Val one(Run& run, Val in) const override {
        Val state = init_->one(run, in);
        if (state.is_failed()) return state;
        const Flow flow = source_->each(run, in, [&](Val value) {
            run.step();
            if (!binding_->bind(run, value)) return Flow::fail;
            state = update_->one(run, state);
            return state.is_failed() ? Flow::fail : Flow::more;
        });
        // A stop can only be a break out of all this, which single nodes do not have.
        return flow == Flow::more ? state : Val::failed();
    }

private:
    NodePtr source_;
    std::unique_ptr<Binding> binding_;
    NodePtr init_, update_;
};

class Foreach final : public Node {
public:
    Foreach(NodePtr source, std::unique_ptr<Binding> binding, NodePtr init, NodePtr update, NodePtr extract)
        : Node(false), source_(std::move(source)), binding_(std::move(binding)), init_(std::move(init)),
          update_(std::move(update)), extract_(std::move(extract)) {}

    Flow each(Run& run, Val in, Emit emit) const override {
        Val state = init_->one(run, in);
        if (state.is_failed()) return Flow::fail;
        return source_->each(run, in, [&](Val value) {
            run.step();
            if (!binding_->bind(run, value)) return Flow::fail;
            state = update_->one(run, state);
            if (state.is_failed()) return Flow::fail;
            return extract_ == nullptr ? emit(state) : extract_->each(run, state, emit);
        });
    }

private:
    NodePtr source_;
    std::unique_ptr<Binding> binding_;
    NodePtr init_, update_, extract_;
};

}  // namespace

bool Binding::bind(Run& run, Val value) const {
    switch (kind) {
        case Kind::variable: run.vars[variable] = value; return true;
        case Kind::array:
            for (std::size_t i = 0; i < items.size(); ++i) {
                const Val item = index_value(run, value, Val::of_integer(static_cast<std::int64_t>(i)));
                if (item.is_failed() || !items[i]->bind(run, item)) return false;
            }
            return true;
        case Kind::object:
            for (const Member& member : members) {
                const Val key = member.key->one(run, value);
                if (key.is_failed()) return false;
                if (!key.is_string()) throw Punt{"a pattern's key that is no string"};
                const Val item = index_value(run, value, key);
                if (item.is_failed()) return false;
                if (member.variable >= 0) run.vars[static_cast<std::size_t>(member.variable)] = item;
                if (member.value != nullptr && !member.value->bind(run, item)) return false;
            }
            return true;
    }
    return false;
}

NodePtr make_pipe(NodePtr first, NodePtr second) { return std::make_unique<Pipe>(std::move(first), std::move(second)); }
NodePtr make_comma(NodePtr first, NodePtr second) { return std::make_unique<Comma>(std::move(first), std::move(second)); }
NodePtr make_if(NodePtr condition, NodePtr yes, NodePtr no) {
    return std::make_unique<If>(std::move(condition), std::move(yes), std::move(no));
}
NodePtr make_select(NodePtr condition) { return std::make_unique<Select>(std::move(condition)); }
NodePtr make_alternative(NodePtr first, NodePtr second) {
    return std::make_unique<Alternative>(std::move(first), std::move(second));
}
NodePtr make_try(NodePtr body, NodePtr handler, bool uses_message) {
    return std::make_unique<Try>(std::move(body), std::move(handler), uses_message);
}
NodePtr make_error(NodePtr value) { return std::make_unique<Error>(std::move(value)); }
NodePtr make_bind(NodePtr source, std::unique_ptr<Binding> binding, NodePtr body) {
    return std::make_unique<Bind>(std::move(source), std::move(binding), std::move(body));
}
NodePtr make_reduce(NodePtr source, std::unique_ptr<Binding> binding, NodePtr init, NodePtr update) {
    return std::make_unique<Reduce>(std::move(source), std::move(binding), std::move(init), std::move(update));
}
NodePtr make_foreach(NodePtr source, std::unique_ptr<Binding> binding, NodePtr init, NodePtr update, NodePtr extract) {
    return std::make_unique<Foreach>(std::move(source), std::move(binding), std::move(init), std::move(update), std::move(extract));
}

}  // namespace stream::expr
