// SPDX-License-Identifier: Apache-2.0
#include "cli/event_time.hpp"

#include <cstring>

#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/cursor.hpp"

namespace stream {

Result<EventTime> EventTime::make(FieldSet& fields, const std::string& named, const std::string& from_environment,
                                  const TimeOptions& options) {
    auto parser = TimeParser::make(options);
    if (!parser) return pass_on(parser);
    EventTime made(std::move(*parser));
    made.fields_ = &fields;
    made.formatted_ = !options.format.empty() || !options.zone.empty() || !options.base.empty();
    for (const std::string& name : named.empty() ? usual_fields(from_environment) : std::vector<std::string>{named}) {
        auto path = parse_field(name);
        if (!path) return pass_on(path);
        const std::size_t before = fields.size();
        const std::size_t slot = fields.add(*path, true);
        made.candidates_.push_back({path->text, slot, path->text == "window_end", fields.size() > before});
    }
    return made;
}

std::vector<std::string> EventTime::usual_fields(const std::string& from_environment) {
    std::vector<std::string> names;
    if (!from_environment.empty()) names.push_back(from_environment);
    for (const char* name : {"ts", "window_end", "source.ts_ms"}) names.emplace_back(name);
    return names;
}

std::vector<std::string> member_names(std::string_view event, std::size_t most) {
    std::vector<std::string> names;
    for (Cursor cursor(value_of(event)); cursor.next() && names.size() < most;) {
        std::string name;
        append_unescaped(name, cursor.name());
        name = printable(name, 40);
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    }
    return names;
}

void EventTime::choose(std::size_t candidate) {
    chosen_ = candidate;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
        if (i != candidate && candidates_[i].own && only_reader_) fields_->ignore(candidates_[i].slot);
    }
}

bool EventTime::has(const Value* values) const {
    if (chosen_) return !values[candidates_[*chosen_].slot].is_nothing();
    for (const Candidate& candidate : candidates_) {
        if (!values[candidate.slot].is_nothing()) return true;
    }
    return false;
}

Result<TimeNs> EventTime::read(const Value* values, std::string_view raw) {
    if (chosen_) [[likely]] {
        const Candidate& candidate = candidates_[*chosen_];
        const Value& value = values[candidate.slot];
        if (value.is_nothing()) [[unlikely]] return no_time(values, raw);
        return read_value(candidate, value);
    }
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
        const Value& value = values[candidates_[i].slot];
        if (value.is_nothing()) continue;
        auto time = read_value(candidates_[i], value);
        if (time) choose(i);
        return time;
    }
    return no_time(values, raw);
}

namespace {
constexpr std::size_t usual_size = 26;  // "2026-01-01T00:00:00.123Z" with its quotes

// 17 bytes, without a call.
bool same_minute(const char* a, const char* b) {
    std::uint64_t a_words[2];
    std::uint64_t b_words[2];
    std::memcpy(a_words, a, 16);
    std::memcpy(b_words, b, 16);
    return ((a_words[0] ^ b_words[0]) | (a_words[1] ^ b_words[1])) == 0 && a[16] == b[16];
}

// The value of two or three digits, or something greater than any.
unsigned digits(const char* text, int count) {
    unsigned value = 0;
    for (int i = 0; i < count; ++i) {
        const unsigned digit = static_cast<unsigned char>(text[i]) - unsigned{'0'};
        if (digit > 9) return 10'000;
        value = 10 * value + digit;
    }
    return value;
}
}  // namespace

// Most events share their minute with the one before, and the form with all: two digits of seconds and
// three of milliseconds are all there is to read. Anything else goes to the parser.
Result<TimeNs> EventTime::read_value(const Candidate& candidate, const Value& value) {
    const char* text = value.text.data() + 1;
    const bool usual = value.type == Type::string && value.text.size() == usual_size && text[19] == '.' && text[23] == 'Z';
    if (usual && plain_ && same_minute(text, minute_text_)) [[likely]] {
        const unsigned seconds = digits(text + 17, 2);
        const unsigned milliseconds = digits(text + 20, 3);
        if (seconds < 60 && milliseconds < 1000) [[likely]] {
            return minute_ + seconds * ns_per_second + milliseconds * ns_per_ms - (candidate.window_end ? 1 : 0);
        }
    }
    auto time = parse(candidate, value);
    if (time && usual && !formatted_) {
        const unsigned seconds = digits(text + 17, 2);
        if (seconds < 60 && text[10] == 'T') {
            plain_ = true;
            std::memcpy(minute_text_, text, sizeof minute_text_);
            minute_ = *time + (candidate.window_end ? 1 : 0) - seconds * ns_per_second - digits(text + 20, 3) * ns_per_ms;
        }
    }
    return time;
}

Result<TimeNs> EventTime::parse(const Candidate& candidate, const Value& value) {
    Result<TimeNs> time = [&]() -> Result<TimeNs> {
        if (value.type == Type::string) {
            if (!value.escaped) [[likely]] return parser_.parse_text(value.inner());
            std::string text;
            append_unescaped(text, value);
            return parser_.parse_text(text);
        }
        if (value.type == Type::number) return parser_.parse_number(value.text);
        return fail(ErrorKind::data, "not a time: " + printable(value.text, 40));
    }();
    if (!time) [[unlikely]] {
        return tl::unexpected<Error>(std::move(time.error()).at("field " + stream::quoted(candidate.name)));
    }
    if (candidate.window_end) return *time - 1;
    return time;
}

tl::unexpected<Error> EventTime::no_time(const Value* values, std::string_view raw) const {
    std::string message = "no event time: ";
    const std::size_t wanted = chosen_ ? *chosen_ : 0;
    const bool is_null = values[candidates_[wanted].slot].type == Type::null;
    message += is_null ? "field " + stream::quoted(candidates_[wanted].name) + " is null"
                       : "no field " + stream::quoted(candidates_[wanted].name);
    // Which members look like times?
    std::string hint;
    std::vector<std::string> others;
    const auto consider = [&](const std::string& name, const Value& value) {
        if (value.type != Type::string && value.type != Type::number) return;
        std::string text(value.text);
        if (value.type == Type::string) {
            text.clear();
            append_unescaped(text, value);
        }
        if (!looks_like_time(text, value.type == Type::number)) return;
        if (hint.empty()) {
            const std::string shown = printable(name, 60);
            const bool plain = shown.find_first_of(" '\"$`\\!*?;&|<>()") == std::string::npos;
            const std::string word = plain ? shown : "'" + shown + "'";
            hint = stream::quoted(name) + " looks like one (" + printable(text, 40) + "): --time " + word +
                   ", or export STREAM_TIME=" + word;
        } else if (others.size() < 4) {
            others.push_back(stream::quoted(name));
        }
    };
    for (Cursor cursor(value_of(raw)); cursor.next();) {
        std::string name;
        append_unescaped(name, cursor.name());
        consider(name, cursor.value());
        if (cursor.value().type == Type::object) {
            for (Cursor inner(cursor.value()); inner.next();) {
                std::string inner_name = name + ".";
                append_unescaped(inner_name, inner.name());
                consider(inner_name, inner.value());
            }
        }
    }
    for (std::size_t i = 0; i < others.size(); ++i) hint += (i == 0 ? "; so do " : ", ") + others[i];
    if (hint.empty()) {
        hint = "the members there are: ";
        const auto names = member_names(raw, 12);
        for (std::size_t i = 0; i < names.size(); ++i) hint += (i == 0 ? "" : ", ") + names[i];
    }
    return fail(ErrorKind::data, std::move(message), std::move(hint));
}

void EventTime::snapshot(StateWriter& writer) const {
    writer.put_u8(chosen_ ? 1 : 0);
    writer.put_bytes(field());
    writer.put_bytes(parser_.save());
}

Result<void> EventTime::restore(StateReader& reader) {
    const bool chosen = reader.get_u8() != 0;
    const std::string name(reader.get_bytes());
    const std::string_view saved = reader.get_bytes();
    STREAM_TRY(reader.check("event time"));
    if (chosen) {
        for (std::size_t i = 0; i < candidates_.size(); ++i) {
            if (candidates_[i].name == name) choose(i);
        }
        if (!chosen_) return fail(ErrorKind::usage, "the saved state has its times in field " + stream::quoted(name));
    }
    if (!parser_.load(saved)) return fail(ErrorKind::corrupt, "the saved state's time format cannot be read");
    return {};
}

}  // namespace stream
