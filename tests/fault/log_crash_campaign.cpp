// SPDX-License-Identifier: Apache-2.0
#include "fault/log_crash_campaign.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/hash.hpp"

namespace stream::test {

namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) { return SeededRandom(a * 0x9E3779B97F4A7C15u + b).next(); }

Dials dials_of(std::uint64_t seed) {
    Dials dials;
    dials.names = seed % 2 == 0 ? Names::in_order : Names::any_subset;
    const std::uint64_t torn = seed / 2 % 8;
    dials.torn = torn == 7 ? Torn::sector : torn >= 5 ? Torn::changed_bytes : Torn::never;
    return dials;
}

// What a crash of this disk owes. Where sectors go whole, synced records in them go too.
Expect owed(const Dials& dials, bool power_failed) {
    Expect expect;
    expect.power_failed = power_failed;
    if (power_failed && dials.torn == Torn::sector) {
        expect.acknowledged = false;
        expect.may_be_damaged = true;
    }
    return expect;
}

// The processes died within the call at the stop: of a write a part may be there.
std::unique_ptr<SimulatedDisk> killed_at(const SimulatedDisk& disk, const Stop& stop, std::uint64_t seed) {
    SeededRandom random(seed);
    auto left = disk.killed(random.next());
    if (!stop.is_write || random.one_in(3)) return left;
    auto file = left->open_if_there(std::string(stop.path), Open::write);
    if (file && *file != nullptr) static_cast<void>((*file)->write_at(stop.bytes.substr(0, random.below(stop.bytes.size() + 1)), stop.position));
    return left;
}

constexpr std::pair<const char*, Call> kinds[] = {
    {"write", Call::write}, {"sync", Call::sync},   {"truncate", Call::truncate}, {"create", Call::create},           {"rename", Call::rename},
    {"remove", Call::remove}, {"sync_folder", Call::sync_folder}, {"read", Call::read}, {"make_folder", Call::make_folder}, {"open", Call::open},
    {"close", Call::close}, {"lock", Call::lock}, {"list", Call::list}, {"size", Call::size}};

}  // namespace

std::string PlannedFault::text() const {
    std::string name;
    for (const auto& [text, call] : kinds) name = call == kind ? text : name;
    return fmt::format("{}:{}:{}{}", name, nth, error_number == 0 ? "lie" : error_number == ENOSPC ? "ENOSPC" : "EIO", lasting ? ":always" : "");
}

bool PlannedFault::parse(const std::string& text, PlannedFault& fault) {
    const std::size_t first = text.find(':');
    const std::size_t second = text.find(':', first + 1);
    if (second == std::string::npos) return false;
    for (const auto& [name, call] : kinds) {
        if (text.substr(0, first) == name) fault.kind = call;
    }
    fault.nth = std::strtoull(text.c_str() + first + 1, nullptr, 10);
    const std::string error = text.substr(second + 1);
    fault.error_number = error.starts_with("lie") ? 0 : error.starts_with("ENOSPC") ? ENOSPC : EIO;
    fault.lasting = error.ends_with(":always");
    return true;
}

void Campaign::tell(const Place& place, const std::string& text) {
    ++failures_;
    // The same promise broken at many places is told a few times.
    constexpr std::uint64_t often = 3;
    std::string form = place.scenario.name + text;
    std::erase_if(form, [](char c) { return c >= '0' && c <= '9'; });
    if (++told_[form.substr(0, 60)] > often) return;
    const std::string plant = options_.plant.empty() ? "" : " --plant " + options_.plant;
    fmt::print("BROKEN: {}\n  log_crash --scenario {} --seed {} {}{}\n", text, place.scenario.name, place.seed, place.what, plant);
    std::fflush(stdout);
}

void Campaign::run(const Scenario& scenario, std::uint64_t seed) {
    const Dials dials = dials_of(seed);
    SimulatedDisk disk(mix(seed, 1), dials);
    disk.keep_trace(options_.trace);
    Model model;
    World world(disk, options_.plant, model, mix(seed, 2));
    world.files.set_hook([&](const Stop& stop) {
        if (enough() || (options_.only_stop != 0 && stop.number != options_.only_stop)) return;
        ++stops_;
        draw_states({scenario, seed, fmt::format("--stop {}", stop.number)}, disk, model, stop);
    });
    try {
        scenario.run(world);
        const Stop end{world.files.stops() + 1, "end", "", false, "", 0};
        if (!enough() && (options_.only_stop == 0 || options_.only_stop == end.number)) {
            draw_states({scenario, seed, fmt::format("--stop {}", end.number)}, disk, model, end);
        }
    } catch (const OperationFailed& failed) {
        tell({scenario, seed, ""}, fmt::format("without any fault: {}: {}", failed.what, failed.error.message()));
    } catch (const Violation& violation) {
        tell({scenario, seed, ""}, "without any fault: " + violation.text);
    }
}

void Campaign::draw_states(const Place& place, const SimulatedDisk& disk, const Model& model, const Stop& stop) {
    const std::uint64_t here = mix(place.seed, stop.number);
    const std::uint64_t draws = place.scenario.share == 0 ? (options_.draws + 2) / 3 : options_.draws;
    Model shown = model;
    try {  // the living log, once at each stop; the disk is only read
        const auto living = disk.killed(mix(here, 0));
        shown.note_shown(judge_living(*living, model));
    } catch (const Violation& violation) {
        tell({place.scenario, place.seed, place.what}, fmt::format("{} ({} {}): {}", place.scenario.name, stop.what, stop.path, violation.text));
        return;
    }
    for (std::uint64_t draw = 0; draw < draws; ++draw) {
        if (options_.only_draw >= 0 && draw != static_cast<std::uint64_t>(options_.only_draw)) continue;
        const std::uint64_t seed = mix(here, draw);
        std::string story;
        std::unique_ptr<SimulatedDisk> left;
        if (draw < 2) left = killed_at(disk, stop, seed);
        if (draw == 1) left = left->crash(seed, options_.trace ? &story : nullptr);
        if (draw >= 2) left = disk.crash(seed, options_.trace ? &story : nullptr);
        if (options_.trace) {
            const auto& trace = disk.trace();
            for (std::size_t i = trace.size() > 60 ? trace.size() - 60 : 0; i < trace.size(); ++i) fmt::print("  {}\n", trace[i]);
            fmt::print("  stop {}: {} {}\n{}\n", stop.number, stop.what, stop.path, story);
            for (const auto& [path, bytes] : files_of(*left)) fmt::print("  {} {}\n", path, bytes.size());
        }
        try {
            explore(*left, shown, owed(dials_of(place.seed), draw != 0), 1, seed);
        } catch (const Violation& violation) {
            tell({place.scenario, place.seed, fmt::format("{} --draw {}", place.what, draw)},
                 fmt::format("{} ({} {}, {}): {}", place.scenario.name, stop.what, stop.path, draw == 0 ? "killed" : "power failed", violation.text));
        }
    }
}

void Campaign::explore(const SimulatedDisk& disk, Model model, const Expect& expect, unsigned depth, std::uint64_t seed) {
    std::uint64_t state = 0;
    {
        const auto copy = disk.killed(seed);
        for (const auto& [path, bytes] : files_of(*copy)) {
            // Who held the lock is no state.
            if (path.ends_with("/LOCK") || path.ends_with("/UPKEEP") || path.ends_with("/WRITER")) continue;
            state = hash64(bytes, state ^ hash64(path, state));
        }
    }
    distinct_.insert(state);
    if (!known_.insert(mix(state, model.hash() + (expect.power_failed ? 1 : 0))).second && options_.only_draw < 0) return;
    ++judged_;
    if (!expect.acknowledged) model.expect_little();
    judge_disk(disk, model, expect, options_.plant, seed);
    if (expect.may_be_damaged || depth >= depth_max || !SeededRandom(seed).one_in(depth == 1 ? options_.nested : 3)) return;
    crash_recovery(disk, model, depth, seed);
}

void Campaign::crash_recovery(const SimulatedDisk& disk, const Model& model, unsigned depth, std::uint64_t seed) {
    const auto copy = disk.killed(seed);
    Model later = model;
    World world(*copy, options_.plant, later, mix(seed, 3));
    SeededRandom random(mix(seed, 4));
    std::string where;
    world.files.set_hook([&](const Stop& stop) {
        if (!random.one_in(4)) return;
        for (int draw = 0; draw < 2; ++draw) {
            const bool power_fails = !random.one_in(3);
            where = fmt::format("(recovery's stop {}: {} {}, {}) ", stop.number, stop.what, stop.path, power_fails ? "power failed" : "killed");
            const auto left = power_fails ? copy->crash(random.next()) : killed_at(*copy, stop, random.next());
            explore(*left, later, owed(copy->dials(), power_fails), depth + 1, random.next());
        }
        where.clear();
    });
    try {
        go_on(world);
    } catch (Violation& violation) {
        throw Violation{where + violation.text};
    } catch (const OperationFailed& failed) {
        throw Violation{fmt::format("{}{}: {}", where, failed.what, failed.error.message())};
    }
}

bool Campaign::run_with_fault(const Scenario& scenario, std::uint64_t seed, const PlannedFault& fault) {
    const Dials dials = dials_of(seed);
    SimulatedDisk disk(mix(seed, 1), dials);
    disk.keep_trace(options_.trace);
    if (fault.error_number == 0) disk.ignore_call(fault.kind, fault.nth, fault.lasting);
    else disk.fail_call(fault.kind, fault.nth, fault.error_number, fault.lasting);
    Model model;
    World world(disk, options_.plant, model, mix(seed, 2));
    const Place place{scenario, seed, "--fault " + fault.text()};
    const bool lies = fault.error_number == 0;
    bool went_wrong = false;
    SeededRandom random(mix(seed, hash64(fault.text(), 0)));
    const std::uint64_t stop_at = lies ? random.below(150) + 1 : 0;
    if (stop_at != 0) disk.stop_at_change(stop_at);
    const bool names_are_lost = fault.kind == Call::sync_folder && !lies;
    // What is done about the failure may be cut short, too.
    std::string where;
    if (!lies && !fault.lasting) {
        world.files.set_hook([&](const Stop& stop) {
            if (disk.calls(fault.kind) < fault.nth || enough() || !random.one_in(2)) return;
            const bool power_fails = random.one_in(2);
            where = fmt::format("(then, at {} {}, {}) ", stop.what, stop.path, power_fails ? "power failed" : "killed");
            const auto left = power_fails ? disk.crash(random.next()) : killed_at(disk, stop, random.next());
            Expect expect = owed(dials, power_fails);
            expect.names_are_lost = names_are_lost && !power_fails;
            explore(*left, model, expect, depth_max, random.next());
            where.clear();
        });
    }
    try {
        try {
            scenario.run(world);
        } catch (const SimulatedCrash&) {
        } catch (const OperationFailed& failed) {
            went_wrong = true;
            if (failed.error.kind() != ErrorKind::io && !(lies && failed.error.kind() == ErrorKind::corrupt)) {
                throw Violation{fmt::format("no failure of the system: {}: {}", failed.what, failed.error.message())};
            }
        }
        if (disk.calls(fault.kind) < fault.nth) return false;
        // Not the log's: what holds it.
        if (!model.creating && !model.created) return true;
        ++faults_;
        if (options_.trace) {
            for (const auto& line : disk.trace()) fmt::print("  {}\n", line);
        }
        for (int draw = 0; draw < 3; ++draw) {
            const auto left = draw == 0 ? disk.killed(random.next()) : disk.crash(random.next());
            Expect expect = owed(dials, draw != 0);
            expect.names_are_lost = names_are_lost && draw == 0;
            if (lies) {
                if (draw == 0) continue;
                expect.acknowledged = false;
                expect.may_be_damaged = true;
            }
            explore(*left, model, expect, depth_max, random.next());
        }
        // The process goes on where the fault is over.
        if (!lies && !fault.lasting && went_wrong && !names_are_lost) {
            if (!log::is_log(disk, model.folder) && model.created) throw Violation{"there is no log any more"};
            go_on(world);
            model.judge(read_all(disk, model.folder), true);
            explore(*disk.crash(random.next()), model, owed(dials, true), depth_max, random.next());
        }
    } catch (const Violation& violation) {
        tell(place, fmt::format("{} with {}: {}{}", scenario.name, fault.text(), where, violation.text));
    } catch (const OperationFailed& failed) {
        tell(place, fmt::format("{} with {}, afterwards: {}: {}", scenario.name, fault.text(), failed.what, failed.error.message()));
    }
    return true;
}

}  // namespace stream::test
