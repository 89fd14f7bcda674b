// SPDX-License-Identifier: Apache-2.0
// The state of one operator across the epochs of a run: a whole copy of it, and what changed since, each in a file of
// DIR/state (docs/formats/run.md). A small one is a whole copy each time, in the commit itself.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "run/commit.hpp"
#include "state/kept_files.hpp"

namespace stream::run {

class StateFiles {
public:
    static constexpr std::size_t inline_max = 4096;     // a whole copy of so many bytes is in the commit itself
    static constexpr std::size_t small_max = 16 << 10;  // one of so many is simply written anew each time
    static constexpr std::uint64_t kept_weight_max = 64 << 20;

    // `last`: what the commit says, nothing where there is none.
    StateFiles(FileSystem& files, std::string folder, std::string tool, std::string name, std::uint64_t attempt, SavedState last);

    // Gives the payloads that the last commit names to `use`, one after the other, the whole copy first. Nothing where
    // nothing is committed. ErrorKind::corrupt: not what was committed.
    using Use = std::function<Result<void>(std::string_view payload, bool is_whole)>;
    Result<void> load(const Use& use);
    // The files that the whole copy speaks of.
    KeptFiles kept() const;

    // Whether the next may be what changed: while a whole copy is worth more than what was written since.
    bool takes_changes() const;
    // Whether a whole copy is so large that its making is felt.
    bool is_large() const;
    // How many bytes of changes are worth noting between two epochs, and where a whole copy has just been made that
    // weighs so much.
    std::size_t changes_max() const { return changes_max(4 * weight()); }
    static std::size_t changes_max(std::size_t weight);
    // What a whole copy is worth. Of what lies in files each one costs little, but to make the tables is a start's work.
    static std::size_t weight_of(std::uint64_t bytes, std::uint64_t kept) { return static_cast<std::size_t>(bytes + std::min(kept, kept_weight_max)); }

    // Makes an epoch's state durable; what is said is what belongs into the commit. One call after the other; the
    // numbers grow. A file that no commit names is left to whoever sweeps the folder. On any thread.
    using Names = std::vector<std::string>;  // of kept files, by number
    Result<SavedState> save_whole(std::uint64_t epoch, std::string_view payload, const Names& kept = {});
    Result<SavedState> save_changes(std::uint64_t epoch, std::string_view payload);

    // A whole copy that another process of ours makes: it writes, and the chain takes what it wrote.
    Result<StateFile> write(std::uint64_t epoch, std::string_view payload) const;
    Result<SavedState> take_whole(StateFile file, const Names& kept = {});
    // Where the files go that the whole copy of this epoch speaks of.
    KeptFiles keep(std::uint64_t epoch) const;

    std::uint64_t bytes() const;  // of all files

private:
    using FileIdentity = std::pair<std::uint64_t, std::uint64_t>;  // device and inode
    static std::optional<FileIdentity> identity_of(const std::string& path);
    Result<std::string> read(const StateFile& file) const;
    Result<StateFile> write_as(const std::string& name, std::string_view kind, std::string_view payload) const;
    Result<void> bundle(std::uint64_t epoch);
    std::size_t weight() const { return weight_of(state_.length, kept_bytes_); }
    Result<std::unique_ptr<File>> open_checked(const StateFile& file) const;
    Result<StateFile> settle_kept(const std::string& name, std::map<FileIdentity, StateFile>& known) const;

    FileSystem& files_;
    std::string folder_;  // DIR/state
    std::string tool_;
    std::uint64_t attempt_;
    SavedState state_;
    std::uint64_t changed_bytes_ = 0;
    std::uint64_t kept_bytes_ = 0;
    std::map<FileIdentity, StateFile> known_;  // kept files whose checksum is known: they do not change
};

// Removes from `folder`/state what only `before` names, once `now` is committed; and whatever no commit names, at a start.
Result<void> drop_states(FileSystem& files, const std::string& folder, const Commit& before, const Commit& now);
Result<void> sweep_states(FileSystem& files, const std::string& folder, const Commit& commit);

}  // namespace stream::run
