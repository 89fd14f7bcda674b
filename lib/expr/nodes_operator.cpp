// SPDX-License-Identifier: Apache-2.0
// Arithmetic, comparison and logic.
#include <cmath>
#include <cstring>

#include "expr/nodes.hpp"
#include "expr/val_number.hpp"
#include "json/number.hpp"

namespace stream::expr {

namespace {

// A number that counts exactly: an integer, or the text of one within 64 bits.
inline bool exact_integer(Val v, std::int64_t& integer) {
    if (v.kind == Kind::integer) {
        integer = v.integer;
        return true;
    }
    if (v.kind != Kind::number_text) return false;
    if (small_integer(v.view(), integer)) [[likely]] return true;
    if (v.size < 19 || v.size > 20) return false;
    const auto parsed = parse_int64(v.view());
    if (parsed) integer = *parsed;
    return parsed.has_value();
}

// Integers as they are; what is past 64 bits, or has a fraction, as doubles.
Val computed(double result) {
    // jq writes these as the greatest double, or null.
    if (!std::isfinite(result)) [[unlikely]] throw Punt{"a result past the range of doubles"};
    return Val::of_number(result);
}

Val divided(Run& run, Val a, Val b) {
    std::int64_t x = 0;
    std::int64_t y = 0;
    const double divisor = double_of(b);
    if (divisor == 0) return run.fail("%A and %B cannot be divided because the divisor is zero", a, b);
    if (exact_integer(a, x) && exact_integer(b, y) && x != 0 && !(y == -1 && x == INT64_MIN) && x % y == 0) {
        return Val::of_integer(x / y);
    }
    return computed(double_of(a) / divisor);
}

Val remainder_of(Run& run, Val a, Val b) {
    std::int64_t x = 0;
    std::int64_t y = 0;
    if (!exact_integer(a, x) || !exact_integer(b, y)) {
        const double left = double_of(a);
        const double right = double_of(b);
        if (std::abs(left) >= 9e18 || std::abs(right) >= 9e18) throw Punt{"a remainder past 64 bits"};
        x = static_cast<std::int64_t>(left);
        y = static_cast<std::int64_t>(right);
    }
    if (y == 0) return run.fail("%A and %B cannot be divided (remainder) because the divisor is zero", a, b);
    return Val::of_integer(y == -1 ? 0 : x % y);
}

Val of_numbers(Run& run, char op, Val a, Val b) {
    std::int64_t x = 0;
    std::int64_t y = 0;
    std::int64_t result = 0;
    switch (op) {
        case '+':
            if (exact_integer(a, x) && exact_integer(b, y) && !__builtin_add_overflow(x, y, &result)) return Val::of_integer(result);
            return computed(double_of(a) + double_of(b));
        case '-':
            if (exact_integer(a, x) && exact_integer(b, y) && !__builtin_sub_overflow(x, y, &result)) return Val::of_integer(result);
            return computed(double_of(a) - double_of(b));
        case '*':
            // Of zero, a double knows the sign.
            if (exact_integer(a, x) && exact_integer(b, y) && !__builtin_mul_overflow(x, y, &result) && result != 0) return Val::of_integer(result);
            return computed(double_of(a) * double_of(b));
        case '/': return divided(run, a, b);
        default: return remainder_of(run, a, b);
    }
}

Val joined(Run& run, Val a, Val b) {
    const std::string_view left = utf8_of(run.arena, a);
    const std::string_view right = utf8_of(run.arena, b);
    char* to = static_cast<char*>(run.arena.allocate(left.size() + right.size()));
    if (!left.empty()) std::memcpy(to, left.data(), left.size());
    if (!right.empty()) std::memcpy(to + left.size(), right.data(), right.size());
    return Val::of_string({to, left.size() + right.size()});
}

Val appended(Run& run, Val a, Val b) {
    const Array& left = array_of(run.arena, a);
    const Array& right = array_of(run.arena, b);
    ArrayBuilder builder(run.arena, std::size_t{left.size} + right.size);
    for (const Val item : left) builder.add(item);
    for (const Val item : right) builder.add(item);
    return builder.finish();
}

Val merged(Run& run, Val a, Val b) {
    ObjectBuilder builder(run.arena, object_of(run.arena, a));
    for (const Member& member : object_of(run.arena, b)) builder.set(member.name, member.value);
    return builder.finish();
}

Val merged_deep(Run& run, Val a, Val b, unsigned depth) {
    if (depth > 1024) throw LimitReached{"depth"};
    ObjectBuilder builder(run.arena, object_of(run.arena, a));
    for (const Member& member : object_of(run.arena, b)) {
        bool found = false;
        Val value = member.value;
        if (value.is_object()) {
            const Val old = member_of(run.arena, a, utf8_of(run.arena, member.name), found);
            if (found && old.is_object()) value = merged_deep(run, old, value, depth + 1);
        }
        builder.set(member.name, value);
    }
    return builder.finish();
}

Val without(Run& run, Val a, Val b) {
    const Array& left = array_of(run.arena, a);
    const Array& right = array_of(run.arena, b);
    ArrayBuilder builder(run.arena, left.size);
    for (const Val item : left) {
        bool kept = true;
        for (const Val other : right) {
            run.step();
            kept = kept && compare(run.arena, item, other) != 0;
        }
        if (kept) builder.add(item);
    }
    return builder.finish();
}

Val repeated(Run& run, Val string, Val times) {
    std::int64_t count = 0;
    if (!integer_of(times, count) || count < 1) throw Punt{"a string times less than one"};
    const std::string_view text = utf8_of(run.arena, string);
    if (text.size() > 0 && static_cast<std::uint64_t>(count) > (std::uint64_t{1} << 32) / text.size()) throw LimitReached{"memory"};
    const std::size_t size = text.size() * static_cast<std::size_t>(count);
    char* to = static_cast<char*>(run.arena.allocate(size));
    for (std::size_t at = 0; at < size; at += text.size()) std::memcpy(to + at, text.data(), text.size());
    return Val::of_string({to, size});
}

Val split_by(Run& run, Val a, Val b) {
    for (const Builtin& builtin : string_builtins()) {
        if (builtin.name == "split" && builtin.arguments == 1) return builtin.function(run, a, &b);
    }
    throw Punt{"a string divided by a string"};
}

template <char op>
Val arithmetic(Run& run, Val a, Val b) {
    if (a.is_number() && b.is_number()) [[likely]] return of_numbers(run, op, a, b);
    if constexpr (op == '+') {
        if (a.is_null()) return b;
        if (b.is_null()) return a;
        if (a.is_string() && b.is_string()) return joined(run, a, b);
        if (a.is_array() && b.is_array()) return appended(run, a, b);
        if (a.is_object() && b.is_object()) return merged(run, a, b);
        return run.fail("%A and %B cannot be added", a, b);
    } else if constexpr (op == '-') {
        if (a.is_array() && b.is_array()) return without(run, a, b);
        return run.fail("%A and %B cannot be subtracted", a, b);
    } else if constexpr (op == '*') {
        if (a.is_string() && b.is_number()) return repeated(run, a, b);
        if (a.is_number() && b.is_string()) return repeated(run, b, a);
        if (a.is_object() && b.is_object()) return merged_deep(run, a, b, 0);
        return run.fail("%A and %B cannot be multiplied", a, b);
    } else if constexpr (op == '/') {
        if (a.is_string() && b.is_string()) return split_by(run, a, b);
        return run.fail("%A and %B cannot be divided", a, b);
    } else {
        return run.fail("%A and %B cannot be divided (remainder)", a, b);
    }
}

enum class Order : std::uint8_t { eq, ne, lt, le, gt, ge };

bool satisfies(Order order, int sign) {
    switch (order) {
        case Order::eq: return sign == 0;
        case Order::ne: return sign != 0;
        case Order::lt: return sign < 0;
        case Order::le: return sign <= 0;
        case Order::gt: return sign > 0;
        default: return sign >= 0;
    }
}

int quick_compare(Run& run, Val a, Val b) {
    if (a.is_number() && b.is_number()) return compare_number_vals(a, b);
    return compare(run.arena, a, b);
}

// jq takes the left side's results in turn for each result of the right side.
template <typename Apply>
class Binary final : public Node {
public:
    Binary(NodePtr a, NodePtr b, Apply apply)
        : Node(a->is_single() && b->is_single()), a_(std::move(a)), b_(std::move(b)), apply_(apply) {}

    Val one(Run& run, Val in) const override {
        const Val right = b_->one(run, in);
        if (right.is_failed()) return right;
        const Val left = a_->one(run, in);
        return left.is_failed() ? left : apply_(run, left, right);
    }
    Flow each(Run& run, Val in, Emit emit) const override {
        if (single_) return emit_one(one(run, in), emit);
        return b_->each(run, in, [&](Val right) {
            return a_->each(run, in, [&](Val left) { return emit_one(apply_(run, left, right), emit); });
        });
    }

private:
    NodePtr a_, b_;
    Apply apply_;
};

template <typename Apply>
NodePtr make_binary(NodePtr a, NodePtr b, Apply apply) {
    return std::make_unique<Binary<Apply>>(std::move(a), std::move(b), apply);
}

template <char op>
struct Arithmetic {
    Val operator()(Run& run, Val a, Val b) const { return arithmetic<op>(run, a, b); }
};

struct Compare {
    Order order;
    Val operator()(Run& run, Val a, Val b) const { return Val::boolean(satisfies(order, quick_compare(run, a, b))); }
};

// Against a string of the program: most often the bytes are the same or not, and that is all.
struct EqualsText {
    std::string_view text;
    bool wanted;
    Val operator()(Run& run, Val a, Val) const {
        if (!a.is_string()) return Val::boolean(!wanted);
        if (a.kind == Kind::string_text && !a.escaped) {
            return Val::boolean((a.size == text.size() + 2 && std::memcmp(a.text + 1, text.data(), text.size()) == 0) == wanted);
        }
        return Val::boolean((utf8_of(run.arena, a) == text) == wanted);
    }
};

// Against an integer of the program.
struct CompareInteger {
    Order order;
    std::int64_t integer;
    Val operator()(Run& run, Val a, Val b) const {
        std::int64_t x = 0;
        if (exact_integer(a, x)) [[likely]] return Val::boolean(satisfies(order, x < integer ? -1 : x > integer ? 1 : 0));
        return Val::boolean(satisfies(order, quick_compare(run, a, b)));
    }
};

class Logic final : public Node {
public:
    Logic(bool is_and, NodePtr a, NodePtr b)
        : Node(a->is_single() && b->is_single()), is_and_(is_and), a_(std::move(a)), b_(std::move(b)) {}

    Val one(Run& run, Val in) const override {
        const Val left = a_->one(run, in);
        if (left.is_failed()) return left;
        if (left.is_truthy() != is_and_) return Val::boolean(!is_and_);
        const Val right = b_->one(run, in);
        return right.is_failed() ? right : Val::boolean(right.is_truthy());
    }
    Flow each(Run& run, Val in, Emit emit) const override {
        return a_->each(run, in, [&](Val left) {
            if (left.is_truthy() != is_and_) return emit(Val::boolean(!is_and_));
            return b_->each(run, in, [&](Val right) { return emit(Val::boolean(right.is_truthy())); });
        });
    }

private:
    bool is_and_;
    NodePtr a_, b_;
};

class Negate final : public Node {
public:
    explicit Negate(NodePtr a) : Node(a->is_single()), a_(std::move(a)) {}
    Val one(Run& run, Val in) const override {
        const Val value = a_->one(run, in);
        return value.is_failed() ? value : negated(run, value);
    }
    Flow each(Run& run, Val in, Emit emit) const override {
        return a_->each(run, in, [&](Val value) { return emit_one(negated(run, value), emit); });
    }

private:
    static Val negated(Run& run, Val value) {
        if (!value.is_number()) return run.fail("%A cannot be negated", value);
        std::int64_t x = 0;
        if (exact_integer(value, x) && x != 0 && x != INT64_MIN) return Val::of_integer(-x);
        return Val::of_number(-double_of(value));
    }
    NodePtr a_;
};

}  // namespace

Val apply_arithmetic(Run& run, char op, Val a, Val b) {
    switch (op) {
        case '+': return arithmetic<'+'>(run, a, b);
        case '-': return arithmetic<'-'>(run, a, b);
        case '*': return arithmetic<'*'>(run, a, b);
        case '/': return arithmetic<'/'>(run, a, b);
        default: return arithmetic<'%'>(run, a, b);
    }
}

NodePtr make_arithmetic(char op, NodePtr a, NodePtr b) {
    switch (op) {
        case '+': return make_binary(std::move(a), std::move(b), Arithmetic<'+'>{});
        case '-': return make_binary(std::move(a), std::move(b), Arithmetic<'-'>{});
        case '*': return make_binary(std::move(a), std::move(b), Arithmetic<'*'>{});
        case '/': return make_binary(std::move(a), std::move(b), Arithmetic<'/'>{});
        default: return make_binary(std::move(a), std::move(b), Arithmetic<'%'>{});
    }
}

NodePtr make_comparison(std::string_view op, NodePtr a, NodePtr b) {
    const Order order = op == "==" ? Order::eq : op == "!=" ? Order::ne : op == "<" ? Order::lt
                        : op == "<=" ? Order::le : op == ">" ? Order::gt : Order::ge;
    Val constant;
    std::int64_t integer = 0;
    if (constant_of(*b, constant)) {
        if (constant.kind == Kind::string && (order == Order::eq || order == Order::ne)) {
            return make_binary(std::move(a), std::move(b), EqualsText{constant.view(), order == Order::eq});
        }
        if (exact_integer(constant, integer)) return make_binary(std::move(a), std::move(b), CompareInteger{order, integer});
    }
    return make_binary(std::move(a), std::move(b), Compare{order});
}

NodePtr make_logic(bool is_and, NodePtr a, NodePtr b) {
    return std::make_unique<Logic>(is_and, std::move(a), std::move(b));
}
NodePtr make_negate(NodePtr a) { return std::make_unique<Negate>(std::move(a)); }

}  // namespace stream::expr
