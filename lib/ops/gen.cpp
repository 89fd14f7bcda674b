// SPDX-License-Identifier: Apache-2.0
// The order of arrival: which events are held back or repeated, and what that frees.
#include "ops/gen.hpp"

#include "base/check.hpp"
#include "ops/gen_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace stream {
namespace {

constexpr std::uint64_t most_held_back = std::uint64_t{1} << 24;
constexpr TimeNs latest_time = time_after_all - ns_per_day;

std::unique_ptr<EventSource> make_source(const GenOptions& options) {
    switch (options.kind) {
        case GenKind::web:
            return make_web_source(options);
        case GenKind::orders:
            return make_orders_source(options);
    }
    check_failed("a kind of events", __FILE__, __LINE__);
}

// Multiplying by a power of two is exact, so the same share gives the same threshold anywhere.
std::uint64_t threshold(double share) { return static_cast<std::uint64_t>(share * 4294967296.0); }

Result<void> check_range(std::uint64_t value, std::uint64_t low, std::uint64_t high, const char* what) {
    if (value >= low && value <= high) return {};
    return fail(ErrorKind::usage, fmt::format("{} must be from {} to {}, not {}", what, low, high, value));
}

Result<void> check_share(double value, const char* what) {
    if (value >= 0 && value <= 1) return {};  // not a NaN either
    return fail(ErrorKind::usage, fmt::format("the share of {} must be from 0 to 1, not {}", what, value));
}

}  // namespace

std::optional<GenKind> gen_kind(std::string_view name) {
    for (std::size_t k = 0; k < gen_kind_names.size(); ++k) {
        if (gen_kind_names[k] == name) return static_cast<GenKind>(k);
    }
    return std::nullopt;
}

Result<void> GenOptions::validate() const {
    STREAM_TRY(check_range(events_per_second, 1, 1'000'000, "events per second"));
    if (users != 0) STREAM_TRY(check_range(users, 16, 1'000'000'000, "users"));
    STREAM_TRY(check_range(paths, 8, 65'536, "paths"));
    STREAM_TRY(check_range(skus, 1, 1'000'000'000, "skus"));
    STREAM_TRY(check_share(disorder, "events out of order"));
    STREAM_TRY(check_share(duplicates, "events repeated"));
    if (disorder_max < ns_per_ms) {
        return fail(ErrorKind::usage, "what holds events back at most must be 1ms or longer");
    }
    const DurationNs gap = ns_per_second / static_cast<DurationNs>(events_per_second);
    if (disorder > 0 && disorder_max < 2 * gap) {
        return fail(ErrorKind::usage,
                    fmt::format("events {} ms apart cannot come out of order when none is held back longer "
                                "than {} ms",
                                gap / ns_per_ms, disorder_max / ns_per_ms));
    }
    if ((disorder > 0 || duplicates > 0) && static_cast<std::uint64_t>(disorder_max / gap) > most_held_back) {
        return fail(
            ErrorKind::limit,
            fmt::format("{} events would pass while one is held back, and {} is the most there can be",
                        disorder_max / gap, most_held_back));
    }
    if (start > latest_time - ns_per_day) return fail(ErrorKind::usage, "the start is too far in the future");
    return {};
}

Generator::Generator(const GenOptions& options)
    : source_(make_source(options)),
      key_(gen_key(options.seed, 2)),
      late_below_(threshold(options.disorder)),
      repeat_below_(threshold(options.duplicates)) {
    const std::uint64_t gap_ns = source_->clock().gap_ns();
    const std::uint64_t span =
        static_cast<std::uint64_t>(latest_time) - static_cast<std::uint64_t>(options.start);
    end_ = std::min(options.events, std::min(span, static_cast<std::uint64_t>(latest_time)) / gap_ns);
    most_delay_ms_ = static_cast<std::uint64_t>(options.disorder_max / ns_per_ms);
    // Long enough that the next few events, one of which is on time, come before it.
    least_delay_ms_ = std::min(4 * gap_ns / 1'000'000 + 1, most_delay_ms_);
    look_back_ = most_delay_ms_ * 1'000'000 / gap_ns + 2;
}

Generator::~Generator() = default;

Generator::Delays Generator::delays(std::uint64_t index) const {
    const std::uint64_t dice = mix64(index + key_);
    const bool is_late = (dice & 0xFFFFFFFFu) < late_below_;
    const bool is_repeated = (dice >> 32) < repeat_below_;
    if (!is_late && !is_repeated) [[likely]]
        return {-1, -1};

    const std::uint64_t how_long = mix64(dice + golden_gamma);
    std::uint64_t event_ms = 0;
    if (is_late) {  // the square of an even throw: most of them a little, few of them much
        const std::uint64_t even = how_long & 0xFFFFFFFFu;
        event_ms = least_delay_ms_ + below((even * even) >> 32, most_delay_ms_ - least_delay_ms_ + 1);
    }
    const std::uint64_t repeat_ms = event_ms + below(how_long >> 32, most_delay_ms_ - event_ms + 1);
    return {is_late ? static_cast<std::int64_t>(event_ms) : -1,
            is_repeated ? static_cast<std::int64_t>(repeat_ms) : -1};
}

void Generator::hold(std::int64_t due_ms, std::uint64_t index_and_repeat) {
    held_.push_back({due_ms, index_and_repeat});
    std::push_heap(held_.begin(), held_.end(), std::greater<>());
}

std::uint64_t Generator::pop_held() {
    std::pop_heap(held_.begin(), held_.end(), std::greater<>());
    const std::uint64_t index = held_.back().index_and_repeat >> 1;
    held_.pop_back();
    return index;
}

std::uint64_t Generator::next_block(std::string& out, std::size_t bytes, std::uint64_t turns) {
    const std::size_t begin = out.size();
    std::size_t used = begin;
    std::uint64_t lines = 0;
    const auto write = [&](std::uint64_t index) {
        if (out.size() - used < gen_line_room) [[unlikely]] {
            const std::size_t to_come = bytes - std::min(bytes, used - begin);
            out.resize(used + std::min<std::size_t>(to_come, 1 << 20) + 4 * gen_line_room);
        }
        used = static_cast<std::size_t>(source_->write(index, out.data() + used) - out.data());
        ++lines;
    };

    const EventClock& clock = source_->clock();
    const bool in_order = late_below_ == 0 && repeat_below_ == 0;
    for (; turns > 0 && turn_ < end_ && used - begin < bytes; --turns, ++turn_) {
        if (in_order) {
            write(turn_);
            continue;
        }
        const std::int64_t now_ms = clock.at_ms(turn_);
        while (!held_.empty() && held_.front().due_ms < now_ms) write(pop_held());
        const Delays delay = delays(turn_);
        if (delay.event_ms < 0) {
            write(turn_);
        } else {
            hold(now_ms + delay.event_ms, turn_ * 2);
        }
        if (delay.repeat_ms >= 0) hold(now_ms + delay.repeat_ms, turn_ * 2 + 1);
    }
    for (; turns > 0 && turn_ == end_ && !held_.empty() && used - begin < bytes; --turns, ++drained_) {
        write(pop_held());
    }
    out.resize(used);
    return lines;
}

void Generator::seek(std::uint64_t position) {
    turn_ = std::min(position, end_);
    drained_ = 0;
    held_.clear();
    if (turn_ == 0 || (late_below_ == 0 && repeat_below_ == 0)) return;

    // Still held is what is not due before the newest event that had its turn.
    const EventClock& clock = source_->clock();
    const std::int64_t newest_ms = clock.at_ms(turn_ - 1);
    for (std::uint64_t index = turn_ - std::min(turn_, look_back_); index < turn_; ++index) {
        const Delays delay = delays(index);
        const std::int64_t time_ms = clock.at_ms(index);
        if (delay.event_ms >= 0 && time_ms + delay.event_ms >= newest_ms) {
            hold(time_ms + delay.event_ms, index * 2);
        }
        if (delay.repeat_ms >= 0 && time_ms + delay.repeat_ms >= newest_ms) {
            hold(time_ms + delay.repeat_ms, index * 2 + 1);
        }
    }
    for (; turn_ + drained_ < position && !held_.empty(); ++drained_) pop_held();
}

TimeNs Generator::time() const {
    const EventClock& clock = source_->clock();
    return (turn_ == 0 ? clock.start_ms() : clock.at_ms(turn_ - 1)) * ns_per_ms;
}

}  // namespace stream
