// SPDX-License-Identifier: Apache-2.0
// A disk in memory whose power can fail. It knows for every file and folder what is on the platter and what
// is only in the page cache; crash() draws one of the disks a power failure may leave. Everything is decided
// by the seeds and the calls, so a failure is replayed by doing the same again.
//
// What a crash leaves of what was not synced:
//   - data: of each sector of 512 bytes, independently, the durable content, the newest or one between;
//   - a file's size: the durable one, the newest, or a multiple of 512 between the least and the greatest
//     there was since;
//   - names: each create, rename and removal happened or not, whole (Names says which subsets).
// Syncing a file says nothing of its name: as with ext4, it may be there after the crash or not.
//
// Any number of writers may share a disk, as processes do: locks go with the open file, as flock()'s. For one
// thread. Files must not be used after their disk is gone. A mistake of the test (".." in a path, waiting for
// a lock that nobody can free, moving a folder to another) is a std::logic_error.
#pragma once

#include "io/file_system.hpp"
#include "support/simulated_file.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stream::test {

// Thrown by the call at which the disk was told to stop. From then on every call fails with EIO and changes
// nothing, so that destructors cannot tidy up after the power failed.
struct SimulatedCrash {};

// Kinds of calls; `any` in a fault counts all of them.
enum class Call : std::uint8_t {
    any,
    open,  // that of a file that must be there
    create,
    read,
    write,
    sync,
    size,
    truncate,
    close,
    make_folder,
    list,
    rename,
    remove,
    sync_folder,
    lock,
};
inline constexpr std::size_t call_kinds = static_cast<std::size_t>(Call::lock) + 1;

// Mode A and mode B of what survives of the operations on names.
enum class Names : std::uint8_t {
    in_order,   // of each folder, the first so many (a journal)
    any_subset  // any
};

struct Dials {
    Names names = Names::in_order;
    Torn torn = Torn::never;
    // The kernel may have written a sector back between two writes to it.
    bool in_between = true;
    // A greater file is EFBIG, before a wild offset takes all memory.
    std::uint64_t file_max = 64 << 20;
};

class SimulatedDisk final : public FileSystem {
public:
    explicit SimulatedDisk(std::uint64_t seed, Dials dials = {});
    const Dials& dials() const { return dials_; }
    SimulatedDisk(const SimulatedDisk&) = delete;
    SimulatedDisk& operator=(const SimulatedDisk&) = delete;
    ~SimulatedDisk() override;

    Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
    Result<std::unique_ptr<File>> open_if_there(const std::string& path, Open how) override;
    Result<bool> make_folder(const std::string& path) override;
    Result<std::optional<std::vector<std::string>>> list(const std::string& folder) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<void> sync_folder(const std::string& folder) override;
    Result<std::unique_ptr<FileLock>> lock(const std::string& path, bool wait) override;
    Result<std::unique_ptr<FileLock>> lock_to_read(const std::string& path) override;
    std::uint64_t random() override;
    std::int64_t now_ns() override;

    // --- Failures. `nth` counts from now, 1 being the next; `lasting`: all after it too. ---

    // Fails with the errno. Of a failed write a random beginning is there. After a failed sync the pages
    // count as clean: a crash may find them old, and later syncs do not help. After a failed sync of a folder
    // some of its operations are durable, and the others never will be.
    void fail_call(Call kind, std::uint64_t nth, int error_number, bool lasting = false);
    // Says that it did, and does nothing: a lying disk. For write, truncate, sync, sync_folder, rename and
    // remove.
    void ignore_call(Call kind, std::uint64_t nth, bool lasting = false);
    // The nth call that changes something (create, write, truncate, sync, make_folder, rename, remove,
    // sync_folder, lock) throws SimulatedCrash. It did nothing, but of a write a random beginning is in the
    // page cache: what of a call may survive, the crashes at the next stop show.
    void stop_at_change(std::uint64_t nth);
    bool stopped() const { return stopped_; }

    // --- After. Both leave this disk alone, so that one run can be crashed by many seeds, and give one
    // without locks, faults and stop, with all counters at 0. ---

    // The power failed. `story`, if there, gets a line for each operation on a name and each file that was
    // not synced ("sector:version/newest").
    std::unique_ptr<SimulatedDisk> crash(std::uint64_t seed, std::string* story = nullptr) const;
    // Only the processes died: the page cache is as it was, unsynced as it was.
    std::unique_ptr<SimulatedDisk> killed(std::uint64_t seed) const;

    // --- Looking. ---

    std::uint64_t calls(Call kind) const { return counts_[static_cast<std::size_t>(kind)]; }
    std::uint64_t changes() const { return changes_; }
    void keep_trace(bool keep) { keeps_trace_ = keep; }
    // A line a call since keep_trace(true): its number, what it did, what came of it.
    const std::vector<std::string>& trace() const { return trace_; }
    void advance_clock(std::int64_t ns) { now_ += ns; }

private:
    struct Node;
    using NodePtr = std::shared_ptr<Node>;
    using NodeNames = std::map<std::string, NodePtr>;
    struct Node {
        explicit Node(bool folder) : is_folder(folder) {}
        bool is_folder;
        NodeNames names;          // now
        NodeNames durable_names;  // and after a crash, but for the pending operations
        SimulatedFile file;
        bool locked = false;
    };
    struct NameChange {
        NodePtr folder;
        std::string name;
        NodePtr node;  // none: the name goes

        void apply(NodeNames& names) const;
    };
    struct NameOperation {
        std::vector<NameChange> changes;  // all or none of them
        std::string text;
    };
    struct Place {
        NodePtr folder;  // none: the root itself
        std::string name;
        NodePtr node;
        int error_number = 0;  // of the way there
    };
    struct Copier;
    class OpenFile;
    class HeldLock;

    struct Fault {
        Call kind;
        std::uint64_t at;
        int error_number;  // 0: ignored
        bool lasting;
    };
    struct Verdict {
        int error_number = 0;
        bool injected = false;  // the error is
        bool ignored = false;
        bool stops = false;  // of a write; the others have thrown
    };

    Verdict begin(Call kind, std::string_view path, std::string_view details = {});
    tl::unexpected<Error> failed(std::string_view what, std::string_view path, int error_number);
    Place find(const std::string& path) const;
    void change_names(NameOperation operation);
    std::vector<bool> draw_surviving(SeededRandom& chance) const;
    std::vector<bool> needed_by(const Node& folder) const;
    void settle(const std::vector<bool>& durable, const std::vector<bool>& gone);

    Dials dials_;
    SeededRandom chance_;  // of faults
    SeededRandom world_;   // of random() and now_ns(), so that a fault does not change them
    std::int64_t now_ = 1'700'000'000'000'000'000;
    NodePtr root_;
    std::vector<NameOperation> pending_;  // operations on names that no sync_folder has made durable
    std::array<std::uint64_t, call_kinds> counts_{};
    std::uint64_t changes_ = 0;
    std::uint64_t stop_at_ = 0;
    bool stopped_ = false;
    std::vector<Fault> faults_;
    bool keeps_trace_ = false;
    std::vector<std::string> trace_;
};

}  // namespace stream::test
