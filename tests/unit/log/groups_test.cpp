// SPDX-License-Identifier: Apache-2.0
// Goal: what a group acknowledged survives every crash, kill and failing call, nothing is there that was not
// asked for, damage is told from a torn tail, and nobody has to do anything by hand.
#include "log/groups.hpp"

#include "log/frame.hpp"
#include "support/simulated_disk.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>

namespace stream::log {
namespace {

using namespace stream::test;

constexpr Hash128 log_id{1, 2};
constexpr std::uint32_t partitions = 3;
const std::string path = "log/groups/g";

template <class T>
T must(Result<T> result) {
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message());
    if (!result) throw std::runtime_error(result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

template <class T>
ErrorKind kind_of(const Result<T>& result) {
    EXPECT_FALSE(result.has_value());
    return result ? ErrorKind::data : result.error().kind();
}

Group open_group(FileSystem& files, std::uint32_t count = partitions) { return must(Group::open(files, "log", "g", log_id, count)); }

// A state as text, to compare and to show.
std::string text(const GroupState& state) {
    std::string out = fmt::format("generation {}:", state.generation);
    for (const auto& position : state.positions) out += position ? fmt::format(" {}", *position) : " -";
    if (!state.batch) return out;
    out += " batch " + state.batch->id;
    for (std::size_t p = 0; p < state.batch->from.size(); ++p) out += fmt::format(" {}-{}", state.batch->from[p], state.batch->to[p]);
    return out;
}

std::string read_whole(FileSystem& files, const std::string& name) {
    auto file = must(files.open(name, Open::read));
    std::string bytes(must(file->size()), '\0');
    EXPECT_EQ(must(file->read_at(bytes, 0)), bytes.size());
    return bytes;
}

// All of it durable.
void put_file(FileSystem& files, const std::string& name, std::string_view bytes) {
    must(files.remove(name));
    auto file = must(files.open(name, Open::create_new));
    must(file->write_at(bytes, 0));
    must(file->sync());
    must(files.sync_folder(name.substr(0, name.rfind('/'))));
}

void make_log(FileSystem& files, bool with_groups = false) {
    must(files.make_folder("log"));
    must(files.sync_folder(""));
    if (!with_groups) return;
    must(files.make_folder("log/groups"));
    must(files.sync_folder("log"));
}

using Positions = std::vector<std::pair<std::uint32_t, std::uint64_t>>;
using Step = std::function<Result<void>(Group&)>;

Step commit(Positions positions) {
    return [positions](Group& group) { return group.commit(positions, group.state().generation); };
}
Step seek(Positions positions) {
    return [positions](Group& group) { return group.seek(positions); };
}
// The next `size` of each partition; nothing where a batch is open.
Step begin(std::string id, std::uint64_t size) {
    return [id, size](Group& group) {
        if (group.state().batch) return Result<void>();
        OpenBatch batch{id, {}, {}};
        for (const auto& position : group.state().positions) {
            batch.from.push_back(position.value_or(0));
            batch.to.push_back(batch.from.back() + size);
        }
        return group.begin_batch(batch);
    };
}
const Step finish = [](Group& group) { return group.state().batch ? group.finish_batch() : Result<void>(); };

std::vector<Step> every_change() {
    return {commit({{0, 10}}), commit({{1, 5}, {0, 12}}), begin("b1", 7), finish,           commit({{0, 3}}),
            seek({{0, 2}}),    begin("b2", 3),            seek({{1, 1}}), commit({{2, 9}}), begin("b3", 1)};
}

// What each change leaves, on a disk that nothing happens to; the first: before any.
std::vector<std::string> outcomes(const std::vector<Step>& steps) {
    SimulatedDisk disk(1);
    make_log(disk);
    Group group = open_group(disk);
    std::vector<std::string> all{text(group.state())};
    for (const Step& step : steps) {
        must(step(group));
        all.push_back(text(group.state()));
        EXPECT_EQ(text(open_group(disk).state()), all.back());
    }
    return all;
}

// Where the frames end, whatever follows; of each.
std::vector<std::size_t> frame_ends(const std::string& bytes) {
    FileHeader file;
    std::uint32_t crc = 0;
    EXPECT_EQ(read_file_header(bytes, file, crc), nullptr);
    std::vector<std::size_t> ends;
    FrameHeader header;
    for (std::size_t at = file_header_size; at < bytes.size(); ends.push_back(at += header.size())) {
        if (read_lone_header(std::string_view(bytes).substr(at), file.file_id, header) != FrameState::valid) break;
    }
    return ends;
}

// One change more, acknowledged, and there after the next power failure.
void check_goes_on(SimulatedDisk& disk, std::uint64_t seed) {
    Group group = open_group(disk);
    must(group.commit({{0, 1'000}}, group.state().generation));
    const std::string now = text(group.state());
    EXPECT_EQ(text(open_group(disk).state()), now);
    const std::string bytes = read_whole(disk, path);
    EXPECT_EQ(frame_ends(bytes).back(), bytes.size());  // nothing torn is left
    EXPECT_EQ(text(open_group(*disk.crash(seed)).state()), now) << "seed " << seed;
    EXPECT_EQ(text(open_group(*disk.killed(seed)).state()), now);
}

// Nothing changed since the last acknowledgement, or all that was asked for then.
void check_left(SimulatedDisk& disk, const std::vector<std::string>& states, std::size_t acknowledged, std::uint64_t seed) {
    const std::string found = text(open_group(disk).state());
    const std::size_t asked = std::min(acknowledged + 1, states.size() - 1);
    EXPECT_TRUE(found == states[acknowledged] || found == states[asked])
        << found << "\nacknowledged: " << states[acknowledged] << "\nasked: " << states[asked];
    check_goes_on(disk, seed);
}

// --- Crashes. ---

// With `own`, each change is another process's: each reads the file anew, and believes nothing of the others.
std::uint64_t stop_everywhere(Names names, bool own, const std::vector<Step>& steps) {
    const std::vector<std::string> states = outcomes(steps);
    for (std::uint64_t stop = 1;; ++stop) {
        SimulatedDisk disk(stop, {.names = names, .torn = Torn::changed_bytes});
        make_log(disk);
        std::size_t acknowledged = 0;
        disk.stop_at_change(stop);
        try {
            Group group = open_group(disk);
            for (const Step& step : steps) {
                if (own) group = open_group(disk);
                must(step(group));
                ++acknowledged;
            }
            return stop;
        } catch (const SimulatedCrash&) {
        }
        for (std::uint64_t seed = 0; seed < 12; ++seed) {
            SCOPED_TRACE(fmt::format("stop {} seed {}", stop, seed));
            const auto crashed = disk.crash(seed);
            check_left(*crashed, states, acknowledged, seed + 100);
            const auto killed = disk.killed(seed);
            check_left(*killed, states, acknowledged, seed + 100);
        }
        if (testing::Test::HasFailure()) return stop;
    }
}

TEST(Groups, EveryChangeSurvivesAStopAtEveryCall) {
    for (const Names names : {Names::in_order, Names::any_subset}) {
        for (const bool own : {false, true}) {
            SCOPED_TRACE(fmt::format("names {} own {}", static_cast<int>(names), own));
            EXPECT_GT(stop_everywhere(names, own, every_change()), 30U);
        }
    }
}

// Two processes, stopped again and again at a call drawn by lot; those that go on were not told.
void live_through(std::uint64_t seed) {
    SeededRandom chance(seed);
    auto disk = std::make_unique<SimulatedDisk>(seed, Dials{.names = chance.one_in(2) ? Names::in_order : Names::any_subset});
    make_log(*disk);
    std::string acknowledged = text(open_group(*disk).state());
    std::uint64_t batches = 0;
    for (int life = 0; life < 6; ++life) {
        disk->stop_at_change(1 + chance.below(25));
        std::string asked = acknowledged;
        try {
            std::vector<Group> members;
            members.push_back(open_group(*disk));
            members.push_back(open_group(*disk));
            for (;;) {
                Group& member = members[chance.below(2)];
                must(member.refresh());
                ASSERT_EQ(text(member.state()), acknowledged);
                Step step = commit({{static_cast<std::uint32_t>(chance.below(partitions)), chance.below(1'000)}});
                if (chance.one_in(4)) step = seek({{static_cast<std::uint32_t>(chance.below(partitions)), chance.below(1'000)}});
                if (chance.one_in(3)) step = member.state().batch ? finish : begin(fmt::format("b{}", ++batches), chance.below(9));
                // What it would become is found out on a disk of its own.
                const auto copy = disk->killed(1);
                Group twin = open_group(*copy);
                must(step(twin));
                asked = text(twin.state());
                must(step(member));
                acknowledged = asked;
            }
        } catch (const SimulatedCrash&) {
        }
        auto next = chance.one_in(2) ? disk->crash(chance.next()) : disk->killed(chance.next());
        const std::string found = text(open_group(*next).state());
        ASSERT_TRUE(found == acknowledged || found == asked) << found << "\nacknowledged: " << acknowledged << "\nasked: " << asked;
        // Seen, it is not yet acknowledged: a kill may leave it to the next crash.
        disk = std::move(next);
        Group group = open_group(*disk);
        must(group.commit({{0, group.state().positions[0].value_or(0)}}, group.state().generation));
        acknowledged = text(group.state());
    }
}

TEST(Groups, LifeAfterLife) {
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        live_through(seed);
        if (HasFailure()) return;
    }
}

TEST(Groups, ALongFileIsMadeAnewWhateverStopsIt) {
    constexpr std::uint32_t many = 2'000;
    SimulatedDisk disk(1, {.names = Names::any_subset});
    make_log(disk);
    Group group = open_group(disk, many);
    Group other = open_group(disk, many);
    std::uint64_t position = 1'000'000;
    const auto next = [&] {
        Positions all;
        for (std::uint32_t p = 0; p < many; ++p) all.emplace_back(p, position + p);
        position += many;
        return all;
    };
    const auto length = [&](SimulatedDisk& of) { return read_whole(of, path).size(); };
    std::size_t longest = 0;
    while (!group.exists() || length(disk) >= longest) {
        if (group.exists()) longest = length(disk);
        ASSERT_LT(longest, 2U << 20);
        const auto before = disk.killed(1);
        const Positions all = next();
        must(group.commit(all, 0));
        if (length(disk) > longest) continue;
        // That was the one: once more, stopped everywhere.
        for (std::uint64_t stop = 1;; ++stop) {
            const auto again = before->killed(stop);
            Group one = open_group(*again, many);
            const std::string old = text(one.state());
            again->stop_at_change(stop);
            try {
                must(one.commit(all, 0));
                break;
            } catch (const SimulatedCrash&) {
            }
            for (std::uint64_t seed = 0; seed < 6; ++seed) {
                for (const auto& left : {again->crash(seed), again->killed(seed)}) {
                    Group found = open_group(*left, many);
                    EXPECT_TRUE(text(found.state()) == old || text(found.state()) == text(group.state()));
                    must(found.commit(next(), 0));
                    EXPECT_EQ(text(open_group(*left->crash(seed), many).state()), text(found.state()));
                }
            }
        }
    }
    EXPECT_GT(longest, 1U << 20);
    EXPECT_LT(length(disk), 200U << 10);
    must(other.refresh());  // it had read nothing yet
    EXPECT_EQ(text(other.state()), text(group.state()));
}

// --- Failing calls. ---

TEST(Groups, AFailingCallLosesNothingAndLeavesNothingToDo) {
    const std::vector<Step> steps = every_change();
    std::uint64_t failures = 0;
    for (const Call kind : {Call::open, Call::create, Call::read, Call::write, Call::sync, Call::size, Call::truncate, Call::close,
                            Call::make_folder, Call::rename, Call::remove, Call::sync_folder, Call::lock}) {
        for (const int error_number : {ENOSPC, EIO}) {
            for (std::uint64_t nth = 1; nth < 60; ++nth) {
                SCOPED_TRACE(fmt::format("call {} error {} nth {}", static_cast<int>(kind), error_number, nth));
                SimulatedDisk disk(nth);
                make_log(disk, true);
                std::string acknowledged = text(open_group(disk).state());
                disk.fail_call(kind, nth, error_number);
                bool failed = false;
                for (const Step& step : steps) {
                    auto opened = Group::open(disk, "log", "g", log_id, partitions);
                    if (!opened) {
                        EXPECT_EQ(opened.error().kind(), ErrorKind::io);
                        failed = true;
                        opened = Group::open(disk, "log", "g", log_id, partitions);
                    }
                    Group group = must(std::move(opened));
                    EXPECT_EQ(text(group.state()), acknowledged);
                    const auto copy = disk.killed(1);
                    Group twin = open_group(*copy);
                    must(step(twin));
                    const auto outcome = step(group);
                    if (outcome) {
                        acknowledged = text(twin.state());
                        continue;
                    }
                    failed = true;
                    EXPECT_EQ(outcome.error().kind(), ErrorKind::io);
                    for (std::uint64_t seed = 0; seed < 5; ++seed) {
                        const std::string found = text(open_group(*disk.crash(seed)).state());
                        EXPECT_TRUE(found == acknowledged || found == text(twin.state())) << found << "\n" << acknowledged;
                    }
                    // The same object: after a failed sync it is done for, else it goes on.
                    if (kind == Call::sync || kind == Call::sync_folder) {
                        EXPECT_EQ(kind_of(group.commit({{0, 1}}, group.state().generation)), ErrorKind::io);
                    } else {
                        must(group.commit({{0, 0}}, group.state().generation));
                    }
                    Group next = open_group(disk);
                    const std::string found = text(next.state());
                    must(next.commit({{0, 0}}, next.state().generation));
                    acknowledged = text(next.state());
                    EXPECT_TRUE(found == acknowledged || next.state().positions[0] == 0U);
                }
                for (std::uint64_t seed = 0; seed < 5; ++seed) {
                    EXPECT_EQ(text(open_group(*disk.crash(seed)).state()), acknowledged);
                }
                if (HasFailure()) return;
                if (!failed) break;
                ++failures;
            }
        }
    }
    EXPECT_GT(failures, 100U);
}

TEST(Groups, AFullDiskAcknowledgesNothingUntilThereIsRoom) {
    SimulatedDisk disk(1);
    make_log(disk);
    Group group = open_group(disk);
    must(group.commit({{0, 5}}, 0));
    const std::string bytes = read_whole(disk, path);
    disk.fail_call(Call::write, 1, ENOSPC, true);
    for (std::uint64_t n = 6; n < 30; ++n) {
        EXPECT_EQ(kind_of(group.commit({{0, n}}, 0)), ErrorKind::io);
        EXPECT_EQ(group.state().positions[0], 5U);
        EXPECT_EQ(open_group(disk).state().positions[0], 5U);
        EXPECT_EQ(read_whole(disk, path), bytes);  // what came of it is cut back
    }
    const auto room = disk.killed(1);
    check_goes_on(*room, 7);
}

// --- Damage. ---

struct Example {
    std::string bytes;
    std::vector<std::size_t> ends;    // of its frames
    std::vector<std::string> states;  // after each
};

Example make_example() {
    SimulatedDisk disk(1);
    make_log(disk);
    Group group = open_group(disk);
    Example example;
    example.states.push_back(text(group.state()));
    for (const Step& step : {commit({{0, 10}}), begin("b1", 7), finish, seek({{0, 2}})}) {
        must(step(group));
        example.states.push_back(text(group.state()));
    }
    example.bytes = read_whole(disk, path);
    example.ends = frame_ends(example.bytes);
    EXPECT_EQ(example.ends.size(), example.states.size());
    return example;
}

// What opening gives: the state, or "corrupt"; a torn tail must go by itself.
std::string opened(const std::string& bytes, bool goes_on = true) {
    SimulatedDisk disk(1);
    make_log(disk, true);
    put_file(disk, path, bytes);
    auto group = Group::open(disk, "log", "g", log_id, partitions);
    EXPECT_EQ(read_whole(disk, path), bytes);  // who reads does not write
    if (group) {
        const std::string found = text(group->state());
        if (goes_on) check_goes_on(disk, 3);
        return found;
    }
    EXPECT_EQ(group.error().kind(), ErrorKind::corrupt);
    EXPECT_NE(group.error().message().find(path + ": "), std::string::npos) << group.error().message();
    EXPECT_NE(group.error().message().find("(byte "), std::string::npos) << group.error().message();
    return "corrupt";
}

TEST(Groups, EveryFlippedBitIsFound) {
    const Example example = make_example();
    const std::size_t last = example.ends[example.ends.size() - 2];
    for (std::size_t bit = 0; bit < example.bytes.size() * 8; ++bit) {
        std::string bytes = example.bytes;
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
        const bool unproven = bit / 8 >= last;
        const std::string expected = unproven ? example.states[example.states.size() - 2] : "corrupt";
        ASSERT_EQ(opened(bytes, bit % 37 == 0), expected) << "bit " << bit;
    }
}

TEST(Groups, EveryTruncationIsTornOrFound) {
    const Example example = make_example();
    for (std::size_t size = 0; size <= example.bytes.size(); ++size) {
        const auto whole = std::upper_bound(example.ends.begin(), example.ends.end(), size) - example.ends.begin();
        const std::string expected = whole == 0 ? "corrupt" : example.states[static_cast<std::size_t>(whole) - 1];
        ASSERT_EQ(opened(example.bytes.substr(0, size), size % 7 == 0), expected) << size;
    }
}

TEST(Groups, ZerosGarbageAndForeignFilesAreToldApart) {
    const Example example = make_example();
    const std::string& now = example.states.back();
    EXPECT_EQ(opened(example.bytes), now);
    EXPECT_EQ(opened(example.bytes + std::string(4'096, '\0')), now);
    EXPECT_EQ(opened(example.bytes + std::string(5, 'x')), now);
    EXPECT_EQ(opened(example.bytes + example.bytes.substr(example.ends[0])), now);  // old frames once more: they prove nothing new
    EXPECT_EQ(opened(""), "corrupt");
    // A frame in the middle is missing, or there twice.
    const auto cut = [&](std::size_t frame) {
        return example.bytes.substr(0, example.ends[frame - 1]) + example.bytes.substr(example.ends[frame]);
    };
    EXPECT_EQ(opened(cut(1)), "corrupt");
    EXPECT_EQ(opened(cut(2)), "corrupt");
    EXPECT_EQ(opened(example.bytes.substr(0, example.ends[1]) + example.bytes.substr(example.ends[0])), "corrupt");
    SimulatedDisk disk(1);
    make_log(disk, true);
    put_file(disk, path, example.bytes);
    EXPECT_EQ(kind_of(Group::open(disk, "log", "g", Hash128{3, 4}, partitions)), ErrorKind::corrupt);
    EXPECT_EQ(kind_of(Group::open(disk, "log", "g", log_id, 1)), ErrorKind::corrupt);
}

// Checks that are right, contents that are not.
TEST(Groups, HostileEntriesAreRefused) {
    const std::string good = R"({"entry":"state","positions":{},"generation":0})";
    const auto file_of = [](const std::vector<std::string>& entries) {
        FileHeader header{FileKind::group, 77, log_id, 0, 0};
        std::string bytes;
        append_file_header(bytes, header);
        FrameHeader frame;
        EXPECT_EQ(read_file_header(bytes, header, frame.chain), nullptr);
        for (const std::string& entry : entries) {
            frame.type = FrameType::positions;
            frame.file_id = 77;
            frame.records = 1;
            frame.batch_records = 0;
            frame.durable = bytes.size();
            frame.raw = static_cast<std::uint32_t>(entry.size() + 1);
            append_frame(bytes, frame, entry + "\n");
            frame.chain = frame.next_chain();
            ++frame.offset;
        }
        return bytes;
    };
    EXPECT_EQ(opened(file_of({good})), "generation 0: - - -");
    EXPECT_EQ(opened(file_of({good, R"({"entry":"commit","positions":{"1":4},"generation":0})"})), "generation 0: - 4 -");
    const std::vector<std::string> bad = {
        "", "x", "[]", "{}", good, good + "\n" + good,
        R"({"entry":"commit"})",
        R"({"entry":"commit","positions":{"0":1},"generation":1})",
        R"({"entry":"commit","positions":{"3":1},"generation":0})",
        R"({"entry":"commit","positions":{"0":-1},"generation":0})",
        R"({"entry":"commit","positions":{"0":1.5},"generation":0})",
        R"({"entry":"commit","positions":{"0":4611686018427387904},"generation":0})",
        R"({"entry":"commit","positions":{"":1},"generation":0})",
        R"({"entry":"commit","positions":[1],"generation":0})",
        R"({"entry":"seek","positions":{},"generation":0})",
        R"({"entry":"seek","positions":{},"generation":9223372036854775807})",
        R"({"entry":"batch","id":"b","from":[],"to":[]})",
        R"({"entry":"batch","id":"b","from":[1,1,1],"to":[2,2,0]})",
        R"({"entry":"batch","id":"","from":[1,1,1],"to":[2,2,2]})",
        R"({"entry":"done","id":"b"})",
        R"({"entry":"rewind"})",
    };
    for (const std::string& entry : bad) {
        EXPECT_EQ(opened(file_of({good, entry})), "corrupt") << entry;
        const std::string alone = opened(file_of({entry}));
        EXPECT_TRUE(alone == "corrupt" || entry == good) << entry;
    }
}

// --- Several processes. ---

TEST(Groups, OneSeesWhatTheOtherDid) {
    SimulatedDisk disk(1);
    make_log(disk);
    Group a = open_group(disk);
    Group b = open_group(disk);
    EXPECT_FALSE(a.exists());
    EXPECT_FALSE(must(disk.list("log/groups")).has_value());
    must(a.commit({{0, 10}, {1, 3}}, 0));
    must(b.commit({{0, 4}, {2, 8}}, 0));  // a lower one is left
    EXPECT_EQ(text(b.state()), "generation 0: 10 3 8");
    must(a.refresh());
    EXPECT_EQ(text(a.state()), text(b.state()));
    must(b.seek({{0, 1}}));
    EXPECT_EQ(kind_of(a.commit({{0, 11}}, 0)), ErrorKind::locked);
    EXPECT_EQ(text(a.state()), "generation 1: 1 3 8");
    must(a.commit({{0, 2}}, 1));
    must(begin("one", 5)(a));
    EXPECT_EQ(kind_of(begin("two", 5)(b)), ErrorKind::locked);
    must(b.finish_batch());  // it knows of it by now
    EXPECT_EQ(kind_of(a.finish_batch()), ErrorKind::locked);
    EXPECT_EQ(text(a.state()), "generation 1: 7 8 13");
    EXPECT_EQ(kind_of(a.finish_batch()), ErrorKind::usage);
    OpenBatch stale{"three", {2, 3, 8}, {9, 9, 9}};
    EXPECT_EQ(kind_of(b.begin_batch(stale)), ErrorKind::locked);
    must(begin("four", 1)(a));
    must(b.seek({}));
    EXPECT_EQ(kind_of(a.finish_batch()), ErrorKind::locked);
    EXPECT_EQ(kind_of(a.commit({{3, 1}}, 2)), ErrorKind::usage);
    EXPECT_EQ(must(list_groups(disk, "log")), std::vector<std::string>{"g"});
}

// A reader may see a frame whose writer then takes it back, and another's in its place.
TEST(Groups, AFrameTakenBackIsForgotten) {
    SimulatedDisk disk(1);
    make_log(disk);
    Group writer = open_group(disk);
    must(writer.commit({{0, 1}}, 0));
    const std::string before = read_whole(disk, path);
    must(writer.commit({{0, 2}}, 0));
    Group reader = open_group(disk);
    must(must(disk.open(path, Open::write))->truncate(before.size()));
    Group other = open_group(disk);
    must(reader.refresh());
    EXPECT_EQ(text(reader.state()), "generation 0: 1 - -");
    must(writer.refresh());
    must(writer.commit({{0, 2}}, 0));
    must(reader.refresh());
    must(must(disk.open(path, Open::write))->truncate(before.size()));
    must(other.commit({{1, 2}}, 0));
    must(other.commit({{2, 2}}, 0));
    must(reader.refresh());
    EXPECT_EQ(text(reader.state()), "generation 0: 1 2 2");
    must(disk.remove(path));
    EXPECT_EQ(kind_of(reader.refresh()), ErrorKind::corrupt);
}

TEST(Groups, ProcessesCommitAtOnce) {
    std::string folder = (std::filesystem::temp_directory_path() / "stream-log-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    constexpr std::uint64_t each = 60;
    std::vector<pid_t> children;
    for (std::uint32_t p = 0; p < partitions; ++p) {
        children.push_back(::fork());
        if (children.back() != 0) continue;
        auto group = Group::open(real_file_system(), folder, "g", log_id, partitions);
        bool right = group.has_value();
        for (std::uint64_t n = 1; right && n <= each; ++n) {
            const auto done = group->commit({{p, n}, {(p + 1) % partitions, 1}}, 0);
            right = done && group->state().positions[p] == n && group->refresh();
        }
        ::_exit(right ? 0 : 1);
    }
    for (const pid_t child : children) {
        int status = 1;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(text(must(Group::open(real_file_system(), folder, "g", log_id, partitions)).state()), "generation 0: 60 60 60");
    const auto mode = [](const std::string& of) { return static_cast<int>(std::filesystem::status(of).permissions()); };
    EXPECT_EQ(mode(folder + "/groups"), 0700);
    EXPECT_EQ(mode(folder + "/groups/g"), 0600);
    std::filesystem::remove_all(folder);
}

// --- Names. ---

TEST(Groups, Names) {
    for (const char* name : {"a", "nightly", "A.b_c-9", "run:etl", "9", "_", "lock"}) EXPECT_TRUE(check_group_name(name)) << name;
    EXPECT_TRUE(check_group_name(std::string(200, 'x')));
    for (const char* name : {"", ".a", "-a", "a/b", "a b", "run:", "run:run:a", "a:b", "ä", "a.lock", "a.members", "..", "run:.a"}) {
        EXPECT_EQ(kind_of(check_group_name(name)), ErrorKind::usage) << name;
    }
    EXPECT_EQ(kind_of(check_group_name(std::string(201, 'x'))), ErrorKind::usage);
    SimulatedDisk disk(1);
    make_log(disk);
    EXPECT_TRUE(must(list_groups(disk, "log")).empty());
    for (const char* name : {"b", "run:a", "c.d"}) must(must(Group::open(disk, "log", name, log_id, 1)).commit({{0, 1}}, 0));
    EXPECT_EQ(must(list_groups(disk, "log")), (std::vector<std::string>{"b", "c.d", "run:a"}));
}

}  // namespace
}  // namespace stream::log
