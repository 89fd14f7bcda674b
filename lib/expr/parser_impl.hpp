// SPDX-License-Identifier: Apache-2.0
// The parser's inside: parser.cpp reads expressions, parser_term.cpp and parser_object.cpp what they
// are made of, and parser_error.cpp says what is wrong.
//
// jq's grammar is a bison grammar full of conflicts that precedence decides, so operators are read as
// bison does: what waits for its right side stays on a stack until the next operator binds no tighter.
// That also keeps long chains off the call stack; only brackets recurse.
#pragma once

#include "expr/ast.hpp"
#include "expr/lexer.hpp"
#include "expr/parser.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stream::expr {

// Of a tree, chains included (1+1+1+…): its destructor and whatever else walks it recurse.
inline constexpr std::size_t tree_height_max = 10000;

class Parser {
public:
    explicit Parser(std::string_view program) : program_(program), lexer_(program) {}

    Result<AstPtr> program();

private:
    // bison's precedence, loosest first.
    enum class Level : std::uint8_t {
        define,
        pipe,
        comma,
        alternative,
        assign,
        logic_or,
        logic_and,
        comparison,
        additive,
        multiplicative,
        optional,
        attempt,
        handler
    };
    struct Operator {
        std::string_view text;
        Level level;
        AstKind kind;
    };
    struct Tree {
        AstPtr ast;
        std::size_t height = 1;
    };
    // Wants one more kid, which is an expression to the right.
    struct Pending {
        Tree tree;
        Level level;
    };
    class Nesting;  // counts the recursion

    // parser.cpp
    Result<void> expression(Tree& out, bool whole = false);
    Result<void> prefixes(std::vector<Pending>& pending);
    Result<void> operators(std::vector<Pending>& pending, Tree& operand, bool& more);
    Result<void> fold(std::vector<Pending>& pending, Tree& operand);
    Result<void> optional(Tree& operand);
    Result<void> handler(std::vector<Pending>& pending, Tree& operand, bool& taken);
    Result<void> bind(std::vector<Pending>& pending, Tree& source);
    Result<void> definition(std::vector<Pending>& pending);
    Result<void> parameters(Ast& define);
    Result<void> conditional(Tree& out);
    Result<void> loop(Tree& out, AstKind kind);
    static const Operator* operator_of(const Token& token);

    // parser_term.cpp
    Result<void> term(Tree& out);
    Result<void> primary(Tree& out);
    Result<void> suffixes(Tree& out);
    Result<void> optional_step(Tree& target);
    Result<void> member_name(Tree& target);
    Result<void> brackets(Tree& target);
    Result<void> string(Tree& out);
    Result<void> string_alone(Tree& out);
    Result<void> call(Tree& out);
    Result<void> variable(Tree& out);

    // parser_object.cpp
    Result<void> object(Tree& out);
    Result<void> object_member(Ast::Member& member, std::size_t& height);
    Result<void> object_value(Tree& out);
    Result<void> key_in_parentheses(Tree& out);
    Result<void> patterns(Ast& owner, std::size_t& height);
    Result<void> pattern(Pattern& out, std::size_t& height);
    Result<void> pattern_member(Pattern::Member& out, std::size_t& height);

    // parser_error.cpp
    tl::unexpected<Error> wrong(const std::string& message, std::size_t place, std::string hint = {}) const;
    tl::unexpected<Error> too_long(std::size_t place) const;
    tl::unexpected<Error> unexpected(std::string_view wanted, std::string hint = {}) const;
    std::string hint_for_token() const;
    std::string hint_for_unknown() const;
    Result<void> check_text() const;
    Result<void> close(std::string_view closing, const Token& opened, std::string hint = {});
    Result<void> want(std::string_view symbol);
    Result<void> name(std::string& out, std::string_view wanted);

    bool is(std::string_view symbol) const { return token_.is(symbol); }
    Result<void> advance();
    Result<void> adopt(Tree& parent, Tree&& kid) const;
    Result<void> grown(std::size_t& height, const Tree& kid) const;
    Tree make(AstKind kind, std::size_t begin) const;
    Tree make_text(AstKind kind, std::string_view text) const;  // over the present token
    Tree word_as_string() const;

    std::string_view program_;
    Lexer lexer_;
    Token token_;   // the next one
    Token before_;  // the last one taken
    std::size_t depth_ = 0;
    std::size_t line_ = 1;  // of the byte at line_place_, for $__loc__
    std::size_t line_place_ = 0;
};

class Parser::Nesting {
public:
    explicit Nesting(Parser& parser) : parser_(parser) { ++parser_.depth_; }
    ~Nesting() { --parser_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

    Result<void> check() const;

private:
    Parser& parser_;
};

}  // namespace stream::expr
