// SPDX-License-Identifier: Apache-2.0
// stream-run: starts the pipeline, asks for epochs, commits them, starts it again when it fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "cli/diagnostics.hpp"

namespace stream {

struct RunOptions {
    std::string folder;
    std::string command;         // -c: for bash -o pipefail -c
    std::string file;            // else: run by its own first line
    std::int64_t every_ns = 1'000'000'000;
    bool once = false;
    bool drain = false;
    std::uint64_t restarts = 5;  // since the last commit
    std::string output;          // --output; empty: our stdout
    std::optional<std::uint64_t> sinks;
    bool strict = false;
    std::string metrics;         // --metrics: where they are to be had; empty: nowhere
    bool at_most_once = false;
};

// What run.json calls the pipeline.
std::string pipeline_of(const RunOptions& options);

// The exit status.
Result<int> run_pipeline(const RunOptions& options, Diagnostics& diagnostics);
struct StatusOptions {
    std::string folder;
    bool json = false;
    bool once = false;           // also on a terminal
};
Result<int> show_status(const StatusOptions& options, Diagnostics& diagnostics);
Result<int> reset_run(const std::string& folder, Diagnostics& diagnostics);

}  // namespace stream
