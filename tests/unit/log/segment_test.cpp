// SPDX-License-Identifier: Apache-2.0
// Goal: a segment's frames are read in order; what is wrong is seen; what is whole behind it is found again.
#include "log/segment.hpp"

#include <gtest/gtest.h>

#include "log/salvage.hpp"
#include "support/simulated_disk.hpp"

namespace stream::log {
namespace {

using test::SimulatedDisk;
using Found = SegmentReader::Found;

constexpr const char* path = "/segment";
const FileHeader header{FileKind::segment, 99, {1, 2}, 0, 10};

struct Written {
    std::string bytes;
    std::vector<std::uint64_t> begins;  // of the frames
};

// Five frames of two records each, offsets 10 to 19; each was durable when the next was made.
Written some_segment() {
    Written out;
    append_file_header(out.bytes, header);
    FileHeader again;
    std::uint32_t chain = 0;
    EXPECT_EQ(read_file_header(out.bytes, again, chain), nullptr);
    for (std::uint64_t i = 0; i < 5; ++i) {
        BatchBuilder builder(false, false);
        FrameHeader h;
        h.offset = h.sequence = 10 + 2 * i;
        builder.add("first of " + std::to_string(i), h.offset, h.sequence, 5);
        builder.add(std::string(i, 'x'), h.offset + 1, h.sequence + 1, 6);
        std::string stored;
        builder.finish(h, stored, nullptr);
        h.file_id = header.file_id;
        h.epoch = 1;
        h.chain = chain;
        h.durable = out.bytes.size();
        out.begins.push_back(out.bytes.size());
        append_frame(out.bytes, h, stored);
        chain = h.next_chain();
    }
    return out;
}

void put(SimulatedDisk& disk, const std::string& bytes) {
    auto file = disk.open_if_there(path, Open::write);
    if (file && *file == nullptr) file = disk.open(path, Open::create_new);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->truncate(0));
    ASSERT_TRUE((*file)->write_at(bytes, 0));
}

TEST(Segment, IsReadInOrder) {
    SimulatedDisk disk(1);
    const Written written = some_segment();
    put(disk, written.bytes);
    auto reader = SegmentReader::open(disk, path, header);
    ASSERT_TRUE(reader);
    Batch batch;
    for (std::uint64_t i = 0; i < 5; ++i) {
        ASSERT_EQ(*reader->next(written.bytes.size(), batch), Found::frame);
        EXPECT_EQ(batch.position, written.begins[i]);
        EXPECT_EQ(batch.offset_of(0), 10 + 2 * i);
        EXPECT_EQ(batch.lines, "first of " + std::to_string(i) + "\n" + std::string(i, 'x') + "\n");
    }
    EXPECT_EQ(*reader->next(written.bytes.size(), batch), Found::end);
    reader->go_to(reader->begin());
    FrameHeader h;
    for (int i = 0; i < 5; ++i) ASSERT_EQ(*reader->next_header(written.bytes.size(), h), Found::frame);
    EXPECT_EQ(*reader->next_header(written.bytes.size(), h), Found::end);
}

TEST(Segment, IsRefusedUnderAnotherName) {
    SimulatedDisk disk(1);
    EXPECT_EQ(SegmentReader::open(disk, path, header).error().kind(), ErrorKind::corrupt);
    put(disk, some_segment().bytes);
    const auto kind_with = [&](auto change) {
        FileHeader other = header;
        change(other);
        const auto reader = SegmentReader::open(disk, path, other);
        return reader ? ErrorKind::stopped : reader.error().kind();
    };
    EXPECT_EQ(kind_with([](FileHeader&) {}), ErrorKind::stopped);
    EXPECT_EQ(kind_with([](FileHeader& h) { ++h.file_id; }), ErrorKind::corrupt);
    EXPECT_EQ(kind_with([](FileHeader& h) { ++h.log_id.low; }), ErrorKind::corrupt);
    EXPECT_EQ(kind_with([](FileHeader& h) { ++h.partition; }), ErrorKind::corrupt);
    EXPECT_EQ(kind_with([](FileHeader& h) { ++h.base_offset; }), ErrorKind::corrupt);
    EXPECT_EQ(kind_with([](FileHeader& h) { h.kind = FileKind::group; }), ErrorKind::corrupt);
}

TEST(Segment, EveryFlippedBitIsSeenAndWhatIsBehindItFoundAgain) {
    SimulatedDisk disk(1);
    const Written written = some_segment();
    const std::uint64_t size = written.bytes.size();
    for (std::size_t bit = file_header_size * 8; bit < size * 8; ++bit) {
        std::string flipped = written.bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        put(disk, flipped);
        std::size_t hit = written.begins.size() - 1;
        while (written.begins[hit] > bit / 8) --hit;
        auto reader = SegmentReader::open(disk, path, header);
        ASSERT_TRUE(reader);
        Batch batch;
        for (std::size_t i = 0; i < hit; ++i) ASSERT_EQ(*reader->next(size, batch), Found::frame) << bit;
        ASSERT_NE(*reader->next(size, batch), Found::frame) << bit;
        EXPECT_EQ(reader->place().position, written.begins[hit]);
        const bool last = hit + 1 == written.begins.size();
        EXPECT_EQ(*reader->proven_behind(written.begins[hit], size), last ? 0 : written.begins.back());
        reader->go_to(reader->begin());
        const auto read = salvage_segment(*reader, size, nullptr);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->frames, 4u);
        ASSERT_EQ(read->bad.size(), 1u);
        EXPECT_EQ(read->bad[0].from, written.begins[hit]);
        EXPECT_EQ(read->bad[0].to, last ? size : written.begins[hit + 1]);
        EXPECT_EQ(read->bad[0].offset, 10 + 2 * hit);
        EXPECT_EQ(read->bad[0].next_offset.has_value(), !last);
    }
}

TEST(Segment, ALengthWithinAFrameIsCutShort) {
    SimulatedDisk disk(1);
    const Written written = some_segment();
    put(disk, written.bytes);
    Batch batch;
    FrameHeader h;
    for (std::uint64_t limit = written.begins[1] + 1; limit < written.begins[2]; ++limit) {
        auto reader = SegmentReader::open(disk, path, header);
        ASSERT_EQ(*reader->next(limit, batch), Found::frame);
        EXPECT_EQ(*reader->next(limit, batch), Found::cut_short) << limit;
        EXPECT_EQ(*reader->next_header(limit, h), Found::cut_short) << limit;
    }
    auto reader = SegmentReader::open(disk, path, header);
    for (int i = 0; i < 5; ++i) ASSERT_EQ(*reader->next(written.bytes.size() + 999, batch), Found::frame);
    EXPECT_EQ(*reader->next(written.bytes.size() + 999, batch), Found::cut_short);  // the file is shorter than it should be
    put(disk, written.bytes + std::string(999, '\0'));
    EXPECT_EQ(*reader->next(written.bytes.size() + 999, batch), Found::nothing);
}

TEST(Segment, FramesThatChangedPlacesAreFoundForRepair) {
    SimulatedDisk disk(1);
    const Written written = some_segment();
    std::string bytes = written.bytes.substr(0, written.begins[1]);
    const auto frame = [&](std::size_t i) {
        const std::uint64_t end = i + 1 < written.begins.size() ? written.begins[i + 1] : written.bytes.size();
        return written.bytes.substr(written.begins[i], end - written.begins[i]);
    };
    for (const std::size_t i : {3u, 2u, 1u, 4u, 2u}) bytes += frame(i);
    put(disk, bytes);
    auto reader = SegmentReader::open(disk, path, header);
    std::vector<GoodFrame> frames;
    auto read = salvage_segment(*reader, bytes.size(), [&](const GoodFrame& one, const Batch&) -> Result<void> {
        frames.push_back(one);
        return {};
    });
    ASSERT_TRUE(read);
    insert_strays(frames, read->strays);
    ASSERT_EQ(frames.size(), 5u);
    for (std::size_t i = 0; i < frames.size(); ++i) EXPECT_EQ(frames[i].place.offset, 10 + 2 * i);
}

}  // namespace
}  // namespace stream::log
