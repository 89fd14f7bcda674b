// SPDX-License-Identifier: Apache-2.0
// Goal: a frame is read back as it was written, at its place only, and no bit of it can be another.
#include "log/frame.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>

#include "base/crc32c.hpp"

namespace stream::log {
namespace {

FrameHeader some_frame() {
    FrameHeader h;
    h.raw = 13;
    h.records = 2;
    h.offset = 70;
    h.file_id = 0x1122334455667788;
    h.epoch = 3;
    h.chain = 0xABCDEF01;
    h.durable = 64;
    h.max_time = -5;
    h.append_time = 1'700'000'000'000'000'000;
    h.sequence = 100;
    h.durable_sequence = 90;
    h.batch_before = 4;
    h.batch_records = 7;
    return h;
}
constexpr std::string_view payload = "{\"a\":1}\nsome\n";  // 13 bytes, so there is padding

std::string bytes_of(FrameHeader& h, std::string_view stored = payload) {
    std::string bytes;
    append_frame(bytes, h, stored);
    return bytes;
}

FramePlace place_of(const FrameHeader& h) { return {h.file_id, h.chain, h.epoch, h.offset, h.type}; }

FrameState state_of(std::string_view bytes, const FramePlace& place) {
    FrameHeader header;
    const char* why = nullptr;
    const FrameState state = read_frame_header(bytes, place, header, why);
    EXPECT_EQ(state == FrameState::invalid, why != nullptr);
    return state;
}

// The header with other bytes in it, and its check right again: what a hostile file may hold.
template <class T>
std::string forged(std::string bytes, std::size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
    const std::uint32_t crc = crc32c(std::string_view(bytes).substr(0, frame_header_size - 4));
    std::memcpy(bytes.data() + frame_header_size - 4, &crc, sizeof crc);
    return bytes;
}

TEST(Frame, ComesBackAsItWas) {
    FrameHeader h = some_frame();
    const std::string bytes = bytes_of(h);
    EXPECT_EQ(bytes.size(), h.size());
    EXPECT_EQ(bytes.size() % 8, 0u);
    EXPECT_EQ(bytes.substr(0, 4), "SLF1");
    FrameHeader back;
    const char* why = nullptr;
    ASSERT_EQ(read_frame_header(bytes, place_of(h), back, why), FrameState::valid);
    EXPECT_EQ(back.records, h.records);
    EXPECT_EQ(back.offset, h.offset);
    EXPECT_EQ(back.epoch, h.epoch);
    EXPECT_EQ(back.durable, h.durable);
    EXPECT_EQ(back.max_time, h.max_time);
    EXPECT_EQ(back.append_time, h.append_time);
    EXPECT_EQ(back.sequence, h.sequence);
    EXPECT_EQ(back.durable_sequence, h.durable_sequence);
    EXPECT_EQ(back.batch_first(), 96u);
    EXPECT_EQ(back.batch_end(), 103u);
    EXPECT_EQ(back.next_chain(), h.next_chain());
    EXPECT_TRUE(payload_is_right(back, payload));
}

TEST(Frame, NoBitOfItsHeaderCanBeAnother) {
    FrameHeader h = some_frame();
    const std::string bytes = bytes_of(h);
    for (std::size_t bit = 0; bit < frame_header_size * 8; ++bit) {
        std::string flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        EXPECT_NE(state_of(flipped, place_of(h)), FrameState::valid) << bit;
        FrameHeader lone;
        EXPECT_NE(read_lone_header(flipped, h.file_id, lone), FrameState::valid) << bit;
    }
}

TEST(Frame, NoBitOfItsPayloadCanBeAnother) {
    FrameHeader h = some_frame();
    static_cast<void>(bytes_of(h));
    for (std::size_t bit = 0; bit < payload.size() * 8; ++bit) {
        std::string flipped(payload);
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        EXPECT_FALSE(payload_is_right(h, flipped)) << bit;
    }
    EXPECT_FALSE(payload_is_right(h, payload.substr(1)));
}

TEST(Frame, CutAnywhereItIsCutShort) {
    FrameHeader h = some_frame();
    const std::string bytes = bytes_of(h);
    EXPECT_EQ(state_of("", place_of(h)), FrameState::nothing);
    for (std::size_t size = 1; size < bytes.size(); ++size) EXPECT_EQ(state_of(std::string_view(bytes).substr(0, size), place_of(h)), FrameState::cut_short) << size;
    EXPECT_EQ(state_of(std::string(400, '\0'), place_of(h)), FrameState::nothing);
    EXPECT_EQ(state_of(std::string(400, 'x'), place_of(h)), FrameState::invalid);
}

TEST(Frame, IsOnlyValidAtItsPlace) {
    FrameHeader h = some_frame();
    const std::string bytes = bytes_of(h);
    const auto with = [&](auto change) {
        FramePlace place = place_of(h);
        change(place);
        return state_of(bytes, place);
    };
    EXPECT_EQ(with([](FramePlace& p) { ++p.file_id; }), FrameState::invalid);
    EXPECT_EQ(with([](FramePlace& p) { ++p.chain; }), FrameState::invalid);
    EXPECT_EQ(with([](FramePlace& p) { ++p.least_epoch; }), FrameState::invalid);
    EXPECT_EQ(with([](FramePlace& p) { --p.least_epoch; }), FrameState::valid);
    EXPECT_EQ(with([](FramePlace& p) { ++p.offset; }), FrameState::invalid);
    EXPECT_EQ(with([](FramePlace& p) { --p.offset; }), FrameState::invalid);
    EXPECT_EQ(with([](FramePlace& p) { p.type = FrameType::manifest; }), FrameState::invalid);
    FrameHeader sparse = some_frame();
    sparse.flags = frame_sparse;
    const std::string gap = bytes_of(sparse);
    FramePlace place = place_of(sparse);
    place.offset -= 5;
    EXPECT_EQ(state_of(gap, place), FrameState::valid);
    place.offset += 6;
    EXPECT_EQ(state_of(gap, place), FrameState::invalid);
}

TEST(Frame, RefusesWhatMakesNoSenseThoughItsChecksAreRight) {
    FrameHeader h = some_frame();
    const std::string bytes = bytes_of(h);
    const FramePlace place = place_of(h);
    ASSERT_EQ(state_of(forged<std::uint32_t>(bytes, 8, h.stored), place), FrameState::valid);
    EXPECT_EQ(state_of(forged<std::uint8_t>(bytes, 4, 2), place), FrameState::invalid);            // version
    EXPECT_EQ(state_of(forged<std::uint16_t>(bytes, 6, 0x8000), place), FrameState::invalid);      // an unknown flag
    EXPECT_EQ(state_of(forged<std::uint32_t>(bytes, 8, 0xFFFFFFFF), place), FrameState::invalid);  // a huge payload
    EXPECT_EQ(state_of(forged<std::uint32_t>(bytes, 12, payload_max + 1), place), FrameState::invalid);
    EXPECT_EQ(state_of(forged<std::uint32_t>(bytes, 12, 12), place), FrameState::invalid);  // two lengths, not compressed
    EXPECT_EQ(state_of(forged<std::uint32_t>(bytes, 16, 14), place), FrameState::invalid);  // more records than bytes
    EXPECT_EQ(state_of(forged<std::uint32_t>(bytes, 20, 1), place), FrameState::invalid);   // an index without its mark
    EXPECT_EQ(state_of(forged<std::uint64_t>(bytes, 24, std::uint64_t{1} << 63), place), FrameState::invalid);
    EXPECT_EQ(state_of(forged<std::uint64_t>(bytes, 72, UINT64_MAX), place), FrameState::invalid);
    EXPECT_EQ(state_of(forged<std::uint32_t>(bytes, 88, 6), place), FrameState::invalid);    // 6 before and 2 of 7
    EXPECT_EQ(state_of(forged<std::uint32_t>(bytes, 88, 101), place), FrameState::invalid);  // more before than numbers
}

RC_GTEST_PROP(Frame, AnyPayloadComesBack, (std::string stored)) {
    FrameHeader h = some_frame();
    h.raw = static_cast<std::uint32_t>(stored.size());
    h.records = std::min<std::uint32_t>(h.records, h.raw);
    h.batch_records = 0;
    const std::string bytes = bytes_of(h, stored);
    RC_ASSERT(bytes.size() == h.size());
    RC_ASSERT(h.batch_records == h.batch_before + h.records);
    RC_ASSERT(state_of(bytes, place_of(h)) == FrameState::valid);
    RC_ASSERT(payload_is_right(h, std::string_view(bytes).substr(frame_header_size, stored.size())));
}

TEST(FileHeader, ComesBackAndNoBitOfItCanBeAnother) {
    const FileHeader header{FileKind::segment, 0x0102030405060708, {11, 12}, 5, 1000};
    std::string bytes;
    append_file_header(bytes, header);
    ASSERT_EQ(bytes.size(), file_header_size);
    FileHeader back;
    std::uint32_t crc = 0;
    ASSERT_EQ(read_file_header(bytes, back, crc), nullptr);
    EXPECT_EQ(back.kind, header.kind);
    EXPECT_EQ(back.file_id, header.file_id);
    EXPECT_EQ(back.log_id, header.log_id);
    EXPECT_EQ(back.partition, header.partition);
    EXPECT_EQ(back.base_offset, header.base_offset);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        std::string flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        EXPECT_NE(read_file_header(flipped, back, crc), nullptr) << bit;
    }
    for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_NE(read_file_header(std::string_view(bytes).substr(0, size), back, crc), nullptr);
}

}  // namespace
}  // namespace stream::log
