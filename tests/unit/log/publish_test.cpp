// SPDX-License-Identifier: Apache-2.0
// Goal: an epoch of a run is in the log once and whole, or not at all, whatever dies when and whoever writes beside it.
#include <cerrno>

#include "upkeep_helpers.hpp"

namespace stream::log {
namespace {

constexpr const char* run = "4f1a";

LogConfig small(std::uint32_t partitions) {
    LogConfig config;
    config.partitions = partitions;
    config.segment_bytes = 900;
    config.compressed = false;
    return config;
}

LogWriter open_writer(FileSystem& files, bool sync = true) { return must(LogWriter::open(files, log_folder, {sync, {}})); }

// `count` records of epoch `name`, one in each partition after the other.
void add_epoch(LogWriter& writer, const std::string& name, std::size_t count) {
    const std::uint32_t partitions = writer.config().partitions;
    for (std::size_t i = 0; i < count; ++i) must(writer.add(static_cast<std::uint32_t>(i % partitions), fmt::format("{} {}", name, i), 1000));
}

std::vector<Ack> publish(LogWriter& writer, std::uint64_t epoch, std::size_t count, const std::string& sink = "totals") {
    add_epoch(writer, fmt::format("{} {}", sink, epoch), count);
    const auto acks = must(writer.publish(run, sink, epoch));
    return {acks.begin(), acks.end()};
}

// All texts, sorted.
std::vector<std::string> texts(const Lines& lines) {
    std::vector<std::string> all;
    for (const auto& partition : lines) {
        for (const Line& line : partition) all.push_back(line.text);
    }
    std::sort(all.begin(), all.end());
    return all;
}

std::size_t count_of(const std::vector<std::string>& all, const std::string& beginning) {
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const std::string& text) { return text.starts_with(beginning + " "); }));
}

void expect_whole(FileSystem& files) {
    EXPECT_EQ(must(verify_log(files, log_folder, {})).damaged, 0u);
    const Lines lines = read_log(files);
    std::vector<std::uint64_t> sequences;
    for (const auto& partition : lines) {
        for (std::size_t i = 0; i < partition.size(); ++i) {
            EXPECT_EQ(partition[i].offset, partition.front().offset + i);
            sequences.push_back(partition[i].sequence);
        }
    }
    std::sort(sequences.begin(), sequences.end());
    for (std::size_t i = 0; i < sequences.size(); ++i) EXPECT_EQ(sequences[i], sequences.front() + i);
}

class Publish : public testing::TestWithParam<std::uint32_t> {
protected:
    Publish() { must(create_log(disk, log_folder, small(GetParam()))); }
    SimulatedDisk disk{1};
};

TEST_P(Publish, AnEpochIsInTheLogOnce) {
    auto writer = open_writer(disk);
    EXPECT_EQ(writer.published(run, "totals"), 0u);
    const auto acks = publish(writer, 1, 6);
    ASSERT_EQ(acks.size(), GetParam());
    for (const Ack& ack : acks) {
        EXPECT_EQ(ack.first, 0u);
        EXPECT_EQ(ack.last, 6 / GetParam() - 1);
    }
    EXPECT_EQ(writer.published(run, "totals"), 1u);
    // Again, and an older one: what was added is dropped, and the next one goes on.
    publish(writer, 3, 2);
    EXPECT_TRUE(publish(writer, 3, 2).empty());
    EXPECT_TRUE(publish(writer, 2, 2).empty());
    EXPECT_TRUE(publish(writer, 0, 2).empty());
    EXPECT_EQ(writer.pending_records(), 0u);
    auto other = open_writer(disk);
    EXPECT_EQ(other.published(run, "totals"), 3u);
    EXPECT_TRUE(publish(other, 3, 4).empty());
    publish(other, 4, 3);
    EXPECT_TRUE(publish(writer, 4, 3).empty());  // asked under the lock
    EXPECT_EQ(writer.published(run, "totals"), 4u);
    const auto all = texts(read_log(disk));
    EXPECT_EQ(all.size(), 6u + 2 + 3);
    for (const auto& [epoch, count] : {std::pair{1, 6u}, {2, 0u}, {3, 2u}, {4, 3u}}) EXPECT_EQ(count_of(all, fmt::format("totals {}", epoch)), count);
    expect_whole(disk);
    expect_head_is_up_to_date(disk);
}

TEST_P(Publish, RunsAndSinksCountByThemselves) {
    auto writer = open_writer(disk);
    publish(writer, 7, 3);
    publish(writer, 2, 3, "late \"quoted\"");
    add_epoch(writer, "other", 4);
    must(writer.publish("another", "totals", 1));
    EXPECT_EQ(writer.published(run, "totals"), 7u);
    EXPECT_EQ(writer.published(run, "late \"quoted\""), 2u);
    EXPECT_EQ(writer.published("another", "totals"), 1u);
    EXPECT_EQ(writer.published("another", "late"), 0u);
    EXPECT_EQ(texts(read_log(disk)).size(), 10u);
    expect_whole(disk);
}

TEST_P(Publish, OthersAppendBetween) {
    auto writer = open_writer(disk);
    auto other = open_writer(disk);
    auto lazy = open_writer(disk, false);
    std::size_t given = 0;
    for (std::uint64_t epoch = 1; epoch <= 20; ++epoch) {
        add_epoch(other, "plain", epoch % 4);
        must(other.commit());
        add_epoch(lazy, "lazy", epoch % 3);
        must(lazy.commit());
        publish(writer, epoch, epoch % 5);
        given += epoch % 4 + epoch % 3 + epoch % 5;
    }
    EXPECT_EQ(texts(read_log(disk)).size(), given);
    // What others had not synced is below the sequence number that an epoch says is durable.
    EXPECT_EQ(texts(read_log(*disk.crash(5))).size(), given);
    EXPECT_EQ(manifest_of(*disk.crash(5)).published(run, "totals"), 20u);
    expect_whole(disk);
}

TEST_P(Publish, AnEpochMayBeLongerThanASegment) {
    auto writer = open_writer(disk);
    publish(writer, 1, 2);
    publish(writer, 2, 400);
    publish(writer, 3, 2);
    auto all = texts(read_log(disk));
    EXPECT_EQ(count_of(all, "totals 2"), 400u);
    EXPECT_EQ(sealed_segments(disk), GetParam() == 1 ? 2u : 4u);
    const std::string record(700 << 10, 'x');
    for (int i = 0; i < 5; ++i) must(writer.add(0, record, 1));
    must(writer.publish(run, "totals", 4));
    const Lines lines = read_log(disk);
    for (const Line& line : lines[0]) EXPECT_TRUE(line.text.size() < 100 || line.text == record);
    EXPECT_EQ(texts(lines).size(), 409u);
    expect_whole(disk);
    expect_whole(*disk.crash(3));
}

TEST_P(Publish, AnEpochMayBeEmpty) {
    auto writer = open_writer(disk, false);
    publish(writer, 1, 0);
    EXPECT_EQ(open_writer(disk).published(run, "totals"), 1u);
    add_epoch(writer, "lazy", 5);
    must(writer.commit());
    EXPECT_TRUE(publish(writer, 2, 0).empty());
    EXPECT_EQ(texts(read_log(*disk.crash(1))).size(), 5u);
    EXPECT_EQ(manifest_of(*disk.crash(1)).published(run, "totals"), 2u);
    publish(writer, 3, 1);
    expect_head_is_up_to_date(disk);
    expect_whole(disk);
}

// What was added counts for a filter of keys as in commit().
class EveryOther final : public KeyFilter {
public:
    Result<void> catch_up(const HeadState&) override { return {}; }
    Result<bool> is_new(const Hash128& key, TimeNs) override { return key.low % 2 == 0; }
    Result<void> appended(const HeadState& ends) override {
        end = ends.sequence;
        return {};
    }
    void dropped() override { FAIL(); }
    std::uint64_t end = 0;
};

TEST_P(Publish, KeysAreAskedUnderTheLock) {
    auto writer = open_writer(disk);
    EveryOther filter;
    writer.set_key_filter(&filter);
    for (std::uint64_t epoch = 1; epoch <= 2; ++epoch) {
        for (std::uint64_t i = 0; i < 6; ++i) {
            const Hash128 key{i, i};
            must(writer.add(0, fmt::format("keyed {}", i), 1, &key));
        }
        must(writer.publish(run, "totals", 1));
    }
    EXPECT_EQ(writer.duplicates(), 3u);  // of the first one: the second was published
    EXPECT_EQ(filter.end, 3u);
    const Hash128 odd{1, 1};
    must(writer.add(0, "keyed 1", 1, &odd));
    EXPECT_TRUE(must(writer.publish(run, "totals", 2)).empty());
    EXPECT_EQ(writer.published(run, "totals"), 2u);
    EXPECT_EQ(texts(read_log(disk)).size(), 3u);
}

// --- readers ---

std::uint64_t read_on(LogReader& reader, std::vector<std::string>& all) {
    for (Run lines;;) {
        if (must(reader.next(lines)) != LogReader::Next::records) return all.size();
        std::string_view rest = lines.lines;
        while (!rest.empty()) {
            const std::size_t end = rest.find('\n');
            all.emplace_back(rest.substr(0, end));
            rest.remove_prefix(end + 1);
        }
    }
}

// Kills a publisher at each call; calls back with the disk then.
template <class Check>
void kill_publisher(const SimulatedDisk& before, std::size_t count, Check&& check) {
    kill_everywhere(
        before,
        [&](SimulatedDisk& at) {
            auto writer = open_writer(at);
            publish(writer, 2, count);
        },
        std::forward<Check>(check));
}

TEST_P(Publish, AFollowerSeesAWholeEpochOrNothing) {
    auto writer = open_writer(disk);
    publish(writer, 1, 4);
    auto follower = must(LogReader::open(disk, log_folder, {}));
    std::vector<std::string> seen;
    EXPECT_EQ(read_on(follower, seen), 4u);
    std::size_t given = 4;
    for (std::uint64_t epoch = 2; epoch < 12; ++epoch) {
        EXPECT_FALSE(must(follower.refresh()));
        const std::size_t count = epoch % 3 == 0 ? 0 : epoch * 7;
        publish(writer, epoch, count);
        EXPECT_EQ(must(follower.refresh()), count > 0);
        EXPECT_EQ(read_on(follower, seen), given += count);
    }
    // A dead publisher's frames, and its epoch again: the follower goes on.
    for (std::uint64_t nth = 1; nth < 200; ++nth) {
        const auto copy = disk.killed(nth);
        auto beside = must(LogReader::open(*copy, log_folder, {}));
        std::vector<std::string> here;
        EXPECT_EQ(read_on(beside, here), given);
        copy->stop_at_change(nth);
        bool died = false;
        try {
            auto dying = open_writer(*copy);
            publish(dying, 12, 30);
        } catch (const SimulatedCrash&) {
            died = true;
        } catch (const std::runtime_error&) {
            died = true;
        }
        if (!died) return;
        if (testing::Test::HasFailure()) break;
        const auto after = copy->killed(1000 + nth);  // another seed: no segment gets an id twice
        auto reader = must(LogReader::open(*after, log_folder, {}));
        std::vector<std::string> first;
        const std::uint64_t count = read_on(reader, first);
        EXPECT_TRUE(count == given || count == given + 30) << count;
        EXPECT_EQ(count > given, manifest_of(*after).published(run, "totals") == 12);
        auto again = open_writer(*after);
        EXPECT_EQ(publish(again, 12, 30).empty(), count > given);
        must(reader.refresh());
        EXPECT_EQ(read_on(reader, first), given + 30);
        EXPECT_EQ(count_of(first, "totals 12"), 30u);
    }
    FAIL() << "the publisher never came to its end";
}

// --- deaths ---

TEST_P(Publish, KilledAnywhereItIsThereOnceWhenItIsDoneAgain) {
    {
        auto writer = open_writer(disk);
        publish(writer, 1, 5);
        add_epoch(writer, "plain", 3);
        must(writer.commit());
    }
    for (const std::size_t count : {0u, 3u, 40u}) {
        kill_publisher(disk, count, [&](SimulatedDisk& after) {
            const std::size_t left = texts(read_log(after)).size();
            EXPECT_TRUE(left == 8 || left == 8 + count) << left;
            // Somebody else comes first.
            auto plain = open_writer(after);
            EXPECT_EQ(texts(read_log(after)).size(), left);
            add_epoch(plain, "plain", 2);
            must(plain.commit());
            auto writer = open_writer(after);
            EXPECT_EQ(publish(writer, 2, count).empty(), left != 8 || count == 0);
            EXPECT_EQ(writer.published(run, "totals"), 2u);
            const auto all = texts(read_log(after));
            EXPECT_EQ(all.size(), 10 + count);
            EXPECT_EQ(count_of(all, "totals 2"), count);
            EXPECT_EQ(texts(read_log(*after.crash(9))), all);
            expect_whole(after);
            expect_head_is_up_to_date(after);
        });
    }
}

// A writer that is alive when another dies finds what that left at its next batch.
TEST_P(Publish, AWriterBesideADeadPublisherGoesOn) {
    auto plain = std::make_unique<LogWriter>(open_writer(disk));
    add_epoch(*plain, "plain", 2);
    must(plain->commit());
    std::vector<std::string> expected;
    for (const int error : {ENOSPC, EIO}) {
        for (std::uint64_t nth = 1; nth <= 12; ++nth) {
            auto writer = open_writer(disk);
            const std::uint64_t before = writer.published(run, "totals");
            add_epoch(writer, fmt::format("totals {}", before + 1), 20);
            disk.fail_call(error == EIO ? test::Call::sync : test::Call::write, nth, error);
            const bool published = writer.publish(run, "totals", before + 1).has_value();
            disk.fail_call(test::Call::rename, 1u << 30, EIO);
            add_epoch(*plain, "plain", 2);
            while (!plain->commit()) {  // the failure was not yet due
                plain = std::make_unique<LogWriter>(open_writer(disk));
                add_epoch(*plain, "plain", 2);
            }
            const std::uint64_t now = plain->published(run, "totals");
            EXPECT_TRUE(now == before + 1 || (now == before && !published));
            EXPECT_EQ(count_of(texts(read_log(disk)), fmt::format("totals {}", before + 1)), now == before ? 0u : 20u);
            expect_whole(disk);
        }
    }
}

TEST_P(Publish, WithoutRoomForItsEntryNothingIsLeft) {
    auto writer = open_writer(disk);
    publish(writer, 1, 4);
    const std::uint64_t length = read_whole(disk, "/log/runs").size();
    add_epoch(writer, "totals 2", 3);
    disk.fail_call(test::Call::write, 1 + std::uint64_t{GetParam()}, ENOSPC);  // each partition's frames, then the entry
    EXPECT_EQ(kind_of(writer.publish(run, "totals", 2)), ErrorKind::io);
    EXPECT_EQ(writer.published(run, "totals"), 1u);
    EXPECT_EQ(read_whole(disk, "/log/runs").size(), length);
    expect_head_is_up_to_date(disk);
    EXPECT_EQ(must(verify_log(disk, log_folder, {})).damaged, 0u);
    publish(writer, 2, 3);
    EXPECT_EQ(texts(read_log(disk)).size(), 7u);
    EXPECT_TRUE(writer.remark().empty()) << writer.remark();
    expect_whole(disk);
}

// --- what is done to the whole log ---

TEST_P(Publish, PublishedFramesAreOrdinaryOnes) {
    {
        auto writer = open_writer(disk);
        for (std::uint64_t epoch = 1; epoch <= 12; ++epoch) publish(writer, epoch, 12);
    }
    ASSERT_GT(sealed_segments(disk), 2u);
    must(archive_log(disk, log_folder, "/archive"));
    CompactOptions options;
    options.key_of = [](std::string_view record, Hash128& key) {
        key = hash128(record.substr(record.rfind(' ')), 0);  // the newest epoch's record of each place
        return true;
    };
    EXPECT_GT(must(compact_log(disk, log_folder, options)).records, 0u);
    EXPECT_EQ(count_of(texts(read_log(disk)), "totals 12"), 12u);
    const auto excised = must(excise_log(disk, log_folder, [](std::string_view record) -> Result<bool> { return record.starts_with("totals 12 "); }, false));
    EXPECT_EQ(excised.records, 12u);
    EXPECT_EQ(count_of(texts(read_log(disk)), "totals 12"), 0u);
    EXPECT_EQ(must(verify_log(disk, log_folder, {})).damaged, 0u);
    EXPECT_EQ(open_writer(disk).published(run, "totals"), 12u);
    must(disk.remove("/log/head"));
    EXPECT_EQ(must(verify_log(disk, log_folder, {})).damaged, 0u);
    auto writer = open_writer(disk);
    publish(writer, 13, 5);
    EXPECT_EQ(count_of(texts(read_log(disk)), "totals 13"), 5u);
}

TEST_P(Publish, RetentionAtASealKeepsTheEpochsNumber) {
    auto writer = open_writer(disk);
    writer.on_sealed([&](Manifest& manifest) -> Result<void> {
        auto removed = retain_locked(disk, log_folder, manifest, disk.now_ns() + 100 * ns_per_day);
        return removed ? Result<void>() : Result<void>(pass_on(removed));
    });
    disk.advance_clock(1);
    for (std::uint64_t epoch = 1; epoch <= 12; ++epoch) publish(writer, epoch, 12);
    must(writer.finish());
    EXPECT_EQ(open_writer(disk).published(run, "totals"), 12u);
    expect_head_is_up_to_date(disk);
    EXPECT_EQ(must(verify_log(disk, log_folder, {})).damaged, 0u);
}

TEST_P(Publish, ARepairKnowsTheRunsAndLeavesOutWhatWasNotPublished) {
    {
        auto writer = open_writer(disk);
        for (std::uint64_t epoch = 1; epoch <= 11; ++epoch) publish(writer, epoch, epoch < 9 ? 9 : 0);  // 9 < 10 < 11, not as text
        publish(writer, 4, 3, "late");
    }
    const auto before = texts(read_log(disk));
    // The entry that says what the first segment is, in the middle of the manifest; and one of a run that is not the newest.
    const std::size_t entry = read_whole(disk, "/log/manifest").find("{\"entry\":\"segment\"");
    must(must(disk.open("/log/manifest", Open::write))->write_at("damaged!", entry));
    must(must(disk.open("/log/runs", Open::write))->write_at("damaged!", read_whole(disk, "/log/runs").find("\"epoch\":7")));
    EXPECT_GT(must(verify_log(disk, log_folder, {})).damaged, 0u);
    must(repair_log(disk, log_folder, {}));
    EXPECT_EQ(must(verify_log(disk, log_folder, {})).damaged, 0u);
    EXPECT_EQ(texts(read_log(disk)), before);
    EXPECT_EQ(open_writer(disk).published(run, "totals"), 11u);
    EXPECT_EQ(open_writer(disk).published(run, "late"), 4u);
}

// An entry that is gone costs nothing where something later proves what it said.
TEST_P(Publish, ALaterBatchProvesALostEntry) {
    {
        auto writer = open_writer(disk);
        for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) publish(writer, epoch, 3);
        add_epoch(writer, "plain", 3);
        must(writer.commit());
    }
    const auto before = texts(read_log(disk));
    must(must(disk.open("/log/runs", Open::write))->write_at("damaged!", read_whole(disk, "/log/runs").find("\"epoch\":3")));
    EXPECT_EQ(kind_of(LogWriter::open(disk, log_folder, {})), ErrorKind::corrupt);
    must(repair_log(disk, log_folder, {}));
    EXPECT_EQ(texts(read_log(disk)), before);
    expect_whole(disk);
    EXPECT_EQ(open_writer(disk).published(run, "totals"), 2u);
}

// The active segment is damaged, and a killed publisher's frames lie behind.
TEST_P(Publish, ARepairedEndHasNothingUnpublished) {
    {
        auto writer = open_writer(disk);
        publish(writer, 1, 6);
        publish(writer, 2, 6);
    }
    const auto active = *manifest_of(disk).active(0);
    const std::uint64_t length = read_whole(disk, segment_path(log_folder, 0, active)).size();
    std::unique_ptr<SimulatedDisk> left;
    for (std::uint64_t nth = 1; left == nullptr; ++nth) {
        ASSERT_LT(nth, 100u);
        auto copy = disk.killed(nth);
        copy->stop_at_change(nth);
        try {
            auto writer = open_writer(*copy);
            publish(writer, 3, 6);
        } catch (const std::runtime_error&) {
        } catch (const SimulatedCrash&) {
        }
        auto after = copy->killed(nth);
        const auto now = *manifest_of(*after).active(0);
        const std::uint64_t size = read_whole(*after, segment_path(log_folder, 0, now)).size();
        if (now.id == active.id ? size > length : size > file_header_size) left = std::move(after);
    }
    ASSERT_EQ(manifest_of(*left).published(run, "totals"), 2u);
    const auto before = texts(read_log(*left));
    ASSERT_EQ(before.size(), 12u);
    must(must(left->open(segment_path(log_folder, 0, active), Open::write))->write_at("damaged!", file_header_size + 20));
    must(repair_log(*left, log_folder, {}));
    EXPECT_EQ(must(verify_log(*left, log_folder, {})).damaged, 0u);
    const auto repaired = texts(read_log(*left));
    EXPECT_EQ(count_of(repaired, "totals 3"), 0u);
    EXPECT_TRUE(std::includes(before.begin(), before.end(), repaired.begin(), repaired.end()));
    auto writer = open_writer(*left);
    EXPECT_EQ(publish(writer, 3, 6).size(), GetParam());
    EXPECT_EQ(count_of(texts(read_log(*left)), "totals 3"), 6u);
}

// Its entry proves what an epoch wrote: that it is gone is damage, and no torn tail.
TEST_P(Publish, WhatIsGoneOfAPublishedEpochIsDamage) {
    {
        auto writer = open_writer(disk);
        publish(writer, 1, 6);
        publish(writer, 2, 6);
    }
    must(disk.remove("/log/head"));
    const std::string path = segment_path(log_folder, 0, *manifest_of(disk).active(0));
    auto file = must(disk.open(path, Open::write));
    must(file->truncate(must(file->size()) - 16));
    EXPECT_EQ(kind_of(LogWriter::open(disk, log_folder, {})), ErrorKind::corrupt);
    EXPECT_GT(must(verify_log(disk, log_folder, {})).damaged, 0u);
    must(repair_log(disk, log_folder, {}));
    EXPECT_EQ(must(verify_log(disk, log_folder, {})).damaged, 0u);
    auto writer = open_writer(disk);
    EXPECT_EQ(writer.published(run, "totals"), 2u);
    publish(writer, 3, 3);
    EXPECT_EQ(count_of(texts(read_log(disk)), "totals 3"), 3u);
}

TEST_P(Publish, ASingleWritersLogToo) {
    SimulatedDisk own(2);
    LogConfig config = small(GetParam());
    config.single_writer = true;
    must(create_log(own, log_folder, config));
    auto writer = open_writer(own);
    for (std::uint64_t epoch = 1; epoch <= 5; ++epoch) publish(writer, epoch, 7);
    EXPECT_EQ(kind_of(LogWriter::open(own, log_folder, {})), ErrorKind::locked);
    EXPECT_EQ(texts(read_log(own)).size(), 35u);
    expect_whole(own);
}

INSTANTIATE_TEST_SUITE_P(Partitions, Publish, testing::Values(1u, 3u));

}  // namespace
}  // namespace stream::log
