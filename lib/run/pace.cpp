// SPDX-License-Identifier: Apache-2.0
#include "run/pace.hpp"

namespace stream::run {

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

double rate(std::uint64_t now, std::uint64_t before, std::int64_t ns) {
    return now <= before ? 0 : static_cast<double>(now - before) * 1e9 / static_cast<double>(ns);
}

}  // namespace

void Pace::heard(std::uint64_t events_in, std::uint64_t events_out, std::int64_t now_ns) {
    samples_.push_back({events_in, events_out, now_ns});
    // The first one stays a second old or more: a rate over some milliseconds says little.
    while (samples_.size() > 2 && samples_[1].at_ns <= now_ns - second_ns) samples_.pop_front();
}

std::optional<Pace::Rates> Pace::rates(std::int64_t now_ns) const {
    if (samples_.size() < 2) return std::nullopt;
    const Sample& last = samples_.back();
    const Sample& first = samples_.front();
    const std::int64_t between = last.at_ns - first.at_ns;
    if (between <= 0 || now_ns - last.at_ns > 2 * between + second_ns) return Rates{};
    return Rates{rate(last.in, first.in, between), rate(last.out, first.out, between)};
}

}  // namespace stream::run
