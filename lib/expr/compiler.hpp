// SPDX-License-Identifier: Apache-2.0
// From the tree to nodes: names looked up, functions put in place of their calls, fields of the event made
// slots of the scanner. What has no compiled form with jq's meaning throws NotCompiled, and the whole
// program runs in libjq.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "expr/ast.hpp"
#include "expr/expression.hpp"
#include "expr/nodes.hpp"
#include "json/fields.hpp"

namespace stream::expr {

struct NotCompiled {
    std::string why;
    std::size_t begin;  // in the program's text
};

class Compiler {
public:
    // Fields are registered with `fields`; values that live as long as the program come from `constants`.
    Compiler(const Settings& settings, FieldSet& fields, Arena& constants);
    ~Compiler();
    Compiler(const Compiler&) = delete;
    Compiler& operator=(const Compiler&) = delete;

    // The program on events. Throws NotCompiled.
    NodePtr compile(const Ast& program);
    std::size_t variables() const { return variables_; }

private:
    struct Scope;
    // Where in the event the input is, if that is known: there, fields are slots.
    using Steps = std::vector<FieldPath::Step>;
    struct Context {
        const Scope* scope = nullptr;
        std::optional<Steps> base;
        bool guarded = false;  // in `a?` or before `//`: the field may well be in no event
        std::size_t wall = 0;  // the innermost thing that no break may leave
    };
    // A node, and where its result is, if it is always the same place in the event.
    struct Out {
        NodePtr node;
        std::optional<Steps> at;
        bool is_slot = false;  // and it needs no input to be found
        Out(NodePtr made) : node(std::move(made)) {}  // NOLINT: implicit by design
        Out(NodePtr made, std::optional<Steps> place) : node(std::move(made)), at(std::move(place)) {}
    };

    Out any(const Ast& ast, const Context& context);
    Out dispatch(const Ast& ast, const Context& context);
    NodePtr node(const Ast& ast, const Context& context) { return any(ast, context).node; }
    NodePtr single(const Ast& ast, const Context& context, const char* why);
    // With its input somewhere the compiler does not know.
    NodePtr elsewhere(const Ast& ast, const Context& context);
    NodePtr with_paths(const Ast& ast, const Context& context);
    // Inside, no break may leave.
    Context closed(const Context& context);

    Out slot(Steps steps, const Context& context);
    // With a `?` behind the step: `optional`.
    Out field(const Ast& ast, const Context& context, bool optional = false);
    Out index(const Ast& ast, const Context& context, bool optional = false);
    Out slice(const Ast& ast, const Context& context, bool optional = false);
    Out pipe(const Ast& ast, const Context& context);
    Out attempt(const Ast& ast, const Context& context);
    Out string(const Ast& ast, const Context& context);
    Out object(const Ast& ast, const Context& context);
    Out assign(const Ast& ast, const Context& context);
    Out bind(const Ast& ast, const Context& context);
    Out fold(const Ast& ast, const Context& context);
    Out label(const Ast& ast, const Context& context);
    Out break_to(const Ast& ast, const Context& context);
    Out variable(const Ast& ast, const Context& context);
    Out define(const Ast& ast, const Context& context);
    Out call(const Ast& ast, const Context& context);
    Out expand(const Scope& function, const Ast& ast, const Context& context);
    std::optional<Out> builtin(const Ast& ast, const Context& context);
    std::optional<Out> special(const Ast& ast, const Context& context);
    const Ast* prelude(const std::string& name, std::size_t arity);
    NodePtr function_call(Function function, const Ast& ast, const Context& context);

    std::unique_ptr<Binding> pattern(const Pattern& pattern, Context& context, const std::optional<Steps>& at);
    NodePtr number(const std::string& text);
    Val text_constant(std::string_view text);
    Val name_constant(Val name);
    Val environment();
    const Scope* add(Scope scope);
    void count_one(const Ast& ast);
    static Function format_function(std::string_view name);

    const Settings& settings_;
    FieldSet& fields_;
    Arena& constants_;
    std::vector<std::unique_ptr<Scope>> scopes_;
    std::map<std::string, AstPtr> preludes_;
    std::map<std::string, std::string> prelude_texts_;
    std::size_t variables_ = 0;
    std::size_t nodes_ = 0;
    std::size_t walls_ = 0;
    unsigned expansions_ = 0;
    unsigned depth_ = 0;
};

}  // namespace stream::expr
