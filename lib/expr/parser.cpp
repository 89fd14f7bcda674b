// SPDX-License-Identifier: Apache-2.0
#include "expr/parser.hpp"

#include "expr/parser_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace stream::expr {

Result<AstPtr> parse(std::string_view program) { return Parser(program).program(); }

Result<AstPtr> Parser::program() {
    STREAM_TRY(check_text());
    STREAM_TRY(advance());
    if (is("import") || is("include") || is("module")) {
        return wrong(fmt::format("\"{}\": modules are not available here", token_.text), token_.begin);
    }
    Tree tree;
    STREAM_TRY(expression(tree, true));
    if (token_.kind != TokenKind::end) return unexpected("an operator or the end");
    return std::move(tree.ast);
}

const Parser::Operator* Parser::operator_of(const Token& token) {
    static constexpr std::array<Operator, 24> table = {{
        {"|", Level::pipe, AstKind::pipe},
        {",", Level::comma, AstKind::comma},
        {"//", Level::alternative, AstKind::alternative},
        {"=", Level::assign, AstKind::assign},
        {"|=", Level::assign, AstKind::assign},
        {"+=", Level::assign, AstKind::assign},
        {"-=", Level::assign, AstKind::assign},
        {"*=", Level::assign, AstKind::assign},
        {"/=", Level::assign, AstKind::assign},
        {"%=", Level::assign, AstKind::assign},
        {"//=", Level::assign, AstKind::assign},
        {"or", Level::logic_or, AstKind::logic_or},
        {"and", Level::logic_and, AstKind::logic_and},
        {"==", Level::comparison, AstKind::comparison},
        {"!=", Level::comparison, AstKind::comparison},
        {"<", Level::comparison, AstKind::comparison},
        {"<=", Level::comparison, AstKind::comparison},
        {">", Level::comparison, AstKind::comparison},
        {">=", Level::comparison, AstKind::comparison},
        {"+", Level::additive, AstKind::arithmetic},
        {"-", Level::additive, AstKind::arithmetic},
        {"*", Level::multiplicative, AstKind::arithmetic},
        {"/", Level::multiplicative, AstKind::arithmetic},
        {"%", Level::multiplicative, AstKind::arithmetic},
    }};
    const auto* const found =
        std::find_if(table.begin(), table.end(), [&](const Operator& op) { return token.is(op.text); });
    return found == table.end() ? nullptr : found;
}

// `whole`: the program itself, which may be empty or end after its definitions.
Result<void> Parser::expression(Tree& out, bool whole) {
    const Nesting nesting(*this);
    STREAM_TRY(nesting.check());
    std::vector<Pending> pending;
    for (bool more = true; more;) {
        STREAM_TRY(prefixes(pending));
        if (pending.size() >= tree_height_max) return too_long(token_.begin);
        Tree operand;
        if (is("if")) {
            STREAM_TRY(conditional(operand));
        } else if (is("reduce") || is("foreach")) {
            STREAM_TRY(loop(operand, is("reduce") ? AstKind::reduce : AstKind::foreach));
        } else if (whole && token_.kind == TokenKind::end &&
                   std::all_of(pending.begin(), pending.end(),
                               [](const Pending& each) { return each.level == Level::define; })) {
            operand = make(AstKind::identity, token_.begin);
            operand.ast->end = token_.begin;
        } else {
            STREAM_TRY(term(operand));
            if (is("as")) {
                STREAM_TRY(bind(pending, operand));
                continue;
            }
        }
        STREAM_TRY(operators(pending, operand, more));
        if (!more) out = std::move(operand);
    }
    return {};
}

// What can stand before an operand and takes an expression to its right.
Result<void> Parser::prefixes(std::vector<Pending>& pending) {
    for (;;) {
        const std::size_t begin = token_.begin;
        if (is("-")) {
            STREAM_TRY(advance());
            pending.push_back({make(AstKind::negate, begin), Level::additive});
        } else if (is("try")) {
            STREAM_TRY(advance());
            pending.push_back({make(AstKind::attempt, begin), Level::attempt});
        } else if (is("def")) {
            STREAM_TRY(definition(pending));
        } else if (is("label")) {
            Tree tree = make(AstKind::label, begin);
            STREAM_TRY(advance());
            STREAM_TRY(want("$"));
            STREAM_TRY(name(tree.ast->text, "a name"));
            STREAM_TRY(want("|"));
            pending.push_back({std::move(tree), Level::pipe});
        } else {
            return {};
        }
    }
}

// Behind an operand: all that bison would do up to the next operand (`more`) or the expression's end.
Result<void> Parser::operators(std::vector<Pending>& pending, Tree& operand, bool& more) {
    const auto fold_while = [&](auto&& binds) -> Result<void> {
        while (!pending.empty() && binds(pending.back().level)) STREAM_TRY(fold(pending, operand));
        return {};
    };
    for (;;) {
        if (is("?")) {
            STREAM_TRY(fold_while([](Level level) { return level > Level::optional; }));
            STREAM_TRY(optional(operand));
            continue;
        }
        if (is("catch")) {
            STREAM_TRY(handler(pending, operand, more));
            if (more) return {};
        }
        const Operator* const op = operator_of(token_);
        more = op != nullptr;
        if (!more) return fold_while([](Level) { return true; });
        const bool right = op->level == Level::pipe || op->level == Level::alternative;
        const bool once = op->level == Level::assign || op->level == Level::comparison;
        STREAM_TRY(fold_while(
            [&](Level level) { return level > op->level || (level == op->level && !right && !once); }));
        if (once && !pending.empty() && pending.back().level == op->level) {
            return wrong(fmt::format("a second {} needs parentheses around one of the two",
                                     op->kind == AstKind::assign ? "assignment" : "comparison"),
                         token_.begin, op->kind == AstKind::assign ? "" : "a < b and b < c");
        }
        Tree tree = make(op->kind, operand.ast->begin);
        op->text.copy(tree.ast->op, sizeof tree.ast->op - 1);
        STREAM_TRY(adopt(tree, std::move(operand)));
        pending.push_back({std::move(tree), op->level});
        return advance();
    }
}

// The operand becomes the last kid of what waits for it.
Result<void> Parser::fold(std::vector<Pending>& pending, Tree& operand) {
    Pending top = std::move(pending.back());
    pending.pop_back();
    STREAM_TRY(adopt(top.tree, std::move(operand)));
    if (top.level == Level::attempt) top.tree.ast->kids.emplace_back();
    operand = std::move(top.tree);
    return {};
}

// At a "?".
Result<void> Parser::optional(Tree& operand) {
    Tree tree = make(AstKind::attempt, operand.ast->begin);
    STREAM_TRY(adopt(tree, std::move(operand)));
    tree.ast->kids.emplace_back();
    tree.ast->end = token_.end;
    operand = std::move(tree);
    return advance();
}

// At a "catch", which belongs to the innermost `try` of this expression, if there is one.
Result<void> Parser::handler(std::vector<Pending>& pending, Tree& operand, bool& taken) {
    taken = std::any_of(pending.begin(), pending.end(),
                        [](const Pending& each) { return each.level == Level::attempt; });
    if (!taken) return {};
    while (pending.back().level != Level::attempt) STREAM_TRY(fold(pending, operand));
    STREAM_TRY(adopt(pending.back().tree, std::move(operand)));
    pending.back().level = Level::handler;
    return advance();
}

// At the "as" behind a term.
Result<void> Parser::bind(std::vector<Pending>& pending, Tree& source) {
    Tree tree = make(AstKind::bind, source.ast->begin);
    STREAM_TRY(adopt(tree, std::move(source)));
    STREAM_TRY(advance());
    STREAM_TRY(patterns(*tree.ast, tree.height));
    STREAM_TRY(want("|"));
    pending.push_back({std::move(tree), Level::pipe});
    return {};
}

Result<void> Parser::definition(std::vector<Pending>& pending) {
    const Token opened = token_;
    Tree tree = make(AstKind::define, opened.begin);
    STREAM_TRY(advance());
    STREAM_TRY(name(tree.ast->text, "a name"));
    if (is("(")) STREAM_TRY(parameters(*tree.ast));
    STREAM_TRY(want(":"));
    Tree body;
    STREAM_TRY(expression(body));
    STREAM_TRY(close(";", opened));
    STREAM_TRY(adopt(tree, std::move(body)));
    pending.push_back({std::move(tree), Level::define});
    return {};
}

Result<void> Parser::parameters(Ast& define) {
    const Token opened = token_;
    do {
        STREAM_TRY(advance());
        Ast::Parameter& parameter = define.params.emplace_back();
        parameter.by_value = is("$");
        if (parameter.by_value) STREAM_TRY(advance());
        STREAM_TRY(name(parameter.name, "a parameter"));
    } while (is(";"));
    return close(")", opened);
}

// `elif` makes a tree to the right, built here from its end.
Result<void> Parser::conditional(Tree& out) {
    const Token opened = token_;
    const std::string hint = before_.is("else") ? "\"else if\" is written elif" : "";
    std::vector<Tree> branches;
    do {
        Tree& branch = branches.emplace_back(make(AstKind::conditional, token_.begin));
        Tree condition;
        Tree consequence;
        STREAM_TRY(advance());
        STREAM_TRY(expression(condition));
        STREAM_TRY(close("then", opened));
        STREAM_TRY(expression(consequence));
        STREAM_TRY(adopt(branch, std::move(condition)));
        STREAM_TRY(adopt(branch, std::move(consequence)));
    } while (is("elif"));
    Tree rest;
    if (is("else")) {
        STREAM_TRY(advance());
        STREAM_TRY(expression(rest));
    }
    STREAM_TRY(close("end", opened, hint));
    while (!branches.empty()) {
        Tree branch = std::move(branches.back());
        branches.pop_back();
        if (rest.ast != nullptr)
            STREAM_TRY(adopt(branch, std::move(rest)));
        else
            branch.ast->kids.emplace_back();
        branch.ast->end = before_.end;
        rest = std::move(branch);
    }
    out = std::move(rest);
    return {};
}

// reduce TERM as PATTERNS (init; update), foreach … (init; update; extract)
Result<void> Parser::loop(Tree& out, AstKind kind) {
    Tree tree = make(kind, token_.begin);
    Tree part;
    STREAM_TRY(advance());
    STREAM_TRY(term(part));
    STREAM_TRY(adopt(tree, std::move(part)));
    STREAM_TRY(want("as"));
    STREAM_TRY(patterns(*tree.ast, tree.height));
    const Token opened = token_;
    STREAM_TRY(want("("));
    STREAM_TRY(expression(part));
    STREAM_TRY(adopt(tree, std::move(part)));
    STREAM_TRY(close(";", opened));
    STREAM_TRY(expression(part));
    STREAM_TRY(adopt(tree, std::move(part)));
    if (kind == AstKind::foreach) {
        if (is(";")) {
            STREAM_TRY(advance());
            STREAM_TRY(expression(part));
            STREAM_TRY(adopt(tree, std::move(part)));
        } else {
            tree.ast->kids.emplace_back();
        }
    }
    STREAM_TRY(close(")", opened));
    tree.ast->end = before_.end;
    out = std::move(tree);
    return {};
}

}  // namespace stream::expr
