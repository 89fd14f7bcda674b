// SPDX-License-Identifier: Apache-2.0
// Arrays, objects, strings, and calls of builtins.
#include <algorithm>

#include "base/check.hpp"
#include "expr/nodes.hpp"

namespace stream::expr {

namespace {

// The one node of many results among those a node needs; -1 where all are single.
std::ptrdiff_t many_of(const std::vector<NodePtr>& nodes) {
    std::ptrdiff_t many = -1;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (nodes[i]->is_single()) continue;
        STREAM_CHECK(many < 0);
        many = static_cast<std::ptrdiff_t>(i);
    }
    return many;
}

// A node that needs one value from each of its parts, one of which may give many.
class OfParts : public Node {
public:
    explicit OfParts(std::vector<NodePtr> parts) : Node(false), parts_(std::move(parts)), many_(many_of(parts_)) { single_ = many_ < 0; }

    Val one(Run& run, Val in) const override {
        Val few[8];
        Val* values = parts_.size() <= 8 ? few : run.arena.array<Val>(parts_.size());
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            values[i] = parts_[i]->one(run, in);
            if (values[i].is_failed()) return values[i];
        }
        return make(run, in, values);
    }
    Flow each(Run& run, Val in, Emit emit) const override {
        if (single_) return emit_one(one(run, in), emit);
        Val* values = run.arena.array<Val>(parts_.size());
        const auto many = static_cast<std::size_t>(many_);
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            if (i == many) continue;
            values[i] = parts_[i]->one(run, in);
            // Whether the failing part is reached depends on what the other gives.
            if (values[i].is_failed()) throw Punt{"an error beside several results"};
            check(run, i, values[i]);
        }
        return parts_[many]->each(run, in, [&](Val value) {
            values[many] = value;
            return emit_one(make(run, in, values), emit);
        });
    }

protected:
    virtual Val make(Run& run, Val in, const Val* values) const = 0;
    virtual void check(Run&, std::size_t, Val) const {}
    std::vector<NodePtr> parts_;

private:
    std::ptrdiff_t many_;
};

class Call final : public OfParts {
public:
    Call(Function function, std::vector<NodePtr> args) : OfParts(std::move(args)), function_(function) {}
    Val one(Run& run, Val in) const override {
        if (parts_.empty()) return function_(run, in, nullptr);
        return OfParts::one(run, in);
    }

protected:
    Val make(Run& run, Val in, const Val* values) const override { return function_(run, in, values); }

private:
    Function function_;
};

class ArrayOf final : public Node {
public:
    explicit ArrayOf(NodePtr items) : Node(true), items_(std::move(items)) {}
    Val one(Run& run, Val in) const override {
        ArrayBuilder builder(run.arena);
        if (items_ != nullptr) {
            const Flow flow = items_->each(run, in, [&](Val item) {
                builder.add(item);
                return Flow::more;
            });
            if (flow != Flow::more) return Val::failed();
        }
        return builder.finish();
    }

private:
    NodePtr items_;
};

std::vector<NodePtr> flattened(std::vector<MemberNodes> members) {
    std::vector<NodePtr> parts;
    for (MemberNodes& member : members) {
        parts.push_back(std::move(member.key));
        parts.push_back(std::move(member.value));
    }
    return parts;
}

class ObjectOf final : public OfParts {
public:
    explicit ObjectOf(std::vector<MemberNodes> members) : OfParts(flattened(std::move(members))) {
        std::vector<std::string_view> names;
        constant_ = true;
        for (std::size_t i = 0; i < parts_.size(); i += 2) {
            Val key;
            constant_ = constant_ && constant_of(*parts_[i], key) && key.kind == Kind::string_text;
            if (!constant_) return;
            keys_.push_back(key);
            names.push_back(key.view());
        }
        std::sort(names.begin(), names.end());
        constant_ = std::adjacent_find(names.begin(), names.end()) == names.end();
    }

    Val one(Run& run, Val in) const override {
        if (!constant_ || keys_.size() > 12) return in_order(run, in);
        // The usual object: names known and different.
        auto* members = run.arena.array<Member>(keys_.size());
        for (std::size_t i = 0; i < keys_.size(); ++i) {
            const Val value = parts_[2 * i + 1]->one(run, in);
            if (value.is_failed()) return value;
            members[i] = {keys_[i], value};
        }
        auto* object = static_cast<Object*>(run.arena.allocate(sizeof(Object)));
        *object = {members, static_cast<std::uint32_t>(keys_.size()), nullptr, 0};
        return Val::of_object(object);
    }

protected:
    Val make(Run& run, Val, const Val* values) const override {
        ObjectBuilder builder(run.arena, parts_.size() / 2);
        for (std::size_t i = 0; i < parts_.size(); i += 2) {
            // Whether it is reached depends on what the part of many results gives.
            if (!values[i].is_string()) throw Punt{"a member's name that is no string"};
            builder.set(values[i], values[i + 1]);
        }
        return builder.finish();
    }

    void check(Run&, std::size_t part, Val value) const override {
        if (part % 2 == 0 && !value.is_string()) throw Punt{"a member's name that is no string"};
    }

private:
    // A name that is none fails before the members behind it are looked at.
    Val in_order(Run& run, Val in) const {
        ObjectBuilder builder(run.arena, parts_.size() / 2);
        for (std::size_t i = 0; i < parts_.size(); i += 2) {
            const Val key = parts_[i]->one(run, in);
            if (key.is_failed()) return key;
            const Val value = parts_[i + 1]->one(run, in);
            if (value.is_failed()) return value;
            if (!key.is_string()) return run.fail("cannot use %A as a member's name", key);
            builder.set(key, value);
        }
        return builder.finish();
    }

    std::vector<Val> keys_;
    bool constant_ = false;
};

class Interpolation final : public OfParts {
public:
    Interpolation(std::vector<NodePtr> parts, std::vector<bool> is_text, Function format)
        : OfParts(std::move(parts)), is_text_(std::move(is_text)), format_(format) {}

protected:
    Val make(Run& run, Val, const Val* values) const override {
        std::string out;
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            Val value = values[i];
            if (!is_text_[i] && format_ != nullptr) value = format_(run, value, nullptr);
            if (value.is_failed()) return value;
            if (value.is_string()) out += utf8_of(run.arena, value);
            else append_tojson(run.arena, out, value);
            run.arena.check_text(out.size());
        }
        return Val::of_string(run.arena.copy(out));
    }
    // jq has the parts behind those of many results in their form already.
    void check(Run& run, std::size_t part, Val value) const override {
        if (is_text_[part] || format_ == nullptr) return;
        if (format_(run, value, nullptr).is_failed()) throw Punt{"an error beside several results"};
    }

private:
    std::vector<bool> is_text_;
    Function format_;
};

}  // namespace

NodePtr make_call(Function function, std::vector<NodePtr> args) { return std::make_unique<Call>(function, std::move(args)); }
NodePtr make_array(NodePtr items) { return std::make_unique<ArrayOf>(std::move(items)); }
NodePtr make_object(std::vector<MemberNodes> members) { return std::make_unique<ObjectOf>(std::move(members)); }
NodePtr make_interpolation(std::vector<NodePtr> parts, std::vector<bool> is_text, Function format) {
    return std::make_unique<Interpolation>(std::move(parts), std::move(is_text), format);
}

}  // namespace stream::expr
