// SPDX-License-Identifier: Apache-2.0
// strptime's formats. The usual letters are read by hand, some fifty nanoseconds a time; a format with
// a rare one (%U %V %W %G %g %C, and %E… %O…) goes to the date library whole. Internal to lib/time.
#pragma once

#include "base/error.hpp"
#include "time/time_forms.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

// What a text said. Values are within their letters' ranges; whether the day exists is not yet known.
struct TimeFields {
    std::int64_t year = 0;
    int month = 1;
    int day = 1;
    int day_of_year = 0;  // 0: month and day count
    int weekday = -1;     // 0 is Sunday
    int hour = 0;
    int minute = 0;
    int second = 0;  // 60 is a leap second
    std::int32_t nanoseconds = 0;
    std::int32_t offset_s = 0;
    bool has_offset = false;
    bool has_epoch = false;  // epoch_s is the time; the rest but nanoseconds does not count
    std::int64_t epoch_s = 0;
};

// Letters of the date library that are not ours.
class DateLibraryReader {
public:
    explicit DateLibraryReader(const std::string& format);
    ~DateLibraryReader();
    const char* read(std::string_view text, TimeFields& out);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

class TimeFormat {
public:
    // ErrorKind::usage for letters that do not exist, or a format that names no point in time.
    static Result<TimeFormat> make(const std::string& format);

    // The whole text; null, or the reason why not (a literal).
    const char* read(std::string_view text, TimeFields& out);

    // What the format leaves to a base.
    bool lacks_year() const { return lacks_year_; }
    bool lacks_date() const { return lacks_date_; }

private:
    struct Step {
        char letter;   // 0: `literal` must stand there; ' ': any white space, or none
        char literal;  // for S and s: whether a fraction may follow
    };

    Result<void> compile(std::string_view format, bool& rare);
    Result<void> compile_letter(char letter, bool& rare);
    Result<void> check(const std::string& format);
    bool has(std::string_view letters) const { return letters_.find_first_of(letters) != std::string::npos; }

    std::vector<Step> steps_;
    std::string letters_;  // those that occur, composites taken apart
    std::unique_ptr<DateLibraryReader> rare_;
    bool lacks_year_ = false;
    bool lacks_date_ = false;
};

}  // namespace stream
