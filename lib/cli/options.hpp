// SPDX-License-Identifier: Apache-2.0
// A tool's options, declared once: the command line, --help, the man-page check and the shell
// completions all follow from this table. CLI11 does the parsing; only options.cpp knows it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace stream {

struct OptionInfo {
    std::string name;        // --lateness
    std::string short_name;  // -f, or empty
    std::string type;        // DUR, FILE, SIZE, …; empty for a flag
    std::string help;
    std::vector<std::string> values;  // the words it takes, where they are few
};

struct PositionalInfo {
    std::string name;  // FILE
    std::string help;
    std::vector<std::string> values;  // words to complete
    bool files = false;
    bool numbers = false;  // -5 and -2h are words too
};

class Options {
public:
    Options(std::string tool, std::string summary, std::string usage);
    ~Options();
    Options(const Options&) = delete;
    Options& operator=(const Options&) = delete;

    // Examples are shown first by --help, and the first two by the short help.
    void example(std::string command, std::string says);

    void flag(std::string name, std::string short_name, std::string help, bool& value);
    // Exactly one value; given twice is a usage error.
    void value(OptionInfo info, std::string& value);
    void value(OptionInfo info, std::optional<std::string>& value);
    // May be repeated.
    void values(OptionInfo info, std::vector<std::string>& values);
    // Calls `set` with the value; its failure is a usage error with the option's name in front.
    void parsed(OptionInfo info, std::function<Result<void>(const std::string&)> set);

    void positionals(PositionalInfo info, std::vector<std::string>& values);

    // What parse() asks its caller to do next.
    enum class Next : std::uint8_t { run, help, short_help, version, dump };
    Result<Next> parse(int argc, char** argv);

    // The options given, in the table's order, without those named: what a saved state depends on.
    std::string given(const std::vector<std::string>& without) const;
    // Their names, in the table's order.
    std::vector<std::string> given_names() const;

    std::string help_text() const;
    std::string short_help_text() const;
    std::string dump_text() const;  // one JSON line an option, for generators and checks

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace stream
