// SPDX-License-Identifier: Apache-2.0
#include "expr/parser_impl.hpp"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

namespace stream::expr {

Result<void> Parser::object(Tree& out) {
    const Token opened = token_;
    Tree tree = make(AstKind::object, opened.begin);
    do {
        STREAM_TRY(advance());
        if (is("}")) {
            // jq takes {} and a comma before the }, but not one by itself: the loop wants a member first.
            break;
        }
        STREAM_TRY(object_member(tree.ast->members.emplace_back(), tree.height));
    } while (is(","));
    const bool expression_here = operator_of(token_) != nullptr || is("?") || is("as");
    if (expression_here)
        return unexpected("\",\" or \"}\"", "a value with operators goes in parentheses: {a: (1 + 2)}");
    STREAM_TRY(close("}", opened));
    tree.ast->end = before_.end;
    out = std::move(tree);
    return {};
}

Result<void> Parser::object_member(Ast::Member& member, std::size_t& height) {
    Tree key;
    bool alone = true;  // may be without a value
    if (is("$")) {
        Tree value;
        STREAM_TRY(variable(value));
        if (value.ast->kind == AstKind::location) {
            token_ = before_;
            return unexpected("a variable's name", "{__loc__: $__loc__}");
        }
        key = make(AstKind::string, value.ast->begin);
        key.ast->end = value.ast->end;
        key.ast->kids.push_back(make(AstKind::string_part, value.ast->begin).ast);
        key.ast->kids.front()->end = value.ast->end;
        key.ast->kids.front()->text = value.ast->text;
        member.key = std::move(key.ast);
        member.value = std::move(value.ast);
        return {};
    }
    const Token first = token_;
    if (first.kind == TokenKind::word || first.kind == TokenKind::keyword) {
        key = word_as_string();
        alone = first.kind == TokenKind::word;
        STREAM_TRY(advance());
    } else if (first.begins_string()) {
        STREAM_TRY(string_alone(key));
    } else if (is("(")) {
        STREAM_TRY(key_in_parentheses(key));
        alone = false;
    } else {
        return unexpected("a key");
    }
    STREAM_TRY(grown(height, key));
    member.key = std::move(key.ast);
    if (alone && !is(":")) return {};
    if (!is(":") && first.kind == TokenKind::keyword) {
        const std::string word(first.text);
        return unexpected("\":\"", "{" + word + ": ." + word + "}");
    }
    STREAM_TRY(want(":"));
    Tree value;
    STREAM_TRY(object_value(value));
    STREAM_TRY(grown(height, value));
    member.value = std::move(value.ast);
    return {};
}

// Terms, -, and |: all that jq takes as a value outside parentheses.
Result<void> Parser::object_value(Tree& out) {
    const Nesting nesting(*this);
    STREAM_TRY(nesting.check());
    std::vector<Pending> pending;
    for (;;) {
        if (is("-")) {
            Tree tree = make(AstKind::negate, token_.begin);
            STREAM_TRY(advance());
            pending.push_back({std::move(tree), Level::additive});
            continue;
        }
        for (const std::string_view word : {"if", "reduce", "foreach", "try", "def", "label"}) {
            if (is(word))
                return unexpected("a value", "a value with operators goes in parentheses: {a: (1 + 2)}");
        }
        Tree operand;
        STREAM_TRY(term(operand));
        const bool more = is("|");
        while (!pending.empty() && (!more || pending.back().level == Level::additive)) {
            STREAM_TRY(fold(pending, operand));
        }
        if (!more) {
            out = std::move(operand);
            return {};
        }
        Tree tree = make(AstKind::pipe, operand.ast->begin);
        tree.ast->op[0] = '|';
        STREAM_TRY(adopt(tree, std::move(operand)));
        pending.push_back({std::move(tree), Level::pipe});
        STREAM_TRY(advance());
    }
}

Result<void> Parser::key_in_parentheses(Tree& out) {
    const Token opened = token_;
    STREAM_TRY(advance());
    STREAM_TRY(expression(out));
    STREAM_TRY(close(")", opened));
    out.ast->begin = opened.begin;
    out.ast->end = before_.end;
    return {};
}

Result<void> Parser::patterns(Ast& owner, std::size_t& height) {
    for (;;) {
        STREAM_TRY(pattern(*owner.patterns.emplace_back(std::make_unique<Pattern>()), height));
        if (!is("?//")) return {};
        STREAM_TRY(advance());
    }
}

Result<void> Parser::pattern(Pattern& out, std::size_t& height) {
    const Nesting nesting(*this);
    STREAM_TRY(nesting.check());
    const Token opened = token_;
    out.begin = opened.begin;
    if (is("$")) {
        STREAM_TRY(advance());
        return name(out.name, "a variable's name");
    }
    if (!is("[") && !is("{")) {
        const bool bare = token_.kind == TokenKind::word;
        return unexpected("a variable ($name), [ or {", bare ? fmt::format("${}", token_.text) : "");
    }
    out.kind = is("[") ? Pattern::Kind::array : Pattern::Kind::object;
    do {
        STREAM_TRY(advance());
        if (out.kind == Pattern::Kind::array) {
            STREAM_TRY(pattern(*out.items.emplace_back(std::make_unique<Pattern>()), height));
        } else {
            STREAM_TRY(pattern_member(out.members.emplace_back(), height));
        }
    } while (is(","));
    return close(out.kind == Pattern::Kind::array ? "]" : "}", opened);
}

// $name, $name: pattern, key: pattern. A key is a name, a keyword, a string or an expression in ( ).
Result<void> Parser::pattern_member(Pattern::Member& out, std::size_t& height) {
    if (is("$")) {
        STREAM_TRY(advance());
        STREAM_TRY(name(out.variable, "a variable's name"));
        if (!is(":")) return {};
    } else {
        Tree key;
        if (token_.kind == TokenKind::word || token_.kind == TokenKind::keyword) {
            key = word_as_string();
            STREAM_TRY(advance());
        } else if (token_.begins_string()) {
            STREAM_TRY(string_alone(key));
        } else if (is("(")) {
            STREAM_TRY(key_in_parentheses(key));
        } else {
            return unexpected("a key or a variable ($name)");
        }
        STREAM_TRY(grown(height, key));
        out.key = std::move(key.ast);
    }
    STREAM_TRY(want(":"));
    out.value = std::make_unique<Pattern>();
    return pattern(*out.value, height);
}

}  // namespace stream::expr
