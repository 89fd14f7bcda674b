// SPDX-License-Identifier: Apache-2.0
// What a log must hold: every record that was given to commit(), in its log-wide order, how many of them were
// acknowledged, and which of them something is removing. A log that was crashed is judged against it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/file_system.hpp"
#include "log/groups.hpp"
#include "log/manifest.hpp"

namespace stream::test {

// A promise was broken. Thrown by whatever finds it, caught by the campaign.
struct Violation {
    std::string text;
};

struct GivenRecord {
    std::uint32_t partition = 0;
    std::string bytes;
    TimeNs time = time_before_all;
    std::uint64_t offset = 0;  // set by the model
    std::string key;           // for compaction
};

enum class Fate : std::uint8_t { kept, may_go, gone };

// A record as a reader showed it.
struct SeenRecord {
    std::uint32_t partition = 0;
    std::uint64_t offset = 0;
    std::uint64_t sequence = 0;
    std::string bytes;

    friend bool operator==(const SeenRecord&, const SeenRecord&) = default;
};

struct SeenLog {
    std::vector<SeenRecord> records;
    std::uint64_t sequence = 0;              // where it ends
    std::vector<std::uint64_t> end_offsets;  // of each partition

    friend bool operator==(const SeenLog&, const SeenLog&) = default;
};

// Something done to the whole log that was begun and must end well when it is done again.
struct Upkeep {
    std::string name;
    std::function<Result<void>(FileSystem&, const std::string& folder)> again;
    // Sequence numbers.
    std::vector<std::uint64_t> must_go;
    std::vector<std::uint64_t> may_go;    // it is not said whether
    std::vector<std::uint64_t> go_later;  // only where it is done again, after more was appended
    bool in_prefixes = false;             // oldest first in each partition
    std::string secret;                  // what no file may hold once it is done
};

struct GroupMoves {
    log::GroupState before;
    std::optional<log::GroupState> after;  // of a change that is under way
};

// An epoch of a run, given to publish(): with records [first, end) by sequence number, if it counts.
struct GivenEpoch {
    std::uint64_t number = 0;
    std::vector<GivenRecord> records;
    std::uint64_t first = 0;
    std::uint64_t end = 0;
};

// What a run published through one sink.
struct RunMoves {
    std::uint64_t done = 0;      // the newest epoch that is known to count
    GivenEpoch last;             // given last
    bool is_under_way = false;   // it counts, or nothing of it
};

class Model {
public:
    log::LogConfig config;
    std::string folder = "/data/log";
    bool creating = false;
    bool created = false;
    bool in_prefixes = false;  // what goes goes oldest first
    bool needs_repair = false;  // damage was planted: only `upkeep` makes it a log that may be written to
    std::optional<Upkeep> upkeep;
    std::vector<std::string> secrets;       // of what is done
    std::vector<std::string> must_be_kept;  // bytes that recovery cut: in a segment yet, or in quarantine
    std::map<std::string, GroupMoves> groups;
    std::map<std::pair<std::string, std::string>, RunMoves> runs;  // by run and sink

    // A batch goes to commit(), in the order of add().
    void give(std::vector<GivenRecord> batch);
    void acknowledge(bool synced);
    // Everything acknowledged so far is on the disk, however it was written.
    void all_is_durable() { durable_ = acknowledged_; }
    // The power failed, and nobody knows yet what is left.
    void lose_what_is_not_synced() { acknowledged_ = durable_; }
    // The log was recovered, or is on a platter: what it holds is what counts from now on.
    void settle(const SeenLog& seen);
    void settle_runs(const log::Manifest& manifest);
    // A reader of the living log showed so much: an epoch that it showed is on the disk.
    void note_shown(std::uint64_t sequence);
    void begin(Upkeep what);
    void finish_upkeep(bool at_once);  // else it was done again later
    // The ring or a retention may take it from now on.
    void let_go(std::uint64_t sequence) { fates_[sequence] = Fate::may_go; }
    // Where the disk lied: what was removed may be there again, and nothing else is promised but a prefix.
    void expect_little();

    // Whether the log that was seen keeps the promises; throws a Violation. `acknowledged_counts`: nothing
    // acknowledged may be missing (the processes died); else only nothing durable (the power failed).
    void judge(const SeenLog& seen, bool acknowledged_counts, bool durable_counts = true) const;
    // Each epoch is there, whole, where the manifest says it; nothing of it else.
    void judge_runs(const SeenLog& seen, const log::Manifest& manifest) const;
    void judge_group(const std::string& name, const log::GroupState& state) const;

    const std::vector<GivenRecord>& records() const { return records_; }
    std::uint64_t acknowledged() const { return acknowledged_; }
    std::uint64_t durable() const { return durable_; }
    std::uint64_t next_offset(std::uint32_t partition) const;
    // Of everything that says what is allowed.
    std::uint64_t hash() const;

private:
    void judge_records(const SeenLog& seen, std::vector<bool>& present) const;
    void judge_prefixes(const std::vector<bool>& present, std::uint64_t end) const;
    void judge_tombstones(const std::vector<bool>& present, std::uint64_t end) const;

    std::vector<GivenRecord> records_;  // by sequence number
    std::vector<Fate> fates_;
    std::vector<std::uint64_t> batch_ends_;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t durable_ = 0;
};

// The bytes, or so many of them, fit for a message.
std::string shown(std::string_view bytes);

}  // namespace stream::test
