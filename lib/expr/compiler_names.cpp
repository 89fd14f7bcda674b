// SPDX-License-Identifier: Apache-2.0
// Bindings, functions, labels and builtins.
#include <algorithm>

#include "base/check.hpp"
#include "expr/compiler_scope.hpp"
#include "expr/parser.hpp"
#include "json/canonical.hpp"

namespace stream::expr {

namespace {

// Builtins that jq itself defines in its own language.
struct Definition {
    std::string_view name;
    std::size_t arity;
    std::string_view text;
};
constexpr Definition definitions[] = {
    {"map", 1, "def map(f): [.[] | f]; ."},
    {"with_entries", 1, "def with_entries(f): to_entries | map(f) | from_entries; ."},
    {"values", 0, "def values: select(. != null); ."},
    {"nulls", 0, "def nulls: select(. == null); ."},
    {"booleans", 0, "def booleans: select(type == \"boolean\"); ."},
    {"numbers", 0, "def numbers: select(type == \"number\"); ."},
    {"strings", 0, "def strings: select(type == \"string\"); ."},
    {"arrays", 0, "def arrays: select(type == \"array\"); ."},
    {"objects", 0, "def objects: select(type == \"object\"); ."},
    {"iterables", 0, "def iterables: select(type | . == \"array\" or . == \"object\"); ."},
    {"scalars", 0, "def scalars: select(type | . != \"array\" and . != \"object\"); ."},
    {"recurse", 0, "def recurse: ..; ."},
    {"recurse", 2, "def recurse(f; cond): recurse(f | select(cond)); ."},
    {"last", 1, "def last(f): reduce f as $x (null; $x); ."},
    {"first", 0, "def first: .[0]; ."},
    {"last", 0, "def last: .[-1]; ."},
    {"nth", 1, "def nth($n): .[$n]; ."},
    {"any", 1, "def any(f): any(.[]; f); ."},
    {"all", 1, "def all(f): all(.[]; f); ."},
    {"paths", 0, "def paths: path(..) | select(length > 0); ."},
    {"paths", 1, "def paths(f): . as $in | paths | select(. as $p | $in | getpath($p) | f); ."},
    {"leaf_paths", 0, "def leaf_paths: paths(scalars); ."},
    {"map_values", 1, "def map_values(f): .[] |= f; ."},
    {"IN", 1, "def IN(s): any(s == .; .); ."},
};

constexpr std::pair<std::string_view, KeyedKind> keyed[] = {
    {"sort", KeyedKind::sort},  {"sort_by", KeyedKind::sort},     {"group_by", KeyedKind::group}, {"unique", KeyedKind::unique},
    {"unique_by", KeyedKind::unique}, {"min", KeyedKind::min}, {"min_by", KeyedKind::min},     {"max", KeyedKind::max},
    {"max_by", KeyedKind::max},
};

}  // namespace

const Ast* Compiler::prelude(const std::string& name, std::size_t arity) {
    const std::string key = name + "/" + std::to_string(arity);
    if (const auto found = preludes_.find(key); found != preludes_.end()) return found->second.get();
    for (const Definition& definition : definitions) {
        if (definition.name != name || definition.arity != arity) continue;
        auto parsed = parse(definition.text);
        STREAM_CHECK(parsed.has_value() && (*parsed)->kind == AstKind::define);
        return preludes_.emplace(key, std::move(*parsed)).first->second.get();
    }
    return nullptr;
}

Compiler::Out Compiler::define(const Ast& ast, const Context& context) {
    Scope scope;
    scope.kind = Scope::Kind::function;
    scope.up = context.scope;
    scope.name = ast.text;
    scope.arity = ast.params.size();
    scope.ast = &ast;
    Context inner = context;
    inner.scope = add(std::move(scope));
    return any(*ast.kids[1], inner);
}

Compiler::Out Compiler::call(const Ast& ast, const Context& context) {
    const std::size_t arity = ast.kids.size();
    if (arity == 0) {
        if (ast.text == "true" || ast.text == "false") return make_constant(Val::boolean(ast.text == "true"));
        if (ast.text == "null") return make_constant(Val::null());
    }
    for (const Scope* scope = context.scope; scope != nullptr; scope = scope->up) {
        if (scope->name != ast.text) continue;
        if (scope->kind == Scope::Kind::function && scope->arity == arity) return expand(*scope, ast, context);
        if (scope->kind == Scope::Kind::argument && arity == 0) {
            Context inner = context;
            inner.scope = scope->home;
            return any(*scope->ast, inner);
        }
    }
    if (auto made = special(ast, context)) return std::move(*made);
    if (auto made = builtin(ast, context)) return std::move(*made);
    if (const Ast* definition = prelude(ast.text, arity)) {
        Scope scope;
        scope.kind = Scope::Kind::function;
        scope.name = ast.text;
        scope.arity = arity;
        scope.ast = definition;
        return expand(*add(std::move(scope)), ast, context);
    }
    throw NotCompiled{ast.text + "/" + std::to_string(arity) + " is not compiled", ast.begin};
}

// The function's body in place of its call.
Compiler::Out Compiler::expand(const Scope& function, const Ast& ast, const Context& context) {
    if (++expansions_ > 64) throw NotCompiled{"a recursive function", ast.begin};
    Context inner = context;
    inner.scope = &function;  // a body sees its own name, and what was in scope where it was written
    std::vector<std::pair<NodePtr, std::unique_ptr<Binding>>> by_value;
    for (std::size_t i = 0; i < function.ast->params.size(); ++i) {
        const Ast::Parameter& parameter = function.ast->params[i];
        const Ast* argument = ast.kids[i].get();
        if (parameter.by_value) {
            auto binding = std::make_unique<Binding>();
            binding->variable = variables_++;
            Scope variable;
            variable.kind = Scope::Kind::variable;
            variable.up = inner.scope;
            variable.name = parameter.name;
            variable.variable = binding->variable;
            by_value.emplace_back(node(*argument, context), std::move(binding));
            inner.scope = add(std::move(variable));
        }
        Scope scope;
        scope.kind = Scope::Kind::argument;
        scope.up = inner.scope;
        scope.name = parameter.name;
        scope.ast = argument;
        scope.home = context.scope;
        inner.scope = add(std::move(scope));
    }
    Out body = any(*function.ast->kids[0], inner);
    for (std::size_t i = by_value.size(); i-- > 0;) {
        body = Out{make_bind(std::move(by_value[i].first), std::move(by_value[i].second), std::move(body.node)), std::move(body.at)};
    }
    --expansions_;
    return body;
}

Compiler::Out Compiler::variable(const Ast& ast, const Context& context) {
    for (const Scope* scope = context.scope; scope != nullptr; scope = scope->up) {
        if (scope->name != ast.text) continue;
        if (scope->kind == Scope::Kind::variable) return make_variable(scope->variable);
        if (scope->kind == Scope::Kind::constant) return make_constant(scope->value);
        if (scope->kind == Scope::Kind::alias) {
            if (!scope->at.empty()) return slot(scope->at, context);
            return {make_variable(scope->variable), Steps{}};
        }
    }
    if (ast.text == "ENV") return make_constant(environment());
    throw NotCompiled{"$" + ast.text + " is not compiled", ast.begin};
}

Val Compiler::environment() {
    ObjectBuilder builder(constants_, settings_.environment.size());
    for (const auto& [name, value] : settings_.environment) builder.set(text_constant(name), text_constant(value));
    return builder.finish();
}

std::unique_ptr<Binding> Compiler::pattern(const Pattern& pattern, Context& context, const std::optional<Steps>& at) {
    const auto name_variable = [&](const std::string& name) {
        Scope scope;
        scope.kind = at ? Scope::Kind::alias : Scope::Kind::variable;
        scope.up = context.scope;
        scope.name = name;
        scope.variable = variables_++;
        if (at) scope.at = *at;
        const std::size_t number = scope.variable;
        context.scope = add(std::move(scope));
        return number;
    };
    auto made = std::make_unique<Binding>();
    switch (pattern.kind) {
        case Pattern::Kind::variable:
            made->variable = name_variable(pattern.name);
            return made;
        case Pattern::Kind::array:
            made->kind = Binding::Kind::array;
            for (const auto& item : pattern.items) made->items.push_back(this->pattern(*item, context, std::nullopt));
            return made;
        case Pattern::Kind::object: break;
    }
    made->kind = Binding::Kind::object;
    for (const Pattern::Member& member : pattern.members) {
        Binding::Member bound;
        if (member.key == nullptr) {
            bound.key = make_constant(text_constant(member.variable));
        } else {
            Context inside = context;
            inside.base.reset();
            if (member.key->kind == AstKind::array || member.key->kind == AstKind::object) throw NotCompiled{"a pattern's key that is no string", member.key->begin};
            bound.key = single(*member.key, inside, "a pattern with several keys in one place");
            Val constant;
            if (constant_of(*bound.key, constant) && !constant.is_string()) throw NotCompiled{"a pattern's key that is no string", member.key->begin};
        }
        if (!member.variable.empty()) {
            Scope scope;
            scope.up = context.scope;
            scope.name = member.variable;
            scope.variable = variables_++;
            bound.variable = static_cast<std::ptrdiff_t>(scope.variable);
            context.scope = add(std::move(scope));
        }
        if (member.value != nullptr) bound.value = this->pattern(*member.value, context, std::nullopt);
        made->members.push_back(std::move(bound));
    }
    return made;
}

Compiler::Out Compiler::bind(const Ast& ast, const Context& context) {
    if (ast.patterns.size() != 1) throw NotCompiled{"?// is not compiled", ast.begin};
    Out source = any(*ast.kids[0], context);
    Context inner = context;
    const bool alias = source.at && ast.patterns[0]->kind == Pattern::Kind::variable;
    std::unique_ptr<Binding> binding = pattern(*ast.patterns[0], inner, alias ? source.at : std::nullopt);
    Out body = any(*ast.kids[1], inner);
    return {make_bind(std::move(source.node), std::move(binding), std::move(body.node)), std::move(body.at)};
}

Compiler::Out Compiler::fold(const Ast& ast, const Context& context) {
    if (ast.patterns.size() != 1) throw NotCompiled{"?// is not compiled", ast.begin};
    const bool reduce = ast.kind == AstKind::reduce;
    NodePtr source = node(*ast.kids[0], reduce ? closed(context) : context);
    NodePtr init = single(*ast.kids[1], context, "several beginnings of a loop");
    Context inner = context;
    std::unique_ptr<Binding> binding = pattern(*ast.patterns[0], inner, std::nullopt);
    inner.base.reset();
    NodePtr update = single(*ast.kids[2], closed(inner), "a loop's step that may give several results, or none");
    if (reduce) return make_reduce(std::move(source), std::move(binding), std::move(init), std::move(update));
    NodePtr extract = ast.kids.size() > 3 && ast.kids[3] != nullptr ? node(*ast.kids[3], inner) : nullptr;
    return make_foreach(std::move(source), std::move(binding), std::move(init), std::move(update), std::move(extract));
}

Compiler::Out Compiler::label(const Ast& ast, const Context& context) {
    LabelParts parts = make_label();
    Scope scope;
    scope.kind = Scope::Kind::label;
    scope.up = context.scope;
    scope.name = ast.text;
    scope.label = parts.label;
    scope.wall = context.wall;
    Context inner = context;
    inner.scope = add(std::move(scope));
    set_label_body(*parts.label, node(*ast.kids[0], inner));
    return std::move(parts.node);
}

Compiler::Out Compiler::break_to(const Ast& ast, const Context& context) {
    for (const Scope* scope = context.scope; scope != nullptr; scope = scope->up) {
        if (scope->kind != Scope::Kind::label || scope->name != ast.text) continue;
        if (scope->wall != context.wall) break;
        return make_break(*scope->label);
    }
    throw NotCompiled{"a break out of what gives one result", ast.begin};
}

NodePtr Compiler::function_call(Function function, const Ast& ast, const Context& context) {
    std::vector<NodePtr> args;
    std::size_t many = 0;
    for (const AstPtr& kid : ast.kids) {
        args.push_back(node(*kid, context));
        many += args.back()->is_single() ? 0u : 1u;
    }
    if (many > 1) throw NotCompiled{"several arguments with several results each", ast.begin};
    return make_call(function, std::move(args));
}

std::optional<Compiler::Out> Compiler::builtin(const Ast& ast, const Context& context) {
    const std::size_t arity = ast.kids.size();
    for (const auto& table : {core_builtins(), math_builtins(), string_builtins(), date_builtins()}) {
        for (const Builtin& builtin : table) {
            if (builtin.name == ast.text && builtin.arguments == arity) return function_call(builtin.function, ast, context);
        }
    }
    if (!is_regex_builtin(ast.text, arity)) return std::nullopt;
    std::vector<NodePtr> args;
    for (std::size_t i = 0; i < arity; ++i) {
        // A replacement sees the captures, not the input.
        const bool replacement = i == 1 && (ast.text == "sub" || ast.text == "gsub");
        args.push_back(replacement ? elsewhere(*ast.kids[i], closed(context)) : node(*ast.kids[i], context));
    }
    std::string why;
    NodePtr made = make_regex_node(ast.text, args, why);
    if (made == nullptr) throw NotCompiled{why, ast.begin};
    return Out{std::move(made)};
}

// Builtins whose arguments are not values but expressions, and what the compiler knows about.
std::optional<Compiler::Out> Compiler::special(const Ast& ast, const Context& context) {
    const std::string_view name = ast.text;
    const std::size_t arity = ast.kids.size();
    const auto kid = [&](std::size_t i) -> const Ast& { return *ast.kids[i]; };
    const auto is = [&](std::string_view wanted, std::size_t args) { return name == wanted && arity == args; };
    constexpr const char* several = "an argument with several results";
    Context inside = context;
    inside.base.reset();

    if (is("empty", 0)) return Out{make_empty()};
    if (is("error", 0)) return Out{make_error(nullptr)};
    if (is("error", 1)) return Out{make_error(single(kid(0), context, several))};
    if (is("now", 0)) return Out{make_constant(Val::of_number(settings_.now))};
    if (is("env", 0)) return Out{make_constant(environment())};
    if (is("select", 1)) return Out{make_select(node(kid(0), context)), context.base};
    if (is("first", 1)) return Out{make_first(node(kid(0), context))};
    if (is("limit", 2)) {
        NodePtr count = single(kid(0), context, several);
        return Out{make_limit(std::move(count), node(kid(1), context))};
    }
    if (name == "range" && arity >= 1 && arity <= 3) {
        NodePtr from = arity == 1 ? make_constant(Val::of_integer(0)) : single(kid(0), context, several);
        NodePtr to = single(kid(arity == 1 ? 0 : 1), context, several);
        NodePtr by = arity == 3 ? single(kid(2), context, several) : nullptr;
        return Out{make_range(std::move(from), std::move(to), std::move(by))};
    }
    if (is("recurse", 1)) return Out{make_recurse_with(node(kid(0), closed(inside)))};
    if (is("until", 2) || is("while", 2)) {
        constexpr const char* why = "a loop's step that may give several results, or none";
        NodePtr condition = single(kid(0), closed(inside), why);
        NodePtr update = single(kid(1), closed(inside), why);
        return Out{name == "until" ? make_until(std::move(condition), std::move(update)) : make_while(std::move(condition), std::move(update))};
    }
    if ((name == "any" || name == "all") && arity == 2) {
        NodePtr generator = node(kid(0), closed(context));
        // jq 1.6 counts the condition's results.
        return Out{make_any_all(name == "any", std::move(generator), single(kid(1), closed(inside), "any or all with several results of a condition"))};
    }
    for (const auto& [word, kind] : keyed) {
        const bool by = word.ends_with("_by");
        if (name == word && arity == (by ? 1u : 0u)) {
            return Out{make_keyed(kind, by ? node(kid(0), closed(inside)) : make_identity())};
        }
    }
    if (is("path", 1)) return Out{make_paths_of(with_paths(kid(0), context))};
    if (is("del", 1)) return Out{make_delete(with_paths(kid(0), closed(context)))};
    if (is("getpath", 1)) return Out{make_getpath(node(kid(0), context))};
    if (is("setpath", 2)) {
        NodePtr path = single(kid(0), context, several);
        return Out{make_setpath(std::move(path), single(kid(1), context, several))};
    }
    return std::nullopt;
}

}  // namespace stream::expr
