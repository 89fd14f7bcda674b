// SPDX-License-Identifier: Apache-2.0
// Whether a program leaves a member of its input alone, told from its text: each object that it gives has the member
// with the value that it had, or has none of that name. What cannot be told is said to change it.
#pragma once

#include "expr/ast.hpp"
#include "json/member_names.hpp"

namespace stream::expr {

bool keeps_member(const Ast& program, const MemberNames& member);

}  // namespace stream::expr
