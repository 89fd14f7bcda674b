// SPDX-License-Identifier: Apache-2.0
// Goal: what entries say is what a manifest says when it is read again, and damage to it is told from an entry
// that was being written.
#include "log/manifest.hpp"

#include <gtest/gtest.h>

#include "log/salvage.hpp"
#include "support/simulated_disk.hpp"

namespace stream::log {
namespace {

using test::SimulatedDisk;

template <class T>
T must(Result<T> result) {
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message());
    if (!result) throw std::runtime_error(result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

SegmentEntry facts(std::uint64_t bytes, std::uint32_t chain) {
    SegmentEntry out;
    out.bytes = bytes;
    out.chain = chain;
    out.max_time = -7;
    out.keep_time = 8;
    return out;
}

// Two partitions; segments sealed, replaced, moved and removed.
Manifest make(SimulatedDisk& disk) {
    LogConfig config;
    config.partitions = 2;
    config.by = "user \"id\"";
    config.retain_ns = 5;
    Manifest manifest = must(Manifest::create(disk, "", config));
    must(manifest.add_segment(0, 11, 0, 0, nullptr));
    must(manifest.add_segment(1, 21, 0, 0, nullptr));
    const SegmentEntry first = facts(1000, 5);
    must(manifest.add_segment(0, 12, 10, 15, &first));
    const SegmentEntry second = facts(2000, 6);
    must(manifest.add_segment(0, 13, 20, 40, &second));
    SegmentEntry by = facts(900, 9);
    by.id = 14;
    must(manifest.replace_segment(0, 12, by));
    must(manifest.move_segment(0, 14, "/some \"archive\""));
    must(manifest.remove_segment(0, 11));
    must(manifest.raise_epoch());
    return manifest;
}

void expect_all(const Manifest& manifest) {
    EXPECT_EQ(manifest.config().partitions, 2u);
    EXPECT_EQ(manifest.config().by, "user \"id\"");
    EXPECT_EQ(manifest.config().retain_ns, 5);
    ASSERT_EQ(manifest.segments(0).size(), 2u);
    const SegmentEntry& sealed = manifest.segments(0)[0];
    EXPECT_EQ(sealed.id, 14u);
    EXPECT_EQ(sealed.base, 10u);
    EXPECT_EQ(sealed.end, 20u);
    EXPECT_TRUE(sealed.sealed);
    EXPECT_TRUE(sealed.rewritten);
    EXPECT_EQ(sealed.bytes, 900u);
    EXPECT_EQ(sealed.chain, 9u);
    EXPECT_EQ(sealed.max_time, -7);
    EXPECT_EQ(sealed.keep_time, 8);
    EXPECT_EQ(sealed.archive, "/some \"archive\"");
    EXPECT_EQ(manifest.active(0)->id, 13u);
    EXPECT_FALSE(manifest.active(0)->sealed);
    EXPECT_EQ(manifest.active(1)->id, 21u);
    EXPECT_EQ(manifest.durable_sequence(), 40u);
    EXPECT_EQ(manifest.epoch(), 2u);
}

std::string content(SimulatedDisk& disk) {
    auto file = must(disk.open("/manifest", Open::read));
    std::string bytes(must(file->size()), '\0');
    must(file->read_at(bytes, 0));
    return bytes;
}

void overwrite(SimulatedDisk& disk, const std::string& bytes) {
    auto file = must(disk.open("/manifest", Open::write));
    must(file->truncate(0));
    must(file->write_at(bytes, 0));
}

TEST(Manifest, SaysAgainWhatItsEntriesSaid) {
    SimulatedDisk disk(1);
    const Manifest written = make(disk);
    expect_all(written);
    const Manifest read = must(Manifest::load(disk, ""));
    expect_all(read);
    EXPECT_EQ(read.length(), content(disk).size());
    EXPECT_EQ(read.log_id(), written.log_id());
}

TEST(Manifest, AnotherSeesWhatWasAppended) {
    SimulatedDisk disk(1);
    Manifest one = make(disk);
    Manifest other = must(Manifest::load(disk, ""));
    must(one.raise_epoch());
    must(other.refresh(false, one.length(), 0));
    EXPECT_EQ(other.epoch(), 3u);
}

TEST(Manifest, IsNotThere) {
    SimulatedDisk disk(1);
    EXPECT_EQ(Manifest::load(disk, "").error().kind(), ErrorKind::usage);
}

// Nothing but its last entry can be a torn tail, and that only where head does not say that it was whole.
TEST(Manifest, EveryFlippedBitIsSeen) {
    SimulatedDisk disk(1);
    const std::uint64_t length = make(disk).length();
    const std::string bytes = content(disk);
    const auto salvaged = must(salvage_entries(disk, "/manifest", FileKind::manifest));
    ASSERT_TRUE(salvaged);
    EXPECT_EQ(salvaged->entries.size(), 9u);
    const std::uint64_t last = length - frame_header_size - (salvaged->entries.back().size() + 7) / 8 * 8;
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        std::string flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        overwrite(disk, flipped);
        auto loaded = Manifest::load(disk, "");
        if (bit / 8 < last) {
            ASSERT_FALSE(loaded) << bit;
            EXPECT_EQ(loaded.error().kind(), ErrorKind::corrupt);
            continue;
        }
        ASSERT_TRUE(loaded) << bit;
        EXPECT_EQ(loaded->epoch(), 1u);
        const auto proven = loaded->refresh(false, length, 0);
        ASSERT_FALSE(proven) << bit;
        EXPECT_EQ(proven.error().kind(), ErrorKind::corrupt);
    }
}

TEST(Manifest, CutAnywhereItIsShorterThanHeadSays) {
    SimulatedDisk disk(1);
    const std::uint64_t length = make(disk).length();
    const std::string bytes = content(disk);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        overwrite(disk, bytes.substr(0, size));
        auto loaded = Manifest::load(disk, "");
        if (!loaded) {
            EXPECT_EQ(loaded.error().kind(), ErrorKind::corrupt);
            continue;
        }
        EXPECT_FALSE(loaded->refresh(false, length, 0)) << size;
    }
}

TEST(Manifest, ATornTailIsCutByWhoHoldsTheLock) {
    SimulatedDisk disk(1);
    const std::uint64_t length = make(disk).length();
    const std::string bytes = content(disk);
    overwrite(disk, bytes + bytes.substr(file_header_size, 60));
    Manifest manifest = must(Manifest::load(disk, ""));
    EXPECT_EQ(manifest.length(), length);
    must(manifest.refresh(true, length, 0));
    EXPECT_EQ(content(disk), bytes);
    must(manifest.raise_epoch());
    EXPECT_EQ(must(Manifest::load(disk, "")).epoch(), 3u);
}

TEST(Manifest, NamesOfSegmentsAreReadBack) {
    SegmentEntry entry;
    entry.id = 0xABCDEF0123456789;
    entry.base = 12345678901234567890u;
    const std::string name = segment_name(7, entry);
    std::uint32_t partition = 0;
    SegmentEntry back;
    ASSERT_TRUE(parse_segment_name(name, partition, back));
    EXPECT_EQ(partition, 7u);
    EXPECT_EQ(back.id, entry.id);
    EXPECT_EQ(back.base, entry.base);
    for (const char* other : {"", "x", ".seg"}) EXPECT_FALSE(parse_segment_name(other, partition, back));
    EXPECT_FALSE(parse_segment_name(name + "x", partition, back));
    EXPECT_FALSE(parse_segment_name("x" + name.substr(1), partition, back));
    EXPECT_FALSE(parse_segment_name(name.substr(0, name.size() - 3) + "idx", partition, back));
}

}  // namespace
}  // namespace stream::log
