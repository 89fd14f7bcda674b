// SPDX-License-Identifier: Apache-2.0
// What the tests of retention, archiving, compaction and excision share: small logs on a simulated disk, all that
// is in one, a kill at every call that changes something, and a search of every file for bytes that are to be gone.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "log/batch.hpp"
#include "log/maintain.hpp"
#include "log/manifest.hpp"
#include "log/reader.hpp"
#include "log/seal.hpp"
#include "log/upkeep.hpp"
#include "log/writer.hpp"
#include "support/simulated_disk.hpp"

namespace stream::log {

using test::SimulatedCrash;
using test::SimulatedDisk;

inline constexpr const char* log_folder = "/log";

template <class T>
T must(Result<T> result) {
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message());
    if (!result) throw std::runtime_error(result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

template <class T>
ErrorKind kind_of(Result<T> result) {
    if (!result) return result.error().kind();
    throw std::runtime_error("it should have failed");
}

struct Line {
    std::uint64_t offset = 0;
    std::uint64_t sequence = 0;
    TimeNs append_time = 0;
    std::string text;
    friend bool operator==(const Line&, const Line&) = default;
};
using Lines = std::vector<std::vector<Line>>;  // of each partition

inline void PrintTo(const Line& line, std::ostream* out) { *out << line.offset << ": " << line.text; }

inline Lines read_log(FileSystem& files) {
    auto reader = must(LogReader::open(files, log_folder, {}));
    Lines lines(reader.manifest().config().partitions);
    for (Run run;;) {
        const auto next = must(reader.next(run));
        if (next == LogReader::Next::end) return lines;
        if (next == LogReader::Next::gap) continue;
        std::string_view rest = run.lines;
        for (std::uint32_t i = 0; i < run.records; ++i) {
            const std::string_view text = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(text.size() + 1);
            lines[run.partition].push_back({run.offset_of(i), run.batch->sequence_of(run.first + i), run.append_time(), std::string(text)});
        }
    }
}

struct NewRecord {
    std::uint32_t partition = 0;
    std::string text;
    TimeNs time = time_before_all;
};

inline void append(FileSystem& files, const std::vector<NewRecord>& records) {
    auto writer = must(LogWriter::open(files, log_folder, {}));
    for (const NewRecord& record : records) must(writer.add(record.partition, record.text, record.time));
    must(writer.commit());
}

inline Manifest manifest_of(FileSystem& files) { return must(Manifest::load(files, log_folder)); }

inline std::size_t sealed_segments(FileSystem& files) {
    const Manifest manifest = manifest_of(files);
    std::size_t count = 0;
    for (std::uint32_t p = 0; p < manifest.config().partitions; ++p) {
        for (const SegmentEntry& segment : manifest.segments(p)) count += segment.sealed ? 1 : 0;
    }
    return count;
}

// Paths of all files below a folder.
inline std::vector<std::string> all_files(SimulatedDisk& disk, const std::string& folder) {
    std::vector<std::string> paths;
    for (const std::string& name : must(disk.list(folder)).value_or(std::vector<std::string>())) {
        const std::string path = folder + "/" + name;
        if (disk.list(path)) {
            for (std::string& inside : all_files(disk, path)) paths.push_back(std::move(inside));
        } else {
            paths.push_back(path);
        }
    }
    return paths;
}

inline std::string read_whole(FileSystem& files, const std::string& path) {
    auto file = must(files.open(path, Open::read));
    std::string bytes(must(file->size()), '\0');
    EXPECT_EQ(must(file->read_at(bytes, 0)), bytes.size());
    return bytes;
}

// Followers look at the manifest when head changes; and who opens the log next has nothing to recover.
inline void expect_head_is_up_to_date(FileSystem& files) {
    const Manifest manifest = manifest_of(files);
    const auto head = must(Head(files, log_folder).read(manifest.id(), manifest.config().partitions));
    ASSERT_TRUE(head.has_value());
    EXPECT_EQ(head->manifest_length, manifest.length());
    EXPECT_EQ(head->epoch, manifest.epoch());
    for (std::uint32_t p = 0; p < head->partitions.size(); ++p) {
        EXPECT_EQ(head->partitions[p].segment, manifest.active(p) == nullptr ? 0 : manifest.active(p)->id);
    }
}

// The first file with the bytes in it, also in a frame, compressed or not, whole or damaged; empty for none.
inline std::string file_with(SimulatedDisk& disk, std::string_view wanted) {
    ZstdExpander expander;
    for (const std::string& path : all_files(disk, "")) {
        const std::string bytes = read_whole(disk, path);
        if (bytes.find(wanted) != std::string::npos) return path;
        for (std::size_t at = 0; at + frame_header_size <= bytes.size(); at += 8) {
            FrameHeader header;
            if (bytes.compare(at, 4, "SLF1") != 0) continue;
            std::uint64_t file_id = 0;
            bytes.copy(reinterpret_cast<char*>(&file_id), sizeof file_id, at + 32);
            if (read_lone_header(std::string_view(bytes).substr(at), file_id, header) != FrameState::valid) continue;
            std::string buffer;
            Batch batch;
            if (open_batch(header, std::string_view(bytes).substr(at + frame_header_size, header.stored), expander, buffer, batch) != nullptr) continue;
            if (batch.lines.find(wanted) != std::string_view::npos) return path;
        }
    }
    return "";
}

// Every file in folders of segments is one that the manifest names, and those are there. (An `archive-of` that was
// being made says nothing of any record, and is removed by the next to archive there.)
inline void expect_no_leftovers(SimulatedDisk& disk) {
    const Manifest manifest = manifest_of(disk);
    std::vector<std::string> named;
    for (std::uint32_t p = 0; p < manifest.config().partitions; ++p) {
        for (const SegmentEntry& segment : manifest.segments(p)) named.push_back(segment_path(log_folder, p, segment));
    }
    std::vector<std::string> there;
    for (const std::string& path : all_files(disk, "")) {
        EXPECT_TRUE(path.find(".tmp-") == std::string::npos || path.find("/archive-of.tmp-") != std::string::npos) << path;
        if (path.ends_with(".seg")) there.push_back(path);
        if (!path.ends_with(".idx")) continue;
        EXPECT_EQ(std::count(named.begin(), named.end(), path.substr(0, path.size() - 4) + ".seg"), 1) << path;
    }
    std::sort(named.begin(), named.end());
    std::sort(there.begin(), there.end());
    EXPECT_EQ(there, named);
}

// Does it on copies of the disk, killed at each call that changes something; then `check` gets the disk as the kill
// left it, and as some crashes would. How many calls there were.
template <class Work, class Check>
std::uint64_t kill_everywhere(const SimulatedDisk& before, Work&& work, Check&& check) {
    constexpr std::uint64_t crashes = 2;
    constexpr std::uint64_t later = 1u << 20;  // seeds apart: no segment gets an id twice
    for (std::uint64_t nth = 1;; ++nth) {
        const auto disk = before.killed(nth);
        disk->stop_at_change(nth);
        try {
            work(*disk);
        } catch (const SimulatedCrash&) {
        } catch (const std::runtime_error&) {
            if (!disk->stopped()) throw;
        }
        for (std::uint64_t crash = 0; crash <= crashes; ++crash) {
            SCOPED_TRACE(fmt::format("stopped at change {}, {}", nth, crash == 0 ? "killed" : fmt::format("crash {}", crash)));
            const auto after = crash == 0 ? disk->killed(later + nth * 16) : disk->crash(later + nth * 16 + crash);
            check(*after);
            if (testing::Test::HasFailure()) return nth;
        }
        if (!disk->stopped()) return nth - 1;
    }
}

// Whether `some` are of `all`, in order.
inline bool is_part_of(const Lines& some, const Lines& all) {
    for (std::size_t p = 0; p < all.size(); ++p) {
        auto at = all[p].begin();
        for (const Line& line : some[p]) {
            at = std::find(at, all[p].end(), line);
            if (at == all[p].end()) return false;
        }
    }
    return true;
}

}  // namespace stream::log
