// SPDX-License-Identifier: Apache-2.0
// What is kept in files beside a state stays as it was, whatever its owner does next; and it comes back.
#include "state/kept_files.hpp"

#include "state/copy_store.hpp"
#include "state/key_set.hpp"
#include "state/spill_queue.hpp"
#include "unit/state/temp_folder.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>

namespace {

int links_refused = 0;  // with this errno

int link_unless_refused(int from_folder, const char* from, int to_folder, const char* to, int flags) {
    if (links_refused == 0) return static_cast<int>(::syscall(SYS_linkat, from_folder, from, to_folder, to, flags));
    errno = links_refused;
    return -1;
}

}  // namespace

// The libraries' calls, too.
extern "C" int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) noexcept { return link_unless_refused(from_folder, from, to_folder, to, flags); }
extern "C" int link(const char* from, const char* to) noexcept { return link_unless_refused(AT_FDCWD, from, AT_FDCWD, to, 0); }

namespace stream {
namespace {

using test::TempFolder;

Hash128 hash_of(std::uint64_t number) { return hash_key({reinterpret_cast<const char*>(&number), 8}, HashSecret{}); }

// A state that was kept: its bytes, and the files beside it.
struct Kept {
    std::string bytes;
    KeptFiles files;
};

template <class Owner>
Kept keep(Owner& owner, const TempFolder& folder, const std::string& prefix) {
    KeptFiles files(folder.path(), prefix);
    const auto done = owner.keep_files(files);
    EXPECT_TRUE(done) << done.error().message();
    StateWriter writer(true);
    owner.snapshot(writer);
    return {writer.take(), KeptFiles(folder.path(), files.names())};
}

template <class Owner>
Result<void> restore(Owner& owner, const Kept& kept) {
    StateReader reader(kept.bytes, &kept.files);
    STREAM_TRY(owner.restore(reader));
    EXPECT_TRUE(reader.at_end());
    return {};
}

void remove(const Kept& kept) {
    for (std::uint64_t i = 0; i < kept.files.names().size(); ++i) ::unlink(kept.files.path(i)->c_str());
}

TEST(KeptFiles, AreLinksWhereTheyCanBeAndCopiesElsewhere) {
    TempFolder folder;
    const std::string path = folder.path() + "/one";
    std::ofstream(path) << "bytes";
    KeptFiles files(folder.path(), "a-");
    ASSERT_EQ(*files.add(path), 0u);
    EXPECT_EQ(std::filesystem::hard_link_count(path), 2u);
    EXPECT_EQ(files.bytes(), 5u);
    EXPECT_EQ(*files.path(0), folder.path() + "/a-0");
    EXPECT_EQ(files.path(1).error().kind(), ErrorKind::corrupt);
    auto temporary = TempFile::create(folder.path());
    ASSERT_TRUE(temporary);
    ASSERT_TRUE(temporary->write_at(0, "nameless"));
    ASSERT_EQ(*temporary->keep(files), 1u);
    EXPECT_EQ(std::filesystem::file_size(*files.path(1)), 8u);
    EXPECT_FALSE(temporary->punch(0, 4));
    // Another file system: what it says is copied.
    ASSERT_EQ(*files.add("/proc/self/comm"), 2u);
    EXPECT_GT(std::filesystem::file_size(*files.path(2)), 0u);
    EXPECT_EQ(files.add(folder.path() + "/absent").error().kind(), ErrorKind::io);
    KeptFiles nowhere(folder.path() + "/absent", "a-");
    EXPECT_EQ(nowhere.add(path).error().kind(), ErrorKind::io);
}

TEST(KeptFiles, KeysOnDiskAreKeptWithoutHardLinks) {
    for (const int refused : {EPERM, ENOSYS, EOPNOTSUPP, EXDEV}) {
        TempFolder folder;
        links_refused = refused;
        {
            const KeySetLimits limits{256 << 10, 1 << 30, folder.path() + "/spill"};
            ExactSet set(limits);
            for (std::uint64_t i = 0; i < 40'000; ++i) ASSERT_TRUE(*set.insert(hash_of(i)));
            const Kept kept = keep(set, folder, "a-");
            ExactSet back(limits);
            const auto done = restore(back, kept);
            EXPECT_TRUE(done) << done.error().message();
            for (std::uint64_t i = 0; i < 40'000; ++i) ASSERT_FALSE(*back.insert(hash_of(i))) << i;
            EXPECT_TRUE(*back.insert(hash_of(40'000)));
        }
        links_refused = 0;
    }
}

TEST(KeptFiles, TheListSaysWhatTheyAreAndDamageIsFound) {
    TempFolder folder;
    FileSystem& system = real_file_system();
    std::ofstream(folder.path() + "/one") << std::string(3'000'000, 'x');
    std::ofstream(folder.path() + "/empty");
    KeptFiles files(folder.path(), "state.1.kept-");
    ASSERT_TRUE(files.add(folder.path() + "/one"));
    ASSERT_TRUE(files.add(folder.path() + "/empty"));
    StateWriter writer;
    ASSERT_TRUE(put_kept(writer, system, folder.path(), files));
    writer.put_u8(7);
    const auto read = [&]() -> Result<std::uint8_t> {
        StateReader reader(writer.bytes());
        auto list = get_kept(reader, system, folder.path());
        if (!list) return pass_on(list);
        EXPECT_EQ(list->names(), files.names());
        return reader.get_u8();
    };
    EXPECT_EQ(*read(), 7);
    const std::string first = *files.path(0);
    const auto overwrite = [&](std::uint64_t at, char byte) {
        std::fstream file(first, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(at));
        file.put(byte);
    };
    for (const std::uint64_t at : {0u, 1'500'000u, 2'999'999u}) {
        overwrite(at, 'y');
        EXPECT_EQ(read().error().kind(), ErrorKind::corrupt) << at;
        overwrite(at, 'x');
    }
    EXPECT_TRUE(read());
    std::filesystem::resize_file(first, 2'999'999);
    EXPECT_EQ(read().error().kind(), ErrorKind::corrupt);
    std::filesystem::resize_file(first, 3'000'000);
    EXPECT_EQ(read().error().kind(), ErrorKind::corrupt);
    for (std::size_t size = 0; size + 1 < writer.bytes().size(); ++size) {
        StateReader cut(std::string_view(writer.bytes()).substr(0, size));
        EXPECT_FALSE(get_kept(cut, system, folder.path()));
    }
    ::unlink(first.c_str());
    EXPECT_EQ(read().error().kind(), ErrorKind::corrupt);
    std::ofstream(folder.path() + "/state.txt");
    ASSERT_TRUE(remove_kept(system, folder.path(), "state.", {"state.1.kept-1"}));
    EXPECT_TRUE(std::filesystem::exists(folder.path() + "/state.txt"));
    EXPECT_TRUE(std::filesystem::exists(folder.path() + "/state.1.kept-1"));
    ASSERT_TRUE(remove_kept(system, folder.path(), "state.", {}));
    EXPECT_FALSE(std::filesystem::exists(folder.path() + "/state.1.kept-1"));
}

TEST(KeptFiles, AnExactSetIsAsItWasWhateverComesAfter) {
    TempFolder folder;
    const KeySetLimits limits{1 << 20, 1ull << 40, folder.path()};
    auto set = std::make_unique<ExactSet>(limits);
    constexpr std::uint64_t step = 60'000;
    std::uint64_t next = 0;
    std::unique_ptr<Kept> before;
    for (int round = 0; round < 3; ++round) {
        for (; next < step * (static_cast<std::uint64_t>(round) + 1); ++next) ASSERT_TRUE(*set->insert(hash_of(next)));
        auto kept = std::make_unique<Kept>(keep(*set, folder, "round" + std::to_string(round) + "-"));
        EXPECT_FALSE(kept->files.names().empty());
        EXPECT_LT(kept->bytes.size(), std::size_t{1} << 20);
        const std::uint64_t then = next;
        for (; next < then + step / 2; ++next) ASSERT_TRUE(*set->insert(hash_of(next)));  // and its files are merged meanwhile
        if (before != nullptr) remove(*before);
        auto other = std::make_unique<ExactSet>(limits);
        ASSERT_TRUE(restore(*other, *kept));
        for (std::uint64_t i = 0; i < then; i += 7) ASSERT_FALSE(*other->insert(hash_of(i))) << i;
        for (std::uint64_t i = then; i < next; i += 7) ASSERT_TRUE(*other->insert(hash_of(i))) << i;
        // What was restored can be kept again, and goes on.
        if (round == 1) {
            set = std::make_unique<ExactSet>(limits);
            ASSERT_TRUE(restore(*set, *kept));
            next = then;
        }
        before = std::move(kept);
    }
}

TEST(KeptFiles, AValuedSetKeepsItsNewestValues) {
    TempFolder folder;
    const KeySetLimits limits{1 << 20, 1ull << 40, folder.path()};
    ValuedSet set(limits, 10);
    const auto put = [&](std::uint64_t i, std::uint64_t value) { ASSERT_TRUE(set.put({hash_of(i), static_cast<TimeNs>(i), value})); };
    for (std::uint64_t i = 0; i < 80'000; ++i) put(i, i);
    for (std::uint64_t i = 0; i < 80'000; i += 3) put(i, i + 1);
    set.expire(1'000);
    const Kept kept = keep(set, folder, "v-");
    EXPECT_FALSE(kept.files.names().empty());
    for (std::uint64_t i = 0; i < 80'000; ++i) put(i, 5);
    ValuedSet other(limits, 10);
    ASSERT_TRUE(restore(other, kept));
    for (std::uint64_t i = 1'000; i < 80'000; i += 11) {
        const auto found = other.find_exact(hash_of(i), static_cast<TimeNs>(i));
        ASSERT_TRUE(found && *found) << i;
        ASSERT_EQ((*found)->value, i % 3 == 0 ? i + 1 : i);
    }
}

TEST(KeptFiles, AQueueGivesTheSameEventsAgain) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        TempFolder folder;
        std::mt19937_64 random(seed);
        const SpillLimits limits{std::size_t{20'000} * (1 + seed % 3), 1ull << 40, folder.path()};
        auto queue = std::make_unique<SpillQueue>(limits);
        std::uint64_t position = 0;
        const auto go_on = [&](SpillQueue& on, std::size_t steps, unsigned pops) {
            for (std::size_t i = 0; i < steps; ++i) {
                if (random() % 100 < pops) {
                    if (on.empty()) continue;
                    ASSERT_TRUE(on.pop());
                } else {
                    const std::string bytes(random() % 200, static_cast<char>('a' + random() % 26));
                    ASSERT_TRUE(on.push({static_cast<TimeNs>(i + random() % 3000), 0, position++, bytes}));
                }
            }
        };
        for (int round = 0; round < 3; ++round) {
            go_on(*queue, 4'000, round == 1 ? 60 : 40);
            const Kept kept = keep(*queue, folder, "q" + std::to_string(round) + "-");
            StateWriter whole;
            queue->snapshot(whole);
            go_on(*queue, 3'000, 90);  // much of it is read, and given back
            auto other = std::make_unique<SpillQueue>(limits);
            ASSERT_TRUE(restore(*other, kept)) << seed;
            StateWriter again;
            other->snapshot(again);
            ASSERT_EQ(again.bytes(), whole.bytes()) << "seed " << seed << " round " << round;
            queue = std::move(other);
        }
    }
}

TEST(KeptFiles, CopiesAreFoundWhereTheyWere) {
    TempFolder folder;
    const CopyLimits limits{64 << 10, 1ull << 40, folder.path()};
    auto store = std::make_unique<CopyStore>(limits);
    std::map<CopyStore::Ref, std::string> model;
    std::mt19937_64 random(3);
    TimeNs now = 0;
    const auto add = [&](int count) {
        for (int i = 0; i < count; ++i, ++now) {
            const std::string bytes(random() % 100 == 0 ? 20'000 : random() % 300, static_cast<char>('a' + now % 26));
            const auto ref = store->add(now, bytes);
            ASSERT_TRUE(ref);
            model[*ref] = bytes;
        }
    };
    for (int round = 0; round < 4; ++round) {
        add(2'000);
        const Kept kept = keep(*store, folder, "c" + std::to_string(round) + "-");
        EXPECT_FALSE(kept.files.names().empty());
        const auto then = model;
        const auto cutoff = now;
        add(1'000);
        store->expire(cutoff);  // all of it goes, and its places are used anew
        add(1'000);
        CopyLimits wider = limits;
        wider.memory_bytes = 256 << 10;  // other segments
        auto other = std::make_unique<CopyStore>(round % 2 == 0 ? limits : wider);
        ASSERT_TRUE(restore(*other, kept));
        for (const auto& [ref, bytes] : then) {
            const auto read = other->read(ref);
            ASSERT_TRUE(read) << read.error().message();
            ASSERT_EQ(read->bytes, bytes);
        }
        store = std::move(other);
        model = then;
        now = cutoff;
        store->expire(now - 1'500);
        while (!model.empty() && model.size() > 1'400) model.erase(model.begin());
    }
}

TEST(KeptFiles, WithoutItsFilesAStateIsDamaged) {
    TempFolder folder;
    SpillQueue queue({20'000, 1ull << 40, folder.path()});
    ExactSet set({1, 1ull << 40, folder.path()});
    CopyStore store({16 << 10, 1ull << 40, folder.path()});
    for (std::uint64_t i = 0; i < 20'000; ++i) {
        ASSERT_TRUE(queue.push({static_cast<TimeNs>(i), 0, i, "an event"}));
        ASSERT_TRUE(set.insert(hash_of(i)));
        ASSERT_TRUE(store.add(static_cast<TimeNs>(i), "a copy of an event"));
    }
    const auto refused = [&](auto& owner, auto make, const char* prefix) {
        Kept kept = keep(owner, folder, prefix);
        ASSERT_FALSE(kept.files.names().empty());
        for (const KeptFiles& files : {KeptFiles(), KeptFiles(folder.path(), std::vector<std::string>{})}) {
            auto other = make();
            kept.files = files;
            StateReader reader(kept.bytes, &kept.files);
            const auto restored = other->restore(reader);
            ASSERT_FALSE(restored);
            EXPECT_EQ(restored.error().kind(), ErrorKind::corrupt);
        }
        auto other = make();
        StateReader alone(kept.bytes);
        const auto restored = other->restore(alone);
        ASSERT_FALSE(restored);
        EXPECT_EQ(restored.error().kind(), ErrorKind::corrupt);
    };
    refused(queue, [&] { return std::make_unique<SpillQueue>(SpillLimits{20'000, 1ull << 40, folder.path()}); }, "q-");
    refused(set, [&] { return std::make_unique<ExactSet>(KeySetLimits{1, 1ull << 40, folder.path()}); }, "s-");
    refused(store, [&] { return std::make_unique<CopyStore>(CopyLimits{16 << 10, 1ull << 40, folder.path()}); }, "c-");
}

}  // namespace
}  // namespace stream
