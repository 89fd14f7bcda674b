// SPDX-License-Identifier: Apache-2.0
#include "ops/aggregates/hyperloglog.hpp"

#include "base/hash.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>


namespace stream {

namespace {

constexpr unsigned extra_bits = HyperLogLog::sparse_precision - HyperLogLog::precision;
constexpr unsigned rank_max = 64 - HyperLogLog::precision + 1;                // 51, of a dense register
constexpr unsigned sparse_rank_max = 64 - HyperLogLog::sparse_precision + 1;  // 40, behind a sparse index
constexpr std::uint32_t extra_mask = (1u << extra_bits) - 1;
constexpr unsigned rank_bits = 6;
constexpr std::uint32_t rank_mask = (1u << rank_bits) - 1;
constexpr std::size_t table_min = 16;
constexpr std::size_t dense_bytes = HyperLogLog::register_count / 4 * 3;  // six bits a register
static_assert(rank_max <= rank_mask);
static_assert(HyperLogLog::sparse_limit % 3 == 0 && std::has_single_bit(HyperLogLog::sparse_limit / 3 * 4),
              "the last table is three quarters full when the sketch becomes dense");

constexpr std::uint8_t form_sparse = 0;
constexpr std::uint8_t form_dense = 1;

std::uint32_t index_of(std::uint32_t entry) { return entry >> rank_bits; }
bool needs_rank(std::uint32_t index) { return (index & extra_mask) == 0; }

// Ertl 2017, section 2.3 and algorithm 6: what the registers at 0 and those at the greatest rank say.
// y is a power of two, so x * y is exact and fusing it with the sum changes nothing: every machine
// gets the same bits.
double sigma(double x) {
    if (x == 1) return std::numeric_limits<double>::infinity();
    double y = 1;
    double z = x;
    double before = 0;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

double tau(double x) {
    if (x == 0 || x == 1) return 0;
    double y = 1;
    double z = 1 - x;
    double before = 0;
    do {
        x = std::sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

}  // namespace

std::uint64_t sketch_hash(std::string_view canonical_text) {
    return hash64(canonical_text, 0);
}

void HyperLogLog::add_hash(std::uint64_t hash) {
    if (is_dense()) {
        const std::uint64_t rest = hash << precision;
        const unsigned rank = rest == 0 ? rank_max : static_cast<unsigned>(std::countl_zero(rest)) + 1;
        std::uint8_t& reg = registers_[hash >> (64 - precision)];
        if (rank > reg) reg = static_cast<std::uint8_t>(rank);
        return;
    }
    const auto index = static_cast<std::uint32_t>(hash >> (64 - sparse_precision));
    std::uint32_t entry = index << rank_bits;
    if (needs_rank(index)) {
        const std::uint64_t rest = hash << sparse_precision;
        entry |= rest == 0 ? sparse_rank_max : static_cast<unsigned>(std::countl_zero(rest)) + 1;
    }
    add_entry(entry);
}

// Into whichever form the sketch has.
void HyperLogLog::add_entry(std::uint32_t entry) {
    if (is_dense()) {
        raise(entry);
        return;
    }
    if (table_.empty()) table_.assign(table_min, 0);
    place(entry);
    if (used_ > sparse_limit) {
        become_dense();
    } else if (used_ * 4 > table_.size() * 3) {
        grow();
    }
}

// An index is a piece of a good hash already: its low bits choose the slot.
void HyperLogLog::place(std::uint32_t entry) {
    const std::size_t mask = table_.size() - 1;
    std::size_t slot = index_of(entry) & mask;
    while (table_[slot] != 0) {
        if (index_of(table_[slot]) == index_of(entry)) {
            table_[slot] = std::max(table_[slot], entry);
            return;
        }
        slot = (slot + 1) & mask;
    }
    table_[slot] = entry;
    ++used_;
}

void HyperLogLog::grow() {
    std::vector<std::uint32_t> old(table_.size() * 2, 0);
    old.swap(table_);
    used_ = 0;
    for (const std::uint32_t entry : old) {
        if (entry != 0) place(entry);
    }
}

void HyperLogLog::become_dense() {
    registers_.assign(register_count, 0);
    for (const std::uint32_t entry : table_) {
        if (entry != 0) raise(entry);
    }
    std::vector<std::uint32_t>().swap(table_);  // gives the memory back, which = {} would not
    used_ = 0;
}

void HyperLogLog::raise(std::uint32_t entry) {
    const std::uint32_t index = index_of(entry);
    const std::uint32_t extra = index & extra_mask;
    const unsigned rank = extra == 0 ? extra_bits + (entry & rank_mask)
                                     : extra_bits - static_cast<unsigned>(std::bit_width(extra)) + 1;
    std::uint8_t& reg = registers_[index >> extra_bits];
    if (rank > reg) reg = static_cast<std::uint8_t>(rank);
}

void HyperLogLog::merge(const HyperLogLog& other) {
    if (&other == this) return;
    if (!other.is_dense()) {
        for (const std::uint32_t entry : other.table_) {
            if (entry != 0) add_entry(entry);
        }
        return;
    }
    if (!is_dense()) become_dense();
    for (std::size_t i = 0; i < register_count; ++i) {
        registers_[i] = std::max(registers_[i], other.registers_[i]);
    }
}

// Sparse, linear counting over 2^25 slots would say used + used^2 / 2^26 + …, which rounds to used.
std::uint64_t HyperLogLog::estimate() const {
    if (!is_dense()) return used_;
    std::array<std::uint32_t, 64> histogram{};
    for (const std::uint8_t rank : registers_) ++histogram[rank];
    constexpr auto m = static_cast<double>(register_count);
    double z = m * tau(1 - histogram[rank_max] / m);
    for (std::size_t rank = rank_max - 1; rank >= 1; --rank) z = 0.5 * (z + histogram[rank]);
    z += m * sigma(histogram[0] / m);
    constexpr double half_over_ln2 = 0.72134752044448170368;
    const double estimate = half_over_ln2 * m * m / z;
    if (!(estimate < 18e18)) return std::numeric_limits<std::uint64_t>::max();
    return static_cast<std::uint64_t>(estimate + 0.5);
}

std::size_t HyperLogLog::heap_bytes() const {
    return table_.capacity() * sizeof(std::uint32_t) + registers_.capacity();
}

std::vector<std::uint32_t> HyperLogLog::sorted_entries() const {
    std::vector<std::uint32_t> entries;
    entries.reserve(used_);
    std::copy_if(table_.begin(), table_.end(), std::back_inserter(entries),
                 [](std::uint32_t entry) { return entry != 0; });
    std::sort(entries.begin(), entries.end());
    return entries;
}

void HyperLogLog::encode(StateWriter& writer) const {
    if (is_dense()) {
        writer.put_u8(form_dense);
        for (std::size_t i = 0; i < register_count; i += 4) {
            const std::uint32_t four = registers_[i] | (std::uint32_t{registers_[i + 1]} << 6) |
                                       (std::uint32_t{registers_[i + 2]} << 12) |
                                       (std::uint32_t{registers_[i + 3]} << 18);
            writer.put_u8(static_cast<std::uint8_t>(four));
            writer.put_u8(static_cast<std::uint8_t>(four >> 8));
            writer.put_u8(static_cast<std::uint8_t>(four >> 16));
        }
        return;
    }
    writer.put_u8(form_sparse);
    writer.put_varint(used_);
    std::uint32_t next = 0;  // the least index that may follow
    for (const std::uint32_t entry : sorted_entries()) {
        const std::uint32_t index = index_of(entry);
        writer.put_varint(index - next);
        if (needs_rank(index)) writer.put_u8(static_cast<std::uint8_t>(entry & rank_mask));
        next = index + 1;
    }
}

std::optional<HyperLogLog> HyperLogLog::decode(StateReader& reader) {
    HyperLogLog sketch;
    const std::uint8_t form = reader.get_u8();
    if (!reader.ok() || form > form_dense) return std::nullopt;
    if (form == form_dense) {
        std::array<std::uint8_t, dense_bytes> packed;
        if (!reader.get_raw(packed.data(), packed.size())) return std::nullopt;
        sketch.registers_.resize(register_count);
        for (std::size_t i = 0, at = 0; i < register_count; i += 4, at += 3) {
            const std::uint32_t four =
                packed[at] | (std::uint32_t{packed[at + 1]} << 8) | (std::uint32_t{packed[at + 2]} << 16);
            for (std::size_t k = 0; k < 4; ++k) {
                const std::uint32_t rank = (four >> (6 * k)) & rank_mask;
                if (rank > rank_max) return std::nullopt;
                sketch.registers_[i + k] = static_cast<std::uint8_t>(rank);
            }
        }
        return sketch;
    }
    const std::uint64_t count = reader.get_varint();
    if (!reader.ok() || count > sparse_limit) return std::nullopt;
    std::uint64_t next = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t gap = reader.get_varint();
        if (!reader.ok() || gap >= (std::uint64_t{1} << sparse_precision) - next) return std::nullopt;
        const auto index = static_cast<std::uint32_t>(next + gap);
        std::uint32_t entry = index << rank_bits;
        if (needs_rank(index)) {
            const std::uint8_t rank = reader.get_u8();
            if (!reader.ok() || rank == 0 || rank > sparse_rank_max) return std::nullopt;
            entry |= rank;
        }
        sketch.add_entry(entry);
        next = index + 1;
    }
    return sketch;
}

}  // namespace stream

