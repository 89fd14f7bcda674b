// SPDX-License-Identifier: Apache-2.0
#include "ops/aggregates/sketch_text.hpp"

#include "base/base64.hpp"
#include "base/crc32c.hpp"
#include "json/canonical.hpp"
#include "json/scanner.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace stream {

namespace {

struct KindNames {
    std::string_view prefix;  // of the text, without its version
    std::string_view what;
};
constexpr std::array<KindNames, 3> kinds = {
    {{"hll", "distinct values"}, {"dds", "quantiles"}, {"top", "top values"}}};

const KindNames& names_of(SketchKind kind) { return kinds[static_cast<std::size_t>(kind)]; }

template <class T>
std::optional<Sketch> widen(const SketchQuestion& question, std::optional<T> sketch) {
    if (!sketch) return std::nullopt;
    return Sketch{question, std::move(*sketch)};
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

void skip_space(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\n\r"), text.size()));
}
bool skip_token(std::string_view& text, std::string_view token) {
    skip_space(text);
    if (!text.starts_with(token)) return false;
    text.remove_prefix(token.size());
    return true;
}

}  // namespace

std::size_t SketchQuestion::counters() const { return std::max<std::size_t>(10 * number, 1000); }

std::string SketchQuestion::name() const {
    if (kind == SketchKind::distinct) return "distinct";
    if (kind == SketchKind::top) return "top" + std::to_string(number);
    std::string name = "p" + std::to_string(number / percent);
    if (number % percent == 0) return name;
    name += '.';
    for (std::uint64_t unit = percent / 10, left = number % percent; left != 0; unit /= 10) {
        name += static_cast<char>('0' + left / unit);
        left %= unit;
    }
    return name;
}

std::string a_sketch_of(SketchKind kind) { return "a sketch of " + std::string(names_of(kind).what); }

// --- the body

Sketch Sketch::empty(const SketchQuestion& question) {
    switch (question.kind) {
        case SketchKind::distinct:
            break;
        case SketchKind::quantile:
            return {question, DDSketch()};
        case SketchKind::top:
            return {question, SpaceSaving(question.counters())};
    }
    return {question, HyperLogLog()};
}

void Sketch::encode(StateWriter& writer, bool canonical) const {
    if (question.kind != SketchKind::distinct) writer.put_varint(question.number);
    if (const auto* top = std::get_if<SpaceSaving>(&holds)) return top->encode(writer, canonical);
    if (const auto* quantiles = std::get_if<DDSketch>(&holds)) return quantiles->encode(writer);
    std::get<HyperLogLog>(holds).encode(writer);
}

std::optional<Sketch> Sketch::decode(SketchKind kind, StateReader& reader) {
    SketchQuestion question{kind, 0};
    if (kind == SketchKind::distinct) return widen(question, HyperLogLog::decode(reader));
    question.number = reader.get_varint();
    if (kind == SketchKind::quantile) {
        if (question.number > 100 * SketchQuestion::percent) return std::nullopt;
        return widen(question, DDSketch::decode(reader));
    }
    if (question.number == 0 || question.number > SketchQuestion::top_max) return std::nullopt;
    std::optional<SpaceSaving> top = SpaceSaving::decode(reader);
    // Fewer there are where one of a greater N took in those of a lesser.
    if (top && top->capacity() > question.counters()) return std::nullopt;
    return widen(question, std::move(top));
}

// --- the text: base64 of the body and its CRC-32C, after "KIND1:"

void append_sketch(std::string& out, const Sketch& sketch) {
    StateWriter writer;
    sketch.encode(writer, true);
    const std::uint32_t sum = crc32c(writer.bytes());
    for (unsigned shift = 0; shift < 32; shift += 8) writer.put_u8(static_cast<std::uint8_t>(sum >> shift));
    out += R"({"sketch":")";
    out += names_of(sketch.question.kind).prefix;
    out += sketch_version;
    out += ':';
    append_base64(out, writer.bytes());
    out += R"("})";
}

std::string SketchText::kind_and_version() const {
    return std::string(names_of(kind).prefix) + std::string(version);
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
        return SketchText{static_cast<SketchKind>(kind), inner.substr(0, digits), inner.substr(digits + 1)};
    }
    return std::nullopt;
}

std::optional<Sketch> parse_sketch(const SketchText& found) {
    std::string_view text = found.text;
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
    std::optional<Sketch> sketch = Sketch::decode(found.kind, reader);
    if (!sketch || !reader.ok() || !reader.at_end()) return std::nullopt;
    if (const auto* top = std::get_if<SpaceSaving>(&sketch->holds);
        top != nullptr && !holds_canonical_json(*top)) {
        return std::nullopt;
    }
    StateWriter again;
    sketch->encode(again, true);
    if (again.bytes() != body) return std::nullopt;
    return sketch;
}

}  // namespace stream
