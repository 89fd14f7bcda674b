// SPDX-License-Identifier: Apache-2.0
// A sketch as it stands in an event: {"sketch":"hll1:…"} (dds1, top1; docs/formats/sketches.md).
#pragma once

#include "json/value.hpp"
#include "ops/aggregates/ddsketch.hpp"
#include "ops/aggregates/hyperloglog.hpp"
#include "ops/aggregates/space_saving.hpp"
#include "state/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace stream {

// In the order of Sketch::Holds' alternatives.
enum class SketchKind : std::uint8_t { distinct, quantile, top };

inline constexpr std::string_view sketch_version = "1";

// What a sketch is asked when it is to answer.
struct SketchQuestion {
    static constexpr std::uint64_t percent = 1'000'000'000;  // of `number`, for a quantile
    static constexpr std::uint64_t top_max = SpaceSaving::capacity_max / 10;

    SketchKind kind = SketchKind::distinct;
    // quantile: the percentile, in billionths of a percent; top: how many; distinct: 0.
    std::uint64_t number = 0;

    QuantileFraction fraction() const { return {number, 100 * percent}; }
    std::size_t counters() const;  // of a new sketch of top values
    std::string name() const;      // distinct, p99.9, top10: what follows approx_ and sketch_

    friend bool operator==(const SketchQuestion&, const SketchQuestion&) = default;
};

struct Sketch {
    using Holds = std::variant<HyperLogLog, DDSketch, SpaceSaving>;

    SketchQuestion question;
    Holds holds;

    static Sketch empty(const SketchQuestion& question);

    // The body, as in the text; `canonical` as SpaceSaving::encode() says.
    void encode(StateWriter& writer, bool canonical) const;
    // Nothing if the bytes are not such a sketch. That top values are canonical JSON is not checked.
    static std::optional<Sketch> decode(SketchKind kind, StateReader& reader);
};

// For messages: "a sketch of distinct values".
std::string a_sketch_of(SketchKind kind);

void append_sketch(std::string& out, const Sketch& sketch);

// What looks like a sketch of any version.
struct SketchText {
    SketchKind kind = SketchKind::distinct;
    std::string_view version;
    std::string_view text;  // behind the colon, escapes and all

    std::string kind_and_version() const;
};

// Nothing for any other object.
std::optional<SketchText> find_sketch(const Value& object);
// Of sketch_version. Only the one text that append_sketch() would write is taken.
std::optional<Sketch> parse_sketch(const SketchText& found);

}  // namespace stream
