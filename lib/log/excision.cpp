// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <set>
#include <utility>

#include "log/groups.hpp"
#include "log/maintain.hpp"
#include "log/reader.hpp"
#include "log/seal.hpp"
#include "log/upkeep.hpp"

namespace stream::log {

namespace {

using Matches = std::function<Result<bool>(std::string_view record)>;

// What one record after the other is asked.
class Judge {
public:
    explicit Judge(const Matches& matches) : matches_(matches) {}

    // Calls use(i) for each that matches of these records.
    template <class Use>
    Result<void> look(std::string_view lines, std::uint32_t records, Use&& use) {
        for (std::uint32_t i = 0; i < records; ++i) {
            const std::string_view line = lines.substr(0, lines.find('\n'));
            lines.remove_prefix(line.size() + 1);
            auto matched = matches_(line);
            if (matched) {
                if (!*matched) continue;
                ++result.records;
                use(i);
                continue;
            }
            const ErrorKind kind = matched.error().kind();
            if (kind == ErrorKind::stopped || kind == ErrorKind::io) return pass_on(matched);
            if (result.undecided++ == 0) result.first_undecided = matched.error().message();
        }
        return {};
    }

    Excised result;

private:
    const Matches& matches_;
};

Result<void> name_runs(FileSystem& files, const std::string& folder, Excised& result) {
    auto groups = list_groups(files, folder);
    if (!groups) return pass_on(groups);
    for (std::string& group : *groups) {
        if (group.starts_with("run:")) result.runs.push_back(std::move(group));
    }
    return {};
}

// As a reader sees the log.
Result<Excised> count_only(FileSystem& files, const std::string& folder, const Matches& matches) {
    auto reader = LogReader::open(files, folder, {});
    if (!reader) return pass_on(reader);
    Judge judge(matches);
    std::set<std::pair<std::uint32_t, std::uint64_t>> touched;  // bases
    for (Run run;;) {
        auto next = reader->next(run);
        if (!next) return pass_on(next);
        if (*next == LogReader::Next::end) break;
        if (*next != LogReader::Next::records) continue;
        STREAM_TRY(judge.look(run.lines, run.records, [&](std::uint32_t i) {
            std::uint64_t base = 0;
            for (const SegmentEntry& segment : reader->manifest().segments(run.partition)) {
                if (segment.base <= run.offset_of(i)) base = segment.base;
            }
            touched.emplace(run.partition, base);
        }));
    }
    judge.result.segments = touched.size();
    STREAM_TRY(name_runs(files, folder, judge.result));
    return std::move(judge.result);
}

class Excision {
public:
    Excision(Upkeep& upkeep, const Matches& matches)
        : upkeep_(upkeep), files_(upkeep.files()), judge_(matches), matched_(upkeep.manifest().config().partitions) {}

    Result<Excised> run() {
        STREAM_TRY(upkeep_.hold());
        for (std::uint32_t p = 0; p < matched_.size(); ++p) STREAM_TRY(look(p));
        if (judge_.result.records > 0) {
            STREAM_TRY(seal());
            // Before the first record goes: a kill from here on must not leave the excision untold. Doing it again tells
            // of the rest.
            STREAM_TRY(upkeep_.manifest().note_excision(judge_.result.records, judge_.result.segments));
            for (std::uint32_t p = 0; p < matched_.size(); ++p) STREAM_TRY(rewrite(p));
        }
        STREAM_TRY(clean());
        STREAM_TRY(upkeep_.let_go());
        STREAM_TRY(name_runs(files_, upkeep_.folder(), judge_.result));
        return std::move(judge_.result);
    }

private:
    // Every record of every file, whether readers see it or not.
    Result<void> look(std::uint32_t p) {
        for (const SegmentEntry& segment : upkeep_.manifest().segments(p)) {
            const std::uint64_t before = judge_.result.records;
            const std::uint64_t limit = segment.sealed ? segment.bytes : upkeep_.ends().partitions[p].length;
            STREAM_TRY(each_batch(files_, segment_path(upkeep_.folder(), p, segment), upkeep_.manifest().segment_header(p, segment), limit,
                                  segment.sealed ? std::optional(segment.chain) : std::nullopt, [&](const Batch& batch) {
                                      return judge_.look(batch.lines, batch.header.records,
                                                         [&](std::uint32_t i) { matched_[p].add(batch.offset_of(i)); });
                                  }));
            if (judge_.result.records > before) ++judge_.result.segments;
        }
        return {};
    }

    // A segment can be replaced only once it is sealed.
    Result<void> seal() {
        for (std::uint32_t p = 0; p < matched_.size(); ++p) {
            const SegmentEntry* active = upkeep_.manifest().active(p);
            if (active == nullptr || matched_[p].count_in(active->base, UINT64_MAX) == 0) continue;
            auto file = begin_segment(files_, upkeep_.folder(), upkeep_.manifest(), upkeep_.ends(), p);
            if (!file) return pass_on(file);
            HeadState& ends = upkeep_.ends();
            ++ends.writes;
            STREAM_TRY(upkeep_.head().write(ends));
        }
        return {};
    }

    Result<void> rewrite(std::uint32_t p) {
        const OffsetSet& matched = matched_[p];
        const auto keep = [&](const Batch& batch, std::uint32_t record, std::string_view) -> Result<bool> {
            return !matched.contains(batch.offset_of(record));
        };
        const std::vector<SegmentEntry> segments = upkeep_.manifest().segments(p);
        for (const SegmentEntry& segment : segments) {
            if (!segment.sealed || matched.count_in(segment.base, segment.end) == 0) continue;
            auto by = rewrite_segment(files_, upkeep_.folder(), upkeep_.manifest(), p, segment, keep);
            if (!by) return pass_on(by);
            STREAM_TRY(upkeep_.replace(p, segment, *by));
        }
        return {};
    }

    // Everything else that may hold a record, of this excision or of one that was killed. Also where nothing matches now.
    Result<void> clean() {
        const std::string& folder = upkeep_.folder();
        STREAM_TRY(upkeep_.sweep());
        STREAM_TRY(finish_archiving(files_, folder, upkeep_.manifest(), true));
        STREAM_TRY(empty(folder + "/quarantine"));
        STREAM_TRY(empty(folder + "/keys"));
        // Not only where something was unlinked now: another try may have been killed before it got here. What goes from
        // the log's own folder never held a record.
        for (const std::string& archive : upkeep_.manifest().archives()) STREAM_TRY(files_.sync_folder(archive));
        return files_.sync_folder(folder + "/segments");
    }

    Result<void> empty(const std::string& path) {
        auto names = files_.list(path);
        if (!names) return pass_on(names);
        if (!*names) return {};
        for (const std::string& name : **names) {
            const std::string inside = path + "/" + name;
            auto removed = files_.remove(inside);
            if (removed) continue;
            auto is_folder = files_.list(inside);
            if (!is_folder || !*is_folder) return removed;
            STREAM_TRY(empty(inside));
        }
        return files_.sync_folder(path);
    }

    Upkeep& upkeep_;
    FileSystem& files_;
    Judge judge_;
    std::vector<OffsetSet> matched_;
};

}  // namespace

Result<Excised> excise_log(FileSystem& files, const std::string& folder, const Matches& matches, bool dry_run) {
    if (dry_run) return count_only(files, folder, matches);
    auto upkeep = Upkeep::begin(files, folder);
    if (!upkeep) return pass_on(upkeep);
    return Excision(*upkeep, matches).run();
}

}  // namespace stream::log
