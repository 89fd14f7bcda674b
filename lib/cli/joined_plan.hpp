// SPDX-License-Identifier: Apache-2.0
// The options of tools that join stdin (LEFT) with a file (RIGHT): what is LEFT[=RIGHT], and where it goes in the plan.
#pragma once

#include <string>

#include "base/error.hpp"
#include "cli/pump.hpp"
#include "json/fields.hpp"

namespace stream {

struct JoinedArguments {
    std::string time;      // LEFT[=RIGHT]
    std::string lateness;  // LEFT[=RIGHT], each a duration or `all`
    std::string format;    // LEFT[=RIGHT]; RIGHT's goes by its name where it is not said
    bool follow = false;   // RIGHT goes on growing
    FieldSet left_fields;
    FieldSet right_fields;
};

// A duration that is not negative, or `all`. Empty: nothing is changed. ErrorKind::usage.
Result<void> read_lateness(const std::string& text, DurationNs& lateness, bool& all);

// Two inputs, `-` and `right`. `a` must outlive the plan.
Result<void> plan_joined(PumpPlan& plan, const std::string& right, JoinedArguments& a);

}  // namespace stream
