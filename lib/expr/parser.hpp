// SPDX-License-Identifier: Apache-2.0
// jq's grammar (jq 1.6's src/parser.y and lexer.l as documented by its manual; of 1.7, `if` without `else`).
#pragma once

#include <cstddef>
#include <string_view>

#include "base/error.hpp"
#include "expr/ast.hpp"

namespace stream::expr {

inline constexpr std::size_t program_max = 1u << 20;  // bytes of a program's text
inline constexpr unsigned program_depth_max = 500;    // of nesting, so that no text can exhaust the stack

// The program's tree. ErrorKind::usage with what was found and what was wanted, the place as a caret
// under the program's line (caret()). `import` and `include` are refused here by name.
Result<AstPtr> parse(std::string_view program);

// `message`, then the line of the program that holds `begin`, cut to about 70 columns around it, and
// under it a caret: what every error about a program ends with.
std::string caret(std::string_view message, std::string_view program, std::size_t begin);

}  // namespace stream::expr
