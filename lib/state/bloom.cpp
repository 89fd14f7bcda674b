// SPDX-License-Identifier: Apache-2.0
#include "state/bloom.hpp"

#include "base/check.hpp"
#include "base/int128.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

namespace stream {
namespace {

constexpr std::uint8_t state_version = 1;
constexpr double line_bits = 512;
constexpr std::uint64_t keys_min = 1 << 16;
constexpr std::uint64_t keys_max = 1ull << 40;
constexpr double generations_looked_at = 10;
constexpr DurationNs generations_in_within = 4;

// The chance that a key that was not added finds all its bits set, lines having on average `load` keys.
double error_of(double load, unsigned bits) {
    double poisson = std::exp(-load);
    double covered = 0;
    double error = 0;
    for (unsigned keys = 0; covered < 1 - 1e-14 && keys < 4096; ++keys) {
        const double unset = std::pow(1 - 1 / line_bits, double{1} * keys * bits);
        error += poisson * std::pow(1 - unset, bits);
        covered += poisson;
        poisson *= load / (keys + 1);
    }
    return error + std::max(0.0, 1 - covered - 1e-12);
}

struct Shape {
    double bits_a_key;
    unsigned bits;
};

Shape compute_shape(double error) {
    const double wanted = 0.95 * error;  // the independence of bits in a line is not quite true
    Shape best{256, 8};
    double low = 2;
    double high = 256;
    for (int step = 0; step < 9; ++step) {
        const double bits_a_key = (low + high) / 2;
        bool found = false;
        const auto most = static_cast<unsigned>(bits_a_key * 0.75) + 1;
        for (unsigned bits = most; bits >= 1 && bits + 8 > most; --bits) {
            if (error_of(line_bits / bits_a_key, bits) > wanted) continue;
            best = {bits_a_key, bits};
            found = true;
            break;
        }
        (found ? high : low) = bits_a_key;
    }
    return best;
}

// The same few errors come again and again, and a shape takes a third of a millisecond to find.
Shape shape_for(double error) {
    thread_local std::map<double, Shape> known;
    const auto found = known.find(error);
    if (found != known.end()) return found->second;
    return known.emplace(error, compute_shape(error)).first->second;
}

// The places of a key's bits in its line, nine bits of hash each.
template <class Use>
bool each_bit(const Hash128& hash, unsigned bits, Use&& use) {
    std::uint64_t source = hash.high;
    for (unsigned i = 0; i < bits; ++i) {
        if (i % 7 == 0 && i > 0) {
            source = (hash.high + i) * 0x9e3779b97f4a7c15u;
            source ^= source >> 32;
        }
        if (!use((source >> 6) & 7, std::uint64_t{1} << (source & 63))) return false;
        source >>= 9;
    }
    return true;
}

}  // namespace

void BloomFilter::Free::operator()(void* memory) const { std::free(memory); }

BloomFilter::BloomFilter(std::uint64_t keys, double error)
    : keys_(std::clamp<std::uint64_t>(keys, 1, keys_max)) {
    const Shape shape = shape_for(error);
    bits_ = shape.bits;
    lines_ =
        static_cast<std::uint64_t>(std::ceil(static_cast<double>(keys_) * shape.bits_a_key / line_bits)) + 1;
    // From the system a large zeroed piece costs nothing until it is touched.
    memory_.reset(std::calloc(lines_ + 1, sizeof(Line)));
    if (memory_ == nullptr) throw std::bad_alloc();
    const auto at = reinterpret_cast<std::uintptr_t>(memory_.get());
    data_ = reinterpret_cast<Line*>((at + 63) & ~std::uintptr_t{63});
}

const BloomFilter::Line& BloomFilter::line_of(const Hash128& hash) const {
    return data_[static_cast<std::uint64_t>((static_cast<UInt128>(hash.low) * lines_) >> 64)];
}

bool BloomFilter::contains(const Hash128& hash) const {
    const Line& line = line_of(hash);
    return each_bit(hash, bits_,
                    [&](std::uint64_t word, std::uint64_t bit) { return (line.words[word] & bit) != 0; });
}

void BloomFilter::insert(const Hash128& hash) {
    Line& line = const_cast<Line&>(line_of(hash));
    each_bit(hash, bits_, [&](std::uint64_t word, std::uint64_t bit) {
        line.words[word] |= bit;
        return true;
    });
    ++count_;
}

void BloomFilter::snapshot(StateWriter& writer) const {
    writer.put_varint(count_);
    writer.put_bytes({reinterpret_cast<const char*>(data_), lines_ * sizeof(Line)});
}

Result<void> BloomFilter::restore(StateReader& reader) {
    count_ = reader.get_varint();
    const auto bytes = reader.get_bytes();
    STREAM_TRY(reader.check("a Bloom filter"));
    if (bytes.size() != lines_ * sizeof(Line) || count_ > keys_) {
        return fail(ErrorKind::corrupt, "the saved state of a Bloom filter has another size");
    }
    std::memcpy(data_, bytes.data(), bytes.size());
    return {};
}

void ScalableBloom::add_layer() {
    const auto number = static_cast<int>(layers_.size());
    layers_.emplace_back(first_keys_ << std::min(number, 40), std::ldexp(error_, -number - 1));
}

bool ScalableBloom::contains(const Hash128& hash) const {
    return std::any_of(layers_.rbegin(), layers_.rend(),
                       [&](const auto& layer) { return layer.contains(hash); });
}

bool ScalableBloom::insert(const Hash128& hash) {
    if (contains(hash)) return false;
    if (layers_.empty() || layers_.back().is_full()) add_layer();
    layers_.back().insert(hash);
    return true;
}

std::uint64_t ScalableBloom::size() const {
    std::uint64_t total = 0;
    for (const BloomFilter& layer : layers_) total += layer.size();
    return total;
}

std::size_t ScalableBloom::memory() const {
    std::size_t total = 0;
    for (const BloomFilter& layer : layers_) total += layer.memory();
    return total;
}

void ScalableBloom::snapshot(StateWriter& writer) const {
    writer.put_u8(state_version);
    writer.put_f64(error_);
    writer.put_varint(first_keys_);
    writer.put_varint(layers_.size());
    for (const BloomFilter& layer : layers_) layer.snapshot(writer);
}

Result<void> ScalableBloom::restore(StateReader& reader) {
    const auto version = reader.get_u8();
    const double error = reader.get_f64();
    first_keys_ = reader.get_varint();
    const std::uint64_t layers = reader.get_varint();
    STREAM_TRY(reader.check("a Bloom filter"));
    if (version != state_version || error != error_ || first_keys_ > keys_max || layers > 40) {
        return fail(ErrorKind::corrupt, "the saved state of a Bloom filter has another form");
    }
    layers_.clear();
    for (std::uint64_t i = 0; i < layers; ++i) {
        // What a layer would take must be there: the memory is not asked for on a number's word.
        const double bits = static_cast<double>(first_keys_) * std::ldexp(1.0, static_cast<int>(i));
        if (bits / 8 > static_cast<double>(reader.left())) {
            return fail(ErrorKind::corrupt, "the saved state of a Bloom filter is cut short");
        }
        add_layer();
        STREAM_TRY(layers_.back().restore(reader));
    }
    return {};
}

TimedBloom::TimedBloom(double error, DurationNs within)
    : error_(error / generations_looked_at),
      within_(within),
      width_(
          std::max<DurationNs>(1, within / generations_in_within + (within % generations_in_within != 0))) {}

// A generation is probably about as large as the ones before it.
std::uint64_t TimedBloom::first_keys() const {
    std::uint64_t most = keys_min;
    for (const auto& [number, generation] : generations_) most = std::max(most, generation.size());
    return most;
}

bool TimedBloom::insert(const Hash128& hash, TimeNs time) {
    const std::int64_t last = floor_div(time_add(time, within_), width_);
    auto generation = generations_.lower_bound(floor_div(time_sub(time, within_), width_));
    for (; generation != generations_.end() && generation->first <= last; ++generation) {
        if (generation->second.contains(hash)) return false;
    }
    const std::int64_t number = floor_div(time, width_);
    auto own = generations_.find(number);
    if (own == generations_.end()) own = generations_.try_emplace(number, error_, first_keys()).first;
    own->second.insert(hash);
    return true;
}

void TimedBloom::expire(TimeNs before) {
    const std::int64_t first_kept = floor_div(before, width_);
    generations_.erase(generations_.begin(), generations_.lower_bound(first_kept));
}

std::uint64_t TimedBloom::size() const {
    std::uint64_t total = 0;
    for (const auto& [number, generation] : generations_) total += generation.size();
    return total;
}

std::size_t TimedBloom::memory() const {
    std::size_t total = 0;
    for (const auto& [number, generation] : generations_) total += generation.memory();
    return total;
}

void TimedBloom::snapshot(StateWriter& writer) const {
    writer.put_u8(state_version);
    writer.put_i64(within_);
    writer.put_varint(generations_.size());
    for (const auto& [number, generation] : generations_) {
        writer.put_i64(number);
        generation.snapshot(writer);
    }
}

Result<void> TimedBloom::restore(StateReader& reader) {
    const auto version = reader.get_u8();
    const auto within = reader.get_i64();
    const std::uint64_t count = reader.get_varint();
    STREAM_TRY(reader.check("a Bloom filter"));
    if (version != state_version || within != within_) {
        return fail(ErrorKind::corrupt, "the saved state of a Bloom filter has another form");
    }
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::int64_t number = reader.get_i64();
        STREAM_TRY(reader.check("a Bloom filter"));
        const auto own = generations_.try_emplace(number, error_, keys_min).first;
        STREAM_TRY(own->second.restore(reader));
    }
    return {};
}

}  // namespace stream
