// SPDX-License-Identifier: Apache-2.0
// The simulator campaign of the log: scenarios are run on a simulated disk, at every call that changes
// something many of the disks are drawn that a crash there may leave, and each of them is opened and judged.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "fault/log_crash_model.hpp"
#include "fault/log_crash_seam.hpp"
#include "log/reader.hpp"
#include "log/writer.hpp"
#include "support/simulated_disk.hpp"

namespace stream::test {

// Where a scenario is at home.
struct World {
    World(SimulatedDisk& on, const std::string& plant, Model& what, std::uint64_t seed) : disk(on), files(on, plant), model(what), random(seed) {}

    SimulatedDisk& disk;
    Seam files;
    Model& model;
    SeededRandom random;
};

struct Scenario {
    std::string name;
    std::function<void(World&)> run;
    unsigned share = 1;  // of the draws at each stop; 0: half of them
};
// Each file of scenarios adds its own.
std::vector<Scenario>& scenarios();
struct AddScenario {
    explicit AddScenario(Scenario scenario) { scenarios().push_back(std::move(scenario)); }
};

// An operation of the log failed.
struct OperationFailed {
    Error error;
    std::string what;
};
template <class T>
T ok(Result<T> result, std::string what) {
    if (!result) throw OperationFailed{std::move(result.error()), std::move(what)};
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// --- What scenarios are made of (log_crash_steps.cpp). ---

void make_log(World& world, const log::LogConfig& config);
log::LogWriter open_writer(World& world, bool sync = true);
// A record for the model's next: `size` bytes at most, in any partition.
GivenRecord some_record(World& world, std::size_t size);
std::vector<GivenRecord> some_batch(World& world, std::size_t records, std::size_t size);
// add(), commit(), and what the acknowledgement says is compared.
void append(World& world, log::LogWriter& writer, std::vector<GivenRecord> batch, bool sync = true);
// add(), publish(), and what the acknowledgement and published() say is compared.
void publish(World& world, log::LogWriter& writer, const std::string& run, const std::string& sink, std::uint64_t epoch, std::vector<GivenRecord> batch);
// Begins the upkeep, does it, and it is done.
void do_upkeep(World& world, Upkeep upkeep);
// Sequence numbers of the records in sealed segments that `which` is true of.
std::vector<std::uint64_t> in_sealed(World& world, const std::function<bool(const GivenRecord&)>& which);
// Everything a reader shows. An error is an OperationFailed.
SeenLog read_all(FileSystem& files, const std::string& folder, bool skip_corrupt = false);
std::map<std::string, std::string> files_of(SimulatedDisk& disk, const std::string& folder = "");
// What a log that was crashed goes on with: recovery, what was being done to it, and more appends.
void go_on(World& world);

// --- Judging one disk (log_crash_judge.cpp). ---

struct Expect {
    bool power_failed = false;   // else only the processes died
    bool acknowledged = true;    // what was acknowledged must be there; false: the disk lied
    bool may_be_damaged = false; // ErrorKind::corrupt is an answer
    bool names_are_lost = false; // a sync of a folder failed: what was in the page cache of it will never be durable
};
// What is on the disk after the crash, and after recovery and more. A broken promise is a Violation.
// `model` becomes what the disk, not yet recovered, is known to hold where the power failed.
void judge_disk(const SimulatedDisk& disk, Model& model, const Expect& expect, const std::string& plant, std::uint64_t seed);
// What readers of a living log may see at any time. Up to which sequence number they do.
std::uint64_t judge_living(SimulatedDisk& disk, const Model& model);
// Throws where a file holds a secret, as it is or compressed.
void judge_secrets(SimulatedDisk& disk, const Model& model);

}  // namespace stream::test
