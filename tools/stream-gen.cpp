// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <ctime>

#include "base/text.hpp"
#include "run/client.hpp"
#include "cli/exit_status.hpp"
#include "cli/generated_source.hpp"
#include "cli/signals.hpp"
#include "cli/tool.hpp"
#include "io/output.hpp"
#include "ops/cat.hpp"
#include "ops/gen.hpp"
#include "time/duration.hpp"

namespace {

using namespace stream;

Result<void> into_share(const std::string& text, double& value) {
    const bool percent = text.ends_with('%');
    const char* end = text.data() + text.size() - (percent ? 1 : 0);
    const auto parsed = std::from_chars(text.data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || text.empty()) {
        return fail(ErrorKind::usage, "not a share: " + stream::quoted(text), "0.05 or 5%");
    }
    if (percent) value /= 100;
    return {};
}

std::int64_t clock_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * ns_per_second + now.tv_nsec;
}

Result<int> stopped() {
    return fail(ErrorKind::stopped, "stopped");
}

// As fast as it goes.
Result<int> write_all(Generator& generator, Output& out) {
    constexpr std::size_t block = 256 << 10;
    while (!generator.done()) {
        if (stop_signal() != 0) {
            STREAM_TRY(out.flush());
            return stopped();
        }
        generator.next_block(out.buffer(), block);
        STREAM_TRY(out.flush());
    }
    STREAM_TRY(out.close());
    return static_cast<int>(exit_done);
}

// `rate` events a second of clock, in steps of a millisecond or of one event.
Result<int> write_paced(Generator& generator, Output& out, double rate) {
    const std::int64_t start = clock_ns();
    double given = 0;
    while (!generator.done()) {
        const double due = static_cast<double>(clock_ns() - start) / 1e9 * rate + 1;
        if (due - given >= 1) {
            const auto turns = static_cast<std::uint64_t>(due - given);
            generator.next_block(out.buffer(), SIZE_MAX / 2, turns);
            given += static_cast<double>(turns);
            STREAM_TRY(out.flush());
            continue;
        }
        const double wait_s = (given + 1 - due) / rate;
        if (wait_s < 0.002) {
            timespec nap{0, static_cast<long>(wait_s * 1e9)};
            ::nanosleep(&nap, nullptr);
            if (stop_signal() != 0) return stopped();
            continue;
        }
        const Woken woken = wait_for(nullptr, 0, 1, static_cast<int>(std::min(wait_s * 1000, 1000.0)));
        if (woken == Woken::stop) return stopped();
        if (woken == Woken::reader_gone) return fail(ErrorKind::closed, "the reader went away");
    }
    STREAM_TRY(out.close());
    return static_cast<int>(exit_done);
}

}  // namespace

int main(int argc, char** argv) {
    Tool tool("stream-gen", "make events: web traffic with sessions, or orders", "stream-gen web|orders [OPTION…]");
    Options& options = tool.options();
    options.example("stream-gen web --events 100000 --seed 7", "a hundred thousand requests, always the same");
    options.example("stream-gen web --rate 100 --disorder 5% --duplicates 1%", "live traffic, some of it late and some twice");
    options.example("stream-gen orders --events 1000 | stream-window tumbling 1h --by status count", "orders through their lives");
    GenOptions gen;
    std::vector<std::string> words;
    double rate = 0;
    bool density_given = false;
    options.positionals({"KIND", "web: requests of people who come, click and go; orders: each order's life as several events",
                         {"web", "orders"}, false},
                        words);
    options.parsed({"--events", "", "N", "how many different events (default: without end); repeats come on top", {}}, into_count(gen.events));
    options.parsed({"--seed", "", "N", "same seed, same bytes, on any machine (default 1)", {}}, into_count(gen.seed));
    options.parsed({"--disorder", "", "SHARE", "the share of events that come late: 0.05, 5%", {}},
                   [&](const std::string& text) { return into_share(text, gen.disorder); });
    options.parsed({"--duplicates", "", "SHARE", "the share of events that come twice", {}},
                   [&](const std::string& text) { return into_share(text, gen.duplicates); });
    options.parsed({"--disorder-max", "", "DUR", "how late an event or its repeat comes at most (default 10s)", {}}, into_duration(gen.disorder_max));
    options.parsed({"--rate", "", "N", "events a second of clock (default: as fast as it goes)", {}},
                   [&](const std::string& text) -> Result<void> {
                       const auto parsed = std::from_chars(text.data(), text.data() + text.size(), rate);
                       if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || !(rate > 0)) {
                           return fail(ErrorKind::usage, "not a rate: " + stream::quoted(text), "--rate 100");
                       }
                       return {};
                   });
    options.parsed({"--density", "", "N", "events a second of event time (default 100, or the --rate)", {}},
                   [&](const std::string& text) {
                       density_given = true;
                       return into_count(gen.events_per_second)(text);
                   });
    options.parsed({"--start", "", "TIME", "the first event's time (default 2026-01-01T00:00:00Z)", {}},
                   [&](const std::string& text) -> Result<void> {
                       auto position = parse_position(text, run::command_line_now_ns());
                       if (!position) return pass_on(position);
                       if (position->kind != Position::Kind::time) return fail(ErrorKind::usage, "not a time: " + stream::quoted(text));
                       gen.start = floor_div(position->time, ns_per_ms) * ns_per_ms;
                       return {};
                   });
    options.parsed({"--users", "", "N", "users or customers at most (default 1000 × density)", {}}, into_count(gen.users));
    options.parsed({"--paths", "", "N", "web: different paths (default 200)", {}}, into_count(gen.paths));
    options.parsed({"--skus", "", "N", "orders: different articles (default 1000)", {}}, into_count(gen.skus));
    tool.share(shared_run);
    return tool.run_source(argc, argv, [&]() -> Result<int> {
        if (words.empty()) return fail(ErrorKind::usage, "no kind of events is given", "stream-gen web or stream-gen orders");
        if (words.size() > 1) return fail(ErrorKind::usage, "one kind of events, please: " + stream::quoted(words[1]));
        const auto kind = gen_kind(words[0]);
        if (!kind) {
            const auto near = nearest(words[0], gen_kind_names);
            return fail(ErrorKind::usage, "no kind of events is called " + stream::quoted(words[0]),
                        near.empty() ? "web or orders" : "did you mean " + std::string(near) + "?");
        }
        gen.kind = *kind;
        if (rate > 0 && !density_given) gen.events_per_second = static_cast<std::uint64_t>(std::max(1.0, std::min(rate, 1e6)));
        STREAM_TRY(gen.validate());
        if (!run::Environment::read().key.empty() || !tool.plan().control_key.empty()) {
            PumpPlan& plan = tool.plan();
            plan.files = {"generated"};
            plan.time_need = TimeNeed::guessed;
            plan.open_placed = [gen, rate](std::size_t, const PumpPlan::Placing& placing) { return open_generated(gen, rate, placing.place); };
            if (rate > 0) plan.by_arrival.push_back("--rate");
            Cat cat{CatOptions{}};
            return Pump(plan, cat, tool.fields(), tool.diagnostics()).run();
        }
        Generator generator(gen);
        Output out(1, "stdout");
        return rate > 0 ? write_paced(generator, out, rate) : write_all(generator, out);
    });
}
