// SPDX-License-Identifier: Apache-2.0
// Whether the names in a program mean something, and whether they may be used here.
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "expr/ast.hpp"
#include "expr/expression.hpp"

namespace stream::expr {

struct NamesUsed {
    bool now = false;
    bool seconds = false;
    bool environment = false;  // env, $ENV, and what goes by the zone that TZ names
};

// ErrorKind::usage, with a caret, for a function or variable that is not defined, a label that is not
// there, and for what reads other inputs or files or ends the program (input, debug, halt …).
Result<NamesUsed> check_names(const Ast& program, std::string_view text, const Settings& settings);

}  // namespace stream::expr
