// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

#include "cli/dead_letters.hpp"
#include "json/number.hpp"
#include "time/duration.hpp"

namespace stream {

namespace {

constexpr std::int64_t quiet_ns = 2 * ns_per_second;      // short work shows nothing
constexpr std::int64_t between_ns = ns_per_second / 4;    // two shown lines
constexpr std::int64_t stats_every_ns = 10 * ns_per_second;

std::int64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * ns_per_second + now.tv_nsec;
}

std::string size_text(double bytes) {
    const char* const units[] = {"B", "KB", "MB", "GB", "TB"};
    int unit = 0;
    while (bytes >= 1000 && unit < 4) {
        bytes /= 1000;
        ++unit;
    }
    return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, units[unit]);
}

bool is_time(TimeNs time) { return time != time_before_all && time != time_after_all; }

}  // namespace

Result<std::unique_ptr<Progress>> Progress::make(Diagnostics& diagnostics, std::optional<bool> wanted,
                                                 const std::string& stats_path) {
    std::unique_ptr<Progress> made(new Progress(diagnostics));
    const char* term = std::getenv("TERM");
    const bool dumb = term != nullptr && std::string_view(term) == "dumb";
    made->forced_ = wanted.value_or(false);
    made->show_ = wanted.value_or(::isatty(2) == 1 && !dumb);
    made->start_ns_ = made->stats_ns_ = now_ns();
    if (!stats_path.empty()) {
        auto opened = open_for_append(stats_path);
        if (!opened) return pass_on(opened);
        made->stats_ = std::move(*opened);
    }
    if (!made->show_ && made->stats_ == nullptr) return std::unique_ptr<Progress>();
    return made;
}

void Progress::tick(const Numbers& numbers, bool last) {
    const std::int64_t now = now_ns();
    const double seconds = static_cast<double>(now - start_ns_) / 1e9;
    if (show_ && (last ? forced_ || shown_ : now - start_ns_ >= (forced_ ? 0 : quiet_ns) && now - shown_ns_ >= between_ns)) {
        shown_ns_ = now;
        std::string line = fmt::format("{}  {:.0f} events/s", size_text(static_cast<double>(numbers.bytes_in)),
                                       static_cast<double>(numbers.events_in) / (seconds > 0 ? seconds : 1));
        if (is_time(numbers.newest)) line += "  at " + to_rfc3339(numbers.newest);
        if (is_time(numbers.watermark)) line += "  watermark " + to_rfc3339(numbers.watermark);
        if (!numbers.holds.empty()) line += "  waiting for " + numbers.holds;
        if (numbers.late > 0) line += fmt::format("  {} late", numbers.late);
        if (numbers.bad > 0) line += fmt::format("  {} bad", numbers.bad);
        if (numbers.raw_size > 0 && numbers.raw_position > 0) {
            const double share = static_cast<double>(numbers.raw_position) / static_cast<double>(numbers.raw_size);
            line += fmt::format("  {:.0f}%", 100 * share);
            if (!last && share < 1) line += fmt::format("  {:.0f}s left", seconds / share - seconds);
        }
        if (last) {
            diagnostics_.clear_progress();
            diagnostics_.say(line);
        } else {
            diagnostics_.progress(line);
            shown_ = true;
        }
    }
    if (stats_ != nullptr && (last || now - stats_ns_ >= stats_every_ns)) {
        stats_ns_ = now;
        std::string& out = stats_->buffer();
        out += fmt::format("{{\"tool\":\"{}\",\"seconds\":{:.3f},\"events_in\":{},\"events_out\":{},\"bytes_in\":{},"
                           "\"bytes_out\":{},\"bad\":{},\"late\":{}",
                           diagnostics_.tool(), seconds, numbers.events_in, numbers.events_out, numbers.bytes_in,
                           numbers.bytes_out, numbers.bad, numbers.late);
        const auto time = [&](std::string_view name, TimeNs value) {
            out += fmt::format(",\"{}\":", name);
            if (is_time(value)) {
                out += '"';
                append_rfc3339(out, value);
                out += '"';
            } else {
                out += "null";
            }
        };
        time("event_time", numbers.newest);
        time("watermark", numbers.watermark);
        out += numbers.extra;
        out += fmt::format(",\"final\":{}}}\n", last);
        auto written = stats_->flush();
        if (!written && failure_) failure_ = std::move(written);
    }
}

Result<void> Progress::finish() {
    if (stats_ != nullptr) {
        auto closed = stats_->close();
        if (!closed && failure_) failure_ = std::move(closed);
    }
    return std::move(failure_);
}

}  // namespace stream
