// SPDX-License-Identifier: Apache-2.0
#include "ops/aggregates/sketch_aggregates.hpp"

#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/number.hpp"
#include "ops/aggregates/sketch_text.hpp"
#include "ops/aggregates/stateful.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace stream {

namespace {

// The canonical text of a value, its own where that can be seen at a glance: a string without escapes,
// an integer, a literal.
std::string_view canonical_text(const Value& value, std::string& scratch) {
    const std::string_view text = value.text;
    switch (value.type) {
        case Type::string:
            if (!value.escaped) return text;
            break;
        case Type::number: {
            const std::string_view digits = text.substr(text.front() == '-' ? 1 : 0);
            const bool plain = digits.size() <= 15 && std::all_of(digits.begin(), digits.end(), [](char c) {
                                   return c >= '0' && c <= '9';
                               });
            if (plain && (digits.front() != '0' || digits.size() == text.size())) return text;
            break;
        }
        case Type::boolean_false:
        case Type::boolean_true:
            return text;
        default:
            break;
    }
    scratch.clear();
    append_canonical(scratch, value);
    return scratch;
}

// "a string, "x"" and the like, for messages.
std::string describe(const Value& value) {
    switch (value.type) {
        case Type::string:
            return "a string, " + quoted(value.inner());
        case Type::number:
            return "a number, " + printable(value.text, 40);
        case Type::array:
            return "an array, " + printable(value.text, 40);
        case Type::object:
            return "an object, " + printable(value.text, 40);
        default:
            return std::string(value.text);
    }
}

// --- the aggregates

struct Plan {
    std::optional<SketchQuestion> question;  // merge: that of the first sketch
    bool answers = true;                     // otherwise writes the sketch
};

// The state is a pointer to a Sketch, made for the first value; null before.
class SketchAggregate final : public Aggregate {
public:
    SketchAggregate(const AggregateSpec& spec, const Plan& plan) : spec_(spec), plan_(plan) {}

    std::size_t size() const override { return sizeof(Sketch*); }
    void init(std::byte* state) const override { store(state, nullptr); }
    void destroy(std::byte* state) const override {
        delete load(state);
        store(state, nullptr);
    }

    Result<void> add(std::byte* state, const AggregateInput& input) const override {
        const Value& value = input.value;
        if (value.is_nothing()) return {};
        if (value.type == Type::object) {
            if (const auto text = find_sketch(value)) return add_sketch(state, *text);
        }
        if (!plan_.question) {
            return fail(ErrorKind::data, field() + " is " + describe(value) + ": merge wants sketches");
        }
        static thread_local std::string scratch;
        switch (plan_.question->kind) {
            case SketchKind::distinct:
                made<HyperLogLog>(state).add_hash(sketch_hash(canonical_text(value, scratch)));
                return {};
            case SketchKind::quantile:
                return add_number(state, value);
            case SketchKind::top: {
                const std::string_view text = canonical_text(value, scratch);
                made<SpaceSaving>(state).add(text, sketch_hash(text));
                return {};
            }
        }
        return {};
    }

    Result<void> merge(std::byte* into, const std::byte* from) const override {
        if (const Sketch* other = load(from)) return merge_sketch(into, *other);
        return {};
    }

    Result<void> write(const std::byte* state, const WindowSpan&, std::string& out) const override {
        const Sketch* sketch = load(state);
        if (sketch == nullptr) {
            out += of_nothing();
        } else if (plan_.answers) {
            write_answer(*sketch, out);
        } else {
            append_sketch(out, *sketch);
        }
        return {};
    }

    void snapshot(const std::byte* state, StateWriter& writer) const override {
        const Sketch* sketch = load(state);
        writer.put_u8(sketch == nullptr ? 0 : static_cast<std::uint8_t>(1 + sketch->holds.index()));
        if (sketch != nullptr) sketch->encode(writer, false);
    }

    Result<void> restore(std::byte* state, StateReader& reader) const override {
        const std::uint8_t tag = reader.get_u8();
        STREAM_TRY(reader.check(spec_.function));
        if (tag == 0) return {};
        std::optional<Sketch> sketch;
        if (tag <= std::variant_size_v<Sketch::Holds>) {
            sketch = Sketch::decode(static_cast<SketchKind>(tag - 1), reader);
        }
        if (!sketch || plan_.question.value_or(sketch->question) != sketch->question) {
            return fail(ErrorKind::corrupt, "the saved state of " + spec_.function + " is damaged");
        }
        delete load(state);
        store(state, new Sketch(std::move(*sketch)));
        return {};
    }

    std::size_t heap_bytes(const std::byte* state) const override {
        const Sketch* sketch = load(state);
        if (sketch == nullptr) return 0;
        return sizeof(Sketch) + std::visit([](const auto& held) { return held.heap_bytes(); }, sketch->holds);
    }

private:
    std::string field() const { return quoted(spec_.field); }  // for messages

    static Sketch* load(const std::byte* state) {
        Sketch* sketch = nullptr;
        std::memcpy(&sketch, state, sizeof sketch);
        return sketch;
    }
    static void store(std::byte* state, Sketch* sketch) { std::memcpy(state, &sketch, sizeof sketch); }

    template <class Held>
    Held& made(std::byte* state) const {
        Sketch* sketch = load(state);
        if (sketch == nullptr) {
            sketch = new Sketch(Sketch::empty(*plan_.question));
            store(state, sketch);
        }
        return std::get<Held>(sketch->holds);
    }

    Result<void> add_number(std::byte* state, const Value& value) const {
        if (value.type != Type::number) return wants_numbers_error(spec_, value);
        const double number = to_double(value.text);
        if (!std::isfinite(number)) {
            return fail(ErrorKind::data, field() + " is out of range, " + quoted(value.text) + ": " +
                                             spec_.function + " takes numbers up to 1.8e308");
        }
        made<DDSketch>(state).add(number);
        return {};
    }

    Result<void> add_sketch(std::byte* state, const SketchText& found) const {
        if (plan_.question && plan_.question->kind != found.kind) {
            return wrong_kind(found.kind, plan_.question->kind);
        }
        if (found.version != sketch_version) {
            return fail(ErrorKind::data, field() + " is " + a_sketch_of(found.kind) +
                                             " of a version unknown here, " +
                                             quoted(found.kind_and_version()));
        }
        const std::optional<Sketch> sketch = parse_sketch(found);
        if (!sketch) {
            return fail(ErrorKind::data,
                        field() + " is not " + a_sketch_of(found.kind) + ": it was cut or changed");
        }
        return merge_sketch(state, *sketch);
    }

    // What has a question of its own takes sketches of any percentile or N; merge: of one alone.
    Result<void> merge_sketch(std::byte* state, const Sketch& other) const {
        Sketch* held = load(state);
        if (held != nullptr && held->question.kind != other.question.kind) {
            return wrong_kind(other.question.kind, held->question.kind);
        }
        if (!plan_.question && held != nullptr && held->question != other.question) {
            return wrong_number(other.question, held->question);
        }
        std::unique_ptr<Sketch> fresh;
        if (held == nullptr) {
            fresh = std::make_unique<Sketch>(Sketch::empty(plan_.question.value_or(other.question)));
        }
        if (!merge_into((fresh != nullptr ? *fresh : *held).holds, other.holds)) {
            return fail(ErrorKind::data,
                        field() + ": more values than " + spec_.function + " can count (2^62)");
        }
        if (fresh != nullptr) store(state, fresh.release());
        return {};
    }

    static bool merge_into(Sketch::Holds& into, const Sketch::Holds& other) {
        if (auto* top = std::get_if<SpaceSaving>(&into)) return top->merge(std::get<SpaceSaving>(other));
        if (auto* quantiles = std::get_if<DDSketch>(&into))
            return quantiles->merge(std::get<DDSketch>(other));
        std::get<HyperLogLog>(into).merge(std::get<HyperLogLog>(other));
        return true;
    }

    tl::unexpected<Error> wrong_kind(SketchKind found, SketchKind wanted) const {
        return fail(ErrorKind::data, field() + " is " + a_sketch_of(found) + ": " + spec_.function +
                                         (plan_.question ? " wants " : " began with ") + a_sketch_of(wanted));
    }
    tl::unexpected<Error> wrong_number(const SketchQuestion& found, const SketchQuestion& begun) const {
        return fail(
            ErrorKind::data,
            field() + " is a sketch of " + found.name() + ": merge began with a sketch of " + begun.name(),
            "approx_" + begun.name() + ":" + printable(spec_.field) + " reads both");
    }

    std::string_view of_nothing() const {
        if (!plan_.answers || !plan_.question) return "null";
        switch (plan_.question->kind) {
            case SketchKind::distinct:
                return "0";
            case SketchKind::quantile:
                return "null";
            case SketchKind::top:
                return "[]";
        }
        return "null";
    }

    static void write_answer(const Sketch& sketch, std::string& out) {
        if (const auto* top = std::get_if<SpaceSaving>(&sketch.holds)) {
            return write_top(*top, sketch.question.number, out);
        }
        if (const auto* quantiles = std::get_if<DDSketch>(&sketch.holds)) {
            if (quantiles->count() == 0) {
                out += "null";
            } else {
                append_double(out, quantiles->quantile(sketch.question.fraction()));
            }
            return;
        }
        append_uint64(out, std::get<HyperLogLog>(sketch.holds).estimate());
    }

    static void write_top(const SpaceSaving& top, std::size_t limit, std::string& out) {
        out += '[';
        for (const SpaceSaving::Item& item : top.items(limit)) {
            out += out.back() == '[' ? R"({"value":)" : R"(,{"value":)";
            out += item.value;
            out += R"(,"count":)";
            append_uint64(out, item.count);
            out += R"(,"error":)";
            append_uint64(out, item.error);
            out += '}';
        }
        out += ']';
    }

    AggregateSpec spec_;
    Plan plan_;
};

// --- names

constexpr std::array<std::string_view, 16> names = {
    "approx_distinct", "approx_median",   "approx_p50",    "approx_p90",
    "approx_p95",      "approx_p99",      "approx_p99.9",  "approx_top10",
    "approx_top100",   "sketch_distinct", "sketch_median", "sketch_p50",
    "sketch_p95",      "sketch_p99",      "sketch_top10",  "merge"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// NN or NN.NN between 0 and 100, in billionths of a percent.
std::optional<std::uint64_t> parse_percent(std::string_view text) {
    const std::size_t point = std::min(text.find('.'), text.size());
    const std::string_view whole = text.substr(0, point);
    if (whole.empty() || whole.size() > 3 || point + 1 == text.size()) return std::nullopt;
    std::uint64_t number = 0;
    for (const char c : whole) {
        if (!is_digit(c)) return std::nullopt;
        number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
    number *= SketchQuestion::percent;
    std::uint64_t unit = SketchQuestion::percent;
    for (const char c : text.substr(std::min(point + 1, text.size()))) {
        unit /= 10;
        if (!is_digit(c) || unit == 0) return std::nullopt;
        number += unit * static_cast<std::uint64_t>(c - '0');
    }
    if (number > 100 * SketchQuestion::percent) return std::nullopt;
    return number;
}

std::optional<std::uint64_t> parse_top(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if (number == 0 || number > SketchQuestion::top_max) return std::nullopt;
    return number;
}

Result<Plan> make_plan(const std::string& function) {
    if (function == "merge") return Plan{};
    constexpr std::size_t family_size = 7;
    const std::string family = function.substr(0, family_size);  // approx_ or sketch_
    const std::string_view name = std::string_view(function).substr(family_size);
    const bool answers = family == "approx_";
    if (name == "distinct") return Plan{SketchQuestion{SketchKind::distinct, 0}, answers};
    if (name.starts_with("top")) {
        const auto number = parse_top(name.substr(3));
        if (!number) {
            return fail(ErrorKind::usage, quoted(function) + ": how many must follow, 1 to 100000",
                        family + "top10:FIELD");
        }
        return Plan{SketchQuestion{SketchKind::top, *number}, answers};
    }
    const auto number = parse_percent(name == "median" ? "50" : name.substr(1));
    if (!number) {
        return fail(ErrorKind::usage, quoted(function) + ": a percentile is 0 to 100 with at most 9 decimals",
                    family + "p99:FIELD or " + family + "p99.9:FIELD");
    }
    return Plan{SketchQuestion{SketchKind::quantile, *number}, answers};
}

}  // namespace

bool is_sketch_function(std::string_view function) {
    if (std::find(names.begin(), names.end(), function) != names.end()) return true;
    const auto numbered = [&](std::string_view family) {
        if (!function.starts_with(family)) return false;
        const std::string_view number = function.substr(family.size());
        return number.empty() || is_digit(number.front());
    };
    return numbered("approx_p") || numbered("approx_top") || numbered("sketch_p") || numbered("sketch_top");
}

Result<std::unique_ptr<Aggregate>> make_sketch_aggregate(const AggregateSpec& spec) {
    if (!is_sketch_function(spec.function)) {
        const std::string_view near = nearest(spec.function, names);
        return fail(ErrorKind::usage, "no aggregate function " + quoted(spec.function),
                    near.empty() ? std::string() : "did you mean " + std::string(near) + "?");
    }
    Result<Plan> plan = make_plan(spec.function);
    if (!plan) return pass_on(plan);
    if (spec.field.empty()) {
        return fail(ErrorKind::usage, quoted(spec.function) + " needs a field", spec.function + ":FIELD");
    }
    return std::make_unique<SketchAggregate>(spec, *plan);
}

std::span<const std::string_view> sketch_function_names() { return names; }

}  // namespace stream
