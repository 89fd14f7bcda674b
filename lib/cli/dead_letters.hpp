// SPDX-License-Identifier: Apache-2.0
// What becomes of bad and of late events: counted always, and stopped at, skipped or kept in a FILE.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "io/output.hpp"
#include "time/timestamp.hpp"

namespace stream {

// A file that lines are appended to; opened when made, so that a wrong path is known at once.
Result<std::unique_ptr<Output>> open_for_append(const std::string& path);

struct BadPolicy {
    enum class Kind : std::uint8_t { stop, skip, file };
    Kind kind = Kind::stop;
    std::string path;
    std::optional<std::uint64_t> max_count;  // --max-bad N
    double max_share = -1;                   // --max-bad P%, of the events so far (after the first 100)
};
Result<BadPolicy> parse_bad_policy(const std::string& text);
Result<void> parse_max_bad(const std::string& text, BadPolicy& policy);

// NDJSON {"source","line","offset","reason","raw"}; raw_base64 in place of raw where the bytes are no
// UTF-8 or the line is too long to be held.
class BadEvents {
public:
    // Lines longer than `line_max` are kept as base64.
    // `into`: where they go in place of the policy's file (in a run).
    Result<void> open(BadPolicy policy, std::size_t line_max, std::unique_ptr<Output> into = nullptr);

    struct Line {
        std::string_view source;
        std::uint64_t line = 0;
        std::uint64_t offset = 0;
        std::string_view reason;
        std::string_view raw;
    };
    // ErrorKind::data where the policy is to stop or --max-bad is passed.
    Result<void> add(const Line& line, std::string_view hint, std::uint64_t events_so_far);
    // The same for a line that comes in pieces.
    Result<void> begin_long(const Line& line, std::string_view hint, std::uint64_t events_so_far);
    Result<void> long_piece(std::string_view bytes, bool last);

    Result<void> flush();
    Result<void> close();
    std::uint64_t count() const { return count_; }
    const BadPolicy& policy() const { return policy_; }

private:
    Result<void> judge(const Line& line, std::string_view hint, std::uint64_t events_so_far);

    BadPolicy policy_;
    std::unique_ptr<Output> file_;
    std::uint64_t count_ = 0;
    std::size_t line_max_ = SIZE_MAX;
    std::string carry_;  // bytes of a long line not yet in base64: fewer than 3
};

struct LatePolicy {
    enum class Kind : std::uint8_t { none, drop, file };
    Kind kind = Kind::none;
    std::string path;
};

class LateEvents {
public:
    Result<void> open(LatePolicy policy, std::unique_ptr<Output> into = nullptr);
    // `lateness`: how far the event was behind the newest; `missing`: how much more --lateness would
    // have kept it.
    Result<void> add(std::string_view raw, DurationNs lateness, DurationNs missing);
    Result<void> flush();
    Result<void> close();

    std::uint64_t count() const { return count_; }
    DurationNs largest() const { return largest_; }
    DurationNs missing() const { return missing_; }
    const LatePolicy& policy() const { return policy_; }

private:
    LatePolicy policy_;
    std::unique_ptr<Output> file_;
    std::uint64_t count_ = 0;
    DurationNs largest_ = 0;
    DurationNs missing_ = 0;
};

}  // namespace stream
