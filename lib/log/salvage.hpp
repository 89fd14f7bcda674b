// SPDX-License-Identifier: Apache-2.0
// Reading files of a log whose bytes may be wrong: what can be read of them, and what lies between. For
// verify and repair.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/batch.hpp"
#include "log/frame.hpp"
#include "log/manifest.hpp"
#include "log/segment.hpp"

namespace stream::log {

// --- a segment ---

// Bytes that readers cannot read. `to`: where the next frame begins that follows, or the limit.
struct BadPart {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    std::uint64_t offset = 0;                  // the next one there should be
    std::optional<std::uint64_t> next_offset;  // of the frame at `to`; nothing: there is none
    std::string why;
};

// A whole frame that can be read at its place.
struct GoodFrame {
    SegmentPlace place;
    std::uint64_t size = 0;
    std::uint64_t end_offset = 0;
    std::uint64_t end() const { return place.position + size; }
};

struct Salvaged {
    std::uint64_t frames = 0;
    GoodFrame last;                 // of them
    std::vector<GoodFrame> strays;  // right by themselves, but not at their place
    std::vector<BadPart> bad;
    SegmentPlace end;               // behind the last frame
    std::uint64_t records = 0;      // in the frames
    std::uint64_t proven = 0;       // so many bytes were durable once, as frames say
    std::uint64_t sequence = 0;     // past the last record's
    std::uint64_t durable_sequence = 0;
    TimeNs max_time = time_before_all;
    TimeNs keep_time = time_before_all;
    bool in_order = true;           // the sequence numbers
};

// Reads a segment up to `limit`. Where bytes are wrong it goes on at the next whole frame of the file whose
// offset and epoch can follow. `each` may be null; the batch lives during the call.
using EachFrame = std::function<Result<void>(const GoodFrame& frame, const Batch& batch)>;
Result<Salvaged> salvage_segment(SegmentReader& reader, std::uint64_t limit, const EachFrame& each);

// Strays that fit into holes between the frames (which are in order), put there.
void insert_strays(std::vector<GoodFrame>& frames, std::vector<GoodFrame> strays);

// --- a manifest, a group, what runs published ---

struct SalvagedEntries {
    bool has_header = false;
    FileHeader header;
    std::vector<std::string> entries;  // the payloads, as far as they follow each other
    std::vector<std::string> behind;   // those that are right by themselves behind the first bad byte
    std::vector<std::string> archives; // folders that its bytes speak of, right or not
    std::uint64_t size = 0;
    std::uint64_t bad_from = 0;        // size: nothing is wrong
    std::uint64_t bad_to = 0;          // where the next entry that is right by itself begins; size: there is none
    std::string why;
};
// Nothing where there is no such file.
Result<std::optional<SalvagedEntries>> salvage_entries(FileSystem& files, const std::string& path, FileKind kind);

// --- files ---

// Whether something else than a file is there: a folder, a link, a pipe.
bool is_no_file(FileSystem& files, const std::string& path);
// How many names the file has; 1 where nobody can say.
std::uint64_t names_of(FileSystem& files, const std::string& path);

}  // namespace stream::log
