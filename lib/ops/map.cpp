// SPDX-License-Identifier: Apache-2.0
#include "ops/map.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "json/cursor.hpp"
#include "json/splice.hpp"

namespace stream {

namespace {

// What an event made here may be: no deeper, and as long as any.
std::string_view kind_of(const Value& value) {
    switch (value.type) {
        case Type::number: return "a number";
        case Type::string: return "a string";
        case Type::array: return "an array";
        case Type::boolean_false:
        case Type::boolean_true: return "a boolean";
        default: return "null";
    }
}

}  // namespace

bool MapOptions::may_change(const MemberNames& member) const {
    // A part of a path that goes may leave the member of exactly its name, and the other way round.
    const auto touches = [&](const FieldPath& path) { return member.has_part_of(path) && !(member.is_plain() && path.is_plain()); };
    return std::any_of(set.begin(), set.end(), [&](const Set& one) { return member.has(one.name); }) ||
           std::any_of(drop.begin(), drop.end(), touches) || std::any_of(keep.begin(), keep.end(), touches);
}

Result<void> Map::write_results(const Event& event, Sink& sink) {
    STREAM_TRY(expression_->run(event.raw, event.values));
    const std::vector<Value>& results = expression_->results();
    if (!options_.raw) {
        // All or nothing: of a bad event no result is written.
        for (const Value& result : results) {
            if (result.type == Type::object) continue;
            return fail(ErrorKind::data, "a result is " + std::string(kind_of(result)) + ", not an object: " + stream::quoted(result.text),
                        result.type == Type::array ? "(EXPR)[] gives its elements one by one, -r writes text"
                                                   : "{name: EXPR} makes an object of it, -r writes text");
        }
    }
    for (const Value& result : results) {
        std::string& out = sink.begin();
        if (options_.raw) expr::append_raw(out, result);
        else out += result.text;
        sink.end(event.time);
    }
    return {};
}

Result<void> Map::edit(const Event& event, Sink& sink) {
    // All expressions see the event as it came.
    std::vector<std::pair<const std::string*, std::string>> values;
    for (MapOptions::Set& set : options_.set) {
        auto value = set.expression.value(event.raw, event.values);
        if (!value) {
            Error error = std::move(value.error());
            return tl::unexpected(Error(error.kind(), "--set " + set.name + ": " + error.message(), error.hint()));
        }
        if (nested_deeper(value->text, 1023)) {
            return fail(ErrorKind::data, "--set " + set.name + ": the event would be nested more than 1024 deep");
        }
        if (value->type != Type::missing) values.emplace_back(&set.name, std::string(value->text));
    }
    line_.assign(event.raw);
    if (!options_.keep.empty()) {
        next_.clear();
        append_kept(next_, line_, options_.keep);
        line_.swap(next_);
    }
    if (!options_.drop.empty()) {
        next_.clear();
        append_without(next_, line_, options_.drop);
        line_.swap(next_);
    }
    for (const auto& [name, value] : values) {
        next_.clear();
        append_with_member(next_, line_, *name, value);
        line_.swap(next_);
    }
    sink.begin() += line_;
    sink.end(event.time);
    return {};
}

Result<void> Map::on_event(int, const Event& event, Sink& sink) {
    return expression_ ? write_results(event, sink) : edit(event, sink);
}

void Map::append_stats(std::string& out) const {
    std::uint64_t left = expression_ ? expression_->left_to_libjq() : 0;
    for (const MapOptions::Set& set : options_.set) left += set.expression.left_to_libjq();
    out += ",\"left_to_libjq\":" + std::to_string(left);
}

}  // namespace stream
