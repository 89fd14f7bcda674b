// SPDX-License-Identifier: Apache-2.0
// Goal: of a batch for which there was no room nothing is left, in no partition, and the log goes on.
#include <cerrno>

#include "upkeep_helpers.hpp"

namespace stream::log {
namespace {

class FailedAppend : public testing::TestWithParam<std::uint32_t> {
protected:
    FailedAppend() {
        LogConfig config;
        config.partitions = GetParam();
        config.compressed = false;
        must(create_log(disk, log_folder, config));
    }
    void add(LogWriter& writer, const std::string& name) {
        for (std::uint32_t i = 0; i < 6; ++i) must(writer.add(i % GetParam(), fmt::format("{} {} {}", name, i, std::string(200, 'x')), 1000));
    }
    std::vector<std::uint64_t> lengths() {
        std::vector<std::uint64_t> all;
        const Manifest manifest = manifest_of(disk);
        for (std::uint32_t p = 0; p < GetParam(); ++p) all.push_back(read_whole(disk, segment_path(log_folder, p, *manifest.active(p))).size());
        return all;
    }
    SimulatedDisk disk{1};
};

TEST_P(FailedAppend, NothingOfTheBatchIsLeft) {
    for (std::uint64_t nth = 1; nth <= GetParam(); ++nth) {
        auto writer = must(LogWriter::open(disk, log_folder, {}));
        add(writer, fmt::format("before {}", nth));
        must(writer.commit());
        const auto before = lengths();
        const Lines lines = read_log(disk);
        add(writer, "refused");
        disk.fail_call(test::Call::write, nth, ENOSPC);
        EXPECT_EQ(kind_of(writer.commit()), ErrorKind::io);
        EXPECT_EQ(lengths(), before) << nth;
        EXPECT_EQ(read_log(disk), lines);
        std::size_t problems = 0;
        must(verify_log(disk, log_folder, [&](const Problem&) { ++problems; }));
        EXPECT_EQ(problems, 0u) << "not even a torn tail";
        // The next one begins where that one did.
        writer.drop_pending();
        add(writer, fmt::format("after {}", nth));
        must(writer.commit());
        for (const auto& partition : read_log(disk)) {
            for (const Line& line : partition) EXPECT_FALSE(line.text.starts_with("refused"));
        }
        EXPECT_EQ(must(verify_log(disk, log_folder, {})).damaged, 0u);
    }
}

INSTANTIATE_TEST_SUITE_P(Partitions, FailedAppend, testing::Values(1u, 3u));

}  // namespace
}  // namespace stream::log
