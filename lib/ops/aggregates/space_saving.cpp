// SPDX-License-Identifier: Apache-2.0
#include "ops/aggregates/space_saving.hpp"

#include "base/check.hpp"
#include "json/canonical.hpp"
#include "ops/aggregates/hyperloglog.hpp"

#include <algorithm>

namespace stream {

namespace {

constexpr std::size_t slots_min = 16;
constexpr std::uint64_t total_max = ~std::uint64_t{0} >> 1;  // a full sketch may still have been added to

// What a string keeps on the heap.
std::size_t heap_of(const std::string& text) {
    return text.capacity() > std::string().capacity() ? text.capacity() + 1 : 0;
}

void sort_items(std::vector<SpaceSaving::Item>& items) {
    std::sort(items.begin(), items.end(), [](const SpaceSaving::Item& a, const SpaceSaving::Item& b) {
        if (a.count != b.count) return a.count > b.count;
        return compare_values(value_of(a.value), value_of(b.value)) < 0;
    });
}

}  // namespace

SpaceSaving::SpaceSaving(std::size_t capacity) : capacity_(capacity) {
    STREAM_CHECK(capacity >= 1 && capacity <= capacity_max);
}

void SpaceSaving::add(std::string_view value, std::uint64_t hash) {
    ++total_;
    std::uint32_t counter = find(value, hash);
    if (counter != none) {
        increment(counter);
        return;
    }
    if (counters_.size() < capacity_) {
        link(make_counter(value, hash, 0), none, 1);
        return;
    }
    // The oldest of the least counters passes to the new value, which may have come as often.
    counter = buckets_[lowest_].first;
    floor_ = buckets_[lowest_].count;
    erase_slot(counter);
    Counter& taken = counters_[counter];
    long_bytes_ -= heap_of(taken.value);
    if (taken.value.capacity() > 4 * value.size() + 64) taken.value = std::string();
    taken.value.assign(value);
    long_bytes_ += heap_of(taken.value);
    taken.hash = hash;
    taken.error = floor_;
    insert_slot(counter);
    increment(counter);
}

// --- the hash table: linear probing, removal by shifting back

std::uint32_t SpaceSaving::find(std::string_view value, std::uint64_t hash) const {
    if (slots_.empty()) return none;
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t slot = hash & mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
        const Counter& counter = counters_[slots_[slot] - 1];
        if (counter.hash == hash && counter.value == value) return slots_[slot] - 1;
    }
    return none;
}

std::uint32_t SpaceSaving::make_counter(std::string_view value, std::uint64_t hash, std::uint64_t error) {
    const auto counter = static_cast<std::uint32_t>(counters_.size());
    counters_.push_back({std::string(value), hash, error, none, none, none});
    long_bytes_ += heap_of(counters_.back().value);
    if (counters_.size() * 4 > slots_.size() * 3) grow_slots();
    insert_slot(counter);
    return counter;
}

void SpaceSaving::insert_slot(std::uint32_t counter) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = counters_[counter].hash & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = counter + 1;
}

void SpaceSaving::erase_slot(std::uint32_t counter) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t hole = counters_[counter].hash & mask;
    while (slots_[hole] != counter + 1) hole = (hole + 1) & mask;
    for (std::size_t slot = (hole + 1) & mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
        const std::size_t home = counters_[slots_[slot] - 1].hash & mask;
        // It may move back to the hole unless its home lies between the two.
        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
            slots_[hole] = slots_[slot];
            hole = slot;
        }
    }
    slots_[hole] = 0;
}

// The newest counter is not in the table yet.
void SpaceSaving::grow_slots() {
    slots_.assign(std::max(slots_min, slots_.size() * 2), 0);
    for (std::uint32_t counter = 0; counter + 1 < counters_.size(); ++counter) insert_slot(counter);
}

// --- the stream summary: buckets by count, in each its counters, oldest first

void SpaceSaving::increment(std::uint32_t counter) {
    const std::uint32_t bucket = counters_[counter].bucket;
    Bucket& home = buckets_[bucket];
    const bool next_exists = home.higher != none && buckets_[home.higher].count == home.count + 1;
    if (home.first == home.last && !next_exists) {
        ++home.count;  // alone in its bucket, which moves up as a whole
        return;
    }
    const std::uint64_t count = home.count + 1;
    unlink(counter);
    link(counter, bucket, count);
    if (buckets_[bucket].first == none) free_bucket(bucket);
}

// Into the bucket of `count`, which is, or has its place, right behind `lower` (none: at the low end).
void SpaceSaving::link(std::uint32_t counter, std::uint32_t lower, std::uint64_t count) {
    std::uint32_t bucket = lower == none ? lowest_ : buckets_[lower].higher;
    if (bucket == none || buckets_[bucket].count != count) bucket = make_bucket(lower, count);
    Bucket& home = buckets_[bucket];
    Counter& linked = counters_[counter];
    linked.bucket = bucket;
    linked.before = home.last;
    linked.after = none;
    (home.last == none ? home.first : counters_[home.last].after) = counter;
    home.last = counter;
}

void SpaceSaving::unlink(std::uint32_t counter) {
    const Counter& linked = counters_[counter];
    Bucket& home = buckets_[linked.bucket];
    (linked.before == none ? home.first : counters_[linked.before].after) = linked.after;
    (linked.after == none ? home.last : counters_[linked.after].before) = linked.before;
}

std::uint32_t SpaceSaving::make_bucket(std::uint32_t lower, std::uint64_t count) {
    auto bucket = static_cast<std::uint32_t>(buckets_.size());
    if (free_buckets_.empty()) {
        buckets_.emplace_back();
    } else {
        bucket = free_buckets_.back();
        free_buckets_.pop_back();
    }
    const std::uint32_t higher = lower == none ? lowest_ : buckets_[lower].higher;
    buckets_[bucket] = {count, none, none, lower, higher};
    (lower == none ? lowest_ : buckets_[lower].higher) = bucket;
    (higher == none ? highest_ : buckets_[higher].lower) = bucket;
    return bucket;
}

void SpaceSaving::free_bucket(std::uint32_t bucket) {
    const Bucket& gone = buckets_[bucket];
    (gone.lower == none ? lowest_ : buckets_[gone.lower].higher) = gone.higher;
    (gone.higher == none ? highest_ : buckets_[gone.higher].lower) = gone.lower;
    free_buckets_.push_back(bucket);
}

// Counters come in ascending order of count.
void SpaceSaving::append(const Item& item) {
    const std::uint32_t counter = make_counter(item.value, sketch_hash(item.value), item.error);
    const bool same = highest_ != none && buckets_[highest_].count == item.count;
    link(counter, same ? buckets_[highest_].lower : highest_, item.count);
}

// --- reading, merging, writing

// Whole buckets from the highest down, until there are enough to choose from.
std::vector<SpaceSaving::Item> SpaceSaving::items(std::size_t limit) const {
    std::vector<Item> items;
    items.reserve(std::min(limit, counters_.size()));
    for (std::uint32_t bucket = highest_; bucket != none && items.size() < limit;
         bucket = buckets_[bucket].lower) {
        for (std::uint32_t at = buckets_[bucket].first; at != none; at = counters_[at].after) {
            items.push_back({counters_[at].value, buckets_[bucket].count, counters_[at].error});
        }
    }
    sort_items(items);
    if (items.size() > limit) items.resize(limit);
    return items;
}

std::vector<SpaceSaving::Item> SpaceSaving::unsorted_items() const {
    std::vector<Item> items;
    items.reserve(counters_.size());
    for (const Counter& counter : counters_) {
        items.push_back({counter.value, buckets_[counter.bucket].count, counter.error});
    }
    return items;
}

// A value that one side does not keep came at most its floor() times there: that goes to count and to
// error. Agarwal et al. subtract floors, add, and subtract the greatest count that has to go; counted
// from above, as here, that is the new floor.
bool SpaceSaving::merge(const SpaceSaving& other) {
    if (total_ > total_limit || other.total_ > total_limit - total_) return false;
    std::vector<Item> both = unsorted_items();
    for (std::size_t i = 0; i < counters_.size(); ++i) {
        const std::uint32_t twin = other.find(counters_[i].value, counters_[i].hash);
        both[i].count += twin == none ? other.floor_ : other.buckets_[other.counters_[twin].bucket].count;
        both[i].error += twin == none ? other.floor_ : other.counters_[twin].error;
    }
    for (const Counter& counter : other.counters_) {
        if (find(counter.value, counter.hash) != none) continue;
        both.push_back(
            {counter.value, other.buckets_[counter.bucket].count + floor_, counter.error + floor_});
    }
    sort_items(both);
    SpaceSaving merged(std::min(capacity_, other.capacity_));
    merged.total_ = total_ + other.total_;
    merged.floor_ = floor_ + other.floor_;
    if (both.size() > merged.capacity_) {
        merged.floor_ = std::max(merged.floor_, both[merged.capacity_].count);
        both.resize(merged.capacity_);
    }
    std::for_each(both.rbegin(), both.rend(), [&](const Item& item) { merged.append(item); });
    *this = std::move(merged);
    return true;
}

std::size_t SpaceSaving::heap_bytes() const {
    return long_bytes_ + counters_.capacity() * sizeof(Counter) + buckets_.capacity() * sizeof(Bucket) +
           (free_buckets_.capacity() + slots_.capacity()) * sizeof(std::uint32_t);
}

void SpaceSaving::encode(StateWriter& writer, bool canonical) const {
    writer.put_varint(capacity_);
    writer.put_varint(total_);
    writer.put_varint(floor_);
    writer.put_varint(counters_.size());
    const auto put = [&](std::string_view value, std::uint64_t count, std::uint64_t error) {
        writer.put_varint(count);
        writer.put_varint(error);
        writer.put_bytes(value);
    };
    if (canonical) {
        const std::vector<Item> sorted = items();
        std::for_each(sorted.rbegin(), sorted.rend(),
                      [&](const Item& item) { put(item.value, item.count, item.error); });
        return;
    }
    for (std::uint32_t bucket = lowest_; bucket != none; bucket = buckets_[bucket].higher) {
        for (std::uint32_t at = buckets_[bucket].first; at != none; at = counters_[at].after) {
            put(counters_[at].value, buckets_[bucket].count, counters_[at].error);
        }
    }
}

std::optional<SpaceSaving> SpaceSaving::decode(StateReader& reader) {
    const std::uint64_t capacity = reader.get_varint();
    const std::uint64_t total = reader.get_varint();
    const std::uint64_t floor = reader.get_varint();
    const std::uint64_t size = reader.get_varint();
    if (!reader.ok() || capacity == 0 || capacity > capacity_max || size > capacity || total > total_max) {
        return std::nullopt;
    }
    SpaceSaving sketch(capacity);
    sketch.total_ = total;
    sketch.floor_ = floor;
    std::uint64_t least = 1;
    for (std::uint64_t i = 0; i < size; ++i) {
        Item item;
        item.count = reader.get_varint();
        item.error = reader.get_varint();
        item.value = reader.get_bytes();
        if (!reader.ok() || item.count < least || item.value.empty()) return std::nullopt;
        if (sketch.find(item.value, sketch_hash(item.value)) != none) return std::nullopt;
        sketch.append(item);
        least = item.count;
    }
    if (!sketch.holds_bounds()) return std::nullopt;
    return sketch;
}

// What adding and merging keep true, and the promises above follow from:
// capacity * floor + the sum of (count - floor) <= total, error <= floor, error < count.
bool SpaceSaving::holds_bounds() const {
    if (floor_ > 0 && counters_.size() < capacity_) return false;
    if (floor_ > total_ / capacity_) return false;
    std::uint64_t left = total_ - capacity_ * floor_;
    for (const Counter& counter : counters_) {
        const std::uint64_t count = buckets_[counter.bucket].count;
        if (count < floor_ || counter.error > floor_ || counter.error >= count) return false;
        if (count - floor_ > left) return false;
        left -= count - floor_;
    }
    return true;
}

}  // namespace stream
