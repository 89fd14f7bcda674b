// SPDX-License-Identifier: Apache-2.0
#include "ops/aggregates/ddsketch.hpp"

#include "base/check.hpp"
#include "base/int128.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace stream {

namespace {

constexpr unsigned mantissa_bits = 52;
constexpr std::uint64_t mantissa_mask = (std::uint64_t{1} << mantissa_bits) - 1;
constexpr std::uint64_t mantissa_one = std::uint64_t{1} << mantissa_bits;
constexpr std::int32_t buckets_per_octave = 35;
constexpr std::int32_t octaves = 2046;                       // the exponents of normal doubles
constexpr std::uint64_t count_max = ~std::uint64_t{0} >> 1;  // a full sketch may still have been added to
constexpr std::int32_t key_max = octaves * buckets_per_octave;

// ceil(2^(52 + j/35)): where bucket j of an octave begins. The test recomputes them.
constexpr std::array<std::uint64_t, 36> bucket_begin = {
    0x0010000000000000, 0x001051ed35254d7b, 0x0010a57de9c16bc8, 0x0010faba81d4e5e0, 0x001151ab8c56eea3,
    0x0011aa59c4115e7e, 0x001204ce10811782, 0x0012611186bae675, 0x0012bf2d6a54f7db, 0x00131f2b2e54f85d,
    0x001381147622f887, 0x0013e4f316812c30, 0x00144ad116889e7c, 0x0014b2b8b0aaf3c8, 0x00151cb453b9536d,
    0x001588cea3f093be, 0x0015f7127c0ac32a, 0x0016678aee5629f8, 0x0016da4345d1e0ae, 0x00174f47075017a0,
    0x0017c6a1f29e2ce7, 0x0018406003b2ae5d, 0x0018bc8d73e16610, 0x00193b36bb158fff, 0x0019bc68911258c0,
    0x001a402feeb9c533, 0x001ac69a0f5a241d, 0x001b4fb472022b1b, 0x001bdb8cdadbe121, 0x001c6a31548e794e,
    0x001cfbb031a741a5, 0x001d90180e09c9e4, 0x001e2777d0676771, 0x001ec1deabbe3c15, 0x001f5f5c20dfe5f3,
    0x0020000000000000};

// round(2^(52 + j/35) * 2 gamma / (gamma + 1)): equally far, relatively, from both ends of bucket j.
constexpr std::array<std::uint64_t, 35> bucket_middle = {
    0x0010288ec48c67ea, 0x00107b4ba5be330b, 0x0010cfb02dc4a483, 0x001125c4d5e5273c, 0x00117d9242c8b609,
    0x0011d721455a06f2, 0x0012327adba82811, 0x00128fa831cda4d8, 0x0012eeb2a2dc4adc, 0x00134fa3b9cda5dd,
    0x0013b28532784b30, 0x00141760fa8a0d2f, 0x00147e4132872fc8, 0x0014e7302eceb7c7, 0x0015523878a3ef12,
    0x0015bf64cf3d386a, 0x00162ec028d84de9, 0x0016a055b3d40606, 0x00171430d7cfbb54, 0x00178a5d36d073eb,
    0x001802e6ae6be5e1, 0x00187dd958f976d8, 0x0018fb418ec95547, 0x00197b2be761cab6, 0x0019fda53ac2e6c9,
    0x001a82baa2b0a39d, 0x001b0a797c03a49c, 0x001b94ef6800b198, 0x001c222a4db710a8, 0x001cb2385b65e1f3,
    0x001d452807e8a156, 0x001ddb08142af271, 0x001e73e78ca3dc70, 0x001f0fd5cad89bb8, 0x001faee276e7302d};

// The bucket in which each 64th of an octave begins. A bucket is wider than a 64th, so at most one
// begins inside it, and one comparison is left.
constexpr unsigned cell_bits = 6;
constexpr std::array<std::uint8_t, 1 << cell_bits> make_cells() {
    std::array<std::uint8_t, 1 << cell_bits> cells{};
    std::size_t bucket = 0;
    for (std::size_t cell = 0; cell < cells.size(); ++cell) {
        const std::uint64_t begin = mantissa_one + (std::uint64_t{cell} << (mantissa_bits - cell_bits));
        while (bucket_begin[bucket + 1] <= begin) ++bucket;
        cells[cell] = static_cast<std::uint8_t>(bucket);
    }
    return cells;
}
constexpr std::array<std::uint8_t, 1 << cell_bits> cells = make_cells();

// Zero of either sign, and what is too small to have a bucket, are one value.
double normal_or_zero(double value) {
    return std::abs(value) < std::numeric_limits<double>::min() ? 0.0 : value;
}

// The place of the first key not less than `key`. Keys are different integers in order, so their ends
// bound it: where there are no gaps at all it is known, else the gaps are all that is searched, without
// a branch to mispredict.
std::size_t lower_bound(const std::vector<std::int32_t>& keys, std::int32_t key) {
    if (keys.empty() || key > keys.back()) return keys.size();
    if (key <= keys.front()) return 0;
    const auto from_front = static_cast<std::size_t>(key - keys.front());
    const auto from_back = static_cast<std::size_t>(keys.back() - key);
    const std::size_t last = keys.size() - 1;
    std::size_t low = last > from_back ? last - from_back : 0;
    std::size_t left = std::min(last, from_front) - low;  // places low … low + left may be it
    while (left > 0) {
        const std::size_t half = (left + 1) / 2;
        low += half * static_cast<std::size_t>(keys[low + half - 1] < key);
        left -= half;
    }
    return low;
}

double five_digits(double value) {
    const auto text = fmt::format("{:.4e}", value);
    double rounded = value;
    std::from_chars(text.data(), text.data() + text.size(), rounded);
    return rounded;
}

std::uint64_t zigzag(std::int32_t key) {
    return (static_cast<std::uint32_t>(key) << 1) ^ static_cast<std::uint32_t>(key >> 31);
}

}  // namespace

std::uint64_t QuantileFraction::rank(std::uint64_t count) const {
    const UInt128 product = UInt128{numerator} * count;
    const auto rank = static_cast<std::uint64_t>((product + denominator - 1) / denominator);
    return std::clamp<std::uint64_t>(rank, 1, std::max<std::uint64_t>(count, 1));
}

std::int32_t DDSketch::key_of(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const auto exponent = static_cast<std::int32_t>((bits >> mantissa_bits) & 0x7ff);
    STREAM_CHECK(exponent <= octaves);
    if (exponent == 0) return 0;
    const std::uint64_t mantissa = (bits & mantissa_mask) | mantissa_one;
    const std::size_t cell = (bits & mantissa_mask) >> (mantissa_bits - cell_bits);
    const std::int32_t in_octave = cells[cell] + (mantissa >= bucket_begin[cells[cell] + 1u] ? 1 : 0);
    const std::int32_t key = 1 + (exponent - 1) * buckets_per_octave + in_octave;
    return (bits >> 63) != 0 ? -key : key;
}

double DDSketch::value_of_key(std::int32_t key) {
    if (key == 0) return 0;
    const std::int32_t place = std::abs(key) - 1;
    const std::uint64_t mantissa = bucket_middle[static_cast<std::size_t>(place % buckets_per_octave)];
    const int exponent = place / buckets_per_octave - 1022 - static_cast<int>(mantissa_bits);
    const double value = std::ldexp(static_cast<double>(mantissa), exponent);  // exact
    return key < 0 ? -value : value;
}

void DDSketch::add(double value) {
    value = normal_or_zero(value);
    min_ = count_ == 0 ? value : std::min(min_, value);
    max_ = count_ == 0 ? value : std::max(max_, value);
    add_to(key_of(value), 1);
    ++count_;
}

void DDSketch::add_to(std::int32_t key, std::uint64_t count) {
    const std::size_t at = lower_bound(keys_, key);
    if (at < keys_.size() && keys_[at] == key) {
        counts_[at] += count;
        return;
    }
    keys_.insert(keys_.begin() + static_cast<std::ptrdiff_t>(at), key);
    counts_.insert(counts_.begin() + static_cast<std::ptrdiff_t>(at), count);
    collapse();
}

// What is kept is the greatest bucket_limit keys of all that ever came, the lowest of them holding
// also whatever lay below it: that is a function of the values, not of their order.
void DDSketch::collapse() {
    if (keys_.size() <= bucket_limit) return;
    const std::size_t extra = keys_.size() - bucket_limit;
    for (std::size_t i = 0; i < extra; ++i) counts_[extra] += counts_[i];
    keys_.erase(keys_.begin(), keys_.begin() + static_cast<std::ptrdiff_t>(extra));
    counts_.erase(counts_.begin(), counts_.begin() + static_cast<std::ptrdiff_t>(extra));
}

bool DDSketch::merge(const DDSketch& other) {
    if (other.count_ == 0) return true;
    if (count_ > count_limit || other.count_ > count_limit - count_) return false;
    std::vector<std::int32_t> keys;
    std::vector<std::uint64_t> counts;
    keys.reserve(keys_.size() + other.keys_.size());
    counts.reserve(keys.capacity());
    std::size_t i = 0;
    std::size_t k = 0;
    while (i < keys_.size() || k < other.keys_.size()) {
        const bool take_mine = k == other.keys_.size() || (i < keys_.size() && keys_[i] <= other.keys_[k]);
        const bool take_other = i == keys_.size() || (k < other.keys_.size() && other.keys_[k] <= keys_[i]);
        keys.push_back(take_mine ? keys_[i] : other.keys_[k]);
        counts.push_back((take_mine ? counts_[i] : 0) + (take_other ? other.counts_[k] : 0));
        i += take_mine ? 1 : 0;
        k += take_other ? 1 : 0;
    }
    min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
    max_ = count_ == 0 ? other.max_ : std::max(max_, other.max_);
    count_ += other.count_;
    keys_ = std::move(keys);
    counts_ = std::move(counts);
    collapse();
    return true;
}

// The least and the greatest are known; nothing else may lie outside them.
double DDSketch::quantile(const QuantileFraction& fraction) const {
    if (count_ == 0) return 0;
    const std::uint64_t rank = fraction.rank(count_);
    if (rank == 1) return min_;
    if (rank == count_) return max_;
    std::uint64_t seen = 0;
    std::size_t at = 0;
    while (at + 1 < counts_.size() && seen + counts_[at] < rank) seen += counts_[at++];
    return std::clamp(five_digits(value_of_key(keys_[at])), min_, max_);
}

std::size_t DDSketch::heap_bytes() const {
    return keys_.capacity() * sizeof(std::int32_t) + counts_.capacity() * sizeof(std::uint64_t);
}

void DDSketch::encode(StateWriter& writer) const {
    writer.put_u64(std::bit_cast<std::uint64_t>(min_));
    writer.put_u64(std::bit_cast<std::uint64_t>(max_));
    writer.put_varint(keys_.size());
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        writer.put_varint(i == 0 ? zigzag(keys_[0])
                                 : static_cast<std::uint64_t>(keys_[i] - keys_[i - 1] - 1));
        writer.put_varint(counts_[i]);
    }
}

std::optional<DDSketch> DDSketch::decode(StateReader& reader) {
    DDSketch sketch;
    sketch.min_ = std::bit_cast<double>(reader.get_u64());
    sketch.max_ = std::bit_cast<double>(reader.get_u64());
    const std::uint64_t size = reader.get_varint();
    if (!reader.ok() || size > bucket_limit) return std::nullopt;
    std::int64_t key = 0;
    for (std::uint64_t i = 0; i < size; ++i) {
        const std::uint64_t step = reader.get_varint();
        const std::uint64_t count = reader.get_varint();
        if (!reader.ok() || step > 4 * std::uint64_t{key_max}) return std::nullopt;
        const auto distance = static_cast<std::int64_t>(step);
        key = i == 0 ? ((distance >> 1) ^ -(distance & 1)) : key + distance + 1;
        if (key < -key_max || key > key_max || count == 0) return std::nullopt;
        if (count > count_max - sketch.count_) return std::nullopt;
        sketch.count_ += count;
        sketch.keys_.push_back(static_cast<std::int32_t>(key));
        sketch.counts_.push_back(count);
    }
    // min and max must be what such values give: finite, no -0, in the outermost buckets (a collapsed
    // sketch remembers a min below its lowest one).
    for (const double value : {sketch.min_, sketch.max_}) {
        if (!std::isfinite(value)) return std::nullopt;
        if (std::bit_cast<std::uint64_t>(normal_or_zero(value)) != std::bit_cast<std::uint64_t>(value)) {
            return std::nullopt;
        }
    }
    if (size == 0) {
        if (sketch.min_ != 0 || sketch.max_ != 0) return std::nullopt;
        return sketch;
    }
    const std::int32_t lowest = key_of(sketch.min_);
    const bool collapsed = lowest < sketch.keys_.front() && size == bucket_limit;
    if ((lowest != sketch.keys_.front() && !collapsed) || key_of(sketch.max_) != sketch.keys_.back() ||
        sketch.min_ > sketch.max_) {
        return std::nullopt;
    }
    return sketch;
}

}  // namespace stream
