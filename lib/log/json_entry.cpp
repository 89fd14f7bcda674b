// SPDX-License-Identifier: Apache-2.0
#include "log/json_entry.hpp"

#include "json/canonical.hpp"
#include "json/cursor.hpp"
#include "json/number.hpp"

namespace stream::log {

namespace {

std::optional<std::uint64_t> whole_number(std::string_view text) {
    const auto parsed = parse_int64(text);
    if (!parsed || *parsed < 0) return std::nullopt;
    return static_cast<std::uint64_t>(*parsed);
}

}  // namespace

bool JsonEntry::parse(std::string_view payload) {
    members_.clear();
    line_.assign(payload);
    const std::size_t size = line_.size();
    if (size == 0 || line_.find('\n') != size - 1) return false;
    line_.append(scanner_padding, '\0');
    scanner_.start(line_.data(), size);
    if (scanner_.next() != Scanner::Outcome::event) return false;
    for (Cursor cursor(value_of(scanner_.line())); cursor.next();) {
        std::string name;
        append_unescaped(name, cursor.name());
        members_.emplace_back(std::move(name), cursor.value());
    }
    return true;
}

std::string JsonEntry::text(std::string_view name) const {
    std::string out;
    const Value* value = find(name);
    if (value != nullptr && value->type == Type::string) append_unescaped(out, *value);
    return out;
}

std::optional<std::uint64_t> JsonEntry::number(std::string_view name) const {
    const Value* value = find(name);
    if (value == nullptr || value->type != Type::number) return std::nullopt;
    return whole_number(value->text);
}

std::optional<std::vector<std::uint64_t>> JsonEntry::numbers(std::string_view name) const {
    const Value* value = find(name);
    if (value == nullptr || value->type != Type::array) return std::nullopt;
    std::vector<std::uint64_t> all;
    for (Cursor cursor(*value); cursor.next();) {
        const auto one = cursor.value().type == Type::number ? whole_number(cursor.value().text) : std::nullopt;
        if (!one) return std::nullopt;
        all.push_back(*one);
    }
    return all;
}

std::optional<TimeNs> JsonEntry::time(std::string_view name) const {
    const Value* value = find(name);
    if (value == nullptr || value->type == Type::null) return time_before_all;
    if (value->type != Type::number) return std::nullopt;
    const auto parsed = parse_int64(value->text);
    return parsed ? std::optional<TimeNs>(*parsed) : std::nullopt;
}

bool JsonEntry::flag(std::string_view name) const {
    const Value* value = find(name);
    return value != nullptr && value->type == Type::boolean_true;
}

std::optional<std::uint64_t> JsonEntry::id(std::string_view name) const {
    constexpr std::size_t digits = 16;
    const std::string hex = text(name);
    if (hex.size() != digits) return std::nullopt;
    std::uint64_t id = 0;
    for (const char c : hex) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'f')) return std::nullopt;
        id = id << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
    }
    return id;
}

std::optional<JsonEntry::Pairs> JsonEntry::pairs(std::string_view name) const {
    const Value* value = find(name);
    if (value == nullptr || value->type != Type::object) return std::nullopt;
    Pairs all;
    for (Cursor cursor(*value); cursor.next();) {
        const auto first = whole_number(cursor.name().inner());
        const auto second = cursor.value().type == Type::number ? whole_number(cursor.value().text) : std::nullopt;
        if (!first || !second) return std::nullopt;
        all.emplace_back(*first, *second);
    }
    return all;
}

const Value* JsonEntry::find(std::string_view name) const {
    for (const auto& [member, value] : members_) {
        if (member == name) return &value;
    }
    return nullptr;
}

}  // namespace stream::log
