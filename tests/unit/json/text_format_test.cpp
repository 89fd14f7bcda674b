// SPDX-License-Identifier: Apache-2.0
#include "json/text_format.hpp"

#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/formats/object_writer.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <regex.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace stream {
namespace {

TextFormatOptions options_of(std::string name, std::vector<std::string> columns = {}, std::string base = {}) {
    TextFormatOptions options;
    options.name = std::move(name);
    options.columns = std::move(columns);
    options.time.base = std::move(base);
    return options;
}

std::string error_text(const Error& error) {
    return (error.kind() == ErrorKind::data ? "data: " : "usage: ") + error.message();
}

// One line a record that is an event or an error; `piece` bytes more at a time.
std::string run_in_pieces(TextFormat& format, std::string_view text, std::size_t piece) {
    std::string out;
    std::size_t have = 0;
    format.begin_file();
    while (true) {
        const bool at_end = have == text.size();
        const std::size_t length = format.record_length(text.substr(0, have), at_end);
        if (length == 0 && at_end) return out;
        if (length == 0) {
            have = std::min(text.size(), have + piece);
            continue;
        }
        const std::string before = out;
        const auto converted = format.convert(text.substr(0, length), out);
        if (!converted) {
            EXPECT_EQ(out, before);
            out += error_text(converted.error());
        }
        if (!converted || *converted) out += '\n';
        text.remove_prefix(length);
        have -= length;
    }
}

std::string run(const TextFormatOptions& options, std::string_view text) {
    const auto whole = make_text_format(options);
    const auto pieces = make_text_format(options);
    if (!whole) return error_text(whole.error());
    const std::string out = run_in_pieces(**whole, text, text.size() + 1);
    EXPECT_EQ(run_in_pieces(**pieces, text, 1), out);
    return out;
}

std::string run(std::string name, std::string_view text) { return run(options_of(std::move(name)), text); }

std::string csv_row(std::string_view record) { return run(options_of("csv", {"a", "b"}), record); }

TEST(TextFormat, number_by_grammar) {
    for (const char* number : {"0", "-0", "10", "0.10", "25741.02", "6.8581834E7", "1e400", "-1.5e-07",
                               "123456789012345678901234567890"}) {
        EXPECT_TRUE(is_json_number(number)) << number;
        EXPECT_EQ(csv_row(std::string(number) + ",x"), "{\"a\":" + std::string(number) + ",\"b\":\"x\"}\n");
    }
    for (const char* text : {"007",  "+1", "1.", ".5", "NaN",  "1_000", "-",    "-a",       "1e",    "1e+",
                             "0x10", "00", "1 ", " 1", "true", "false", "null", "Infinity", "1.2.3", "--1"}) {
        EXPECT_FALSE(is_json_number(text)) << text;
        EXPECT_EQ(csv_row(std::string(text) + ",x"), "{\"a\":\"" + std::string(text) + "\",\"b\":\"x\"}\n");
    }
    EXPECT_FALSE(is_json_number(""));
}

// The grammar of RFC 8259 as a POSIX expression (std::regex trips g++ 12's sanitizer warnings).
RC_GTEST_PROP(TextFormatProperty, number_grammar_is_that_of_rfc_8259, ()) {
    regex_t grammar;
    RC_ASSERT(regcomp(&grammar, "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?$",
                      REG_EXTENDED | REG_NOSUB) == 0);
    const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("0019.eE+-")));
    const bool is_number = regexec(&grammar, text.c_str(), 0, nullptr, 0) == 0;
    regfree(&grammar);
    RC_ASSERT(is_json_number(text) == is_number);
}

TEST(TextFormat, csv_header_names_the_columns) {
    EXPECT_EQ(run("csv", "id,name\n1,Ann\n2,\n"), "{\"id\":1,\"name\":\"Ann\"}\n{\"id\":2,\"name\":null}\n");
    EXPECT_EQ(run("csv", "\xEF\xBB\xBFid\r\n7\r\n\r\n\n8"), "{\"id\":7}\n{\"id\":8}\n");
    EXPECT_EQ(run("csv", "\xEF\xBB\xBF\"i,d\"\n7\n"), "{\"i,d\":7}\n");
    EXPECT_EQ(run("csv", "id,,\n1,2,3\n"), "{\"id\":1,\"column_2\":2,\"column_3\":3}\n");
    EXPECT_EQ(run("csv", "a\"b,\"c\"\"\nd\"\n1,2\n"), "{\"a\\\"b\":1,\"c\\\"\\nd\":2}\n");
    EXPECT_EQ(run("csv", ""), "");
    EXPECT_EQ(run("csv", "id,name"), "");
}

TEST(TextFormat, csv_quotes) {
    EXPECT_EQ(csv_row("\"x,y\",\"\"\n"), "{\"a\":\"x,y\",\"b\":\"\"}\n");
    EXPECT_EQ(csv_row("\"42\",\"007\"\r\n"), "{\"a\":\"42\",\"b\":\"007\"}\n");
    EXPECT_EQ(csv_row("\"say \"\"hi\"\"\",\"\"\"\"\n"), "{\"a\":\"say \\\"hi\\\"\",\"b\":\"\\\"\"}\n");
    EXPECT_EQ(csv_row("\"two\r\nlines\",1\n3,4\n"),
              "{\"a\":\"two\\r\\nlines\",\"b\":1}\n{\"a\":3,\"b\":4}\n");
    EXPECT_EQ(csv_row("5\" pipe,a\"b\"\n"), "{\"a\":\"5\\\" pipe\",\"b\":\"a\\\"b\\\"\"}\n");
    EXPECT_EQ(csv_row("1,\"x\""), "{\"a\":1,\"b\":\"x\"}\n");
    EXPECT_EQ(csv_row("\"a\"b,1\n2,3\n"),
              "data: text after the closing quote of cell 1: \"b,1\"\n{\"a\":2,\"b\":3}\n");
    EXPECT_EQ(csv_row("1,\"x\n2,3\n"), "data: the quote that opens cell 2 is not closed\n");
    EXPECT_EQ(csv_row("\"\n"), "data: the quote that opens cell 1 is not closed\n");
}

TEST(TextFormat, csv_wrong_count) {
    const auto options = options_of("csv", {"a", "b", "c", "d"});
    EXPECT_EQ(run(options, "1,2,3,4,5\n"), "data: 5 cells where 4 columns are known\n");
    EXPECT_EQ(run(options, "x\n1,2,3,4\n"),
              "data: 1 cell where 4 columns are known\n{\"a\":1,\"b\":2,\"c\":3,\"d\":4}\n");
    EXPECT_EQ(run(options, "1,2,3,4,\n"), "data: 5 cells where 4 columns are known\n");
    EXPECT_EQ(run(options, "1,2,3,\n"), "{\"a\":1,\"b\":2,\"c\":3,\"d\":null}\n");
    EXPECT_EQ(run("csv", "a\n1,2\n"), "data: 2 cells where 1 column is known\n");
}

TEST(TextFormat, csv_bad_header_spoils_its_file_only) {
    EXPECT_EQ(run("csv", "x,y,x\n1,2,3\n"),
              "usage: the header: two columns are called \"x\"\n"
              "usage: the header: two columns are called \"x\"\n");
    EXPECT_EQ(run("csv", "\xFF,y\n1,2\n").substr(0, 29), "usage: the header: not UTF-8:");
    EXPECT_EQ(run("csv", ",column_1\n").substr(0, 25), "usage: the header: two co");
    EXPECT_EQ(run(options_of("csv", {"a", "a"}), ""), "usage: two columns are called \"a\"");
    const auto format = make_text_format(options_of("csv"));
    EXPECT_EQ(run_in_pieces(**format, "a,a\n1,2\n", 100).substr(0, 5), "usage");
    EXPECT_EQ(run_in_pieces(**format, "a,b\n1,2\n", 100), "{\"a\":1,\"b\":2}\n");
}

TEST(TextFormat, a_new_file_has_its_own_header) {
    const auto format = make_text_format(options_of("csv"));
    EXPECT_EQ(run_in_pieces(**format, "a\n1\n\"unclosed", 3),
              "{\"a\":1}\ndata: the quote that opens cell 1 is not closed\n");
    EXPECT_EQ(run_in_pieces(**format,
                            "\xEF\xBB\xBF"
                            "b,c\n1,2\n",
                            3),
              "{\"b\":1,\"c\":2}\n");
    const auto named = make_text_format(options_of("tsv", {"x"}));
    EXPECT_EQ(run_in_pieces(**named, "1\n", 3), "{\"x\":1}\n");
    EXPECT_EQ(run_in_pieces(**named, "2\n", 3), "{\"x\":2}\n");
}

// What was learnt is handed on between any two records: the same events.
TEST(TextFormat, goes_on_with_what_was_learnt) {
    const std::pair<TextFormatOptions, std::string> cases[] = {
        {options_of("csv"), "\xEF\xBB\xBF" "a,\"b \"\"c\"\"\n,d\",e\n1,2,3\n\"4\n\",5,6\n\n7,8\n9,0,1\n"},
        {options_of("tsv"), "a\tb\n1\t2\n3\t4\n"},
        {options_of("csv", {"x", "y"}), "1,2\n3,4\n"},
        {options_of("syslog", {}, "2024"), "Dec 31 23:59:59 h p[1]: a\nJan  1 00:00:00 h p: b\n2025-02-01T00:00:00Z h p: c\nNov  1 00:00:00 h p: d\nJan  2 00:00:00 h p: e\n"},
        {options_of("clf"), "h - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 1\nno\nh - - [10/Oct/2000:13:55:37 -0700] \"GET / HTTP/1.0\" 200 1\n"},
        {options_of("wal2json"), R"({"action":"B","xid":7,"timestamp":"2024-01-01 00:00:00+00"})" "\n" R"({"action":"I","schema":"s","table":"t","columns":[{"name":"a","type":"int","value":1}]})" "\n"
                                 R"({"action":"C"})" "\n" R"({"action":"I","schema":"s","table":"t","columns":[{"name":"a","type":"int","value":2}]})" "\n"},
    };
    for (const auto& [options, text] : cases) {
        auto whole = make_text_format(options);
        ASSERT_TRUE(whole);
        (*whole)->begin_file();
        auto relayed = make_text_format(options);
        (*relayed)->begin_file();
        std::string_view rest = text;
        while (const std::size_t length = (*whole)->record_length(rest, true)) {
            auto next = make_text_format(options);
            ASSERT_TRUE((*next)->load((*relayed)->save())) << options.name;
            relayed = std::move(next);
            ASSERT_EQ((*relayed)->record_length(rest, true), length);
            std::string one, other;
            const auto first = (*whole)->convert(rest.substr(0, length), one);
            const auto second = (*relayed)->convert(rest.substr(0, length), other);
            EXPECT_EQ(first.has_value(), second.has_value());
            EXPECT_EQ(one, other) << options.name;
            rest.remove_prefix(length);
        }
        EXPECT_TRUE(rest.empty());
    }
    auto csv = make_text_format(options_of("csv"));
    for (const char* foreign : {"", "x", "-head", "?header\nx"}) EXPECT_FALSE((*csv)->load(foreign)) << foreign;
    auto syslog = make_text_format(options_of("syslog"));
    for (const char* foreign : {"", "-", "-12:", "-1:x", "-99999999999999999999:x", "-:"}) EXPECT_FALSE((*syslog)->load(foreign)) << foreign;
}

TEST(TextFormat, tsv_has_no_quotes) {
    EXPECT_EQ(run("tsv", "a\tb\n\"x\t\\t\n-\t\n1\t2\t3\n"),
              "{\"a\":\"\\\"x\",\"b\":\"\\\\t\"}\n{\"a\":\"-\",\"b\":null}\ndata: 3 cells where 2 columns "
              "are known\n");
}

TEST(TextFormat, text_is_escaped_and_utf8) {
    EXPECT_EQ(run("lines", std::string_view("\x01\t\x1F\"\\\x7F é\0\n", 11)),
              "{\"line\":\"\\u0001\\t\\u001f\\\"\\\\\x7F é\\u0000\"}\n");
    EXPECT_EQ(csv_row("Andr\xE9 x,1\n"), "data: not UTF-8: \"Andr\\xe9\"\n");
    EXPECT_EQ(csv_row("\xED\xA0\x80,1\n").substr(0, 15), "data: not UTF-8");
    EXPECT_EQ(run("lines", "\n\r\nab\r"), "{\"line\":\"\"}\n{\"line\":\"\"}\n{\"line\":\"ab\"}\n");
    EXPECT_EQ(run("lines", "42\n"), "{\"line\":\"42\"}\n");
}

TEST(TextFormat, logfmt) {
    EXPECT_EQ(run("logfmt", "at=info method=GET path=/a?b=c status=200 t=0.10 code=007 ok=true debug\n"),
              "{\"at\":\"info\",\"method\":\"GET\",\"path\":\"/"
              "a?b=c\",\"status\":200,\"t\":0.10,\"code\":\"007\",\"ok\":"
              "\"true\",\"debug\":true}\n");
    EXPECT_EQ(run("logfmt", R"(a="say \"hi\"\n" b="" c= d="42" e="é 😀 \ud800 \x \\" f=x"y")"),
              "{\"a\":\"say \\\"hi\\\"\\n\",\"b\":\"\",\"c\":null,\"d\":\"42\",\"e\":\"é 😀 \xEF\xBF\xBD "
              "\\\\x \\\\\","
              "\"f\":\"x\\\"y\\\"\"}\n");
    EXPECT_EQ(run("logfmt", "a=1 b=2 a=3 b\n"), "{\"a\":3,\"b\":true}\n");
    EXPECT_EQ(run("logfmt", "  a=1\t b=2 \n   \n\n"), "{\"a\":1,\"b\":2}\n");
    EXPECT_EQ(run("logfmt", "a=\"x\n"), "data: the quote after a= is not closed\n");
    EXPECT_EQ(run("logfmt", "a=\"x\\\"\n"), "data: the quote after a= is not closed\n");
    EXPECT_EQ(run("logfmt", "a=\"x\"b\n"), "data: text after the closing quote of a=: \"b\"\n");
    EXPECT_EQ(run("logfmt", "=1\n"), "data: not key=value: \"=1\"\n");
    EXPECT_EQ(run("logfmt", "a=1 \"b\"\n"), "data: not key=value: \"\"b\"\"\n");
}

TEST(TextFormat, logfmt_many_keys) {
    std::string line;
    std::string expected;
    for (int i = 0; i < 100; ++i) {
        line += "k" + std::to_string(i % 60) + "=" + std::to_string(i) + " ";
        if (i < 60) {
            expected +=
                (i == 0 ? "{\"k" : ",\"k") + std::to_string(i) + "\":" + std::to_string(i < 40 ? i + 60 : i);
        }
    }
    EXPECT_EQ(run("logfmt", line), expected + "}\n");
}

TEST(TextFormat, combined) {
    EXPECT_EQ(
        run("combined",
            R"(83.149.9.216 - - [17/May/2015:10:05:03 +0200] "GET /a/b?x=1&y=? HTTP/1.1" 200 203023 "http://h/" "Moz")"),
        R"({"ts":"2015-05-17T08:05:03Z","remote_ip":"83.149.9.216","user":null,"method":"GET","path":"/a/b",)"
        R"("query":"x=1&y=?","protocol":"HTTP/1.1","status":200,"bytes":203023,"referrer":"http://h/","agent":"Moz"})"
        "\n");
    EXPECT_EQ(
        run("combined", R"(::1 id J. Doe [17/May/2015:10:05:03 +0000] "-" 408 - "-" "a \"b\" \\ \x16 -")"),
        R"({"ts":"2015-05-17T10:05:03Z","remote_ip":"::1","user":"J. Doe","method":null,"path":null,)"
        R"("query":null,"protocol":null,"status":408,"bytes":null,"referrer":null,"agent":"a \"b\" \\ \\x16 -"})"
        "\n");
}

std::string request_of(std::string_view request) {
    const std::string event =
        run("clf", "h - - [17/May/2015:10:05:03 +0000] \"" + std::string(request) + "\" 200 1\n");
    const std::size_t from = event.find("\"method\"");
    return from == event.npos ? event : event.substr(from, event.find(",\"status\"") - from);
}

TEST(TextFormat, requests) {
    EXPECT_EQ(request_of("GET / HTTP/1.0"),
              R"("method":"GET","path":"/","query":null,"protocol":"HTTP/1.0")");
    EXPECT_EQ(request_of("GET /? HTTP/2"), R"("method":"GET","path":"/","query":"","protocol":"HTTP/2")");
    EXPECT_EQ(request_of("GET /a b HTTP/1.1"),
              R"("method":"GET","path":"/a b","query":null,"protocol":"HTTP/1.1")");
    EXPECT_EQ(request_of("GET /old"), R"("method":"GET","path":"/old","query":null,"protocol":null)");
    EXPECT_EQ(request_of("CONNECT h:443 HTTP/1.1"),
              R"("method":"CONNECT","path":"h:443","query":null,"protocol":"HTTP/1.1")");
    EXPECT_EQ(request_of(R"(\x16\x03 a?b)"),
              R"("method":null,"path":"\\x16\\x03 a?b","query":null,"protocol":null)");
    EXPECT_EQ(request_of("quit"), R"("method":null,"path":"quit","query":null,"protocol":null)");
    EXPECT_EQ(request_of(""), R"("method":null,"path":null,"query":null,"protocol":null)");
    EXPECT_EQ(request_of("007"), R"("method":null,"path":"007","query":null,"protocol":null)");
}

TEST(TextFormat, access_log_that_is_none) {
    const std::string start = "1.2.3.4 - - [20/May/2015:12:05:17 +0000] \"GET / HTTP/1.1\" 200 235";
    EXPECT_EQ(run("combined", start + " \"-\" \"Mozilla/5.0 (compa\n"), "data: the line ends in the agent\n");
    EXPECT_EQ(run("combined", start + " \"-\" \"x\\\"\n"), "data: the line ends in the agent\n");
    EXPECT_EQ(run("combined", start + " \"-\"\n"), "data: the line ends before the agent\n");
    EXPECT_EQ(run("combined", start + "\n"), "data: the line ends before the referrer\n");
    EXPECT_EQ(run("combined", start + " \"-\" \"-\" 0.5\n"), "data: text after the agent: \" 0.5\"\n");
    EXPECT_EQ(run("clf", start + " \"-\" \"-\"\n").substr(0, 26), "data: text after the bytes");
    EXPECT_EQ(run("clf", "1.2.3.4 - - [20/May/2015:12:05:17 +0000] \"GET /\" 200\n"),
              "data: the line ends before the bytes\n");
    EXPECT_EQ(run("clf", "h - - [20/May/2015:12:05:17 +0000] \"GET /\" x 1\n"),
              "data: the status is not a number: \" x 1\"\n");
    EXPECT_EQ(run("clf", "h - - [20/May/2015:12:05:17 +0000] GET / 200\n").substr(0, 36),
              "data: the request is not in quotes: ");
    EXPECT_EQ(run("clf", "h - - [20/May/2015:12:05:17\n"), "data: the line ends in the time\n");
    EXPECT_EQ(run("clf", "{\"a\":1}\n"), "data: not an access-log line: \"{\"a\":1}\"\n");
    EXPECT_EQ(run("clf", "h - - [yesterday] \"GET /\" 200 1\n").substr(0, 6), "data: ");
}

std::string syslog(std::string_view text) { return run(options_of("syslog", {}, "2017"), text); }

TEST(TextFormat, syslog_rfc3164) {
    EXPECT_EQ(
        syslog("Mar 27 13:06:56 ip-10 sshd[1291]: Server listening on :: port 22.\n"),
        R"({"ts":"2017-03-27T13:06:56Z","host":"ip-10","program":"sshd","pid":1291,"message":"Server listening on :: port 22."})"
        "\n");
    EXPECT_EQ(syslog("<34>Apr  1 00:00:00 h su: x\n"),
              R"({"ts":"2017-04-01T00:00:00Z","host":"h","program":"su","pid":null,"message":"x"})"
              "\n");
    EXPECT_EQ(syslog("Dec 31 23:59:59 h a: 1\nJan  1 00:00:00 h a: 2\n"),
              R"({"ts":"2017-12-31T23:59:59Z","host":"h","program":"a","pid":null,"message":"1"})"
              "\n"
              R"({"ts":"2018-01-01T00:00:00Z","host":"h","program":"a","pid":null,"message":"2"})"
              "\n");
    EXPECT_EQ(run("syslog", "Mar 27 13:06:56 h a: x\n"), "usage: no year in the time \"Mar 27 13:06:56\"\n");
    EXPECT_EQ(syslog("Mrz 27 13:06:56 h a: x\n").substr(0, 6), "data: ");
    EXPECT_EQ(syslog("hello world\n"), "data: not a syslog line: \"hello world\"\n");
}

std::string tag_of(std::string_view rest) {
    const std::string event = syslog("Mar 27 13:06:56 " + std::string(rest));
    return event.substr(29, event.size() - 29 - 2);
}

TEST(TextFormat, syslog_tags) {
    EXPECT_EQ(tag_of("h /usr/sbin/CRON[2]: (root) CMD"),
              R"("host":"h","program":"/usr/sbin/CRON","pid":2,"message":"(root) CMD")");
    EXPECT_EQ(tag_of("h sshd[12]: message repeated 2 times: [ Failed]"),
              R"("host":"h","program":"sshd","pid":12,"message":"message repeated 2 times: [ Failed]")");
    EXPECT_EQ(tag_of("h last message repeated 3 times"),
              R"("host":"h","program":null,"pid":null,"message":"last message repeated 3 times")");
    EXPECT_EQ(tag_of("h kernel: [  1.5] up"),
              R"("host":"h","program":"kernel","pid":null,"message":"[  1.5] up")");
    EXPECT_EQ(tag_of("h Some::Module: x"), R"("host":"h","program":"Some::Module","pid":null,"message":"x")");
    EXPECT_EQ(tag_of("h launchd[1] (com.foo): x"),
              R"("host":"h","program":"launchd","pid":1,"message":"(com.foo): x")");
    EXPECT_EQ(tag_of("h a[worker-1]: x"), R"("host":"h","program":"a","pid":"worker-1","message":"x")");
    EXPECT_EQ(tag_of("cron[7]: no host"), R"("host":null,"program":"cron","pid":7,"message":"no host")");
    EXPECT_EQ(tag_of("h a:"), R"("host":"h","program":"a","pid":null,"message":null)");
    EXPECT_EQ(tag_of("h [x] y"), R"("host":"h","program":null,"pid":null,"message":"[x] y")");
}

TEST(TextFormat, syslog_with_whole_times) {
    EXPECT_EQ(run("syslog", "2024-05-01T10:00:00.123456+02:00 h sshd[1]: x\n"),
              R"({"ts":"2024-05-01T08:00:00.123456Z","host":"h","program":"sshd","pid":1,"message":"x"})"
              "\n");
    EXPECT_EQ(
        run("syslog", R"(<34>1 2003-10-11T22:14:15.003Z mymachine su - ID47 - )"
                      "\xEF\xBB\xBF'su root' failed\n"),
        R"({"ts":"2003-10-11T22:14:15.003Z","host":"mymachine","program":"su","pid":null,"message":"'su root' failed"})"
        "\n");
    EXPECT_EQ(
        run("syslog", R"(<165>1 2003-10-11T22:14:15.003Z h app 42 ID [a@1 x="1 \"]\" 2"][b y="]"] hi there)"
                      "\n"),
        R"({"ts":"2003-10-11T22:14:15.003Z","host":"h","program":"app","pid":42,"message":"hi there"})"
        "\n");
    EXPECT_EQ(run("syslog", "<0>1 - - - - - -"),
              R"({"ts":null,"host":null,"program":null,"pid":null,"message":null})"
              "\n");
    EXPECT_EQ(run("syslog", "<0>1 - - - - - [a x=\"]\n").substr(0, 31), "data: not RFC 5424 after the ve");
    EXPECT_EQ(run("syslog", "<0>1 2003-10-11T22:14:15Z h\n").substr(0, 31),
              "data: not RFC 5424 after the ve");
}

TEST(TextFormat, regex) {
    EXPECT_EQ(
        run(R"(regex:^(?<name>\w+) (\d+) (?P<n>\d+)( (?<rest>.*))?$)", "ab 1 20\nab 1 007 x\"y\n\nzz\n"),
        "{\"name\":\"ab\",\"n\":20,\"rest\":null}\n{\"name\":\"ab\",\"n\":\"007\",\"rest\":\"x\\\"y\"}\n"
        "data: does not match the expression: \"zz\"\n");
    EXPECT_EQ(run("regex:(?<x>b+)", "abbc\n"), "{\"x\":\"bb\"}\n");
    EXPECT_EQ(run(R"(regex:[](?<]\(?<(?<x>.)[[:alpha:](?<])", "]<1(\n"), "{\"x\":1}\n");
    EXPECT_EQ(run(R"(regex:\Q(?<\E(?<x>.))", "(?<7\n"), "{\"x\":7}\n");
    EXPECT_EQ(run("regex:(a", "").substr(0, 34), "usage: not a regular expression: \"");
    EXPECT_EQ(run("regex:(a)", ""), "usage: no group of \"(a)\" has a name");
    EXPECT_EQ(run("regex:(?<a>x)(?<a>y)", ""), "usage: two groups are called \"a\"");
    EXPECT_EQ(run("regex:(?<=x)(?<a>y)", "").substr(0, 6), "usage:");
    EXPECT_EQ(run("regex:[", "").substr(0, 6), "usage:");
    EXPECT_EQ(run("regex:\\", "").substr(0, 6), "usage:");
}

TEST(TextFormat, names) {
    const auto hint = [](std::string name) {
        return make_text_format(options_of(std::move(name))).error().hint();
    };
    EXPECT_EQ(run("cvs", ""), "usage: no format is called \"cvs\"");
    EXPECT_EQ(hint("cvs"), "--format csv");
    EXPECT_EQ(hint("sylog"), "--format syslog");
    EXPECT_EQ(hint("parquet").substr(0, 20), "the formats: csv tsv");
    EXPECT_EQ(run("regex", ""), "usage: regex needs an expression");
    EXPECT_EQ(run(options_of("lines", {"a"}), ""),
              "usage: only csv and tsv have columns to name, \"lines\" does not");
    auto with_format = options_of("syslog");
    with_format.time.format = "%Y";
    EXPECT_EQ(run(with_format, "").substr(0, 6), "usage:");
}

// What goes into a CSV comes out, however it was cut.
RC_GTEST_PROP(TextFormatProperty, csv_round_trip, ()) {
    const auto cell = rc::gen::container<std::string>(rc::gen::elementOf(std::string("a10.-\",\n\r \\")));
    const auto rows = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<std::pair<std::string, std::string>>>(rc::gen::pair(cell, cell)));
    std::string text;
    std::string expected;
    const auto add = [&](const std::string& value, bool quoted_anyway) {
        if (!quoted_anyway && value.find_first_of("\",\n\r") == value.npos) {
            text += value;
            if (value.empty()) {
                expected += "null";
            } else if (is_json_number(value)) {
                expected += value;
            } else {
                append_quoted(expected, value);
            }
            return;
        }
        text += '"';
        for (const char c : value) text.append(c == '"' ? 2 : 1, c);
        text += '"';
        append_quoted(expected, value);
    };
    const std::string line_end = *rc::gen::element<std::string>("\n", "\r\n");
    for (const auto& [first, second] : rows) {
        expected += "{\"a\":";
        add(first, *rc::gen::arbitrary<bool>());
        text += ',';
        expected += ",\"b\":";
        add(second, *rc::gen::arbitrary<bool>());
        text += line_end;
        expected += "}\n";
    }
    const auto format = make_text_format(options_of("csv", {"a", "b"}));
    const auto piece = *rc::gen::inRange<std::size_t>(1, 9);
    RC_ASSERT(run_in_pieces(**format, text, piece) == expected);
    RC_ASSERT(run_in_pieces(**format, text, text.size()) == expected);
}

// Whatever the bytes: no crash, the same in pieces, and each event is one line of UTF-8.
RC_GTEST_PROP(TextFormatProperty, any_bytes, ()) {
    const auto name = *rc::gen::element<std::string>("csv", "tsv", "logfmt", "clf", "combined", "syslog",
                                                     "lines", R"(regex:(?<a>\d*)(?<b>.)?)");
    const auto words = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
        "\n", "\n", "\r\n", "\"", "\"\"", ",", "\t", " ", "=", "-", "a", "1", ": ", "[", "]", "\\",
        "\xEF\xBB\xBF", "\xFF", "é", "<1>1 ", "<13>", "Mar 27 13:06:56", "2017-03-27T13:06:56Z",
        "h - - [17/May/2015:10:05:03 +0000] \"", "GET / HTTP/1.1", "\" 200 1", "\\u12", "\\ud800"));
    std::string text;
    for (const std::string& word : words) text += word;
    const auto format = make_text_format(options_of(name, {}, "2017"));
    RC_ASSERT(format.has_value());
    const std::string out = run_in_pieces(**format, text, text.size() + 1);
    const auto again = make_text_format(options_of(name, {}, "2017"));
    RC_ASSERT(run_in_pieces(**again, text, *rc::gen::inRange<std::size_t>(1, 9)) == out);
    RC_ASSERT(is_utf8(out));
    for (std::string_view rest = out; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1)) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        RC_ASSERT((line.starts_with("{\"") && line.ends_with('}')) || line.starts_with("data: ") ||
                  line.starts_with("usage: "));
        RC_ASSERT(std::all_of(line.begin(), line.end(),
                              [](char c) { return static_cast<unsigned char>(c) >= ' '; }));
    }
}

}  // namespace
}  // namespace stream
