// SPDX-License-Identifier: Apache-2.0
#include "control/lines.hpp"

#include <algorithm>
#include <charconv>

#include "json/canonical.hpp"
#include "json/cursor.hpp"
#include "json/number.hpp"
#include "time/time_parser.hpp"

namespace stream {

namespace {

constexpr std::size_t key_max = 64;

// What begins `text` is taken off; false where it does not.
bool take(std::string_view& text, std::string_view what) {
    if (!text.starts_with(what)) return false;
    text.remove_prefix(what.size());
    return true;
}

// A number in the digits that we write.
bool take_number(std::string_view& text, std::uint64_t& number) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || (text[0] == '0' && parsed.ptr != text.data() + 1)) return false;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    return true;
}

// A quoted string, unescaped.
bool take_string(std::string_view& text, std::string& value) {
    if (text.empty() || text[0] != '"') return false;
    std::size_t end = 1;
    while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2U : 1U;
    if (end >= text.size()) return false;
    value.clear();
    append_unescaped(value, value_of(text.substr(0, end + 1)));
    text.remove_prefix(end + 1);
    return true;
}

bool take_time(std::string_view& text, TimeNs& time) {
    std::string written;
    if (!take_string(text, written)) return false;
    auto parser = TimeParser::make({});
    if (!parser) return false;
    auto parsed = parser->parse_text(written);
    if (!parsed) return false;
    time = *parsed;
    return true;
}

}  // namespace

ControlLines::ControlLines(std::string_view key) : tail_(",\"run\":\"" + std::string(key) + "\"}") {}

bool ControlLines::is_key(std::string_view key) {
    const auto fits = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    return !key.empty() && key.size() <= key_max && std::all_of(key.begin(), key.end(), fits);
}

std::optional<ControlLine> ControlLines::parse(std::string_view line) const {
    if (!line.ends_with(tail_)) return std::nullopt;
    line.remove_suffix(tail_.size());
    ControlLine found;
    bool good = false;
    if (take(line, "{\"$stream\":")) {
        found.kind = ControlLine::Kind::stream;
        good = take_string(line, found.text);
    } else if (take(line, "{\"$watermark\":")) {
        found.kind = ControlLine::Kind::watermark;
        good = take_time(line, found.time) && take(line, ",\"time\":") && take_string(line, found.text);
    } else if (take(line, "{\"$barrier\":")) {
        found.kind = ControlLine::Kind::barrier;
        good = take_number(line, found.epoch);
    } else if (take(line, "{\"$end\":")) {
        found.kind = ControlLine::Kind::end;
        good = take_number(line, found.epoch) && take(line, ",\"drain\":");
        if (good) found.drain = line == "true";
        good = good && (take(line, "true") || take(line, "false"));
    }
    if (!good || !line.empty()) return std::nullopt;
    return found;
}

void ControlLines::append_stream(std::string& out, std::string_view tool) const {
    out += "{\"$stream\":";
    append_quoted(out, tool);
    out += tail_;
    out += '\n';
}

void ControlLines::append_watermark(std::string& out, TimeNs time, std::string_view field) const {
    out += "{\"$watermark\":\"";
    append_rfc3339(out, time);
    out += "\",\"time\":";
    append_quoted(out, field);
    out += tail_;
    out += '\n';
}

void ControlLines::append_barrier(std::string& out, std::uint64_t epoch) const {
    out += "{\"$barrier\":";
    append_uint64(out, epoch);
    out += tail_;
    out += '\n';
}

void ControlLines::append_end(std::string& out, std::uint64_t epoch, bool drain) const {
    out += "{\"$end\":";
    append_uint64(out, epoch);
    out += drain ? ",\"drain\":true" : ",\"drain\":false";
    out += tail_;
    out += '\n';
}

}  // namespace stream
