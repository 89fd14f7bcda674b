// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "json/formats/formats.hpp"
#include "json/formats/record_format.hpp"
#include "json/formats/stamp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace stream {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view take_word(std::string_view& rest) {
    const std::string_view word = rest.substr(0, std::min(rest.find(' '), rest.size()));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    return word;
}

// <0> to <191> in front of a line; its length, 0 if there is none.
std::size_t priority_length(std::string_view line) {
    const std::size_t end = line.starts_with('<') ? line.substr(0, 5).find('>') : line.npos;
    if (end == line.npos || end < 2) return 0;
    return std::all_of(line.begin() + 1, line.begin() + static_cast<std::ptrdiff_t>(end), is_digit) ? end + 1
                                                                                                    : 0;
}

// Mmm dd hh:mm:ss
constexpr std::size_t bsd_time_length = 15;
bool has_bsd_time(std::string_view line) {
    const auto letter = [&line](std::size_t i) { return (line[i] | 0x20) >= 'a' && (line[i] | 0x20) <= 'z'; };
    return line.size() > bsd_time_length && letter(0) && letter(1) && letter(2) && line[3] == ' ' &&
           is_digit(line[5]) && line[6] == ' ' && line[9] == ':' && line[12] == ':' &&
           line[bsd_time_length] == ' ';
}

struct Tag {
    std::string_view program, pid, message;
};

// program: message · program[pid]: message · message. A colon ends a name only before a space:
// Some::Module: text.
Tag split_tag(std::string_view text) {
    for (std::size_t at = text.find_first_of(":[ "); at != text.npos;
         at = text.find_first_of(":[ ", at + 1)) {
        if (at == 0 || text[at] == ' ') break;
        if (text[at] == ':') {
            if (at + 1 < text.size() && text[at + 1] != ' ') continue;
            return {text.substr(0, at), {}, text.substr(std::min(at + 2, text.size()))};
        }
        const std::size_t end = text.find(']', at);
        if (end == text.npos || text.substr(at, end - at).find(' ') != text.npos) break;
        std::string_view message = text.substr(end + 1);
        if (message.starts_with(':')) message.remove_prefix(1);
        if (message.starts_with(' ')) message.remove_prefix(1);
        return {text.substr(0, at), text.substr(at + 1, end - at - 1), message};
    }
    return {{}, {}, text};
}

// The length of RFC 5424's structured data: - or [id name="value" …]…, where \" and \] are no ends.
std::size_t structured_data_length(std::string_view text) {
    if (text.starts_with('-')) return 1;
    std::size_t at = 0;
    while (at < text.size() && text[at] == '[') {
        bool in_quotes = false;
        for (++at; at < text.size() && (in_quotes || text[at] != ']'); ++at) {
            if (text[at] == '\\' && in_quotes) {
                ++at;
            } else if (text[at] == '"') {
                in_quotes = !in_quotes;
            }
        }
        if (at >= text.size()) return 0;
        ++at;
    }
    return at;
}

class Syslog final : public RecordFormat {
public:
    Syslog(Stamp iso, std::optional<Stamp> bsd) : iso_(std::move(iso)), bsd_(std::move(bsd)) {}

private:
    Result<bool> write_event(std::string_view line, ObjectWriter& object) override;
    Result<void> write_traditional(std::string_view line, ObjectWriter& object);
    Result<void> write_rfc5424(std::string_view line, ObjectWriter& object);
    static void write_tag(const Tag& tag, ObjectWriter& object);
    std::string learnt() const override;
    bool relearn(std::string_view saved) override;

    Stamp iso_;
    std::optional<Stamp> bsd_;  // of times without a year; none without a base
};

// Both, the first one's length in front.
std::string Syslog::learnt() const {
    const std::string iso = iso_.save();
    return fmt::format("{}:{}{}", iso.size(), iso, bsd_ ? bsd_->save() : std::string());
}

bool Syslog::relearn(std::string_view saved) {
    std::size_t size = 0;
    const auto parsed = std::from_chars(saved.data(), saved.data() + saved.size(), size);
    const auto begin = static_cast<std::size_t>(parsed.ptr - saved.data()) + 1;
    if (parsed.ec != std::errc() || begin > saved.size() || saved[begin - 1] != ':' || size > saved.size() - begin) return false;
    if (!iso_.load(saved.substr(begin, size))) return false;
    const std::string_view bsd = saved.substr(begin + size);
    return bsd_ ? bsd_->load(bsd) : bsd.empty();
}

Result<bool> Syslog::write_event(std::string_view line, ObjectWriter& object) {
    const std::size_t priority = priority_length(line);
    const std::string_view rest = line.substr(priority);
    const bool is_rfc5424 = priority != 0 && rest.starts_with("1 ");
    object.raw(R"({"ts":)");
    const auto written = is_rfc5424 ? write_rfc5424(rest.substr(2), object) : write_traditional(rest, object);
    if (!written) return fail(written.error().kind(), written.error().message(), written.error().hint());
    object.raw("}");
    return true;
}

Result<void> Syslog::write_traditional(std::string_view line, ObjectWriter& object) {
    std::string_view rest = line;
    if (has_bsd_time(line)) {
        const std::string_view time = line.substr(0, bsd_time_length);
        if (!bsd_)
            return fail(ErrorKind::usage, fmt::format("no year in the time {}", quoted(time)), "--base YEAR");
        STREAM_TRY(bsd_->write(time, object));
        rest.remove_prefix(bsd_time_length + 1);
    } else if (!line.empty() && is_digit(line[0])) {
        STREAM_TRY(iso_.write(take_word(rest), object));
    } else {
        return fail(ErrorKind::data, fmt::format("not a syslog line: {}", quoted(line)));
    }
    // A line written to /dev/log, and kept as it is, names no host.
    const std::string_view after_time = rest;
    std::string_view host = take_word(rest);
    if (host.ends_with(':')) {
        host = {};
        rest = after_time;
    }
    object.raw(R"(,"host":)");
    object.string_or_null(host);
    write_tag(split_tag(rest), object);
    return {};
}

Result<void> Syslog::write_rfc5424(std::string_view line, ObjectWriter& object) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    std::string_view rest = line;
    const auto take = [&rest] {
        const std::string_view word = take_word(rest);
        return word == "-" ? std::string_view() : word;
    };
    const std::string_view time = take();
    const std::string_view host = take();
    const std::string_view program = take();
    const std::string_view pid = take();
    take();  // MSGID
    const std::size_t data = structured_data_length(rest);
    if (data == 0 || (data < rest.size() && rest[data] != ' ')) {
        return fail(ErrorKind::data, fmt::format("not RFC 5424 after the version: {}", quoted(line)));
    }
    rest.remove_prefix(std::min(data + 1, rest.size()));
    if (rest.starts_with(byte_order_mark)) rest.remove_prefix(byte_order_mark.size());
    if (time.empty()) {
        object.null();
    } else {
        STREAM_TRY(iso_.write(time, object));
    }
    object.raw(R"(,"host":)");
    object.string_or_null(host);
    write_tag({program, pid, rest}, object);
    return {};
}

void Syslog::write_tag(const Tag& tag, ObjectWriter& object) {
    object.raw(R"(,"program":)");
    object.string_or_null(tag.program);
    object.raw(R"(,"pid":)");
    object.cell(tag.pid);
    object.raw(R"(,"message":)");
    object.string_or_null(tag.message);
}

}  // namespace

Result<std::unique_ptr<TextFormat>> make_syslog(const TextFormatOptions& options) {
    if (!options.time.format.empty() || options.time.unit != TimeUnit::none) {
        return fail(ErrorKind::usage,
                    "syslog's times have forms of their own: leave out --time-format and --time-unit");
    }
    TimeOptions iso_options;
    iso_options.zone = options.time.zone;
    auto iso = Stamp::make(iso_options);
    if (!iso) return pass_on(iso);
    if (options.time.base.empty()) return std::make_unique<Syslog>(std::move(*iso), std::nullopt);
    TimeOptions bsd_options = options.time;
    bsd_options.format = "%b %d %H:%M:%S";
    auto bsd = Stamp::make(bsd_options);
    if (!bsd) return pass_on(bsd);
    return std::make_unique<Syslog>(std::move(*iso), std::move(*bsd));
}

}  // namespace stream
