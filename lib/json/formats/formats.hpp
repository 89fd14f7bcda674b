// SPDX-License-Identifier: Apache-2.0
// The text formats, one factory each; json/text_format.hpp has the contract they share and
// make_text_format, which is what to call.
//
// In all of them: text is UTF-8, and a record that is not is ErrorKind::data. A byte order mark at the
// start of a file is skipped, as are blank lines (but not in `lines`). A line ends in \n or \r\n. An
// untyped cell is null if it is empty, a number if its text is one by JSON's grammar (its bytes are
// kept: 0.10, 6.8581834E7), and else a string: 007, +1, 1_000, NaN, true and false are strings.
#pragma once

#include "base/error.hpp"
#include "json/text_format.hpp"

#include <memory>
#include <string_view>

namespace stream {

// csv: RFC 4180. A cell in quotes is a string, whatever it says, "" being the empty one: who quotes
// "42" or "007" means text. A quote inside a cell that does not start with one is that character, text
// after a closing quote is ErrorKind::data; spaces belong to their cell. A blank line is skipped even
// where there is a single column.
// tsv: text/tab-separated-values as registered with IANA: no quotes, and \t or \n in a cell are two
// characters.
//
// The first record of each file names its columns (each file may have its own), unless
// options.columns does; a column without a name is called column_N, the first being column_1. A header
// that cannot be used (a name twice, not UTF-8, a broken quote) is ErrorKind::usage, for that record
// and every other of its file: skipping it would turn data into names.
Result<std::unique_ptr<TextFormat>> make_csv(const TextFormatOptions& options);
Result<std::unique_ptr<TextFormat>> make_tsv(const TextFormatOptions& options);

// logfmt: key=value, key="value" and a bare key, which is true, between spaces. Between quotes \" \\ \/
// \b \f \n \r \t \uXXXX are unescaped (what Go's encoders write) and any other backslash is itself; a
// quoted value is a string. Of equal keys the last value counts, written where the first was.
Result<std::unique_ptr<TextFormat>> make_logfmt();

// clf and combined: Apache's formats of these names, nginx's combined.
//   {"ts":…,"remote_ip":…,"user":…,"method":…,"path":…,"query":…,"protocol":…,"status":…,"bytes":…}
// and, combined, "referrer" and "agent". `-` and nothing between quotes are null; ident, which nobody
// has, is left out; status and bytes are numbers, all else are strings. The query is what follows the
// first `?`, null where there is none. A request that is not METHOD TARGET [PROTOCOL] is kept whole as
// the path, with method, query and protocol null. Between quotes \" and \\ are unescaped; other escapes
// (\x16, \n) stay as they were written, their bytes being no text.
// options.time says how to read what is between the brackets, if it is not CLF's own form.
Result<std::unique_ptr<TextFormat>> make_access_log(const TextFormatOptions& options, bool combined);

// syslog: {"ts":…,"host":…,"program":…,"pid":…,"message":…} from, each after a <PRI> or without,
//   Mar 27 13:06:56 host program[pid]: message       RFC 3164, traditional files
//   2003-10-11T22:14:15.003Z host program[pid]: …    what rsyslog writes since, RFC 3339
// and <34>1 2003-10-11T22:14:15.003Z host program pid msgid [data] message, which is RFC 5424; msgid
// and structured data are left out. A part that is not there, or `-` in RFC 5424, is null. A pid is a
// number if it is one. `options.time.base` has the year of times that have none: a line with such a
// time is ErrorKind::usage without it. `zone` is theirs, too.
Result<std::unique_ptr<TextFormat>> make_syslog(const TextFormatOptions& options);

// lines: {"line":…}, always a string; blank lines too.
Result<std::unique_ptr<TextFormat>> make_lines();

// regex: RE2's syntax, (?<name>…) as well as (?P<name>…), found anywhere in the line (^ and $ tie it
// down). Members are the named groups in their order, as untyped cells; a group that took no part is
// null. A line without a match is ErrorKind::data. ErrorKind::usage: no regular expression, or no
// group with a name.
Result<std::unique_ptr<TextFormat>> make_regex_lines(std::string_view expression);

// Change events, as Debezium writes them: {"ts":…,"op":…,"before":…,"after":…,"source":…}. A record is a line with one
// JSON object; before and after keep their own bytes, and are what was there: all of a row, its key, or null.
//
// debezium: `schema`/`payload` unwrapped. ts is the finest of source's ts_ns, ts_us and ts_ms, or else of the event's,
// 0 being none. The envelope's other members follow, but for those that are null. Heartbeats, marks of
// transactions, tombstones (null) and messages (op m) are no events.
Result<std::unique_ptr<TextFormat>> make_debezium();

// maxwell: insert c, update u (before is data with old's members put over it), delete d, bootstrap-insert r. ts from the
// seconds in ts; source has db, table and every other member: xid, xoffset, commit, position, primary_key_columns, …
// What changes a table itself, and a bootstrap's start and end, are no events.
Result<std::unique_ptr<TextFormat>> make_maxwell();

// wal2json: format-version 1, a transaction a line, as an event a change; and 2, an event a line. before is the
// identity that is there; after also has what an update leaves out because it is stored out of line, where the
// identity has it. ts from timestamp, the change's own or its transaction's; source has schema, table, and every
// other member of the change and of its transaction (of version 2: of the mark B). B, C and messages are no events.
Result<std::unique_ptr<TextFormat>> make_wal2json();

}  // namespace stream
