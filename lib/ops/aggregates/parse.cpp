// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "base/text.hpp"
#include "json/fields.hpp"
#include "ops/aggregates/aggregate.hpp"
#include "ops/aggregates/functions.hpp"
#include "ops/aggregates/sketch_aggregates.hpp"

namespace stream {
namespace {

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// [A-Za-z_][A-Za-z0-9_]* at the front of `text`: how long it is.
std::size_t name_length(std::string_view text) {
    std::size_t length = 0;
    while (length < text.size() &&
           (is_letter(text[length]) || text[length] == '_' || (length > 0 && is_digit(text[length])))) {
        ++length;
    }
    return length;
}

// FUNC_FIELD with each character that is neither letter nor digit as _.
std::string default_name(const AggregateSpec& spec) {
    std::string name;
    const std::string text = spec.field.empty() ? spec.function : spec.function + "_" + spec.field;
    for (const char c : text) {
        const bool continues = (static_cast<unsigned char>(c) & 0xC0) == 0x80;  // of a UTF-8 character
        if (!continues) name.push_back(is_letter(c) || is_digit(c) ? c : '_');
    }
    return name;
}

Result<void> check_field(AggregateSpec& spec, bool named) {
    auto path = parse_field(spec.field);
    if (!path) return pass_on(path);
    if (path->is_expression && !named) {
        return fail(ErrorKind::usage, "the expression " + quoted(spec.field) + " needs a name",
                    "NAME=" + spec.function + ":" + printable(spec.field));
    }
    if (!path->is_expression) spec.field = path->text;
    return {};
}

}  // namespace

Result<AggregateSpec> parse_aggregate(std::string_view argument) {
    AggregateSpec spec;
    std::string_view rest = argument;
    const std::size_t colon_or_end = std::min(argument.find(':'), argument.size());
    const std::size_t equals = argument.substr(0, colon_or_end).find('=');
    if (equals != std::string_view::npos) {
        const std::string_view name = argument.substr(0, equals);
        if (name.empty() || name_length(name) != name.size()) {
            return fail(ErrorKind::usage,
                        quoted(name) + " is not a name: letters, digits and _, no digit first");
        }
        spec.name = name;
        rest.remove_prefix(equals + 1);
    }
    const std::size_t colon = rest.find(':');
    spec.function = rest.substr(0, colon);
    if (colon != std::string_view::npos) spec.field = rest.substr(colon + 1);

    if (spec.function.empty()) {
        return fail(ErrorKind::usage, "no aggregate in " + quoted(argument),
                    "[NAME=]FUNC[:FIELD], as in total=sum:bytes");
    }
    if (find_exact_function(spec.function) == nullptr && !is_sketch_function(spec.function)) {
        return unknown_function(spec, argument);
    }
    if (colon != std::string_view::npos) {
        if (spec.field.empty())
            return fail(ErrorKind::usage, "no field after the colon in " + quoted(argument));
        STREAM_TRY(check_field(spec, !spec.name.empty()));
    }
    if (spec.name.empty()) spec.name = default_name(spec);
    return spec;
}

}  // namespace stream
