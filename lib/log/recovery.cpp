// SPDX-License-Identifier: Apache-2.0
#include "log/recovery.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/check.hpp"
#include "log/quarantine.hpp"
#include "log/segment.hpp"

namespace stream::log {

namespace {

struct Found {
    FrameHeader header;
    std::uint64_t position = 0;
    std::uint64_t end() const { return position + header.size(); }
};

// What lies in a partition's active segment behind the place from which it had to be read.
struct Active {
    const SegmentEntry* entry = nullptr;  // null: nobody ever wrote to the partition
    std::string path;
    PartitionHead begin;         // at the place from which it was read
    std::vector<Found> frames;   // whole and right, one after the other
    std::size_t accepted = 0;    // of them
    std::uint64_t size = 0;
    std::uint64_t proven = 0;    // durable up to here
};

class Finder {
public:
    Finder(FileSystem& files, const std::string& folder, const Manifest& manifest, const std::optional<HeadState>& head)
        : files_(files), folder_(folder), manifest_(manifest), head_(head), actives_(manifest.config().partitions) {}

    Result<Ends> find() {
        from_head_ = head_.has_value();
        STREAM_TRY(check_manifest());
        for (std::uint32_t p = 0; p < actives_.size(); ++p) STREAM_TRY(open(p));
        for (std::uint32_t p = 0; p < actives_.size(); ++p) STREAM_TRY(scan(p));
        STREAM_TRY(accept());
        return result();
    }

private:
    // Where head does not say how long it is, it may end before entries that are gone.
    Result<void> check_manifest() const {
        if (head_ && head_->manifest_length >= manifest_.length()) return {};
        auto more = manifest_.what_unnamed_files_say();
        if (!more) return pass_on(more);
        if (more->empty()) return {};
        return lost_entries(*more);
    }

    tl::unexpected<Error> lost_entries(const std::string& proof) const {
        return fail(ErrorKind::corrupt, fmt::format("{}/manifest: entries are gone from its end: {}", folder_, proof),
                    fmt::format("stream-log verify {} tells all of it", folder_));
    }

    const PartitionHead* head_of(std::uint32_t p) const {
        if (!head_ || actives_[p].entry == nullptr || head_->partitions[p].segment != actives_[p].entry->id) return nullptr;
        return &head_->partitions[p];
    }

    // Whether its bytes can be what head says. Where some of what it says is not durable, head's place proves
    // nothing, and every partition is read from its segment's beginning: batches lie across partitions.
    Result<void> open(std::uint32_t p) {
        Active& active = actives_[p];
        active.entry = manifest_.active(p);
        if (active.entry == nullptr) return {};
        active.path = segment_path(folder_, p, *active.entry);
        auto reader = SegmentReader::open(files_, active.path, manifest_.segment_header(p, *active.entry));
        if (!reader) return pass_on(reader);
        auto size = reader->size();
        if (!size) return pass_on(size);
        active.size = *size;
        active.begin.segment = active.entry->id;
        active.begin.length = active.begin.durable = file_header_size;
        active.begin.offset = active.entry->base;
        active.begin.chain = reader->begin().chain;
        active.proven = file_header_size;
        readers_.emplace(p, std::move(*reader));
        const PartitionHead* said = head_of(p);
        if (said == nullptr) return {};
        if (active.size < said->durable) {
            return fail(ErrorKind::corrupt, fmt::format("{}: {} bytes long where {} were durable (bytes {} to {} are gone)", active.path, active.size,
                                                        said->durable, active.size, said->durable));
        }
        active.proven = std::max(active.proven, said->durable);
        if (said->durable < said->length || active.size < said->length) from_head_ = false;
        return {};
    }

    Result<void> scan(std::uint32_t p) {
        Active& active = actives_[p];
        if (active.entry == nullptr) return {};
        SegmentReader& reader = readers_.at(p);
        if (const PartitionHead* said = head_of(p); said != nullptr && from_head_) {
            active.begin = *said;
            reader.go_to({said->length, said->chain, head_->epoch, said->offset});
        }
        for (;;) {
            Found found;
            found.position = reader.place().position;
            auto what = reader.next_stored(active.size, found.header);
            if (!what) return pass_on(what);
            if (*what != SegmentReader::Found::frame) {
                return *what == SegmentReader::Found::end ? Result<void>() : judge(p, reader);
            }
            if (found.header.epoch > manifest_.epoch()) {
                return lost_entries(fmt::format("{} has a batch of epoch {} (byte {})", active.path, found.header.epoch, found.position));
            }
            active.proven = std::max(active.proven, std::min(found.header.durable, active.size));
            active.frames.push_back(std::move(found));
        }
    }

    // What is not right: a torn tail, unless it is proven that it was durable once.
    Result<void> judge(std::uint32_t p, SegmentReader& reader) {
        Active& active = actives_[p];
        const std::uint64_t bad = reader.place().position;
        auto proven = reader.proven_behind(bad, active.size);
        if (!proven) return pass_on(proven);
        active.proven = std::max(active.proven, *proven);
        if (bad >= active.proven) return {};
        auto next = reader.find_frame(bad + 8, active.size);
        if (!next) return pass_on(next);
        const std::uint64_t to = *next ? (*next)->position : active.proven;
        return fail(ErrorKind::corrupt, fmt::format("{}: {} (bytes {} to {}): {}", active.path, reader.why(), bad, to,
                                                    *next && (*next)->offset > reader.place().offset
                                                        ? fmt::format("offsets {} to {} are damaged", reader.place().offset, (*next)->offset - 1)
                                                        : fmt::format("offsets from {} on are damaged", reader.place().offset)),
                    fmt::format("stream-log verify {} tells all of it", folder_));
    }

    Result<void> accept() {
        if (actives_.size() > 1) return accept_batches();
        Active& active = actives_.front();
        sequence_ = active.begin.offset;
        std::uint64_t durable = 0;
        for (const Found& frame : active.frames) durable = std::max(durable, frame.header.durable_sequence);
        for (const Found& frame : active.frames) {
            // Frames of a run count once it has published them.
            const bool is_published = manifest_.is_published(frame.header) || frame.header.batch_first() < durable;
            if (frame.header.sequence != frame.header.offset || !is_published) break;
            sequence_ = frame.header.end_offset();
            ++active.accepted;
        }
        if (sequence_ < manifest_.durable_sequence()) {
            return fail(ErrorKind::corrupt, fmt::format("{}: offsets {} to {}, which were durable, are gone", active.path, sequence_,
                                                        manifest_.durable_sequence() - 1),
                        fmt::format("stream-log verify {} tells all of it", folder_));
        }
        return {};
    }

    // Batches count in the order of their sequence numbers, each whole, up to the first that is not all there. Those
    // below a place that is proven durable were whole: parts of them may lie in sealed segments.
    Result<void> accept_batches() {
        struct Parts {
            std::uint64_t there = 0;
            std::uint64_t whole = 0;
            bool published = true;
        };
        std::uint64_t durable = manifest_.durable_sequence();
        const std::uint64_t begin = from_head_ ? head_->sequence : 0;
        const std::uint64_t counted_from = std::max(begin, durable);
        if (head_) durable = std::max(durable, head_->durable_sequence);
        for (const Active& active : actives_) {
            for (const Found& frame : active.frames) durable = std::max(durable, frame.header.durable_sequence);
        }
        std::uint64_t below = 0;
        std::map<std::uint64_t, Parts> batches;
        for (const Active& active : actives_) {
            for (const Found& frame : active.frames) {
                if (frame.header.batch_end() <= durable) {
                    if (frame.header.batch_first() >= counted_from) below += frame.header.records;
                    continue;
                }
                Parts& parts = batches[frame.header.batch_first()];
                parts.there += frame.header.records;
                parts.whole = frame.header.batch_records;
                parts.published = parts.published && manifest_.is_published(frame.header);
            }
        }
        sequence_ = std::max(begin, durable);
        if (below < sequence_ - counted_from) {
            return fail(ErrorKind::corrupt, fmt::format("{}: of the records with sequence numbers {} to {}, which were durable, {} are gone", folder_,
                                                        counted_from, sequence_ - 1, sequence_ - counted_from - below));
        }
        for (const auto& [first, parts] : batches) {
            if (first != sequence_ || parts.there != parts.whole || !parts.published) break;
            sequence_ = first + parts.whole;
        }
        for (Active& active : actives_) {
            for (const Found& frame : active.frames) {
                if (frame.header.batch_end() > sequence_) break;
                ++active.accepted;
            }
        }
        // Offsets count each partition's records, sequence numbers everybody's.
        std::uint64_t all = 0;
        for (const Active& active : actives_) all += active.accepted == 0 ? active.begin.offset : active.frames[active.accepted - 1].header.end_offset();
        if (all < sequence_) {
            return fail(ErrorKind::corrupt, fmt::format("{}: {} records that were durable are gone from the ends of its segments", folder_, sequence_ - all));
        }
        return {};
    }

    Result<Ends> result() {
        Ends ends;
        HeadState& head = ends.head;
        head.manifest_id = manifest_.id();
        head.writes = head_ ? head_->writes : 0;
        head.epoch = manifest_.epoch();
        head.manifest_length = manifest_.length();
        head.published = manifest_.run_count();
        const bool unsettled = !head_ || head_->epoch != head.epoch || head_->manifest_length != head.manifest_length || head_->published != head.published;
        head.sequence = head.durable_sequence = sequence_;
        ends.clean = from_head_ && !unsettled;
        for (std::uint32_t p = 0; p < actives_.size(); ++p) {
            const Active& active = actives_[p];
            PartitionHead end = active.begin;
            for (std::size_t i = 0; i < active.accepted; ++i) {
                const FrameHeader& h = active.frames[i].header;
                end.length = active.frames[i].end();
                end.offset = h.end_offset();
                end.chain = h.next_chain();
                end.max_time = std::max(end.max_time, h.max_time);
                end.keep_time = std::max(end.keep_time, keep_time_of(h));
            }
            end.durable = end.length;
            head.partitions.push_back(end);
            if (active.entry == nullptr) continue;
            if (head_of(p) == nullptr) ends.clean = false;
            if (active.size == active.begin.length && from_head_ && !unsettled) continue;
            Ends::Tail tail;
            tail.partition = p;
            tail.path = active.path;
            tail.end = end.length;
            tail.proven = std::min(active.proven, end.length);
            tail.size = active.size;
            for (std::size_t i = active.accepted; i < active.frames.size(); ++i) tail.records += active.frames[i].header.records;
            if (tail.proven == tail.size && tail.end == tail.size && !unsettled) continue;
            ends.clean = false;
            ends.tails.push_back(std::move(tail));
        }
        return ends;
    }

    FileSystem& files_;
    const std::string& folder_;
    const Manifest& manifest_;
    const std::optional<HeadState>& head_;
    std::vector<Active> actives_;
    std::map<std::uint32_t, SegmentReader> readers_;
    bool from_head_ = false;
    std::uint64_t sequence_ = 0;
};

}  // namespace

Result<void> settle_tail(FileSystem& files, const Ends::Tail& tail) {
    auto file = files.open(tail.path, Open::write);
    if (!file) return pass_on(file);
    STREAM_TRY(each_block(**file, tail.proven, tail.end, [&](std::string_view block, std::uint64_t at) { return (*file)->write_at(block, at); }));
    if (tail.size > tail.end) STREAM_TRY((*file)->truncate(tail.end));
    STREAM_TRY((*file)->sync());
    return (*file)->close();
}

Result<Ends> find_ends(FileSystem& files, const std::string& folder, const Manifest& manifest, const std::optional<HeadState>& head) {
    return Finder(files, folder, manifest, head).find();
}

Result<void> recover(FileSystem& files, const std::string& folder, Manifest& manifest, Ends& ends, Head& head) {
    STREAM_TRY(manifest.make_durable(0));
    STREAM_TRY(files.sync_folder(folder));
    const std::uint32_t epoch = manifest.epoch() + 1;
    for (const Ends::Tail& tail : ends.tails) {
        if (tail.size <= tail.end) continue;
        const std::string name = fmt::format("{}-{}.torn", tail.path.substr(tail.path.rfind('/') + 1), tail.end);
        STREAM_TRY(keep_copy(files, folder, tail.path, tail.end, tail.size, name));
    }
    // Before anything is cut: what a later crash may bring back of it is then of an epoch that is over.
    for (const Ends::Tail& tail : ends.tails) {
        if (tail.size > tail.end) STREAM_TRY(manifest.cut_segment(tail.partition, manifest.active(tail.partition)->id, tail.end, epoch));
    }
    for (const Ends::Tail& tail : ends.tails) STREAM_TRY(settle_tail(files, tail));
    ends.head.epoch = manifest.epoch();
    ends.head.manifest_length = manifest.length();
    ++ends.head.writes;
    STREAM_TRY(head.write(ends.head));
    ends.clean = true;
    ends.tails.clear();
    return {};
}

}  // namespace stream::log
