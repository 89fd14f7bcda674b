// SPDX-License-Identifier: Apache-2.0
// Small helpers for the text of messages: quoting what a user or an event brought so that it can
// neither flood a line nor move a terminal's cursor, and finding the name that was meant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace stream {

// Text in double quotes, control characters (C0, DEL, C1, bidi controls) and bytes that are not
// UTF-8 as \xNN or \u{…}, cut with … after `limit` characters.
std::string quoted(std::string_view text, std::size_t limit = 40);

// The same without quotes and, with limit 0, uncut.
std::string printable(std::string_view text, std::size_t limit = 0);

// The candidate within a small edit distance (Damerau, at most 1 in 3 characters) of `word`; empty
// if none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

bool is_utf8(std::string_view text);

// For a terminal: whole lines of JSON in which every character that could move a cursor or turn text
// round (C0 but the newline, DEL, C1, bidi controls) is its \uXXXX escape.
std::string terminal_safe(std::string_view lines);

// 256MiB, 64KiB, 100: a size as the command line takes it.
std::string format_size(std::uint64_t bytes);

}  // namespace stream
