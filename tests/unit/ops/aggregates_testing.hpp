// SPDX-License-Identifier: Apache-2.0
// One aggregate and its state, driven by JSON texts; and numbers of all kinds.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/canonical.hpp"
#include "ops/aggregates/aggregate.hpp"

namespace stream::testing {

struct Given {
    std::string text;  // a field's value, or the event; empty: missing
    TimeNs time = 0;
    std::uint64_t position = 0;
};

// In order of position, at times that follow it.
inline std::vector<Given> given(const std::vector<std::string>& texts) {
    std::vector<Given> all;
    for (const std::string& text : texts) all.push_back({text, static_cast<TimeNs>(all.size()), all.size()});
    return all;
}

class Subject {
public:
    explicit Subject(std::string_view argument) : argument_(argument) {
        auto spec = parse_aggregate(argument);
        if (!spec) throw std::runtime_error(spec.error().message());
        auto made = make_aggregate(*spec);
        if (!made) throw std::runtime_error(made.error().message());
        aggregate_ = std::move(*made);
        bytes_.resize(aggregate_->size() / 8);
        aggregate_->init(state());
    }
    Subject(Subject&& other) noexcept = default;
    ~Subject() {
        if (aggregate_) aggregate_->destroy(state());
    }

    Result<void> try_add(const Given& item) {
        AggregateInput input;
        input.value = value_of(item.text);
        input.event = item.text.empty() ? "{}" : std::string_view(item.text);
        input.time = item.time;
        input.position = item.position;
        return aggregate_->add(state(), input);
    }
    void add(const Given& item) {
        const auto added = try_add(item);
        if (!added) throw std::runtime_error(added.error().message());
    }
    void add(const std::vector<Given>& items) {
        for (const Given& item : items) add(item);
    }
    void merge(const Subject& other) {
        const auto merged = aggregate_->merge(state(), other.state());
        if (!merged) throw std::runtime_error(merged.error().message());
    }
    Result<void> try_write(std::string& out, const WindowSpan& window = {}) const {
        return aggregate_->write(state(), window, out);
    }
    std::string text(const WindowSpan& window = {}) const {
        std::string out;
        const auto written = try_write(out, window);
        return written ? out : "error: " + written.error().message();
    }
    // Another one, from a snapshot of this one; its bytes lie elsewhere.
    Subject restored() const {
        StateWriter writer;
        aggregate_->snapshot(state(), writer);
        Subject other(argument_);
        StateReader reader(writer.bytes());
        const auto result = other.aggregate_->restore(other.state(), reader);
        EXPECT_TRUE(result) << result.error().message();
        EXPECT_TRUE(reader.at_end());
        return other;
    }
    const Aggregate& aggregate() const { return *aggregate_; }
    const std::byte* state() const { return reinterpret_cast<const std::byte*>(bytes_.data()); }
    std::byte* state() { return reinterpret_cast<std::byte*>(bytes_.data()); }

private:
    std::string argument_;
    std::unique_ptr<Aggregate> aggregate_;
    std::vector<std::uint64_t> bytes_;
};

inline std::string result_of_events(std::string_view argument, const std::vector<Given>& items,
                                    const WindowSpan& window = {}) {
    Subject subject(argument);
    subject.add(items);
    return subject.text(window);
}

inline std::string result_of(std::string_view argument, const std::vector<std::string>& texts,
                             const WindowSpan& window = {}) {
    return result_of_events(argument, given(texts), window);
}

// Digits, signs, points and exponents as they come in JSON, from 0 to far past a double.
inline rc::Gen<std::string> number_text() {
    const auto digits = [](int least, int most) {
        return rc::gen::mapcat(rc::gen::inRange(least, most + 1), [](int size) {
            return rc::gen::container<std::string>(static_cast<std::size_t>(size),
                                                   rc::gen::inRange('0', static_cast<char>('9' + 1)));
        });
    };
    const auto integer = rc::gen::map(
        rc::gen::weightedOneOf<std::string>({{6, digits(1, 4)}, {2, digits(15, 21)}, {1, digits(30, 60)}}),
        [](std::string text) {
            text.erase(0, std::min(text.find_first_not_of('0'), text.size() - 1));
            return text;
        });
    const auto fraction = rc::gen::weightedOneOf<std::string>(
        {{4, rc::gen::just(std::string())},
         {4, rc::gen::map(digits(1, 3), [](std::string text) { return "." + text; })},
         {1, rc::gen::map(digits(10, 40), [](std::string text) { return "." + text; })}});
    const auto exponent = rc::gen::weightedOneOf<std::string>(
        {{8, rc::gen::just(std::string())},
         {1, rc::gen::map(rc::gen::inRange(-30, 31), [](int e) { return "e" + std::to_string(e); })},
         {1, rc::gen::map(rc::gen::inRange(-400, 401), [](int e) { return "E" + std::to_string(e); })}});
    const auto sign = rc::gen::element<std::string>("", "", "-");
    return rc::gen::map(rc::gen::tuple(sign, integer, fraction, exponent), [](const auto& parts) {
        return std::apply([](const auto&... part) { return (part + ...); }, parts);
    });
}

// Any value.
inline rc::Gen<std::string> value_text() {
    const auto string = rc::gen::map(rc::gen::container<std::string>(rc::gen::element('a', 'b', 'c')),
                                     [](const std::string& s) { return '"' + s + '"'; });
    return rc::gen::weightedOneOf<std::string>(
        {{4, number_text()},
         {3, string},
         {2, rc::gen::element<std::string>("null", "true", "false", "[]", "[1,2]", "[1, 2.0]",
                                           R"({"a":1,"b":[]})", R"({"b":[],"a":1.0})", "\"\\u0061\"", "1",
                                           "1.0", "10e-1", "")}});
}

}  // namespace stream::testing
