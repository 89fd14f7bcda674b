// SPDX-License-Identifier: Apache-2.0
#include "json/cursor.hpp"

#include <algorithm>

#include "json/canonical.hpp"

namespace stream {
namespace {

// The place after the closing quote of the string whose opening quote is at `at`.
std::size_t after_string(std::string_view text, std::size_t at, bool& escaped) {
    ++at;
    while (at < text.size() && text[at] != '"') {
        if (text[at] == '\\') {
            escaped = true;
            ++at;
        }
        ++at;
    }
    return at < text.size() ? at + 1 : text.size();
}

// The place after the bracket that closes the one at `at`.
std::size_t after_container(std::string_view text, std::size_t at) {
    std::size_t depth = 0;
    while (at < text.size()) {
        switch (text[at]) {
            case '"': {
                bool escaped = false;
                at = after_string(text, at, escaped);
                continue;
            }
            case '{':
            case '[':
                ++depth;
                break;
            case '}':
            case ']':
                if (--depth == 0) return at + 1;
                break;
            default:
                break;
        }
        ++at;
    }
    return text.size();
}

}  // namespace

bool nested_deeper(std::string_view json, unsigned allowed) {
    if (json.size() / 2 <= allowed) return false;
    const auto opens = [](char c) { return c == '[' || c == '{'; };
    if (std::count_if(json.begin(), json.end(), opens) <= static_cast<std::ptrdiff_t>(allowed)) return false;
    unsigned open = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (c == '"') quoted = !quoted;
        else if (quoted) i += c == '\\' ? 1u : 0u;
        else if (opens(c) && ++open > allowed) return true;
        else if (c == ']' || c == '}') --open;
    }
    return false;
}

Cursor::Cursor(const Value& container) {
    if (container.type != Type::array && container.type != Type::object) return;
    object_ = container.type == Type::object;
    text_ = container.inner();
}

void Cursor::skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
        ++at_;
    }
}

Value Cursor::read_string() {
    const std::size_t begin = at_;
    Value value;
    value.type = Type::string;
    at_ = after_string(text_, begin, value.escaped);
    value.text = text_.substr(begin, at_ - begin);
    return value;
}

Value Cursor::read_value() {
    const std::size_t begin = at_;
    const char first = peek();
    if (first == '"') return read_string();
    if (first == '{' || first == '[') {
        at_ = after_container(text_, begin);
    } else {
        at_ = text_.find_first_of(" \t\r\n,", begin);
        if (at_ == std::string_view::npos) at_ = text_.size();
    }
    return value_of(text_.substr(begin, at_ - begin));
}

bool Cursor::next() {
    skip_space();
    if (peek() == ',') {
        ++at_;
        skip_space();
    }
    if (at_ >= text_.size()) return false;
    if (object_) {
        name_ = read_string();
        skip_space();
        ++at_;  // the colon
        skip_space();
    }
    value_ = read_value();
    return true;
}

}  // namespace stream
