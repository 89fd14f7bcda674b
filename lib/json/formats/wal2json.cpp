// SPDX-License-Identifier: Apache-2.0
// wal2json's README: format-version 1 (one object a transaction) and 2 (one a change, and marks).
#include "base/text.hpp"
#include "json/cursor.hpp"
#include "json/formats/formats.hpp"
#include "json/formats/json_record.hpp"
#include "json/formats/stamp.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace stream {
namespace {

using Columns = std::vector<std::pair<std::string_view, std::string_view>>;  // names and values, JSON

class Wal2json final : public JsonRecordFormat {
public:
    explicit Wal2json(Stamp stamp) : stamp_(std::move(stamp)) {}
    void begin_file() override {
        transaction_.clear();
        JsonRecordFormat::begin_file();
    }
    std::size_t events() const override { return events_; }

private:
    struct Change {
        char op = '\0';
        Value timestamp;
        Columns columns;
        Columns identity;
        Columns source;
    };

    Result<bool> write_event(std::string_view record, ObjectWriter& object) override;
    Result<bool> write_line(const Value& line, std::string_view action, ObjectWriter& object);
    Result<bool> write_transaction(const Value& line, const Value& changes, ObjectWriter& object);
    Result<bool> read_change(const Value& change, Change& out);
    Result<void> write(const Change& change, ObjectWriter& object);
    // The mark is JSON: no line end is in it.
    std::string learnt() const override { return transaction_ + '\n' + stamp_.save(); }
    bool relearn(std::string_view saved) override {
        const std::size_t end = saved.find('\n');
        if (end == std::string_view::npos) return false;
        transaction_ = saved.substr(0, end);
        return stamp_.load(saved.substr(end + 1));
    }

    Stamp stamp_;
    std::string transaction_;  // version 2: the mark that began the one we are in
    std::size_t events_ = 1;
};

Value member_of(const Value& object, std::string_view name) {
    Value found;
    for (Cursor cursor(object); cursor.next();) {
        if (is_named(cursor.name(), name)) found = cursor.value();
    }
    return found;
}

// Adds a member of the transaction where the change has none of its own.
void add_missing(Columns& columns, std::string_view name, std::string_view value) {
    const auto same = [&](const auto& column) { return column.first == name; };
    if (std::none_of(columns.begin(), columns.end(), same)) columns.emplace_back(name, value);
}

// Version 2: [{"name":…,"type":…,"value":…}, …]
Result<void> read_columns(const Value& array, Columns& columns) {
    for (Cursor cursor(array); cursor.next();) {
        const Value name = member_of(cursor.value(), "name");
        if (name.type != Type::string) return fail(ErrorKind::data, "a column without a name: " + quoted(cursor.value().text));
        columns.emplace_back(name.text, json_of(member_of(cursor.value(), "value")));
    }
    return {};
}

// Version 1: names in one array, values in another.
Result<void> pair_columns(const Value& names, const Value& values, Columns& columns) {
    Cursor name(names);
    Cursor value(values);
    for (;;) {
        const bool more = name.next();
        if (more != value.next()) return fail(ErrorKind::data, "not as many values as columns: " + quoted(names.text));
        if (!more) return {};
        if (name.value().type != Type::string) return fail(ErrorKind::data, "a column without a name: " + quoted(names.text));
        columns.emplace_back(name.value().text, value.value().text);
    }
}

void write_columns(const Columns& columns, ObjectWriter& object) {
    MemberWriter members(object);
    for (const auto& [name, value] : columns) members.add(name, value);
    members.end();
}

Result<void> Wal2json::write(const Change& change, ObjectWriter& object) {
    MemberWriter members(object);
    if (change.timestamp.type == Type::string) {
        members.name("\"ts\"");
        STREAM_TRY(stamp_.write(change.timestamp.inner(), object));
    }
    const char op[] = {'"', change.op, '"', '\0'};
    members.add("\"op\"", op);
    members.name("\"before\"");
    if (change.identity.empty()) object.null();
    else write_columns(change.identity, object);
    members.name("\"after\"");
    if (change.op == 'c' || change.op == 'u') {
        // What is stored out of line, and did not change, is only in the row as it was.
        Columns after = change.columns;
        for (const auto& [name, value] : change.identity) add_missing(after, name, value);
        write_columns(after, object);
    } else {
        object.null();
    }
    members.name("\"source\"");
    write_columns(change.source, object);
    members.end();
    return {};
}

// False: a message, which is no change of a row.
Result<bool> Wal2json::read_change(const Value& change, Change& out) {
    Value kind, names, values, old;
    if (change.type != Type::object) return fail(ErrorKind::data, "no change: " + quoted(change.text));
    for (Cursor cursor(change); cursor.next();) {
        const Value& name = cursor.name();
        if (is_named(name, "kind")) kind = cursor.value();
        else if (is_named(name, "columnnames")) names = cursor.value();
        else if (is_named(name, "columnvalues")) values = cursor.value();
        else if (is_named(name, "oldkeys")) old = cursor.value();
        else if (!name.inner().starts_with("column")) out.source.emplace_back(name.text, cursor.value().text);
    }
    const std::string_view word = kind.type == Type::string ? kind.inner() : std::string_view();
    if (word == "message") return false;
    out.op = word == "insert" ? 'c' : word == "update" ? 'u' : word == "delete" ? 'd' : word == "truncate" ? 't' : '\0';
    if (out.op == '\0') return fail(ErrorKind::data, "an unknown kind of change: " + quoted(json_of(kind)));
    STREAM_TRY(pair_columns(names, values, out.columns));
    STREAM_TRY(pair_columns(member_of(old, "keynames"), member_of(old, "keyvalues"), out.identity));
    return true;
}

Result<bool> Wal2json::write_transaction(const Value& line, const Value& changes, ObjectWriter& object) {
    events_ = 0;
    for (Cursor cursor(changes); cursor.next();) {
        Change change;
        auto is_change = read_change(cursor.value(), change);
        if (!is_change) return is_change;
        if (!*is_change) continue;
        for (Cursor other(line); other.next();) {
            if (is_named(other.name(), "timestamp")) change.timestamp = other.value();
            else if (!is_named(other.name(), "change")) add_missing(change.source, other.name().text, other.value().text);
        }
        if (events_++ > 0) object.raw("\n");
        STREAM_TRY(write(change, object));
    }
    return events_ > 0;
}

Result<bool> Wal2json::write_line(const Value& line, std::string_view action, ObjectWriter& object) {
    events_ = 1;
    if (action == "B") transaction_ = line.text;
    if (action == "C") transaction_.clear();
    if (action == "B" || action == "C" || action == "M") return false;
    Change change;
    change.op = action == "I" ? 'c' : action == "U" ? 'u' : action == "D" ? 'd' : action == "T" ? 't' : '\0';
    if (change.op == '\0') return fail(ErrorKind::data, "an unknown action: " + quoted(action));
    for (Cursor cursor(line); cursor.next();) {
        const Value& name = cursor.name();
        if (is_named(name, "columns")) STREAM_TRY(read_columns(cursor.value(), change.columns));
        else if (is_named(name, "identity")) STREAM_TRY(read_columns(cursor.value(), change.identity));
        else if (is_named(name, "timestamp")) change.timestamp = cursor.value();
        else if (!is_named(name, "action")) change.source.emplace_back(name.text, cursor.value().text);
    }
    Value mark;
    mark.text = transaction_;
    mark.type = transaction_.empty() ? Type::missing : Type::object;
    for (Cursor cursor(mark); cursor.next();) {
        if (is_named(cursor.name(), "action")) continue;
        if (!is_named(cursor.name(), "timestamp")) add_missing(change.source, cursor.name().text, cursor.value().text);
        else if (change.timestamp.is_nothing()) change.timestamp = cursor.value();
    }
    STREAM_TRY(write(change, object));
    return true;
}

Result<bool> Wal2json::write_event(std::string_view record, ObjectWriter& object) {
    auto line = read_object(record);
    if (!line) return pass_on(line);
    const Value action = member_of(*line, "action");
    if (action.type == Type::string) return write_line(*line, action.inner(), object);
    const Value changes = member_of(*line, "change");
    if (changes.type == Type::array) return write_transaction(*line, changes, object);
    return fail(ErrorKind::data, "no change of wal2json: neither \"action\" nor \"change\": " + quoted(line->text));
}

}  // namespace

Result<std::unique_ptr<TextFormat>> make_wal2json() {
    auto stamp = Stamp::make(TimeOptions{});
    if (!stamp) return pass_on(stamp);
    return std::make_unique<Wal2json>(std::move(*stamp));
}

}  // namespace stream
