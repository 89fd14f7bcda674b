// SPDX-License-Identifier: Apache-2.0
// What a command line says about expressions: --arg and --argjson, and the world they see (the time and
// the environment of the run's start).
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/options.hpp"
#include "expr/expression.hpp"

namespace stream {

class ExpressionArguments {
public:
    // --arg NAME=TEXT, --argjson NAME=JSON.
    void add_options(Options& options);
    // What expressions are made with. ErrorKind::usage for arguments that are none.
    Result<expr::Settings> settings() const;

private:
    std::vector<std::string> text_;
    std::vector<std::string> json_;
};

}  // namespace stream
