// SPDX-License-Identifier: Apache-2.0
// expr_eval PROGRAMS EVENTS [--libjq]: what each expression gives for each event, for tests/check/jq_*.py.
//
// PROGRAMS holds one JSON string a line, EVENTS one JSON object a line. A line for each program and event,
//     [program,event,[result,…],null]      or a string in place of null: the expression failed on the event
// where the results before the failure stand in the list, and after the last event of a program
//     {"program":i,"compiled":true,"left_to_libjq":n,"holds_differs":[event,…]}
// `left_to_libjq` counts run() alone; `holds_differs` are the events (the first ten) for which holds() is
// not what the results say. A program that is none gives [i,-1,[],"why"] only. --libjq: nothing compiled.
#include "expr/expression.hpp"
#include "io/atomic_file.hpp"
#include "json/canonical.hpp"
#include "json/fields.hpp"
#include "json/scanner.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace stream;

constexpr std::size_t file_max = 256u << 20;
constexpr std::size_t differences_max = 10;

std::string read_or_die(const char* path) {
    auto bytes = read_file(path, file_max);
    if (!bytes) {
        std::fprintf(stderr, "expr_eval: %s: %s\n", path, bytes.error().message().c_str());
        std::exit(2);
    }
    if (!bytes->empty() && bytes->back() != '\n') *bytes += '\n';
    return std::move(*bytes);
}

expr::Settings settings_of_process(bool compile) {
    expr::Settings settings;
    settings.now = 1'700'000'000.25;
    settings.compile = compile;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        settings.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return settings;
}

void write_out(std::string& out) {
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
    out.clear();
}

void append_place(std::string& out, std::size_t program, long event) {
    out += '[' + std::to_string(program) + ',' + std::to_string(event) + ",[";
}

// Whether holds() says of this event what run() gave: `truthy` among its results, or a failure. It may
// stop at the first truthy result and not see a failure after it.
bool holds_agrees(expr::Expression& expression, const Scanner& scanner, bool failed, bool truthy) {
    auto holds = expression.holds(scanner.line(), scanner.values());
    return holds ? *holds == truthy && (truthy || !failed) : failed;
}

void run_program(std::size_t number, std::string_view program, const expr::Settings& settings,
                 const std::string& events, std::size_t size) {
    std::string out;
    FieldSet fields;
    auto expression = expr::Expression::make(program, settings, fields);
    if (!expression) {
        append_place(out, number, -1);
        out += "],";
        append_quoted(out, expression.error().message());
        out += "]\n";
        return write_out(out);
    }
    Scanner scanner(fields);
    scanner.start(events.data(), size);
    std::uint64_t left = 0;
    std::string differs;
    std::size_t differences = 0;
    for (long event = 0;; ++event) {
        const Scanner::Outcome outcome = scanner.next();
        if (outcome == Scanner::Outcome::end) break;
        append_place(out, number, event);
        if (outcome == Scanner::Outcome::bad) {
            out += "],";
            append_quoted(out, "no event: " + scanner.fault().reason);
            out += "]\n";
            continue;
        }
        const std::uint64_t left_before = expression->left_to_libjq();
        auto ran = expression->run(scanner.line(), scanner.values());
        left += expression->left_to_libjq() - left_before;
        const std::vector<Value>& results = expression->results();
        const std::size_t count =
            ran ? results.size() : std::min(results.size(), expression->results_before_failure());
        bool truthy = false;
        for (std::size_t i = 0; i < count; ++i) {
            if (i > 0) out += ',';
            out += results[i].text;
            truthy = truthy || results[i].is_truthy();
        }
        out += "],";
        if (ran)
            out += "null";
        else
            append_quoted(out, ran.error().message());
        out += "]\n";
        if (out.size() > 1u << 20) write_out(out);
        if (!holds_agrees(*expression, scanner, !ran, truthy) && differences++ < differences_max) {
            differs += (differs.empty() ? "" : ",") + std::to_string(event);
        }
    }
    out += "{\"program\":" + std::to_string(number) +
           ",\"compiled\":" + (expression->is_compiled() ? "true" : "false") +
           ",\"left_to_libjq\":" + std::to_string(left) + ",\"holds_differs\":[" + differs + "]}\n";
    write_out(out);
}

}  // namespace

int main(int count, char** arguments) {
    const bool libjq = count == 4 && std::string_view(arguments[3]) == "--libjq";
    if (count != 3 && !libjq) {
        std::fputs("usage: expr_eval PROGRAMS EVENTS [--libjq]\n", stderr);
        return 2;
    }
    const std::string programs = read_or_die(arguments[1]);
    std::string events = read_or_die(arguments[2]);
    const std::size_t size = events.size();
    events.append(scanner_padding, '\0');
    const expr::Settings settings = settings_of_process(!libjq);
    std::size_t number = 0;
    for (std::size_t at = 0; at < programs.size(); ++number) {
        const std::size_t end = programs.find('\n', at);
        std::string program;
        append_unescaped(program, value_of(std::string_view(programs).substr(at, end - at)));
        run_program(number, program, settings, events, size);
        at = end + 1;
    }
    return 0;
}
