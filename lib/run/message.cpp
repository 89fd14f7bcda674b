// SPDX-License-Identifier: Apache-2.0
#include "run/message.hpp"

#include <fmt/format.h>

#include <charconv>

#include "json/canonical.hpp"
#include "json/cursor.hpp"
#include "json/scanner.hpp"

namespace stream::run {

const Message::Member* Message::find(std::string_view name) const {
    for (const Member& member : members_) {
        if (member.name == name) return &member;
    }
    return nullptr;
}

Message::Member& Message::slot(std::string_view name) {
    for (Member& member : members_) {
        if (member.name == name) return member;
    }
    return members_.emplace_back(Member{std::string(name), {}, false});
}

Message& Message::set(std::string_view name, std::string_view text) {
    Member& member = slot(name);
    member.value = text;
    member.quoted = true;
    return *this;
}

Message& Message::set(std::string_view name, std::uint64_t number) {
    slot(name).value = std::to_string(number);
    return *this;
}

Message& Message::set(std::string_view name, std::int64_t number) {
    slot(name).value = std::to_string(number);
    return *this;
}

Message& Message::flag(std::string_view name, bool value) {
    slot(name).value = value ? "true" : "false";
    return *this;
}

Message& Message::real(std::string_view name, double value) {
    slot(name).value = fmt::format("{:.1f}", value);
    return *this;
}

std::string Message::text(std::string_view name) const {
    const Member* member = find(name);
    return member != nullptr && member->quoted ? member->value : std::string();
}

namespace {

template <class Number>
Number number_of(const std::string& text) {
    Number number{};
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? number : Number{};
}

}  // namespace

std::uint64_t Message::number(std::string_view name) const {
    const Member* member = find(name);
    return member != nullptr && !member->quoted ? number_of<std::uint64_t>(member->value) : 0;
}

std::int64_t Message::signed_number(std::string_view name) const {
    const Member* member = find(name);
    return member != nullptr && !member->quoted ? number_of<std::int64_t>(member->value) : 0;
}

bool Message::flag(std::string_view name) const {
    const Member* member = find(name);
    return member != nullptr && !member->quoted && member->value == "true";
}

double Message::real(std::string_view name) const {
    const Member* member = find(name);
    return member != nullptr && !member->quoted ? number_of<double>(member->value) : 0;
}

std::string Message::encode() const {
    std::string out;
    for (const Member& member : members_) {
        out += out.empty() ? '{' : ',';
        append_quoted(out, member.name);
        out += ':';
        if (member.quoted) append_quoted(out, member.value);
        else out += member.value;
    }
    return out.empty() ? "{}" : out + "}";
}

std::optional<Message> Message::decode(std::string_view bytes) {
    FieldSet no_fields;
    Scanner scanner(no_fields);
    std::string line(bytes);
    if (line.find('\n') != std::string::npos) return std::nullopt;
    line += '\n';
    const std::size_t size = line.size();
    line.append(scanner_padding, '\0');
    scanner.start(line.data(), size);
    if (scanner.next() != Scanner::Outcome::event) return std::nullopt;
    Message message;
    for (Cursor member(value_of(scanner.line())); member.next();) {
        std::string name;
        append_unescaped(name, member.name());
        Member& slot = message.slot(name);
        slot.quoted = member.value().type == Type::string;
        slot.value.clear();
        if (slot.quoted) append_unescaped(slot.value, member.value());
        else slot.value = member.value().text;
    }
    return message;
}

}  // namespace stream::run
