// SPDX-License-Identifier: Apache-2.0
// Consumer groups: how far each has come (a file of frames, durable), and who its living members are (locks
// that the kernel frees).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/frame.hpp"

namespace stream::log {

// A batch that `consume` gave to a command and that is not known to be done.
struct OpenBatch {
    std::string id;
    std::vector<std::uint64_t> from;  // for each partition
    std::vector<std::uint64_t> to;    // exclusive
};

struct GroupState {
    std::vector<std::optional<std::uint64_t>> positions;  // the next offset of each partition; none: not begun
    std::uint64_t generation = 0;                         // grows with each seek
    std::optional<OpenBatch> batch;
};

// `[A-Za-z0-9._-]`, 1 to 200 of them, not beginning with `.` or `-`, not ending in `.lock` or `.members` (their
// files lie beside the positions); also `run:` in front of one. Else ErrorKind::usage.
Result<void> check_group_name(std::string_view name);

class Group {
public:
    // `name` is checked. Nothing is made on disk before the first change. ErrorKind::corrupt where the file is damaged.
    static Result<Group> open(FileSystem& files, const std::string& folder, const std::string& name, const Hash128& log_id,
                              std::uint32_t partitions);
    Group(Group&&) noexcept;
    Group& operator=(Group&&) noexcept;
    ~Group();

    const GroupState& state() const;
    bool exists() const;
    // What others changed since. Without a lock: a change that is seen may not be acknowledged yet.
    Result<void> refresh();

    // Each takes the group's own lock, looks at what others did, appends a frame and syncs it.
    // A position only grows: a lower one is left as it is. `generation` as it was when the caller got its
    // positions: after a seek by somebody it is ErrorKind::locked ("was sought elsewhere").
    // Durable where it succeeds. Where it fails it may still have happened if the sync failed, and after a failed
    // sync no change is taken any more; after another failure (a full disk) it may be tried again.
    // state() is then what others did, also where the outcome is ErrorKind::locked.
    Result<void> commit(const std::vector<std::pair<std::uint32_t, std::uint64_t>>& positions, std::uint64_t generation);
    // Those named; the others stay. An open batch is no more.
    Result<void> seek(const std::vector<std::pair<std::uint32_t, std::uint64_t>>& positions);
    // ErrorKind::locked where the group was sought since the last look, has an open batch (one to repeat is in
    // state() and is not begun again), or has moved past one of its beginnings.
    Result<void> begin_batch(const OpenBatch& batch);
    // Positions become the ends of state().batch, where they are lower. ErrorKind::locked where somebody has ended
    // it by a seek, or finished it.
    Result<void> finish_batch();

private:
    struct Impl;
    explicit Group(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// The names of the groups of a log, sorted.
Result<std::vector<std::string>> list_groups(FileSystem& files, const std::string& folder);

// One living member of a group: OFD locks on bytes of groups/NAME.members (design 30). Not through the
// file-system seam: a process's death is the kernel's to notice.
class Membership {
public:
    // Takes the first free slot. Makes groups/ and the file where they are not there, so the folder has to be
    // writable (ErrorKind::io). ErrorKind::limit where 4096 are members. No partition is held before settle().
    static Result<Membership> join(const std::string& folder, const std::string& group, std::uint32_t partitions);
    Membership(Membership&&) noexcept;
    Membership& operator=(Membership&&) noexcept;
    ~Membership();

    struct Change {
        std::vector<std::uint32_t> gained;  // locked now; nobody else reads them
        std::vector<std::uint32_t> lost;    // belong to another: stop reading them, then call release()
    };
    // Looks at who lives. To be called every 200 ms, also while waiting to write. Both lists rise. What is lost is
    // told once and stays locked until it is released, even if it should be this member's again by then.
    Result<Change> settle();
    void release(const std::vector<std::uint32_t>& partitions);
    // Locked by this member, what is lost and not yet released among them. Rising.
    const std::vector<std::uint32_t>& held() const;
    // At the last settle(), or join(); this one too.
    std::uint32_t members() const;

private:
    struct Impl;
    explicit Membership(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// How many members a group has now; 0 where it has none.
Result<std::uint32_t> count_members(const std::string& folder, const std::string& group);

}  // namespace stream::log
