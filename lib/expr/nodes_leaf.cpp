// SPDX-License-Identifier: Apache-2.0
#include "expr/nodes.hpp"

namespace stream::expr {

namespace {

class Identity final : public Node {
public:
    Identity() : Node(true) {}
    Val one(Run&, Val in) const override { return in; }
    bool has_paths() const override { return true; }
    Flow paths(Run&, const Place& in, EmitPlace emit) const override { return emit(in); }
    bool can_change() const override { return true; }
    bool is_there() const override { return true; }
    Val change(Run&, Val in, Change change) const override { return change(in); }
};

class Constant final : public Node {
public:
    explicit Constant(Val value) : Node(true), value_(value) {}
    Val one(Run&, Val) const override { return value_; }
    Val value() const { return value_; }

private:
    Val value_;
};

class Variable final : public Node {
public:
    explicit Variable(std::size_t number) : Node(true), number_(number) {}
    Val one(Run& run, Val) const override { return run.vars[number_]; }

private:
    std::size_t number_;
};

class Empty final : public Node {
public:
    Empty() : Node(false) {}
    Flow each(Run&, Val, Emit) const override { return Flow::more; }
    bool has_paths() const override { return true; }
    Flow paths(Run&, const Place&, EmitPlace) const override { return Flow::more; }
};

class Slot final : public Node {
public:
    Slot(std::size_t slot, std::vector<SlotStep> steps) : Node(true), slot_(slot), steps_(std::move(steps)) {}

    Val one(Run& run, Val) const override {
        const Value& value = run.slots[slot_];
        if (value.type == Type::missing) [[unlikely]] return missing(run);
        return Val::of_value(value);
    }

private:
    // The first step of the way that is not there is null from then on, or cannot be looked into.
    Val missing(Run& run) const {
        for (const SlotStep& step : steps_) {
            const Value& parent = run.slots[step.parent];
            if (parent.type == Type::missing || parent.type == Type::null) return {};
            if (parent.type == (step.by_index ? Type::array : Type::object)) continue;
            return run.fail(step.by_index ? "cannot index %a with a number" : "cannot index %a with %T", Val::of_value(parent), step.key);
        }
        return {};
    }

    std::size_t slot_;
    std::vector<SlotStep> steps_;
};

}  // namespace

NodePtr make_identity() { return std::make_unique<Identity>(); }
NodePtr make_constant(Val value) { return std::make_unique<Constant>(value); }
NodePtr make_variable(std::size_t number) { return std::make_unique<Variable>(number); }
NodePtr make_empty() { return std::make_unique<Empty>(); }
NodePtr make_slot(std::size_t slot, std::vector<SlotStep> steps) {
    return std::make_unique<Slot>(slot, std::move(steps));
}

bool constant_of(const Node& node, Val& value) {
    const auto* constant = dynamic_cast<const Constant*>(&node);
    if (constant == nullptr) return false;
    value = constant->value();
    return true;
}

}  // namespace stream::expr
