// SPDX-License-Identifier: Apache-2.0
#include "log/writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "io/zstd_block.hpp"
#include "log/batch.hpp"
#include "log/recovery.hpp"
#include "log/seal.hpp"

namespace stream::log {

namespace {

constexpr std::size_t write_block = 1 << 20;

// What makes a batch an epoch of a run.
struct Publication {
    const std::string& run;
    const std::string& sink;
    std::uint64_t epoch;
};

// A frame whose payload is ready; where it goes is known under the lock.
struct Frame {
    FrameHeader header;
    std::string stored;
    std::uint64_t first = 0;  // its first record's number within the batch
};

struct PendingRecord {  // of a batch with keys: which records it has is known under the lock
    std::uint32_t partition = 0;
    TimeNs time = 0;
    Hash128 key;
    std::size_t begin = 0;
    std::size_t size = 0;
};

struct Partition {
    explicit Partition(bool sequenced) : builder(sequenced, false) {}
    BatchBuilder builder;
    std::vector<Frame> frames;
    std::unique_ptr<File> file;  // the active segment
    std::uint64_t file_id = 0;
    std::uint64_t written_from = 0;  // in the commit under way
    bool written = false;
};

}  // namespace

struct LogWriter::Impl {
    Impl(FileSystem& f, std::string where, const WriterOptions& o, Manifest m)
        : files(f), folder(std::move(where)), options(o), manifest(std::move(m)), head_file(f, folder), compressor(manifest.config().level) {
        for (std::uint32_t p = 0; p < manifest.config().partitions; ++p) partitions.emplace_back(manifest.config().partitions > 1);
        expected = options.expect_offset;
    }

    FileSystem& files;
    std::string folder;
    WriterOptions options;
    Manifest manifest;
    Head head_file;
    HeadState head;  // as of the last time the lock was held
    ZstdCompressor compressor;
    std::unique_ptr<FileLock> for_life;  // --single-writer
    std::vector<Partition> partitions;
    std::uint64_t batch_records = 0;  // handed to builders
    std::size_t bytes = 0;            // pending, raw
    std::string keyed_text;
    std::vector<PendingRecord> keyed;
    std::vector<Ack> acks;
    std::string out;
    KeyFilter* filter = nullptr;
    std::function<Result<void>(Manifest&)> sealed_action;
    bool sealed = false;
    std::uint64_t duplicates = 0;
    std::optional<std::uint64_t> expected;
    std::string remark;
    std::optional<Error> failed;  // nobody knows what is on the disk

    void close_frame(Partition& partition) {
        Frame frame;
        frame.first = partition.builder.first_sequence();
        partition.builder.finish(frame.header, frame.stored, manifest.config().compressed ? &compressor : nullptr);
        partition.frames.push_back(std::move(frame));
    }

    void add(std::uint32_t p, std::string_view record, TimeNs time) {
        Partition& partition = partitions[p];
        const std::size_t most = std::min<std::size_t>(frame_bytes, manifest.config().segment_bytes);
        if (!partition.builder.empty() && partition.builder.bytes_with(record.size()) > most) close_frame(partition);
        partition.builder.add(record, 0, batch_records++, time);
        if (partition.builder.bytes() >= most) close_frame(partition);
    }

    void drop() {
        for (Partition& partition : partitions) {
            if (!partition.builder.empty()) close_frame(partition);
            partition.frames.clear();
        }
        keyed.clear();
        keyed_text.clear();
        batch_records = 0;
        bytes = 0;
    }

    // --- under the lock ---

    Result<void> recover_log(const std::optional<HeadState>& said) {
        auto ends = find_ends(files, folder, manifest, said);
        if (!ends) return pass_on(ends);
        if (!ends->clean) {
            std::uint64_t cut = 0;
            std::uint64_t records = 0;
            for (const Ends::Tail& tail : ends->tails) {
                cut += tail.size - tail.end;
                records += tail.records;
            }
            STREAM_TRY(recover(files, folder, manifest, *ends, head_file));
            if (cut > 0) {
                remark = fmt::format("{}: what a writer that died left unfinished was cut off: {} bytes with {} whole records that were never acknowledged "
                                     "(a copy is in quarantine/)", folder, cut, records);
            }
        }
        head = std::move(ends->head);
        return {};
    }

    // What others did since; what a dead one left.
    Result<void> catch_up(bool thorough) {
        auto said = head_file.read(manifest.id(), manifest.config().partitions);
        if (!said) return pass_on(said);
        STREAM_TRY(manifest.refresh(true, *said ? (*said)->manifest_length : 0, *said ? (*said)->published : 0));
        bool clean = !thorough && *said && (*said)->manifest_length == manifest.length() && (*said)->epoch == manifest.epoch() &&
                     (*said)->published == manifest.run_count();
        for (std::uint32_t p = 0; clean && p < partitions.size(); ++p) {
            const PartitionHead& end = (*said)->partitions[p];
            const SegmentEntry* active = manifest.active(p);
            clean = end.segment == (active == nullptr ? 0 : active->id);
            if (!clean || active == nullptr) continue;
            STREAM_TRY(open_active(p));
            auto size = partitions[p].file->size();
            if (!size) return pass_on(size);
            clean = *size == end.length;
        }
        if (clean) {
            head = std::move(**said);
            return {};
        }
        return recover_log(*said);
    }

    Result<void> open_active(std::uint32_t p) {
        const SegmentEntry* active = manifest.active(p);
        Partition& partition = partitions[p];
        if (active == nullptr || (partition.file != nullptr && partition.file_id == active->id)) return {};
        auto opened = files.open(segment_path(folder, p, *active), Open::write);
        if (!opened) return pass_on(opened);
        partition.file = std::move(*opened);
        partition.file_id = active->id;
        return {};
    }

    Result<void> check_expected() {
        if (!expected || head.partitions[0].offset == *expected) return {};
        return fail(ErrorKind::locked, fmt::format("{} is at offset {}, not {}: somebody else was first", folder, head.partitions[0].offset, *expected));
    }

    Result<void> filter_keys(TimeNs now) {
        if (keyed.empty()) return {};
        STREAM_TRY(filter->catch_up(head));
        for (const PendingRecord& record : keyed) {
            auto is_new = filter->is_new(record.key, now);
            if (!is_new) return pass_on(is_new);
            if (*is_new) add(record.partition, std::string_view(keyed_text).substr(record.begin, record.size), record.time);
            else ++duplicates;
        }
        return {};
    }

    // Makes durable what batches without sync left, ours and others'.
    Result<void> sync_dirty() {
        for (std::uint32_t p = 0; p < partitions.size(); ++p) {
            PartitionHead& end = head.partitions[p];
            if (end.durable == end.length) continue;
            STREAM_TRY(open_active(p));
            STREAM_TRY(partitions[p].file->sync());
            end.durable = end.length;
        }
        head.durable_sequence = head.sequence;
        return {};
    }

    Result<void> make_room(std::uint32_t p) {
        std::uint64_t more = 0;
        for (const Frame& frame : partitions[p].frames) more += frame.header.size() + frame.stored.size() + 8;
        const SegmentEntry* active = manifest.active(p);
        const std::uint64_t length = head.partitions[p].length;
        if (active != nullptr && (length <= file_header_size || length + more <= manifest.config().segment_bytes)) return open_active(p);
        STREAM_TRY(sync_dirty());
        sealed = sealed || active != nullptr;
        auto file = begin_segment(files, folder, manifest, head, p);
        if (!file) return pass_on(file);
        partitions[p].file = std::move(*file);
        partitions[p].file_id = head.partitions[p].segment;
        // The new segment is in the manifest now: head says so even if nothing comes to be written to it.
        ++head.writes;
        return head_file.write(head);
    }

    // Writes the partition's frames behind `head`'s end; changes `next`, which becomes the head.
    Result<void> write_frames(std::uint32_t p, HeadState& next, TimeNs now, std::uint16_t flags) {
        Partition& partition = partitions[p];
        PartitionHead& end = next.partitions[p];
        Ack ack{p, end.offset, end.offset};
        out.clear();
        std::uint64_t at = end.length;
        partition.written = true;
        partition.written_from = at;
        for (Frame& frame : partition.frames) {
            FrameHeader& h = frame.header;
            h.flags |= flags;
            h.offset = end.offset;
            h.file_id = end.segment;
            h.epoch = manifest.epoch();
            h.chain = end.chain;
            h.durable = head.partitions[p].durable;
            h.append_time = now;
            h.sequence = head.sequence + frame.first;
            h.durable_sequence = head.durable_sequence;
            h.batch_before = static_cast<std::uint32_t>(frame.first);
            h.batch_records = static_cast<std::uint32_t>(batch_records);
            append_frame(out, h, frame.stored);
            frame.stored = {};
            end.chain = h.next_chain();
            end.offset += h.records;
            end.length = at + out.size();
            end.max_time = std::max(end.max_time, h.max_time);
            end.keep_time = std::max(end.keep_time, keep_time_of(h));
            if (out.size() < write_block) continue;
            STREAM_TRY(partition.file->write_at(out, at));
            at += out.size();
            out.clear();
        }
        ack.last = end.offset - 1;
        acks.push_back(ack);
        return out.empty() ? Result<void>() : partition.file->write_at(out, at);
    }

    // A write failed (no room, a limit): nothing of the batch is to be there.
    void take_back() {
        // Killed before all of it is durable, head sends the next one to recovery, which makes it so.
        HeadState unsettled = head;
        unsettled.manifest_length = 0;
        ++unsettled.writes;
        const bool marked = head_file.write(unsettled).has_value();
        for (Partition& partition : partitions) {
            if (!partition.written) continue;
            if (!partition.file->truncate(partition.written_from) || !partition.file->sync()) {
                failed = Error(ErrorKind::io, folder + ": what a failed write left could not be taken back");
            }
        }
        head.writes = unsettled.writes + 1;
        if (!marked || failed || !head_file.write(head)) failed = Error(ErrorKind::io, folder + ": what a failed write left could not be taken back");
    }

    // `publication`: the batch is an epoch, and to be published; may be null.
    Result<void> append_batch(TimeNs now, const Publication* publication) {
        for (std::uint32_t p = 0; p < partitions.size(); ++p) {
            if (!partitions[p].builder.empty()) close_frame(partitions[p]);
        }
        if (batch_records == 0 && publication == nullptr) return {};
        if (batch_records > UINT32_MAX) return fail(ErrorKind::limit, "a batch of more than 4,294,967,295 records");
        for (std::uint32_t p = 0; p < partitions.size(); ++p) {
            partitions[p].written = false;
            if (!partitions[p].frames.empty()) STREAM_TRY(make_room(p));
        }
        HeadState next = head;
        next.sequence += batch_records;
        for (std::uint32_t p = 0; p < partitions.size(); ++p) {
            if (partitions[p].frames.empty()) continue;
            auto written = write_frames(p, next, now, publication != nullptr ? frame_of_epoch : std::uint16_t{0});
            if (written) continue;
            take_back();
            return written;
        }
        if (options.sync || publication != nullptr) STREAM_TRY(sync_batch(next));
        if (publication != nullptr) STREAM_TRY(say_published(*publication, next.sequence));
        ++next.writes;
        next.manifest_length = manifest.length();
        next.published = manifest.run_count();
        next.epoch = manifest.epoch();
        Result<void> told = head_file.write(next);
        if (!told) {  // durable, and found again by recovery; but no reader sees it now
            failed = Error(ErrorKind::io, told.error().message());
            return told;
        }
        head = std::move(next);
        return {};
    }

    // Everything below `sequence` is durable. From here on it counts, though no reader sees it before head says so.
    Result<void> say_published(const Publication& publication, std::uint64_t sequence) {
        auto said = manifest.publish_run({publication.run, publication.sink, publication.epoch, sequence}, options.runs_bytes);
        if (said) return {};
        if (manifest.is_unsure()) failed = Error(ErrorKind::io, said.error().message());
        else take_back();
        return said;
    }

    Result<void> sync_batch(HeadState& next) {
        for (std::uint32_t p = 0; p < partitions.size(); ++p) {
            PartitionHead& end = next.partitions[p];
            if (end.durable == end.length) continue;
            STREAM_TRY(open_active(p));
            auto synced = partitions[p].file->sync();
            if (!synced) {
                failed = Error(ErrorKind::io, synced.error().message());
                return synced;
            }
            end.durable = end.length;
        }
        next.durable_sequence = next.sequence;
        return {};
    }

    Result<void> append_locked(const Publication* publication) {
        STREAM_TRY(catch_up(false));
        if (publication != nullptr && publication->epoch <= manifest.published(publication->run, publication->sink)) return {};
        STREAM_TRY(check_expected());
        const TimeNs now = files.now_ns();
        STREAM_TRY(filter_keys(now));
        STREAM_TRY(append_batch(now, publication));
        if (filter != nullptr && !keyed.empty()) STREAM_TRY(filter->appended(head));
        if (expected) expected = head.partitions[0].offset;
        if (sealed && sealed_action) {
            sealed = false;
            // The batch is appended, whatever comes of retention.
            if (auto done = sealed_action(manifest); !done) {
                failed = Error(done.error().kind(), done.error().message());
                return {};
            }
            if (manifest.length() != head.manifest_length) {
                head.manifest_length = manifest.length();
                ++head.writes;
                STREAM_TRY(head_file.write(head));
            }
        }
        return {};
    }

    Result<std::span<const Ack>> append_pending(const Publication* publication) {
        acks.clear();
        if (failed) return fail(failed->kind(), failed->message());
        if (publication == nullptr && batch_records + keyed.size() == 0) return std::span<const Ack>();
        auto lock = files.lock(folder + "/LOCK", true);
        if (!lock) return pass_on(lock);
        auto done = append_locked(publication);
        if (!done && filter != nullptr) filter->dropped();
        drop();
        if (!done) return pass_on(done);
        return std::span<const Ack>(acks);
    }
};

Result<LogWriter> LogWriter::open(FileSystem& files, const std::string& folder, const WriterOptions& options) {
    auto manifest = Manifest::load(files, folder);
    if (!manifest) return pass_on(manifest);
    auto impl = std::make_unique<Impl>(files, folder, options, std::move(*manifest));
    if (options.expect_offset && impl->partitions.size() > 1) {
        return fail(ErrorKind::usage, fmt::format("{} has {} partitions: an expected offset is of a log of one", folder, impl->partitions.size()));
    }
    if (impl->manifest.config().single_writer) {
        auto lock = files.lock(folder + "/WRITER", false);
        if (!lock) return pass_on(lock);
        if (*lock == nullptr) return fail(ErrorKind::locked, folder + " has a single writer, and somebody else is writing");
        impl->for_life = std::move(*lock);
    }
    auto lock = files.lock(folder + "/LOCK", true);
    if (!lock) return pass_on(lock);
    STREAM_TRY(impl->catch_up(true));
    STREAM_TRY(impl->check_expected());
    return LogWriter(std::move(impl));
}

LogWriter::LogWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LogWriter::LogWriter(LogWriter&&) noexcept = default;
LogWriter& LogWriter::operator=(LogWriter&&) noexcept = default;
LogWriter::~LogWriter() = default;

const LogConfig& LogWriter::config() const { return impl_->manifest.config(); }
const Manifest& LogWriter::manifest() const { return impl_->manifest; }
std::size_t LogWriter::pending_bytes() const { return impl_->bytes; }
std::uint64_t LogWriter::pending_records() const { return impl_->batch_records + impl_->keyed.size(); }
std::size_t LogWriter::batch_bytes(std::size_t wanted) const { return std::min<std::size_t>(wanted, impl_->manifest.config().segment_bytes); }
void LogWriter::drop_pending() { impl_->drop(); }
std::uint64_t LogWriter::duplicates() const { return impl_->duplicates; }
void LogWriter::set_key_filter(KeyFilter* filter) { impl_->filter = filter; }
void LogWriter::on_sealed(std::function<Result<void>(Manifest&)> action) { impl_->sealed_action = std::move(action); }
Result<void> LogWriter::finish() const {
    if (impl_->failed) return fail(impl_->failed->kind(), impl_->failed->message());
    return {};
}
const std::string& LogWriter::remark() const { return impl_->remark; }

Result<void> LogWriter::add(std::uint32_t partition, std::string_view record, TimeNs time, const Hash128* key) {
    STREAM_CHECK(partition < impl_->partitions.size());
    if (record.size() > record_max) {
        return fail(ErrorKind::limit, fmt::format("a record of {} bytes: a log takes {} at most", record.size(), record_max));
    }
    impl_->bytes += record.size() + 1;
    if (key == nullptr || impl_->filter == nullptr) {
        // Records with and without keys keep their order.
        STREAM_CHECK(impl_->keyed.empty());
        impl_->add(partition, record, time);
        return {};
    }
    impl_->keyed.push_back({partition, time, *key, impl_->keyed_text.size(), record.size()});
    impl_->keyed_text.append(record);
    return {};
}

Result<std::span<const Ack>> LogWriter::commit() { return impl_->append_pending(nullptr); }

Result<std::span<const Ack>> LogWriter::publish(const std::string& run, const std::string& sink, std::uint64_t epoch) {
    const Publication publication{run, sink, epoch};
    return impl_->append_pending(&publication);
}

std::uint64_t LogWriter::published(const std::string& run, const std::string& sink) const { return impl_->manifest.published(run, sink); }

}  // namespace stream::log
