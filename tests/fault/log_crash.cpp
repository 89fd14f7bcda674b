// SPDX-License-Identifier: Apache-2.0
// The simulator campaign of the log, as a program: see fault/log_crash.hpp.
#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "fault/log_crash_campaign.hpp"

namespace {

using namespace stream::test;

constexpr const char* help =
    "usage: log_crash [--states N] [--faults N] [--seed N] [--scenario NAME] [--plant NAME]\n"
    "       log_crash --scenario NAME --seed N --stop N --draw N [--trace]\n"
    "       log_crash --scenario NAME --seed N --fault KIND:N:EIO|ENOSPC|lie[:always] [--trace]\n"
    "       log_crash --list | --plants\n"
    "Crashes the log on a simulated disk until N distinct states were judged. A broken promise is told with the\n"
    "command that shows it again; the exit status is then 1.\n";

struct Options {
    CampaignOptions campaign;
    std::uint64_t states = 20000;
    std::uint64_t faults = 60;  // of each scenario in each round
    std::uint64_t seed = 1;
    bool one_seed = false;
    std::string scenario;
    std::string fault;
};

void campaign_of_faults(Campaign& campaign, const Scenario& scenario, std::uint64_t seed, std::uint64_t number) {
    constexpr Call kinds[] = {Call::write, Call::sync, Call::sync_folder, Call::create, Call::truncate, Call::rename, Call::remove, Call::read,
                              Call::open,  Call::size, Call::close};
    SeededRandom random(seed * 7919);
    const std::uint64_t much = scenario.share == 0 ? number / 4 : number;
    for (std::uint64_t i = 0; i < much && !campaign.enough(); ++i) {
        PlannedFault fault;
        fault.kind = random.one_in(2) ? kinds[random.below(2)] : kinds[random.below(std::size(kinds))];
        fault.error_number = random.one_in(5) ? 0 : random.one_in(2) ? ENOSPC : EIO;
        if (fault.error_number == 0) fault.kind = random.one_in(3) ? Call::sync_folder : Call::sync;
        fault.lasting = random.one_in(3);
        for (std::uint64_t most = 256; most > 0; most /= 2) {
            fault.nth = 1 + random.below(most);
            if (campaign.run_with_fault(scenario, seed, fault)) break;
        }
    }
}

int run(const Options& options) {
    const auto begin = std::chrono::steady_clock::now();
    Campaign campaign(options.campaign);
    std::uint64_t rounds = 0;
    bool known = false;
    for (std::uint64_t seed = options.seed; !campaign.enough(); ++seed) {
        for (const Scenario& scenario : scenarios()) {
            if (!options.scenario.empty() && scenario.name != options.scenario) continue;
            known = true;
            if (!options.fault.empty()) {
                PlannedFault fault;
                if (!PlannedFault::parse(options.fault, fault)) return 2;
                campaign.run_with_fault(scenario, seed, fault);
                continue;
            }
            campaign.run(scenario, seed);
            if (options.campaign.only_stop == 0) campaign_of_faults(campaign, scenario, seed, options.faults);
            if (campaign.enough()) break;
        }
        if (!known) {
            fmt::print(stderr, "log_crash: no scenario {}: --list tells them\n", options.scenario);
            return 2;
        }
        ++rounds;
        if (campaign.states() >= options.states || options.one_seed) break;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    fmt::print("log_crash: {} distinct crash states ({} judged, {} stops), {} faults, seeds {} to {}, {:.0f} s: {} broken promises\n", campaign.states(),
               campaign.judged(), campaign.stops(), campaign.faults(), options.seed, options.seed + rounds - 1, took.count(), campaign.failures());
    return campaign.failures() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--list" || name == "--plants") {
            if (name == "--plants") {
                for (const Plant& plant : plants()) fmt::print("{} {}\n", plant.name, plant.scenario);
            } else {
                for (const auto& scenario : scenarios()) fmt::print("{}\n", scenario.name);
            }
            return 0;
        }
        if (name == "--trace") {
            options.campaign.trace = true;
            continue;
        }
        if (i + 1 == argc || !name.starts_with("--")) {
            std::fputs(help, name == "--help" ? stdout : stderr);
            return name == "--help" ? 0 : 2;
        }
        const char* value = argv[++i];
        const std::uint64_t number = std::strtoull(value, nullptr, 10);
        if (name == "--states") options.states = number;
        else if (name == "--faults") options.faults = number;
        else if (name == "--seed") options.seed = number;
        else if (name == "--scenario") options.scenario = value;
        else if (name == "--plant") options.campaign.plant = value;
        else if (name == "--stop") options.campaign.only_stop = number;
        else if (name == "--draw") options.campaign.only_draw = static_cast<std::int64_t>(number);
        else if (name == "--nested") options.campaign.nested = number;
        else if (name == "--draws") options.campaign.draws = number;
        else if (name == "--failures") options.campaign.failures_max = number;
        else if (name == "--fault") options.fault = value;
        else {
            std::fputs(help, stderr);
            return 2;
        }
        options.one_seed = options.campaign.only_stop != 0 || !options.fault.empty();
    }
    return run(options);
}
