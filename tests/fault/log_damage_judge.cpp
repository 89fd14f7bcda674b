// SPDX-License-Identifier: Apache-2.0
// Whether what the log makes of a damaged file is right.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "fault/log_damage.hpp"
#include "log/head.hpp"
#include "log/maintain.hpp"
#include "log/manifest.hpp"
#include "log/reader.hpp"
#include "log/writer.hpp"

namespace stream::test {

using namespace stream::log;

namespace {

struct ReadOut {
    DamageRecords records;
    std::optional<Error> error;
    std::size_t told = 0;  // damages passed over
};

ReadOut read_out(SimulatedDisk& disk, bool skip) {
    ReadOut out;
    ReaderOptions options;
    options.skip_corrupt = skip;
    auto reader = LogReader::open(disk, damage_folder, options);
    if (!reader) {
        out.error.emplace(std::move(reader.error()));
        return out;
    }
    out.records.resize(reader->manifest().config().partitions);
    constexpr std::size_t steps_max = 100'000;  // it goes on for ever
    Run run;
    for (std::size_t step = 0; step < steps_max; ++step) {
        auto next = reader->next(run);
        if (!next) {
            out.error.emplace(std::move(next.error()));
            return out;
        }
        if (*next == LogReader::Next::end) return out;
        if (*next == LogReader::Next::damage) ++out.told;
        if (*next != LogReader::Next::records) continue;
        std::string_view rest = run.lines;
        for (std::uint32_t i = 0; i < run.records; ++i) {
            const std::size_t end = rest.find('\n');
            out.records[run.partition].push_back({run.offset_of(i), std::string(rest.substr(0, end))});
            rest.remove_prefix(end + 1);
        }
    }
    out.error.emplace(ErrorKind::limit, "reading does not end");
    return out;
}

// Each of them was appended, and none comes twice or before another.
std::string wrong_record(const DamageRecords& read, const DamageRecords& written) {
    for (std::size_t p = 0; p < read.size(); ++p) {
        auto at = written.at(p).begin();
        for (const DamageRecord& record : read[p]) {
            const auto found = std::find(at, written[p].end(), record);
            if (found == written[p].end()) return fmt::format("partition {}: offset {} was read as {}", p, record.offset, record.text);
            at = found + 1;
        }
    }
    return "";
}

bool contains(const std::vector<DamageRecord>& records, std::uint64_t offset) {
    return std::any_of(records.begin(), records.end(), [&](const DamageRecord& record) { return record.offset == offset; });
}

class Judge {
public:
    Judge(const Scene& scene, const Target& target, const Damage& damage) : scene_(scene), target_(target), damage_(damage) {}

    std::string run(Depth depth) {
        disk_ = scene_.disk->killed(99);
        now_ = apply(damage_, target_, *disk_);
        if (now_ == target_.bytes && damage_.kind != Damage::Kind::duplicate && !is_gone()) return "";  // nothing changed
        look_at_frames();
        std::string wrong = check_reading();
        if (depth == Depth::reading) return wrong;
        if (wrong.empty()) wrong = check_verify();
        if (wrong.empty()) wrong = check_skipping();
        if (wrong.empty()) wrong = check_group();
        if (wrong.empty()) wrong = check_runs();
        if (wrong.empty() && depth == Depth::repair) wrong = check_repair();
        return wrong;
    }

private:
    bool is_gone() const {
        return damage_.kind == Damage::Kind::remove || damage_.kind == Damage::Kind::rename || damage_.kind == Damage::Kind::folder;
    }
    bool is_segment() const { return target_.kind == FileKindOf::sealed || target_.kind == FileKindOf::active || target_.kind == FileKindOf::archived; }
    bool is_truth() const { return is_segment() || target_.kind == FileKindOf::manifest || target_.kind == FileKindOf::runs; }
    bool header_is_whole() const { return !is_gone() && now_.size() >= file_header_size && now_.compare(0, file_header_size, target_.bytes, 0, file_header_size) == 0; }
    bool is_whole(const WrittenFrame& frame) const {
        return !is_gone() && frame.end <= now_.size() && now_.compare(frame.begin, frame.end - frame.begin, target_.bytes, frame.begin, frame.end - frame.begin) == 0;
    }
    // Nothing that anybody reads is another than it was.
    bool is_same() const { return !is_gone() && now_.starts_with(target_.bytes); }

    // The first frame that is not as it was, and what those that are prove.
    void look_at_frames() {
        first_bad_ = header_is_whole() ? target_.bytes.size() : 0;
        for (const WrittenFrame& frame : target_.frames) {
            if (is_whole(frame)) proven_ = std::max(proven_, frame.durable);
            else first_bad_ = std::min(first_bad_, frame.begin);
            proven_once_ = std::max(proven_once_, frame.durable);
        }
    }

    // Whether the rule says that what is damaged may be a torn tail.
    bool may_be_torn() const {
        if (is_gone() || !header_is_whole() || is_same()) return false;
        if (target_.kind == FileKindOf::active && !scene_.has_head) return first_bad_ >= proven_;
        return target_.kind == FileKindOf::group && first_bad_ >= proven_;
    }
    // What other partitions' frames prove is not worked out here.
    bool is_proven_elsewhere() const { return target_.kind == FileKindOf::active && !scene_.has_head && scene_.records.size() > 1; }
    bool must_be_torn() const { return may_be_torn() && first_bad_ >= proven_once_ && !is_proven_elsewhere(); }

    // No file, or another log's head: one of the two is not where it was, and that is told.
    bool is_other_head() const {
        const bool block = damage_.kind == Damage::Kind::splice_block && damage_.size >= target_.bytes.size();
        return target_.kind == FileKindOf::head && (damage_.kind == Damage::Kind::folder || damage_.kind == Damage::Kind::whole_other || block);
    }

    // Another log's, and no head to tell: it names what is not there.
    bool is_other_manifest() const {
        return target_.kind == FileKindOf::manifest && !scene_.has_head && damage_.kind == Damage::Kind::whole_other;
    }

    std::string check_reading() {
        ReadOut read = read_out(*disk_, false);
        error_ = std::move(read.error);
        if (std::string wrong = wrong_record(read.records, scene_.records); !wrong.empty()) return "a wrong record: " + wrong;
        if (error_) {
            if (is_other_head() && error_->message().find(target_.path) != std::string::npos) return "";
            if (!is_truth()) return "a cache or a group was missed: " + error_->message();
            if (is_same()) return "nothing is wrong, but: " + error_->message();
            if (must_be_torn()) return "a torn tail was taken for damage: " + error_->message();
            const bool no_log = error_->kind() == ErrorKind::usage && target_.kind == FileKindOf::manifest && is_gone();
            const bool no_file = error_->kind() == ErrorKind::io && damage_.kind == Damage::Kind::folder;
            if (error_->kind() != ErrorKind::corrupt && !no_log && !no_file) return "the wrong kind of error: " + error_->message();
            if (!no_log && !is_proven_elsewhere() && !is_other_manifest() && error_->message().find(target_.path.substr(target_.path.rfind('/') + 1)) == std::string::npos) {
                return "the error does not name the file: " + error_->message();
            }
            return "";
        }
        if (read.records == scene_.records) return "";
        if (!may_be_torn()) return "records are missing, and nothing was said";
        // Only what lies behind.
        const std::uint64_t least = offset_at(first_bad_);
        for (std::size_t p = 0; p < scene_.records.size(); ++p) {
            for (const DamageRecord& record : scene_.records[p]) {
                if (contains(read.records[p], record.offset)) continue;
                if (p == target_.partition && record.offset < least) return fmt::format("offset {} is not behind the tear", record.offset);
                if (scene_.records.size() == 1 && p != target_.partition) return "records of another partition are gone";
            }
        }
        return "";
    }

    std::uint64_t offset_at(std::uint64_t position) const {
        for (const WrittenFrame& frame : target_.frames) {
            if (frame.begin >= position) return frame.offset;
        }
        return UINT64_MAX;
    }

    std::string check_verify() {
        bool names_it = false;
        std::string first;
        auto verified = verify_log(*disk_, damage_folder, [&](const Problem& problem) {
            names_it = names_it || problem.what.find(target_.path) != std::string::npos || target_.path.ends_with(problem.file) || problem.file.starts_with(target_.path.substr(std::string(damage_folder).size() + 1));
            if (problem.is_damage && first.empty()) first = problem.file + ": " + problem.what;
        });
        const bool no_log = error_ && error_->kind() == ErrorKind::usage;
        if (!verified) return no_log ? "" : "verify: " + verified.error().message();
        if (target_.kind != FileKindOf::group) {
            if (error_ && verified->damaged == 0 && !is_other_head()) return "verify finds no damage, but reading: " + error_->message();
            if (!error_ && verified->damaged != 0) return "reading went well, but verify: " + first;
        }
        if (!names_it && damage_.kind != Damage::Kind::duplicate && !(is_gone() && target_.kind == FileKindOf::index) && !is_last_gone() && !is_other_manifest()) return "verify says nothing";
        return "";
    }

    // A tail that ends where a frame ends: nothing is left that could be told.
    bool is_last_gone() const {
        if (is_gone()) return target_.kind == FileKindOf::group && damage_.kind != Damage::Kind::folder;
        if (target_.kind == FileKindOf::group) return may_be_torn();
        if (target_.kind == FileKindOf::manifest) return !scene_.has_head && now_.size() == first_bad_;
        return may_be_torn() && now_.size() == first_bad_;
    }

    // What was not touched, of a file that is a log's own.
    std::string missing_of(const DamageRecords& read) const {
        for (std::size_t p = 0; p < scene_.records.size(); ++p) {
            for (const DamageRecord& record : scene_.records[p]) {
                if (contains(read[p], record.offset)) continue;
                if (!is_segment() || p != target_.partition) {
                    if (scene_.records.size() > 1 && !scene_.has_head) continue;  // of a batch that is not all there
                    // Where nothing of the folder's name is left, nobody knows of the archive.
                    if (target_.kind == FileKindOf::manifest && now_.find("\"to\":\"/") == std::string::npos) continue;
                    return fmt::format("offset {} of partition {} is gone", record.offset, p);
                }
                const auto frame = std::find_if(target_.frames.begin(), target_.frames.end(), [&](const WrittenFrame& one) {
                    return one.offset <= record.offset && record.offset < one.end_offset;
                });
                if (frame == target_.frames.end()) return fmt::format("offset {}, of another segment, is gone", record.offset);
                if (is_whole(*frame) && !(may_be_torn() && frame->begin >= first_bad_)) return fmt::format("offset {}, in a whole frame, is gone", record.offset);
            }
        }
        return "";
    }

    // Blocks that moved may have brought frames before others: those a reader does not go back for.
    bool is_shuffled() const {
        using Kind = Damage::Kind;
        return damage_.kind == Kind::double_block || damage_.kind == Kind::swap_blocks || damage_.kind == Kind::splice_block || damage_.kind == Kind::whole_other;
    }

    std::string check_skipping() {
        const ReadOut read = read_out(*disk_, true);
        if (target_.kind == FileKindOf::manifest || target_.kind == FileKindOf::runs) return "";
        if (read.error) return damage_.kind == Damage::Kind::folder || is_other_head() ? "" : "--skip-corrupt: " + read.error->message();
        if (std::string wrong = wrong_record(read.records, scene_.records); !wrong.empty()) return "--skip-corrupt: a wrong record: " + wrong;
        if (is_shuffled()) return "";
        const std::string missing = missing_of(read.records);
        return missing.empty() ? "" : "--skip-corrupt: " + missing;
    }

    std::string check_group() {
        if (target_.kind != FileKindOf::group) return "";
        const auto manifest = Manifest::load(*disk_, damage_folder);
        auto group = Group::open(*disk_, damage_folder, "nightly", manifest->log_id(), manifest->config().partitions);
        if (!group) {
            if (is_same()) return "nothing is wrong, but: " + group.error().message();
            if (must_be_torn()) return "a torn tail was taken for damage: " + group.error().message();
            return group.error().kind() == ErrorKind::corrupt || damage_.kind == Damage::Kind::folder ? "" : "the wrong kind of error: " + group.error().message();
        }
        if (damage_.kind == Damage::Kind::remove || damage_.kind == Damage::Kind::rename) return "";  // nobody says that there was one
        const auto& positions = group->state().positions;
        if (positions == scene_.group.back().positions) return "";
        const auto whole = static_cast<std::size_t>(
            std::count_if(target_.frames.begin(), target_.frames.end(), [&](const WrittenFrame& frame) { return frame.end <= first_bad_; }));
        // An older place: events come again, none is missed.
        return may_be_torn() && whole > 0 && positions == scene_.group.at(whole - 1).positions ? "" : "another position";
    }

    // What the log says that was published.
    static std::uint64_t epoch_of(const std::vector<RunEntry>& epochs, const std::string& sink) {
        std::uint64_t newest = 0;
        for (const RunEntry& entry : epochs) newest = entry.sink == sink ? std::max(newest, entry.epoch) : newest;
        return newest;
    }

    // Read as it was, or the damage is told.
    std::string check_runs() {
        if (target_.kind != FileKindOf::runs || error_) return "";
        const auto copy = disk_->killed(7);
        const auto writer = LogWriter::open(*copy, damage_folder, {});
        if (!writer) return "reading went well, but appending: " + writer.error().message();
        for (const char* sink : {"totals", "late"}) {
            if (writer->published("run", sink) != epoch_of(scene_.epochs, sink)) return fmt::format("sink {}: another epoch", sink);
        }
        return "";
    }

    // Of the entries, those in front of the damage are known at least, and nothing that never was.
    std::string check_repaired_runs(const Manifest& manifest) const {
        if (target_.kind != FileKindOf::runs) return "";
        std::vector<RunEntry> known;  // the file begins with the newest of each sink, and ends with the newest of all
        const std::size_t first = scene_.epochs.size() - std::min(scene_.epochs.size(), target_.frames.size());
        for (std::size_t i = 0; i < target_.frames.size(); ++i) {
            if (target_.frames[i].end <= first_bad_ && target_.frames[i].begin != target_.frames[0].begin) known.push_back(scene_.epochs[first + i]);
        }
        for (const std::string sink : {"totals", "late"}) {
            const std::uint64_t published = manifest.published("run", sink);
            if (published < epoch_of(known, sink)) return fmt::format("sink {}: epoch {} was forgotten", sink, epoch_of(known, sink));
            const bool was = published == 0 || std::any_of(scene_.epochs.begin(), scene_.epochs.end(),
                                                           [&](const RunEntry& one) { return one.sink == sink && one.epoch == published; });
            if (!was) return fmt::format("sink {}: epoch {} never was", sink, published);
        }
        return "";
    }

    std::string check_repair() {
        const bool other_log = target_.kind == FileKindOf::manifest && !header_is_whole();
        if (other_log || (target_.kind == FileKindOf::manifest && first_bad_ <= file_header_size)) {
            const auto repaired = repair_log(*disk_, damage_folder, {});
            return repaired ? "repair made a manifest of nothing" : repaired.error().hint().empty() ? "repair does not say what to do: " + repaired.error().message() : "";
        }
        const auto repaired = repair_log(*disk_, damage_folder, {});
        if (!repaired) return "repair: " + repaired.error().message();
        std::string problem;
        const auto verified = verify_log(*disk_, damage_folder, [&](const Problem& one) {
            if (one.is_damage) problem = one.file + ": " + one.what;
        });
        if (!verified) return "verify after repair: " + verified.error().message();
        if (!problem.empty()) return "still damaged after repair: " + problem;
        const ReadOut read = read_out(*disk_, false);
        if (read.error) return "reading after repair: " + read.error->message();
        if (std::string wrong = wrong_record(read.records, scene_.records); !wrong.empty()) return "after repair: a wrong record: " + wrong;
        if (std::string missing = missing_of(read.records); !missing.empty()) return "after repair: " + missing;
        if (std::string wrong = check_repaired_runs(*Manifest::load(*disk_, damage_folder)); !wrong.empty()) return "after repair: " + wrong;
        return check_appending(read.records);
    }

    std::string check_appending(const DamageRecords& before) {
        auto writer = LogWriter::open(*disk_, damage_folder, {});
        if (!writer) return "appending after repair: " + writer.error().message();
        for (std::uint32_t p = 0; p < before.size(); ++p) {
            if (!writer->add(p, "new", time_before_all)) return "appending after repair failed";
        }
        const auto acks = writer->commit();
        if (!acks) return "appending after repair: " + acks.error().message();
        const ReadOut read = read_out(*disk_, false);
        if (read.error) return "reading what was appended after repair: " + read.error->message();
        for (std::size_t p = 0; p < before.size(); ++p) {
            if (read.records[p].size() != before[p].size() + 1 || read.records[p].back().text != "new") return "what was appended after repair is not read";
            const bool may_reuse = may_be_torn() || before[p].empty();
            if (!may_reuse && scene_.has_head && !scene_.records[p].empty() && target_.kind != FileKindOf::manifest && read.records[p].back().offset <= scene_.records[p].back().offset) {
                return "an offset was given twice";
            }
        }
        return "";
    }

    const Scene& scene_;
    const Target& target_;
    const Damage& damage_;
    std::unique_ptr<SimulatedDisk> disk_;
    std::string now_;
    std::uint64_t first_bad_ = 0;
    std::uint64_t proven_ = 0;
    std::uint64_t proven_once_ = 0;
    std::optional<Error> error_;
};

}  // namespace

std::string judge(const Scene& scene, const Target& target, const Damage& damage, Depth depth) { return Judge(scene, target, damage).run(depth); }

}  // namespace stream::test
