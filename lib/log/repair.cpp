// SPDX-License-Identifier: Apache-2.0
// Each damaged file is copied to quarantine/ first, then made anew beside its name and published; a segment by
// a manifest entry. So a kill at any step leaves a log that the next repair finishes.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "log/groups.hpp"
#include "log/head.hpp"
#include "log/json_entry.hpp"
#include "log/maintain.hpp"
#include "log/rebuild.hpp"
#include "log/recovery.hpp"
#include "log/seal.hpp"
#include "log/upkeep.hpp"

namespace stream::log {

namespace {

// A frame of an active segment, as far as it decides where the log ends.
struct Part {
    std::uint64_t end = 0;  // bytes
    std::uint64_t end_offset = 0;
    FrameHeader header;
    std::uint64_t begin() const { return end - header.size(); }
};

class Repairer {
public:
    Repairer(FileSystem& files, const std::string& folder, const std::function<void(const Problem&)>& found)
        : files_(files), folder_(folder), found_(found), head_file_(files, folder) {}

    Result<Repaired> run() {
        STREAM_TRY(check_log());
        auto claim = files_.lock(upkeep_path(folder_), false);
        if (!claim) return pass_on(claim);
        if (*claim == nullptr) return fail(ErrorKind::locked, folder_ + ": retain, archive, compact, excise or repair is at work there", "again when it is done");
        STREAM_TRY(look());
        if (damaged_.contains("manifest")) {
            STREAM_TRY(repair_manifest());
            STREAM_TRY(look());
        }
        if (damaged_.contains("runs")) {
            STREAM_TRY(repair_runs());
            STREAM_TRY(look());
        }
        STREAM_TRY(hold());
        if (!damaged_.empty()) STREAM_TRY(repair_segments());
        STREAM_TRY(repair_groups());
        STREAM_TRY(settle());
        return out_;
    }

private:
    // Without its first entry nobody knows what the log is.
    Result<void> check_log() {
        const std::string path = folder_ + "/manifest";
        auto salvaged = salvage_entries(files_, path, FileKind::manifest);
        if (!salvaged && is_no_file(files_, path)) salvaged = std::optional<SalvagedEntries>{};
        if (!salvaged) return pass_on(salvaged);
        JsonEntry entry;
        const bool there = *salvaged && (*salvaged)->has_header && !(*salvaged)->entries.empty() && entry.parse((*salvaged)->entries.front()) &&
                           entry.text("entry") == "create";
        if (there) {
            single_writer_ = entry.flag("single_writer");
            log_id_ = (*salvaged)->header.log_id;
            return check_owner(log_id_);
        }
        const auto names = files_.list(folder_ + "/segments");
        if (!*salvaged && !(names && *names)) return fail(ErrorKind::usage, folder_ + " is no log", "stream-log create " + folder_ + " makes one");
        return fail(ErrorKind::corrupt, path + ": what the log is, its first entry, cannot be read, and nothing else says it",
                    "put a copy of it there, even an old one, and repair again: what is newer is found in the segments");
    }

    // With another log's manifest every segment would be a leftover.
    Result<void> check_owner(const Hash128& log_id) {
        const auto names = files_.list(folder_ + "/segments");
        bool foreign = false;
        for (const std::string& name : names && *names ? **names : std::vector<std::string>{}) {
            auto file = files_.open_if_there(folder_ + "/segments/" + name, Open::read);
            if (!file || *file == nullptr) continue;
            std::string bytes(file_header_size, '\0');
            auto got = (*file)->read_at(bytes, 0);
            if (!got) return pass_on(got);
            FileHeader header;
            std::uint32_t crc = 0;
            if (*got != bytes.size() || read_file_header(bytes, header, crc) != nullptr || header.kind != FileKind::segment) continue;
            if (header.log_id == log_id) return {};
            foreign = true;
        }
        if (!foreign) return {};
        return fail(ErrorKind::corrupt, folder_ + "/manifest: another log's: none of the segments belongs to it",
                    "put the log's own manifest back, even an old copy, and repair again");
    }

    // What verify finds; told, and what of it is damage is to be repaired.
    Result<void> look() {
        damaged_.clear();
        auto verified = verify_log(files_, folder_, [&](const Problem& problem) {
            if (found_) found_(problem);
            if (!problem.is_damage) return;
            damaged_.insert(problem.file);
            out_.bytes_removed += problem.to - problem.from;
            if (problem.partition >= 0) out_.records_lost += problem.last_offset - problem.first_offset + 1;
        });
        if (!verified) return pass_on(verified);
        return {};
    }

    Result<void> lock() {
        if (single_writer_) {
            auto writer = files_.lock(folder_ + "/WRITER", false);
            if (!writer) return pass_on(writer);
            if (*writer == nullptr) return fail(ErrorKind::locked, folder_ + " has a single writer, and it is writing", "stop it, and repair again");
            writer_ = std::move(*writer);
        }
        auto held = files_.lock(folder_ + "/LOCK", true);
        if (!held) return pass_on(held);
        lock_ = std::move(*held);
        return {};
    }

    Result<void> remove_head() {
        if (is_no_file(files_, folder_ + "/head")) return quarantine(files_, folder_, folder_ + "/head");
        // Durable with what settle() does: it finds no head, or one that a new segment has made old. Where it comes back
        // before that, the next repair finds it again.
        STREAM_TRY(files_.remove(folder_ + "/head"));
        head_file_ = Head(files_, folder_);
        return {};
    }

    Result<void> repair_manifest() {
        STREAM_TRY(lock());
        auto salvaged = salvage_entries(files_, folder_ + "/manifest", FileKind::manifest);
        if (!salvaged) return pass_on(salvaged);
        if (!*salvaged) return fail(ErrorKind::corrupt, folder_ + "/manifest: gone while it was repaired");
        STREAM_TRY(quarantine(files_, folder_, folder_ + "/manifest"));
        STREAM_TRY(rebuild_manifest(files_, folder_, **salvaged));
        STREAM_TRY(remove_head());  // of the old one: until now it proves that what is damaged was whole once
        lock_.reset();
        writer_.reset();
        return {};
    }

    // Head says how many epochs there were: from now on, those that are left.
    Result<void> repair_runs() {
        STREAM_TRY(lock());
        STREAM_TRY(quarantine_and_rebuild_runs());
        auto manifest = Manifest::load(files_, folder_);
        if (!manifest) return pass_on(manifest);
        if (!is_no_file(files_, folder_ + "/head")) {
            auto head = head_file_.read(manifest->id(), manifest->config().partitions);
            if (!head && head.error().kind() != ErrorKind::corrupt) return pass_on(head);
            if (head && *head) {
                (*head)->published = manifest->run_count();
                ++(*head)->writes;
                STREAM_TRY(head_file_.write(**head));
            }
        }
        lock_.reset();
        writer_.reset();
        return {};
    }

    Result<void> quarantine_and_rebuild_runs() {
        const std::string path = folder_ + "/runs";
        std::optional<SalvagedEntries> old;
        if (!is_no_file(files_, path)) {
            auto salvaged = salvage_entries(files_, path, FileKind::runs);
            if (!salvaged) return pass_on(salvaged);
            old = std::move(*salvaged);
        }
        STREAM_TRY(quarantine(files_, folder_, path));
        return rebuild_runs(files_, folder_, log_id_, old);
    }

    Result<std::optional<HeadState>> read_head() {
        auto head = head_file_.read(manifest_->id(), manifest_->config().partitions);
        if (head || head.error().kind() != ErrorKind::corrupt) return head;
        STREAM_TRY(quarantine(files_, folder_, folder_ + "/head"));  // another log's
        STREAM_TRY(remove_head());
        return std::optional<HeadState>{};
    }

    Result<void> hold() {
        STREAM_TRY(lock());
        auto manifest = Manifest::load(files_, folder_);
        if (!manifest) return pass_on(manifest);
        manifest_.emplace(std::move(*manifest));
        if (is_no_file(files_, folder_ + "/head")) STREAM_TRY(quarantine(files_, folder_, folder_ + "/head"));
        auto head = read_head();
        if (!head) return pass_on(head);
        said_ = std::move(*head);
        return manifest_->refresh(true, said_ ? said_->manifest_length : 0, said_ ? said_->published : 0);
    }

    // --- segments ---

    bool is_damaged(std::uint32_t p, const SegmentEntry& segment) const {
        const std::string path = segment_path(folder_, p, segment);
        return damaged_.contains(path) || (path.starts_with(folder_ + "/") && damaged_.contains(path.substr(folder_.size() + 1)));
    }

    Result<void> repair_segments() {
        const bool ends_unclear = damaged_.contains("segments");
        std::set<std::uint32_t> active;
        for (std::uint32_t p = 0; p < manifest_->config().partitions; ++p) {
            const SegmentEntry* now = manifest_->active(p);
            if (now == nullptr) continue;
            if (ends_unclear) damaged_.insert(segment_path(folder_, p, *now));  // which of them, nobody can say
            if (is_damaged(p, *now)) active.insert(p);
        }
        if (!active.empty()) STREAM_TRY(seal_damaged(active));
        for (std::uint32_t p = 0; p < manifest_->config().partitions; ++p) {
            const std::vector<SegmentEntry> segments = manifest_->segments(p);
            for (const SegmentEntry& segment : segments) {
                if (!segment.sealed || !is_damaged(p, segment)) continue;
                STREAM_TRY(replace(p, segment));
            }
        }
        return {};
    }

    Result<void> replace(std::uint32_t p, const SegmentEntry& segment) {
        const std::string path = segment_path(folder_, p, segment);
        STREAM_TRY(quarantine(files_, folder_, path));
        auto by = rebuild_segment(files_, folder_, *manifest_, p, segment);
        if (!by) return pass_on(by);
        STREAM_TRY(manifest_->replace_segment(p, segment.id, *by));
        ++out_.segments;
        STREAM_TRY(files_.remove(path));  // not made durable: what comes back is a leftover, and as damaged as it was
        const std::string index = index_path(folder_, p, segment);
        return is_no_file(files_, index) ? quarantine(files_, folder_, index) : files_.remove(index);
    }

    // --- where the log ends, when what should say it is damaged ---

    const PartitionHead* said_of(std::uint32_t p) const {
        const SegmentEntry* active = manifest_->active(p);
        if (!said_ || active == nullptr || said_->partitions[p].segment != active->id) return nullptr;
        return &said_->partitions[p];
    }

    struct Active {
        bool is_there = false;
        std::vector<Part> parts;
        std::uint64_t size = file_header_size;
        std::uint32_t begin_chain = 0;
        std::uint64_t durable_sequence = 0;

        // Whether the frames reach the place that head says.
        bool reaches(const PartitionHead& said) const {
            if (said.length == file_header_size) return said.chain == begin_chain;
            return std::any_of(parts.begin(), parts.end(), [&](const Part& part) { return part.end == said.length && part.header.next_chain() == said.chain; });
        }
        // Of the first frame that does not count; size: all do.
        std::uint64_t end_of_counted(std::uint64_t sequence) const {
            for (const Part& part : parts) {
                if (part.header.batch_end() > sequence) return part.begin();
            }
            return size;
        }
    };

    // Of one that is not damaged, what lies behind bytes that are wrong is a torn tail.
    Result<Active> read_active(std::uint32_t p, bool damaged) {
        Active out;
        const SegmentEntry* entry = manifest_->active(p);
        if (entry == nullptr) return out;
        const std::string path = segment_path(folder_, p, *entry);
        if (is_no_file(files_, path)) return out;
        auto there = files_.open_if_there(path, Open::read);
        if (!there) return pass_on(there);
        if (*there == nullptr) return out;
        auto reader = SegmentReader::open_damaged(files_, path, manifest_->segment_header(p, *entry));
        if (!reader) return pass_on(reader);
        auto size = reader->size();
        if (!size) return pass_on(size);
        out.is_there = true;
        out.size = *size;
        out.begin_chain = reader->begin().chain;
        auto all = salvage_segment(*reader, *size, [&](const GoodFrame& frame, const Batch& batch) -> Result<void> {
            out.parts.push_back({frame.end(), frame.end_offset, batch.header});
            return {};
        });
        if (!all) return pass_on(all);
        out.durable_sequence = all->durable_sequence;
        if (!damaged && !all->bad.empty()) std::erase_if(out.parts, [&](const Part& part) { return part.end > all->bad.front().from; });
        return out;
    }

    // Of what was never synced head may say more than a power failure left. What is durable it says rightly.
    bool is_head_borne_out(const std::vector<Active>& actives) const {
        if (!said_ || said_->sequence == said_->durable_sequence) return true;
        for (std::uint32_t p = 0; p < actives.size(); ++p) {
            if (said_of(p) != nullptr && !actives[p].reaches(*said_of(p))) return false;
        }
        return true;
    }

    // Up to which sequence number the log counts: what is proven, and then whole batches one behind the other.
    std::uint64_t find_end(const std::vector<Active>& actives, bool head_is_right) const {
        std::uint64_t end = manifest_->durable_sequence();
        if (said_) end = std::max(end, head_is_right ? said_->sequence : said_->durable_sequence);
        std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> batches;  // first: records there, of how many
        for (const Active& active : actives) {
            end = std::max(end, active.durable_sequence);
            for (const Part& part : active.parts) {
                auto& [there, whole] = batches[part.header.batch_first()];
                there += part.header.records;
                whole = manifest_->is_published(part.header) ? part.header.batch_records : UINT64_MAX;
            }
        }
        for (auto batch = batches.lower_bound(end); batch != batches.end() && batch->first == end; batch = batches.lower_bound(end)) {
            if (batch->second.first != batch->second.second || batch->second.second == 0) break;
            end += batch->second.second;
        }
        return end;
    }

    // Groups may know of records that nothing else tells of any more: their offsets are not given twice.
    Result<std::vector<std::uint64_t>> least_ends() {
        std::vector<std::uint64_t> ends(manifest_->config().partitions, 0);
        auto names = list_groups(files_, folder_);
        if (!names) return pass_on(names);
        for (const std::string& name : *names) {
            auto group = Group::open(files_, folder_, name, manifest_->log_id(), manifest_->config().partitions);
            if (!group && group.error().kind() != ErrorKind::corrupt) return pass_on(group);
            if (!group) continue;
            for (std::size_t p = 0; p < ends.size(); ++p) ends[p] = std::max(ends[p], group->state().positions[p].value_or(0));
        }
        return ends;
    }

    // What is damaged of active segments is sealed, each with a new one behind it: then it is repaired as any other.
    Result<void> seal_damaged(const std::set<std::uint32_t>& damaged) {
        std::vector<Active> actives;
        for (std::uint32_t p = 0; p < manifest_->config().partitions; ++p) {
            auto active = read_active(p, damaged.contains(p));
            if (!active) return pass_on(active);
            actives.push_back(std::move(*active));
        }
        auto least = least_ends();
        if (!least) return pass_on(least);
        HeadState head;
        head.manifest_id = manifest_->id();
        head.writes = said_ ? said_->writes : 0;
        head.epoch = manifest_->epoch();
        head.published = manifest_->run_count();
        const bool head_is_right = is_head_borne_out(actives);
        head.sequence = find_end(actives, head_is_right);
        for (std::uint32_t p = 0; p < actives.size(); ++p) {
            head.partitions.push_back(end_of(p, actives[p], head.sequence));
            PartitionHead& end = head.partitions.back();
            if (damaged.contains(p)) {
                end.offset = std::max(end.offset, (*least)[p]);
                // Of several damaged ones nobody can say how many records each of them lost.
                if (said_of(p) != nullptr && (head_is_right || damaged.size() > 1)) end.offset = std::max(end.offset, said_of(p)->offset);
            }
            if (actives.size() == 1) head.sequence = end.offset = std::max(head.sequence, end.offset);
            if (actives[p].is_there) STREAM_TRY(make_durable(p, actives[p], damaged.contains(p) ? actives[p].size : end.length));
        }
        count_lost(damaged, head);
        head.durable_sequence = head.sequence;
        for (const std::uint32_t p : damaged) {
            set_end_of_damaged(p, actives[p], head);
            auto begun = begin_segment(files_, folder_, *manifest_, head, p);
            if (!begun) return pass_on(begun);
            STREAM_TRY((*begun)->close());
        }
        ++head.writes;
        head.manifest_length = manifest_->length();
        return head_file_.write(head);
    }

    // Offsets count each partition's records, sequence numbers everybody's: so many more there were.
    void count_lost(const std::set<std::uint32_t>& damaged, HeadState& head) const {
        const auto offsets_of = [](const HeadState& one) {
            std::uint64_t all = 0;
            for (const PartitionHead& end : one.partitions) all += end.offset;
            return all;
        };
        std::uint64_t whole = head.sequence;
        if (said_) whole += std::max(offsets_of(*said_), said_->sequence) - said_->sequence;  // earlier repairs gave some up
        const std::uint64_t all = offsets_of(head);
        if (all < whole) head.partitions[*damaged.begin()].offset += whole - all;
    }

    // What it is to hold, were it whole.
    void set_end_of_damaged(std::uint32_t p, const Active& active, HeadState& head) const {
        PartitionHead& end = head.partitions[p];
        const std::uint64_t counted = active.end_of_counted(head.sequence);
        end.length = end.durable = std::max(counted, std::uint64_t{file_header_size});
        const PartitionHead* said = said_of(p);
        if (said == nullptr || counted < active.size) return;
        end.length = end.durable = std::max(end.length, said->durable);
        if (said->durable == said->length && !active.reaches(*said)) end.chain = said->chain;
    }

    // What is said of the ends, of what lies beside the damage, too, holds after a power failure.
    Result<void> make_durable(std::uint32_t p, const Active& active, std::uint64_t end) {
        std::uint64_t proven = said_of(p) != nullptr ? said_of(p)->durable : file_header_size;
        for (const Part& part : active.parts) proven = std::max(proven, part.header.durable);
        return settle_tail(files_, {p, segment_path(folder_, p, *manifest_->active(p)), std::min(proven, end), end, end, 0});
    }

    PartitionHead end_of(std::uint32_t p, const Active& active, std::uint64_t sequence) const {
        PartitionHead end;
        const SegmentEntry* entry = manifest_->active(p);
        if (entry == nullptr) return end;
        end.segment = entry->id;
        end.length = file_header_size;
        end.chain = active.begin_chain;
        end.offset = entry->base;
        for (const Part& part : active.parts) {
            if (part.header.batch_end() > sequence) break;
            end.length = part.end;
            end.chain = part.header.next_chain();
            end.offset = part.end_offset;
            end.max_time = std::max(end.max_time, part.header.max_time);
            end.keep_time = std::max(end.keep_time, keep_time_of(part.header));
        }
        end.durable = end.length;
        if (const PartitionHead* said = said_of(p)) {
            end.max_time = std::max(end.max_time, said->max_time);
            end.keep_time = std::max(end.keep_time, said->keep_time);
        }
        return end;
    }

    // --- the rest ---

    Result<void> repair_groups() {
        for (const std::string& file : damaged_) {
            if (!file.starts_with("groups/")) continue;
            STREAM_TRY(quarantine(files_, folder_, folder_ + "/" + file));
            STREAM_TRY(rebuild_group(files_, folder_, *manifest_, file.substr(7)));
        }
        return {};
    }

    // Head, torn tails and what nobody names: as every writer finds them.
    Result<void> settle() {
        Head file(files_, folder_);
        auto head = file.read(manifest_->id(), manifest_->config().partitions);
        if (!head) return pass_on(head);
        auto ends = find_ends(files_, folder_, *manifest_, *head);
        if (!ends) return pass_on(ends);
        if (!ends->clean) STREAM_TRY(recover(files_, folder_, *manifest_, *ends, file));
        auto removed = remove_leftovers(files_, folder_, *manifest_);
        if (!removed) return pass_on(removed);
        return {};
    }

    FileSystem& files_;
    const std::string& folder_;
    const std::function<void(const Problem&)>& found_;
    Head head_file_;
    bool single_writer_ = false;
    Hash128 log_id_;
    std::unique_ptr<FileLock> writer_;
    std::unique_ptr<FileLock> lock_;
    std::optional<Manifest> manifest_;
    std::optional<HeadState> said_;
    std::set<std::string> damaged_;  // files, as verify names them
    Repaired out_;
};

}  // namespace

Result<Repaired> repair_log(FileSystem& files, const std::string& folder, const std::function<void(const Problem&)>& found) {
    return Repairer(files, folder, found).run();
}

}  // namespace stream::log
