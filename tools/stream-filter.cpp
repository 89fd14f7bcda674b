// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/tool.hpp"
#include "ops/filter.hpp"

using namespace stream;

int main(int argc, char** argv) {
    Tool tool("stream-filter", "events for which an expression of jq's language holds", "stream-filter EXPR [OPTION…] [FILE…]");
    Options& options = tool.options();
    options.example("stream-filter '.status >= 500' access.ndjson", "server errors, byte for byte as they came");
    options.example("stream-filter '.method == \"POST\" and (.path | startswith(\"/api/\"))' access.ndjson", "two tests at once");
    options.example("stream-filter -v '.agent | test(\"bot|crawler\"; \"i\")' access.ndjson", "all but the robots");
    options.example("stream-filter -q '.level == \"fatal\"' app.ndjson && page-me", "was there one?");
    options.example("stream-filter '(.ts | seconds) > now - 3600' app.ndjson", "the last hour");
    std::vector<std::string> words;
    FilterOptions filter;
    bool explain = false;
    options.positionals({"EXPR [FILE…]", "EXPR: what must be neither false nor null, in jq's language.\n    FILE: what to read; - is stdin", {}, true}, words);
    options.flag("--invert", "-v", "events for which EXPR does not hold", filter.invert);
    options.flag("--quiet", "-q", "write nothing, stop at the first event found; exit 1 if there is none", filter.quiet);
    options.flag("--explain", "", "say how EXPR runs (compiled, or in libjq and why), and read nothing", explain);
    tool.share(shared_expressions | shared_bad | shared_output | shared_report);
    return tool.run(argc, argv, [&]() -> Result<std::unique_ptr<Operator>> {
        auto program = tool.take_expression(words, ".status >= 500");
        if (!program) return pass_on(program);
        auto made = expr::Expression::make(*program, tool.plan().expressions, tool.fields());
        if (!made) return pass_on(made);
        if (made->is_assignment()) {
            return fail(ErrorKind::usage, "an assignment as a condition, which always holds: " + stream::quoted(*program), "== compares");
        }
        if (explain) {
            tool.answer(made->explain());
            return nullptr;
        }
        tool.plan().stateless = true;
        tool.plan().operator_fields = tool.fields().size();
        auto op = std::make_unique<Filter>(std::move(*made), filter);
        if (filter.quiet) {
            tool.on_done([found = op.get()](int status) {
                return status == exit_done && found->selected() == 0 ? static_cast<int>(exit_nothing_selected) : status;
            });
        }
        return op;
    });
}
