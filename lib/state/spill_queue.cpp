// SPDX-License-Identifier: Apache-2.0
// In memory: a few queues, each in order, and a heap for what fits none of them. Streams are nearly in
// order, so an event mostly goes to the end of its input's queue and is taken from its front (patience
// sorting's idea; Chandramouli and Goldstein, SIGMOD 2014), at no cost that grows with what waits. On
// disk: sorted runs, one file each so that the space of a consumed one comes back everywhere, and punched
// from the front as it is read where the file system can.
#include "state/spill_queue.hpp"

#include "base/check.hpp"
#include "state/event_arena.hpp"
#include "state/spill_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace stream {
namespace {

constexpr std::size_t queues_count = 8;
constexpr std::size_t runs_max = 64;            // open at once
constexpr std::size_t runs_merged = 32;         // the shortest, when there are that many
constexpr std::size_t memory_least = 16 << 10;  // less would make a run of each event
constexpr std::uint64_t punch_step = 1 << 20;
constexpr std::uint8_t state_version = 1;
constexpr std::uint8_t state_version_files = 2;  // what is in memory, then the runs' files
constexpr std::size_t change_overhead = 48;  // of an event that is noted, at most

struct Entry {
    TimeNs time = 0;
    std::uint64_t position = 0;
    const char* data = nullptr;
    std::uint32_t input = 0;
    std::uint32_t chunk = 0;

    EventOrder order() const { return {time, input, position}; }
};

// A ring of entries in ascending order.
class SortedQueue {
public:
    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    std::size_t capacity() const { return ring_.size(); }
    const Entry& front() const { return ring_[first_]; }
    const Entry& back() const { return at(size_ - 1); }
    const Entry& at(std::size_t index) const { return ring_[(first_ + index) & (ring_.size() - 1)]; }
    Entry& at(std::size_t index) { return ring_[(first_ + index) & (ring_.size() - 1)]; }

    void push_back(const Entry& entry) {
        if (size_ == ring_.size()) resize(std::max<std::size_t>(16, 2 * size_));
        ring_[(first_ + size_) & (ring_.size() - 1)] = entry;
        ++size_;
    }
    void pop_front() {
        first_ = (first_ + 1) & (ring_.size() - 1);
        --size_;
        if (ring_.size() > 4096 && size_ < ring_.size() / 8) resize(ring_.size() / 2);
    }

private:
    void resize(std::size_t capacity) {
        std::vector<Entry> ring(capacity);
        for (std::size_t i = 0; i < size_; ++i) ring[i] = at(i);
        ring_ = std::move(ring);
        first_ = 0;
    }

    std::vector<Entry> ring_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

[[gnu::always_inline]] inline bool before(const Entry& a, const Entry& b) {
    return a.time != b.time ? a.time < b.time : a.order() < b.order();
}

// Four children a node: half the levels of a binary heap, and a node's children share cache lines.
class EntryHeap {
public:
    bool empty() const { return entries_.empty(); }
    const Entry& front() const { return entries_.front(); }
    std::size_t capacity() const { return entries_.capacity(); }
    std::vector<Entry>& entries() { return entries_; }  // for what leaves their order as it is
    const std::vector<Entry>& entries() const { return entries_; }

    void push(const Entry& entry) {
        entries_.push_back(entry);
        std::size_t at = entries_.size() - 1;
        while (at > 0) {
            const std::size_t parent = (at - 1) / 4;
            if (!before(entry, entries_[parent])) break;
            entries_[at] = entries_[parent];
            at = parent;
        }
        entries_[at] = entry;
    }
    Entry pop() {
        const Entry least = entries_.front();
        const Entry last = entries_.back();
        entries_.pop_back();
        const std::size_t size = entries_.size();
        std::size_t at = 0;
        for (std::size_t child = 1; child < size; child = 4 * at + 1) {
            const std::size_t end = std::min(child + 4, size);
            std::size_t best = child;
            for (std::size_t i = child + 1; i < end; ++i)
                best = before(entries_[i], entries_[best]) ? i : best;
            __builtin_prefetch(entries_.data() + std::min(4 * best + 1, size - 1));
            if (!before(entries_[best], last)) break;
            entries_[at] = entries_[best];
            at = best;
        }
        if (size > 0) entries_[at] = last;
        return least;
    }

private:
    std::vector<Entry> entries_;
};

struct Run {
    Run(TempFile file_, std::uint64_t begin, std::uint64_t size_, std::size_t buffer_bytes)
        : file(std::move(file_)), size(size_), reader(file, begin, size_, buffer_bytes) {}

    TempFile file;
    std::uint64_t size;
    std::uint64_t punched = 0;
    bool can_punch = true;
    std::uint64_t kept_as = 0;  // its number among the files kept last
    RunReader reader;  // at the run's least record that was not taken

    std::uint64_t left() const { return size - reader.begins_at(); }
    std::uint64_t on_disk() const { return size - punched; }
};

void put_event(StateWriter& writer, const EventOrder& order, std::string_view bytes) {
    writer.put_i64(order.time);
    writer.put_varint(order.input);
    writer.put_varint(order.position);
    writer.put_bytes(bytes);
}

Result<QueuedEvent> get_event(StateReader& reader) {
    QueuedEvent event;
    event.time = reader.get_i64();
    event.input = static_cast<std::uint32_t>(reader.get_varint());
    event.position = reader.get_varint();
    event.bytes = reader.get_bytes();
    STREAM_TRY(reader.check("waiting events"));
    return event;
}

bool run_after(const std::unique_ptr<Run>& a, const std::unique_ptr<Run>& b) {
    return b->reader.order() < a->reader.order();
}

}  // namespace

struct SpillQueue::Impl {
    explicit Impl(SpillLimits limits_)
        : limits{std::max(limits_.memory_bytes, memory_least), limits_.spill_bytes,
                 std::move(limits_.folder)},
          chunk_bytes(std::clamp<std::size_t>(limits.memory_bytes / 64, 4 << 10, 256 << 10)),
          buffer_bytes(std::clamp<std::size_t>(limits.memory_bytes / 256, 4 << 10, 256 << 10)),
          arena(chunk_bytes) {}

    SpillLimits limits;
    std::size_t chunk_bytes;
    std::size_t buffer_bytes;
    EventArena arena;
    std::array<SortedQueue, queues_count> queues;
    EntryHeap heap;
    std::vector<std::unique_ptr<Run>> runs;  // a heap by run_after
    std::uint64_t in_memory = 0;
    std::uint64_t in_runs = 0;
    std::string taken;  // bytes of the event last taken from a run

    // Where the least event is: a queue's number, heap_source, run_source or none.
    static constexpr std::size_t heap_source = queues_count;
    static constexpr std::size_t run_source = queues_count + 1;
    static constexpr std::size_t no_source = queues_count + 2;
    std::size_t least_source = no_source;
    EventOrder least;

    std::uint64_t size() const { return in_memory + in_runs; }

    void offer(std::size_t source, const EventOrder& order) {
        if (least_source == no_source || order < least) {
            least_source = source;
            least = order;
        }
    }
    void find_least() {
        least_source = no_source;
        for (std::size_t i = 0; i < queues_count; ++i) {
            if (!queues[i].empty()) offer(i, queues[i].front().order());
        }
        if (!heap.empty()) offer(heap_source, heap.front().order());
        if (!runs.empty()) offer(run_source, runs.front()->reader.order());
    }

    // The queue whose last entry is the nearest before `order`, an empty one, or the heap.
    std::size_t place_for(const EventOrder& order) const {
        std::size_t best = heap_source;
        for (std::size_t i = 0; i < queues_count; ++i) {
            if (queues[i].empty()) {
                if (best == heap_source) best = i;
            } else if (queues[i].back().order() < order &&
                       (best == heap_source || queues[best].empty() ||
                        queues[best].back().order() < queues[i].back().order())) {
                best = i;
            }
        }
        return best;
    }
    void insert(const Entry& entry) {
        const EventOrder order = entry.order();
        std::size_t source = entry.input % queues_count;
        if (!queues[source].empty() && order < queues[source].back().order()) source = place_for(order);
        if (source == heap_source) {
            heap.push(entry);
        } else {
            queues[source].push_back(entry);
        }
        ++in_memory;
        offer(source, order);
    }
    // The least entry in memory, which is at `source`.
    Entry take_from(std::size_t source) {
        --in_memory;
        if (source != heap_source) {
            const Entry entry = queues[source].front();
            queues[source].pop_front();
            return entry;
        }
        return heap.pop();
    }

    std::size_t entries_bytes() const {
        std::size_t capacity = heap.capacity();
        for (const SortedQueue& queue : queues) capacity += queue.capacity();
        return capacity * sizeof(Entry);
    }
    std::size_t buffers_bytes() const {
        std::size_t total = taken.capacity();
        for (const auto& run : runs) total += run->reader.memory();
        return total;
    }
    std::size_t memory_budget() const {
        const std::size_t buffers = buffers_bytes();
        return buffers < limits.memory_bytes / 2 ? limits.memory_bytes - buffers : limits.memory_bytes / 2;
    }

    void compact() {
        EventArena fresh(chunk_bytes);
        const auto move = [&](Entry& entry) {
            const auto place = fresh.add(EventArena::bytes_at(entry.data));
            entry.data = place.data;
            entry.chunk = place.chunk;
        };
        for (SortedQueue& queue : queues) {
            for (std::size_t i = 0; i < queue.size(); ++i) move(queue.at(i));
        }
        for (Entry& entry : heap.entries()) move(entry);
        arena = std::move(fresh);
    }

    std::uint64_t on_disk() const {
        std::uint64_t total = 0;
        for (const auto& run : runs) total += run->on_disk();
        return total;
    }

    // The run is at its least record already, or holds none and is dropped.
    Result<void> add_run(TempFile file, std::uint64_t begin, std::uint64_t size) {
        auto run = std::make_unique<Run>(std::move(file), begin, size, buffer_bytes);
        auto more = run->reader.next();
        if (!more) return pass_on(more);
        if (!*more) return {};
        runs.push_back(std::move(run));
        std::push_heap(runs.begin(), runs.end(), run_after);
        return {};
    }

    Result<void> spill() {
        if (on_disk() + arena.live_bytes() > limits.spill_bytes) {
            return fail(ErrorKind::limit,
                        fmt::format("{} events wait for their turn, more than --spill-max {} holds", size(),
                                    limits.spill_bytes),
                        "raise --spill-max, or look for the input that holds the others back");
        }
        if (runs.size() >= runs_max) STREAM_TRY(merge_runs());
        auto file = TempFile::create(limits.folder);
        if (!file) return pass_on(file);
        RunWriter writer(*file, std::max<std::size_t>(buffer_bytes, 64 << 10));
        const std::uint64_t moved = in_memory;
        while (in_memory > 0) {
            find_least_in_memory();
            const Entry entry = take_from(least_source);
            STREAM_TRY(writer.add(entry.order(), EventArena::bytes_at(entry.data)));
        }
        auto length = writer.finish();
        if (!length) return pass_on(length);
        arena = EventArena(chunk_bytes);
        heap = {};
        for (SortedQueue& queue : queues) queue = {};
        STREAM_TRY(add_run(std::move(*file), 0, *length));
        in_runs += moved;
        find_least();
        return {};
    }
    void find_least_in_memory() {
        least_source = no_source;
        for (std::size_t i = 0; i < queues_count; ++i) {
            if (!queues[i].empty()) offer(i, queues[i].front().order());
        }
        if (!heap.empty()) offer(heap_source, heap.front().order());
    }

    // Takes the record that `run` is at and gives back the space of what was read. False at its end.
    static Result<bool> step(Run& run) {
        auto more = run.reader.next();
        if (!more) return more;
        const std::uint64_t read = run.reader.begins_at() / 4096 * 4096;
        if (run.can_punch && read - run.punched >= punch_step) {
            run.can_punch = run.file.punch(run.punched, read - run.punched);
            if (run.can_punch) run.punched = read;
        }
        return more;
    }

    // The shortest runs become one: lengths stay in proportion, so each event is rewritten only
    // logarithmically often.
    Result<void> merge_runs() {
        std::sort(runs.begin(), runs.end(),
                  [](const auto& a, const auto& b) { return a->left() < b->left(); });
        std::vector<std::unique_ptr<Run>> sources;
        for (std::size_t i = 0; i < runs_merged; ++i) sources.push_back(std::move(runs[i]));
        runs.erase(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(runs_merged));
        std::make_heap(runs.begin(), runs.end(), run_after);
        std::make_heap(sources.begin(), sources.end(), run_after);

        auto file = TempFile::create(limits.folder);
        if (!file) return pass_on(file);
        RunWriter writer(*file, std::max<std::size_t>(buffer_bytes, 64 << 10));
        while (!sources.empty()) {
            std::pop_heap(sources.begin(), sources.end(), run_after);
            Run& run = *sources.back();
            STREAM_TRY(writer.add(run.reader.order(), run.reader.bytes()));
            auto more = step(run);
            if (!more) return pass_on(more);
            if (*more) {
                std::push_heap(sources.begin(), sources.end(), run_after);
            } else {
                sources.pop_back();
            }
        }
        auto length = writer.finish();
        if (!length) return pass_on(length);
        return add_run(std::move(*file), 0, *length);
    }

    Result<void> push(const QueuedEvent& event) {
        if (arena.live_bytes() + entries_bytes() > memory_budget()) {
            STREAM_TRY(spill());
        } else if (arena.is_sparse()) {
            compact();
        }
        const auto place = arena.add(event.bytes);
        insert({event.time, event.position, place.data, event.input, place.chunk});
        return {};
    }

    Result<QueuedEvent> pop() {
        STREAM_CHECK(least_source != no_source);
        QueuedEvent event{least.time, least.input, least.position, {}};
        if (least_source == run_source) {
            std::pop_heap(runs.begin(), runs.end(), run_after);
            Run& run = *runs.back();
            taken.assign(run.reader.bytes());
            event.bytes = taken;
            --in_runs;
            auto more = step(run);
            if (!more) return pass_on(more);
            if (*more) {
                std::push_heap(runs.begin(), runs.end(), run_after);
            } else {
                runs.pop_back();
            }
        } else {
            const Entry entry = take_from(least_source);
            event.bytes = EventArena::bytes_at(entry.data);
            arena.release({entry.data, entry.chunk});
        }
        find_least();
        return event;
    }

    std::vector<Entry> sorted_entries() const {
        std::vector<Entry> entries = heap.entries();
        for (const SortedQueue& queue : queues) {
            for (std::size_t i = 0; i < queue.size(); ++i) entries.push_back(queue.at(i));
        }
        std::sort(entries.begin(), entries.end(), before);
        return entries;
    }

    void snapshot_with_files(StateWriter& writer) const {
        writer.put_u8(state_version_files);
        writer.put_varint(in_memory);
        for (const Entry& entry : sorted_entries()) put_event(writer, entry.order(), EventArena::bytes_at(entry.data));
        writer.put_varint(in_runs);
        writer.put_varint(runs.size());
        for (const auto& run : runs) {
            writer.put_varint(run->kept_as);
            writer.put_varint(run->reader.begins_at());
            writer.put_varint(run->size);
        }
    }

    Result<void> restore_runs(StateReader& reader) {
        const std::uint64_t events = reader.get_varint();
        const std::uint64_t count = reader.get_varint();
        STREAM_TRY(reader.check("waiting events"));
        if (reader.files() == nullptr) return fail(ErrorKind::corrupt, "the saved state of waiting events has lost its files");
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::uint64_t number = reader.get_varint();
            const std::uint64_t begin = reader.get_varint();
            const std::uint64_t size = reader.get_varint();
            STREAM_TRY(reader.check("waiting events"));
            auto path = reader.files()->path(number);
            if (!path) return pass_on(path);
            auto file = TempFile::open_kept(*path);
            if (!file) return pass_on(file);
            if (begin >= size) return fail(ErrorKind::corrupt, "the saved state of waiting events contradicts itself");
            STREAM_TRY(add_run(std::move(*file), begin, size));
        }
        in_runs += events;
        find_least();
        return {};
    }
};

SpillQueue::SpillQueue(SpillLimits limits) : impl_(std::make_unique<Impl>(std::move(limits))) {}
SpillQueue::~SpillQueue() = default;

Result<void> SpillQueue::push(const QueuedEvent& event) {
    if (knows_changes() && room_for(event.bytes.size() + change_overhead)) {
        changes_.put_varint(gone_);
        put_event(changes_, {event.time, event.input, event.position}, event.bytes);
        gone_ = 0;
    }
    return impl_->push(event);
}

Result<QueuedEvent> SpillQueue::pop() {
    ++gone_;
    return impl_->pop();
}

bool SpillQueue::room_for(std::size_t bytes) {
    overflown_ = changes_.bytes().size() + bytes > limit_;
    if (overflown_) changes_ = StateWriter();
    return !overflown_;
}

void SpillQueue::track(std::size_t limit) {
    tracking_ = true;
    overflown_ = false;
    limit_ = limit;
    gone_ = 0;
    changes_ = StateWriter();
}

void SpillQueue::stop_tracking() {
    tracking_ = false;
    changes_ = StateWriter();
}

// Each event with how many had gone before it, and at last how many went after the last.
void SpillQueue::snapshot_changes(StateWriter& writer) {
    STREAM_CHECK(knows_changes());
    changes_.put_varint(gone_);
    writer.put_bytes(changes_.bytes());
    track(limit_);
}

Result<void> SpillQueue::restore_changes(StateReader& reader) {
    StateReader changes(reader.get_bytes());
    STREAM_TRY(reader.check("waiting events"));
    for (;;) {
        const std::uint64_t gone = changes.get_varint();
        STREAM_TRY(changes.check("waiting events"));
        if (gone > size()) return fail(ErrorKind::corrupt, "the saved state of waiting events takes more than there are");
        for (std::uint64_t i = 0; i < gone; ++i) {
            auto taken = pop();
            if (!taken) return pass_on(taken);
        }
        if (changes.at_end()) return {};
        auto event = get_event(changes);
        if (!event) return pass_on(event);
        STREAM_TRY(push(*event));
    }
}
bool SpillQueue::empty() const { return impl_->least_source == Impl::no_source; }
std::uint64_t SpillQueue::size() const { return impl_->size(); }
TimeNs SpillQueue::min_time() const { return empty() ? time_after_all : impl_->least.time; }
QueuedEvent SpillQueue::min_key() const {
    return {impl_->least.time, impl_->least.input, impl_->least.position, {}};
}

std::size_t SpillQueue::memory_used() const {
    return impl_->arena.allocated_bytes() + impl_->entries_bytes() + impl_->buffers_bytes();
}
std::uint64_t SpillQueue::spilled_bytes() const { return impl_->on_disk(); }

// In order, so that equal queues give equal bytes however they came to be. A spill file that cannot be
// read here ends the program: a state without its events must not be saved.
void SpillQueue::snapshot(StateWriter& writer) const {
    if (writer.with_files() && !impl_->runs.empty()) return impl_->snapshot_with_files(writer);
    writer.put_u8(state_version);
    writer.put_varint(impl_->size());
    const auto put = [&](const EventOrder& order, std::string_view bytes) { put_event(writer, order, bytes); };
    std::vector<std::unique_ptr<RunReader>> readers;
    for (const auto& run : impl_->runs) {
        readers.push_back(
            std::make_unique<RunReader>(run->file, run->reader.begins_at(), run->size, impl_->buffer_bytes));
        const auto more = readers.back()->next();
        STREAM_CHECK(more && *more);
    }
    const std::vector<Entry> entries = impl_->sorted_entries();
    auto entry = entries.begin();
    while (entry != entries.end() || !readers.empty()) {
        const auto reader =
            std::min_element(readers.begin(), readers.end(),
                             [](const auto& a, const auto& b) { return a->order() < b->order(); });
        if (reader == readers.end() || (entry != entries.end() && entry->order() < (*reader)->order())) {
            put(entry->order(), EventArena::bytes_at(entry->data));
            ++entry;
            continue;
        }
        put((*reader)->order(), (*reader)->bytes());
        const auto more = (*reader)->next();
        STREAM_CHECK(more.has_value());
        if (!*more) readers.erase(reader);
    }
}

Result<void> SpillQueue::restore(StateReader& reader) {
    const std::uint8_t version = reader.get_u8();
    const std::uint64_t count = reader.get_varint();
    STREAM_TRY(reader.check("waiting events"));
    if (version != state_version && version != state_version_files)
        return fail(ErrorKind::corrupt, "the saved state of waiting events has another form");
    for (std::uint64_t i = 0; i < count; ++i) {
        auto event = get_event(reader);
        if (!event) return pass_on(event);
        STREAM_TRY(push(*event));
    }
    return version == state_version_files ? impl_->restore_runs(reader) : Result<void>{};
}

Result<void> SpillQueue::keep_files(KeptFiles& files) {
    for (const auto& run : impl_->runs) {
        auto number = run->file.keep(files);
        if (!number) return pass_on(number);
        run->kept_as = *number;
    }
    return {};
}

}  // namespace stream
