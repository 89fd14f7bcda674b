// SPDX-License-Identifier: Apache-2.0
// The file groups/NAME of a group: frames, each with one change of its state, read on and appended to under
// the group's lock. The entries, one line of JSON each:
//
//   {"entry":"state","positions":{"0":123},"generation":4,"batch":"…","from":[…],"to":[…]}   (the last three: if one is open)
//   {"entry":"commit","positions":{"0":124},"generation":4}
//   {"entry":"seek","positions":{"0":7},"generation":5}       an open batch is no more
//   {"entry":"batch","id":"…","from":[…],"to":[…]}            one of each for each partition
//   {"entry":"done","id":"…"}                                 positions are at least its ends
//
// The first frame is a state. The file gets its name once that is synced, so it is never torn. Whoever has
// synced the folder then may append: a file with a second frame has its name for good, one without may lose
// it yet (its maker died) and is made anew by the next holder of the lock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/frame.hpp"
#include "log/groups.hpp"
#include "log/json_entry.hpp"

namespace stream::log {

inline constexpr std::uint64_t position_end = std::uint64_t{1} << 62;

// Positions become the ends of the open batch, where they are lower.
void finish_batch_of(GroupState& state);

// `"positions":{…}`, those that there are.
std::string encode_positions(const std::vector<std::optional<std::uint64_t>>& positions);
// An entry's line for the whole state.
std::string encode_state(const GroupState& state);
// `"from":[…],"to":[…]`.
std::string encode_extent(const OpenBatch& batch);
// What the entry does to the state: nullptr, or what is wrong with it.
const char* apply_entry(const JsonEntry& entry, GroupState& state);

class PositionsFile {
public:
    PositionsFile(FileSystem& files, std::string folder, const std::string& name, const Hash128& log_id, std::uint32_t partitions);

    const GroupState& state() const { return view_.state; }
    bool exists() const { return view_.entries != 0; }

    // What others appended. Without the lock a torn tail is left aside.
    Result<void> refresh();

    // A change: takes the lock (kept until the returned one dies), reads on, cuts a torn tail; then append(),
    // or confirm() where the state is already as wanted.
    Result<std::unique_ptr<FileLock>> begin();
    // `next` is what the entry makes of state(). Durable when this returns.
    Result<void> append(const std::string& entry, GroupState next);
    // What was read is durable: its writer may have died before it was.
    Result<void> confirm();

private:
    // What was read of the file.
    struct View {
        FileHeader header;
        GroupState state;
        std::uint64_t entries = 0;
        std::uint64_t length = 0;   // of the valid frames
        std::uint64_t durable = 0;  // so much is known to be on the disk
        std::uint32_t chain = 0;
        std::uint64_t last_at = 0;  // the last frame, to see that it is still there
        std::string last_header;
        bool torn = false;
    };
    Result<std::unique_ptr<File>> look(Open how, bool afresh);
    Result<bool> read_on(File& file, View& view) const;
    Result<void> take(std::string_view bytes, std::uint64_t begin, View& view) const;
    Result<bool> take_frame(std::string_view rest, View& view) const;
    Result<void> confirm_tail();
    Result<void> append_frame_of(const std::string& entry, GroupState next);
    Result<void> write_whole();
    Result<void> write_temporary(std::string_view bytes);
    Result<void> synced(Result<void> outcome);
    std::string frame_of(const std::string& entry, const View& view, FrameHeader& frame) const;
    static void count_frame(std::string_view bytes, const FrameHeader& frame, View& view);
    bool name_is_durable() const { return view_.entries > 1 || named_ == view_.header.file_id; }
    bool is_long() const;
    tl::unexpected<Error> damaged(std::uint64_t at, std::string_view why) const;

    FileSystem* files_;
    std::string folder_;
    std::string groups_;
    std::string path_;
    std::string lock_path_;
    std::string temporary_;
    Hash128 log_id_;
    std::uint32_t partitions_;
    std::unique_ptr<JsonEntry> entry_ = std::make_unique<JsonEntry>();
    View view_;
    std::unique_ptr<File> file_;             // while there is a change
    std::optional<std::uint64_t> named_;     // the file whose name this object made durable
    bool failed_ = false;                    // a sync did: nothing is known any more
};

}  // namespace stream::log
