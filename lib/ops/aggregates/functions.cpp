// SPDX-License-Identifier: Apache-2.0
#include "ops/aggregates/functions.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "ops/aggregates/exact.hpp"
#include "ops/aggregates/sketch_aggregates.hpp"

namespace stream {
namespace {

constexpr std::array<ExactFunction, 16> exact_functions{{
    {"count", TakesField::maybe, make_count},
    {"sum", TakesField::always, make_sum},
    {"mean", TakesField::always, make_mean},
    {"min", TakesField::always, make_min},
    {"max", TakesField::always, make_max},
    {"first", TakesField::maybe, make_first},
    {"last", TakesField::maybe, make_last},
    {"stddev", TakesField::always, make_stddev},
    {"variance", TakesField::always, make_variance},
    {"median", TakesField::always, make_percentile},
    {"distinct", TakesField::always, make_distinct},
    {"collect", TakesField::maybe, make_collect},
    {"rate", TakesField::maybe, make_rate},
    {"increase", TakesField::always, make_increase},
    {"span", TakesField::never, make_span},
    {"pNN", TakesField::always, make_percentile},
}};

constexpr const ExactFunction& percentile = exact_functions.back();

// What people type who come from SQL, pandas, Splunk, datamash or Miller.
constexpr std::pair<std::string_view, std::string_view> synonyms[] = {
    {"avg", "mean"},
    {"average", "mean"},
    {"total", "sum"},
    {"n", "count"},
    {"cnt", "count"},
    {"num", "count"},
    {"minimum", "min"},
    {"maximum", "max"},
    {"earliest", "first"},
    {"latest", "last"},
    {"std", "stddev"},
    {"sd", "stddev"},
    {"stdev", "stddev"},
    {"sstdev", "stddev"},
    {"stddev_samp", "stddev"},
    {"var", "variance"},
    {"svar", "variance"},
    {"var_samp", "variance"},
    {"med", "median"},
    {"uniq", "distinct"},
    {"unique", "distinct"},
    {"nunique", "distinct"},
    {"cardinality", "distinct"},
    {"count_distinct", "distinct"},
    {"distinct_count", "distinct"},
    {"dc", "distinct"},
    {"list", "collect"},
    {"values", "collect"},
    {"array_agg", "collect"},
    {"delta", "increase"},
    {"diff", "increase"},
    {"per_second", "rate"},
    {"duration", "span"},
    {"hll", "approx_distinct"},
    {"mode", "approx_top1"},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

// NN of pNN: a decimal from 0 to 100, of at most 12 digits after the point.
bool is_percent(std::string_view text) {
    const std::size_t point = text.find('.');
    const std::string_view integer = text.substr(0, point);
    if (!all_digits(integer) || integer.size() > 3) return false;
    std::string_view fraction;
    if (point != std::string_view::npos) {
        fraction = text.substr(point + 1);
        if (!all_digits(fraction) || fraction.size() > 12) return false;
    }
    int value = 0;
    for (const char c : integer) value = value * 10 + (c - '0');
    return value < 100 || (value == 100 && fraction.find_first_not_of('0') == std::string_view::npos);
}

// The function meant by a word with a number in it: perc95, q95, p_95, top10; empty if none.
std::string numbered_synonym(std::string_view word) {
    const std::size_t at = std::min(word.find_first_of("0123456789"), word.size());
    const std::string_view number = word.substr(at);
    std::string_view stem = word.substr(0, at);
    while (!stem.empty() && stem.back() == '_') stem.remove_suffix(1);
    for (const std::string_view name : {"p", "q", "pc", "pct", "perc", "percentile", "quantile"}) {
        if (stem == name && is_percent(number)) return "p" + std::string(number);
    }
    if ((stem == "top" || stem == "approx_top") && all_digits(number))
        return "approx_top" + std::string(number);
    return {};
}

std::string meant_function(std::string_view typed) {
    std::string word(typed);
    for (char& c : word) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    if (find_exact_function(word) != nullptr) return word;
    for (const auto& [synonym, name] : synonyms) {
        if (word == synonym) return std::string(name);
    }
    if (std::string name = numbered_synonym(word); !name.empty()) return name;
    std::vector<std::string_view> names;
    for (const ExactFunction& function : exact_functions) {
        if (&function != &percentile) names.push_back(function.name);
    }
    const auto sketches = sketch_function_names();
    names.insert(names.end(), sketches.begin(), sketches.end());
    return std::string(nearest(word, names));
}

bool looks_like_file(std::string_view argument) {
    if (argument.find('/') != std::string_view::npos) return true;
    for (const std::string_view ending :
         {".ndjson", ".jsonl", ".json", ".log", ".csv", ".tsv", ".gz", ".zst", ".txt"}) {
        if (argument.ends_with(ending)) return true;
    }
    return false;
}

}  // namespace

const ExactFunction* find_exact_function(std::string_view name) {
    for (const ExactFunction& function : exact_functions) {
        if (&function != &percentile && function.name == name) return &function;
    }
    if (name.starts_with('p') && is_percent(name.substr(1))) return &percentile;
    return nullptr;
}

tl::unexpected<Error> unknown_function(const AggregateSpec& spec, std::string_view argument) {
    const std::string& function = spec.function;
    if (looks_like_file(argument)) {
        return fail(ErrorKind::usage, quoted(argument) + " is a file name, not an aggregate",
                    "stream-window reads stdin: stream-window … < " + printable(argument));
    }
    if (function.size() > 1 && function.front() == 'p' &&
        function.find_first_not_of("0123456789.", 1) == std::string::npos) {
        return fail(ErrorKind::usage, "there is no percentile " + quoted(function),
                    "percentiles go from p0 to p100");
    }
    const std::string message = "unknown aggregate " + quoted(function);
    std::string meant = meant_function(function);
    if (meant.empty()) {
        return fail(
            ErrorKind::usage, message,
            "the aggregates are count sum mean min max first last stddev variance median pNN distinct "
            "collect rate increase span, approx_distinct approx_pNN approx_topN, sketch_… and merge");
    }
    if (!spec.field.empty()) meant += ":" + spec.field;
    return fail(ErrorKind::usage, message, "did you mean " + printable(meant) + "?");
}

}  // namespace stream
