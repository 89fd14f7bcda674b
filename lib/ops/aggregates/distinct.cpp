// SPDX-License-Identifier: Apache-2.0
// How many different values: exact up to a 128-bit hash (XXH3, fixed seed so that states of different
// runs merge) of their canonical text. Two of n values fall together with probability n²/2^129: at a
// billion values 10^-21. Who may choose the values and knows XXH3 could make some collide; dedupe,
// where that would lose data, keys its hash.

#include <algorithm>
#include <vector>


#include "base/hash.hpp"
#include "base/hash_map.hpp"
#include "json/canonical.hpp"
#include "ops/aggregates/exact.hpp"
#include "ops/aggregates/on_heap.hpp"

namespace stream {
namespace {

constexpr std::uint64_t hash_seed = 0x73747265616d6475;  // part of the snapshot's meaning: never changes

struct Hash {
    std::uint64_t low = 0;
    std::uint64_t high = 0;

    friend auto operator<=>(const Hash&, const Hash&) = default;
};

// Already random: any 64 bits of it will do for a table.
struct HashOfHash {
    std::size_t operator()(const Hash& hash) const { return hash.low; }
};

Hash hash_text(std::string_view canonical) {
    const Hash128 hash = hash128(canonical, hash_seed);
    return {hash.low, hash.high};
}

Hash hash_value(const Value& value) {
    // A string without escapes is its own canonical text.
    if (value.type == Type::string && !value.escaped) return hash_text(value.text);
    std::string canonical;
    append_canonical(canonical, value);
    return hash_text(canonical);
}

struct Seen {
    HashSet<Hash, HashOfHash> hashes;

    void merge(const Seen& other) { hashes.insert(other.hashes.begin(), other.hashes.end()); }
    // Sorted, so that equal states give equal bytes.
    void snapshot(StateWriter& writer) const {
        std::vector<Hash> sorted(hashes.begin(), hashes.end());
        std::sort(sorted.begin(), sorted.end());
        writer.put_varint(sorted.size());
        for (const Hash& hash : sorted) {
            writer.put_u64(hash.low);
            writer.put_u64(hash.high);
        }
    }
    bool restore(StateReader& reader) {
        const std::uint64_t count = reader.get_varint();
        if (!reader.ok() || count > reader.left() / sizeof(Hash)) return false;
        hashes.reserve(count);
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::uint64_t low = reader.get_u64();
            const std::uint64_t high = reader.get_u64();
            hashes.insert({low, high});
        }
        return hashes.size() == count;
    }
    // A slot and its control byte.
    std::size_t heap_bytes() const { return hashes.capacity() * (sizeof(Hash) + 1); }
};

class Distinct final : public HeapAggregate<Seen> {
public:
    using HeapAggregate::HeapAggregate;

    Result<void> add(std::byte* state, const AggregateInput& input) const override {
        if (!input.value.is_nothing()) make_body(state).hashes.insert(hash_value(input.value));
        return {};
    }
    Result<void> write(const std::byte* state, const WindowSpan&, std::string& out) const override {
        const Seen* body = body_of(state);
        out.append(std::to_string(body == nullptr ? 0 : body->hashes.size()));
        return {};
    }
    std::string_view approximate_form() const override { return "approx_distinct"; }
};

}  // namespace

std::unique_ptr<Aggregate> make_distinct(const AggregateSpec& spec) {
    return std::make_unique<Distinct>(spec);
}

}  // namespace stream
