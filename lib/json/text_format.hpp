// SPDX-License-Identifier: Apache-2.0
// Text that is not JSON, a record at a time, to events.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "time/time_parser.hpp"

namespace stream {

class TextFormat {
public:
    virtual ~TextFormat() = default;

    // The length of the first record of `bytes`, its line end included; 0 if it is not complete yet
    // and `at_end` is false. A CSV record may span lines inside quotes. Remembers how far it looked, so
    // that a record arriving in pieces costs linear time; call it with the same start until it answers.
    virtual std::size_t record_length(std::string_view bytes, bool at_end) = 0;

    // One record (line end may be on it) to one JSON object, appended without a line end. False: the
    // record is no event (a CSV header, a blank line). ErrorKind::data says what is wrong with it; then
    // nothing was appended.
    virtual Result<bool> convert(std::string_view record, std::string& out) = 0;

    // How many events the last record was (a transaction's changes): so many lines were appended, with `\n` between.
    virtual std::size_t events() const { return 1; }

    // A new file begins (a header may follow); `same_columns` keeps the columns of the last one where
    // the file has no header.
    virtual void begin_file() {}

    // What the records so far have taught it (a header, a year, a transaction that is open): opaque bytes, for a format
    // of the same options that goes on behind them. False, and nothing is to be relied on: they are not of such a one.
    virtual std::string save() const { return {}; }
    virtual bool load(std::string_view saved) { return saved.empty(); }
};

struct TextFormatOptions {
    std::string name;                  // csv tsv logfmt clf combined syslog lines regex:RE debezium maxwell wal2json
    std::vector<std::string> columns;  // --columns: the file has no header
    TimeOptions time;                  // for the formats that write `ts` themselves: clf, combined, syslog
};

// ErrorKind::usage for an unknown name (with the nearest) or a bad regular expression.
Result<std::unique_ptr<TextFormat>> make_text_format(const TextFormatOptions& options);

}  // namespace stream
