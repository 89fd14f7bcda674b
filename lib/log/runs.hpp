// SPDX-License-Identifier: Apache-2.0
// The file `runs` of a log: the epochs that runs published (exactly-once), a frame each, appended to and synced under
// the log's lock. When it is long it is made anew beside its name, beginning with the newest entry of each run and
// sink: so it is opened by its path at each look. Internal to lib/log.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/frame.hpp"
#include "log/json_entry.hpp"

namespace stream::log {

inline constexpr std::uint64_t runs_rewrite_above = 1u << 20;

// {"entry":"run","run":"ID","sink":"NAME","epoch":N,"sequence":S}
struct RunEntry {
    std::string run;
    std::string sink;
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;  // every record below it is durable, and counts
};
std::string encode_run(const RunEntry& entry);
// False where it makes no sense.
bool decode_run(const JsonEntry& entry, RunEntry& out);

// The newest entry of each run and sink.
class RunTable {
public:
    void keep(const RunEntry& entry);
    // Its epoch; 0: none.
    std::uint64_t epoch_of(std::string_view run, std::string_view sink) const;
    // The greatest of all entries.
    std::uint64_t sequence() const { return sequence_; }
    std::size_t size() const { return newest_.size(); }
    std::vector<RunEntry> in_order() const;  // of their sequence numbers

private:
    std::map<std::pair<std::string, std::string>, RunEntry> newest_;
    std::uint64_t sequence_ = 0;
};

// Makes the file anew with these entries, of which the first has the number `header.base_offset`; durable with its name
// when this returns. Sets the header's other fields. Only with the log's lock.
Result<void> write_runs(FileSystem& files, const std::string& folder, const Hash128& log_id, const RunTable& table, FileHeader& header);

class RunsFile {
public:
    RunsFile(FileSystem& files, std::string folder) : files_(&files), folder_(std::move(folder)), path_(folder_ + "/runs") {}

    // What is at the path now. With `lock_held` a torn tail is cut off. ErrorKind::corrupt where it is damaged, another
    // log's, or does not hold as many entries as `proven` says (count(), as of when head was written).
    Result<void> refresh(const Hash128& log_id, bool lock_held, std::uint32_t proven);
    // Durable when this returns. The file is made where there is none, and anew where more than `rewrite_above` bytes
    // were appended to it. Only with the log's lock, what others appended having been read and made durable.
    Result<void> append(const Hash128& log_id, const RunEntry& entry, std::uint64_t rewrite_above);
    // The last entry may be in the page cache alone (its writer died): written again and synced.
    Result<void> make_durable();

    const RunTable& table() const { return view_.table; }
    // How many entries were ever appended (the low 32 bits), however often the file was made anew.
    std::uint32_t count() const { return static_cast<std::uint32_t>(view_.entries); }
    std::uint64_t length() const { return view_.length; }  // of the valid frames; 0: there is no file
    // After a failed append(): whether the entry may be on the disk.
    bool is_unsure() const { return unsure_; }

private:
    // What was read of the file.
    struct View {
        FileHeader header;
        RunTable table;
        std::uint64_t entries = 0;    // the next one's number
        std::uint64_t length = 0;     // of the valid frames; 0: there is no file
        std::uint64_t begun_with = 0;  // so long it was when it got its name
        std::uint64_t last_at = 0;    // the last frame
        std::uint32_t chain = 0;
    };
    Result<View> open_view(File& file, const Hash128& log_id) const;
    Result<void> read_on(File& file, std::uint64_t size, bool lock_held, std::uint32_t proven);
    // Null, or why there is no valid entry at the front.
    Result<const char*> take(std::string_view rest, JsonEntry& line);
    bool is_behind(std::uint32_t proven) const { return proven != 0 && static_cast<std::int32_t>(proven - count()) > 0; }
    Result<void> make_anew(const Hash128& log_id);
    tl::unexpected<Error> damaged(std::uint64_t at, std::string_view why) const;

    FileSystem* files_;
    std::string folder_;
    std::string path_;
    View view_;
    std::uint64_t named_ = 0;  // the file whose name this object made durable
    bool unsure_ = false;
};

}  // namespace stream::log
