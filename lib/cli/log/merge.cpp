// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "cli/log/place.hpp"
#include "cli/log/read.hpp"
#include "cli/log/read_source.hpp"
#include "ops/cat.hpp"

namespace stream {

Result<std::unique_ptr<Operator>> merge_log(Tool& tool, const LogArguments& arguments) {
    auto manifest = load_manifest(arguments.folder());
    if (!manifest) return pass_on(manifest);
    const std::uint32_t count = manifest->config().partitions;
    auto chosen = parse_partitions(arguments.partitions.value_or("0-" + std::to_string(count - 1)), count);
    if (!chosen) return pass_on(chosen);
    PumpPlan& plan = tool.plan();
    for (const std::uint32_t p : *chosen) plan.files.push_back(arguments.folder() + " (partition " + std::to_string(p) + ")");
    plan.run_paths = {arguments.folder()};
    const auto open = [&tool, &arguments, partitions = *chosen](std::size_t input, bool in_run, const PumpPlan::Placing& placing) {
        return open_read_source(tool, arguments, {{partitions[input]}, arguments.follow, in_run, placing});
    };
    plan.open_input = [&tool, open](std::size_t input) -> Result<std::unique_ptr<ByteSource>> {
        auto source = open(input, false, {"", false, [&tool](const std::string& what) { tool.diagnostics().say(what); }});
        if (!source) return pass_on(source);
        return std::unique_ptr<ByteSource>(std::move(*source));
    };
    plan.open_placed = [open](std::size_t input, const PumpPlan::Placing& placing) { return open(input, true, placing); };
    plan.follow = arguments.follow;
    plan.merge = true;
    plan.time_need = TimeNeed::required;
    plan.time_field = time_field_of(plan.time_field, manifest->config());
    return std::make_unique<Cat>(CatOptions{});
}

}  // namespace stream
