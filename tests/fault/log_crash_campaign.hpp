// SPDX-License-Identifier: Apache-2.0
// Runs scenarios, and draws and judges what may become of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>

#include "fault/log_crash.hpp"

namespace stream::test {

// A call of the disk that fails or is not done, in the words of the command line: KIND:N:ERROR[:always],
// ERROR being EIO, ENOSPC or lie.
struct PlannedFault {
    Call kind = Call::write;
    std::uint64_t nth = 1;
    int error_number = 0;  // 0: it says that it did, and did nothing
    bool lasting = false;

    std::string text() const;
    static bool parse(const std::string& text, PlannedFault& fault);
};

struct CampaignOptions {
    std::string plant;
    std::uint64_t only_stop = 0;  // 0: all
    std::int64_t only_draw = -1;  // -1: all
    std::uint64_t draws = 6;      // at each stop
    std::uint64_t nested = 8;     // one state in so many is recovered with crashes within
    bool trace = false;
    std::uint64_t failures_max = 20;
};

class Campaign {
public:
    explicit Campaign(CampaignOptions options) : options_(std::move(options)) {}

    // The scenario, and the crashes at each of its stops.
    void run(const Scenario& scenario, std::uint64_t seed);
    // The scenario with a fault, and what is found afterwards. False: it has not so many such calls.
    bool run_with_fault(const Scenario& scenario, std::uint64_t seed, const PlannedFault& fault);

    std::uint64_t states() const { return distinct_.size(); }
    std::uint64_t judged() const { return judged_; }
    std::uint64_t stops() const { return stops_; }
    std::uint64_t faults() const { return faults_; }
    std::uint64_t failures() const { return failures_; }
    bool enough() const { return failures_ >= options_.failures_max; }

private:
    struct Place {  // for messages, and to do it again
        const Scenario& scenario;
        std::uint64_t seed;
        std::string what;
    };
    static constexpr unsigned depth_max = 3;

    void draw_states(const Place& place, const SimulatedDisk& disk, const Model& model, const Stop& stop);
    // Judges the state, and at times the states that crashes in its recovery leave.
    void explore(const SimulatedDisk& disk, Model model, const Expect& expect, unsigned depth, std::uint64_t seed);
    void crash_recovery(const SimulatedDisk& disk, const Model& model, unsigned depth, std::uint64_t seed);
    void tell(const Place& place, const std::string& text);

    CampaignOptions options_;
    std::unordered_set<std::uint64_t> distinct_;
    std::unordered_set<std::uint64_t> known_;  // with what was expected of them
    std::uint64_t judged_ = 0;
    std::uint64_t stops_ = 0;
    std::uint64_t faults_ = 0;
    std::uint64_t failures_ = 0;
    std::map<std::string, std::uint64_t> told_;
};

}  // namespace stream::test
