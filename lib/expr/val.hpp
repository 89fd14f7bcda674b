// SPDX-License-Identifier: Apache-2.0
// A value while an expression runs: 16 bytes, copied freely, owned by nobody. What it points to lies in
// the event's bytes, in the program, or in the evaluation's arena, and lives until the event is done with.
//
// A value that came with the event keeps its text (`…_text` kinds): it is looked into only when somebody
// asks, and written as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "expr/arena.hpp"
#include "json/value.hpp"

namespace stream::expr {

enum class Kind : std::uint8_t {
    failed,  // no value: Run holds the error
    null,
    boolean_false,
    boolean_true,
    integer,      // exact
    number,       // a finite double
    number_text,  // JSON text
    string,       // UTF-8
    string_text,  // JSON text in quotes
    array,
    array_text,
    object,
    object_text,
};

struct Array;
struct Object;

struct Val {
    Kind kind = Kind::null;
    bool escaped = false;    // string_text: there is a backslash in it
    std::uint32_t size = 0;  // of `text`
    union {
        std::int64_t integer;
        double number;
        const char* text;
        const Array* array;
        const Object* object;
    };

    Val() : integer(0) {}
    static Val failed() { return of(Kind::failed); }
    static Val null() { return of(Kind::null); }
    static Val boolean(bool b) { return of(b ? Kind::boolean_true : Kind::boolean_false); }
    static Val of_integer(std::int64_t i) { Val v = of(Kind::integer); v.integer = i; return v; }
    static Val of_number(double d) { Val v = of(Kind::number); v.number = d; return v; }
    // UTF-8 that outlives the evaluation's use of it (arena, program, or unescaped text of the event).
    static Val of_string(std::string_view utf8) { return of_text(Kind::string, utf8, false); }
    static Val of_text(Kind kind, std::string_view text, bool escaped) {
        Val v = of(kind);
        v.escaped = escaped;
        v.size = static_cast<std::uint32_t>(text.size());
        v.text = text.data();
        return v;
    }
    static Val of_array(const Array* a) { Val v = of(Kind::array); v.array = a; return v; }
    static Val of_object(const Object* o) { Val v = of(Kind::object); v.object = o; return v; }
    // A value of the event; missing is null.
    static Val of_value(const Value& value);

    bool is_failed() const { return kind == Kind::failed; }
    bool is_truthy() const { return kind > Kind::boolean_false; }
    bool is_null() const { return kind == Kind::null; }
    bool is_boolean() const { return kind == Kind::boolean_false || kind == Kind::boolean_true; }
    bool is_number() const { return kind >= Kind::integer && kind <= Kind::number_text; }
    bool is_string() const { return kind == Kind::string || kind == Kind::string_text; }
    bool is_array() const { return kind == Kind::array || kind == Kind::array_text; }
    bool is_object() const { return kind == Kind::object || kind == Kind::object_text; }
    std::string_view view() const { return {text, size}; }  // of the text kinds and of `string`

private:
    static Val of(Kind kind) { Val v; v.kind = kind; return v; }
};

struct Array {
    const Val* items;
    std::uint32_t size;
    const Val* begin() const { return items; }
    const Val* end() const { return items + size; }
};

// Members in the order in which their names first came (jq's order of output); names differ.
struct Member {
    Val name;  // a string kind
    Val value;
};
struct Object {
    const Member* members;
    std::uint32_t size;
    const std::uint32_t* index;  // hash table of 2^k places for objects of more than 12 members, else nullptr
    std::uint32_t index_mask;
    const Member* begin() const { return members; }
    const Member* end() const { return members + size; }
};

// Builds a list in an arena; what finish() gives is frozen.
class ArrayBuilder {
public:
    explicit ArrayBuilder(Arena& arena, std::size_t expected = 4);
    void add(Val value);
    std::size_t size() const { return size_; }
    Val* data() { return items_; }  // may be permuted before finish()
    Val finish();

private:
    Arena& arena_;
    Val* items_;
    std::size_t size_ = 0;
    std::size_t capacity_;
};

class ObjectBuilder {
public:
    explicit ObjectBuilder(Arena& arena, std::size_t expected = 8);
    // Starts from another object's members.
    ObjectBuilder(Arena& arena, const Object& from);
    // Replaces the value of an equal name where it stands.
    void set(Val name, Val value);
    void remove(Val name);
    Val finish();

private:
    std::ptrdiff_t find(std::string_view name) const;
    void grow_index();
    Arena& arena_;
    Member* members_;
    std::uint32_t size_ = 0;
    std::uint32_t capacity_;
    std::uint32_t* index_ = nullptr;
    std::uint32_t index_mask_ = 0;
};

// --- looking into values ---------------------------------------------------------------------------

// A string's UTF-8 (lone surrogates as U+FFFD), in its own bytes where it has no escapes.
std::string_view utf8_of(Arena& arena, Val string);
// The elements or members of a container of either kind; a text is looked into one level deep.
const Array& array_of(Arena& arena, Val array);
const Object& object_of(Arena& arena, Val object);
// The member of that name, or a null Val with found = false.
Val member_of(Arena& arena, Val object, std::string_view name, bool& found);
Val element_of(Arena& arena, Val array, std::int64_t index, bool& found);  // from 0; negative: none

// A number as a double; an exact integer if it is one that fits 64 bits (1.0 and 1e3 are).
double double_of(Val number);
bool integer_of(Val number, std::int64_t& integer);

// jq's order: null < false < true < numbers < strings < arrays < objects. Numbers by exact decimal value,
// a computed double standing for its shortest text. <0, 0, >0. Throws LimitReached past depth 10,000.
int compare(Arena& arena, Val a, Val b);

// "null", "boolean", "number", "string", "array", "object".
std::string_view type_name(Val value);

// --- writing ---------------------------------------------------------------------------------------

// As an event's member: own text where there is one, else compact JSON, doubles as ECMAScript writes them.
void append_json(Arena& arena, std::string& out, Val value);
// As `tojson`, `tostring` and interpolation have it, so that the string equals jq's: numbers in jq's own
// form (17 digits, 1e+17), 64-bit integers in digits, everything compact and unescaped anew.
void append_tojson(Arena& arena, std::string& out, Val value);
// The same for messages: no more than is needed of its beginning, and perhaps some more.
void append_beginning(Arena& arena, std::string& out, Val value, std::size_t bytes);
// A number in that form.
void append_jq_number(std::string& out, Val number);
// JSON text of a whole value, for messages and for consumers outside: type and text.
Value value_of(Arena& arena, std::string& buffer, Val value);

// --- JSON in programs and strings --------------------------------------------------------------------

// `text` is a valid JSON value without white space around it.
Val val_of_json(std::string_view text);

}  // namespace stream::expr
