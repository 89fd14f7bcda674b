// SPDX-License-Identifier: Apache-2.0
// Key sets against std::set and std::map, in memory and far past it; what they cost; what Bloom filters
// get wrong.
#include "state/key_set.hpp"

#include "state/bloom.hpp"
#include "state/copy_store.hpp"
#include "unit/state/temp_folder.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <random>
#include <set>

namespace stream {
namespace {

using test::TempFolder;

const HashSecret secret = [] {
    HashSecret bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 37 + 11);
    return bytes;
}();

Hash128 key(std::uint64_t number) { return hash_key({reinterpret_cast<const char*>(&number), 8}, secret); }

KeySetLimits in_memory() { return {1u << 30, 1ull << 40, "/nowhere"}; }
KeySetLimits tiny(const TempFolder& folder) { return {1, 1ull << 40, folder.path()}; }

TEST(KeyHash, IsKeyedAndFrozenWithoutAKey) {
    EXPECT_EQ(hash_key("a", secret), hash_key("a", secret));
    EXPECT_NE(hash_key("a", secret), hash_key("b", secret));
    EXPECT_NE(hash_key("a", secret), hash_key("a", random_secret()));
    EXPECT_NE(random_secret(), random_secret());
    // XXH3-128 of nothing, from xxHash's specification: state files depend on it.
    EXPECT_EQ(fingerprint("").high, 0x99aa06d3014798d8u);
    EXPECT_EQ(fingerprint("").low, 0x6001c324468d497fu);
}

TEST(ExactSet, FindsWhatWasInsertedAndNothingElse) {
    ExactSet set(in_memory());
    for (std::uint64_t i = 0; i < 300000; ++i) ASSERT_TRUE(*set.insert(key(i))) << i;
    for (std::uint64_t i = 0; i < 300000; ++i) ASSERT_FALSE(*set.insert(key(i))) << i;
    EXPECT_EQ(set.size(), 300000u);
    ASSERT_TRUE(*set.insert({0, 0}));
    ASSERT_FALSE(*set.insert({0, 0}));
    ASSERT_TRUE(*set.insert({0, ~0ull}));
}

TEST(ExactSet, MemoryAnEntryIsWithinItsPromise) {
    ExactSet set(in_memory());
    const double start = static_cast<double>(set.memory_used());
    double worst = 0;
    double best = 1e9;
    for (std::uint64_t i = 1; i <= 1000000; ++i) {
        ASSERT_TRUE(set.insert(key(i)));
        if (i < 300000) continue;
        const double bytes = (static_cast<double>(set.memory_used()) - start) / static_cast<double>(i);
        worst = std::max(worst, bytes);
        best = std::min(best, bytes);
    }
    EXPECT_LT(best, 24);
    EXPECT_LT(worst, 1.6 * 24);
}

TEST(TimedSet, MemoryAnEntryIsWithinItsPromise) {
    TimedSet set(in_memory(), ns_per_hour);
    double worst = 0;
    double best = 1e9;
    for (std::uint64_t i = 1; i <= 2000000; ++i) {
        ASSERT_TRUE(set.insert(key(i), static_cast<TimeNs>(i)));
        if (i < 300000) continue;
        const double bytes = static_cast<double>(set.memory_used()) / static_cast<double>(i);
        worst = std::max(worst, bytes);
        best = std::min(best, bytes);
    }
    EXPECT_LT(best, 32);
    EXPECT_LT(worst, 1.6 * 32);
}

TEST(TimedSet, MatchesWithinBothEndsIncluded) {
    TimedSet set(in_memory(), 10);
    EXPECT_TRUE(*set.insert(key(1), 100));
    EXPECT_FALSE(*set.insert(key(1), 110));
    EXPECT_FALSE(*set.insert(key(1), 90));
    EXPECT_TRUE(*set.insert(key(1), 111));
    EXPECT_FALSE(*set.insert(key(1), 121));
    EXPECT_TRUE(*set.insert(key(1), 89));
    EXPECT_TRUE(*set.insert(key(2), 100));
}

TEST(TimedSet, HoldsAtTheEdgesOfTime) {
    for (const DurationNs within :
         {DurationNs{0}, DurationNs{1}, ns_per_day, time_after_all / 2, time_after_all}) {
        TimedSet set(in_memory(), within);
        std::vector<TimeNs> kept;
        for (const TimeNs time : {time_before_all + 1, time_before_all + 2, TimeNs{-1}, TimeNs{0}, TimeNs{1},
                                  time_after_all - 2, time_after_all - 1, TimeNs{0}, time_before_all + 1}) {
            const bool fresh =
                std::none_of(kept.begin(), kept.end(), [&](TimeNs t) { return is_within(t, time, within); });
            ASSERT_EQ(*set.insert(key(5), time), fresh) << within << " " << time;
            if (fresh) kept.push_back(time);
        }
    }
}

TEST(TimedSet, ExpiryKeepsMemoryFlatAndNothingAliveIsLost) {
    TimedSet set(in_memory(), 1000);
    std::size_t most = 0;
    std::mt19937_64 random(3);
    std::vector<std::uint64_t> recent;
    for (TimeNs now = 0; now < 1000000; ++now) {
        const auto number = static_cast<std::uint64_t>(now);
        ASSERT_TRUE(*set.insert(key(number), now));
        set.expire(now - 2000);
        if (now > 1000) {
            ASSERT_FALSE(*set.insert(key(number - random() % 1000), now));
        }
        if (now > 10000) most = std::max(most, set.memory_used());
    }
    EXPECT_LT(set.size(), 6000u);
    EXPECT_LT(most, 1u << 20);  // a bucket for each shard is most of it
}

TEST(TimedSet, GivesMemoryBackAfterABurst) {
    TimedSet set(in_memory(), 1000);
    for (std::uint64_t i = 0; i < 500000; ++i) ASSERT_TRUE(set.insert(key(i), 0));
    const std::size_t full = set.memory_used();
    for (TimeNs now = 1; now < 10000; ++now) {
        ASSERT_TRUE(set.insert(key(static_cast<std::uint64_t>(now) + 1000000), now));
        set.expire(now - 2000);
    }
    EXPECT_LT(set.memory_used(), full / 10);
}

TEST(TimedSet, OneKeyWithVeryManyTimesIsNoLongChain) {
    TimedSet set(in_memory(), 1);
    for (TimeNs time = 0; time < 400000; time += 2)
        ASSERT_TRUE(*set.insert(key(1), time));  // minutes if it were
    EXPECT_FALSE(*set.insert(key(1), 200001));
    EXPECT_EQ(set.size(), 200000u);
}

// The disk tier gives the same answers. `tiny` memory sends every shard to disk as soon as it is full.
TEST(ExactSet, PastItsMemoryItGoesToDiskAndAnswersTheSame) {
    TempFolder folder;
    {
        ExactSet set(tiny(folder));
        for (std::uint64_t i = 0; i < 60000; ++i) ASSERT_TRUE(*set.insert(key(i))) << i;
        EXPECT_FALSE(folder.empty());
        for (std::uint64_t i = 0; i < 60000; i += 3) ASSERT_FALSE(*set.insert(key(i))) << i;
        for (std::uint64_t i = 60000; i < 61000; ++i) ASSERT_TRUE(*set.insert(key(i))) << i;

        StateWriter writer;
        set.snapshot(writer);
        ExactSet other(in_memory());
        StateReader reader(writer.bytes());
        ASSERT_TRUE(other.restore(reader));
        EXPECT_TRUE(reader.at_end());
        EXPECT_EQ(other.size(), 61000u);
        for (std::uint64_t i = 0; i < 61000; ++i) ASSERT_FALSE(*other.insert(key(i))) << i;
    }
    EXPECT_TRUE(folder.empty());
}

TEST(ExactSet, PastItsDiskIsALimitThatNamesTheOption) {
    TempFolder folder;
    ExactSet set({1, 1, folder.path()});
    for (std::uint64_t i = 0; i < 2000000; ++i) {
        auto inserted = set.insert(key(i));
        if (inserted) continue;
        EXPECT_EQ(inserted.error().kind(), ErrorKind::limit);
        EXPECT_NE(inserted.error().message().find("--spill-max"), std::string::npos);
        return;
    }
    FAIL() << "no limit";
}

TEST(ExactSet, ADiskTierWithoutItsFolderIsAnIoError) {
    ExactSet set({1, 1ull << 40, "/proc/no/such"});
    for (std::uint64_t i = 0; i < 100000; ++i) {
        auto inserted = set.insert(key(i));
        if (inserted) continue;
        EXPECT_EQ(inserted.error().kind(), ErrorKind::io);
        return;
    }
    FAIL() << "no error";
}

TEST(ExactSet, WhatAKilledProcessLeftIsRemoved) {
    TempFolder folder;
    const std::string left = folder.path() + "/streamutils-keys.abc123";
    std::filesystem::create_directories(left + "/db");
    std::filesystem::last_write_time(left,
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    ExactSet set(tiny(folder));
    for (std::uint64_t i = 0; i < 60000; ++i) ASSERT_TRUE(set.insert(key(i)));
    EXPECT_FALSE(std::filesystem::exists(left));
}

TEST(ExactSet, RestoreRefusesDamage) {
    ExactSet set(in_memory());
    for (std::uint64_t i = 0; i < 50; ++i) ASSERT_TRUE(set.insert(key(i)));
    StateWriter writer;
    set.snapshot(writer);
    for (std::size_t size = 0; size < writer.bytes().size(); ++size) {
        ExactSet other(in_memory());
        StateReader reader(std::string_view(writer.bytes()).substr(0, size));
        ASSERT_FALSE(other.restore(reader)) << size;
    }
    TimedSet timed(in_memory(), 5);
    StateReader reader(writer.bytes());
    EXPECT_EQ(timed.restore(reader).error().kind(), ErrorKind::corrupt);
}

// Written copies of each key, looked through one by one.
struct TimedModel {
    std::map<std::uint64_t, std::map<TimeNs, std::uint64_t>> entries;
    DurationNs within;

    std::optional<TimeNs> find(std::uint64_t number, TimeNs time) {
        for (const auto& [at, value] : entries[number]) {
            if (is_within(at, time, within)) return at;
        }
        return std::nullopt;
    }
};

void timed_agrees(const KeySetLimits& limits, std::uint64_t seed, DurationNs within, int steps,
                  std::uint64_t keys) {
    TimedModel model{{}, within};
    auto set = std::make_unique<TimedSet>(limits, within);
    auto valued = std::make_unique<ValuedSet>(limits, within);
    std::mt19937_64 random(seed);
    TimeNs now = -50000;
    for (int step = 0; step < steps; ++step) {
        now += static_cast<TimeNs>(random() % 5);
        // Nothing older than 3·within behind is asked for, and older than that may go.
        const auto back = static_cast<TimeNs>(random() % static_cast<std::uint64_t>(3 * within + 1));
        const TimeNs time = now - (random() % 3 == 0 ? back : 0);
        const std::uint64_t number = random() % keys;
        const auto expected = model.find(number, time);
        auto found = valued->find(key(number), time);
        ASSERT_TRUE(found.has_value());
        ASSERT_TRUE(found->has_value() == expected.has_value());
        if (expected) {
            ASSERT_TRUE((*found)->time == *expected);
            auto& value = model.entries[number][*expected];
            ASSERT_TRUE((*found)->value == value);
            value = random();
            ASSERT_TRUE(valued->put({key(number), *expected, value}).has_value());
            auto exact = valued->find_exact(key(number), *expected);
            ASSERT_TRUE(exact.has_value() && exact->has_value() && (*exact)->value == value);
        } else {
            model.entries[number][time] = 7;
            ASSERT_TRUE(valued->put({key(number), time, 7}).has_value());
        }
        ASSERT_TRUE(set->insert(key(number), time).value_or(false) == !expected);
        if (random() % 4 == 0) {
            set->expire(now - 4 * within - 1);
            valued->expire(now - 4 * within - 1);
        }
        if (random() % 3000 == 0) {
            StateWriter writer;
            set->snapshot(writer);
            valued->snapshot(writer);
            set = std::make_unique<TimedSet>(limits, within);
            valued = std::make_unique<ValuedSet>(limits, within);
            StateReader reader(writer.bytes());
            ASSERT_TRUE(set->restore(reader).has_value());
            ASSERT_TRUE(valued->restore(reader).has_value());
            ASSERT_TRUE(reader.at_end());
        }
    }
}

RC_GTEST_PROP(TimedSet, AgreesWithLookingThroughAllCopies, ()) {
    const auto within = *rc::gen::element<DurationNs>(0, 1, 7, 1000);
    const auto keys = *rc::gen::element<std::uint64_t>(1, 10, 5000);
    timed_agrees(in_memory(), *rc::gen::arbitrary<std::uint64_t>(), within, 3000, keys);
    RC_ASSERT(!::testing::Test::HasFatalFailure());
}

TEST(TimedSet, AgreesOnDiskToo) {
    TempFolder folder;
    timed_agrees(tiny(folder), 1, 20000, 60000, 1ull << 40);
    timed_agrees(tiny(folder), 2, 100, 60000, 3000);
    timed_agrees(tiny(folder), 3, 1000, 40000, 3);
}

TEST(ScalableBloom, NeverForgetsAndErrsNoMoreThanItSays) {
    for (const double error : {0.1, 0.01, 0.001}) {
        ScalableBloom bloom(error, 1000);  // many layers
        std::set<std::uint64_t> mistaken;
        constexpr std::uint64_t keys = 200000;
        std::uint64_t false_positives = 0;
        for (std::uint64_t i = 0; i < keys; ++i) false_positives += bloom.insert(key(i)) ? 0u : 1u;
        for (std::uint64_t i = 0; i < keys; ++i) ASSERT_TRUE(bloom.contains(key(i)));
        EXPECT_LT(static_cast<double>(false_positives), error * keys);
        std::uint64_t found = 0;
        for (std::uint64_t i = keys; i < 3 * keys; ++i) found += bloom.contains(key(i)) ? 1u : 0u;
        EXPECT_LT(static_cast<double>(found), error * 2 * keys * 1.05);
        EXPECT_LT(static_cast<double>(bloom.memory()) * 8 / keys, 60) << error;
    }
}

TEST(ScalableBloom, AFullFilterErrsAboutAsMuchAsItWasMadeFor) {
    for (const double error : {0.1, 0.01, 0.001}) {
        BloomFilter filter(100000, error);
        for (std::uint64_t i = 0; i < 100000; ++i) filter.insert(key(i));
        std::uint64_t found = 0;
        for (std::uint64_t i = 0; i < 1000000; ++i) found += filter.contains(key(i + 1000000)) ? 1u : 0u;
        EXPECT_LT(static_cast<double>(found), error * 1000000 * 1.1);
        EXPECT_GT(static_cast<double>(found), error * 1000000 * 0.6);
    }
}

TEST(ScalableBloom, SavesAndRestores) {
    ScalableBloom bloom(0.01, 100);
    for (std::uint64_t i = 0; i < 1000; ++i) bloom.insert(key(i));
    StateWriter writer;
    bloom.snapshot(writer);
    ScalableBloom other(0.01, 5);
    StateReader reader(writer.bytes());
    ASSERT_TRUE(other.restore(reader));
    for (std::uint64_t i = 0; i < 1000; ++i) ASSERT_TRUE(other.contains(key(i)));
    EXPECT_EQ(other.size(), bloom.size());
    for (std::size_t size = 0; size < writer.bytes().size(); size += 97) {
        ScalableBloom damaged(0.01, 5);
        StateReader cut(std::string_view(writer.bytes()).substr(0, size));
        ASSERT_FALSE(damaged.restore(cut));
    }
}

TEST(TimedBloom, FindsAllWithinAndForgetsWhatIsFarAway) {
    TimedBloom bloom(0.001, 1000);
    for (TimeNs t = 0; t < 100000; t += 10) ASSERT_TRUE(bloom.insert(key(static_cast<std::uint64_t>(t)), t));
    for (TimeNs t = 0; t < 100000; t += 10) {
        ASSERT_FALSE(bloom.insert(key(static_cast<std::uint64_t>(t)), t + 1000));
        ASSERT_FALSE(bloom.insert(key(static_cast<std::uint64_t>(t)), t - 1000));
    }
    EXPECT_TRUE(bloom.insert(key(50000), 50000 + 1251));
    EXPECT_TRUE(bloom.insert(key(60000), 60000 - 1251));
    const std::size_t before = bloom.memory();
    bloom.expire(90000);
    EXPECT_LT(bloom.memory(), before / 4);
    EXPECT_FALSE(bloom.insert(key(90000), 90000));
}

TEST(CopyStore, KeepsSpillsExpiresAndRestores) {
    TempFolder folder;
    const CopyLimits limits{64 << 10, 1ull << 40, folder.path()};
    CopyStore store(limits);
    std::map<CopyStore::Ref, std::pair<TimeNs, std::string>> model;
    std::mt19937_64 random(5);
    for (TimeNs t = 0; t < 5000; ++t) {
        const std::string bytes(random() % 200 == 0 ? 100000 : random() % 300,
                                static_cast<char>('a' + t % 26));
        auto ref = store.add(t, bytes);
        ASSERT_TRUE(ref);
        ASSERT_TRUE(model.empty() || model.rbegin()->first < *ref);
        model[*ref] = {t, bytes};
        if (t > 1000) store.expire(t - 1000);
        while (!model.empty() && model.begin()->second.first < t - 1000) model.erase(model.begin());
        auto wanted = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
        auto copy = store.read(wanted->first);
        ASSERT_TRUE(copy) << copy.error().message();
        ASSERT_EQ(copy->time, wanted->second.first);
        ASSERT_EQ(copy->bytes, wanted->second.second);
    }
    EXPECT_GT(store.spilled_bytes(), 0u);
    EXPECT_LT(store.memory_used(), 300u << 10);
    StateWriter writer;
    store.snapshot(writer);
    CopyStore other(limits);
    StateReader reader(writer.bytes());
    ASSERT_TRUE(other.restore(reader));
    for (const auto& [ref, copy] : model) {
        auto read = other.read(ref);
        ASSERT_TRUE(read);
        ASSERT_EQ(read->bytes, copy.second);
    }
    EXPECT_FALSE(other.read(1ull << 60));
}

}  // namespace
}  // namespace stream
