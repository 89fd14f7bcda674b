// SPDX-License-Identifier: Apache-2.0
// What stands between the log and the simulated disk: it tells of each call that changes something before it
// is done, and may plant a bug (a sync that is not done), to show that the campaign finds it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/file_system.hpp"
#include "support/simulated_disk.hpp"

namespace stream::test {

// A call that is about to change something.
struct Stop {
    std::uint64_t number = 0;  // from 1
    std::string_view what;
    std::string_view path;
    bool is_write = false;     // of these bytes, there
    std::string_view bytes;
    std::uint64_t position = 0;
};

// What can be planted, and a scenario that it breaks.
struct Plant {
    std::string_view name;
    std::string_view scenario;
};
const std::vector<Plant>& plants();

class Seam final : public FileSystem {
public:
    using Hook = std::function<void(const Stop&)>;

    // A plant of `unlockable` is no bug: a reader that may not lock, and so goes by head.
    Seam(SimulatedDisk& disk, std::string plant) : disk_(disk), plant_(std::move(plant)) {}

    void set_hook(Hook hook) { hook_ = std::move(hook); }
    // Changing calls so far.
    std::uint64_t stops() const { return stops_; }
    SimulatedDisk& disk() { return disk_; }

    Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
    Result<std::unique_ptr<File>> open_if_there(const std::string& path, Open how) override;
    Result<bool> make_folder(const std::string& path) override;
    Result<std::optional<std::vector<std::string>>> list(const std::string& folder) override { return disk_.list(folder); }
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<void> sync_folder(const std::string& folder) override;
    Result<std::unique_ptr<FileLock>> lock(const std::string& path, bool wait) override;
    Result<std::unique_ptr<FileLock>> lock_to_read(const std::string& path) override;
    std::uint64_t random() override { return disk_.random(); }
    std::int64_t now_ns() override { return disk_.now_ns(); }

private:
    class SeamFile;

    void tell(std::string_view what, std::string_view path, std::string_view bytes = {}, std::uint64_t position = 0);
    bool planted(std::string_view name) const { return plant_ == name; }
    std::string real_path(const std::string& path) const;
    void remove_early(const std::string& path, std::string_view entry);

    SimulatedDisk& disk_;
    std::string plant_;
    Hook hook_;
    std::uint64_t stops_ = 0;
    std::vector<std::function<Result<void>()>> delayed_;  // syncs, of the plants early-head and late-run-entry
};

}  // namespace stream::test
