// SPDX-License-Identifier: Apache-2.0
#include "expr/compiler.hpp"

#include <algorithm>

#include "expr/compiler_scope.hpp"
#include "expr/val_number.hpp"
#include "json/canonical.hpp"
#include "json/number.hpp"

namespace stream::expr {

namespace {
// Deeper ways are walked event by event.
constexpr std::size_t steps_max = 32;
}  // namespace

Compiler::Compiler(const Settings& settings, FieldSet& fields, Arena& constants)
    : settings_(settings), fields_(fields), constants_(constants) {}
Compiler::~Compiler() = default;

NodePtr Compiler::compile(const Ast& program) {
    Context context;
    context.base.emplace();
    for (const auto& [name, json] : settings_.arguments) {
        Scope scope;
        scope.kind = Scope::Kind::constant;
        scope.up = context.scope;
        scope.name = name;
        scope.value = val_of_json(constants_.copy(json));
        context.scope = add(std::move(scope));
    }
    return node(program, context);
}

const Compiler::Scope* Compiler::add(Scope scope) {
    scopes_.push_back(std::make_unique<Scope>(std::move(scope)));
    return scopes_.back().get();
}

// Calls become what they call, so a small text can make a large program.
void Compiler::count_one(const Ast& ast) {
    if (++nodes_ > 20'000) throw NotCompiled{"the program grows too large when its functions are put in place", ast.begin};
}

Compiler::Out Compiler::any(const Ast& ast, const Context& context) {
    count_one(ast);
    if (++depth_ > 1000) throw NotCompiled{"nested too deeply", ast.begin};
    Out out = dispatch(ast, context);
    --depth_;
    return out;
}

NodePtr Compiler::single(const Ast& ast, const Context& context, const char* why) {
    NodePtr made = node(ast, context);
    if (!made->is_single()) throw NotCompiled{why, ast.begin};
    return made;
}

NodePtr Compiler::elsewhere(const Ast& ast, const Context& context) {
    Context inner = context;
    inner.base.reset();
    return node(ast, inner);
}

NodePtr Compiler::with_paths(const Ast& ast, const Context& context) {
    NodePtr made = elsewhere(ast, context);
    if (!made->has_paths()) throw NotCompiled{"a path of this kind", ast.begin};
    return made;
}

Compiler::Context Compiler::closed(const Context& context) {
    Context inner = context;
    inner.wall = ++walls_;
    return inner;
}

Compiler::Out Compiler::dispatch(const Ast& ast, const Context& context) {
    switch (ast.kind) {
        case AstKind::identity: {
            if (context.base && !context.base->empty()) return slot(*context.base, context);
            Out out{make_identity(), context.base};
            out.is_slot = context.base.has_value();
            return out;
        }
        case AstKind::recurse: return make_recurse();
        case AstKind::field: return field(ast, context);
        case AstKind::index: return index(ast, context);
        case AstKind::slice: return slice(ast, context);
        case AstKind::iterate: return make_iterate(node(*ast.kids[0], context), false);
        case AstKind::number: return number(ast.text);
        case AstKind::string: return string(ast, context);
        case AstKind::string_part: return make_constant(text_constant(ast.text));
        case AstKind::format: {
            const Function function = format_function(ast.text);
            if (function == nullptr) throw NotCompiled{ast.text + " is not compiled", ast.begin};
            return function_call(function, ast, context);
        }
        case AstKind::array:
            if (ast.kids.empty()) return make_array(nullptr);
            return make_array(node(*ast.kids[0], closed(context)));
        case AstKind::object: return object(ast, context);
        case AstKind::negate: {
            NodePtr of = node(*ast.kids[0], context);
            Val value;
            std::int64_t integer = 0;
            if (constant_of(*of, value) && quick_integer(value, integer) && integer > 0) {
                return make_constant(Val::of_integer(-integer));
            }
            return make_negate(std::move(of));
        }
        case AstKind::pipe: return pipe(ast, context);
        case AstKind::comma: {
            NodePtr first = node(*ast.kids[0], context);
            return make_comma(std::move(first), node(*ast.kids[1], context));
        }
        case AstKind::arithmetic: {
            NodePtr a = node(*ast.kids[0], context);
            NodePtr b = node(*ast.kids[1], context);
            Val divisor;
            if ((ast.op[0] == '/' || ast.op[0] == '%') && constant_of(*b, divisor) && divisor.is_number() && double_of(divisor) == 0) {
                throw NotCompiled{"a division by zero", ast.begin};
            }
            return make_arithmetic(ast.op[0], std::move(a), std::move(b));
        }
        case AstKind::comparison: {
            NodePtr a = node(*ast.kids[0], context);
            return make_comparison(ast.op, std::move(a), node(*ast.kids[1], context));
        }
        case AstKind::logic_and:
        case AstKind::logic_or: {
            NodePtr a = node(*ast.kids[0], context);
            return make_logic(ast.kind == AstKind::logic_and, std::move(a), node(*ast.kids[1], context));
        }
        case AstKind::alternative: {
            Context guarded = context;
            guarded.guarded = true;
            NodePtr a = node(*ast.kids[0], guarded);
            return make_alternative(std::move(a), node(*ast.kids[1], context));
        }
        case AstKind::assign: return assign(ast, context);
        case AstKind::conditional: {
            if (ast.kids.size() < 3 || ast.kids[2] == nullptr) throw NotCompiled{"`if` without `else` is jq 1.7's", ast.begin};
            NodePtr condition = node(*ast.kids[0], context);
            NodePtr yes = node(*ast.kids[1], context);
            return make_if(std::move(condition), std::move(yes), node(*ast.kids[2], context));
        }
        case AstKind::attempt: return attempt(ast, context);
        case AstKind::reduce:
        case AstKind::foreach: return fold(ast, context);
        case AstKind::bind: return bind(ast, context);
        case AstKind::define: return define(ast, context);
        case AstKind::call: return call(ast, context);
        case AstKind::variable: return variable(ast, context);
        case AstKind::location: throw NotCompiled{"$__loc__ is not compiled", ast.begin};
        case AstKind::label: return label(ast, context);
        case AstKind::break_to: return break_to(ast, context);
    }
    throw NotCompiled{"this is not compiled", ast.begin};
}

// The value at a place in the event, and the places on the way to it.
Compiler::Out Compiler::slot(Steps steps, const Context& context) {
    const auto place = [&](std::size_t count) {
        FieldPath path;
        path.steps.assign(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(count));
        for (const FieldPath::Step& step : path.steps) {
            const bool odd = step.name.empty() || step.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != std::string::npos;
            if (step.index >= 0) path.text += "[" + std::to_string(step.index) + "]";
            else if (odd) path.text += ".\"" + step.name + "\"";
            else path.text += "." + step.name;
        }
        // The name alone means the same as an option's field.
        if (count == 1 && path.text == "." + path.steps[0].name) path.text.erase(0, 1);
        return fields_.add_place(path);
    };
    std::vector<SlotStep> way;
    for (std::size_t i = 1; i < steps.size(); ++i) {
        const std::size_t parent = place(i);
        fields_.expect_rarely(parent);
        way.push_back({parent, steps[i].index >= 0, steps[i].index >= 0 ? Val::of_integer(steps[i].index) : text_constant(steps[i].name)});
    }
    const std::size_t slot = place(steps.size());
    if (context.guarded) fields_.expect_rarely(slot);
    Out out{make_slot(slot, std::move(way)), std::move(steps)};
    out.is_slot = true;
    return out;
}

Compiler::Out Compiler::field(const Ast& ast, const Context& context, bool optional) {
    Out target = any(*ast.kids[0], context);
    if (!ast.has_text) return make_index(std::move(target.node), node(*ast.kids[1], context), optional);
    if (target.is_slot && !optional && target.at->size() < steps_max) {
        Steps steps = *target.at;
        steps.push_back({ast.text, -1});
        return slot(std::move(steps), context);
    }
    return make_field(std::move(target.node), text_constant(ast.text), optional);
}

Compiler::Out Compiler::index(const Ast& ast, const Context& context, bool optional) {
    Out target = any(*ast.kids[0], context);
    NodePtr key = node(*ast.kids[1], context);
    Val constant;
    if (constant_of(*key, constant)) {
        if (constant.kind == Kind::string) {
            if (!target.is_slot || optional || target.at->size() >= steps_max) return make_field(std::move(target.node), constant, optional);
            Steps steps = *target.at;
            steps.push_back({std::string(constant.view()), -1});
            return slot(std::move(steps), context);
        }
        // Elements far back are looked for when they are asked for, not in every event.
        if (constant.kind == Kind::integer && constant.integer >= 0 && constant.integer < 64 && target.is_slot && !optional &&
            !target.at->empty() && target.at->size() < steps_max) {
            Steps steps = *target.at;
            steps.push_back({std::string(), constant.integer});
            return slot(std::move(steps), context);
        }
    }
    return make_index(std::move(target.node), std::move(key), optional);
}

Compiler::Out Compiler::slice(const Ast& ast, const Context& context, bool optional) {
    NodePtr target = node(*ast.kids[0], context);
    constexpr const char* why = "a slice with several bounds";
    NodePtr from = ast.kids[1] == nullptr ? nullptr : single(*ast.kids[1], context, why);
    NodePtr to = ast.kids[2] == nullptr ? nullptr : single(*ast.kids[2], context, why);
    return make_slice(std::move(target), std::move(from), std::move(to), optional);
}

Compiler::Out Compiler::pipe(const Ast& ast, const Context& context) {
    // From the left, however long it is.
    std::vector<const Ast*> parts{&ast};
    while (parts.back()->kind == AstKind::pipe) {
        const Ast* last = parts.back();
        parts.back() = last->kids[0].get();
        parts.push_back(last->kids[1].get());
    }
    Context inner = context;
    Out first = any(*parts[0], inner);
    for (std::size_t i = 1; i < parts.size(); ++i) {
        inner.base = first.at;
        Out second = any(*parts[i], inner);
        // `.a | .b`: a slot needs no walk to what it is in first.
        const auto leads_there = [](const Steps& a, const Steps& b) {
            return a.size() <= b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
                       return x.name == y.name && x.index == y.index;
                   });
        };
        if (first.is_slot && second.is_slot && leads_there(*first.at, *second.at)) {
            first = std::move(second);
            continue;
        }
        first = Out{make_pipe(std::move(first.node), std::move(second.node)), std::move(second.at)};
    }
    return first;
}

Compiler::Out Compiler::attempt(const Ast& ast, const Context& context) {
    Context guarded = context;
    guarded.guarded = true;
    const Ast& tried = *ast.kids[0];
    if (ast.op[0] == '?') {  // only the last step
        switch (tried.kind) {
            case AstKind::field: return field(tried, guarded, true);
            case AstKind::index: return index(tried, guarded, true);
            case AstKind::slice: return slice(tried, guarded, true);
            case AstKind::iterate: return make_iterate(node(*tried.kids[0], guarded), true);
            default: break;
        }
    }
    NodePtr body = node(tried, guarded);
    if (ast.kids.size() < 2 || ast.kids[1] == nullptr) return make_try(std::move(body), nullptr, false);
    NodePtr handler = elsewhere(*ast.kids[1], context);
    Val constant;
    const bool ignores = constant_of(*handler, constant) || (ast.kids[1]->kind == AstKind::call && ast.kids[1]->text == "empty");
    return make_try(std::move(body), std::move(handler), !ignores);
}

Compiler::Out Compiler::string(const Ast& ast, const Context& context) {
    const Function format = ast.text.empty() || ast.text == "@text" ? nullptr : format_function(ast.text);
    if (!ast.text.empty() && ast.text != "@text" && format == nullptr) throw NotCompiled{ast.text + " is not compiled", ast.begin};
    if (ast.kids.empty()) return make_constant(text_constant({}));
    if (ast.kids.size() == 1 && ast.kids[0]->kind == AstKind::string_part) return make_constant(text_constant(ast.kids[0]->text));
    std::vector<NodePtr> parts;
    std::vector<bool> is_text;
    std::size_t many = 0;
    for (const AstPtr& kid : ast.kids) {
        parts.push_back(node(*kid, context));
        is_text.push_back(kid->kind == AstKind::string_part);
        many += parts.back()->is_single() ? 0u : 1u;
    }
    if (many > 1) throw NotCompiled{"a string of several parts with several results each", ast.begin};
    return make_interpolation(std::move(parts), std::move(is_text), format);
}

Compiler::Out Compiler::object(const Ast& ast, const Context& context) {
    std::vector<MemberNodes> members;
    std::size_t many = 0;
    for (const Ast::Member& member : ast.members) {
        // jq refuses some of these before it runs, and fails on the others: libjq says which.
        if (member.key->kind == AstKind::array || member.key->kind == AstKind::object) throw NotCompiled{"a member's name that is no string", member.key->begin};
        NodePtr key = node(*member.key, context);
        NodePtr value;
        Val constant;
        if (constant_of(*key, constant) && !constant.is_string()) throw NotCompiled{"a member's name that is no string", member.key->begin};
        if (member.value != nullptr) {
            value = node(*member.value, context);
        } else {
            Val name;
            if (!constant_of(*key, name) || name.kind != Kind::string) throw NotCompiled{"a member named by a string with parts", member.key->begin};
            if (context.base && context.base->size() < steps_max) {
                Steps steps = *context.base;
                steps.push_back({std::string(name.view()), -1});
                value = slot(std::move(steps), context).node;
            } else {
                value = make_field(nullptr, name, false);
            }
        }
        many += (key->is_single() ? 0u : 1u) + (value->is_single() ? 0u : 1u);
        if (constant_of(*key, constant)) key = make_constant(name_constant(constant));
        members.push_back({std::move(key), std::move(value)});
    }
    if (many > 1) throw NotCompiled{"an object of several members with several results each", ast.begin};
    return make_object(std::move(members));
}

namespace {

// Whether there is a `try` in it, or a function that may hold one.
bool may_try(const Ast& ast) {
    if (ast.kind == AstKind::attempt && ast.op[0] != '?') return true;
    if (ast.kind == AstKind::define) return true;
    if (ast.kind == AstKind::call && ast.text != "select" && ast.text != "first" && ast.text != "last" && ast.text != "empty") return true;
    return std::any_of(ast.kids.begin(), ast.kids.end(), [](const AstPtr& kid) { return kid != nullptr && may_try(*kid); });
}

}  // namespace

Compiler::Out Compiler::assign(const Ast& ast, const Context& context) {
    const std::string_view op = ast.op;
    NodePtr paths = with_paths(*ast.kids[0], context);
    const bool tries = may_try(*ast.kids[0]);
    constexpr const char* why = "an assignment of several values";
    if (op == "|=") {
        Context inner = context;
        inner.base.reset();
        return make_update(std::move(paths), single(*ast.kids[1], closed(inner), why), tries);
    }
    NodePtr value = single(*ast.kids[1], context, why);
    if (op == "=") return make_assign(std::move(paths), std::move(value), tries);
    return make_update_with(std::move(paths), op == "//=" ? 'a' : op[0], std::move(value), tries);
}

Function Compiler::format_function(std::string_view name) {
    for (const Builtin& builtin : format_builtins()) {
        if (builtin.name == name) return builtin.function;
    }
    return nullptr;
}

// A member's name as it is written.
Val Compiler::name_constant(Val name) {
    std::string text;
    append_quoted(text, utf8_of(constants_, name));
    if (text.find('\\') != std::string::npos) return name;
    return Val::of_text(Kind::string_text, constants_.copy(text), false);
}

Val Compiler::text_constant(std::string_view text) { return Val::of_string(constants_.copy(text)); }

// As JSON where the text is (then it keeps its digits), else as a double: `.5`, `1.`.
NodePtr Compiler::number(const std::string& text) {
    std::int64_t integer = 0;
    if (small_integer(text, integer) && (text.size() == 1 || text[0] != '0')) return make_constant(Val::of_integer(integer));
    const bool json = text[0] != '.' && (text[0] != '0' || text.size() == 1 || text[1] == '.' || text[1] == 'e' || text[1] == 'E') &&
                      text.find(".e") == std::string::npos && text.find(".E") == std::string::npos && text.back() != '.';
    if (json) return make_constant(Val::of_text(Kind::number_text, constants_.copy(text), false));
    std::string fixed = text;
    if (fixed[0] == '.') fixed.insert(0, "0");
    while (fixed.size() > 1 && fixed[0] == '0' && fixed[1] >= '0' && fixed[1] <= '9') fixed.erase(0, 1);
    const std::size_t dot = fixed.find('.');
    if (dot != std::string::npos && (dot + 1 == fixed.size() || fixed[dot + 1] < '0' || fixed[dot + 1] > '9')) fixed.insert(dot + 1, "0");
    return make_constant(Val::of_text(Kind::number_text, constants_.copy(fixed), false));
}

}  // namespace stream::expr
