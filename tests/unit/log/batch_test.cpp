// SPDX-License-Identifier: Apache-2.0
// Goal: records come back byte for byte with their offsets and sequence numbers, however they are stored; and a
// payload that lies about itself is refused.
#include "log/batch.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace stream::log {
namespace {

struct Opened {
    const char* why = nullptr;
    Batch batch;
    std::string buffer;
};

void open(const FrameHeader& header, std::string_view stored, Opened& out) {
    static ZstdExpander expander;
    out.why = open_batch(header, stored, expander, out.buffer, out.batch);
}

FrameHeader header_of(std::string_view stored, std::uint16_t flags, std::uint32_t raw, std::uint32_t records, std::uint32_t index) {
    FrameHeader h;
    h.flags = flags;
    h.raw = raw;
    h.records = records;
    h.index_bytes = index;
    std::string bytes;
    append_frame(bytes, h, stored);
    return h;
}

const char* why_not(std::string_view stored, std::uint16_t flags, std::uint32_t raw, std::uint32_t records, std::uint32_t index = 0) {
    Opened opened;
    open(header_of(stored, flags, raw, records, index), stored, opened);
    return opened.why;
}

RC_GTEST_PROP(Batch, RecordsComeBack, (std::vector<std::string> records, bool sequenced, bool sparse, bool compressed)) {
    for (std::string& record : records) std::replace(record.begin(), record.end(), '\n', '?');
    BatchBuilder builder(sequenced, sparse);
    std::vector<std::uint64_t> offsets;
    std::vector<std::uint64_t> sequences;
    std::uint64_t offset = *rc::gen::inRange<std::uint64_t>(0, 1'000'000);
    std::uint64_t sequence = offset;
    for (const std::string& record : records) {
        builder.add(record, offset, sequence, time_before_all);
        offsets.push_back(offset);
        sequences.push_back(sequence);
        offset += sparse ? *rc::gen::inRange<std::uint64_t>(1, 100'000) : 1;
        sequence += sequenced ? *rc::gen::inRange<std::uint64_t>(1, 100'000) : 1;
    }
    FrameHeader h;
    h.offset = offsets.empty() ? 0 : offsets.front();
    h.sequence = sequences.empty() ? 0 : sequences.front();
    std::string stored;
    ZstdCompressor compressor(1);
    const std::size_t least = builder.bytes();
    builder.finish(h, stored, compressed ? &compressor : nullptr);
    RC_ASSERT(h.raw == least);
    std::string frame;
    append_frame(frame, h, stored);
    Opened opened;
    open(h, stored, opened);
    RC_ASSERT(opened.why == nullptr);
    std::string_view lines = opened.batch.lines;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const std::size_t end = lines.find('\n');
        RC_ASSERT(lines.substr(0, end) == records[i]);
        lines.remove_prefix(end + 1);
        RC_ASSERT(opened.batch.offset_of(i) == offsets[i]);
        if (sequenced) RC_ASSERT(opened.batch.sequence_of(i) == sequences[i]);
    }
    RC_ASSERT(lines.empty());
}

TEST(Batch, RefusesAPayloadThatIsNotWhatItSays) {
    EXPECT_EQ(why_not("a\nb\n", 0, 4, 2), nullptr);
    EXPECT_NE(why_not("a\nb\n", 0, 4, 1), nullptr);
    EXPECT_NE(why_not("a\nb\n", 0, 4, 3), nullptr);
    EXPECT_NE(why_not("a\nb", 0, 3, 1), nullptr);   // no end
    EXPECT_NE(why_not("a\n", 0, 2, 0), nullptr);    // no record, and yet bytes
    EXPECT_EQ(why_not("", 0, 0, 0), nullptr);
    EXPECT_NE(why_not("not Zstandard\n", frame_compressed, 14, 1), nullptr);
}

TEST(Batch, RefusesAnIndexThatIsNotOne) {
    const std::uint16_t sparse = frame_sparse;
    EXPECT_EQ(why_not(std::string("\x03", 1) + "a\nb\n", sparse, 5, 2, 1), nullptr);
    EXPECT_NE(why_not(std::string("\x00", 1) + "a\nb\n", sparse, 5, 2, 1), nullptr);      // does not grow
    EXPECT_NE(why_not(std::string("\x83", 1) + "a\nb\n", sparse, 5, 2, 1), nullptr);      // has no end
    EXPECT_NE(why_not("\x03\x03" "a\nb\n", sparse, 6, 2, 2), nullptr);                    // too many
    EXPECT_NE(why_not("a\nb\n", sparse, 4, 2, 0), nullptr);                               // too few
    EXPECT_NE(why_not(std::string(10, '\xFF') + "a\nb\n", sparse, 14, 2, 10), nullptr);   // past 64 bits
    EXPECT_NE(why_not(std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 9) + "a\nb\n", sparse, 13, 2, 9), nullptr);  // past the range
}

TEST(Batch, RefusesToDecompressToAnythingElse) {
    std::string stored;
    ZstdCompressor compressor(1);
    const std::string lines(100'000, '\n');
    compressor.append(stored, lines);
    const std::uint16_t flag = frame_compressed;
    EXPECT_EQ(why_not(stored, flag, 100'000, 100'000), nullptr);
    EXPECT_NE(why_not(stored, flag, 99'999, 99'999), nullptr);
    EXPECT_NE(why_not(stored, flag, 100'001, 100'000), nullptr);
    EXPECT_NE(why_not(stored + stored, flag, 100'000, 100'000), nullptr);  // two of them
    EXPECT_NE(why_not(stored.substr(0, stored.size() - 1), flag, 100'000, 100'000), nullptr);
}

}  // namespace
}  // namespace stream::log
