// SPDX-License-Identifier: Apache-2.0
// An expression of jq's language over events: compiled onto the event's fields where that can be done
// with the same meaning, else run in libjq (expr/libjq.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "json/fields.hpp"
#include "json/member_names.hpp"
#include "json/value.hpp"
#include "time/timestamp.hpp"

namespace stream::expr {

struct Settings {
    std::vector<std::pair<std::string, std::string>> arguments;  // $name and its JSON text, valid
    std::vector<std::pair<std::string, std::string>> environment;
    double now = 0;  // seconds; what `now` gives for the whole run
    std::size_t memory_bytes = 64u << 20;  // an event
    std::uint64_t steps = 50'000'000;      // an event
    DurationNs libjq_time = 5 * ns_per_second;
    std::size_t libjq_memory_bytes = 512u << 20;
    bool (*stopped)() = nullptr;  // whether somebody asked the tool to end, while libjq is waited for
    bool compile = true;                   // false: all in libjq (tests)
    bool fall_back = true;                 // false: nothing in libjq; what is not compiled is an error (tests)
};

class Expression {
public:
    // Registers the fields that the expression reads. ErrorKind::usage for what is not jq, with a caret.
    static Result<Expression> make(std::string_view program, const Settings& settings, FieldSet& fields);
    Expression(Expression&&) noexcept;
    Expression& operator=(Expression&&) noexcept;
    ~Expression();

    // Whether the expression gives something other than false and null: the first such result decides, and
    // what comes after it is not asked for. ErrorKind::data where it fails before one.
    Result<bool> holds(std::string_view event, const Value* values);
    // All results, in order: their JSON texts, valid until the next call. A failure leaves none.
    Result<void> run(std::string_view event, const Value* values);
    const std::vector<Value>& results() const;
    // The one result, Type::missing for none; more than one is ErrorKind::data.
    Result<Value> value(std::string_view event, const Value* values);
    // Of a failed run(): the results that came before (tests compare them with jq's).
    std::size_t results_before_failure() const;

    const std::string& program() const;
    // `.a = 1`: what a filter's condition never is meant to be.
    bool is_assignment() const;
    bool is_compiled() const;
    // How it runs and why, for --explain: some lines, each ending in a newline.
    std::string explain() const;
    // Whether an object that it gives may have another value for that member than the event; one that has none of it is
    // no change.
    bool may_change(const MemberNames& member) const;
    bool uses_now() const;
    // Whether another process may give something else for the same event.
    bool uses_environment() const;
    // Events that the compiled form left to libjq.
    std::uint64_t left_to_libjq() const;

    struct Impl;

private:
    explicit Expression(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// A string result as text (`-r`): UTF-8, unescaped.
void append_raw(std::string& out, const Value& result);

}  // namespace stream::expr
