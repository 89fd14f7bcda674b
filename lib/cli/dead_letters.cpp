// SPDX-License-Identifier: Apache-2.0
#include "cli/dead_letters.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/number.hpp"

namespace stream {

Result<std::unique_ptr<Output>> open_for_append(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        return fail(ErrorKind::io, "cannot open " + stream::quoted(path, 200) + ": " + std::strerror(errno));
    }
    return std::make_unique<Output>(fd, path);
}

Result<BadPolicy> parse_bad_policy(const std::string& text) {
    BadPolicy policy;
    if (text.empty() || text == "-") return fail(ErrorKind::usage, "stop, skip or a FILE is wanted");
    if (text == "stop") {
        policy.kind = BadPolicy::Kind::stop;
    } else if (text == "skip") {
        policy.kind = BadPolicy::Kind::skip;
    } else {
        policy.kind = BadPolicy::Kind::file;
        policy.path = text;
    }
    return policy;
}

Result<void> parse_max_bad(const std::string& text, BadPolicy& policy) {
    const bool percent = !text.empty() && text.back() == '%';
    const char* end = text.data() + text.size() - (percent ? 1 : 0);
    if (percent) {
        double share = 0;
        const auto parsed = std::from_chars(text.data(), end, share);
        if (parsed.ec == std::errc() && parsed.ptr == end && share >= 0 && share <= 100) {
            policy.max_share = share / 100;
            return {};
        }
    } else {
        std::uint64_t count = 0;
        const auto parsed = std::from_chars(text.data(), end, count);
        if (parsed.ec == std::errc() && parsed.ptr == end && !text.empty()) {
            policy.max_count = count;
            return {};
        }
    }
    return fail(ErrorKind::usage, "not a number of events or a share: " + stream::quoted(text), "--max-bad 100 or --max-bad 1%");
}

Result<void> BadEvents::open(BadPolicy policy, std::size_t line_max, std::unique_ptr<Output> into) {
    policy_ = std::move(policy);
    line_max_ = line_max;
    if (policy_.kind != BadPolicy::Kind::file) return {};
    file_ = std::move(into);
    if (file_ != nullptr) return {};
    auto opened = open_for_append(policy_.path);
    if (!opened) return pass_on(opened);
    file_ = std::move(*opened);
    return {};
}

Result<void> BadEvents::judge(const Line& line, std::string_view hint, std::uint64_t events_so_far) {
    const std::string place = std::string(line.source) + ":" + std::to_string(line.line);
    if (policy_.kind == BadPolicy::Kind::stop) {
        return fail(ErrorKind::data, place + ": " + std::string(line.reason), std::string(hint));
    }
    ++count_;
    const bool too_many = policy_.max_count && count_ > *policy_.max_count;
    const bool too_large = policy_.max_share >= 0 && events_so_far >= 100 &&
                           static_cast<double>(count_) > policy_.max_share * static_cast<double>(events_so_far);
    if (too_many || too_large) {
        return fail(ErrorKind::data,
                    place + ": " + std::to_string(count_) + " bad events, more than --max-bad allows; the last: " +
                        std::string(line.reason),
                    std::string(hint));
    }
    return {};
}

namespace {
void append_head(std::string& out, const BadEvents::Line& line) {
    out += "{\"source\":";
    append_quoted(out, is_utf8(line.source) ? std::string(line.source) : printable(line.source));
    out += ",\"line\":";
    append_uint64(out, line.line);
    out += ",\"offset\":";
    append_uint64(out, line.offset);
    out += ",\"reason\":";
    append_quoted(out, is_utf8(line.reason) ? std::string(line.reason) : printable(line.reason));
}
}  // namespace

Result<void> BadEvents::add(const Line& line, std::string_view hint, std::uint64_t events_so_far) {
    if (policy_.kind == BadPolicy::Kind::file) {
        std::string& out = file_->buffer();
        append_head(out, line);
        if (line.raw.size() <= line_max_ && is_utf8(line.raw)) {
            out += ",\"raw\":";
            append_quoted(out, line.raw);
            out += "}\n";
        } else {
            out += ",\"raw_base64\":\"";
            append_base64(out, line.raw);
            out += "\"}\n";
        }
        STREAM_TRY(file_->commit());
    }
    return judge(line, hint, events_so_far);
}

Result<void> BadEvents::begin_long(const Line& line, std::string_view hint, std::uint64_t events_so_far) {
    STREAM_TRY(judge(line, hint, events_so_far));
    if (file_ != nullptr) {
        std::string& out = file_->buffer();
        append_head(out, line);
        out += ",\"raw_base64\":\"";
        carry_.clear();
    }
    return {};
}

Result<void> BadEvents::long_piece(std::string_view bytes, bool last) {
    if (file_ == nullptr) return {};
    std::string& out = file_->buffer();
    if (!carry_.empty()) {
        const std::size_t taken = std::min(bytes.size(), 3 - carry_.size());
        carry_ += bytes.substr(0, taken);
        bytes.remove_prefix(taken);
        if (carry_.size() == 3) {
            append_base64(out, carry_);
            carry_.clear();
        }
    }
    const std::size_t whole = bytes.size() / 3 * 3;
    append_base64(out, bytes.substr(0, whole));
    carry_ += bytes.substr(whole);
    if (last) {
        append_base64(out, carry_);
        carry_.clear();
        out += "\"}\n";
    }
    return file_->commit();
}

Result<void> BadEvents::flush() { return file_ != nullptr ? file_->flush() : Result<void>{}; }
Result<void> BadEvents::close() { return file_ != nullptr ? file_->close() : Result<void>{}; }

Result<void> LateEvents::open(LatePolicy policy, std::unique_ptr<Output> into) {
    policy_ = std::move(policy);
    if (policy_.kind != LatePolicy::Kind::file) return {};
    file_ = std::move(into);
    if (file_ != nullptr) return {};
    auto opened = open_for_append(policy_.path);
    if (!opened) return pass_on(opened);
    file_ = std::move(*opened);
    return {};
}

Result<void> LateEvents::add(std::string_view raw, DurationNs lateness, DurationNs missing) {
    ++count_;
    largest_ = std::max(largest_, lateness);
    missing_ = std::max(missing_, missing);
    if (file_ == nullptr) return {};
    STREAM_TRY(file_->append(raw));
    return file_->append("\n");
}

Result<void> LateEvents::flush() { return file_ != nullptr ? file_->flush() : Result<void>{}; }
Result<void> LateEvents::close() { return file_ != nullptr ? file_->close() : Result<void>{}; }

}  // namespace stream
