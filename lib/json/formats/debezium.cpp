// SPDX-License-Identifier: Apache-2.0
// Debezium documentation, "Change event values", "Truncate events", "Transaction metadata", "Heartbeat".
#include "base/text.hpp"
#include "json/cursor.hpp"
#include "json/formats/formats.hpp"
#include "json/formats/json_record.hpp"

#include <array>
#include <utility>
#include <vector>

namespace stream {
namespace {

// The finest of `ts_ns`, `ts_us` and `ts_ms` that an object has and that is not 0, which stands for none.
struct Times {
    std::array<Value, 3> found;

    // True: the name is one of them.
    bool take(const Value& name, const Value& value) {
        for (const auto& [text, place] : {std::pair("ts_ns", 0u), {"ts_us", 1u}, {"ts_ms", 2u}}) {
            if (!is_named(name, text)) continue;
            found[place] = value;
            return true;
        }
        return false;
    }
    bool is_there(std::size_t place) const { return !found[place].is_nothing() && found[place].text != "0"; }
};

struct Envelope {
    Value op, before, after, source, schema, payload, status, event_count, ts;
    Times times;
    std::size_t members = 0;
    std::vector<std::pair<Value, Value>> rest{};  // what has no place of its own in the event

    void read(const Value& object) {
        std::vector<std::pair<Value, Value>> emptied = std::move(rest);
        *this = Envelope{};
        rest = std::move(emptied);
        rest.clear();
        for (Cursor cursor(object); cursor.next();) {
            ++members;
            if (Value* place = own_place_of(cursor.name())) {
                *place = cursor.value();
                continue;
            }
            if (Value* place = place_of(cursor.name())) *place = cursor.value();
            else times.take(cursor.name(), cursor.value());
            rest.emplace_back(cursor.name(), cursor.value());
        }
    }
    bool is_wrapped() const { return members == 2 && schema.type != Type::missing && payload.type != Type::missing; }
    // A heartbeat, or the beginning or end of a transaction.
    bool is_mark() const {
        return (members == 1 && times.is_there(2)) || (status.type == Type::string && event_count.type != Type::missing);
    }

    Value* own_place_of(const Value& name) {
        if (is_named(name, "op")) return &op;
        if (is_named(name, "before")) return &before;
        if (is_named(name, "after")) return &after;
        if (is_named(name, "source")) return &source;
        if (is_named(name, "ts")) return &ts;
        return nullptr;
    }
    Value* place_of(const Value& name) {
        if (is_named(name, "schema")) return &schema;
        if (is_named(name, "payload")) return &payload;
        if (is_named(name, "status")) return &status;
        if (is_named(name, "event_count")) return &event_count;
        return nullptr;
    }
};

class Debezium final : public JsonRecordFormat {
private:
    Result<bool> write_event(std::string_view record, ObjectWriter& object) override;
    Result<std::string> time_of(const Envelope& envelope);

    Envelope envelope_;
    std::array<EpochStamp, 3> stamps_ = {EpochStamp(TimeUnit::ns), EpochStamp(TimeUnit::us), EpochStamp(TimeUnit::ms)};
};

// When the database made the change, or else when the connector saw it; empty where neither is known.
Result<std::string> Debezium::time_of(const Envelope& envelope) {
    Times source;
    for (Cursor cursor(envelope.source); cursor.next();) source.take(cursor.name(), cursor.value());
    for (const Times* times : {&std::as_const(source), &envelope.times}) {
        for (std::size_t i = 0; i < stamps_.size(); ++i) {
            if (times->is_there(i)) return stamps_[i].json(times->found[i]);
        }
    }
    return std::string(envelope.ts.is_nothing() ? std::string_view() : envelope.ts.text);
}

Result<bool> Debezium::write_event(std::string_view record, ObjectWriter& object) {
    if (record == "null") return false;  // a tombstone: its key is not in it
    auto change = read_object(record);
    if (!change) return pass_on(change);
    Envelope& envelope = envelope_;
    envelope.read(*change);
    if (envelope.is_wrapped()) {
        if (envelope.payload.type == Type::null) return false;
        *change = envelope.payload;
        envelope.read(*change);
    }
    if (envelope.is_mark()) return false;
    if (envelope.op.type != Type::string) {
        return fail(ErrorKind::data, "no change event: no member \"op\": " + quoted(change->text));
    }
    const std::string_view op = envelope.op.inner();
    if (op == "m") return false;  // a message that was put into the log, no change of a row
    if (op.size() != 1 || std::string_view("crudt").find(op) == std::string_view::npos) {
        return fail(ErrorKind::data, "an unknown op: " + quoted(op));
    }
    auto time = time_of(envelope);
    if (!time) return pass_on(time);
    MemberWriter members(object);
    if (!time->empty()) members.add("\"ts\"", *time);
    members.add("\"op\"", envelope.op.text);
    members.add("\"before\"", json_of(envelope.before));
    members.add("\"after\"", json_of(envelope.after));
    if (!envelope.source.is_nothing()) members.add("\"source\"", envelope.source.text);
    for (const auto& [name, value] : envelope.rest) {
        if (value.type != Type::null) members.add(name.text, value.text);
    }
    members.end();
    return true;
}

}  // namespace

Result<std::unique_ptr<TextFormat>> make_debezium() { return std::make_unique<Debezium>(); }

}  // namespace stream
