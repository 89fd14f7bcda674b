// SPDX-License-Identifier: Apache-2.0
// Whether a disk that a crash left keeps the promises: opened as readers, writers and the next upkeep would.
#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>

#include "fault/log_crash.hpp"
#include "log/groups.hpp"

namespace stream::test {

namespace {

// Everything that looks like a Zstandard frame, decompressed as far as it goes.
std::string decompressed(std::string_view bytes) {
    constexpr std::string_view magic = "\x28\xB5\x2F\xFD";
    std::string all;
    std::string block(1 << 16, '\0');
    const std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream(ZSTD_createDStream(), &ZSTD_freeDStream);
    for (std::size_t at = bytes.find(magic); at != std::string_view::npos; at = bytes.find(magic, at + 1)) {
        ZSTD_initDStream(stream.get());
        ZSTD_inBuffer in{bytes.data() + at, bytes.size() - at, 0};
        for (;;) {
            ZSTD_outBuffer out{block.data(), block.size(), 0};
            const std::size_t left = ZSTD_decompressStream(stream.get(), &out, &in);
            all.append(block, 0, out.pos);
            if (ZSTD_isError(left) || left == 0 || (out.pos < block.size() && in.pos == in.size)) break;
        }
        all.push_back('\n');
    }
    return all;
}

class Judge {
public:
    Judge(const SimulatedDisk& state, Model& model, const Expect& expect, const std::string& plant, std::uint64_t seed)
        : random_(seed), disk_(state.killed(random_.next())), files_(*disk_, plant), model_(model), expect_(expect), plant_(plant) {}

    void judge() {
        if (!log::is_log(files_, model_.folder)) {
            if (model_.created) throw Violation{"there is no log any more"};
            if (expect_.may_be_damaged) return;
            model_.created = model_.creating = false;
        } else {
            // What a killed creation made may be in the page cache alone.
            model_.created = model_.created || expect_.power_failed;
            judge_secrets(*disk_, model_);
            judge_kept();
            if (!model_.needs_repair) judge_reading();
            else if (expect_.power_failed) model_.lose_what_is_not_synced();
            judge_groups(model_);
            if (!model_.needs_repair) judge_recovery();
            if (expect_.may_be_damaged) return;
        }
        Model later = model_;
        go_further(later);
    }

private:
    // What readers show of a log that nobody has recovered yet.
    void judge_reading() {
        const std::uint64_t changes = disk_->changes();
        read_ = read_all(files_, model_.folder);
        if (disk_->changes() != changes) throw Violation{"a reader wrote to the disk"};
        const auto manifest = ok(log::Manifest::load(files_, model_.folder), "Manifest::load");
        try {
            model_.judge(read_, !expect_.power_failed && expect_.acknowledged, expect_.acknowledged);
            model_.judge_runs(read_, manifest);
        } catch (Violation& violation) {
            throw Violation{"a reader, before any recovery: " + violation.text};
        }
        if (!expect_.power_failed) return;
        model_.settle(read_);
        model_.settle_runs(manifest);
    }

    void judge_kept() {
        if (model_.must_be_kept.empty()) return;
        const auto files = files_of(*disk_, model_.folder);
        for (const std::string& bytes : model_.must_be_kept) {
            const bool there = std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.second.find(bytes) != std::string::npos; });
            if (!there) throw Violation{fmt::format("{} bytes that recovery cut are in no file: {}", bytes.size(), shown(bytes))};
        }
    }

    void judge_recovery() {
        const auto before = files_of(*disk_, model_.folder);
        auto writer = std::make_unique<log::LogWriter>(ok(log::LogWriter::open(files_, model_.folder, {}), "LogWriter::open (recovery)"));
        const SeenLog seen = read_all(files_, model_.folder);
        try {
            model_.judge(seen, !expect_.power_failed && expect_.acknowledged, expect_.acknowledged);
            model_.judge_runs(seen, writer->manifest());
        } catch (Violation& violation) {
            throw Violation{"after recovery: " + violation.text};
        }
        const bool same_beginning = seen.records.size() >= read_.records.size() && std::equal(read_.records.begin(), read_.records.end(), seen.records.begin());
        if (!same_beginning || seen.sequence < read_.sequence || (expect_.power_failed && seen != read_)) {
            throw Violation{fmt::format("a reader showed {} records up to sequence {}, recovery kept {} up to {}", read_.records.size(), read_.sequence,
                                        seen.records.size(), seen.sequence)};
        }
        const auto after = files_of(*disk_, model_.folder);
        note_cuts(before, after);
        writer.reset();  // a log may have a single writer
        static_cast<void>(ok(log::LogWriter::open(files_, model_.folder, {}), "LogWriter::open (again)"));
        const auto again = files_of(*disk_, model_.folder);
        for (const auto& [path, bytes] : again) {
            const auto found = after.find(path);
            if (found == after.end() || found->second != bytes) throw Violation{"a second recovery changed " + path};
        }
        if (again.size() != after.size()) throw Violation{"a second recovery removed a file"};
    }

    // What recovery cut off is in quarantine; with the power failed, all of it was on the platter.
    void note_cuts(const std::map<std::string, std::string>& before, const std::map<std::string, std::string>& after) {
        if (!model_.secrets.empty() || (model_.upkeep && !model_.upkeep->secret.empty())) return;
        for (const auto& [path, bytes] : before) {
            const auto now = after.find(path);
            if (!path.ends_with(".seg") || now == after.end() || now->second.size() >= bytes.size()) continue;
            std::string cut = bytes.substr(now->second.size());
            const bool kept = std::any_of(after.begin(), after.end(), [&](const auto& file) {
                return file.first.find("/quarantine/") != std::string::npos && file.second.find(cut) != std::string::npos;
            });
            if (!kept) throw Violation{fmt::format("recovery cut {} bytes of {}, and kept no copy", cut.size(), path)};
            if (expect_.power_failed && cut.find_first_not_of('\0') != std::string::npos) model_.must_be_kept.push_back(std::move(cut));
        }
    }

    void judge_groups(Model& model) {
        if (model.groups.empty()) return;
        const auto manifest = ok(log::Manifest::load(files_, model.folder), "Manifest::load");
        for (auto& [name, moves] : model.groups) {
            const std::uint64_t changes = disk_->changes();
            auto group = ok(log::Group::open(files_, model.folder, name, manifest.log_id(), model.config.partitions), "Group::open");
            if (disk_->changes() != changes) throw Violation{"opening a group wrote to the disk"};
            model.judge_group(name, group.state());
            if (expect_.power_failed) moves = {group.state(), std::nullopt};
        }
    }

    // The log goes on: what was cut is done again, records are appended, the power fails once more.
    void go_further(Model& later) {
        World world(*disk_, plant_, later, random_.next());
        go_on(world);
        move_groups(later);
        const SeenLog seen = read_all(files_, later.folder);
        try {
            later.judge(seen, true);
            later.judge_runs(seen, ok(log::Manifest::load(files_, later.folder), "Manifest::load"));
            judge_secrets(*disk_, later);
        } catch (Violation& violation) {
            throw Violation{"after going on: " + violation.text};
        }
        if (expect_.names_are_lost) return;
        const auto crashed = disk_->crash(random_.next());
        try {
            const SeenLog left = read_all(*crashed, later.folder);
            later.judge(left, true);
            later.judge_runs(left, ok(log::Manifest::load(*crashed, later.folder), "Manifest::load"));
            judge_secrets(*crashed, later);
            for (const auto& [name, moves] : later.groups) later.judge_group(name, group_on(*crashed, later, name).state());
        } catch (Violation& violation) {
            throw Violation{"after going on, and another power failure: " + violation.text};
        }
    }

    static log::Group group_on(FileSystem& files, const Model& model, const std::string& name) {
        const auto manifest = ok(log::Manifest::load(files, model.folder), "Manifest::load");
        return ok(log::Group::open(files, model.folder, name, manifest.log_id(), model.config.partitions), "Group::open");
    }

    void move_groups(Model& model) {
        for (auto& [name, moves] : model.groups) {
            auto group = group_on(files_, model, name);
            model.judge_group(name, group.state());
            moves = {group.state(), std::nullopt};
            const std::uint64_t to = moves.before.positions[0].value_or(0) + 1;
            ok(group.commit({{0, to}}, moves.before.generation), "Group::commit");
            moves.before.positions[0] = to;
            model.judge_group(name, group.state());
        }
    }

    SeededRandom random_;
    std::unique_ptr<SimulatedDisk> disk_;
    Seam files_;
    Model& model_;
    const Expect& expect_;
    const std::string& plant_;
    SeenLog read_;
};

}  // namespace

void judge_secrets(SimulatedDisk& disk, const Model& model) {
    if (model.secrets.empty()) return;
    for (const auto& [path, bytes] : files_of(disk)) {
        const std::string inside = decompressed(bytes);
        for (const std::string& secret : model.secrets) {
            if (bytes.find(secret) != std::string::npos) throw Violation{"excised bytes are in " + path};
            if (inside.find(secret) != std::string::npos) throw Violation{"excised bytes are in " + path + ", compressed"};
        }
    }
}

void judge_disk(const SimulatedDisk& disk, Model& model, const Expect& expect, const std::string& plant, std::uint64_t seed) {
    try {
        Judge(disk, model, expect, plant, seed).judge();
    } catch (const OperationFailed& failed) {
        if (expect.may_be_damaged && failed.error.kind() == ErrorKind::corrupt) return;
        throw Violation{fmt::format("{}: {}", failed.what, failed.error.message())};
    }
}

std::uint64_t judge_living(SimulatedDisk& disk, const Model& model) {
    if (!model.created || model.needs_repair) return 0;
    Seam files(disk, "unlockable");
    try {
        const SeenLog seen = read_all(files, model.folder);
        model.judge(seen, true);
        return seen.sequence;
    } catch (Violation& violation) {
        throw Violation{"a reader beside the writer: " + violation.text};
    } catch (const OperationFailed& failed) {
        throw Violation{fmt::format("a reader beside the writer: {}: {}", failed.what, failed.error.message())};
    }
}

}  // namespace stream::test
