// SPDX-License-Identifier: Apache-2.0
// Fields by name, compiled once: `user`, `user.id`, `items[0].sku`, jq's `.user.id`. A dotted name is
// first the member of exactly that name (`id.orig_h`, `@timestamp`), then the path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "json/value.hpp"

namespace stream {

struct FieldPath {
    struct Step {
        std::string name;         // of a member; unused where index >= 0
        std::int64_t index = -1;  // of an array's element
    };
    std::string text;  // as given, a leading dot removed; of an expression, all of it
    std::vector<Step> steps;
    bool is_expression = false;  // no steps then

    bool is_plain() const { return steps.size() == 1 && steps[0].index < 0 && steps[0].name == text; }
    bool has_index() const;
};

// What starts with `(`, or with a dot and is more than a path (`.a|b`), is an expression of jq's language;
// whether it is a right one is told later (expr/computed_fields.hpp). ErrorKind::usage for an empty name or
// an unfinished bracket.
Result<FieldPath> parse_field(std::string_view text);
// The same where an expression has no meaning: ErrorKind::usage for one.
Result<FieldPath> parse_plain_field(std::string_view text);

// Works out the fields that are expressions, for each event, once the scanner has found the others.
class FieldComputer {
public:
    virtual ~FieldComputer() = default;
    // Sets the values of the expressions' fields; texts may be kept in `storage`, which belongs to the
    // scanner and lives as long as its event. A failure makes the event bad.
    virtual Result<void> compute(std::string_view event, Value* values, std::string& storage) = 0;
};

// The fields an operator wants, as a tree that the scanner walks along with the event.
class FieldSet {
public:
    // Returns the field's place in Scanner::values(). The same text gives the same place. `latched`:
    // the form (exact name or path) is chosen at the first event that has one and kept; an event that
    // has only the other form does not have the field.
    std::size_t add(const FieldPath& path, bool latched = false);
    // Exactly this place, as an expression names it: no dotted name is tried. `path.text` is for messages.
    std::size_t add_place(const FieldPath& path);
    // The fields that are expressions, to be compiled by somebody who can, who then sets the computer.
    struct Expression {
        std::string text;
        std::size_t field;
    };
    const std::vector<Expression>& expressions() const { return expressions_; }
    void set_computer(FieldComputer* computer) { computer_ = computer; }
    std::size_t size() const { return fields_.size(); }
    const std::string& name(std::size_t field) const { return fields_[field].text; }

    // A field nobody will look at again: it costs nothing from here on, and its value is not kept right.
    void ignore(std::size_t field);
    // A field that may well be in no event: never_seen() does not name it.
    void expect_rarely(std::size_t field) { fields_[field].seen = true; }
    // Which fields no event had so far.
    std::vector<std::string> never_seen() const;
    bool seen(std::size_t field) const { return fields_[field].seen; }
    // Whether a latched field was found as the member of exactly its name.
    bool is_exact(std::size_t field) const { return fields_[field].form == Form::exact; }

    // Forms chosen so far and what was seen, for snapshots.
    std::string save() const;
    bool load(std::string_view saved);

private:
    friend class Scanner;

    static constexpr std::int32_t none = -1;
    struct Child {
        std::string name;
        std::uint64_t head;  // the first 8 bytes of the name and its closing quote, zero padded
        std::uint64_t mask;  // over those bytes
        std::int32_t node;
    };
    struct IndexChild {
        std::int64_t index;
        std::int32_t node;
    };
    struct Node {
        std::uint64_t firsts = 0;  // bit (first byte & 63) set for each child's name
        std::vector<Child> children;
        std::vector<IndexChild> elements;
        std::int32_t slot = none;         // where a value found here goes
        std::vector<std::int32_t> below;  // slots of the whole subtree without this node's own
        bool wants_inside() const { return !children.empty() || !elements.empty(); }
    };
    enum class Form : std::uint8_t { open, exact, path };
    struct Field {
        std::string text;
        std::int32_t exact_node = none;
        std::int32_t path_node = none;
        std::int32_t exact_slot = none;
        std::int32_t path_slot = none;  // the field's own number, or that of an earlier field of the same node
        Form form = Form::open;
        bool latched = false;
        bool seen = false;
    };

    std::int32_t child_of(std::int32_t node, const std::string& name);
    std::int32_t element_of(std::int32_t node, std::int64_t index);
    void index_subtree(std::int32_t node);
    void number_slots();

    std::vector<Expression> expressions_;
    FieldComputer* computer_ = nullptr;
    std::vector<Node> nodes_{Node{}};
    std::vector<Field> fields_;
    // Slots: one a field, in order (its path's value lands there), then one for each exact name.
    std::int32_t slots_ = 0;
    std::vector<std::int32_t> to_resolve_;  // fields with two slots, or with an earlier field's
};

}  // namespace stream
