// SPDX-License-Identifier: Apache-2.0
// A manifest whose middle or end is damaged: what its entries still say, and for the rest the segments' files,
// whose names and headers say where they belong and whose frames say what they hold.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/check.hpp"
#include "json/canonical.hpp"
#include "log/head.hpp"
#include "log/json_entry.hpp"
#include "log/rebuild.hpp"

namespace stream::log {

namespace {

struct Facts {
    std::uint64_t bytes = 0;
    std::uint64_t chain = 0;
    TimeNs max_time = time_before_all;
    TimeNs keep_time = time_before_all;
};

struct Piece {
    SegmentEntry entry;              // id, base, archive, rewritten
    std::uint64_t order = UINT64_MAX;  // among the entries; the greatest: no entry names it
    bool has_file = false;
    std::optional<Facts> facts;      // as entries say
    std::optional<Facts> read;       // as its frames say, and the offset behind the last one
    std::uint64_t end = 0;
    bool is_known() const { return order != UINT64_MAX; }
};

struct RunSaid {
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
    std::string text;
};

class Rebuilder {
public:
    Rebuilder(FileSystem& files, const std::string& folder, const SalvagedEntries& old) : files_(files), folder_(folder), old_(old) {}

    Result<void> run() {
        for (const std::string& text : old_.entries) STREAM_TRY(take(text));
        for (const std::string& text : old_.behind) STREAM_TRY(take(text));
        if (pieces_.empty()) return fail(ErrorKind::corrupt, folder_ + "/manifest: it does not say what the log is");
        archives_.insert(old_.archives.begin(), old_.archives.end());
        STREAM_TRY(look_for_files());
        for (std::uint32_t p = 0; p < pieces_.size(); ++p) {
            auto live = choose(p);
            if (!live) return pass_on(live);
            STREAM_TRY(write_partition(p, *live));
        }
        return finish();
    }

private:
    // --- what the entries say ---

    Result<void> take(const std::string& text) {
        if (!entry_.parse(text)) return {};
        const std::string kind = entry_.text("entry");
        if (kind == "create" && pieces_.empty()) {
            const std::uint64_t partitions = entry_.number("partitions").value_or(0);
            if (partitions == 0 || partitions > 4096) return {};
            pieces_.resize(static_cast<std::size_t>(partitions));
            create_ = text;
            return {};
        }
        if (pieces_.empty()) return fail(ErrorKind::corrupt, folder_ + "/manifest: it does not begin with what the log is");
        if (kind == "epoch") epoch_ = std::max(epoch_, entry_.number("epoch").value_or(0));
        if (kind == "run") take_run(text);
        if (kind == "excise" && std::find(verbatim_.begin(), verbatim_.end(), text) == verbatim_.end()) verbatim_.push_back(text);
        const auto p = entry_.number("partition");
        const auto id = entry_.id("id");
        if (!p || *p >= pieces_.size() || !id) return {};
        take_about_segment(kind, text, static_cast<std::uint32_t>(*p), *id);
        return {};
    }

    // The newest of each run and sink; it has the greatest sequence number of them, too.
    void take_run(const std::string& text) {
        const auto epoch = entry_.number("epoch");
        const auto sequence = entry_.number("sequence");
        if (!epoch || !sequence) return;
        RunSaid& newest = runs_[{entry_.text("run"), entry_.text("sink")}];
        if (newest.text.empty() || newest.epoch < *epoch) newest = {*epoch, *sequence, text};
    }

    void take_about_segment(const std::string& kind, const std::string& text, std::uint32_t p, std::uint64_t id) {
        std::map<std::uint64_t, Piece>& pieces = pieces_[p];
        if (kind == "segment") {
            if (const auto facts = take_facts()) before_[id] = *facts;
            const auto known = pieces.find(id);
            if (known != pieces.end() && known->second.is_known()) return;  // a block that is there twice
            name(p, id).base = entry_.number("base").value_or(0);
            sequence_ = std::max(sequence_, entry_.number("sequence").value_or(0));
        } else if (kind == "remove") {
            dead_.insert(id);
        } else if (kind == "replace") {
            const auto by = entry_.id("by");
            if (!by) return;
            const auto old = pieces.find(id);
            dead_.insert(id);
            if (old == pieces.end()) return;  // its file's name says where it belongs
            SegmentEntry& entry = name(p, *by);
            entry.base = old->second.entry.base;
            entry.archive = old->second.entry.archive;
            entry.rewritten = true;
            pieces[*by].order = old->second.order;
            pieces[*by].facts = take_facts();
        } else if (kind == "cut") {
            epoch_ = std::max(epoch_, entry_.number("epoch").value_or(0));
            cuts_[id].push_back(text);
        } else if (kind == "move") {
            const std::string to = entry_.text("to");
            if (to.starts_with('/')) archives_.insert(to);
            if (const auto piece = pieces.find(id); piece != pieces.end()) piece->second.entry.archive = to;
        }
    }

    SegmentEntry& name(std::uint32_t p, std::uint64_t id) {
        Piece& piece = pieces_[p][id];
        piece.entry.id = id;
        piece.order = order_++;
        return piece.entry;
    }

    std::optional<Facts> take_facts() const {
        SegmentEntry said;
        if (!read_facts(entry_, said)) return {};
        return Facts{said.bytes, said.chain, said.max_time, said.keep_time};
    }

    // --- what the files say ---

    Result<void> look_for_files() {
        STREAM_TRY(look_into(folder_ + "/segments", ""));
        for (const std::string& archive : archives_) STREAM_TRY(look_into(archive, archive));
        return {};
    }

    Result<void> look_into(const std::string& where, const std::string& archive) {
        auto names = files_.list(where);
        if (!names && !archive.empty()) return {};  // what the name of a folder became
        if (!names) return pass_on(names);
        for (const std::string& file : *names ? **names : std::vector<std::string>{}) {
            std::uint32_t p = 0;
            SegmentEntry named;
            if (!parse_segment_name(file, p, named) || p >= pieces_.size() || dead_.contains(named.id)) continue;
            std::map<std::uint64_t, Piece>& pieces = pieces_[p];
            if (!pieces.contains(named.id)) {
                auto opened = SegmentReader::open(files_, where + "/" + file, {FileKind::segment, named.id, old_.header.log_id, p, named.base});
                if (!opened && opened.error().kind() != ErrorKind::corrupt) return pass_on(opened);
                if (!opened) continue;  // not a segment of this log
                pieces[named.id].entry = named;
            }
            Piece& piece = pieces[named.id];
            // Moved: until its entry was written the one in segments/ counted.
            if (piece.has_file && piece.entry.archive != archive) continue;
            piece.has_file = true;
            piece.entry.archive = archive;
        }
        return {};
    }

    Result<void> read(std::uint32_t p, Piece& piece) {
        if (piece.read || !piece.has_file) return {};
        const FileHeader header{FileKind::segment, piece.entry.id, old_.header.log_id, p, piece.entry.base};
        auto reader = SegmentReader::open_damaged(files_, segment_path(folder_, p, piece.entry), header);
        if (!reader) return pass_on(reader);
        auto size = reader->size();
        if (!size) return pass_on(size);
        auto all = salvage_segment(*reader, *size, [&](const GoodFrame& frame, const Batch& batch) -> Result<void> {
            epoch_ = std::max<std::uint64_t>(epoch_, frame.place.epoch);
            piece.entry.rewritten = piece.entry.rewritten || (batch.header.flags & frame_sparse) != 0;
            return {};
        });
        if (!all) return pass_on(all);
        const bool whole = all->bad.empty();
        piece.read = Facts{whole ? all->end.position : *size, whole ? all->end.chain : 0, all->max_time, all->keep_time};
        piece.end = all->frames == 0 ? piece.entry.base : all->end.offset;
        read_sequence_[piece.entry.id] = all->sequence;
        sequence_ = std::max(sequence_, all->durable_sequence);
        return {};
    }

    // --- which of them are the log ---

    Result<std::vector<Piece>> choose(std::uint32_t p) {
        std::vector<Piece> named;
        std::vector<Piece> others;
        for (auto& [id, piece] : pieces_[p]) {
            if (dead_.contains(id)) continue;
            if (!piece.is_known() || named.empty()) STREAM_TRY(read(p, piece));
            (piece.is_known() ? named : others).push_back(piece);
        }
        const auto in_order = [](const Piece& a, const Piece& b) { return std::pair(a.entry.base, a.order) < std::pair(b.entry.base, b.order); };
        std::sort(named.begin(), named.end(), in_order);
        std::sort(others.begin(), others.end(), in_order);
        for (Piece& other : others) {
            // The file that took the place of one that is gone, or one that was begun since.
            std::erase_if(named, [&](const Piece& one) { return !one.has_file && one.entry.base == other.entry.base; });
            const auto next = std::lower_bound(named.begin(), named.end(), other, in_order);
            if (next != named.end() && (next->entry.base < other.end || next->entry.base == other.entry.base)) continue;
            if (next != named.begin()) {
                Piece& before = *std::prev(next);
                STREAM_TRY(read(p, before));
                if (before.has_file && before.end > other.entry.base) continue;  // it goes on behind: a leftover
            }
            named.insert(next, other);
        }
        return named;
    }

    // --- the new one ---

    void add(std::string entry) { lines_.push_back(std::move(entry) + "\n"); }

    static std::string facts_text(const Facts& facts) {
        SegmentEntry says;
        says.bytes = facts.bytes;
        says.chain = static_cast<std::uint32_t>(facts.chain);
        says.max_time = facts.max_time;
        says.keep_time = facts.keep_time;
        return facts_of(says);
    }

    Result<void> write_partition(std::uint32_t p, std::vector<Piece>& live) {
        std::string sealed;  // of the one before
        std::vector<std::string> after;
        for (std::size_t i = 0; i < live.size(); ++i) {
            Piece& piece = live[i];
            const bool last = i + 1 == live.size();
            if (!last && !piece.facts && before_.contains(live[i + 1].entry.id)) piece.facts = before_[live[i + 1].entry.id];
            // What entries say may be of another one, where some between are lost: a file that is whole says it itself.
            STREAM_TRY(read(p, piece));
            const bool whole = piece.read && piece.read->chain != 0;
            const Facts facts = whole || !piece.facts ? piece.read.value_or(Facts{}) : *piece.facts;
            if (!last) sequence_ = std::max(sequence_, read_sequence_[piece.entry.id]);
            // Only a segment that took another's place may have gaps.
            const bool stands_in = !last && piece.entry.rewritten;
            std::uint64_t id = piece.entry.id;
            while (stands_in && (id == piece.entry.id || id == 0)) id = files_.random();
            add(fmt::format(R"({{"entry":"segment","partition":{},"id":"{:016x}","base":{},"sequence":{}{}}})", p, id, piece.entry.base, sequence_, sealed));
            sealed = "," + facts_text(facts);
            if (!stands_in) verbatim_.insert(verbatim_.end(), cuts_[id].begin(), cuts_[id].end());
            if (stands_in) {
                after.push_back(fmt::format(R"({{"entry":"replace","partition":{},"id":"{:016x}","by":"{:016x}",{}}})", p, id, piece.entry.id, facts_text(facts)));
            }
            if (!last && !piece.entry.archive.empty()) {
                std::string to;
                append_quoted(to, piece.entry.archive);
                after.push_back(fmt::format(R"({{"entry":"move","partition":{},"id":"{:016x}","to":{}}})", p, piece.entry.id, to));
            }
        }
        for (std::string& entry : after) add(std::move(entry));
        return {};
    }

    Result<void> finish() {
        if (epoch_ > 1) add(fmt::format(R"({{"entry":"epoch","epoch":{}}})", epoch_));
        FileHeader header = old_.header;
        header.file_id = files_.random();
        std::string bytes;
        append_file_header(bytes, header);
        FileHeader again;
        std::uint32_t chain = 0;
        STREAM_CHECK(read_file_header(bytes, again, chain) == nullptr);
        lines_.insert(lines_.begin(), create_);
        lines_.insert(lines_.end(), verbatim_.begin(), verbatim_.end());
        std::vector<RunSaid> runs;
        for (const auto& [name, newest] : runs_) runs.push_back(newest);
        std::sort(runs.begin(), runs.end(), [](const RunSaid& a, const RunSaid& b) { return a.sequence < b.sequence; });
        for (const RunSaid& run : runs) lines_.push_back(run.text);
        for (std::size_t i = 0; i < lines_.size(); ++i) {
            FrameHeader frame;
            frame.type = FrameType::manifest;
            frame.file_id = header.file_id;
            frame.epoch = 1;
            frame.chain = chain;
            frame.offset = i;
            frame.records = 1;
            frame.durable = bytes.size();
            frame.append_time = files_.now_ns();
            frame.raw = static_cast<std::uint32_t>(lines_[i].size());
            append_frame(bytes, frame, lines_[i]);
            chain = frame.next_chain();
        }
        const std::string temporary = fmt::format("{}/manifest.tmp-{:016x}", folder_, files_.random());
        auto made = files_.open(temporary, Open::create_new);
        if (!made) return pass_on(made);
        STREAM_TRY((*made)->write_at(bytes, 0));
        STREAM_TRY((*made)->sync());
        STREAM_TRY((*made)->close());
        STREAM_TRY(files_.rename(temporary, folder_ + "/manifest"));
        return files_.sync_folder(folder_);
    }

    FileSystem& files_;
    const std::string& folder_;
    const SalvagedEntries& old_;
    JsonEntry entry_;
    std::string create_;
    std::vector<std::string> verbatim_;
    std::map<std::pair<std::string, std::string>, RunSaid> runs_;  // by run and sink
    std::vector<std::map<std::uint64_t, Piece>> pieces_;   // of each partition, by id
    std::map<std::uint64_t, Facts> before_;                // of the segment before that one
    std::map<std::uint64_t, std::uint64_t> read_sequence_;
    std::set<std::uint64_t> dead_;
    std::map<std::uint64_t, std::vector<std::string>> cuts_;
    std::set<std::string> archives_;
    std::uint64_t order_ = 0;
    std::uint64_t epoch_ = 1;
    std::uint64_t sequence_ = 0;
    std::vector<std::string> lines_;
};

}  // namespace

Result<void> rebuild_manifest(FileSystem& files, const std::string& folder, const SalvagedEntries& old) { return Rebuilder(files, folder, old).run(); }

}  // namespace stream::log
