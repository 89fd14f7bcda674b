// SPDX-License-Identifier: Apache-2.0
// Records of a log looked at one by one, outside the pump: their event time, their key, whether an
// expression holds.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "cli/event_time.hpp"
#include "expr/expression.hpp"
#include "json/fields.hpp"
#include "json/keys.hpp"
#include "json/scanner.hpp"
#include "log/reader.hpp"

namespace stream {

// A record as an event, whose fields are those of the set when the first one is scanned.
class RecordScanner {
public:
    explicit RecordScanner(FieldSet& fields) : fields_(&fields) {}

    // False: the record is no event, and fault() says why. Holds until the next call.
    bool scan(std::string_view record);
    std::string_view event() const { return scanner_->line(); }
    const Value* values() const { return scanner_->values(); }
    const std::string& fault() const { return fault_; }

private:
    FieldSet* fields_;
    std::unique_ptr<Scanner> scanner_;
    std::string line_;
    std::string fault_;
};

// The event time of records, as the pump would read it.
class RecordTime {
public:
    // `named`: the log's field, or empty for the usual ones.
    static Result<std::shared_ptr<RecordTime>> make(const std::string& named);
    // time_before_all where it has none.
    TimeNs of(std::string_view record);
    log::LogReader::TimeOf function() { return [this](std::string_view record) { return of(record); }; }

private:
    RecordTime() : scanner_(fields_) {}
    FieldSet fields_;
    std::unique_ptr<EventTime> time_;
    RecordScanner scanner_;
};

class RecordTest {
public:
    // ErrorKind::usage with a caret, `option` in front.
    static Result<std::shared_ptr<RecordTest>> make(const char* option, const std::string& program, const expr::Settings& settings);
    // ErrorKind::data where the record is no event, or the expression fails on it.
    Result<bool> holds(std::string_view record);

private:
    RecordTest() : scanner_(fields_) {}
    FieldSet fields_;
    std::unique_ptr<expr::Expression> expression_;
    RecordScanner scanner_;
};

class RecordKey {
public:
    static Result<std::shared_ptr<RecordKey>> make(const std::string& field);
    // Canonical text; nothing where the record is no event, or has no key. Holds until the next call.
    std::string_view of(std::string_view record);

private:
    RecordKey() : scanner_(fields_) {}
    FieldSet fields_;
    Keys keys_;
    std::size_t slot_ = 0;
    RecordScanner scanner_;
    std::string scratch_;
};

}  // namespace stream
