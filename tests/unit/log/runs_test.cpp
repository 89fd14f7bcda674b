// SPDX-License-Identifier: Apache-2.0
// Goal: what runs published is known for ever, in a file that stays short; a torn tail of it costs nothing, damage is told.
#include <cerrno>

#include "log/batch.hpp"
#include "upkeep_helpers.hpp"

namespace stream::log {
namespace {

constexpr const char* path = "/log/runs";
constexpr std::uint64_t short_file = 700;

class Runs : public testing::Test {
protected:
    Runs() { must(create_log(disk, log_folder, LogConfig{})); }

    static LogWriter open_writer(FileSystem& files) {
        WriterOptions options;
        options.runs_bytes = short_file;
        return must(LogWriter::open(files, log_folder, options));
    }
    // An epoch with a record, or none.
    static Result<std::span<const Ack>> publish(LogWriter& writer, const std::string& run, const std::string& sink, std::uint64_t epoch) {
        if (epoch % 3 != 0) must(writer.add(0, fmt::format("{} {} {}", run, sink, epoch), 1));
        return writer.publish(run, sink, epoch);
    }
    void publish_many(std::uint64_t epochs) {
        auto writer = open_writer(disk);
        for (std::uint64_t epoch = 1; epoch <= epochs; ++epoch) {
            must(publish(writer, "first", "totals", epoch));
            if (epoch % 4 == 1) must(publish(writer, "first", "late", epoch));
        }
        must(publish(writer, "second", "totals", 1));
    }
    static std::size_t records(FileSystem& files) { return read_log(files)[0].size(); }
    static std::string bytes_of(FileSystem& files) { return read_whole(files, path); }
    static void damage(FileSystem& files, std::uint64_t at) { must(must(files.open(path, Open::write))->write_at("damaged!", at)); }
    static void expect_damaged(FileSystem& files) {
        for (const auto& error : {Manifest::load(files, log_folder).map([](const auto&) {}), LogReader::open(files, log_folder, {}).map([](const auto&) {}),
                                  LogWriter::open(files, log_folder, {}).map([](const auto&) {})}) {
            if (error) continue;
            EXPECT_EQ(error.error().kind(), ErrorKind::corrupt);
            EXPECT_TRUE(error.error().message().starts_with("/log/runs: ")) << error.error().message();
        }
        EXPECT_EQ(kind_of(LogWriter::open(files, log_folder, {})), ErrorKind::corrupt);
        EXPECT_EQ(kind_of(LogReader::open(files, log_folder, {})), ErrorKind::corrupt);
        std::string told;
        const auto verified = must(verify_log(files, log_folder, [&](const Problem& problem) { told += problem.is_damage ? problem.file : ""; }));
        EXPECT_EQ(verified.damaged, 1u);
        EXPECT_EQ(told, "runs");
    }

    SimulatedDisk disk{1};
};

TEST_F(Runs, ALogThatNoRunPublishedToHasNoFile) {
    append(disk, {{0, "plain"}});
    EXPECT_EQ(must(disk.open_if_there(path, Open::read)), nullptr);
    const std::uint64_t manifest = manifest_of(disk).length();
    publish_many(9);
    EXPECT_EQ(manifest_of(disk).length(), manifest);
}

TEST_F(Runs, TheFileStaysShort) {
    publish_many(100);
    EXPECT_LT(bytes_of(disk).size(), 3 * 256 + short_file + 2 * 256);
    const Manifest manifest = manifest_of(*disk.crash(1));
    EXPECT_EQ(manifest.published("first", "totals"), 100u);
    EXPECT_EQ(manifest.published("first", "late"), 97u);
    EXPECT_EQ(manifest.published("second", "totals"), 1u);
    EXPECT_EQ(manifest.run_count(), 100u + 25 + 1);
    EXPECT_EQ(records(disk), 67u + 16 + 1 + 1);
    EXPECT_EQ(manifest.run_sequence(), records(disk));
    EXPECT_EQ(must(verify_log(disk, log_folder, {})).damaged, 0u);
}

TEST_F(Runs, WhoHasTheOldFileFindsTheNewOne) {
    auto reader = must(LogReader::open(disk, log_folder, {}));
    auto writer = open_writer(disk);
    auto other = open_writer(disk);
    std::string before;
    std::size_t made = 0;
    for (std::uint64_t epoch = 1; epoch <= 60; ++epoch) {
        must(publish(epoch % 5 == 0 ? other : writer, "first", "totals", epoch));
        const std::string header = bytes_of(disk).substr(0, file_header_size);
        made += header == before ? 0u : 1u;
        before = header;
        must(reader.refresh());
        EXPECT_EQ(reader.manifest().published("first", "totals"), epoch);
        EXPECT_EQ(manifest_of(disk).published("first", "totals"), epoch);
    }
    EXPECT_GT(made, 10u);
    EXPECT_TRUE(must(publish(writer, "first", "totals", 60)).empty());
    EXPECT_TRUE(writer.remark().empty());
    EXPECT_EQ(records(disk), 40u);
}

TEST_F(Runs, KilledWhileItIsMadeAnewNothingIsLost) {
    std::uint64_t epoch = 4;
    publish_many(epoch);
    for (std::size_t made = 0; made < 3; ++epoch) {
        const std::size_t before = records(disk);
        const std::string header = bytes_of(disk).substr(0, file_header_size);
        kill_everywhere(
            disk,
            [&](SimulatedDisk& at) {
                auto writer = open_writer(at);
                must(publish(writer, "first", "totals", epoch + 1));
            },
            [&](SimulatedDisk& after) {
                const std::uint64_t published = manifest_of(after).published("first", "totals");
                EXPECT_TRUE(published == epoch || published == epoch + 1) << published;
                const std::size_t more = (epoch + 1) % 3 == 0 ? 0 : 1;
                EXPECT_EQ(records(after), before + (published > epoch ? more : 0));
                auto writer = open_writer(after);
                EXPECT_EQ(writer.published("first", "late"), 1u);
                must(publish(writer, "first", "totals", epoch + 1));
                must(publish(writer, "first", "totals", epoch + 2));
                const auto crashed = after.crash(3);
                EXPECT_EQ(manifest_of(*crashed).published("first", "totals"), epoch + 2);
                EXPECT_EQ(manifest_of(*crashed).published("second", "totals"), 1u);
                EXPECT_EQ(records(*crashed), before + more + ((epoch + 2) % 3 == 0 ? 0 : 1));
                EXPECT_EQ(must(verify_log(*crashed, log_folder, {})).damaged, 0u);
            });
        if (HasFailure()) return;
        auto writer = open_writer(disk);
        must(publish(writer, "first", "totals", epoch + 1));
        made += bytes_of(disk).starts_with(header) ? 0u : 1u;
    }
}

// Whatever fails while it is written or made anew: the epoch is there once when it is done again.
TEST_F(Runs, FailedCalls) {
    publish_many(8);
    std::uint64_t seed = 0;
    std::size_t failed = 0;
    for (const auto call : {test::Call::write, test::Call::sync, test::Call::create, test::Call::rename, test::Call::remove, test::Call::close}) {
        for (const int error : {EIO, ENOSPC}) {
            for (std::uint64_t nth = 1; nth <= 24; ++nth) {
                const auto failing = disk.killed(++seed);
                std::uint64_t epoch = 9;
                {
                    auto writer = open_writer(*failing);
                    failing->fail_call(call, nth, error);
                    while (epoch < 30 && publish(writer, "first", "totals", epoch)) ++epoch;
                }
                if (epoch == 30) continue;
                ++failed;
                const auto after = failing->killed(++seed);
                auto writer = open_writer(*after);
                must(publish(writer, "first", "totals", epoch));
                std::vector<std::unique_ptr<SimulatedDisk>> states;
                states.push_back(after->killed(seed));
                states.push_back(after->crash(seed));
                for (const auto& copy : states) {
                    EXPECT_EQ(manifest_of(*copy).published("first", "totals"), epoch);
                    EXPECT_EQ(records(*copy), records(disk) + epoch - 8 - (epoch / 3 - 2));
                    EXPECT_EQ(must(verify_log(*copy, log_folder, {})).damaged, 0u);
                }
                if (HasFailure()) FAIL() << "call " << static_cast<int>(call) << ", " << nth << ", error " << error;
            }
        }
    }
    EXPECT_GT(failed, 60u);
}

// An epoch without records leaves nothing else to recover.
TEST_F(Runs, AnEntryThatCouldNotBeSyncedIsWrittenAgainByWhoReliesOnIt) {
    auto writer = open_writer(disk);
    auto other = open_writer(disk);
    for (std::uint64_t epoch = 1; epoch <= 2; ++epoch) must(publish(writer, "first", "totals", epoch));
    disk.fail_call(test::Call::sync, 1, EIO);
    EXPECT_EQ(kind_of(publish(writer, "first", "totals", 3)), ErrorKind::io);
    EXPECT_EQ(kind_of(publish(writer, "first", "totals", 3)), ErrorKind::io);  // nobody knows
    EXPECT_TRUE(must(publish(other, "first", "totals", 3)).empty());
    EXPECT_EQ(other.published("first", "totals"), 3u);
    for (std::uint64_t seed = 1; seed < 20; ++seed) EXPECT_EQ(manifest_of(*disk.crash(seed)).published("first", "totals"), 3u);
}

TEST_F(Runs, ATornTailIsCut) {
    publish_many(3);
    const std::string whole = bytes_of(disk);
    for (const std::size_t bytes : {1u, 50u, 103u, 104u, 180u}) {
        must(must(disk.open(path, Open::write))->write_at(whole.substr(whole.size() - bytes), whole.size()));
        EXPECT_EQ(manifest_of(disk).published("first", "totals"), 3u);
        EXPECT_EQ(bytes_of(disk).size(), whole.size() + bytes);  // who only reads changes nothing
        bool told = false;
        EXPECT_EQ(must(verify_log(disk, log_folder, [&](const Problem& problem) { told = told || problem.file == "runs"; })).damaged, 0u);
        EXPECT_TRUE(told);
        EXPECT_EQ(open_writer(disk).published("first", "totals"), 3u);
        EXPECT_EQ(bytes_of(disk), whole);
    }
}

TEST_F(Runs, WhatHeadProvesIsDamageAndNoTornTail) {
    publish_many(12);
    const std::string whole = bytes_of(disk);
    const std::size_t last = whole.rfind("SLF1");
    for (const std::size_t size : {whole.size() - 8, last, std::size_t{file_header_size}, std::size_t{10}, std::size_t{0}}) {
        const auto cut = disk.killed(size);
        must(must(cut->open(path, Open::write))->truncate(size));
        expect_damaged(*cut);
    }
    const auto gone = disk.killed(1);
    must(gone->remove(path));
    expect_damaged(*gone);
    must(gone->remove("/log/head"));
    EXPECT_EQ(open_writer(*gone).published("first", "totals"), 0u);  // nobody knows that there was one
}

TEST_F(Runs, AnOldCopyOrAnotherLogsIsDamage) {
    publish_many(3);
    const std::string old = bytes_of(disk);
    publish_many(6);
    const auto put = [&](const std::string& bytes) {
        auto copy = disk.killed(2);
        auto file = must(copy->open(path, Open::write));
        must(file->truncate(0));
        must(file->write_at(bytes, 0));
        return copy;
    };
    expect_damaged(*put(old));
    SimulatedDisk another(9);
    must(create_log(another, log_folder, LogConfig{}));
    auto writer = open_writer(another);
    for (std::uint64_t epoch = 1; epoch < 30; ++epoch) must(publish(writer, "first", "totals", epoch));
    const auto foreign = put(bytes_of(another));
    expect_damaged(*foreign);
    must(repair_log(*foreign, log_folder, {}));
    EXPECT_EQ(manifest_of(*foreign).published("first", "totals"), 0u);  // nothing of it is believed
    EXPECT_EQ(records(*foreign), records(disk));
    const auto folder = disk.killed(3);
    must(folder->remove(path));
    must(folder->make_folder(path));
    EXPECT_EQ(must(verify_log(*folder, log_folder, {})).damaged, 1u);
    must(repair_log(*folder, log_folder, {}));
    EXPECT_EQ(must(verify_log(*folder, log_folder, {})).damaged, 0u);
}

TEST_F(Runs, ARepairKeepsWhatCanBeRead) {
    publish_many(12);
    const std::string whole = bytes_of(disk);
    const std::size_t all = records(disk);
    std::size_t repaired = 0;
    for (std::size_t at = 0; at + 8 < whole.size(); at += 40) {
        const auto copy = disk.killed(at);
        damage(*copy, at);
        expect_damaged(*copy);
        must(repair_log(*copy, log_folder, {}));
        EXPECT_EQ(must(verify_log(*copy, log_folder, {})).damaged, 0u);
        EXPECT_EQ(records(*copy), all);
        auto writer = open_writer(*copy);
        const std::uint64_t published = writer.published("first", "totals");
        EXPECT_LE(published, 12u);
        repaired += published == 12 ? 1u : 0u;
        for (std::uint64_t epoch = 13; epoch < 30; ++epoch) must(publish(writer, "first", "totals", epoch));
        EXPECT_EQ(manifest_of(*copy->crash(1)).published("first", "totals"), 29u);
        EXPECT_EQ(must(verify_log(*copy, log_folder, {})).damaged, 0u);
        if (HasFailure()) FAIL() << "damaged at " << at;
    }
    EXPECT_GT(repaired, whole.size() / 40 / 2);
}

TEST_F(Runs, EntriesOfAnOlderManifestCount) {
    append(disk, {{0, "one"}, {0, "two"}});
    {
        // As it was written before there was a file for them.
        const std::string manifest = read_whole(disk, "/log/manifest");
        FrameHeader last;
        FileHeader header;
        std::uint32_t crc = 0;
        ASSERT_EQ(read_file_header(manifest, header, crc), nullptr);
        std::uint64_t entries = 0;
        for (std::size_t at = file_header_size; at < manifest.size(); at += static_cast<std::size_t>(last.size()), ++entries) {
            ASSERT_EQ(read_lone_header(std::string_view(manifest).substr(at), header.file_id, last), FrameState::valid);
        }
        const std::string entry = "{\"entry\":\"run\",\"run\":\"first\",\"sink\":\"totals\",\"epoch\":5,\"sequence\":2}\n";
        FrameHeader frame;
        frame.type = FrameType::manifest;
        frame.file_id = header.file_id;
        frame.epoch = last.epoch;
        frame.chain = last.next_chain();
        frame.offset = entries;
        frame.records = 1;
        frame.durable = manifest.size();
        frame.raw = static_cast<std::uint32_t>(entry.size());
        std::string bytes;
        append_frame(bytes, frame, entry);
        must(must(disk.open("/log/manifest", Open::write))->write_at(bytes, manifest.size()));
    }
    auto writer = open_writer(disk);
    EXPECT_EQ(writer.published("first", "totals"), 5u);
    EXPECT_EQ(writer.manifest().run_sequence(), 2u);
    EXPECT_TRUE(must(publish(writer, "first", "totals", 5)).empty());
    EXPECT_EQ(must(publish(writer, "first", "totals", 7)).size(), 1u);
    EXPECT_EQ(open_writer(disk).published("first", "totals"), 7u);
    EXPECT_EQ(records(disk), 3u);
    EXPECT_EQ(must(verify_log(disk, log_folder, {})).damaged, 0u);
    must(must(disk.open("/log/manifest", Open::write))->write_at("damaged!", read_whole(disk, "/log/manifest").find("\"entry\":\"segment\"")));
    must(repair_log(disk, log_folder, {}));
    EXPECT_EQ(open_writer(disk).published("first", "totals"), 7u);
    must(disk.remove("/log/head"));
    must(disk.remove(path));
    EXPECT_EQ(open_writer(disk).published("first", "totals"), 5u);
}

}  // namespace
}  // namespace stream::log
