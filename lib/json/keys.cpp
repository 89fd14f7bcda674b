// SPDX-License-Identifier: Apache-2.0
#include "json/keys.hpp"

#include <algorithm>
#include <cctype>

#include "base/text.hpp"
#include "json/canonical.hpp"

namespace stream {

namespace {

constexpr char separator = '\x1F';  // in no JSON text: control characters are escaped

bool is_name(std::string_view text) {
    if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0])) != 0) return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    });
}

// A value whose bytes are canonical as they are.
bool is_canonical(const Value& value) {
    switch (value.type) {
        case Type::string: return !value.escaped;
        case Type::number: {
            if (value.text.size() > 18 || value.text == "-0") return false;
            for (const char c : value.text) {
                if (c == '.' || c == 'e' || c == 'E') return false;
            }
            return true;
        }
        case Type::null: case Type::boolean_false: case Type::boolean_true: return true;
        default: return false;
    }
}

}  // namespace

std::vector<std::string> split_outside_brackets(std::string_view text) {
    std::vector<std::string> parts(1);
    int depth = 0;
    bool quoted_part = false;
    for (const char c : text) {
        if (c == '"') quoted_part = !quoted_part;
        if (!quoted_part && (c == '[' || c == '(' || c == '{')) ++depth;
        if (!quoted_part && (c == ']' || c == ')' || c == '}')) --depth;
        if (c == ',' && depth == 0 && !quoted_part) {
            parts.emplace_back();
        } else {
            parts.back().push_back(c);
        }
    }
    return parts;
}

Result<std::vector<KeySpec>> parse_keys(const std::vector<std::string>& arguments) {
    std::vector<KeySpec> specs;
    for (const std::string& argument : arguments) {
        for (const std::string& part : split_outside_brackets(argument)) {
            KeySpec spec;
            std::string_view field = part;
            const std::size_t equals = part.find('=');
            if (equals != std::string::npos && is_name(std::string_view(part).substr(0, equals))) {
                spec.name = part.substr(0, equals);
                field.remove_prefix(equals + 1);
            }
            auto path = parse_field(field);
            if (!path) return pass_on(path);
            spec.path = std::move(*path);
            if (spec.name.empty() && spec.path.is_expression) {
                return fail(ErrorKind::usage, "an expression needs a name: " + stream::quoted(part), "NAME=" + part);
            }
            if (spec.name.empty() && spec.path.has_index()) {
                return fail(ErrorKind::usage, "an element needs a name: " + stream::quoted(part),
                            "--by NAME=" + part);
            }
            for (const KeySpec& other : specs) {
                const std::string& a = other.name.empty() ? other.path.text : other.name;
                const std::string& b = spec.name.empty() ? spec.path.text : spec.name;
                if (a == b) return fail(ErrorKind::usage, "two keys of one name: " + stream::quoted(a));
                const bool nested = a.starts_with(b + ".") || b.starts_with(a + ".");
                if (nested && other.name.empty() && spec.name.empty()) {
                    return fail(ErrorKind::usage, "one of these keys lies in the other: " + stream::quoted(a) + ", " + stream::quoted(b),
                                "--by NAME=" + (a.size() > b.size() ? a : b) + " gives it a place of its own");
                }
            }
            specs.push_back(std::move(spec));
        }
    }
    return specs;
}

Keys::Keys(std::vector<KeySpec> specs, FieldSet& fields) : specs_(std::move(specs)), fields_(&fields) {
    for (const KeySpec& spec : specs_) slots_.push_back(fields.add(spec.path, true));
}

bool Keys::has_null(const Value* values) const {
    return std::any_of(slots_.begin(), slots_.end(), [&](std::size_t slot) { return values[slot].is_nothing(); });
}

std::string_view Keys::bytes(const Value* values, std::string& scratch) const {
    if (slots_.size() == 1) {
        const Value& value = values[slots_[0]];
        if (value.type == Type::missing) return "null";
        if (is_canonical(value)) return value.text;
    }
    scratch.clear();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (i > 0) scratch.push_back(separator);
        const Value& value = values[slots_[i]];
        if (is_canonical(value)) scratch.append(value.text);
        else append_canonical(scratch, value);
    }
    return scratch;
}

int Keys::compare(std::string_view a, std::string_view b) {
    for (;;) {
        const std::size_t a_end = std::min(a.find(separator), a.size());
        const std::size_t b_end = std::min(b.find(separator), b.size());
        if (a.substr(0, a_end) != b.substr(0, b_end)) {
            const int order = compare_values(value_of(a.substr(0, a_end)), value_of(b.substr(0, b_end)));
            if (order != 0) return order;
        }
        if (a_end == a.size() || b_end == b.size()) return a_end == a.size() ? (b_end == b.size() ? 0 : -1) : 1;
        a.remove_prefix(a_end + 1);
        b.remove_prefix(b_end + 1);
    }
}

namespace {

// The members to write, as a tree: `repo` with `name` inside.
struct Branch {
    std::string name;
    std::size_t key = SIZE_MAX;
    std::vector<Branch> inside;
};

void plant(std::vector<Branch>& branches, const std::vector<std::string>& path, std::size_t depth, std::size_t key) {
    auto at = std::find_if(branches.begin(), branches.end(),
                           [&](const Branch& branch) { return branch.name == path[depth] && branch.key == SIZE_MAX; });
    if (at == branches.end() || depth + 1 == path.size()) {
        branches.push_back({path[depth], SIZE_MAX, {}});
        at = branches.end() - 1;
    }
    if (depth + 1 == path.size()) at->key = key;
    else plant(at->inside, path, depth + 1, key);
}

}  // namespace

std::vector<std::string> Keys::top_names() const {
    std::vector<std::string> names;
    for (const KeySpec& spec : specs_) {
        names.push_back(!spec.name.empty() ? spec.name : spec.path.steps[0].name);
        if (spec.name.empty()) names.push_back(spec.path.text);
    }
    return names;
}

void Keys::build_pieces() const {
    std::vector<Branch> tree;
    for (std::size_t i = 0; i < specs_.size(); ++i) {
        std::vector<std::string> path;
        if (!specs_[i].name.empty()) {
            path = {specs_[i].name};
        } else if (specs_[i].path.is_plain() || fields_->is_exact(slots_[i])) {
            path = {specs_[i].path.text};
        } else {
            for (const FieldPath::Step& step : specs_[i].path.steps) path.push_back(step.name);
        }
        plant(tree, path, 0, i);
    }
    std::string literal;
    const auto write = [&](const auto& self, const std::vector<Branch>& branches) -> void {
        for (std::size_t i = 0; i < branches.size(); ++i) {
            if (i > 0) literal += ',';
            append_quoted(literal, branches[i].name);
            literal += ':';
            if (branches[i].key != SIZE_MAX) {
                pieces_.push_back({std::move(literal), branches[i].key});
                literal.clear();
            } else {
                literal += '{';
                self(self, branches[i].inside);
                literal += '}';
            }
        }
    };
    write(write, tree);
    tail_ = std::move(literal);
    built_ = true;
}

void Keys::append_members(std::string& out, std::string_view key) const {
    if (specs_.empty()) return;
    if (!built_) build_pieces();
    if (specs_.size() == 1) {
        out += pieces_[0].literal;
        out += key;
        out += tail_;
        return;
    }
    std::vector<std::string_view> parts;
    while (parts.size() < specs_.size()) {
        const std::size_t end = std::min(key.find(separator), key.size());
        parts.push_back(key.substr(0, end));
        key.remove_prefix(std::min(end + 1, key.size()));
    }
    for (const Piece& piece : pieces_) {
        out += piece.literal;
        out += parts[piece.key];
    }
    out += tail_;
}

}  // namespace stream
