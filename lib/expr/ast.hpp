// SPDX-License-Identifier: Apache-2.0
// jq's language as a tree, as the parser (expr/parser.hpp) leaves it: names are not looked up yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stream::expr {

struct Ast;
using AstPtr = std::unique_ptr<Ast>;

enum class AstKind : std::uint8_t {
    identity,       // .
    recurse,        // ..
    field,          // a.name  a."name"  a.["x"] is an index; kids: target, and the name as an expression in
                    // `text` where it is plain (has_text), else a second kid
    index,          // a[b]; kids: target, index
    slice,          // a[b:c]; kids: target, from or nullptr, to or nullptr
    iterate,        // a[]; kids: target
    number,         // text: as written
    string,         // kids: the interpolated parts, each a `string_part` or an expression; format in `text` (empty: text)
    string_part,    // text: UTF-8 after unescaping
    format,         // @csv, as a filter; text: with the @
    array,          // [] or [a]; kids: none or one
    object,         // members
    negate,         // -a
    pipe,           // a | b
    comma,          // a, b
    arithmetic,     // op: + - * / %
    comparison,     // op: == != < <= > >=
    logic_and,
    logic_or,
    alternative,    // a // b
    assign,         // op: = |= += -= *= /= %= //=
    conditional,    // kids: condition, then, else; an absent else is nullptr (jq 1.7)
    attempt,        // try a catch b: kids: a, and b or nullptr; `a?` is one without b
                    // op "?": `.b?`, `[…]?` behind a: jq tries only that step, errors of a itself pass.
                    // op "": `try a`, and the `?` of any other expression: all of it is tried
    reduce,         // kids: source, init, update; patterns
    foreach,        // kids: source, init, update, and extract or nullptr; patterns
    bind,           // kids: source, body; patterns (several: ?//)
    define,         // def name(params): body; rest.  text: name; params; kids: body, rest
    call,           // text: name; kids: arguments
    variable,       // text: without the $ ($__loc__ is `location`)
    location,       // $__loc__; line
    label,          // label $text | kid
    break_to,       // break $text
};

struct Pattern {
    enum class Kind : std::uint8_t { variable, array, object };
    struct Member {
        std::string variable;         // {$a} or {$a: pattern}: also binds the member's value; empty: none
        AstPtr key;                   // nullptr where `variable` is the key
        std::unique_ptr<Pattern> value;  // nullptr: only the variable
    };
    Kind kind = Kind::variable;
    std::string name;                             // variable
    std::vector<std::unique_ptr<Pattern>> items;  // array
    std::vector<Member> members;                  // object
    std::size_t begin = 0;
};

struct Ast {
    struct Member {  // of an object construction
        AstPtr key;    // a `string`, or any expression in ( ); names and keywords come as a `string` of one part
        AstPtr value;  // nullptr: {name}, {"name"}, {@base64 "…"}: the input's member of that name
        // {$x} comes as key "x", value `variable`; {$__loc__} as key "__loc__", value `location`.
    };
    struct Parameter {
        std::string name;
        bool by_value = false;  // $name
    };

    AstKind kind = AstKind::identity;
    std::size_t begin = 0;  // bytes in the program's text, for carets and --explain
    std::size_t end = 0;
    std::string text;
    bool has_text = false;  // field: the name is `text`
    char op[4] = {0, 0, 0, 0};  // "+", "==", "//=" …, zero terminated
    std::size_t line = 0;       // location
    std::vector<AstPtr> kids;
    std::vector<Member> members;
    std::vector<Parameter> params;
    std::vector<std::unique_ptr<Pattern>> patterns;
};

}  // namespace stream::expr
