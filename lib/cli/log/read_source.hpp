// SPDX-License-Identifier: Apache-2.0
// stream-log read as a source of the pump: in a run, and where partitions are merged.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/log/arguments.hpp"
#include "cli/pump.hpp"
#include "cli/tool.hpp"
#include "io/source.hpp"

namespace stream {

struct ReadSourceOptions {
    std::vector<std::uint32_t> partitions;
    bool follow = false;
    // In a run: a --to that no event has reached yet is looked for again by the next call, and a place is kept.
    bool in_run = false;
    PumpPlan::Placing placing;
};

// The records between --from and --to, perhaps in envelopes. A place holds the next offset of each partition and where
// --to was found to be: what --from and --to said when reading began is so for good. Gaps that are skipped, and damage,
// are told once. ErrorKind::data: a gap. `tool` and `arguments` outlive the source.
Result<std::unique_ptr<PlacedSource>> open_read_source(Tool& tool, const LogArguments& arguments, ReadSourceOptions options);

}  // namespace stream
