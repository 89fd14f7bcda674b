// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "json/formats/formats.hpp"
#include "json/formats/record_format.hpp"
#include "json/formats/stamp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

namespace stream {
namespace {

bool is_digits(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

// A token of RFC 9110, as far as methods go.
bool is_method(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || c == '-' || c == '_'; });
}

// HTTP/1.1, RTSP/1.0
bool is_protocol(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == 0 || slash == text.npos || slash + 1 == text.size()) return false;
    const auto version = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
    return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(slash), is_letter) &&
           std::all_of(text.begin() + static_cast<std::ptrdiff_t>(slash) + 1, text.end(), version);
}

struct Request {
    std::string_view method;
    std::string_view target;
    std::string_view protocol;
};

// A target may hold spaces that a careless client left there. HTTP/0.9 has no protocol.
Request split_request(std::string_view text) {
    const std::size_t first = text.find(' ');
    if (first == text.npos || !is_method(text.substr(0, first))) return {{}, text, {}};
    const std::string_view method = text.substr(0, first);
    const std::size_t last = text.rfind(' ');
    if (last > first && is_protocol(text.substr(last + 1))) {
        return {method, text.substr(first + 1, last - first - 1), text.substr(last + 1)};
    }
    if (text.substr(first + 1).starts_with('/')) return {method, text.substr(first + 1), {}};
    return {{}, text, {}};
}

struct Fields {
    std::string_view remote_ip, user, time, request, status, bytes, referrer, agent;
};

class AccessLog final : public RecordFormat {
public:
    AccessLog(Stamp stamp, bool combined) : stamp_(std::move(stamp)), combined_(combined) {}

private:
    Result<bool> write_event(std::string_view line, ObjectWriter& object) override;
    Result<Fields> read(std::string_view line) const;
    void write_request(std::string_view raw, ObjectWriter& object);
    std::string_view unescaped(std::string_view raw);

    std::string learnt() const override { return stamp_.save(); }
    bool relearn(std::string_view saved) override { return stamp_.load(saved); }

    Stamp stamp_;
    bool combined_;
    std::string unescaped_;
};

tl::unexpected<Error> ends_before(std::string_view field) {
    return fail(ErrorKind::data, fmt::format("the line ends before the {}", field));
}

// What stands before `stop`, which is taken away too; false if there is no `stop`.
bool take_until(std::string_view& rest, std::string_view stop, std::string_view& field) {
    const std::size_t end = rest.find(stop);
    if (end == rest.npos) return false;
    field = rest.substr(0, end);
    rest.remove_prefix(end + stop.size());
    return true;
}

// What stands in quotes after a space, escapes and all. A quote after an odd number of backslashes is
// text.
Result<void> take_quoted(std::string_view& rest, std::string_view name, std::string_view& field) {
    if (rest.empty() || rest == " ") return ends_before(name);
    if (!rest.starts_with(" \"")) {
        return fail(ErrorKind::data, fmt::format("the {} is not in quotes: {}", name, quoted(rest)));
    }
    rest.remove_prefix(2);
    for (std::size_t end = rest.find('"'); end != rest.npos; end = rest.find('"', end + 1)) {
        std::size_t backslashes = 0;
        while (backslashes < end && rest[end - 1 - backslashes] == '\\') ++backslashes;
        if (backslashes % 2 != 0) continue;
        field = rest.substr(0, end);
        rest.remove_prefix(end + 1);
        return {};
    }
    return fail(ErrorKind::data, fmt::format("the line ends in the {}", name));
}

// Digits or - after a space.
Result<void> take_number(std::string_view& rest, std::string_view name, std::string_view& field) {
    if (rest.empty() || rest == " ") return ends_before(name);
    const std::size_t length = std::min(rest.find(' ', 1), rest.size()) - 1;
    field = rest.substr(1, length);
    if (rest[0] != ' ' || (field != "-" && !is_digits(field))) {
        return fail(ErrorKind::data, fmt::format("the {} is not a number: {}", name, quoted(rest)));
    }
    rest.remove_prefix(length + 1);
    return {};
}

Result<Fields> AccessLog::read(std::string_view line) const {
    Fields fields;
    std::string_view rest = line;
    std::string_view ident;
    // A user's name may hold spaces.
    if (!take_until(rest, " ", fields.remote_ip) || !take_until(rest, " ", ident) ||
        !take_until(rest, " [", fields.user)) {
        return fail(ErrorKind::data, fmt::format("not an access-log line: {}", quoted(line)));
    }
    if (!take_until(rest, "]", fields.time)) return fail(ErrorKind::data, "the line ends in the time");
    STREAM_TRY(take_quoted(rest, "request", fields.request));
    STREAM_TRY(take_number(rest, "status", fields.status));
    STREAM_TRY(take_number(rest, "bytes", fields.bytes));
    if (combined_) {
        if (rest.empty()) {
            return fail(ErrorKind::data, "the line ends before the referrer",
                        "--format clf reads no further");
        }
        STREAM_TRY(take_quoted(rest, "referrer", fields.referrer));
        STREAM_TRY(take_quoted(rest, "agent", fields.agent));
    }
    if (!rest.empty()) {
        return fail(ErrorKind::data,
                    fmt::format("text after the {}: {}", combined_ ? "agent" : "bytes", quoted(rest)),
                    combined_ ? "--format 'regex:…' reads other formats"
                              : "--format combined reads a referrer and an agent");
    }
    return fields;
}

Result<bool> AccessLog::write_event(std::string_view line, ObjectWriter& object) {
    const auto fields = read(line);
    if (!fields) return fail(fields.error().kind(), fields.error().message(), fields.error().hint());
    const auto string = [&object](std::string_view text) {
        object.string_or_null(text == "-" ? std::string_view() : text);
    };
    object.raw(R"({"ts":)");
    STREAM_TRY(stamp_.write(fields->time, object));
    object.raw(R"(,"remote_ip":)");
    string(fields->remote_ip);
    object.raw(R"(,"user":)");
    string(fields->user);
    write_request(fields->request, object);
    object.raw(R"(,"status":)");
    object.cell(fields->status == "-" ? std::string_view() : fields->status);
    object.raw(R"(,"bytes":)");
    object.cell(fields->bytes == "-" ? std::string_view() : fields->bytes);
    if (combined_) {
        object.raw(R"(,"referrer":)");
        string(unescaped(fields->referrer));
        object.raw(R"(,"agent":)");
        string(unescaped(fields->agent));
    }
    object.raw("}");
    return true;
}

void AccessLog::write_request(std::string_view raw, ObjectWriter& object) {
    const std::string_view text = raw == "-" ? std::string_view() : unescaped(raw);
    const Request request = split_request(text);
    const bool is_split = !request.method.empty();
    const std::size_t mark = is_split ? request.target.find('?') : request.target.npos;
    object.raw(R"(,"method":)");
    object.string_or_null(request.method);
    object.raw(R"(,"path":)");
    object.string_or_null(request.target.substr(0, mark));
    object.raw(R"(,"query":)");
    mark == request.target.npos ? object.null() : object.string(request.target.substr(mark + 1));
    object.raw(R"(,"protocol":)");
    object.string_or_null(request.protocol);
}

// \" and \\ to what they stand for; valid until it is called again.
std::string_view AccessLog::unescaped(std::string_view raw) {
    if (raw.find('\\') == raw.npos) return raw;
    unescaped_.clear();
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] == '\\' && i + 1 < raw.size() && (raw[i + 1] == '"' || raw[i + 1] == '\\')) ++i;
        unescaped_ += raw[i];
    }
    return unescaped_;
}

}  // namespace

Result<std::unique_ptr<TextFormat>> make_access_log(const TextFormatOptions& options, bool combined) {
    auto stamp = Stamp::make(options.time);
    if (!stamp) return pass_on(stamp);
    return std::make_unique<AccessLog>(std::move(*stamp), combined);
}

}  // namespace stream
