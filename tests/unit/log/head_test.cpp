// SPDX-License-Identifier: Apache-2.0
// Goal: head is read back as it was written, or not at all.
#include "log/head.hpp"

#include <gtest/gtest.h>

#include "support/simulated_disk.hpp"

namespace stream::log {
namespace {

using test::SimulatedDisk;

HeadState some_state() {
    HeadState state;
    state.manifest_id = 7;
    state.writes = 9;
    state.epoch = 2;
    state.sequence = 300;
    state.durable_sequence = 290;
    state.manifest_length = 1234;
    state.partitions = {{1, 1000, 990, 100, 5, 4, 77}, {2, 64, 64, 0, time_before_all, time_before_all, 88}};
    return state;
}

std::optional<HeadState> read(SimulatedDisk& disk, std::uint64_t id = 7, std::uint32_t partitions = 2) {
    Head head(disk, "");
    auto state = head.read(id, partitions);
    return state ? *state : std::optional<HeadState>{};
}

void overwrite(SimulatedDisk& disk, const std::string& bytes) {
    auto file = *disk.open("/head", Open::write);
    ASSERT_TRUE(file->truncate(0));
    ASSERT_TRUE(file->write_at(bytes, 0));
}

TEST(Head, ComesBackAsItWas) {
    SimulatedDisk disk(1);
    EXPECT_FALSE(read(disk));
    ASSERT_TRUE(Head(disk, "").write(some_state()));
    const auto state = read(disk);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->writes, 9u);
    EXPECT_EQ(state->epoch, 2u);
    EXPECT_EQ(state->sequence, 300u);
    EXPECT_EQ(state->durable_sequence, 290u);
    EXPECT_EQ(state->manifest_length, 1234u);
    EXPECT_EQ(state->partitions, some_state().partitions);
}

TEST(Head, NeitherAFlippedBitNorACutOneIsBelieved) {
    SimulatedDisk disk(1);
    ASSERT_TRUE(Head(disk, "").write(some_state()));
    std::string bytes(4096, '\0');
    bytes.resize(*(*disk.open("/head", Open::read))->read_at(bytes, 0));
    ASSERT_EQ(bytes.size(), 60u + 2 * 56u);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        std::string flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        overwrite(disk, flipped);
        EXPECT_FALSE(read(disk)) << bit;
    }
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        overwrite(disk, bytes.substr(0, size));
        EXPECT_FALSE(read(disk)) << size;
    }
    overwrite(disk, bytes);
    EXPECT_TRUE(read(disk));
}

TEST(Head, IsOfItsManifestOnly) {
    SimulatedDisk disk(1);
    ASSERT_TRUE(Head(disk, "").write(some_state()));
    EXPECT_FALSE(read(disk, 8));
    EXPECT_FALSE(read(disk, 7, 1));
    EXPECT_FALSE(read(disk, 7, 3));
}

TEST(Head, IsRewrittenInPlace) {
    SimulatedDisk disk(1);
    Head head(disk, "");
    HeadState state = some_state();
    for (std::uint64_t i = 0; i < 5; ++i) {
        state.writes = i;
        ASSERT_TRUE(head.write(state));
        EXPECT_EQ(read(disk)->writes, i);
    }
    EXPECT_EQ(disk.calls(test::Call::create), 1u);
    EXPECT_EQ(disk.calls(test::Call::sync), 0u);
}

}  // namespace
}  // namespace stream::log
