// SPDX-License-Identifier: Apache-2.0
#include "json/fields.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/text.hpp"

namespace stream {

bool FieldPath::has_index() const {
    return std::any_of(steps.begin(), steps.end(), [](const Step& step) { return step.index >= 0; });
}

namespace {

// .a.b[0].c, which is the same as the field a.b[0].c. Letters beyond ASCII, @ and $ are in names too.
bool is_path(std::string_view text) {
    const auto in_name = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '@' || c == '$' ||
               static_cast<unsigned char>(c) >= 0x80;
    };
    std::size_t at = 0;
    while (at < text.size()) {
        if (text[at] == '.') {
            const std::size_t begin = ++at;
            while (at < text.size() && in_name(text[at])) ++at;
            if (at == begin) return false;
        } else if (text[at] == '[' && at > 0) {
            const std::size_t begin = ++at;
            while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
            if (at == begin || at == text.size() || text[at] != ']') return false;
            ++at;
        } else {
            return false;
        }
    }
    return at > 0;
}

}  // namespace

Result<FieldPath> parse_plain_field(std::string_view text) {
    auto path = parse_field(text);
    if (path && path->is_expression) {
        return fail(ErrorKind::usage, "an expression where a field is wanted: " + quoted(text));
    }
    return path;
}

Result<FieldPath> parse_field(std::string_view text) {
    const std::string_view given = text;
    if (!text.empty() && (text.front() == '(' || text.front() == '.') && !is_path(text)) {
        FieldPath expression;
        expression.text = text;
        expression.is_expression = true;
        return expression;
    }
    if (!text.empty() && text.front() == '.') text.remove_prefix(1);
    if (text.empty()) return fail(ErrorKind::usage, "an empty field name");
    if (text.find_first_of("|(){}") != std::string_view::npos || text.find(" then ") != std::string_view::npos) {
        return fail(ErrorKind::usage, "not a field: " + quoted(given), "an expression begins with . or (, as in (" + std::string(given) + ")");
    }
    FieldPath path;
    path.text = text;
    std::string name;
    bool pending = true;  // a name is expected or under way
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '.') {
            if (pending) path.steps.push_back({name, -1});
            name.clear();
            pending = true;
        } else if (c == '[') {
            const std::size_t close = text.find(']', i);
            std::int64_t index = -1;
            const std::string_view inside =
                close == std::string_view::npos ? std::string_view{} : text.substr(i + 1, close - i - 1);
            const auto parsed = std::from_chars(inside.data(), inside.data() + inside.size(), index);
            if (inside.empty() || parsed.ec != std::errc() || parsed.ptr != inside.data() + inside.size() ||
                index < 0) {
                return fail(ErrorKind::usage, "not a field: " + quoted(given),
                            "an element is written name[0]");
            }
            if (!name.empty()) path.steps.push_back({name, -1});
            name.clear();
            path.steps.push_back({std::string(), index});
            pending = false;
            i = close;
        } else {
            name.push_back(c);
            pending = true;
        }
    }
    if (pending) path.steps.push_back({name, -1});
    return path;
}

namespace {

// The name with its closing quote, as far as 8 bytes go.
void set_head(std::uint64_t& head, std::uint64_t& mask, const std::string& name) {
    const std::string text = name + '"';
    const std::size_t size = std::min<std::size_t>(8, text.size());
    head = 0;
    std::memcpy(&head, text.data(), size);
    mask = size == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * size)) - 1;
}

}  // namespace

std::int32_t FieldSet::child_of(std::int32_t node, const std::string& name) {
    Node& parent = nodes_[static_cast<std::size_t>(node)];
    for (const Child& child : parent.children) {
        if (child.name == name) return child.node;
    }
    const auto made = static_cast<std::int32_t>(nodes_.size());
    Child child{name, 0, 0, made};
    set_head(child.head, child.mask, name);
    parent.children.push_back(std::move(child));
    parent.firsts |= std::uint64_t{1} << (name.empty() ? '"' & 63 : name[0] & 63);
    nodes_.emplace_back();
    return made;
}

std::int32_t FieldSet::element_of(std::int32_t node, std::int64_t index) {
    Node& parent = nodes_[static_cast<std::size_t>(node)];
    for (const IndexChild& child : parent.elements) {
        if (child.index == index) return child.node;
    }
    const auto made = static_cast<std::int32_t>(nodes_.size());
    parent.elements.push_back({index, made});
    nodes_.emplace_back();
    return made;
}

// Anew after each field: few, and before the first event.
void FieldSet::number_slots() {
    for (Node& node : nodes_) node.slot = none;
    to_resolve_.clear();
    slots_ = static_cast<std::int32_t>(fields_.size());
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        Field& field = fields_[i];
        if (field.path_node == none) {  // an expression: its value comes from elsewhere
            field.path_slot = static_cast<std::int32_t>(i);
            continue;
        }
        Node& node = nodes_[static_cast<std::size_t>(field.path_node)];
        if (node.slot == none) node.slot = static_cast<std::int32_t>(i);
        field.path_slot = node.slot;
        if (field.path_slot != static_cast<std::int32_t>(i) || field.exact_node != none) {
            to_resolve_.push_back(static_cast<std::int32_t>(i));
        }
    }
    for (Field& field : fields_) {
        if (field.exact_node == none) continue;
        Node& node = nodes_[static_cast<std::size_t>(field.exact_node)];
        if (node.slot == none) node.slot = slots_++;
        field.exact_slot = node.slot;
    }
    index_subtree(0);
}

void FieldSet::index_subtree(std::int32_t node) {
    Node& at = nodes_[static_cast<std::size_t>(node)];
    at.below.clear();
    std::vector<std::int32_t> below;
    const auto take = [&](std::int32_t child) {
        index_subtree(child);
        const Node& inner = nodes_[static_cast<std::size_t>(child)];
        if (inner.slot != none) below.push_back(inner.slot);
        below.insert(below.end(), inner.below.begin(), inner.below.end());
    };
    for (const Child& child : at.children) take(child.node);
    for (const IndexChild& child : at.elements) take(child.node);
    at.below = std::move(below);
}

std::size_t FieldSet::add(const FieldPath& path, bool latched) {
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (fields_[i].text == path.text && fields_[i].latched == latched) return i;
    }
    Field field;
    field.text = path.text;
    field.latched = latched;
    if (path.is_expression) {
        field.seen = true;  // whether it may well give nothing is its own affair
        fields_.push_back(field);
        number_slots();
        expressions_.push_back({path.text, fields_.size() - 1});
        return fields_.size() - 1;
    }
    std::int32_t node = 0;
    for (const FieldPath::Step& step : path.steps) {
        node = step.index < 0 ? child_of(node, step.name) : element_of(node, step.index);
    }
    field.path_node = node;
    if (!path.is_plain()) field.exact_node = child_of(0, path.text);
    fields_.push_back(field);
    number_slots();
    return fields_.size() - 1;
}

std::size_t FieldSet::add_place(const FieldPath& path) {
    std::int32_t node = 0;
    for (const FieldPath::Step& step : path.steps) {
        node = step.index < 0 ? child_of(node, step.name) : element_of(node, step.index);
    }
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (fields_[i].path_node == node && fields_[i].exact_node == none && !fields_[i].latched) return i;
    }
    Field field;
    field.text = path.text;
    field.path_node = node;
    fields_.push_back(field);
    number_slots();
    return fields_.size() - 1;
}

void FieldSet::ignore(std::size_t field) {
    std::erase(to_resolve_, static_cast<std::int32_t>(field));
}

std::vector<std::string> FieldSet::never_seen() const {
    std::vector<std::string> names;
    for (const Field& field : fields_) {
        if (!field.seen) names.push_back(field.text);
    }
    return names;
}

std::string FieldSet::save() const {
    std::string saved;
    for (const Field& field : fields_) {
        saved.push_back(static_cast<char>(static_cast<unsigned>(field.form) * 2u + (field.seen ? 1u : 0u)));
    }
    return saved;
}

bool FieldSet::load(std::string_view saved) {
    if (saved.size() != fields_.size()) return false;
    for (std::size_t i = 0; i < saved.size(); ++i) {
        const auto byte = static_cast<unsigned char>(saved[i]);
        if (byte > 5) return false;
        fields_[i].form = static_cast<Form>(byte / 2);
        fields_[i].seen = (byte & 1u) != 0;
    }
    return true;
}

}  // namespace stream
