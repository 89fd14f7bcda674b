// SPDX-License-Identifier: Apache-2.0
#include "cli/expressions.hpp"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <ctime>

#include "base/text.hpp"
#include "cli/signals.hpp"
#include "json/canonical.hpp"
#include "json/scanner.hpp"

namespace stream {

namespace {

bool is_name(std::string_view text) {
    if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0])) != 0) return false;
    return std::all_of(text.begin(), text.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
}

Result<std::pair<std::string, std::string>> split_argument(const std::string& text, const char* option) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || !is_name(std::string_view(text).substr(0, equals))) {
        return fail(ErrorKind::usage, std::string(option) + ": NAME=VALUE is wanted, not " + stream::quoted(text),
                    std::string(option) + (equals == std::string::npos && is_name(text) ? " " + text + "=VALUE, in one word" : " NAME=VALUE"));
    }
    return std::pair{text.substr(0, equals), text.substr(equals + 1)};
}

// One JSON value, white space around it removed; by the same scanner as events.
Result<std::string> one_value(const std::string& text) {
    FieldSet fields;
    FieldPath path;
    path.text = "v";
    path.steps.push_back({"v", -1});
    const std::size_t slot = fields.add(path);
    std::string line = "{\"v\":" + text + "}";
    std::replace_if(line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    line.push_back('\n');
    const std::size_t size = line.size();
    line.append(scanner_padding, '\0');
    Scanner scanner(fields);
    scanner.start(line.data(), size);
    if (scanner.next() != Scanner::Outcome::event || scanner.values()[slot].type == Type::missing) {
        return fail(ErrorKind::usage, "not a JSON value: " + stream::quoted(text), "a string is written in quotes: '\"text\"'; --arg takes text as it is");
    }
    // `1},"x":{…` would be an object of two members.
    const std::string_view value = scanner.values()[slot].text;
    const std::size_t rest = line.find_first_not_of(" \t", static_cast<std::size_t>(value.data() + value.size() - line.data()));
    if (rest != size - 2) return fail(ErrorKind::usage, "not one JSON value: " + stream::quoted(text));
    return std::string(value);
}

}  // namespace

void ExpressionArguments::add_options(Options& options) {
    options.values({"--arg", "", "NAME=TEXT", "$NAME in expressions is this text", {}}, text_);
    options.values({"--argjson", "", "NAME=JSON", "$NAME in expressions is this JSON value", {}}, json_);
}

Result<expr::Settings> ExpressionArguments::settings() const {
    expr::Settings settings;
    for (const std::string& argument : text_) {
        auto split = split_argument(argument, "--arg");
        if (!split) return pass_on(split);
        if (!is_utf8(split->second)) return fail(ErrorKind::usage, "--arg " + split->first + ": not valid UTF-8");
        std::string json;
        append_quoted(json, split->second);
        settings.arguments.emplace_back(split->first, std::move(json));
    }
    for (const std::string& argument : json_) {
        auto split = split_argument(argument, "--argjson");
        if (!split) return pass_on(split);
        auto value = one_value(split->second);
        if (!value) {
            return fail(ErrorKind::usage, "--argjson " + split->first + ": " + value.error().message(), value.error().hint());
        }
        settings.arguments.emplace_back(split->first, std::move(*value));
    }
    for (std::size_t i = 0; i < settings.arguments.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (settings.arguments[i].first != settings.arguments[j].first) continue;
            return fail(ErrorKind::usage, "two values for $" + settings.arguments[i].first);
        }
    }
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos || !is_utf8(text)) continue;
        settings.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    settings.stopped = [] { return stop_signal() != 0; };
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    settings.now = static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec / 1000) / 1e6;
    return settings;
}

}  // namespace stream
