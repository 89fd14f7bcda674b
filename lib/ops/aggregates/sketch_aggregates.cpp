// SPDX-License-Identifier: Apache-2.0
#include "ops/aggregates/sketch_aggregates.hpp"

#include "base/base64.hpp"
#include "base/crc32c.hpp"
#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/number.hpp"
#include "json/scanner.hpp"
#include "ops/aggregates/ddsketch.hpp"
#include "ops/aggregates/hyperloglog.hpp"
#include "ops/aggregates/space_saving.hpp"
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
#include <vector>

namespace stream {

namespace {

using Sketch = std::variant<HyperLogLog, DDSketch, SpaceSaving>;

// In the order of Sketch's alternatives.
enum class Kind : std::uint8_t { distinct, quantile, top };
struct KindNames {
    std::string_view prefix;  // of the text, without its version
    std::string_view what;
};
constexpr std::array<KindNames, 3> kinds = {
    {{"hll", "distinct values"}, {"dds", "quantiles"}, {"top", "top values"}}};
constexpr std::string_view version = "1";

Kind kind_of(const Sketch& sketch) { return static_cast<Kind>(sketch.index()); }
std::string sketch_of(Kind kind) {
    return "a sketch of " + std::string(kinds[static_cast<std::size_t>(kind)].what);
}

// --- a sketch's text: base64 of its bytes and their CRC-32C, after "KIND1:"

void encode_sketch(const Sketch& sketch, StateWriter& writer, bool canonical) {
    if (const auto* top = std::get_if<SpaceSaving>(&sketch)) return top->encode(writer, canonical);
    if (const auto* quantiles = std::get_if<DDSketch>(&sketch)) return quantiles->encode(writer);
    std::get<HyperLogLog>(sketch).encode(writer);
}

template <class T>
std::optional<Sketch> widen(std::optional<T> sketch) {
    if (!sketch) return std::nullopt;
    return Sketch(std::move(*sketch));
}
std::optional<Sketch> decode_sketch(Kind kind, StateReader& reader) {
    switch (kind) {
        case Kind::distinct:
            return widen(HyperLogLog::decode(reader));
        case Kind::quantile:
            return widen(DDSketch::decode(reader));
        case Kind::top:
            return widen(SpaceSaving::decode(reader));
    }
    return std::nullopt;
}

void append_sketch(std::string& out, const Sketch& sketch) {
    StateWriter writer;
    encode_sketch(sketch, writer, true);
    const std::uint32_t sum = crc32c(writer.bytes());
    for (unsigned shift = 0; shift < 32; shift += 8) writer.put_u8(static_cast<std::uint8_t>(sum >> shift));
    out += R"({"sketch":")";
    out += kinds[sketch.index()].prefix;
    out += version;
    out += ':';
    append_base64(out, writer.bytes());
    out += R"("})";
}

// The values go into output as they are, so each must be one canonical JSON value: as a member of an
// event of its own, which the scanner accepts, and finds to be this text from end to end.
bool holds_canonical_json(const SpaceSaving& sketch) {
    std::string lines;
    const std::vector<SpaceSaving::Item> items = sketch.items();
    for (const SpaceSaving::Item& item : items) {
        lines += R"({"v":)";
        lines += item.value;
        lines += "}\n";
    }
    const std::size_t size = lines.size();
    lines.append(scanner_padding, ' ');
    FieldSet fields;
    auto path = parse_field("v");
    if (!path) return false;
    const std::size_t field = fields.add(*path);
    Scanner scanner(fields);
    scanner.start(lines.data(), size);
    std::string canonical;
    for (const SpaceSaving::Item& item : items) {
        if (scanner.next() != Scanner::Outcome::event) return false;
        const Value& value = scanner.values()[field];
        canonical.clear();
        if (value.text != item.value || value.is_nothing()) return false;
        append_canonical(canonical, value);
        if (canonical != item.value) return false;
    }
    return scanner.next() == Scanner::Outcome::end;
}

// Only the one text that append_sketch() would write for it is taken.
std::optional<Sketch> parse_sketch(Kind kind, std::string_view text) {
    std::string plain;
    if (text.find('\\') != std::string_view::npos) {
        append_unescaped(plain,
                         {.text = '"' + std::string(text) + '"', .type = Type::string, .escaped = true});
        text = plain;
    }
    const std::optional<std::string> bytes = decode_base64(text);
    if (!bytes || bytes->size() < 4) return std::nullopt;
    const std::string_view body = std::string_view(*bytes).substr(0, bytes->size() - 4);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        sum |= std::uint32_t{static_cast<unsigned char>((*bytes)[body.size() + i])} << (8 * i);
    }
    if (sum != crc32c(body)) return std::nullopt;
    StateReader reader(body);
    std::optional<Sketch> sketch = decode_sketch(kind, reader);
    if (!sketch || !reader.ok() || !reader.at_end()) return std::nullopt;
    if (const auto* top = std::get_if<SpaceSaving>(&*sketch); top != nullptr && !holds_canonical_json(*top)) {
        return std::nullopt;
    }
    StateWriter again;
    encode_sketch(*sketch, again, true);
    if (again.bytes() != body) return std::nullopt;
    return sketch;
}

// --- recognising one

struct SketchText {
    Kind kind = Kind::distinct;
    std::string_view version;
    std::string_view text;  // behind the colon, escapes and all
};

void skip_space(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\n\r"), text.size()));
}
bool skip_token(std::string_view& text, std::string_view token) {
    skip_space(text);
    if (!text.starts_with(token)) return false;
    text.remove_prefix(token.size());
    return true;
}

// {"sketch":"KIND VERSION:…"} and nothing else, white space allowed.
std::optional<SketchText> find_sketch(const Value& object) {
    std::string_view text = object.text;
    if (!skip_token(text, "{") || !skip_token(text, R"("sketch")") || !skip_token(text, ":") ||
        !skip_token(text, "\"")) {
        return std::nullopt;
    }
    const std::size_t quote = text.find('"');
    if (quote == std::string_view::npos) return std::nullopt;
    std::string_view inner = text.substr(0, quote);
    text.remove_prefix(quote + 1);
    if (!skip_token(text, "}")) return std::nullopt;
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        const std::string_view prefix = kinds[kind].prefix;
        if (!inner.starts_with(prefix)) continue;
        inner.remove_prefix(prefix.size());
        const std::size_t digits = std::min(inner.find_first_not_of("0123456789"), inner.size());
        if (digits == 0 || digits == inner.size() || inner[digits] != ':') return std::nullopt;
        return SketchText{static_cast<Kind>(kind), inner.substr(0, digits), inner.substr(digits + 1)};
    }
    return std::nullopt;
}

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

enum class Answer : std::uint8_t { distinct, quantile, top, sketch };

struct Plan {
    std::optional<Kind> kind;  // merge: of the first sketch
    Answer answer = Answer::sketch;
    QuantileFraction fraction;
    std::size_t top = 0;
    std::size_t capacity = 0;
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
        if (!plan_.kind) {
            return fail(ErrorKind::data, field() + " is " + describe(value) + ": merge wants sketches");
        }
        static thread_local std::string scratch;
        switch (*plan_.kind) {
            case Kind::distinct:
                std::get<HyperLogLog>(made(state)).add_hash(sketch_hash(canonical_text(value, scratch)));
                return {};
            case Kind::quantile:
                return add_number(state, value);
            case Kind::top: {
                const std::string_view text = canonical_text(value, scratch);
                std::get<SpaceSaving>(made(state)).add(text, sketch_hash(text));
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
        switch (plan_.answer) {
            case Answer::distinct:
                append_uint64(out, sketch == nullptr ? 0 : std::get<HyperLogLog>(*sketch).estimate());
                return {};
            case Answer::top:
                return write_top(sketch, out);
            case Answer::quantile:
                if (sketch == nullptr || std::get<DDSketch>(*sketch).count() == 0) break;
                append_double(out, std::get<DDSketch>(*sketch).quantile(plan_.fraction));
                return {};
            case Answer::sketch:
                if (sketch == nullptr) break;
                append_sketch(out, *sketch);
                return {};
        }
        out += "null";
        return {};
    }

    void snapshot(const std::byte* state, StateWriter& writer) const override {
        const Sketch* sketch = load(state);
        writer.put_u8(sketch == nullptr ? 0 : static_cast<std::uint8_t>(1 + sketch->index()));
        if (sketch != nullptr) encode_sketch(*sketch, writer, false);
    }

    Result<void> restore(std::byte* state, StateReader& reader) const override {
        const std::uint8_t tag = reader.get_u8();
        STREAM_TRY(reader.check(spec_.function));
        if (tag == 0) return {};
        const auto kind = static_cast<Kind>(tag - 1);
        std::optional<Sketch> sketch;
        if (tag <= kinds.size() && plan_.kind.value_or(kind) == kind) sketch = decode_sketch(kind, reader);
        if (!sketch) return fail(ErrorKind::corrupt, "the saved state of " + spec_.function + " is damaged");
        delete load(state);
        store(state, new Sketch(std::move(*sketch)));
        return {};
    }

    std::size_t heap_bytes(const std::byte* state) const override {
        const Sketch* sketch = load(state);
        if (sketch == nullptr) return 0;
        return sizeof(Sketch) + std::visit([](const auto& held) { return held.heap_bytes(); }, *sketch);
    }

private:
    std::string field() const { return quoted(spec_.field); }  // for messages

    static Sketch* load(const std::byte* state) {
        Sketch* sketch = nullptr;
        std::memcpy(&sketch, state, sizeof sketch);
        return sketch;
    }
    static void store(std::byte* state, Sketch* sketch) { std::memcpy(state, &sketch, sizeof sketch); }

    Sketch& made(std::byte* state) const {
        Sketch* sketch = load(state);
        if (sketch == nullptr) {
            sketch = new Sketch(empty(*plan_.kind));
            store(state, sketch);
        }
        return *sketch;
    }
    Sketch empty(Kind kind) const {
        if (kind == Kind::distinct) return HyperLogLog();
        if (kind == Kind::quantile) return DDSketch();
        // What merge: gathers has the capacity of what it finds.
        return SpaceSaving(plan_.capacity != 0 ? plan_.capacity : SpaceSaving::capacity_max);
    }

    Result<void> add_number(std::byte* state, const Value& value) const {
        if (value.type != Type::number) return wants_numbers_error(spec_, value);
        const double number = to_double(value.text);
        if (!std::isfinite(number)) {
            return fail(ErrorKind::data, field() + " is out of range, " + quoted(value.text) + ": " +
                                             spec_.function + " takes numbers up to 1.8e308");
        }
        std::get<DDSketch>(made(state)).add(number);
        return {};
    }

    Result<void> add_sketch(std::byte* state, const SketchText& found) const {
        if (const auto kind = plan_.kind; kind && *kind != found.kind) return wrong_kind(found.kind, *kind);
        if (found.version != version) {
            return fail(ErrorKind::data,
                        field() + " is " + sketch_of(found.kind) + " of a version unknown here, " +
                            quoted(std::string(kinds[static_cast<std::size_t>(found.kind)].prefix) +
                                   std::string(found.version)));
        }
        const std::optional<Sketch> sketch = parse_sketch(found.kind, found.text);
        if (!sketch) {
            return fail(ErrorKind::data,
                        field() + " is not " + sketch_of(found.kind) + ": it was cut or changed");
        }
        return merge_sketch(state, *sketch);
    }

    Result<void> merge_sketch(std::byte* state, const Sketch& other) const {
        const Sketch* held = load(state);
        const Kind kind = kind_of(other);
        if (held != nullptr && kind_of(*held) != kind) return wrong_kind(kind, kind_of(*held));
        auto fresh = held != nullptr ? nullptr : std::make_unique<Sketch>(empty(kind));
        if (!merge_into(fresh != nullptr ? *fresh : *load(state), other)) {
            return fail(ErrorKind::data,
                        field() + ": more values than " + spec_.function + " can count (2^62)");
        }
        if (fresh != nullptr) store(state, fresh.release());
        return {};
    }

    static bool merge_into(Sketch& into, const Sketch& other) {
        if (auto* top = std::get_if<SpaceSaving>(&into)) return top->merge(std::get<SpaceSaving>(other));
        if (auto* quantiles = std::get_if<DDSketch>(&into))
            return quantiles->merge(std::get<DDSketch>(other));
        std::get<HyperLogLog>(into).merge(std::get<HyperLogLog>(other));
        return true;
    }

    tl::unexpected<Error> wrong_kind(Kind found, Kind wanted) const {
        return fail(ErrorKind::data, field() + " is " + sketch_of(found) + ": " + spec_.function +
                                         (plan_.kind ? " wants " : " began with ") + sketch_of(wanted));
    }

    Result<void> write_top(const Sketch* sketch, std::string& out) const {
        out += '[';
        if (sketch != nullptr) {
            for (const SpaceSaving::Item& item : std::get<SpaceSaving>(*sketch).items(plan_.top)) {
                out += out.back() == '[' ? R"({"value":)" : R"(,{"value":)";
                out += item.value;
                out += R"(,"count":)";
                append_uint64(out, item.count);
                out += R"(,"error":)";
                append_uint64(out, item.error);
                out += '}';
            }
        }
        out += ']';
        return {};
    }

    AggregateSpec spec_;
    Plan plan_;
};

// --- names

constexpr std::array<std::string_view, 13> names = {
    "approx_distinct", "approx_median", "approx_p50",   "approx_p90",    "approx_p95",
    "approx_p99",      "approx_p99.9",  "approx_top10", "approx_top100", "sketch_distinct",
    "sketch_quantile", "sketch_top10",  "merge"};

constexpr std::size_t top_max = SpaceSaving::capacity_max / 10;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// NN or NN.NN between 0 and 100, as an exact fraction.
std::optional<QuantileFraction> parse_percent(std::string_view text) {
    constexpr std::size_t decimals_max = 9;
    const std::size_t point = std::min(text.find('.'), text.size());
    const std::string_view whole = text.substr(0, point);
    const std::string_view decimals = point < text.size() ? text.substr(point + 1) : std::string_view{};
    if (whole.empty() || whole.size() > 3 || decimals.size() > decimals_max) return std::nullopt;
    if (point < text.size() && decimals.empty()) return std::nullopt;
    QuantileFraction fraction{0, 100};
    for (const char c : whole) {
        if (!is_digit(c)) return std::nullopt;
        fraction.numerator = fraction.numerator * 10 + static_cast<std::uint64_t>(c - '0');
    }
    for (const char c : decimals) {
        if (!is_digit(c)) return std::nullopt;
        fraction.numerator = fraction.numerator * 10 + static_cast<std::uint64_t>(c - '0');
        fraction.denominator *= 10;
    }
    if (fraction.numerator > fraction.denominator) return std::nullopt;
    return fraction;
}

Result<Plan> make_plan(const std::string& function) {
    Plan plan;
    if (function == "merge") return plan;
    const std::string_view name = std::string_view(function).substr(7);  // behind approx_ or sketch_
    const bool answers = function.starts_with("approx_");
    if (name == "distinct") {
        plan.kind = Kind::distinct;
        plan.answer = answers ? Answer::distinct : Answer::sketch;
    } else if (name.starts_with("top")) {
        const std::string_view number = name.substr(3);
        const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), plan.top);
        if (error != std::errc() || end != number.data() + number.size() || plan.top == 0 ||
            plan.top > top_max) {
            return fail(ErrorKind::usage, quoted(function) + ": how many must follow, 1 to 100000",
                        std::string(answers ? "approx_top10" : "sketch_top10") + ":FIELD");
        }
        plan.kind = Kind::top;
        plan.answer = answers ? Answer::top : Answer::sketch;
        plan.capacity = std::max<std::size_t>(10 * plan.top, 1000);
    } else {
        plan.kind = Kind::quantile;
        plan.answer = answers ? Answer::quantile : Answer::sketch;
        if (name == "median" || !answers) return plan;
        const auto fraction = parse_percent(name.substr(1));
        if (!fraction) {
            return fail(ErrorKind::usage,
                        quoted(function) + ": a percentile is 0 to 100 with at most 9 decimals",
                        "approx_p99:FIELD or approx_p99.9:FIELD");
        }
        plan.fraction = *fraction;
    }
    return plan;
}

}  // namespace

bool is_sketch_function(std::string_view function) {
    if (std::find(names.begin(), names.end(), function) != names.end()) return true;
    const auto numbered = [&](std::string_view family) {
        if (!function.starts_with(family)) return false;
        const std::string_view number = function.substr(family.size());
        return number.empty() || is_digit(number.front());
    };
    return numbered("approx_p") || numbered("approx_top") || numbered("sketch_top");
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
