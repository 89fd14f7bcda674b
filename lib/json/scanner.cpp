// SPDX-License-Identifier: Apache-2.0
//
// How a line is walked. Stage 1 leaves an array of positions: every { } [ ] : , outside strings, every
// opening quote, and the first byte of every other scalar (whatever bytes it is made of). White space
// between them is just that. So:
//
//   - a string ends at the last byte before the next position that is not white space, which must be
//     its closing quote: anything else there would have a position of its own;
//   - no string crosses a line: a raw newline inside a string fails the whole batch in stage 1, and
//     the batch is then taken line by line;
//   - trailing text behind an event, or a second event on its line, is a position before the line's
//     end; an event that goes on in the next line closes behind its line's end.
//
// What stage 1 does not look at is looked at here: grammar, the text of numbers and literals, escapes
// (only in lines that have a backslash, known from one memchr over the batch), and depth.
#include "json/scanner.hpp"

#include <simdjson.h>

#include <array>
#include <cstring>

#include "base/check.hpp"
#include "json/canonical.hpp"

namespace stream {

struct Scanner::Stage1 {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
    std::size_t capacity = 0;
};

namespace {

enum : std::uint8_t { char_space = 1, char_ends_scalar = 2, char_hex = 4, char_digit = 8 };

constexpr std::array<std::uint8_t, 256> make_table() {
    std::array<std::uint8_t, 256> table{};
    for (const char c : {' ', '\t', '\n', '\r'}) {
        table[static_cast<unsigned char>(c)] = char_space | char_ends_scalar;
    }
    for (const char c : {',', ']', '}'}) table[static_cast<unsigned char>(c)] |= char_ends_scalar;
    for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] |= char_hex | char_digit;
    for (int c = 'a'; c <= 'f'; ++c) table[static_cast<std::size_t>(c)] |= char_hex;
    for (int c = 'A'; c <= 'F'; ++c) table[static_cast<std::size_t>(c)] |= char_hex;
    return table;
}
constexpr std::array<std::uint8_t, 256> table = make_table();

inline bool is(char c, std::uint8_t what) { return (table[static_cast<unsigned char>(c)] & what) != 0; }

// The end of the number at p, or nullptr with `fault` at the byte that does not belong.
[[gnu::always_inline]] inline const char* number_end(const char* p, const char*& fault) {
    if (*p == '-') ++p;
    if (*p == '0') {
        ++p;
    } else if (is(*p, char_digit)) {
        do {
            ++p;
        } while (is(*p, char_digit));
    } else {
        fault = p;
        return nullptr;
    }
    if (*p == '.') {
        ++p;
        if (!is(*p, char_digit)) {
            fault = p;
            return nullptr;
        }
        while (is(*p, char_digit)) ++p;
    }
    if (*p == 'e' || *p == 'E') {
        ++p;
        if (*p == '+' || *p == '-') ++p;
        if (!is(*p, char_digit)) {
            fault = p;
            return nullptr;
        }
        while (is(*p, char_digit)) ++p;
    }
    if (!is(*p, char_ends_scalar)) {
        fault = p;
        return nullptr;
    }
    return p;
}

}  // namespace

// The walk over one line. `next` points at the position to be looked at next. In a line without a
// backslash a string needs no look at all: stage 1 has seen that it ends on this line and is sound.
template <bool with_escapes>
struct Scanner::Walk {
    const char* const bytes;
    const std::uint32_t* next;
    const char*& next_backslash;
    const char* const bytes_end;
    const FieldSet& fields;
    Value* const slots;
    Guess* const guesses;
    const char* why = nullptr;
    const char* where = nullptr;
    bool string_escaped = false;

    bool fault(const char* reason, const char* at) {
        why = reason;
        where = at;
        return false;
    }

    const char* here() const { return bytes + *next; }

    // The end (behind the closing quote) of a string whose opening quote is behind us.
    const char* string_end() const {
        const char* last = bytes + *next - 1;
        while (is(*last, char_space)) --last;
        return last + 1;
    }

    // The string that opens at `open`, `next` already behind it.
    bool string(const char* open) {
        if constexpr (with_escapes) {
            string_escaped = false;
            const char* last = string_end() - 1;
            if (next_backslash < last) return escapes(open, last);
        }
        return true;
    }

    bool escapes(const char* open, const char* last) {
        if (next_backslash < open) next_backslash = find_backslash(open);
        while (next_backslash < last) {
            string_escaped = true;
            const char* p = next_backslash + 1;
            switch (*p) {
                case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
                    ++p;
                    break;
                case 'u':
                    for (int i = 1; i <= 4; ++i) {
                        if (!is(p[i], char_hex)) return fault("not an escape in a string", next_backslash);
                    }
                    p += 5;
                    break;
                default:
                    return fault("not an escape in a string", next_backslash);
            }
            next_backslash = find_backslash(p);
        }
        return true;
    }

    const char* find_backslash(const char* from) const {
        const void* found = std::memchr(from, '\\', static_cast<std::size_t>(bytes_end - from));
        return found != nullptr ? static_cast<const char*>(found) : bytes_end;
    }

    // A scalar that is no string; gives its end and type.
    bool primitive(const char* at, const char*& end, Type& type) {
        const char c = *at;
        if (c == '-' || is(c, char_digit)) {
            const char* bad = nullptr;
            end = number_end(at, bad);
            if (end == nullptr) return fault("not a number", bad);
            type = Type::number;
            return true;
        }
        if (std::memcmp(at, "true", 4) == 0 && is(at[4], char_ends_scalar)) {
            type = Type::boolean_true;
            end = at + 4;
            return true;
        }
        if (std::memcmp(at, "null", 4) == 0 && is(at[4], char_ends_scalar)) {
            type = Type::null;
            end = at + 4;
            return true;
        }
        if (std::memcmp(at, "false", 5) == 0 && is(at[5], char_ends_scalar)) {
            type = Type::boolean_false;
            end = at + 5;
            return true;
        }
        return fault("not a JSON value", at);
    }

    // A value whose inside nobody wants. `depth` brackets are open round it.
    bool skip_value(unsigned depth, const char*& end, Type& type) {
        const char* at = here();
        ++next;
        switch (*at) {
            case '"':
                type = Type::string;
                if (!string(at)) return false;
                end = string_end();
                return true;
            case '{':
                type = Type::object;
                return skip_container(depth, true, end);
            case '[':
                type = Type::array;
                return skip_container(depth, false, end);
            default:
                return primitive(at, end, type);
        }
    }

    // `next` is behind the opening bracket. Iterative, so that depth costs no stack.
    bool skip_container(unsigned outer, bool object, const char*& end) {
        std::uint64_t objects[depth_max / 64 + 1];  // a bit for each open bracket inside
        objects[0] = 0;
        unsigned depth = 0;
        const auto open = [&](bool is_object) {
            const std::uint64_t bit = std::uint64_t{1} << (depth % 64);
            if (is_object) objects[depth / 64] |= bit;
            else objects[depth / 64] &= ~bit;
            ++depth;
        };
        if (outer + 1 > depth_max) return fault("nested too deeply", here());
        open(object);
        bool first = true;
        const char* value_end = nullptr;
        Type type = Type::missing;
        for (;;) {
            const char* at = here();
            if (object) {
                if (*at == '}' && first) goto closed;
                if (*at != '"') return fault("a member's name is missing", at);
                ++next;
                if (!string(at)) return false;
                if (*here() != ':') return fault("a colon is missing", here());
                ++next;
                at = here();
            } else if (*at == ']' && first) {
                goto closed;
            }
            ++next;
            if (*at == '"') {
                if (!string(at)) return false;
            } else if (*at == '{' || *at == '[') {
                if (outer + depth + 1 > depth_max) return fault("nested too deeply", at);
                object = *at == '{';
                open(object);
                first = true;
                continue;
            } else {
                if (!primitive(at, value_end, type)) return false;
            }
        after_value:
            first = false;
            at = here();
            if (*at == ',') {
                ++next;
                continue;
            }
            if (*at != (object ? '}' : ']')) return fault("a comma or a closing bracket is missing", at);
        closed:
            end = here() + 1;
            ++next;
            --depth;
            if (depth == 0) return true;
            object = ((objects[(depth - 1) / 64] >> ((depth - 1) % 64)) & 1) != 0;
            goto after_value;
        }
    }

    void forget(const FieldSet::Node& node) {
        for (const std::int32_t slot : node.below) slots[slot].type = Type::missing;
    }

    // A value that is wanted or has something wanted inside.
    bool wanted_value(const FieldSet::Node& node, unsigned depth) {
        const char* at = here();
        const char* end = nullptr;
        Type type = Type::missing;
        bool escaped = false;
        if (!node.wants_inside()) [[likely]] {
            if (*at == '"') {
                ++next;
                if (!string(at)) return false;
                slots[node.slot] = Value{{at, static_cast<std::size_t>(string_end() - at)}, Type::string,
                                         with_escapes && string_escaped};
                return true;
            }
            if (is(*at, char_digit)) {
                ++next;
                const char* bad = nullptr;
                end = number_end(at, bad);
                if (end == nullptr) return fault("not a number", bad);
                slots[node.slot] = Value{{at, static_cast<std::size_t>(end - at)}, Type::number, false};
                return true;
            }
        } else {
            forget(node);
        }
        if (node.wants_inside() && *at == '{' && !node.children.empty()) {
            ++next;
            if (depth + 1 > depth_max) return fault("nested too deeply", at);
            if (!object(node, depth + 1, end)) return false;
            type = Type::object;
        } else if (node.wants_inside() && *at == '[' && !node.elements.empty()) {
            ++next;
            if (depth + 1 > depth_max) return fault("nested too deeply", at);
            if (!array(node, depth + 1, end)) return false;
            type = Type::array;
        } else {
            if (!skip_value(depth, end, type)) return false;
            escaped = type == Type::string && string_escaped;
        }
        if (node.slot != FieldSet::none) {
            slots[node.slot] = Value{{at, static_cast<std::size_t>(end - at)}, type, escaped};
        }
        return true;
    }

    // The child of `node` that is called like the key at `open`, or nullptr.
    const FieldSet::Node* find(const FieldSet::Node& node, const char* open) {
        const char* name = open + 1;
        std::string unescaped;
        if constexpr (with_escapes) {
            if (string_escaped) {
                const char* end = string_end();
                append_unescaped(unescaped, Value{{open, static_cast<std::size_t>(end - open)}, Type::string, true});
                if (unescaped.find('"') != std::string::npos) return find_odd(node, unescaped);
                unescaped.append("\"\0\0\0\0\0\0\0", 8);
                name = unescaped.data();
            }
        }
        if (((node.firsts >> (*name & 63)) & 1) == 0) return nullptr;
        std::uint64_t head = 0;
        std::memcpy(&head, name, 8);  // the padding behind the batch makes this safe
        for (const FieldSet::Child& child : node.children) {
            if (((child.head ^ head) & child.mask) != 0) continue;
            const std::size_t size = child.name.size();
            if (size < 8 || (std::memcmp(child.name.data() + 8, name + 8, size - 8) == 0 && name[size] == '"')) {
                return &fields.nodes_[static_cast<std::size_t>(child.node)];
            }
        }
        return nullptr;
    }

    const FieldSet::Node* find_odd(const FieldSet::Node& node, const std::string& name) const {
        for (const FieldSet::Child& child : node.children) {
            if (child.name == name) return &fields.nodes_[static_cast<std::size_t>(child.node)];
        }
        return nullptr;
    }

    // The same for the event's k-th key, which is most often what it was in the event before.
    const FieldSet::Node* guess(const FieldSet::Node& node, const char* open, std::size_t k) {
        if (with_escapes || k >= guesses_max) return find(node, open);
        std::uint64_t head = 0;
        std::memcpy(&head, open + 1, 8);
        Guess& known = guesses[k];
        if (((known.head ^ head) & known.mask) == 0 && known.mask != 0) [[likely]] {
            return static_cast<const FieldSet::Node*>(known.child);
        }
        const FieldSet::Node* child = find(node, open);
        // A name of up to 7 bytes is known whole by its 8; so is a longer one that nothing wanted begins like.
        const auto size = static_cast<std::size_t>(string_end() - open - 2);
        known.mask = 0;
        if (size < 8) {
            known.mask = size == 7 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * (size + 1))) - 1;
        } else if (child == nullptr) {
            known.mask = ~std::uint64_t{0};
            for (const FieldSet::Child& other : node.children) {
                if (other.head == head) known.mask = 0;
            }
        }
        known.head = head & known.mask;
        known.child = child;
        return child;
    }

    // `next` is behind the opening brace; `depth` brackets are open, this one included.
    bool object(const FieldSet::Node& node, unsigned depth, const char*& end) {
        if (*here() == '}') {
            end = here() + 1;
            ++next;
            return true;
        }
        const bool top = depth == 1;
        const char* const base = bytes;
        const std::uint32_t* n = next;  // a local: this loop is the hottest there is
        for (std::size_t k = 0;; ++k) {
            const char* key = base + n[0];
            if (*key != '"') return fault("a member's name is missing", key);
            if constexpr (with_escapes) {
                next = n + 1;
                if (!string(key)) return false;
            }
            if (base[n[1]] != ':') return fault("a colon is missing", base + n[1]);
            next = n + 1;
            const FieldSet::Node* child = top ? guess(node, key, k) : find(node, key);
            const char* value = base + n[2];
            n += 3;
            if (child != nullptr) {
                next = n - 1;
                if (!wanted_value(*child, depth)) return false;
                n = next;
            } else if (*value == '"') {
                if constexpr (with_escapes) {
                    next = n;
                    if (!string(value)) return false;
                }
            } else if (*value == '{' || *value == '[') {
                next = n;
                const char* value_end = nullptr;
                if (!skip_container(depth, *value == '{', value_end)) return false;
                n = next;
            } else if (is(*value, char_digit)) {
                const char* bad = nullptr;
                if (number_end(value, bad) == nullptr) return fault("not a number", bad);
            } else {
                const char* value_end = nullptr;
                Type type = Type::missing;
                if (!primitive(value, value_end, type)) return false;
            }
            const char* at = base + *n++;
            if (*at == ',') [[likely]] continue;
            next = n;
            if (*at == '}') {
                end = at + 1;
                return true;
            }
            return fault("a comma or a closing brace is missing", at);
        }
    }

    bool array(const FieldSet::Node& node, unsigned depth, const char*& end) {
        if (*here() == ']') {
            end = here() + 1;
            ++next;
            return true;
        }
        for (std::int64_t index = 0;; ++index) {
            const FieldSet::Node* child = nullptr;
            for (const FieldSet::IndexChild& element : node.elements) {
                if (element.index == index) child = &fields.nodes_[static_cast<std::size_t>(element.node)];
            }
            if (child != nullptr) {
                if (!wanted_value(*child, depth)) return false;
            } else {
                const char* value_end = nullptr;
                Type type = Type::missing;
                if (!skip_value(depth, value_end, type)) return false;
            }
            const char* at = here();
            ++next;
            if (*at == ',') continue;
            if (*at == ']') {
                end = at + 1;
                return true;
            }
            return fault("a comma or a closing bracket is missing", at);
        }
    }
};

Scanner::Scanner(FieldSet& fields) : fields_(fields), stage1_(std::make_unique<Stage1>()) {}
Scanner::~Scanner() = default;

bool Scanner::run_stage1(const char* bytes, std::size_t size, std::string& reason) {
    if (stage1_->capacity < size) {
        const std::size_t wanted = size < (256u << 10) ? (320u << 10) : size + size / 4;
        stage1_->parser.reset();
        const auto error = simdjson::get_active_implementation()->create_dom_parser_implementation(
            wanted, 1, stage1_->parser);
        STREAM_CHECK(error == simdjson::SUCCESS);
        stage1_->capacity = wanted;
    }
    auto& parser = *stage1_->parser;
    const auto error = parser.stage1(reinterpret_cast<const std::uint8_t*>(bytes), size,
                                     simdjson::stage1_mode::regular);
    structural_ = 0;
    if (error == simdjson::EMPTY) parser.n_structural_indexes = 0;
    if (error == simdjson::SUCCESS || error == simdjson::EMPTY) {
        // A walk that runs off the end finds the last newline, which fits nowhere, and stops there.
        const auto last = static_cast<std::uint32_t>(size - 1);
        const std::size_t count = parser.n_structural_indexes;
        for (std::size_t i = 0; i < 3; ++i) parser.structural_indexes[count + i] = last;
        return true;
    }
    switch (error) {
        case simdjson::UTF8_ERROR:
            reason = "not valid UTF-8";
            return false;
        case simdjson::UNCLOSED_STRING:
            reason = "a string that does not end";
            return false;
        case simdjson::UNESCAPED_CHARS:
            reason = "a control character in a string";
            return false;
        default:
            reason = "not JSON";
            return false;
    }
}

void Scanner::start(const char* bytes, std::size_t size) {
    bytes_ = bytes;
    size_ = size;
    at_ = 0;
    lines_ = 0;
    slots_.resize(static_cast<std::size_t>(fields_.slots_));
    if (size == 0) return;
    STREAM_CHECK(bytes[size - 1] == '\n');
    std::string reason;
    line_by_line_ = !run_stage1(bytes, size, reason);
    next_backslash_ = nullptr;
}

// On to the positions of the next line, whatever was walked of this one.
void Scanner::skip_positions(std::size_t end) {
    if (line_by_line_) return;
    const auto& parser = *stage1_->parser;
    const std::size_t count = parser.n_structural_indexes;
    if (structural_ > count) structural_ = count;
    while (structural_ > 0 && parser.structural_indexes[structural_ - 1] >= end) --structural_;
    while (structural_ < count && parser.structural_indexes[structural_] < end) ++structural_;
}

bool Scanner::walk(std::size_t begin, std::size_t end) {
    if (next_backslash_ == nullptr || next_backslash_ < bytes_ + begin) {
        const void* found = std::memchr(bytes_ + begin, '\\', size_ - begin);
        next_backslash_ = found != nullptr ? static_cast<const char*>(found) : bytes_ + size_;
    }
    return next_backslash_ >= bytes_ + end ? walk_line<false>(begin, end) : walk_line<true>(begin, end);
}

template <bool with_escapes>
bool Scanner::walk_line(std::size_t begin, std::size_t end) {
    auto& parser = *stage1_->parser;
    // The positions are relative to where stage 1 began.
    const char* base = line_by_line_ ? bytes_ + begin : bytes_;
    const std::uint32_t* positions = parser.structural_indexes.get();
    for (Value& slot : slots_) slot.type = Type::missing;
    Walk<with_escapes> walk{base, positions + structural_, next_backslash_, bytes_ + size_, fields_, slots_.data(), guesses_};
    const char* open = walk.here();
    const char* close = nullptr;
    bool ok = false;
    if (*open != '{') {
        const char* reason = *open == '[' ? "an array, not an object" : "not a JSON object";
        ok = walk.fault(reason, open);
    } else {
        ++walk.next;
        ok = walk.object(fields_.nodes_[0], 1, close);
        if (ok && close > bytes_ + end) ok = walk.fault("the object does not end on its line", open);
        if (ok && walk.next < positions + parser.n_structural_indexes && walk.here() < bytes_ + end) {
            ok = walk.fault("text after the object", walk.here());
        }
    }
    // The positions of this line are done with, whatever was wrong in it.
    structural_ = static_cast<std::size_t>(walk.next - positions);
    if (!ok) {
        if (!line_by_line_) skip_positions(end);
        if (walk.where > bytes_ + end) {
            walk.where = bytes_ + end;
            walk.why = "the object does not end on its line";
        }
        fault_.reason = walk.why;
        fault_.column = static_cast<std::size_t>(walk.where - (bytes_ + begin)) + 1;
    }
    return ok;
}

void Scanner::resolve() {
    for (const std::int32_t i : fields_.to_resolve_) {
        FieldSet::Field& field = fields_.fields_[static_cast<std::size_t>(i)];
        const Value* chosen = &slots_[static_cast<std::size_t>(field.path_slot)];
        if (field.exact_slot != FieldSet::none) {
            const Value* exact = &slots_[static_cast<std::size_t>(field.exact_slot)];
            if (field.form == FieldSet::Form::exact ||
                (field.form == FieldSet::Form::open && exact->type != Type::missing)) {
                if (field.latched && field.form == FieldSet::Form::open) field.form = FieldSet::Form::exact;
                chosen = exact;
            } else if (field.latched && field.form == FieldSet::Form::open && chosen->type != Type::missing) {
                field.form = FieldSet::Form::path;
            }
        }
        if (chosen != &slots_[static_cast<std::size_t>(i)]) slots_[static_cast<std::size_t>(i)] = *chosen;
    }
}

Scanner::Outcome Scanner::next() {
    for (;;) {
        if (at_ >= size_) return Outcome::end;
        const char* begin = bytes_ + at_;
        const char* newline = static_cast<const char*>(std::memchr(begin, '\n', size_ - at_));
        std::size_t length = static_cast<std::size_t>(newline - begin);
        line_begin_ = at_;
        at_ += length + 1;
        ++lines_;
        const std::size_t end = line_begin_ + length;
        if (length > 0 && begin[length - 1] == '\r') --length;
        line_ = {begin, length};
        if (length > line_max_) [[unlikely]] {
            skip_positions(end);
            fault_ = {"a line longer than " + std::to_string(line_max_) + " bytes", 0};
            return Outcome::bad;
        }
        if (line_by_line_) {
            std::string reason;
            if (!run_stage1(begin, end - line_begin_ + 1, reason)) {
                fault_ = {std::move(reason), 1};
                return Outcome::bad;
            }
            if (stage1_->parser->n_structural_indexes == 0) continue;
            next_backslash_ = nullptr;
        } else {
            const auto& parser = *stage1_->parser;
            if (structural_ >= parser.n_structural_indexes || parser.structural_indexes[structural_] >= end) {
                continue;  // a blank line
            }
        }
        if (!walk(line_begin_, end)) return Outcome::bad;
        if (!fields_.to_resolve_.empty()) resolve();
        if (fields_.computer_ != nullptr) [[unlikely]] {
            auto computed = fields_.computer_->compute(line_, slots_.data(), computed_);
            if (!computed) {
                fault_ = {computed.error().message(), 0};
                return Outcome::bad;
            }
        }
        if (events_ < fields_judged_after) [[unlikely]] {
            ++events_;
            for (std::size_t i = 0; i < fields_.fields_.size(); ++i) {
                if (slots_[i].type != Type::missing) fields_.fields_[i].seen = true;
            }
        }
        return Outcome::event;
    }
}

}  // namespace stream
