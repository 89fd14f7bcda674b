// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include "base/text.hpp"
#include "log/groups.hpp"
#include "log/head.hpp"
#include "log/maintain.hpp"
#include "log/recovery.hpp"
#include "log/salvage.hpp"
#include "log/seal.hpp"

namespace stream::log {

namespace {

constexpr int head_tries = 100;  // while a writer may be rewriting it

class Verifier {
public:
    Verifier(FileSystem& files, const std::string& folder, const std::function<void(const Problem&)>& found)
        : files_(files), folder_(folder), found_(found) {}

    Result<Verified> run() {
        auto readable = open_manifest();
        if (!readable) return pass_on(readable);
        if (!*readable) return out_;
        STREAM_TRY(look_at_ends());
        for (std::uint32_t p = 0; p < manifest().config().partitions; ++p) STREAM_TRY(check_partition(p));
        if (ends_error_ && out_.damaged == 0) {
            if (ends_error_->kind() != ErrorKind::corrupt) return tl::unexpected<Error>(std::move(*ends_error_));
            const std::string& message = ends_error_->message();
            const std::string path = folder_ + "/manifest";
            if (message.starts_with(path + ": ")) tell({"manifest", without_path(message, path)});
            else tell({"segments", message});
        }
        STREAM_TRY(check_head());
        STREAM_TRY(check_groups());
        STREAM_TRY(check_names());
        return out_;
    }

private:
    const Manifest& manifest() const { return *manifest_; }

    std::string relative(const std::string& path) const { return path.starts_with(folder_ + "/") ? path.substr(folder_.size() + 1) : path; }

    // An error's words without the file's name in front: that is told beside them.
    static std::string without_path(const std::string& message, const std::string& path) {
        return message.starts_with(path + ": ") ? message.substr(path.size() + 2) : message;
    }

    void tell(Problem problem) {
        if (problem.is_damage) ++out_.damaged;
        if (found_) found_(problem);
    }
    void remark(std::string file, std::string what, std::uint64_t from = 0, std::uint64_t to = 0) {
        tell({std::move(file), std::move(what), from, to, false});
    }

    // --- manifest and ends ---

    // Whether there is one that can be read.
    Result<bool> open_manifest() {
        auto loaded = Manifest::load(files_, folder_);
        if (loaded) {
            manifest_.emplace(std::move(*loaded));
            STREAM_TRY(read_head(true));
            const auto fits = manifest_->refresh(false, head_ ? head_->manifest_length : 0, head_ ? head_->published : 0);
            if (fits) return remark_tails();
            if (is_about_runs(fits.error())) return tell_runs(fits.error().message());
            if (fits.error().kind() != ErrorKind::corrupt) return fail(fits.error().kind(), fits.error().message());
            return tell_manifest(fits.error().message(), head_ ? head_->manifest_length : 0);
        }
        if (is_about_runs(loaded.error())) return tell_runs(loaded.error().message());
        if (loaded.error().kind() == ErrorKind::usage && has_segments()) {
            tell({"manifest", "is not there, and nothing else says what the log is"});
            return false;
        }
        if (loaded.error().kind() == ErrorKind::io && is_no_file(files_, folder_ + "/manifest")) {
            tell({"manifest", "something else than a file is in its place"});
            return false;
        }
        if (loaded.error().kind() != ErrorKind::corrupt) return pass_on(loaded);
        return tell_manifest(loaded.error().message(), 0);
    }

    Result<bool> tell_manifest(const std::string& message, std::uint64_t proven) {
        auto salvaged = salvage_entries(files_, folder_ + "/manifest", FileKind::manifest);
        if (!salvaged) return pass_on(salvaged);
        Problem problem{"manifest", without_path(message, folder_ + "/manifest")};
        if (*salvaged) {
            problem.from = (*salvaged)->bad_from;
            problem.to = std::max((*salvaged)->bad_to, proven);
        }
        tell(std::move(problem));
        return false;
    }

    bool is_about_runs(const Error& error) {
        const std::string path = folder_ + "/runs";
        return (error.kind() == ErrorKind::corrupt && error.message().starts_with(path + ": ")) || (error.kind() == ErrorKind::io && is_no_file(files_, path));
    }

    // What lies behind it is looked at once it is repaired.
    Result<bool> tell_runs(const std::string& message) {
        const std::string path = folder_ + "/runs";
        if (is_no_file(files_, path)) {
            tell({"runs", "something else than a file is in its place"});
            return false;
        }
        auto salvaged = salvage_entries(files_, path, FileKind::runs);
        if (!salvaged) return pass_on(salvaged);
        Problem problem{"runs", without_path(message, path)};
        if (*salvaged) {
            problem.from = (*salvaged)->bad_from;
            problem.to = (*salvaged)->bad_to;
        }
        tell(std::move(problem));
        return false;
    }

    Result<bool> remark_tails() {
        for (const auto& [name, kind, length] : {std::tuple("manifest", FileKind::manifest, manifest().length()),
                                                 std::tuple("runs", FileKind::runs, manifest().runs_file().length())}) {
            auto salvaged = salvage_entries(files_, folder_ + "/" + name, kind);
            if (!salvaged) return pass_on(salvaged);
            if (*salvaged && (*salvaged)->size > length) remark(name, "a torn tail: an entry that was being written", length, (*salvaged)->size);
        }
        return true;
    }

    bool has_segments() {
        const auto names = files_.list(folder_ + "/segments");
        return names && *names && !(*names)->empty();
    }

    Result<void> read_head(bool may_be_written) {
        Head file(files_, folder_);
        for (int i = 0; i < (may_be_written ? head_tries : 1) && !head_; ++i) {
            auto head = file.read(manifest().id(), manifest().config().partitions);
            if (!head && is_no_file(files_, folder_ + "/head")) {
                remark("head", "something else than a file is in its place");
                return {};
            }
            if (!head && head.error().kind() == ErrorKind::corrupt) {
                if (!told_head_) tell({"head", head.error().message()});
                told_head_ = true;
                return {};
            }
            if (!head) return pass_on(head);
            head_ = std::move(*head);
        }
        return {};
    }

    // While nobody writes, the frames say where the log ends; else head does.
    Result<void> look_at_ends() {
        auto lock = files_.lock_to_read(folder_ + "/LOCK");
        writer_lives_ = lock && *lock == nullptr;
        head_.reset();
        STREAM_TRY(read_head(writer_lives_));
        STREAM_TRY(manifest_->refresh(false, head_ ? head_->manifest_length : 0, head_ ? head_->published : 0));
        if (writer_lives_ && head_) {
            ends_ = head_;
            return {};
        }
        auto ends = find_ends(files_, folder_, manifest(), head_);
        if (!ends) {
            ends_error_.emplace(std::move(ends.error()));
            return {};
        }
        for (const Ends::Tail& tail : ends->tails) {
            if (tail.size <= tail.end) continue;
            remark(relative(tail.path), fmt::format("a torn tail: {} bytes with {} whole records that were never acknowledged", tail.size - tail.end, tail.records),
                   tail.end, tail.size);
        }
        ends_ = std::move(ends->head);
        return {};
    }

    // --- segments ---

    Result<void> check_partition(std::uint32_t p) {
        const std::vector<SegmentEntry> segments = manifest().segments(p);
        std::uint64_t sequence = 0;
        for (const SegmentEntry& segment : segments) {
            if (!segment.archive.empty() && !is_there(segment.archive)) continue;
            STREAM_TRY(check_segment(p, segment, sequence));
        }
        return {};
    }

    // An archive's folder; told once where it is not there.
    bool is_there(const std::string& archive) {
        const auto names = files_.list(archive);
        if (names && *names) return true;
        if (missing_archives_.insert(archive).second) {
            tell({archive, "the archive is not there: what was moved to it cannot be read"});
        }
        return false;
    }

    // Gone, replaced or moved since the manifest was read?
    Result<bool> is_current(std::uint32_t p, const SegmentEntry& segment) {
        STREAM_TRY(manifest_->refresh(false, 0, 0));
        for (const SegmentEntry& now : manifest().segments(p)) {
            if (now.id == segment.id && now.archive == segment.archive) return true;
        }
        return false;
    }

    Result<void> check_segment(std::uint32_t p, SegmentEntry segment, std::uint64_t& sequence) {
        const std::string path = segment_path(folder_, p, segment);
        const FileHeader header = manifest().segment_header(p, segment);
        auto reader = SegmentReader::open(files_, path, header);
        if (!reader && reader.error().kind() == ErrorKind::corrupt) {
            auto current = is_current(p, segment);
            if (!current) return pass_on(current);
            if (!*current) return {};
            tell({relative(path), without_path(reader.error().message(), path), 0, file_header_size});
            reader = SegmentReader::open_damaged(files_, path, header);
            if (!reader) return tell_lost(p, segment, 0), Result<void>();
        }
        if (!reader) {
            if (!is_no_file(files_, path)) return pass_on(reader);
            tell({relative(path), "something else than a file is in the segment's place"});
            return tell_lost(p, segment, 0), Result<void>();
        }
        if (const std::uint64_t names = names_of(files_, path); names > 1) {
            remark(relative(path), fmt::format("{} names for one file: who writes by another one writes to the log", names));
        }
        auto size = reader->size();
        if (!size) return pass_on(size);
        return read_segment(p, segment, *reader, *size, sequence);
    }

    // What is to be there: exactly this much of a sealed segment, and of the active one what counts.
    struct Expected {
        std::uint64_t limit = 0;
        std::optional<std::uint32_t> chain;
        std::optional<std::uint64_t> offset;
        std::uint64_t proven = 0;  // no torn tail below it
    };
    Expected expected_of(std::uint32_t p, const SegmentEntry& segment, std::uint64_t size) const {
        if (segment.sealed) {
            Expected out{segment.bytes, segment.chain, segment.end, segment.bytes};
            if (segment.rewritten) out.offset.reset();
            return out;
        }
        const std::optional<HeadState>& head = ends_ ? ends_ : head_;
        const PartitionHead* end = head && head->partitions[p].segment == segment.id ? &head->partitions[p] : nullptr;
        if (ends_ && end != nullptr) return {end->length, end->chain, end->offset, end->length};
        if (ends_) return {file_header_size, {}, {}, file_header_size};  // begun since head was written
        return {std::max(size, end != nullptr ? end->durable : 0), {}, {}, end != nullptr ? end->durable : 0};
    }

    Result<void> read_segment(std::uint32_t p, const SegmentEntry& segment, SegmentReader& reader, std::uint64_t size, std::uint64_t& sequence) {
        const Expected expected = expected_of(p, segment, size);
        auto index = open_index(p, segment);
        if (!index) return pass_on(index);
        auto read = salvage_segment(reader, expected.limit, [&](const GoodFrame& frame, const Batch&) -> Result<void> {
            index->check(frame.place);
            return {};
        });
        if (!read) return pass_on(read);
        ++out_.segments;
        out_.frames += read->frames;
        out_.records += read->records;
        out_.bytes += std::min(size, expected.limit);
        auto proven = proven_of(reader, *read, expected);
        if (!proven) return pass_on(proven);
        for (const BadPart& bad : read->bad) tell_bad(p, segment, reader.path(), bad, bad.from < *proven);
        const std::string name = relative(reader.path());
        const bool other_end = (expected.chain && read->end.chain != *expected.chain) || (expected.offset && read->end.offset != *expected.offset);
        if (read->bad.empty() && other_end) {
            tell({name, "its last batch is not the one that was written last", read->last.place.position, expected.limit});
        }
        if (!read->in_order || (read->records != 0 && read->sequence < sequence)) tell({name, "sequence numbers out of order", 0, expected.limit});
        sequence = std::max(sequence, read->sequence);
        if (segment.sealed && size > segment.bytes) {
            remark(name, fmt::format("{} bytes behind its end, which nobody reads", size - segment.bytes), segment.bytes, size);
        }
        if (read->bad.empty() && !index->fits()) remark(relative(index_path(folder_, p, segment)), "an index that does not fit its segment");
        return {};
    }

    // So much was durable once: no torn tail begins below it.
    static Result<std::uint64_t> proven_of(SegmentReader& reader, const Salvaged& read, const Expected& expected) {
        std::uint64_t proven = std::max(expected.proven, read.proven);
        if (read.bad.empty() || read.bad.front().from < proven) return proven;
        auto behind = reader.proven_behind(read.bad.front().from, expected.limit);
        if (!behind) return pass_on(behind);
        return std::max(proven, *behind);
    }

    void tell_bad(std::uint32_t p, const SegmentEntry& segment, const std::string& path, const BadPart& bad, bool is_damage) {
        Problem problem{relative(path), is_damage ? bad.why : "a torn tail: " + bad.why, bad.from, bad.to, is_damage};
        std::uint64_t next = bad.offset;
        if (bad.next_offset) next = *bad.next_offset;
        else if (segment.sealed) next = segment.end;
        else if (const std::optional<HeadState>& head = ends_ ? ends_ : head_; head && head->partitions[p].segment == segment.id) next = head->partitions[p].offset;
        if (next > bad.offset) {
            problem.partition = p;
            problem.first_offset = bad.offset;
            problem.last_offset = next - 1;
        }
        tell(std::move(problem));
    }

    // The whole segment cannot be read.
    void tell_lost(std::uint32_t p, const SegmentEntry& segment, std::uint64_t bytes) {
        const std::uint64_t to = segment.sealed ? segment.bytes : bytes;
        tell_bad(p, segment, segment_path(folder_, p, segment), {0, to, segment.base, {}, "nothing of it can be read"}, true);
    }

    // --- what can be made anew ---

    // An index, and whether the frames are where it says.
    struct IndexCheck {
        std::vector<IndexEntry> entries;
        std::size_t next = 0;
        bool wrong = false;

        void check(const SegmentPlace& frame) {
            if (next == entries.size() || frame.position < entries[next].position) return;
            const IndexEntry& entry = entries[next++];
            wrong = wrong || frame.position != entry.position || frame.chain != entry.chain || frame.offset != entry.offset;
        }
        bool fits() const { return !wrong && next == entries.size(); }
    };
    Result<IndexCheck> open_index(std::uint32_t p, const SegmentEntry& segment) {
        IndexCheck out;
        if (!segment.sealed) return out;
        const std::string path = index_path(folder_, p, segment);
        auto index = read_index(files_, path, segment);
        if (!index) {
            if (!is_no_file(files_, path)) return pass_on(index);
            remark(relative(path), "something else than a file is in the index's place");
            return out;
        }
        if (*index) {
            out.entries = std::move(**index);
            return out;
        }
        auto file = files_.open_if_there(path, Open::read);
        if (file && *file != nullptr) remark(relative(path), "an index that is damaged or not this segment's: reading goes without it");
        return out;
    }

    Result<void> check_head() {
        auto file = files_.open_if_there(folder_ + "/head", Open::read);
        if (!file) return {};  // told where it was read
        if (head_) {
            constexpr std::uint64_t fixed = 60;
            constexpr std::uint64_t each = 56;
            const std::uint64_t size = fixed + each * head_->partitions.size();
            if (*file != nullptr && (*file)->size().value_or(size) != size) remark("head", "more bytes than it should have: nobody reads them");
            if (ends_ && !writer_lives_ && head_->partitions != ends_->partitions) remark("head", "out of date: the next writer reads on behind it");
            return {};
        }
        if (told_head_) return {};
        const bool empty_log = manifest().length() == 0 || out_.segments == 0;
        if (*file != nullptr) remark("head", "damaged: where the log ends is found by reading on");
        else if (!empty_log) remark("head", "is not there: where the log ends is found by reading");
        return {};
    }

    Result<void> check_groups() {
        auto names = list_groups(files_, folder_);
        if (!names) return pass_on(names);
        for (const std::string& name : *names) {
            const std::string path = folder_ + "/groups/" + name;
            auto group = Group::open(files_, folder_, name, manifest().log_id(), manifest().config().partitions);
            if (group) {
                STREAM_TRY(check_group_tail(name));
                continue;
            }
            const bool no_file = is_no_file(files_, path);
            if (group.error().kind() != ErrorKind::corrupt && !no_file) return pass_on(group);
            Problem problem{"groups/" + name, no_file ? "something else than a file is in its place" : without_path(group.error().message(), path)};
            if (auto file = files_.open_if_there(path, Open::read); file && *file != nullptr) problem.to = (*file)->size().value_or(0);
            tell(std::move(problem));
        }
        return {};
    }

    Result<void> check_group_tail(const std::string& name) {
        auto salvaged = salvage_entries(files_, folder_ + "/groups/" + name, FileKind::group);
        if (!salvaged) return pass_on(salvaged);
        if (*salvaged && (*salvaged)->bad_from < (*salvaged)->size) {
            remark("groups/" + name, "a torn tail: an entry that was being written", (*salvaged)->bad_from, (*salvaged)->size);
        }
        return {};
    }

    // Files that no entry names.
    Result<void> check_names() {
        std::set<std::string> named;
        for (std::uint32_t p = 0; p < manifest().config().partitions; ++p) {
            for (const SegmentEntry& segment : manifest().segments(p)) {
                named.insert(segment_path(folder_, p, segment));
                if (segment.sealed) named.insert(index_path(folder_, p, segment));
            }
        }
        auto names = files_.list(folder_ + "/segments");
        if (!names) return pass_on(names);
        for (const std::string& name : *names ? **names : std::vector<std::string>{}) {
            if (named.contains(folder_ + "/segments/" + name)) continue;
            std::uint32_t partition = 0;
            SegmentEntry entry;
            std::string segment = name.substr(0, name.find(".tmp-"));
            if (segment.ends_with(".idx")) segment.replace(segment.size() - 4, 4, ".seg");
            const bool ours = parse_segment_name(segment, partition, entry);
            remark("segments/" + name, ours ? "a leftover that no entry of the manifest names" : "not a file of the log: it is left alone");
        }
        constexpr std::array<std::string_view, 10> known = {"manifest", "runs", "head", "LOCK", "UPKEEP", "WRITER", "segments", "groups", "keys", "quarantine"};
        names = files_.list(folder_);
        if (!names) return pass_on(names);
        for (const std::string& name : *names ? **names : std::vector<std::string>{}) {
            if (std::find(known.begin(), known.end(), name) != known.end()) continue;
            remark(name, name.find(".tmp-") != std::string::npos ? "a leftover of something that was not finished" : "not a file of the log: it is left alone");
        }
        return {};
    }

    FileSystem& files_;
    const std::string& folder_;
    const std::function<void(const Problem&)>& found_;
    std::optional<Manifest> manifest_;
    std::optional<HeadState> head_;
    std::optional<HeadState> ends_;  // nothing: they could not be found
    std::optional<Error> ends_error_;
    bool writer_lives_ = false;
    bool told_head_ = false;
    std::set<std::string> missing_archives_;
    Verified out_;
};

}  // namespace

Result<Verified> verify_log(FileSystem& files, const std::string& folder, const std::function<void(const Problem&)>& found) {
    return Verifier(files, folder, found).run();
}

}  // namespace stream::log
