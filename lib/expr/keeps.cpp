// SPDX-License-Identifier: Apache-2.0
#include "expr/keeps.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace stream::expr {

namespace {

using Kids = const std::vector<AstPtr>&;

std::optional<std::string_view> constant_string(const Ast& ast) {
    if (ast.kind != AstKind::string || !ast.text.empty()) return std::nullopt;
    if (ast.kids.empty()) return std::string_view();
    if (ast.kids.size() > 1 || ast.kids[0]->kind != AstKind::string_part) return std::nullopt;
    return std::string_view(ast.kids[0]->text);
}

// No path of the program's own functions comes here: below a `def` nothing is looked at.
bool is_call(const Ast& ast, std::string_view name, std::size_t arguments) {
    return ast.kind == AstKind::call && ast.text == name && ast.kids.size() == arguments;
}

// Gives its input, or nothing.
bool is_input(const Ast& ast) {
    return ast.kind == AstKind::identity || is_call(ast, "select", 1) || is_call(ast, "objects", 0) || is_call(ast, "values", 0) || is_call(ast, "empty", 0);
}

class Keeper {
public:
    explicit Keeper(const MemberNames& member) : member_(member) {}

    bool keeps(const Ast& ast) const {
        if (is_input(ast) || is_call(ast, "error", 0) || is_call(ast, "error", 1)) return true;
        Kids kids = ast.kids;
        switch (ast.kind) {
            case AstKind::pipe:
            case AstKind::comma:
            case AstKind::alternative: return keeps(*kids[0]) && keeps(*kids[1]);
            case AstKind::conditional: return keeps(*kids[1]) && (kids[2] == nullptr || keeps(*kids[2]));
            case AstKind::attempt: return keeps(*kids[0]) && (kids[1] == nullptr || is_call(*kids[1], "empty", 0));
            case AstKind::bind: return keeps(*kids[1]);
            case AstKind::reduce: return keeps(*kids[1]) && keeps(*kids[2]);
            case AstKind::object: return keeps_object(ast);
            case AstKind::arithmetic: return keeps_sum(*kids[0], ast.op, *kids[1]);
            case AstKind::assign:
                return misses(*kids[0]) || (kids[0]->kind == AstKind::identity && std::string_view(ast.op) == "+=" && keeps_sum(*kids[0], "+", *kids[1]));
            case AstKind::call: return is_call(ast, "del", 1) && keeps_deleted(*kids[0]);
            default: return false;
        }
    }

private:
    // Without one of the names the member is not there. With a path, part of it may be left that reads as another.
    bool keeps_object(const Ast& ast) const {
        return !member_.is_any() && std::all_of(ast.members.begin(), ast.members.end(), [&](const Ast::Member& one) {
            const auto key = constant_string(*one.key);
            return key && (!member_.has(*key) || (member_.is_plain() && is_copy(one, *key)));
        });
    }

    // {ts}, {ts: .ts}
    static bool is_copy(const Ast::Member& one, std::string_view key) {
        return one.value == nullptr || (one.value->kind == AstKind::field && one.value->has_text && one.value->text == key && one.value->kids[0]->kind == AstKind::identity);
    }

    // What the right one has takes the place of what the left one had.
    bool keeps_sum(const Ast& left, std::string_view op, const Ast& right) const {
        const bool literal = right.kind == AstKind::object;
        if (op == "*") return literal && keeps(left) && lacks(right);
        if (op != "+") return false;
        const bool covers = literal && member_.is_plain() && !lacks(right);
        return keeps(right) && (covers || keeps(left));
    }

    // An object that has none of the names. (Its keys were all looked at before: they are constant.)
    bool lacks(const Ast& object) const {
        return std::none_of(object.members.begin(), object.members.end(), [&](const Ast::Member& one) {
            const auto key = constant_string(*one.key);
            return !key || member_.has(*key);
        });
    }

    // What is not there is not changed; but what a path led to may give way to the member of exactly that name.
    bool keeps_deleted(const Ast& path) const {
        if (misses(path)) return true;
        if (path.kind == AstKind::comma) return keeps_deleted(*path.kids[0]) && keeps_deleted(*path.kids[1]);
        return member_.is_plain() && path.kind == AstKind::field && path.has_text && path.kids[0]->kind == AstKind::identity;
    }

    // Whether every path that the expression gives begins with another member.
    bool misses(const Ast& path) const {
        if (is_call(path, "empty", 0)) return true;
        Kids kids = path.kids;
        switch (path.kind) {
            case AstKind::field:
                if (!is_input(*kids[0])) return misses(*kids[0]);
                return path.has_text ? !member_.has(path.text) : misses_key(*kids[1]);
            case AstKind::index: return is_input(*kids[0]) ? misses_key(*kids[1]) : misses(*kids[0]);
            case AstKind::slice:
            case AstKind::iterate: return misses(*kids[0]);
            case AstKind::comma:
            case AstKind::alternative: return misses(*kids[0]) && misses(*kids[1]);
            case AstKind::pipe: return misses(*kids[is_input(*kids[0]) ? 1 : 0]);
            case AstKind::conditional: return misses(*kids[1]) && kids[2] != nullptr && misses(*kids[2]);
            case AstKind::attempt: return misses(*kids[0]) && kids[1] == nullptr;
            default: return false;
        }
    }

    bool misses_key(const Ast& key) const {
        const auto name = constant_string(key);
        return name && !member_.has(*name);
    }

    const MemberNames& member_;
};

}  // namespace

bool keeps_member(const Ast& program, const MemberNames& member) { return Keeper(member).keeps(program); }

}  // namespace stream::expr
