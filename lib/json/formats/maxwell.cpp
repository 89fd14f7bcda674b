// SPDX-License-Identifier: Apache-2.0
// Maxwell's daemon, "Reading Maxwell's output" and "Bootstrapping".
#include "base/text.hpp"
#include "json/cursor.hpp"
#include "json/formats/formats.hpp"
#include "json/formats/json_record.hpp"

#include <utility>
#include <vector>

namespace stream {
namespace {

class Maxwell final : public JsonRecordFormat {
private:
    struct Record {
        Value database, table, type, ts, data, old;

        explicit Record(const Value& object) {
            for (Cursor cursor(object); cursor.next();) {
                if (Value* place = place_of(cursor.name())) *place = cursor.value();
            }
        }
        Value* place_of(const Value& name) {
            const std::pair<const char*, Value*> places[] = {{"database", &database}, {"table", &table}, {"type", &type},
                                                             {"ts", &ts},             {"data", &data},   {"old", &old}};
            for (const auto& [text, place] : places) {
                if (is_named(name, text)) return place;
            }
            return nullptr;
        }
    };

    Result<bool> write_event(std::string_view record, ObjectWriter& object) override;
    void write_before(const Value& data, const Value& old, ObjectWriter& object);
    static void write_source(const Value& change, Record& record, ObjectWriter& object);

    EpochStamp seconds_{TimeUnit::s};
    std::vector<std::pair<Value, Value>> old_;  // those of an update not found in the row yet
};

// Of the row as it is, with the former values of what changed: which member was there, whatever its value.
void Maxwell::write_before(const Value& data, const Value& old, ObjectWriter& object) {
    old_.clear();
    for (Cursor cursor(old); cursor.next();) old_.emplace_back(cursor.name(), cursor.value());
    std::size_t next = 0;  // they come in the row's order
    const auto former = [&](const Value& name) -> std::pair<Value, Value>* {
        for (std::size_t i = 0; i < old_.size(); ++i) {
            auto& one = old_[(next + i) % old_.size()];
            if (one.first.text != name.text) continue;
            next = (next + i + 1) % old_.size();
            return &one;
        }
        return nullptr;
    };
    MemberWriter members(object);
    for (Cursor cursor(data); cursor.next();) {
        auto* one = former(cursor.name());
        members.add(cursor.name().text, one == nullptr ? cursor.value().text : one->second.text);
        if (one != nullptr) one->second.type = Type::missing;  // written
    }
    for (const auto& [name, value] : old_) {
        if (value.type != Type::missing) members.add(name.text, value.text);
    }
    members.end();
}

void Maxwell::write_source(const Value& change, Record& record, ObjectWriter& object) {
    MemberWriter members(object);
    if (record.database.type != Type::missing) members.add("\"db\"", record.database.text);
    if (record.table.type != Type::missing) members.add("\"table\"", record.table.text);
    for (Cursor cursor(change); cursor.next();) {
        if (record.place_of(cursor.name()) == nullptr) members.add(cursor.name().text, cursor.value().text);
    }
    members.end();
}

Result<bool> Maxwell::write_event(std::string_view line, ObjectWriter& object) {
    auto change = read_object(line);
    if (!change) return pass_on(change);
    Record record(*change);
    if (record.type.type != Type::string) {
        return fail(ErrorKind::data, "no event of Maxwell: no member \"type\": " + quoted(change->text));
    }
    const std::string_view type = record.type.inner();
    const bool is_insert = type == "insert" || type == "bootstrap-insert";
    const bool is_update = type == "update";
    if (!is_insert && !is_update && type != "delete") {
        // Changes of tables themselves, and the beginning and end of a bootstrap, are no changes of rows.
        if (type.starts_with("table-") || type.starts_with("database-") || type.starts_with("bootstrap-")) return false;
        return fail(ErrorKind::data, "an unknown type: " + quoted(type));
    }
    if (record.data.type != Type::object) return fail(ErrorKind::data, "no row: \"data\" is no object");
    MemberWriter members(object);
    if (!record.ts.is_nothing()) {
        auto time = seconds_.json(record.ts);
        if (!time) return pass_on(time);
        members.add("\"ts\"", *time);
    }
    members.add("\"op\"", type == "insert" ? "\"c\"" : is_insert ? "\"r\"" : is_update ? "\"u\"" : "\"d\"");
    members.name("\"before\"");
    if (is_update && record.old.type == Type::object) write_before(record.data, record.old, object);
    else object.raw(is_insert || is_update ? std::string_view("null") : record.data.text);
    members.add("\"after\"", is_insert || is_update ? record.data.text : std::string_view("null"));
    members.name("\"source\"");
    write_source(*change, record, object);
    members.end();
    return true;
}

}  // namespace

Result<std::unique_ptr<TextFormat>> make_maxwell() { return std::make_unique<Maxwell>(); }

}  // namespace stream
