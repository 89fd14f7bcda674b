// SPDX-License-Identifier: Apache-2.0
// How a compiled expression runs. A node takes one value and gives none, one or many, in jq's order:
// those that give exactly one (or fail) have one(); the others hand each result to a continuation.
//
// An error is a value of the language (Run::fail) and travels as Val::failed() or Flow::fail. What the
// compiled form does not know how to do as jq would throws Punt: the event goes to libjq. Limits throw
// LimitReached. Neither leaves lib/expr.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "expr/arena.hpp"
#include "expr/val.hpp"
#include "json/value.hpp"

namespace stream::expr {

enum class Flow : std::uint8_t {
    more,  // go on
    stop,  // no more results are wanted: by Run::stop_at, or (nullptr) by the one who asked for results
    fail,  // Run::error
};

// A continuation: borrowed, lives as long as the call it is given to.
class Emit {
public:
    template <typename F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, Emit>)
    Emit(F&& f)  // NOLINT: implicit by design
        : object_(const_cast<void*>(static_cast<const void*>(&f))), call_([](void* object, Val value) {
              return (*static_cast<std::remove_reference_t<F>*>(object))(value);
          }) {}
    Flow operator()(Val value) const { return call_(object_, value); }

private:
    void* object_;
    Flow (*call_)(void*, Val);
};

// What the compiled form leaves to libjq, for this event.
struct Punt {
    const char* why;
};

// Why an expression failed on an event. The text is made only when it is asked for.
struct ExprError {
    bool from_user = false;  // error(VALUE): `a` is the value
    // %A "number (3)"   %a "number"   %S "its text, in quotes"; %B %b %T the same of the second value
    const char* format = "";
    Val a, b;
};

class Run {
public:
    Run(std::size_t memory_limit, std::uint64_t steps_limit, std::size_t variables, bool (*stopped)() = nullptr)
        : arena(memory_limit, steps_limit, stopped), vars(variables) {}

    Arena arena;
    const Value* slots = nullptr;  // the event's fields (json/scanner.hpp)
    std::string_view event;        // its bytes
    std::vector<Val> vars;         // by number; each place of binding has its own
    ExprError error;
    const void* stop_at = nullptr;

    void begin(std::string_view raw, const Value* values) {
        arena.reset();
        event = raw;
        slots = values;
        levels_ = 0;
        stop_at = nullptr;
    }
    // One level of a recursion, as long as it lives. A program may have one recursion in another; together
    // they must not exhaust the stack. Throws LimitReached.
    class Level {
    public:
        explicit Level(Run& run) : run_(run) {
            if (++run_.levels_ > levels_max) throw LimitReached{"depth"};
        }
        ~Level() { --run_.levels_; }
        Level(const Level&) = delete;
        Level& operator=(const Level&) = delete;

    private:
        Run& run_;
    };

    // return run.fail("cannot index %a with %T", in, key);
    Val fail(const char* format, Val a = {}, Val b = {}) {
        error = {false, format, a, b};
        return Val::failed();
    }
    Val fail_with(Val value) {
        error = {true, "", value, {}};
        return Val::failed();
    }
    // One turn of a loop. Throws LimitReached.
    void step() { arena.work(1); }
    std::string message();  // of `error`, UTF-8

private:
    static constexpr unsigned levels_max = 5000;
    unsigned levels_ = 0;
};

// A value and where in the input it is; what paths() hands on.
struct PathLink {
    const PathLink* up;  // nullptr: the input itself
    Val key;             // a string, an integer, or a slice {"start":…,"end":…}
};
struct Place {
    const PathLink* path = nullptr;
    Val value;
};
class EmitPlace {
public:
    template <typename F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, EmitPlace>)
    EmitPlace(F&& f)  // NOLINT: implicit by design
        : object_(const_cast<void*>(static_cast<const void*>(&f))), call_([](void* object, const Place& place) {
              return (*static_cast<std::remove_reference_t<F>*>(object))(place);
          }) {}
    Flow operator()(const Place& place) const { return call_(object_, place); }

private:
    void* object_;
    Flow (*call_)(void*, const Place&);
};

// What becomes of one value.
class Change {
public:
    template <typename F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, Change>)
    Change(F&& f)  // NOLINT: implicit by design
        : object_(const_cast<void*>(static_cast<const void*>(&f))), call_([](void* object, Val value) {
              return (*static_cast<std::remove_reference_t<F>*>(object))(value);
          }) {}
    Val operator()(Val value) const { return call_(object_, value); }

private:
    void* object_;
    Val (*call_)(void*, Val);
};

class Node {
public:
    virtual ~Node() = default;

    // Whether it gives exactly one result, or fails.
    bool is_single() const { return single_; }
    // Single nodes only. Val::failed() after Run::fail.
    virtual Val one(Run& run, Val in) const;
    // Flow::more after the last result; what the continuation answers otherwise is passed on at once.
    virtual Flow each(Run& run, Val in, Emit emit) const;
    // Where its results are in the input: for path(), del() and assignment. Not all nodes have that.
    virtual bool has_paths() const { return false; }
    virtual Flow paths(Run& run, const Place& in, EmitPlace emit) const;
    // For nodes whose paths never lead to one place twice, nor into each other: `in` with what is at each of
    // them changed, in one go.
    virtual bool can_change() const { return false; }
    // Whether it may leave a place as it is; and whether its places are there, so that leaving them does not
    // make them.
    virtual bool may_leave() const { return false; }
    virtual bool is_there() const { return false; }
    virtual Val change(Run& run, Val in, Change change) const;

protected:
    explicit Node(bool single) : single_(single) {}
    bool single_;
};
using NodePtr = std::unique_ptr<Node>;

// For each(): hands a single result on.
inline Flow emit_one(Val value, Emit emit) { return value.is_failed() ? Flow::fail : emit(value); }

// --- builtins that take values and give one value ----------------------------------------------------

// `args` are the arguments' values for this input. Returns run.fail(…) for an error; throws Punt.
using Function = Val (*)(Run& run, Val in, const Val* args);

struct Builtin {
    std::string_view name;
    std::uint8_t arguments;  // all evaluated to values first, as jq's C functions have them
    Function function;
};

// Each file of lib/expr/builtins/ has one of these tables; expr/builtins.cpp lists them.
std::span<const Builtin> core_builtins();
std::span<const Builtin> math_builtins();
std::span<const Builtin> string_builtins();
std::span<const Builtin> format_builtins();  // called "@csv" …, no arguments
std::span<const Builtin> date_builtins();

// Builtins with a state of their own between events (a compiled regular expression): `name/arity` is known
// but takes nodes. nullptr and `why` if these arguments are not for the compiled form.
NodePtr make_regex_node(std::string_view name, std::vector<NodePtr>& args, std::string& why);
bool is_regex_builtin(std::string_view name, std::size_t arguments);

// A node's value if it is the same for every event (a literal); false otherwise.
bool constant_of(const Node& node, Val& value);

}  // namespace stream::expr
