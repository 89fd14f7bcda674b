// SPDX-License-Identifier: Apache-2.0
// Where a log ends, whatever became of its last writer: docs/formats/log.md, "When a record counts".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/head.hpp"
#include "log/manifest.hpp"

namespace stream::log {

struct Ends {
    HeadState head;      // what counts
    bool clean = true;   // head said so, and nothing lies behind it
    struct Tail {
        std::uint32_t partition = 0;
        std::string path;            // of the active segment
        std::uint64_t proven = 0;    // durable up to here
        std::uint64_t end = 0;       // counts up to here: [proven, end) is to be synced
        std::uint64_t size = 0;      // [end, size) does not count, and is to be cut
        std::uint64_t records = 0;   // whole valid records in what is cut
    };
    std::vector<Tail> tails;  // where anything is to be done
};

// Reads only. ErrorKind::corrupt where bytes are wrong that are proven to have been durable. The caller
// holds the log's lock, or knows that nobody is writing (a writer that is alive looks like a dead one).
Result<Ends> find_ends(FileSystem& files, const std::string& folder, const Manifest& manifest, const std::optional<HeadState>& head);

// Makes what counts of it durable and cuts off the rest. After a failed sync the page cache may hold what the disk does
// not, and call it clean: what is to be durable is written again.
Result<void> settle_tail(FileSystem& files, const Ends::Tail& tail);

// Makes it so: syncs what counts, keeps a copy of what does not in quarantine/, cuts it, raises the epoch if
// anything was cut, writes head. Only with the log's lock. Sets `ends` to what is then true.
Result<void> recover(FileSystem& files, const std::string& folder, Manifest& manifest, Ends& ends, Head& head);

}  // namespace stream::log
