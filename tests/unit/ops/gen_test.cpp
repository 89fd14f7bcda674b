// SPDX-License-Identifier: Apache-2.0
#include "ops/gen.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace stream {
namespace {

GenOptions options_of(GenKind kind, std::uint64_t events, std::uint64_t seed = 1) {
    GenOptions options;
    options.kind = kind;
    options.events = events;
    options.seed = seed;
    return options;
}

std::string rest_of(Generator& generator, std::size_t block = 1 << 16,
                    std::uint64_t turns = GenOptions::endless) {
    std::string out;
    while (!generator.done()) generator.next_block(out, block, turns);
    return out;
}

std::string all_of(const GenOptions& options) {
    EXPECT_TRUE(options.validate());
    Generator generator(options);
    return rest_of(generator);
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        EXPECT_NE(end, std::string_view::npos);
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    return lines;
}

// {"ts":"2026-01-01T00:00:00.123Z", …: text of one length, which sorts as the time does.
std::string_view time_text(std::string_view line) { return line.substr(7, 24); }

// Of a time on 1 January 2026 or after it in that month.
std::int64_t time_ms(std::string_view line) {
    const std::string_view text = time_text(line);
    EXPECT_EQ(text.substr(0, 8), "2026-01-");
    const auto number = [&](std::size_t at, std::size_t size) {
        return std::int64_t{std::stoi(std::string(text.substr(at, size)))};
    };
    return (((number(8, 2) * 24 + number(11, 2)) * 60 + number(14, 2)) * 60 + number(17, 2)) * 1000 +
           number(20, 3);
}

struct Arrival {
    std::size_t late = 0;
    std::int64_t latest_by_ms = 0;
};
Arrival arrival_of(const std::vector<std::string_view>& lines) {
    Arrival arrival;
    std::int64_t newest = 0;
    for (const std::string_view line : lines) {
        const std::int64_t time = time_ms(line);
        if (time < newest) ++arrival.late;
        arrival.latest_by_ms = std::max(arrival.latest_by_ms, newest - time);
        newest = std::max(newest, time);
    }
    return arrival;
}

// The same seed gives the same bytes on any machine and in any later version: a change of these values
// breaks every recorded benchmark and example.
TEST(Gen, GoldenBytes) {
    struct Golden {
        GenKind kind;
        std::uint64_t seed;
        bool dials;
        std::uint64_t hash;
    };
    constexpr std::uint64_t last_seed = std::numeric_limits<std::uint64_t>::max();
    const std::vector<Golden> goldens = {
        {GenKind::web, 1, false, 0x3c98ea022a5821aa},
        {GenKind::web, 2, false, 0x01932c9f161053cb},
        {GenKind::web, last_seed, false, 0x969ba3b7753e2059},
        {GenKind::web, 1, true, 0xc822bcbebb73d05a},
        {GenKind::orders, 1, false, 0x5e57f178d337f43d},
        {GenKind::orders, 2, false, 0xbb39e6d4ce6df5d2},
        {GenKind::orders, last_seed, false, 0xa1c42492b72b22ec},
        {GenKind::orders, 1, true, 0xd9cc22d68306f849},
    };
    for (const Golden& golden : goldens) {
        GenOptions options = options_of(golden.kind, 20'000, golden.seed);
        if (golden.dials) {
            options.disorder = 0.1;
            options.duplicates = 0.05;
        }
        const std::string text = all_of(options);
        EXPECT_EQ(XXH3_64bits(text.data(), text.size()), golden.hash)
            << gen_kind_names[static_cast<std::size_t>(golden.kind)] << " seed " << golden.seed;
    }
}

TEST(Gen, FirstLinesForTheEye) {
    EXPECT_EQ(all_of(options_of(GenKind::web, 1)),
              R"({"ts":"2026-01-01T00:00:00.000Z","id":"56fef659674c97c0","user":"u1994",)"
              R"("session":"653bb3a2bd74","path":"/blog/131","method":"GET","status":302,"bytes":42186,)"
              R"("latency_ms":11.1,"ip":"10.212.147.144","agent":"Chrome/131 Linux"})"
              "\n");
    EXPECT_EQ(all_of(options_of(GenKind::orders, 1)),
              R"({"ts":"2026-01-01T00:00:00.000Z","order_id":102572,"customer":"c1089","sku":"SKU-10005",)"
              R"("quantity":4,"price":192.25,"currency":"EUR","status":"created"})"
              "\n");
}

TEST(Gen, EveryLineIsAnObjectWithItsFields) {
    const std::map<GenKind, std::vector<std::string_view>> fields = {
        {GenKind::web,
         {"ts", "id", "user", "session", "path", "method", "status", "bytes", "latency_ms", "ip", "agent"}},
        {GenKind::orders, {"ts", "order_id", "customer", "sku", "quantity", "price", "currency", "status"}},
    };
    simdjson::dom::parser parser;
    for (const auto& [kind, names] : fields) {
        const std::string text = all_of(options_of(kind, 50'000, 7));
        for (const std::string_view line : lines_of(text)) {
            simdjson::dom::object object;
            ASSERT_EQ(parser.parse(line.data(), line.size(), true).get(object), simdjson::SUCCESS) << line;
            std::size_t at = 0;
            for (const auto member : object) {
                ASSERT_LT(at, names.size());
                ASSERT_EQ(member.key, names[at++]);
            }
            ASSERT_EQ(at, names.size());
            ASSERT_LT(line.size(), 400u);  // of the 512 bytes a line has room for
        }
    }
}

TEST(Gen, NamesOfKinds) {
    EXPECT_EQ(gen_kind("web"), GenKind::web);
    EXPECT_EQ(gen_kind("orders"), GenKind::orders);
    EXPECT_EQ(gen_kind("wbe"), std::nullopt);
}

TEST(Gen, InOrderWithoutDials) {
    for (const GenKind kind : {GenKind::web, GenKind::orders}) {
        const std::string text = all_of(options_of(kind, 30'001, 3));
        const auto lines = lines_of(text);
        EXPECT_EQ(lines.size(), 30'001u);
        EXPECT_EQ(arrival_of(lines).late, 0u);
        EXPECT_EQ(time_text(lines.front()).substr(0, 22), "2026-01-01T00:00:00.00");
        EXPECT_EQ(time_text(lines.back()).substr(0, 19), "2026-01-01T00:05:00");
        EXPECT_EQ(std::set<std::string_view>(lines.begin(), lines.end()).size(), lines.size());
    }
}

TEST(Gen, DisorderHoldsBackItsShareAndNoLonger) {
    for (const double share : {0.01, 0.05, 0.3}) {
        GenOptions options = options_of(GenKind::web, 200'000, 5);
        options.disorder = share;
        options.disorder_max = 3 * ns_per_second;
        const std::string text = all_of(options);
        const auto lines = lines_of(text);
        const Arrival arrival = arrival_of(lines);
        EXPECT_EQ(lines.size(), 200'000u);
        EXPECT_NEAR(static_cast<double>(arrival.late) / 200'000, share, share * 0.05);
        EXPECT_LE(arrival.latest_by_ms, 3000);
        EXPECT_GT(arrival.latest_by_ms, 2900);
    }
}

TEST(Gen, DuplicatesRepeatTheirShareWithTheSameBytes) {
    GenOptions options = options_of(GenKind::web, 200'000, 6);
    options.duplicates = 0.02;
    options.disorder_max = 5 * ns_per_second;
    const std::string text = all_of(options);
    const auto lines = lines_of(text);
    const std::set<std::string_view> different(lines.begin(), lines.end());
    EXPECT_EQ(different.size(), 200'000u);
    EXPECT_NEAR(static_cast<double>(lines.size() - different.size()) / 200'000, 0.02, 0.001);
    EXPECT_LE(arrival_of(lines).latest_by_ms, 5000);

    // Without the repeats, it is the plain stream in its order.
    std::string firsts;
    std::set<std::string_view> seen;
    for (const std::string_view line : lines) {
        if (seen.insert(line).second) firsts.append(line).append("\n");
    }
    EXPECT_EQ(firsts, all_of(options_of(GenKind::web, 200'000, 6)));
}

TEST(Gen, DialsChangeArrivalAndNothingElse) {
    for (const GenKind kind : {GenKind::web, GenKind::orders}) {
        GenOptions options = options_of(kind, 50'000, 9);
        const std::string plain = all_of(options);
        options.disorder = 0.2;
        options.duplicates = 0.1;
        const std::string dialled = all_of(options);
        auto lines = lines_of(dialled);
        EXPECT_GT(lines.size(), 54'000u);
        EXPECT_LE(arrival_of(lines).latest_by_ms, 10'000);
        std::sort(lines.begin(), lines.end());
        lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
        auto sorted = lines_of(plain);
        std::sort(sorted.begin(), sorted.end());
        EXPECT_EQ(lines, sorted);
    }
}

TEST(Gen, EverythingHeldBackOrRepeatedStillComes) {
    GenOptions options = options_of(GenKind::orders, 5000);
    options.disorder = 1;
    options.duplicates = 1;
    const std::string text = all_of(options);
    const auto lines = lines_of(text);
    EXPECT_EQ(lines.size(), 10'000u);
    EXPECT_EQ(std::set<std::string_view>(lines.begin(), lines.end()).size(), 5000u);
    EXPECT_LE(arrival_of(lines).latest_by_ms, 10'000);
}

TEST(Gen, BlocksNeverShow) {
    for (const GenKind kind : {GenKind::web, GenKind::orders}) {
        GenOptions options = options_of(kind, 3000, 11);
        options.disorder = 0.2;
        options.duplicates = 0.1;
        const std::string whole = all_of(options);
        for (const std::size_t block : {std::size_t{1}, std::size_t{777}, std::size_t{1} << 24}) {
            Generator generator(options);
            EXPECT_EQ(rest_of(generator, block), whole);
        }
        Generator by_turns(options);
        EXPECT_EQ(rest_of(by_turns, 1 << 20, 1), whole);
    }
}

TEST(Gen, CountsItsLinesAndAppends) {
    Generator generator(options_of(GenKind::web, 1000));
    std::string out = "kept\n";
    const std::uint64_t lines = generator.next_block(out, 10'000);
    EXPECT_TRUE(out.starts_with("kept\n{\"ts\""));
    EXPECT_EQ(static_cast<std::uint64_t>(std::count(out.begin(), out.end(), '\n')), lines + 1);
    EXPECT_GE(out.size(), 10'005u);
    EXPECT_LT(out.size(), 10'405u);
    EXPECT_EQ(generator.position(), lines);
    EXPECT_EQ(generator.next_block(out, 0), 0u);
    EXPECT_EQ(generator.next_block(out, 1 << 20, 5), 5u);
}

TEST(Gen, SeekGoesOnExactlyThere) {
    for (const GenKind kind : {GenKind::web, GenKind::orders}) {
        for (const bool dials : {false, true}) {
            GenOptions options = options_of(kind, 4000, 13);
            options.events_per_second = 50;
            if (dials) {
                options.disorder = 0.3;
                options.duplicates = 0.2;
            }
            Generator running(options);
            std::string out;
            std::vector<std::pair<std::uint64_t, std::size_t>> stops;  // position, bytes before it
            while (!running.done()) {
                stops.emplace_back(running.position(), out.size());
                running.next_block(out, 1000);
            }
            stops.emplace_back(running.position(), out.size());
            for (const auto& [position, bytes] : stops) {
                Generator resumed(options);
                resumed.seek(position);
                EXPECT_EQ(resumed.position(), position);
                EXPECT_TRUE(rest_of(resumed) == out.substr(bytes)) << position;
            }
            running.seek(0);
            EXPECT_TRUE(rest_of(running) == out);
            running.seek(GenOptions::endless);
            EXPECT_TRUE(running.done());
        }
    }
}

TEST(Gen, FarPositionsAreAsCheapAndTheTimeEnds) {
    GenOptions options;
    options.disorder = 0.1;
    Generator generator(options);
    generator.seek(500'000'000'000);
    std::string out;
    EXPECT_GT(generator.next_block(out, 1000), 0u);
    EXPECT_EQ(out.substr(0, 11), R"({"ts":"2184)");
    generator.seek(745'000'000'000);  // 2262 is as far as times go
    EXPECT_TRUE(generator.done() || generator.time() > 0);
    generator.seek(GenOptions::endless - 1);
    EXPECT_TRUE(generator.done());
}

TEST(Gen, TimesBefore1970) {
    GenOptions options = options_of(GenKind::web, 200);
    options.start = -ns_per_second;
    const std::string text = all_of(options);
    EXPECT_EQ(text.substr(7, 21), "1969-12-31T23:59:59.0");
    EXPECT_NE(text.find("1970-01-01T00:00:00.0"), std::string::npos);
}

TEST(Gen, PeoplePauseHalfAnHourBetweenSessions) {
    GenOptions options = options_of(GenKind::web, 400'000, 17);
    options.events_per_second = 10;
    const std::string text = all_of(options);
    struct Last {
        std::string_view session;
        std::int64_t time = 0;
    };
    std::map<std::string_view, Last> users;
    std::size_t pauses = 0;
    std::size_t same = 0;
    std::size_t failed = 0;
    for (const std::string_view line : lines_of(text)) {
        const std::size_t at = line.find(R"("user":"u)") + 9;
        const std::string_view user = line.substr(at, line.find('"', at) - at);
        const std::string_view session = line.substr(line.find(R"("session":")") + 11, 12);
        if (line.find(R"("status":50)") != std::string_view::npos) ++failed;
        if (user.size() < 3) continue;  // u1 to u63 are programs
        const std::int64_t time = time_ms(line);
        Last& last = users[user];
        if (last.session == session) {
            ++same;
            ASSERT_LT(time - last.time, 10 * 60'000) << line;
        } else if (!last.session.empty()) {
            ++pauses;
            ASSERT_GT(time - last.time, 30 * 60'000) << line;
        }
        last = {session, time};
    }
    EXPECT_GT(pauses, 5000u);
    EXPECT_GT(same, pauses * 5);
    EXPECT_NEAR(static_cast<double>(failed) / 400'000, 0.015, 0.005);
}

TEST(Gen, FewUsersForTheDensityStillWork) {
    GenOptions options = options_of(GenKind::web, 20'000);
    options.users = 16;
    options.events_per_second = 1'000'000;
    std::set<std::string> users;
    const std::string text = all_of(options);
    for (const std::string_view line : lines_of(text)) {
        const std::size_t at = line.find(R"("user":"u)") + 9;
        users.insert(std::string(line.substr(at, line.find('"', at) - at)));
    }
    EXPECT_LE(users.size(), 16u);
    EXPECT_GE(users.size(), 6u);
}

TEST(Gen, AnOrderBeginsWithCreatedAndNeverRepeatsAStep) {
    const std::map<std::string_view, char> letters = {
        {"created", 'c'},   {"paid", 'p'},     {"packed", 'k'},   {"shipped", 's'},
        {"delivered", 'd'}, {"returned", 'r'}, {"cancelled", 'x'}};
    const std::set<std::string_view> whole_lives = {"cpksd", "cpksdr", "cx", "cpx", "cpkx"};
    const std::string text = all_of(options_of(GenKind::orders, 200'000, 19));
    std::map<std::string_view, std::string> lives;
    for (const std::string_view line : lines_of(text)) {
        const std::size_t id = line.find(R"("order_id":)") + 11;
        const std::size_t status = line.find(R"("status":")") + 10;
        lives[line.substr(id, line.find(',', id) - id)] +=
            letters.at(line.substr(status, line.find('"', status) - status));
    }
    std::map<std::string_view, std::size_t> counts;
    for (const auto& [id, life] : lives) {
        const auto whole = whole_lives.find(life);
        if (whole != whole_lives.end()) {
            ++counts[*whole];
        } else {
            ASSERT_TRUE(std::string_view("cpks").starts_with(life)) << id << ' ' << life;
        }
    }
    EXPECT_EQ(counts.size(), whole_lives.size());
    for (const auto& [life, count] : counts) EXPECT_GT(count, 1000u) << life;
}

TEST(Gen, RefusesWhatADialCannotDo) {
    const auto kind_of = [](auto&& change) {
        GenOptions options;
        change(options);
        const auto result = options.validate();
        EXPECT_FALSE(result);
        return result ? ErrorKind::stopped : result.error().kind();
    };
    EXPECT_TRUE(GenOptions{}.validate());
    EXPECT_EQ(kind_of([](GenOptions& o) { o.disorder = 1.5; }), ErrorKind::usage);
    EXPECT_EQ(kind_of([](GenOptions& o) { o.duplicates = -0.1; }), ErrorKind::usage);
    EXPECT_EQ(kind_of([](GenOptions& o) { o.events_per_second = 0; }), ErrorKind::usage);
    EXPECT_EQ(kind_of([](GenOptions& o) { o.users = 3; }), ErrorKind::usage);
    EXPECT_EQ(kind_of([](GenOptions& o) { o.paths = 2; }), ErrorKind::usage);
    EXPECT_EQ(kind_of([](GenOptions& o) { o.skus = 0; }), ErrorKind::usage);
    EXPECT_EQ(kind_of([](GenOptions& o) { o.start = time_after_all; }), ErrorKind::usage);
    EXPECT_EQ(kind_of([](GenOptions& o) {
                  o.disorder = 0.1;
                  o.events_per_second = 1;
                  o.disorder_max = ns_per_second;
              }),
              ErrorKind::usage);
    EXPECT_EQ(kind_of([](GenOptions& o) {
                  o.duplicates = 0.1;
                  o.events_per_second = 1'000'000;
                  o.disorder_max = ns_per_minute;
              }),
              ErrorKind::limit);
}

}  // namespace
}  // namespace stream
