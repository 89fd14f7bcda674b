// SPDX-License-Identifier: Apache-2.0
#include "ops/cat.hpp"

#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/splice.hpp"

namespace stream {

void Cat::write(int input, const Event& event, Sink& sink) {
    const auto index = static_cast<std::size_t>(input);
    const bool stamp = index < options_.stamp.size() && options_.stamp[index];
    if (!stamp && options_.tag.empty()) {
        sink.pass(event);
        return;
    }
    line_.assign(event.raw);
    if (stamp) {
        std::string text = "\"";
        append_rfc3339(text, event.time);
        text += '"';
        next_.clear();
        append_with_member(next_, line_, "ts", text);
        line_.swap(next_);
    }
    if (!options_.tag.empty()) {
        std::string text;
        append_quoted(text, options_.names[index]);
        next_.clear();
        append_with_member(next_, line_, options_.tag, text);
        line_.swap(next_);
    }
    sink.begin() += line_;
    sink.end(event.time);
}

Result<void> Cat::hold(int input, const Event& event) {
    last_bytes_ += event.raw.size() + sizeof(Held);
    last_.push_back({input, std::string(event.raw), event.time, event.position});
    if (last_bytes_ > options_.memory_bytes) {
        return fail(ErrorKind::limit, "the last " + std::to_string(last_.size()) + " lines need more than --memory " +
                                          format_size(options_.memory_bytes));
    }
    return {};
}

Result<void> Cat::on_event(int input, const Event& event, Sink& sink) {
    using Kind = Position::Kind;
    const std::uint64_t number = ++events_;  // in the order of writing, which --merge may have changed
    if (options_.from) {
        const Position& from = *options_.from;
        if (from.kind == Kind::number && number < from.number) return {};
        if (from.kind == Kind::time && event.time < from.time) return {};
        if (from.kind == Kind::end && !caught_up_) return {};
        if (from.kind == Kind::last && !caught_up_) {
            if (from.number == 0) return {};
            if (last_.size() == from.number) {
                last_bytes_ -= last_.front().raw.size() + sizeof(Held);
                last_.pop_front();
            }
            return hold(input, event);
        }
    }
    if (options_.to) {
        const Position& to = *options_.to;
        if (to.kind == Kind::start) done_ = true;
        if (to.kind == Kind::number && number >= to.number) done_ = true;
        if (done_) return {};
        if (to.kind == Kind::time && event.time >= to.time) return {};
        if (to.kind == Kind::last) {
            STREAM_TRY(hold(input, event));
            if (last_.size() <= to.number) return {};
            const Held held = std::move(last_.front());
            last_.pop_front();
            last_bytes_ -= held.raw.size() + sizeof(Held);
            write(held.input, {held.raw, held.time, held.position, nullptr}, sink);
            return {};
        }
        if (to.kind == Kind::number && number + 1 >= to.number) done_ = true;  // the last one
    }
    write(input, event, sink);
    return {};
}

Result<void> Cat::on_caught_up(Sink& sink) { return options_.follows ? write_last(sink) : Result<void>{}; }

// Now it is known which lines were the last ones.
Result<void> Cat::write_last(Sink& sink) {
    if (caught_up_) return {};
    caught_up_ = true;
    if (!options_.from || options_.from->kind != Position::Kind::last) return {};
    for (const Held& held : last_) write(held.input, {held.raw, held.time, held.position, nullptr}, sink);
    last_.clear();
    last_bytes_ = 0;
    return {};
}

void Cat::snapshot(StateWriter& writer) const {
    writer.put_u64(events_);
    writer.put_u8(static_cast<std::uint8_t>((caught_up_ ? 1 : 0) | (done_ ? 2 : 0)));
    writer.put_u64(last_.size());
    for (const Held& held : last_) {
        writer.put_varint(static_cast<std::uint64_t>(held.input));
        writer.put_i64(held.time);
        writer.put_u64(held.position);
        writer.put_bytes(held.raw);
    }
}

Result<void> Cat::restore(StateReader& reader) {
    events_ = reader.get_u64();
    const std::uint8_t flags = reader.get_u8();
    caught_up_ = (flags & 1) != 0;
    done_ = (flags & 2) != 0;
    const std::uint64_t count = reader.get_u64();
    for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
        Held held{};
        held.input = static_cast<int>(reader.get_varint());
        held.time = reader.get_i64();
        held.position = reader.get_u64();
        held.raw = reader.get_bytes();
        last_bytes_ += held.raw.size() + sizeof(Held);
        last_.push_back(std::move(held));
    }
    return reader.check("the lines that wait");
}

}  // namespace stream
