// SPDX-License-Identifier: Apache-2.0
// What every main() is made of: options shared by the tools, spelled and documented once; parsing;
// help; and running an operator through the pump.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/diagnostics.hpp"
#include "cli/expressions.hpp"
#include "cli/options.hpp"
#include "cli/pump.hpp"
#include "ops/operator.hpp"

namespace stream {

// Groups of shared options a tool may take.
enum Shared : unsigned {
    shared_time = 1,        // --time
    shared_time_text = 2,   // --time-format --time-unit --tz --base
    shared_watermark = 4,   // --lateness --idle --max-ahead
    shared_late = 8,        // --late
    shared_bad = 16,        // --bad --max-bad --max-line
    shared_memory = 32,     // --memory
    shared_spill = 64,      // --spill-max
    shared_state = 128,     // --state --final
    shared_output = 256,    // --line-buffered
    shared_report = 512,    // --progress --no-progress --stats
    shared_expressions = 1024,  // --arg --argjson
    shared_run = 2048,      // --name --control --watermark-every (with shared_report, too)
};

class Tool {
public:
    Tool(std::string name, std::string summary, std::string usage);

    Options& options() { return options_; }
    PumpPlan& plan() { return plan_; }
    FieldSet& fields() { return fields_; }
    Diagnostics& diagnostics() { return diagnostics_; }
    void share(unsigned groups);

    // Parses, answers --help and the like, and calls `build`, which checks what belongs together, fills
    // plan() and returns the operator; then pumps. Catches what memory running out throws. Returns the
    // exit status.
    int run(int argc, char** argv, const std::function<Result<std::unique_ptr<Operator>>()>& build);
    // The same for a tool without input: `work` does it all.
    int run_source(int argc, char** argv, const std::function<Result<int>()>& work);

    // The first of `words` is an expression, the others are the files to read.
    Result<std::string> take_expression(std::vector<std::string>& words, const std::string& example);
    // In `build`: there is nothing to pump, this is the answer (return a null operator then).
    void answer(std::string text) { answer_ = std::move(text); }
    // In `build`: there is nothing to pump, all is done, with this exit status (return a null operator then).
    void done(int status) { done_ = status; }
    // What becomes of the exit status at the end.
    void on_done(std::function<int(int)> done) { on_done_ = std::move(done); }

    // In `build`: the operator may give a member another value, as `may_change` says. Watermarks of it end here, and
    // what is written brings others.
    void changes_members(std::function<bool(const MemberNames&)> may_change);

    // --lateness as given; false for `all`.
    bool lateness_given() const { return lateness_given_; }
    // A seed for tables, different in each process.
    static std::uint64_t table_seed();

private:
    std::optional<int> parse(int argc, char** argv);
    int usage(const Error& error);
    int print(const std::string& text);
    Result<void> check_inputs() const;
    void name_in_run();

    std::string name_;
    Options options_;
    Diagnostics diagnostics_;
    PumpPlan plan_;
    FieldSet fields_;
    bool lateness_given_ = false;
    bool stdin_open_ = true;
    bool progress_ = false;
    bool no_progress_ = false;
    std::vector<std::string> arguments_;
    ExpressionArguments expression_arguments_;
    std::optional<std::string> answer_;
    std::optional<int> done_;
    std::function<int(int)> on_done_;
};

// Reads a duration, size, … of an option into a variable.
std::function<Result<void>(const std::string&)> into_duration(DurationNs& value);
std::function<Result<void>(const std::string&)> into_size(std::size_t& value);
std::function<Result<void>(const std::string&)> into_size64(std::uint64_t& value);
std::function<Result<void>(const std::string&)> into_count(std::uint64_t& value);

}  // namespace stream
