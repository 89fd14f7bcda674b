// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>

namespace stream {
namespace {

TEST(Quoted, PlainText) {
    EXPECT_EQ(quoted(""), "\"\"");
    EXPECT_EQ(quoted("user"), "\"user\"");
    EXPECT_EQ(quoted("größe 日本 🎉"), "\"größe 日本 🎉\"");
}

TEST(Quoted, ControlCharactersDoNotReachTheTerminal) {
    EXPECT_EQ(quoted("a\nb\tc\x1b[2J\x7f"), "\"a\\x0ab\\x09c\\x1b[2J\\x7f\"");
    EXPECT_EQ(quoted(std::string_view("\0", 1)), "\"\\x00\"");
    EXPECT_EQ(quoted("\xc2\x9b"), "\"\\u{9b}\"");  // C1: CSI
    EXPECT_EQ(quoted("\xe2\x80\xae"
                     "x"),
              "\"\\u{202e}x\"");  // right-to-left override
    EXPECT_EQ(quoted("\xe2\x81\xa6"), "\"\\u{2066}\"");
    EXPECT_EQ(quoted("\xd8\x9c"), "\"\\u{61c}\"");
    EXPECT_EQ(quoted("\xe2\x80\xa8"), "\"\\u{2028}\"");
}

TEST(Quoted, BytesThatAreNoUtf8) {
    EXPECT_EQ(quoted("\xff\xfe"), "\"\\xff\\xfe\"");
    EXPECT_EQ(quoted("a\xc3"), "\"a\\xc3\"");
    EXPECT_EQ(quoted("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"");  // a surrogate
    EXPECT_EQ(quoted("\xc0\xaf"), "\"\\xc0\\xaf\"");           // too long a form of /
}

TEST(Quoted, CutsBetweenCharacters) {
    EXPECT_EQ(quoted("abcdef", 6), "\"abcdef\"");
    EXPECT_EQ(quoted("abcdef", 5), "\"abcde…\"");
    EXPECT_EQ(quoted("äöüß", 2), "\"äö…\"");
    // Named in full: std::quoted would be found by its argument.
    EXPECT_EQ(stream::quoted(std::string(100, 'x')), "\"" + std::string(40, 'x') + "…\"");
    EXPECT_EQ(quoted("\n\n\n", 2), "\"\\x0a\\x0a…\"");
}

TEST(Printable, IsUncutUnlessAsked) {
    EXPECT_EQ(printable(std::string(100, 'x')), std::string(100, 'x'));
    EXPECT_EQ(printable("abc", 2), "ab…");
    EXPECT_EQ(printable("a\rb"), "a\\x0db");
}

TEST(Nearest, FindsWhatWasMeant) {
    const std::array<std::string_view, 4> names = {"user", "timestamp", "user_id", "größe"};
    EXPECT_EQ(nearest("usr", names), "user");
    EXPECT_EQ(nearest("uesr", names), "user");
    EXPECT_EQ(nearest("USER", names), "user");
    EXPECT_EQ(nearest("timestmp", names), "timestamp");
    EXPECT_EQ(nearest("tiemstamp", names), "timestamp");
    EXPECT_EQ(nearest("userid", names), "user_id");
    EXPECT_EQ(nearest("grösse", names), "größe");
    EXPECT_EQ(nearest("user", names), "user");
}

TEST(Nearest, NothingWhereNothingIsNear) {
    const std::array<std::string_view, 3> names = {"user", "ts", ""};
    EXPECT_EQ(nearest("price", names), "");
    EXPECT_EQ(nearest("tz", names), "");
    EXPECT_EQ(nearest("x", {}), "");
    EXPECT_EQ(nearest(std::string(1000, 'u'), names), "");
}

TEST(IsUtf8, Boundaries) {
    for (const char* good :
         {"", "a", "plain ascii, longer than eight", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
          "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
        EXPECT_TRUE(is_utf8(good)) << printable(good);
    }
    for (const char* bad :
         {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xe0\xa0",
          "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
          "12345678\xff", "1234567\xc3", "\xf0\x90\x80"}) {
        EXPECT_FALSE(is_utf8(bad)) << printable(bad);
    }
}

RC_GTEST_PROP(TextProperty, PrintableIsUtf8WithoutControls, (const std::string& any)) {
    const std::string out = printable(any);
    RC_ASSERT(is_utf8(out));
    for (const char c : out) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    RC_ASSERT(is_utf8(stream::quoted(any, 3)));
}

}  // namespace
}  // namespace stream

TEST(Text, ATerminalGetsNoRawControlCharacters) {
    EXPECT_EQ(stream::terminal_safe("{\"a\":\"\xC2\x9B"
                                    "31m\x7F\xE2\x80\xAE\xD8\x9C\xC3\xA9\xE2\x82\xAC\"}\r\n"),
              "{\"a\":\"\\u009b31m\\u007f\\u202e\\u061c\xC3\xA9\xE2\x82\xAC\"}\\u000d\n");
}
