// SPDX-License-Identifier: Apache-2.0
// Goal: compaction leaves what a few naive lines would leave, on random logs; in the same bytes, offsets and order; nothing
// else wherever it is killed, and no old value without the tombstone that came after it.
#include <gtest/gtest.h>

#include <map>

#include "base/hash.hpp"
#include "upkeep_helpers.hpp"

namespace stream::log {
namespace {

using test::SeededRandom;

// A record is "KEY VALUE": VALUE "-" is a tombstone, no key is "_".
std::string_view key_of(std::string_view record) { return record.substr(0, record.find(' ')); }
bool is_tombstone(std::string_view record) { return record.substr(record.find(' ') + 1) == "-"; }

CompactOptions options_at(std::int64_t now_ns) {
    CompactOptions options;
    options.key_of = [](std::string_view record, Hash128& key) {
        key = hash128(key_of(record), 1);
        return key_of(record) != "_";
    };
    options.is_tombstone = is_tombstone;
    options.tombstones_ns = ns_per_day;
    options.now_ns = now_ns;
    return options;
}

struct Given {
    std::uint32_t partitions = 1;
    bool keys_stay = true;
    bool compressed = true;
    std::uint32_t keys = 20;
};

// Appends for some days.
void fill(SimulatedDisk& disk, const Given& given, SeededRandom& random, int batches) {
    for (int batch = 0; batch < batches; ++batch) {
        std::vector<NewRecord> records;
        const std::uint64_t count = 1 + random.below(12);
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::uint64_t key = random.below(given.keys);
            NewRecord record;
            record.partition = static_cast<std::uint32_t>((given.keys_stay ? key : random.next()) % given.partitions);
            const std::string name = random.one_in(10) ? "_" : fmt::format("key{}", key);
            record.text = name + " " + (random.one_in(5) ? "-" : std::string(random.below(60), static_cast<char>('a' + random.below(26))));
            record.time = static_cast<TimeNs>(random.below(1000));
            records.push_back(std::move(record));
        }
        append(disk, records);
        disk.advance_clock(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(ns_per_day) / 4)));
    }
}

std::unique_ptr<SimulatedDisk> make_log(const Given& given, std::uint64_t seed, int batches) {
    auto disk = std::make_unique<SimulatedDisk>(seed, test::Dials{.names = seed % 2 == 0 ? test::Names::in_order : test::Names::any_subset});
    LogConfig config;
    config.partitions = given.partitions;
    config.compressed = given.compressed;
    config.segment_bytes = 600;
    must(create_log(*disk, log_folder, config));
    SeededRandom random(seed);
    fill(*disk, given, random, batches);
    return disk;
}

std::vector<std::uint64_t> active_bases(SimulatedDisk& disk) {
    const Manifest manifest = manifest_of(disk);
    std::vector<std::uint64_t> bases;
    for (std::uint32_t p = 0; p < manifest.config().partitions; ++p) bases.push_back(manifest.active(p) == nullptr ? 0 : manifest.active(p)->base);
    return bases;
}

// What is to be left: the active segments as they are, records without key, and each key's newest, but for tombstones
// that are old enough and have no older value left.
Lines naive(const Lines& lines, const std::vector<std::uint64_t>& active, std::int64_t now_ns) {
    Lines left(lines.size());
    for (std::size_t p = 0; p < lines.size(); ++p) {
        for (const Line& line : lines[p]) {
            bool is_newest = true;
            bool older_stays = false;
            for (std::size_t q = 0; q < lines.size(); ++q) {
                for (const Line& other : lines[q]) {
                    if (key_of(other.text) != key_of(line.text)) continue;
                    is_newest = is_newest && other.sequence <= line.sequence;
                    older_stays = older_stays || (other.sequence < line.sequence && other.offset >= active[q]);
                }
            }
            const bool expired = is_tombstone(line.text) && line.append_time < now_ns - ns_per_day && !older_stays;
            if (line.offset >= active[p] || key_of(line.text) == "_" || (is_newest && !expired)) left[p].push_back(line);
        }
    }
    return left;
}

std::uint64_t count(const Lines& lines) {
    std::uint64_t sum = 0;
    for (const auto& partition : lines) sum += partition.size();
    return sum;
}

void compare_with_naive(const Given& given, std::uint64_t seed) {
    SCOPED_TRACE(fmt::format("seed {}, {} partitions, keys stay {}", seed, given.partitions, given.keys_stay));
    const auto disk = make_log(given, seed, 30);
    SeededRandom random(~seed);
    for (int round = 0; round < 2; ++round) {
        if (random.one_in(2)) must(archive_log(*disk, log_folder, "/archive"));
        const Lines before = read_log(*disk);
        CompactOptions options = options_at(disk->now_ns());
        options.keys_stay_in_partition = given.keys_stay && random.one_in(2);
        const Lines wanted = naive(before, active_bases(*disk), options.now_ns);
        const Compacted done = must(compact_log(*disk, log_folder, options));
        ASSERT_EQ(read_log(*disk), wanted);
        EXPECT_EQ(done.records, count(before) - count(wanted));
        EXPECT_LE(done.tombstones, done.records);
        expect_no_leftovers(*disk);
        expect_head_is_up_to_date(*disk);
        EXPECT_EQ(must(compact_log(*disk, log_folder, options)).segments, 0u);
        fill(*disk, given, random, 10);
        ASSERT_TRUE(is_part_of(wanted, read_log(*disk)));
    }
}

TEST(Compaction, LeavesWhatNaiveLinesLeave) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        compare_with_naive({1, true, seed % 2 == 0, 20}, seed);
        compare_with_naive({4, true, seed % 2 == 0, 30}, seed);
        compare_with_naive({3, false, seed % 2 == 0, 8}, seed);
        if (HasFailure()) return;
    }
}

TEST(Compaction, AppendsGoOnMeanwhile) {
    const Given given{2, true, true, 10};
    const auto disk = make_log(given, 3, 30);
    const Lines before = read_log(*disk);
    const std::int64_t now = disk->now_ns();
    const Lines wanted = naive(before, active_bases(*disk), now);
    CompactOptions options = options_at(now);
    int asked = 0;
    std::vector<std::string> added;
    auto writer = must(LogWriter::open(*disk, log_folder, {}));
    const auto key = options.key_of;
    options.key_of = [&](std::string_view record, Hash128& into) {
        if (++asked % 5 == 0) {  // newer values of all keys, in segments that get sealed meanwhile
            added.push_back(fmt::format("key{} {:0100}", asked / 5 % 10, asked));
            must(writer.add(static_cast<std::uint32_t>(asked / 5 % 10 % 2), added.back(), 1));
            must(writer.commit());
        }
        return key(record, into);
    };
    must(compact_log(*disk, log_folder, options));
    const Lines after = read_log(*disk);
    EXPECT_GT(added.size(), 20u);
    EXPECT_TRUE(is_part_of(wanted, after));
    EXPECT_EQ(count(after), count(wanted) + added.size());
    // With them, now.
    EXPECT_GT(must(compact_log(*disk, log_folder, options_at(now))).records, 0u);
    expect_no_leftovers(*disk);
}

TEST(Compaction, AReaderThatFollowsGetsTheNewestOfEachKey) {
    const Given given{2, true, true, 12};
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const auto disk = make_log(given, seed, 40);
        const Lines before = read_log(*disk);
        auto reader = must(LogReader::open(*disk, log_folder, {}));
        std::map<std::string, std::string, std::less<>> seen;
        std::uint64_t got = 0;
        CompactOptions options = options_at(disk->now_ns());
        options.tombstones_ns = 1000 * ns_per_day;
        for (log::Run run;;) {
            const auto next = must(reader.next(run));
            if (next == LogReader::Next::end) break;
            if (next == LogReader::Next::gap) continue;
            std::string_view lines = run.lines;
            while (!lines.empty()) {
                const std::string_view line = lines.substr(0, lines.find('\n'));
                lines.remove_prefix(line.size() + 1);
                seen[std::string(key_of(line))] = line;
            }
            if (++got == 5 + seed) {  // in the middle
                must(archive_log(*disk, log_folder, "/far"));
                must(compact_log(*disk, log_folder, options));
                must(reader.refresh());
            }
        }
        std::map<std::uint64_t, std::string> in_order;
        for (const auto& partition : before) {
            for (const Line& line : partition) in_order[line.sequence] = line.text;
        }
        std::map<std::string, std::string, std::less<>> wanted;
        for (const auto& [sequence, text] : in_order) wanted[std::string(key_of(text))] = text;
        EXPECT_EQ(seen, wanted) << seed;
    }
}

// Keys that are in several partitions: values and tombstones of one may lie in any of them.
struct Across {
    Across() : disk(1) {
        LogConfig config;
        config.partitions = 2;
        config.segment_bytes = 300;
        must(create_log(disk, log_folder, config));
    }
    void add(std::uint32_t partition, const std::string& text) { append(disk, {{partition, text, 1}}); }
    void seal(std::uint32_t partition) {
        SeededRandom random(partition);
        std::string noise(400, ' ');
        for (char& c : noise) c = static_cast<char>('0' + random.below(64));
        add(partition, "_ " + noise);  // longer than a segment: the one before it is sealed, and with the next this one
        add(partition, "_ end");
    }
    std::vector<std::string> left() {
        std::vector<std::string> texts;
        for (const auto& partition : read_log(disk)) {
            for (const Line& line : partition) {
                if (key_of(line.text) != "_") texts.push_back(line.text);
            }
        }
        return texts;
    }
    SimulatedDisk disk;
};

TEST(Compaction, ATombstoneStaysWhileAnOlderValueIsInAnActiveSegment) {
    Across log;
    log.add(0, "k value");
    log.add(1, "k -");
    log.seal(1);
    log.add(1, "k -");
    log.seal(1);
    log.disk.advance_clock(3 * ns_per_day);
    const CompactOptions options = options_at(log.disk.now_ns());
    EXPECT_EQ(must(compact_log(log.disk, log_folder, options)).records, 1u);
    EXPECT_EQ(log.left(), (std::vector<std::string>{"k value", "k -"}));
    log.seal(0);
    EXPECT_EQ(must(compact_log(log.disk, log_folder, options)).records, 2u);
    EXPECT_EQ(log.left(), std::vector<std::string>{});
}

TEST(Compaction, KilledBetweenPartitionsItLeavesNoValueWithoutItsTombstone) {
    Across log;
    log.add(0, "a value");
    log.add(1, "b value");
    log.add(1, "a -");
    log.add(0, "b -");
    log.add(0, "c value");
    log.seal(0);
    log.seal(1);
    log.add(0, "c -");  // in a later segment of the same partition
    log.seal(0);
    log.disk.advance_clock(3 * ns_per_day);
    const CompactOptions options = options_at(log.disk.now_ns());
    kill_everywhere(
        log.disk, [&](SimulatedDisk& one) { must(compact_log(one, log_folder, options)); },
        [&](SimulatedDisk& after) {
            std::map<std::string, std::uint64_t, std::less<>> there;
            for (const auto& partition : read_log(after)) {
                for (const Line& line : partition) ++there[line.text];
            }
            EXPECT_LE(there["a value"], there["a -"]);
            EXPECT_LE(there["b value"], there["b -"]);
            EXPECT_LE(there["c value"], there["c -"]);
        });
    EXPECT_EQ(must(compact_log(log.disk, log_folder, options)).records, 6u);
    EXPECT_EQ(log.left(), std::vector<std::string>{});
}

TEST(Compaction, KilledBetweenSegmentsItLeavesNoValueWithoutItsTombstone) {
    Across log;
    for (const char* text : {"a value", "b value", "c value"}) {
        log.add(0, text);
        log.seal(0);
    }
    for (const char* text : {"c -", "a -", "b -"}) {
        log.add(0, text);
        log.seal(0);
    }
    log.disk.advance_clock(3 * ns_per_day);
    CompactOptions options = options_at(log.disk.now_ns());
    options.keys_stay_in_partition = true;
    kill_everywhere(
        log.disk, [&](SimulatedDisk& one) { must(compact_log(one, log_folder, options)); },
        [&](SimulatedDisk& after) {
            std::map<std::string, std::uint64_t, std::less<>> there;
            const Lines lines = read_log(after);
            for (const Line& line : lines[0]) ++there[line.text];
            for (const std::string key : {"a", "b", "c"}) EXPECT_LE(there[key + " value"], there[key + " -"]);
        });
    EXPECT_EQ(must(compact_log(log.disk, log_folder, options)).tombstones, 3u);
}

TEST(Compaction, MoreKeysThanMemoryIsALimit) {
    SimulatedDisk disk(1);
    LogConfig config;
    config.segment_bytes = 100'000;
    must(create_log(disk, log_folder, config));
    std::vector<NewRecord> records;
    for (int i = 0; i < 40'000; ++i) records.push_back({0, fmt::format("key{} v", i), 1});
    append(disk, records);
    const Lines before = read_log(disk);
    CompactOptions options = options_at(disk.now_ns());
    options.memory = 1 << 20;
    const auto failed = compact_log(disk, log_folder, options);
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().kind(), ErrorKind::limit);
    EXPECT_NE(failed.error().message().find("--memory"), std::string::npos) << failed.error().message();
    options.memory = 2 << 20;
    EXPECT_EQ(must(compact_log(disk, log_folder, options)).records, 0u);
    EXPECT_EQ(read_log(disk), before);
}

TEST(Compaction, EmptySegmentsAreAHeaderOnly) {
    SimulatedDisk disk(1);
    LogConfig config;
    config.segment_bytes = 100;
    must(create_log(disk, log_folder, config));
    for (int i = 0; i < 5; ++i) append(disk, {{0, "same value", i}});
    EXPECT_EQ(must(compact_log(disk, log_folder, options_at(disk.now_ns()))).segments, 4u - 0u);
    const Manifest manifest = manifest_of(disk);
    EXPECT_EQ(manifest.segments(0)[0].bytes, file_header_size);
    EXPECT_EQ(manifest.segments(0)[0].end, 1u);
    EXPECT_EQ(read_log(disk)[0].size(), 1u);
    EXPECT_EQ(read_log(disk)[0][0].offset, 4u);
}

TEST(Compaction, IsRefusedWhileAnotherIsAtWork) {
    const auto disk = make_log({}, 1, 20);
    const auto claim = must(disk->lock(upkeep_path(log_folder), false));
    EXPECT_EQ(kind_of(compact_log(*disk, log_folder, options_at(1))), ErrorKind::locked);
}

void kill_one(const Given& given, std::uint64_t seed) {
    const auto disk = make_log(given, seed, 10);
    must(archive_log(*disk, log_folder, "/archive"));
    SeededRandom random(seed);
    fill(*disk, given, random, 6);
    const Lines before = read_log(*disk);
    CompactOptions options = options_at(disk->now_ns());
    options.keys_stay_in_partition = given.keys_stay;
    const Lines wanted = naive(before, active_bases(*disk), options.now_ns);
    ASSERT_LT(count(wanted), count(before));
    const auto newest_of = [](const Lines& lines) {
        std::map<std::string, const Line*, std::less<>> newest;
        for (const auto& partition : lines) {
            for (const Line& line : partition) {
                const Line*& at = newest[std::string(key_of(line.text))];
                if (at == nullptr || at->sequence < line.sequence) at = &line;
            }
        }
        return newest;
    };
    const auto newest_before = newest_of(before);
    const auto calls = kill_everywhere(
        *disk, [&](SimulatedDisk& one) { must(compact_log(one, log_folder, options)); },
        [&](SimulatedDisk& after) {
            static_cast<void>(must(LogWriter::open(after, log_folder, {})));  // recovers
            const Lines there = read_log(after);
            EXPECT_TRUE(is_part_of(there, before));
            EXPECT_TRUE(is_part_of(wanted, there));
            // No value that a tombstone ended is there without it.
            for (const auto& [key, line] : newest_of(there)) EXPECT_EQ(line->text, newest_before.at(key)->text);
            must(compact_log(after, log_folder, options));
            EXPECT_EQ(read_log(after), wanted);
            expect_no_leftovers(after);
            const auto crashed = after.crash(5);
            append(*crashed, {{0, "_ after", 1}});
            Lines later = read_log(*crashed);
            ASSERT_EQ(later[0].back().text, "_ after");
            later[0].pop_back();
            EXPECT_EQ(later, wanted);
        });
    EXPECT_GT(calls, 40u);
}

TEST(Compaction, KilledAnywhereItLeavesOldOrNewAndIsFinishedByTheNext) {
    kill_one({1, true, true, 6}, 11);
    kill_one({2, true, false, 8}, 12);
    kill_one({3, false, true, 5}, 13);
}

TEST(OffsetSet, IsASetOfOffsets) {
    SeededRandom random(4);
    OffsetSet set;
    std::map<std::uint64_t, bool> wanted;
    for (int i = 0; i < 30'000; ++i) {
        const std::uint64_t offset = random.one_in(3) ? random.below(1u << 20) : (1u << 24) + random.below(20'000);
        set.add(offset);
        wanted[offset] = true;
    }
    EXPECT_EQ(set.size(), wanted.size());
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t from = random.below(1u << 25);
        const std::uint64_t to = from + random.below(1u << 21);
        const auto count_wanted = std::distance(wanted.lower_bound(from), wanted.lower_bound(to));
        EXPECT_EQ(set.count_in(from, to), static_cast<std::uint64_t>(count_wanted));
        EXPECT_EQ(set.contains(from), wanted.contains(from));
        EXPECT_EQ(set.contains((1u << 24) + from % 30'000), wanted.contains((1u << 24) + from % 30'000));
    }
    EXPECT_LT(set.bytes(), 100'000u);
}

}  // namespace
}  // namespace stream::log
