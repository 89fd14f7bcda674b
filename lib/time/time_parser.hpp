// SPDX-License-Identifier: Apache-2.0
// Text or number to event time.
//
// Without options it reads RFC 3339 in all its forms (T, t or space; Z, an offset or none, which is
// UTC; 0 to 9 fraction digits), CLF (`17/May/2015:10:05:03 +0000`), and numbers, or strings of one, as
// epoch seconds, milliseconds, microseconds or nanoseconds by magnitude (< 1e11, < 1e14, < 1e17, else;
// fractions allowed, exact). The form and the unit are chosen at the first value and kept: a value
// that differs is an error.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "time/timestamp.hpp"

namespace stream {

enum class TimeUnit : std::uint8_t { none, s, ms, us, ns };

struct TimeOptions {
    // strptime's letters (%Y %m %d %H %M %S %z %Z %b %a %p %j %s …, and %f for the digits of a fraction);
    // empty: as above. %S and %s take a fraction along (`.` or `,`), white space takes any or none, names
    // may be in any case, %Z takes UTC, GMT and Z only, and nothing may follow. What a format with %Y
    // leaves out is the first (%Y-%m: the 1st, midnight). JSON numbers are read by it too, unless `unit`
    // is given.
    std::string format;
    TimeUnit unit = TimeUnit::none;  // of numbers; none: by magnitude
    std::string zone;               // IANA name, for times that carry no offset; empty: UTC
    // What a time lacking year or date counts from: "2017" (a year: it rolls over when December is
    // followed by January) or "2013-10-07" (midnight of that day in `zone`; for times of day, and, with
    // `unit`, for numbers counted from midnight). The first time lies in that year or on that day, each
    // further one in the year or on the day that brings it closest to the one before. A year without a
    // format reads syslog's `%b %e %H:%M:%S`.
    std::string base;
};

class TimeParser {
public:
    // ErrorKind::usage: an unknown zone, a format that names no time, a format without its year or date
    // and no base (hint `--base YEAR`), a base without use. ErrorKind::io: no tzdata on this system.
    static Result<TimeParser> make(const TimeOptions& options);
    TimeParser(TimeParser&&) noexcept;
    TimeParser& operator=(TimeParser&&) noexcept;
    ~TimeParser();

    // ErrorKind::data with a sentence that quotes the text ("not a time: …", "out of range …").
    // Fast for RFC 3339: the minute is cached by its text.
    Result<TimeNs> parse_text(std::string_view text);
    // A JSON number's text.
    Result<TimeNs> parse_number(std::string_view text);

    // What was chosen or learnt so far (form, unit, year), for a snapshot; opaque bytes. load() is for a
    // parser with the same options; false, and nothing changed, if the bytes are not from such a one.
    std::string save() const;
    bool load(std::string_view saved);

private:
    struct Impl;
    explicit TimeParser(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Whether some text or number text looks like a time that a TimeParser without options would read:
// for the hint that names the fields that look like one. A number must lie in 2000 to 2100.
bool looks_like_time(std::string_view text, bool is_number);

}  // namespace stream
