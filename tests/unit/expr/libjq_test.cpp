// SPDX-License-Identifier: Apache-2.0
#include "expr/libjq.hpp"

#include "expr/libjq_process.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

namespace stream::expr {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool has_memory_limit = false;
#else
constexpr bool has_memory_limit = true;
#endif

using Arguments = std::vector<std::pair<std::string, std::string>>;

Libjq started(std::string_view program, const LibjqLimits& limits = {}, const Arguments& arguments = {},
              double now = 1499816949.1525) {
    auto made = Libjq::start(program, arguments, now, limits);
    if (!made) throw std::runtime_error(made.error().message());
    return std::move(*made);
}

// The results, one after the other; then "error: …", or "failed: …" where it was not the program's doing.
std::string shown(Libjq& jq, std::string_view event) {
    const auto run = jq.run(event);
    std::string text;
    for (const std::string_view result : jq.results())
        text += (text.empty() ? "" : " ") + std::string(result);
    if (run) return text;
    EXPECT_EQ(run.error().kind(), ErrorKind::data);
    return text + (text.empty() ? "" : " ") + (jq.raised() ? "error: " : "failed: ") + run.error().message();
}
std::string shown(std::string_view program, std::string_view event, const Arguments& arguments = {}) {
    Libjq jq = started(program, {}, arguments);
    return shown(jq, event);
}

std::string complaint(std::string_view program) {
    auto made = Libjq::start(program, {}, 0, {});
    if (made) return "compiled";
    EXPECT_EQ(made.error().kind(), ErrorKind::usage);
    return made.error().message();
}

std::size_t open_descriptors() {
    const auto all = std::filesystem::directory_iterator("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}
bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

TEST(Libjq, Results) {
    EXPECT_EQ(shown(".a", R"({"a":1})"), "1");
    EXPECT_EQ(shown(".", " {\"b\":[1,2.5,\"x\",null,true,false,{}],\"a\":\"\xc3\xa9\"} \n"),
              "{\"b\":[1,2.5,\"x\",null,true,false,{}],\"a\":\"\xc3\xa9\"}");
    EXPECT_EQ(shown(".a[]", R"({"a":[3,"2",null]})"), R"(3 "2" null)");
    EXPECT_EQ(shown("empty", "{}"), "");
    EXPECT_EQ(shown("", R"({"a":1})"), R"({"a":1})");
    EXPECT_EQ(shown("# nothing", R"({"a":1})"), R"({"a":1})");
    EXPECT_EQ(shown("def f: 1; f, f # twice", "{}"), "1 1");
    EXPECT_EQ(shown(".a", R"({"a":"x\u0000y"})"), R"("x\u0000y")");
    EXPECT_EQ(shown("keys[0], (.[] | length)", R"({"a\u0000b":"\u0000"})"), R"("a\u0000b" 1)");
    EXPECT_EQ(Libjq::version(), "1.6");
}

TEST(Libjq, ErrorsOfThePrograms) {
    EXPECT_EQ(shown(".a.b", R"({"a":1})"), R"(error: Cannot index number with string "b")");
    EXPECT_EQ(shown("1, 2, error(\"no\"), 3", "{}"), "1 2 error: no");
    EXPECT_EQ(shown("error({a: .})", "{}"), R"(error: (not a string): {"a":{}})");
    EXPECT_EQ(shown("1, error(null), 2", "{}"), "1 2");  // as the binary: an error with no message is none
    EXPECT_EQ(shown("1, halt, 2", "{}"), "1");
    EXPECT_EQ(shown("1, (\"x\" | halt_error)", "{}"), "1 error: x");
    EXPECT_EQ(shown("try error(\"x\") catch .", "{}"), R"("x")");
    EXPECT_EQ(shown("input", "{}"), "error: break");
    Libjq jq = started(".a | tonumber");
    EXPECT_EQ(shown(jq, R"({"a":"12"})"), "12");
    EXPECT_TRUE(shown(jq, R"({"a":"x"})").starts_with("error: Invalid numeric literal"));
    EXPECT_TRUE(jq.raised());
    EXPECT_EQ(shown(jq, R"({"a":"13"})"), "13");
    EXPECT_FALSE(jq.raised());
}

TEST(Libjq, ComplaintsOfTheCompiler) {
    EXPECT_EQ(complaint("foo"), "foo/0 is not defined (line 1, column 1)");
    EXPECT_EQ(complaint(".a |\n  foo(1)"), "foo/1 is not defined (line 2, column 3)");
    EXPECT_EQ(complaint(". | $x"), "$x is not defined (line 1, column 5)");
    EXPECT_EQ(complaint(". ,,"), "syntax error, unexpected ',' (line 1, column 4)");
    EXPECT_EQ(complaint("1 +"), "syntax error, unexpected $end (line 1, column 3)");
    EXPECT_EQ(complaint("(").substr(0, 12), "syntax error");
    EXPECT_EQ(complaint(std::string_view("1\0002", 3)), "there is a NUL byte in it");
    EXPECT_NE(complaint("import \"x\" as x; ."), "compiled");
    EXPECT_EQ(Libjq::start("$x", {{"x", "[1"}}, 0, {}).error().kind(), ErrorKind::usage);
    EXPECT_FALSE(has_children());
}

TEST(Libjq, Arguments) {
    const Arguments two = {{"x", "\"text\""}, {"list", "[1,2]"}};
    EXPECT_EQ(shown("$x, $list[1], $ARGS", "{}", two),
              R"("text" 2 {"positional":[],"named":{"x":"text","list":[1,2]}})");
    EXPECT_EQ(shown("1 as $x | $x", "{}", two), "1");
}

TEST(Libjq, NowIsFixed) {
    EXPECT_EQ(shown("now, now", "{}"), "1499816949.1525 1499816949.1525");
    EXPECT_EQ(shown("now | todate", "{}"), R"("2017-07-11T23:49:09Z")");
    EXPECT_EQ(shown("def now: 7; now", "{}"), "7");
    for (const double value : {0.0, -1.5, 1e300, 5e-324, 0.1}) {
        Libjq jq = started("now == $v", {}, {{"v", fmt::format("{:.17g}", value)}}, value);
        EXPECT_EQ(shown(jq, "{}"), "true") << value;
    }
}

TEST(Libjq, TheEnvironmentIsOursAndHomeHasNoSay) {
    const std::string home = ::testing::TempDir() + "libjq_home_" + std::to_string(::getpid());
    std::filesystem::create_directory(home);
    std::ofstream(home + "/.jq") << "def length: 42; def mine: 43;\n";
    const char* const before = std::getenv("HOME");
    const std::string saved = before == nullptr ? "" : before;
    ::setenv("HOME", home.c_str(), 1);
    ::setenv("LIBJQ_TEST", "here", 1);
    EXPECT_EQ(shown("length, $ENV.LIBJQ_TEST, env.LIBJQ_TEST", "{}"), R"(0 "here" "here")");
    EXPECT_EQ(shown("$ENV.HOME == env.HOME, env.HOME", "{}"), "true \"" + home + "\"");
    EXPECT_EQ(complaint("mine"), "mine/0 is not defined (line 1, column 1)");
    ::unsetenv("LIBJQ_TEST");
    if (before == nullptr)
        ::unsetenv("HOME");
    else
        ::setenv("HOME", saved.c_str(), 1);
    std::filesystem::remove_all(home);
}

TEST(Libjq, LocalTimeNeedsNoFile) {
    const char* const before = std::getenv("TZ");
    const std::string saved = before == nullptr ? "" : before;
    ::setenv("TZ", "Asia/Kolkata", 1);
    EXPECT_EQ(shown("0 | strflocaltime(\"%H:%M %Z\"), (localtime | .[3:5])", "{}"), R"("05:30 IST" [5,30])");
    if (before == nullptr)
        ::unsetenv("TZ");
    else
        ::setenv("TZ", saved.c_str(), 1);
    ::tzset();
}

TEST(Libjq, NumbersThatItWouldRound) {
    Libjq jq = started(".a");
    EXPECT_EQ(shown(jq, R"({"a":1499816949527975237})"),
              "failed: jq would round the number 1499816949527975237");
    EXPECT_EQ(shown(jq, R"({"a":1e400})"), "failed: jq would round the number 1e400");
    const std::string longer(50, '7');
    EXPECT_EQ(shown(jq, "{\"a\":" + longer + "}"),
              "failed: jq would round the number " + longer.substr(0, 40) + "\u2026");
    EXPECT_EQ(shown(jq, R"({"a":"1499816949527975237"})"), R"("1499816949527975237")");
    for (const std::string_view json :
         {"{}", R"({"a":[1,-0,-0.0,0.1,123456789012345,-1.5]})", "9007199254740992", "1e300", "1.5E+3",
          "100000000000000000000", "0e999999999999", "0.30000000000000004", R"("\"1499816949527975237")",
          R"({"\\":1,"\\\"12345678901234567890":"\\\\\\"})", "5e-324", "1234567890123456.0", ""}) {
        EXPECT_EQ(rounded_number(json), "") << json;
    }
    for (const std::string_view number :
         {"9007199254740993", "1e400", "-1e309", "1e-400", "0.1234567890123456789", "12345678901234567890",
          "1.7976931348623159e308", "3e-324", "-1499816949527975237.0"}) {
        EXPECT_EQ(rounded_number(number), number);
        EXPECT_EQ(rounded_number(std::string(R"({"a\\":[1,"\"",)") + std::string(number) + "]}"), number);
    }
}

TEST(Libjq, WhatItCannotReadOrWrite) {
    Libjq jq = started(".a");
    const auto nested = [](int depth) {
        return "{\"a\":" + std::string(static_cast<std::size_t>(depth), '[') +
               std::string(static_cast<std::size_t>(depth), ']') + "}";
    };
    EXPECT_EQ(shown(jq, nested(254)).size(), 508u);
    EXPECT_EQ(shown(jq, nested(255)), "failed: it is nested deeper than libjq reads");
    EXPECT_EQ(shown(jq, R"({"a":1})"), "1");
    EXPECT_EQ(shown(jq, R"({"a":"\ud800"})"), "failed: libjq does not read half a surrogate pair (\\ud800)");
    EXPECT_EQ(shown(jq, R"({"a":2})"), "2");
    EXPECT_TRUE(shown(jq, "{} {}").starts_with("failed: libjq does not read it"));
    EXPECT_TRUE(shown(jq, "").starts_with("failed: libjq does not read it"));
    EXPECT_EQ(shown(jq, R"({"a":3})"), "3");
    Libjq deep = started("reduce range(.n) as $i (\"<stripped: exceeds max depth>\"; [.])");
    EXPECT_EQ(shown(deep, R"({"n":256})").size(), 512u + 31);
    EXPECT_EQ(shown(deep, R"({"n":300})"), "failed: a result is nested deeper than libjq writes");
    EXPECT_EQ(shown(deep, R"({"n":1})"), R"(["<stripped: exceeds max depth>"])");
}

TEST(Libjq, BigEventsAndBigResults) {
    Libjq jq = started("(.a | length), .a");
    for (const std::size_t size :
         {1u, 65'000u, 65'526u, 65'527u, 65'528u, 65'529u, 65'536u, 70'000u, 200'000u, 16u << 20}) {
        const std::string text = "\"" + std::string(size, 'x') + "\"";
        const auto run = jq.run("{\"a\":" + text + "}");
        ASSERT_TRUE(run) << run.error().message();
        ASSERT_EQ(jq.results().size(), 2u);
        EXPECT_EQ(jq.results()[0], std::to_string(size));
        EXPECT_TRUE(jq.results()[1] == text) << size;
    }
    EXPECT_EQ(shown(jq, R"({"a":"b"})"), R"(1 "b")");
    Libjq many = started("range(.n)");
    ASSERT_TRUE(many.run(R"({"n":300000})"));
    ASSERT_EQ(many.results().size(), 300000u);
    EXPECT_EQ(many.results().back(), "299999");
}

TEST(Libjq, TimeIsLimited) {
    LibjqLimits limits;
    limits.time = 200 * ns_per_ms;
    Libjq jq = started("if .loop then def f: f; f elif .more then repeat(1) else .a end", limits);
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(shown(jq, R"({"a":1})"), "1");
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_EQ(shown(jq, R"({"loop":true})"), "failed: took longer than 200ms in libjq");
        EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
        EXPECT_TRUE(jq.results().empty());
        EXPECT_FALSE(has_children());
    }
    EXPECT_EQ(shown(jq, R"({"a":2})"), "2");
}

TEST(Libjq, SignalsInterruptNothing) {
    struct sigaction action {};
    struct sigaction before {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, &before);
    const itimerval often{{0, 500}, {0, 500}};
    const itimerval never{};
    LibjqLimits limits;
    limits.time = 300 * ns_per_ms;
    Libjq jq = started("if .n then [range(.n)] | length else def f: f; f end", limits);
    Libjq big = started(".a | length");
    const std::string text = "{\"a\":\"" + std::string(4u << 20, 'x') + "\"}";
    ::setitimer(ITIMER_REAL, &often, nullptr);
    EXPECT_EQ(shown(jq, R"({"n":20000})"), "20000");
    EXPECT_EQ(shown(jq, "{}"), "failed: took longer than 300ms in libjq");
    EXPECT_EQ(shown(jq, R"({"n":20000})"), "20000");
    EXPECT_EQ(shown(big, text), std::to_string(4u << 20));
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
}

TEST(Libjq, MemoryIsLimited) {
    if (!has_memory_limit) GTEST_SKIP() << "because the sanitizer's own memory is too large";
    LibjqLimits limits;
    limits.time = 60 * ns_per_second;
    limits.memory_bytes = 64u << 20;
    Libjq jq = started(
        R"(if .range then [range(1e9)] elif .text then "x" * 1e9 elif .deep then def f: 1 + f; f else .a end)",
        limits);
    for (const std::string_view event : {R"({"range":1})", R"({"text":1})", R"({"deep":1})"}) {
        EXPECT_EQ(shown(jq, event), "failed: took more than 64MiB of memory in libjq") << event;
        EXPECT_EQ(shown(jq, R"({"a":5})"), "5");
    }
}

TEST(Libjq, TheLengthOfResultsIsLimited) {
    LibjqLimits limits;
    limits.output_bytes = 1u << 20;
    Libjq jq = started("if .a then .a else repeat(\"0123456789\") end", limits);
    EXPECT_TRUE(shown(jq, "{}").ends_with("failed: its results are more than 1MiB"));
    EXPECT_EQ(shown(jq, R"({"a":7})"), "7");
}

TEST(Libjq, AProcessThatDiesIsReplaced) {
    Libjq jq = started("if .wait then def f: f; f else .a end");
    ASSERT_TRUE(jq.run(R"({"a":1})"));
    std::set<pid_t> children;
    std::ifstream list("/proc/self/task/" + std::to_string(::getpid()) + "/children");
    for (pid_t pid = 0; list >> pid;) children.insert(pid);
    ASSERT_EQ(children.size(), 1u);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::kill(*children.begin(), number);
    EXPECT_EQ(shown(jq, R"({"a":2})"), "2");
    ::kill(*children.begin(), SIGSEGV);
    EXPECT_EQ(shown(jq, R"({"a":3})"),
              "failed: libjq died on this event (signal 11; out of memory or stack?)");
    EXPECT_EQ(shown(jq, R"({"a":4})"), "4");
}

TEST(Libjq, NothingIsLeftBehind) {
    const std::size_t before = open_descriptors();
    {
        std::vector<Libjq> all;
        for (int i = 0; i < 5; ++i) all.push_back(started("$ENV | length"));
        for (Libjq& one : all) EXPECT_TRUE(one.run("{}"));
        EXPECT_EQ(open_descriptors(), before + 5);
        all.front() = std::move(all.back());
        all.pop_back();
        EXPECT_TRUE(all.front().run("{}"));
        EXPECT_EQ(open_descriptors(), before + 4);
    }
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_FALSE(has_children());
}

TEST(Seconds, Forms) {
    Libjq jq = started(".a | seconds");
    const auto of = [&](std::string_view json) { return shown(jq, "{\"a\":" + std::string(json) + "}"); };
    const std::pair<std::string_view, std::string_view> table[] = {
        {"1431857103", "1431857103"},
        {"1431857103.25", "1431857103.25"},
        {"9223372036", "9223372036"},
        {"100000000000", "100000000"},
        {"1431857103123", "1431857103.123"},
        {"-1431857103123", "-1431857103.123"},
        {"1431857103123456", "1431857103.123456"},
        {"1431857103000000000", "1431857103"},
        {R"("1431857103")", "1431857103"},
        {R"("-1.5e3")", "-1500"},
        {R"("0")", "0"},
        {R"("1431857103123")", "1431857103.123"},
        {R"("1431857103123456")", "1431857103.123456"},
        {R"("1431857103123456789")", "1431857103.1234567"},
        {R"("2015-05-17T10:05:03Z")", "1431857103"},
        {R"("2015-05-17t10:05:03z")", "1431857103"},
        {R"("2015-05-17 10:05:03")", "1431857103"},
        {R"("2015-05-17T10:05:03.5Z")", "1431857103.5"},
        {R"("2015-05-17T10:05:03.000Z")", "1431857103"},
        {R"("2015-05-17T10:05:03.123")", "1431857103.123"},
        {R"("2015-05-17T10:05:03.123456789+02:00")", "1431849903.1234567"},
        {R"("2015-05-17T10:05:03-0530")", "1431876903"},
        {R"("2015-05-17T10:05:03+01")", "1431853503"},
        {R"("2016-02-29T00:00:00Z")", "1456704000"},
        {R"("2000-02-29T23:59:59Z")", "951868799"},
        {R"("1970-01-01T00:00:00Z")", "0"},
        {R"("1969-12-31T23:59:59.75Z")", "-0.25"},
        {R"("1969-12-31T23:59:58.000000001Z")", "-1.999999999"},
        {"1431857103250000000", "1431857103.25"},
        {R"("2016-12-31T23:59:60Z")", "1483228800"},
        {R"("2016-12-31T23:59:60.5Z")", "1483228800"},
        {R"("17/May/2015:10:05:03 +0000")", "1431857103"},
        {R"("17/may/2015:10:05:03 -0700")", "1431882303"},
        {R"("01/Jan/1970:00:00:00 +0000")", "0"},
    };
    for (const auto& [json, seconds] : table) EXPECT_EQ(of(json), seconds) << json;
    for (const std::string_view json : {R"("")",
                                        R"("x")",
                                        "null",
                                        "true",
                                        "[]",
                                        "{}",
                                        R"("2015-05-17")",
                                        R"("2015-02-29T00:00:00Z")",
                                        R"("1900-02-29T00:00:00Z")",
                                        R"("2015-13-01T00:00:00Z")",
                                        R"("2015-00-01T00:00:00Z")",
                                        R"("2015-04-31T00:00:00Z")",
                                        R"("2015-04-00T00:00:00Z")",
                                        R"("2015-05-17T24:00:00Z")",
                                        R"("2015-05-17T10:60:00Z")",
                                        R"("2015-05-17T10:05:61Z")",
                                        R"("2015-05-17T10:05:03.Z")",
                                        R"("2015-05-17T10:05:03.1234567890Z")",
                                        R"("2015-05-17T10:05:03+24:00")",
                                        R"("2015-05-17T10:05:03+01:")",
                                        R"("2015-05-17T10:05:03Z\n")",
                                        R"("2015-05-17T10:05:03Zx")",
                                        R"("17/Mai/2015:10:05:03 +0000")",
                                        R"("31/Jun/2015:10:05:03 +0000")",
                                        R"("17/May/2015:10:05:03")",
                                        R"("nan")",
                                        R"("1e400")",
                                        R"(" 1")",
                                        R"("+1")",
                                        R"("1.")",
                                        R"("0x10")",
                                        R"("12\u0000")"}) {
        EXPECT_EQ(of(json), "error: not a time: " + std::string(json));
    }
    EXPECT_EQ(of("\"" + std::string(60, 'y') + "\""),
              "error: not a time: \"" + std::string(39, 'y') + "\u2026");
}

// Each day's first second for some centuries, against what the days before it came to.
TEST(Seconds, EveryDay) {
    LibjqLimits limits;
    limits.time = 120 * ns_per_second;
    Libjq jq = started(R"([.days[] | seconds] as $s | [range(1; $s | length) | $s[.] - $s[. - 1]] | unique)",
                       limits);
    std::string days;
    int count = 0;
    for (int year = 1899; year <= 2101; ++year) {
        for (int month = 1; month <= 12; ++month) {
            const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            const int length = month == 2                                              ? (leap ? 29 : 28)
                               : month == 4 || month == 6 || month == 9 || month == 11 ? 30
                                                                                       : 31;
            for (int day = 1; day <= length; ++day, ++count) {
                days +=
                    fmt::format("{}\"{:04}-{:02}-{:02}T00:00:00Z\"", count == 0 ? "" : ",", year, month, day);
            }
        }
    }
    EXPECT_EQ(shown(jq, "{\"days\":[" + days + "]}"), "[86400]");
}

TEST(Seconds, MayBeDefinedAnew) {
    EXPECT_EQ(shown("def seconds: 5; .a | seconds", R"({"a":0})"), "5");
    EXPECT_EQ(shown("def days: 1; def bad: 2; .a | seconds, days, bad", R"({"a":7})"), "7 1 2");
    // 1.6's `try` must not see what comes after.
    const std::string_view event = R"({"a":"2015-05-17T10:05:03Z","b":"17/May/2015:10:05:03 -0100"})";
    EXPECT_EQ(shown("(.a | seconds) as $s | $s, error(\"x\")", event), "1431857103 error: x");
    EXPECT_EQ(shown("(.a, .b | seconds), error(\"x\")", event), "1431857103 1431860703 error: x");
    EXPECT_EQ(complaint("pointed(3)"), "pointed/1 is not defined (line 1, column 1)");
    EXPECT_EQ(seconds_definition().find('\n'), std::string_view::npos);
}

}  // namespace
}  // namespace stream::expr
