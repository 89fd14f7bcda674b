// SPDX-License-Identifier: Apache-2.0
// Writer and reader together: what is appended comes back, byte for byte, in order.
#include <gtest/gtest.h>

#include <random>

#include "log/reader.hpp"
#include "log/writer.hpp"
#include "support/simulated_disk.hpp"

namespace stream::log {
namespace {

using test::SimulatedDisk;

struct Given {
    std::uint32_t partitions = 1;
    bool compressed = true;
    std::uint64_t segment_bytes = 4096;
    bool sync = true;
};

std::string random_record(std::mt19937_64& random) {
    std::string record(random() % 5 == 0 ? random() % 3000 : random() % 100, '\0');
    for (char& c : record) {
        c = static_cast<char>(random());
        if (c == '\n') c = ' ';
    }
    return record;
}

std::vector<std::string> read_all(SimulatedDisk& disk, const std::string& folder) {
    std::vector<std::string> records;
    auto reader = LogReader::open(disk, folder, {});
    EXPECT_TRUE(reader.has_value()) << reader.error().message();
    if (!reader) return records;
    for (Run run;;) {
        auto got = reader->next(run);
        EXPECT_TRUE(got.has_value()) << got.error().message();
        if (!got || *got != LogReader::Next::records) break;
        std::string_view lines = run.lines;
        while (!lines.empty()) {
            const std::size_t end = lines.find('\n');
            records.emplace_back(lines.substr(0, end));
            lines.remove_prefix(end + 1);
        }
    }
    return records;
}

void roundtrip(const Given& given, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    SimulatedDisk disk(seed);
    LogConfig config;
    config.partitions = given.partitions;
    config.compressed = given.compressed;
    config.segment_bytes = given.segment_bytes;
    ASSERT_TRUE(create_log(disk, "/log", config).has_value());
    std::vector<std::string> all;
    std::vector<LogWriter> writers;
    for (int i = 0; i < 2; ++i) {
        auto writer = LogWriter::open(disk, "/log", {given.sync, {}});
        ASSERT_TRUE(writer.has_value()) << writer.error().message();
        writers.push_back(std::move(*writer));
    }
    std::vector<std::uint64_t> ends(given.partitions, 0);
    for (int batch = 0; batch < 30; ++batch) {
        LogWriter& writer = writers[random() % 2];
        const std::size_t records = random() % 20;
        for (std::size_t i = 0; i < records; ++i) {
            all.push_back(random_record(random));
            ASSERT_TRUE(writer.add(static_cast<std::uint32_t>(random() % given.partitions), all.back(), static_cast<TimeNs>(random() % 1000)).has_value());
        }
        auto acks = writer.commit();
        ASSERT_TRUE(acks.has_value()) << acks.error().message();
        std::uint64_t acknowledged = 0;
        for (const Ack& ack : *acks) {
            EXPECT_EQ(ack.first, ends[ack.partition]);
            ends[ack.partition] = ack.last + 1;
            acknowledged += ack.last - ack.first + 1;
        }
        EXPECT_EQ(acknowledged, records);
        if (batch % 7 == 0) {
            EXPECT_EQ(read_all(disk, "/log"), all);
        }
    }
    EXPECT_EQ(read_all(disk, "/log"), all);
    const auto after = disk.killed(seed);
    EXPECT_EQ(read_all(*after, "/log"), all);
    if (given.sync) {
        const auto cut = disk.crash(seed);
        EXPECT_EQ(read_all(*cut, "/log"), all);
    }
}

TEST(LogRoundtrip, one_partition) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) roundtrip({}, seed);
}
TEST(LogRoundtrip, several_partitions) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) roundtrip({3, true, 4096, true}, seed);
}
TEST(LogRoundtrip, not_compressed) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) roundtrip({3, false, 4096, true}, seed);
}
TEST(LogRoundtrip, without_sync) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) roundtrip({3, true, 4096, false}, seed);
}

}  // namespace
}  // namespace stream::log
