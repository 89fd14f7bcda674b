// SPDX-License-Identifier: Apache-2.0
#include "expr/parser_impl.hpp"

#include <utility>

namespace stream::expr {

Parser::Tree Parser::make(AstKind kind, std::size_t begin) const {
    Tree tree{std::make_unique<Ast>(), 1};
    tree.ast->kind = kind;
    tree.ast->begin = begin;
    tree.ast->end = token_.end;
    return tree;
}

Parser::Tree Parser::make_text(AstKind kind, std::string_view text) const {
    Tree tree = make(kind, token_.begin);
    tree.ast->text = text;
    return tree;
}

// A name or keyword as an object's key.
Parser::Tree Parser::word_as_string() const {
    Tree tree = make(AstKind::string, token_.begin);
    tree.ast->kids.push_back(make_text(AstKind::string_part, token_.text).ast);
    tree.height = 2;
    return tree;
}

Result<void> Parser::adopt(Tree& parent, Tree&& kid) const {
    STREAM_TRY(grown(parent.height, kid));
    parent.ast->end = kid.ast->end;
    parent.ast->kids.push_back(std::move(kid.ast));
    return {};
}

Result<void> Parser::grown(std::size_t& height, const Tree& kid) const {
    if (kid.height >= height) height = kid.height + 1;
    if (height > tree_height_max) return too_long(kid.ast->begin);
    return {};
}

Result<void> Parser::advance() {
    before_ = token_;
    return lexer_.next(token_);
}

Result<void> Parser::term(Tree& out) {
    STREAM_TRY(primary(out));
    return suffixes(out);
}

Result<void> Parser::primary(Tree& out) {
    const Token first = token_;
    switch (first.kind) {
        case TokenKind::field:  // of the input; the name is a suffix
            out = make(AstKind::identity, first.begin);
            out.ast->end = first.begin + 1;
            return {};
        case TokenKind::number:
            out = make_text(AstKind::number, first.text);
            return advance();
        case TokenKind::quote:
        case TokenKind::format:
            return string(out);
        case TokenKind::word:
            return call(out);
        default:
            break;
    }
    if (is("..")) {
        out = make(AstKind::recurse, first.begin);
        return advance();
    }
    if (is(".")) {
        out = make(AstKind::identity, first.begin);
        STREAM_TRY(advance());
        return token_.begins_string() ? member_name(out) : Result<void>{};
    }
    if (is("$")) return variable(out);
    if (is("{")) return object(out);
    if (is("break")) {
        out = make(AstKind::break_to, first.begin);
        STREAM_TRY(advance());
        STREAM_TRY(want("$"));
        STREAM_TRY(name(out.ast->text, "a label's name"));
        out.ast->end = before_.end;
        return {};
    }
    if (is("(")) {
        STREAM_TRY(advance());
        STREAM_TRY(expression(out));
        STREAM_TRY(close(")", first));
        out.ast->begin = first.begin;
        out.ast->end = before_.end;
        return {};
    }
    if (is("[")) {
        Tree tree = make(AstKind::array, first.begin);
        STREAM_TRY(advance());
        if (!is("]")) {
            Tree inside;
            STREAM_TRY(expression(inside));
            STREAM_TRY(adopt(tree, std::move(inside)));
        }
        STREAM_TRY(close("]", first));
        tree.ast->end = before_.end;
        out = std::move(tree);
        return {};
    }
    return unexpected("an expression");
}

// .name ."name" [index] [from:to] [], each with at most one "?" of its own.
Result<void> Parser::suffixes(Tree& out) {
    for (;;) {
        if (token_.kind == TokenKind::field) {
            Tree tree = make_text(AstKind::field, token_.text.substr(1));
            tree.ast->begin = out.ast->begin;
            tree.ast->has_text = true;
            const std::size_t end = token_.end;
            STREAM_TRY(adopt(tree, std::move(out)));
            tree.ast->end = end;
            out = std::move(tree);
            STREAM_TRY(advance());
            STREAM_TRY(optional_step(out));
        } else if (is(".")) {
            STREAM_TRY(advance());
            if (!token_.begins_string()) return unexpected("a name");
            STREAM_TRY(member_name(out));
        } else if (is("[")) {
            STREAM_TRY(brackets(out));
        } else {
            return {};
        }
    }
}

// A "?" right behind a step of a path is the step's own.
Result<void> Parser::optional_step(Tree& target) {
    if (!is("?")) return {};
    STREAM_TRY(optional(target));
    target.ast->op[0] = '?';
    return {};
}

// ."name" at the string: a plain one is as good as .name
Result<void> Parser::member_name(Tree& target) {
    Tree tree = make(AstKind::field, target.ast->begin);
    Tree key;
    STREAM_TRY(adopt(tree, std::move(target)));
    STREAM_TRY(string_alone(key));
    const auto& parts = key.ast->kids;
    if (parts.empty() || (parts.size() == 1 && parts.front()->kind == AstKind::string_part)) {
        tree.ast->has_text = true;
        if (!parts.empty()) tree.ast->text = parts.front()->text;
    } else {
        STREAM_TRY(adopt(tree, std::move(key)));
    }
    tree.ast->end = before_.end;
    target = std::move(tree);
    return optional_step(target);
}

Result<void> Parser::brackets(Tree& target) {
    const Token opened = token_;
    Tree tree = make(AstKind::iterate, target.ast->begin);
    STREAM_TRY(adopt(tree, std::move(target)));
    STREAM_TRY(advance());
    if (!is("]")) {
        Tree from;
        tree.ast->kind = AstKind::index;
        if (is(":")) {
            tree.ast->kids.emplace_back();
        } else {
            STREAM_TRY(expression(from));
            STREAM_TRY(adopt(tree, std::move(from)));
        }
        if (is(":")) {
            const bool open_start = tree.ast->kids.back() == nullptr;
            tree.ast->kind = AstKind::slice;
            STREAM_TRY(advance());
            if (is("]") && !open_start) {
                tree.ast->kids.emplace_back();
            } else {
                Tree to;
                STREAM_TRY(expression(to));
                STREAM_TRY(adopt(tree, std::move(to)));
            }
        }
    }
    STREAM_TRY(close("]", opened));
    tree.ast->end = before_.end;
    target = std::move(tree);
    return optional_step(target);
}

// "…", @format "…", or @format by itself, which is a filter.
Result<void> Parser::string(Tree& out) {
    Tree tree = make_text(AstKind::string, {});
    if (token_.kind == TokenKind::format) {
        tree.ast->text = token_.text;
        STREAM_TRY(advance());
        if (token_.kind != TokenKind::quote) {
            tree.ast->kind = AstKind::format;
            tree.ast->end = before_.end;
            out = std::move(tree);
            return {};
        }
    }
    const Token opened = token_;
    for (;;) {
        Lexer::Chunk chunk;
        const std::size_t begin = lexer_.place();
        STREAM_TRY(lexer_.string_chunk(opened.begin, chunk));
        const std::size_t end = lexer_.place() - (chunk.interpolation ? 2 : 1);
        if (!chunk.text.empty()) {
            Tree part = make(AstKind::string_part, begin);
            part.ast->end = end;
            part.ast->text = std::move(chunk.text);
            STREAM_TRY(adopt(tree, std::move(part)));
        }
        if (!chunk.interpolation) break;
        Token bracket = opened;  // the ( of the interpolation, for messages
        bracket.begin = end + 1;
        bracket.end = end + 2;
        bracket.kind = TokenKind::symbol;
        bracket.text = program_.substr(bracket.begin, 1);
        token_ = bracket;
        STREAM_TRY(advance());
        Tree inside;
        STREAM_TRY(expression(inside));
        STREAM_TRY(adopt(tree, std::move(inside)));
        // Behind the bracket the string goes on: no word is to be read there.
        if (!is(")")) return close(")", bracket);
    }
    tree.ast->end = lexer_.place();
    token_.end = lexer_.place();
    out = std::move(tree);
    return advance();
}

// Where a format by itself, which is no string, cannot stand.
Result<void> Parser::string_alone(Tree& out) {
    STREAM_TRY(string(out));
    return out.ast->kind == AstKind::string ? Result<void>{} : unexpected("a string");
}

Result<void> Parser::call(Tree& out) {
    Tree tree = make_text(AstKind::call, token_.text);
    STREAM_TRY(advance());
    if (is("(")) {
        const Token opened = token_;
        do {
            Tree argument;
            STREAM_TRY(advance());
            STREAM_TRY(expression(argument));
            STREAM_TRY(adopt(tree, std::move(argument)));
        } while (is(";"));
        STREAM_TRY(close(")", opened));
    }
    tree.ast->end = before_.end;
    out = std::move(tree);
    return {};
}

Result<void> Parser::variable(Tree& out) {
    Tree tree = make(AstKind::variable, token_.begin);
    STREAM_TRY(advance());
    if (is("__loc__")) {
        tree.ast->kind = AstKind::location;
        for (; line_place_ < tree.ast->begin; ++line_place_) line_ += program_[line_place_] == '\n' ? 1u : 0u;
        tree.ast->line = line_;
        STREAM_TRY(advance());
    } else {
        STREAM_TRY(name(tree.ast->text, "a variable's name"));
    }
    tree.ast->end = before_.end;
    out = std::move(tree);
    return {};
}

}  // namespace stream::expr
