// SPDX-License-Identifier: Apache-2.0
// The damage campaign of the log: small logs are made, each of their files is damaged in every way there is a
// name for, and what is read then is judged. What was appended is read, or the damage is told, or (only of what
// was not yet proven to be durable) a torn tail is left out; never a wrong record.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "log/frame.hpp"
#include "log/groups.hpp"
#include "log/runs.hpp"
#include "support/simulated_disk.hpp"

namespace stream::test {

inline constexpr const char* damage_folder = "/log";

enum class FileKindOf : std::uint8_t { sealed, active, archived, manifest, head, group, index, runs };
inline constexpr std::size_t file_kinds = 8;
const char* name_of(FileKindOf kind);

struct DamageRecord {
    std::uint64_t offset = 0;
    std::string text;
    friend bool operator==(const DamageRecord&, const DamageRecord&) = default;
};
using DamageRecords = std::vector<std::vector<DamageRecord>>;  // of each partition

// A frame of a file as it was written.
struct WrittenFrame {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t durable = 0;
    std::uint64_t offset = 0;
    std::uint64_t end_offset = 0;
};

struct Target {
    std::string path;
    FileKindOf kind = FileKindOf::sealed;
    std::uint32_t partition = 0;
    std::string bytes;
    std::vector<WrittenFrame> frames;
    std::vector<std::string> others;  // contents to splice from: other files of its kind, older ones, other logs'
};

struct Scene {
    std::string name;
    std::unique_ptr<SimulatedDisk> disk;
    bool has_head = true;
    DamageRecords records;
    std::vector<log::GroupState> group;  // after each of its entries
    std::vector<log::RunEntry> epochs;   // that runs published, in this order
    std::vector<Target> targets;
};

std::vector<std::string> scene_names();
Scene make_scene(const std::string& name);

struct Damage {
    enum class Kind : std::uint8_t {
        flip_bit, truncate, zero_block, double_block, swap_blocks, splice_block, whole_other,
        remove, rename, duplicate, append, folder,
    };
    Kind kind = Kind::flip_bit;
    std::uint64_t at = 0;
    std::uint64_t with = 0;
    std::uint64_t size = 0;  // of blocks
    std::string text() const;
};
// All there are of a file.
std::vector<Damage> damages_of(const Target& target);
// Does it; what the file holds then.
std::string apply(const Damage& damage, const Target& target, SimulatedDisk& disk);

// How much is tried: reading alone, or all that only reads, or repair, too.
enum class Depth : std::uint8_t { reading, verify, repair };
// What is wrong with how the log takes it; empty: nothing.
std::string judge(const Scene& scene, const Target& target, const Damage& damage, Depth depth);

}  // namespace stream::test
