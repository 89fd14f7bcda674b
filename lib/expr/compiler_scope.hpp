// SPDX-License-Identifier: Apache-2.0
// Names in scope while a program is compiled; for the compiler's own files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "expr/compiler.hpp"

namespace stream::expr {

struct Compiler::Scope {
    enum class Kind : std::uint8_t {
        function,  // a `def`
        argument,  // what an argument's name stands for where the function is in place
        variable,
        alias,     // a variable that is a place in the event
        constant,  // --arg
        label,
    };
    Kind kind = Kind::variable;
    const Scope* up = nullptr;
    std::string name;
    std::size_t arity = 0;
    const Ast* ast = nullptr;       // function: the definition; argument: the expression
    const Scope* home = nullptr;    // argument: the scope it was written in
    std::size_t variable = 0;
    Steps at;                       // alias
    Val value;                      // constant
    const Label* label = nullptr;
    std::size_t wall = 0;           // label: within what it stands
};

}  // namespace stream::expr
