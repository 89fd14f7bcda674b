// SPDX-License-Identifier: Apache-2.0
// What the formats of change events share: a record is one JSON object a line, validated whole before it is walked
// over, and the event made of it begins with `ts`, `op`, `before`, `after`, values keeping their own bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "json/fields.hpp"
#include "json/formats/record_format.hpp"
#include "json/scanner.hpp"
#include "json/value.hpp"
#include "time/time_parser.hpp"

namespace stream {

class JsonRecordFormat : public RecordFormat {
protected:
    JsonRecordFormat() : scanner_(fields_) {}
    // The record's object, which stays until the next call. ErrorKind::data for what is none.
    Result<Value> read_object(std::string_view record);

private:
    FieldSet fields_;  // none: members are walked over
    Scanner scanner_;
    std::string line_;
};

// One object's members, one after the other; names and values are JSON.
class MemberWriter {
public:
    explicit MemberWriter(ObjectWriter& object) : object_(object) { object_.raw("{"); }
    // What is written next is the member's value.
    void name(std::string_view json) {
        if (!first_) object_.raw(",");
        first_ = false;
        object_.raw(json);
        object_.raw(":");
    }
    void add(std::string_view name_json, std::string_view value) {
        name(name_json);
        object_.raw(value);
    }
    void end() { object_.raw("}"); }

private:
    ObjectWriter& object_;
    bool first_ = true;
};

// A value's JSON, null where it is missing.
inline std::string_view json_of(const Value& value) { return value.type == Type::missing ? std::string_view("null") : value.text; }

// Whether a member's name is this, which needs no escapes. An array's element has none.
inline bool is_named(const Value& name, std::string_view text) { return name.type == Type::string && name.inner() == text; }

// A number since the epoch as a quoted time.
class EpochStamp {
public:
    explicit EpochStamp(TimeUnit unit);
    // ErrorKind::data: no number, or out of range.
    Result<std::string> json(const Value& number);

private:
    std::optional<TimeParser> parser_;
};

}  // namespace stream
