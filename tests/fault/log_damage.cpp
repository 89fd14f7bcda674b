// SPDX-License-Identifier: Apache-2.0
// The damage campaign of the log, as a program: see fault/log_damage.hpp.
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <string>

#include "fault/log_damage.hpp"
#include "log/maintain.hpp"

namespace {

using namespace stream::test;

constexpr const char* help =
    "usage: log_damage [--positions N] [--repair N] [--seed N] [--show N]\n"
    "       log_damage --only SCENE FILE NUMBER\n"
    "Damages N positions of each kind of file (0: all there are), tries to repair each Nth of them, and tells what\n"
    "went wrong, with the command that shows it again; the exit status is then 1.\n";

struct Options {
    std::uint64_t positions = 20000;
    std::uint64_t repair = 40;
    std::uint64_t seed = 1;
    std::size_t show = 20;
    std::string scene;
    std::size_t file = 0;
    std::size_t number = 0;
};

struct Count {
    std::uint64_t all = 0;
    std::uint64_t done = 0;
    std::uint64_t repaired = 0;
    std::uint64_t wrong = 0;
    double seconds = 0;
};

std::string judged(const Scene& scene, const Target& target, const Damage& damage, Depth depth) {
    try {
        return judge(scene, target, damage, depth);
    } catch (const std::exception& error) {
        return std::string("thrown: ") + error.what();
    }
}

int run_one(const Options& options) {
    const Scene scene = make_scene(options.scene);
    const Target& target = scene.targets.at(options.file);
    const Damage damage = damages_of(target).at(options.number);
    const std::string wrong = judged(scene, target, damage, Depth::repair);
    for (const WrittenFrame& frame : target.frames) {
        std::cout << fmt::format("frame {} to {}, offsets {} to {}, durable {}\n", frame.begin, frame.end, frame.offset, frame.end_offset - 1, frame.durable);
    }
    const auto disk = scene.disk->killed(1);
    static_cast<void>(apply(damage, target, *disk));
    static_cast<void>(stream::log::verify_log(*disk, damage_folder, [](const stream::log::Problem& problem) {
        std::cout << fmt::format("verify: {}: {} ({} to {}){}, partition {}, offsets {} to {}\n", problem.file, problem.what, problem.from, problem.to,
                                 problem.is_damage ? "" : ", no damage", problem.partition, problem.first_offset, problem.last_offset);
    }));
    std::cout << fmt::format("{} ({}, {} bytes), {}: {}\n", target.path, name_of(target.kind), target.bytes.size(), damage.text(), wrong.empty() ? "right" : wrong);
    return wrong.empty() ? 0 : 1;
}

class Campaign {
public:
    explicit Campaign(const Options& options) : options_(options) {}

    int run() {
        std::vector<Scene> scenes;
        for (const std::string& name : scene_names()) {
            if (name == "64 KiB" && options_.positions != 0) continue;
            scenes.push_back(make_scene(name));
            for (const Target& target : scenes.back().targets) counts_[static_cast<std::size_t>(target.kind)].all += damages_of(target).size();
        }
        for (const Scene& scene : scenes) {
            for (std::size_t file = 0; file < scene.targets.size(); ++file) damage_file(scene, file);
        }
        std::uint64_t wrong = 0;
        for (std::size_t kind = 0; kind < file_kinds; ++kind) {
            const Count& count = counts_[kind];
            std::cout << fmt::format("{}: {} of {} damages judged, {} repaired, {} wrong, {:.1f} s\n", name_of(static_cast<FileKindOf>(kind)), count.done, count.all,
                                     count.repaired, count.wrong, count.seconds);
            wrong += count.wrong;
        }
        for (const auto& [what, number] : kinds_of_wrong_) std::cout << fmt::format("{} times: {}\n", number, what);
        return wrong == 0 ? 0 : 1;
    }

private:
    // Every bit of a segment is flipped and read; verifying, too, is for one bit of each byte, where it is all of them.
    Depth depth_of(const Target& target, const Damage& damage) const {
        const bool is_segment = target.kind == FileKindOf::sealed || target.kind == FileKindOf::active || target.kind == FileKindOf::archived;
        const bool one_of_eight = damage.at % 8 == damage.at / 8 % 8;
        return options_.positions == 0 && is_segment && damage.kind == Damage::Kind::flip_bit && !one_of_eight ? Depth::reading : Depth::verify;
    }

    void damage_file(const Scene& scene, std::size_t file) {
        const Target& target = scene.targets[file];
        Count& count = counts_[static_cast<std::size_t>(target.kind)];
        const std::uint64_t stride = options_.positions == 0 ? 1 : std::max<std::uint64_t>(1, count.all / options_.positions);
        const auto begin = std::chrono::steady_clock::now();
        const std::vector<Damage> damages = damages_of(target);
        for (std::size_t i = 0; i < damages.size(); ++i) {
            // Flips and lengths are drawn, all else is done whole.
            const bool drawn = damages[i].kind == Damage::Kind::flip_bit || damages[i].kind == Damage::Kind::truncate;
            if (drawn && stride > 1 && random_.below(stride) != 0) continue;
            ++count.done;
            const bool repair = options_.repair != 0 && (!drawn || count.done % options_.repair == 0);
            count.repaired += repair ? 1 : 0;
            const std::string wrong = judged(scene, target, damages[i], repair ? Depth::repair : depth_of(target, damages[i]));
            if (!wrong.empty()) tell(scene, file, i, damages[i], wrong);
        }
        count.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }

    void tell(const Scene& scene, std::size_t file, std::size_t number, const Damage& damage, const std::string& wrong) {
        const Target& target = scene.targets[file];
        ++counts_[static_cast<std::size_t>(target.kind)].wrong;
        const std::string what = fmt::format("{}, {}", name_of(target.kind), wrong.substr(0, wrong.find(": ")));
        if (++kinds_of_wrong_[what] > 2 || kinds_of_wrong_.size() > options_.show) return;
        std::cout << fmt::format("{}, {}: {}\n    log_damage --only \"{}\" {} {}\n", target.path, damage.text(), wrong, scene.name, file, number);
    }

    const Options& options_;
    SeededRandom random_{options_.seed};
    std::array<Count, file_kinds> counts_{};
    std::map<std::string, std::uint64_t> kinds_of_wrong_;
};

}  // namespace

int main(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const auto number = [&] { return i + 1 < argc ? std::strtoull(argv[++i], nullptr, 10) : 0; };
        if (argument == "--positions") options.positions = number();
        else if (argument == "--repair") options.repair = number();
        else if (argument == "--seed") options.seed = number();
        else if (argument == "--show") options.show = number();
        else if (argument == "--only" && i + 3 < argc) {
            options.scene = argv[++i];
            options.file = number();
            options.number = number();
        } else {
            std::cerr << help;
            return 2;
        }
    }
    return options.scene.empty() ? Campaign(options).run() : run_one(options);
}
