// SPDX-License-Identifier: Apache-2.0
#include "time/time_parser.hpp"

#include "base/text.hpp"
#include "time/calendar.hpp"
#include "time/time_base.hpp"
#include "time/time_format.hpp"
#include "time/time_forms.hpp"
#include "time/zone.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace stream {
namespace {

constexpr std::string_view syslog_format = "%b %e %H:%M:%S";
constexpr const char* other_unit = "of another unit";

const char* form_name(TimeForm form) {
    switch (form) {
        case TimeForm::rfc3339:
            return "RFC 3339";
        case TimeForm::clf:
            return "in the common log format";
        case TimeForm::number:
            return "a number";
        case TimeForm::format:
            return "in the format given";
        case TimeForm::none:
            break;
    }
    return "nothing known";
}

const char* unit_name(TimeUnit unit) {
    switch (unit) {
        case TimeUnit::s:
            return "seconds";
        case TimeUnit::ms:
            return "milliseconds";
        case TimeUnit::us:
            return "microseconds";
        case TimeUnit::ns:
            return "nanoseconds";
        case TimeUnit::none:
            break;
    }
    return "no unit";
}

const char* unit_flag(TimeUnit unit) {
    switch (unit) {
        case TimeUnit::s:
            return "--time-unit s";
        case TimeUnit::ms:
            return "--time-unit ms";
        case TimeUnit::us:
            return "--time-unit us";
        case TimeUnit::ns:
            return "--time-unit ns";
        case TimeUnit::none:
            break;
    }
    return "";
}

// False: the time is out of range. `zone` (null: UTC) is for clocks without an offset.
inline bool to_instant(const ClockTime& clock, const Zone* zone, TimeNs& out) {
    WideInt time = WideInt{clock.seconds} * ns_per_second + clock.nanoseconds;
    if (clock.has_offset || zone == nullptr) {
        time -= WideInt{clock.offset_s} * ns_per_second;
    } else {
        if (time <= time_before_all || time >= time_after_all) return false;
        time = zone->to_utc(static_cast<std::int64_t>(time));
    }
    if (time <= time_before_all || time >= time_after_all) return false;
    out = static_cast<TimeNs>(time);
    return true;
}

}  // namespace

struct TimeParser::Impl {
    MinuteCache rfc_minute;
    MinuteCache clf_minute;
    TimeForm form = TimeForm::none;  // none: no time has been read yet
    TimeUnit unit = TimeUnit::none;  // of numbers, as given or as learnt
    bool unit_given = false;
    bool format_given = false;
    bool numbers_have_base = false;
    TimeNs numbers_base = 0;
    std::shared_ptr<const Zone> zone;  // null: UTC
    std::optional<TimeFormat> format;  // as given, or syslog's where there is a base and no format
    TimeBase base;

    Result<void> configure(const TimeOptions& options);
    Result<void> check_base(const TimeOptions& options) const;

    TimeForm choose_form(std::string_view text, bool is_number) const;
    const char* read_number(std::string_view text, TimeNs& out);
    const char* read_format(std::string_view text, TimeNs& out);
    const char* read(TimeForm as, std::string_view text, TimeNs& out);
    Result<TimeNs> parse(std::string_view text, bool is_number);
    Error explain(std::string_view text, TimeForm as, std::string_view reason) const;
};

Result<void> TimeParser::Impl::check_base(const TimeOptions& options) const {
    const bool whole = format && !format->lacks_year() && !format->lacks_date();
    if (format && format->lacks_date() && base.kind() != TimeBase::Kind::date) {
        return fail(ErrorKind::usage, fmt::format("the time format {} has no date", quoted(options.format)),
                    "--base YYYY-MM-DD");
    }
    if (format && format->lacks_year() && base.kind() == TimeBase::Kind::none) {
        return fail(ErrorKind::usage, fmt::format("the time format {} has no year", quoted(options.format)),
                    "--base YEAR");
    }
    const bool for_numbers = base.kind() == TimeBase::Kind::date && unit_given;
    if (base.kind() != TimeBase::Kind::none && whole && !for_numbers) {
        return fail(ErrorKind::usage, fmt::format("the base {} has no use: the time format {} has its year",
                                                  quoted(options.base), quoted(options.format)));
    }
    if (base.kind() == TimeBase::Kind::date && !format && !unit_given) {
        return fail(ErrorKind::usage,
                    "a base that is a date is for a time format without date, or for numbers",
                    "--time-unit ms");
    }
    return {};
}

Result<void> TimeParser::Impl::configure(const TimeOptions& options) {
    unit = options.unit;
    unit_given = unit != TimeUnit::none;
    format_given = !options.format.empty();
    if (!options.zone.empty() && options.zone != "UTC") {
        auto found = Zone::find(options.zone);
        if (!found) return pass_on(found);
        zone = std::move(*found);
    }
    auto made_base = TimeBase::make(options.base);
    if (!made_base) return pass_on(made_base);
    base = *made_base;
    if (format_given) {
        auto made = TimeFormat::make(options.format);
        if (!made) return pass_on(made);
        format = std::move(*made);
    }
    STREAM_TRY(check_base(options));
    if (base.kind() == TimeBase::Kind::year && !format) {
        auto made = TimeFormat::make(std::string(syslog_format));
        if (!made) return pass_on(made);
        format = std::move(*made);
    }
    if (base.kind() == TimeBase::Kind::date && unit_given) {
        numbers_have_base = true;
        numbers_base = base.midnight_s() * ns_per_second;
        if (zone) numbers_base = zone->to_utc(numbers_base);
    }
    return {};
}

TimeForm TimeParser::Impl::choose_form(std::string_view text, bool is_number) const {
    if (form != TimeForm::none) return form;
    if (format_given) return is_number && unit_given ? TimeForm::number : TimeForm::format;
    if (is_number) return TimeForm::number;
    const TimeForm guess = guess_form(text);
    return guess == TimeForm::none && format ? TimeForm::format : guess;
}

const char* TimeParser::Impl::read_number(std::string_view text, TimeNs& out) {
    Decimal number;
    if (!read_decimal(text, number)) return "";
    if (!unit_given) {
        const TimeUnit its_unit = unit_by_magnitude(number);
        if (unit == TimeUnit::none) {
            const char* const reason = to_nanoseconds(number, its_unit, out);
            if (reason == nullptr) unit = its_unit;
            return reason;
        }
        if (its_unit != unit) return other_unit;
    }
    if (const char* reason = to_nanoseconds(number, unit, out)) return reason;
    if (numbers_have_base) {
        out = time_add(numbers_base, out);
        if (out == time_before_all || out == time_after_all) return time_out_of_range;
    }
    return nullptr;
}

const char* TimeParser::Impl::read_format(std::string_view text, TimeNs& out) {
    TimeFields fields;
    ClockTime clock;
    if (const char* reason = format->read(text, fields)) return reason;
    if (const char* reason = base.complete(*format, fields, clock)) return reason;
    return to_instant(clock, zone.get(), out) ? nullptr : time_out_of_range;
}

const char* TimeParser::Impl::read(TimeForm as, std::string_view text, TimeNs& out) {
    ClockTime clock;
    const char* reason = "";
    switch (as) {
        case TimeForm::none:
            return "";
        case TimeForm::number:
            return read_number(text, out);
        case TimeForm::format:
            return read_format(text, out);
        case TimeForm::rfc3339:
            reason = read_rfc3339(text, rfc_minute, clock);
            break;
        case TimeForm::clf:
            reason = read_clf(text, clf_minute, clock);
            break;
    }
    if (reason != nullptr) return reason;
    return to_instant(clock, zone.get(), out) ? nullptr : time_out_of_range;
}

Result<TimeNs> TimeParser::Impl::parse(std::string_view text, bool is_number) {
    const TimeForm as = choose_form(text, is_number);
    TimeNs time = 0;
    if (const char* reason = read(as, text, time)) return tl::unexpected<Error>(explain(text, as, reason));
    form = as;
    return time;
}

Error TimeParser::Impl::explain(std::string_view text, TimeForm as, std::string_view reason) const {
    const std::string what = quoted(text);
    if (reason == other_unit) {
        Decimal number;
        read_decimal(text, number);
        return Error(ErrorKind::data,
                     fmt::format("the first time was in {}, this is in {} by its size: {}", unit_name(unit),
                                 unit_name(unit_by_magnitude(number)), what),
                     unit_flag(unit));
    }
    if (reason == time_out_of_range) {
        return Error(ErrorKind::data,
                     fmt::format("out of range, times are from 1677-09-21 to 2262-04-11: {}", what));
    }
    if (!format_given && form != TimeForm::none) {
        const TimeForm guess = guess_form(text);
        if (guess != TimeForm::none && guess != form) {
            return Error(ErrorKind::data, fmt::format("the first time was {}, this is {}: {}",
                                                      form_name(form), form_name(guess), what));
        }
    }
    std::string message = fmt::format("not a time: {}", what);
    if (!reason.empty()) message += fmt::format(" ({})", reason);
    return Error(ErrorKind::data, std::move(message), as == TimeForm::none ? "--time-format FORMAT" : "");
}

TimeParser::TimeParser(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TimeParser::TimeParser(TimeParser&&) noexcept = default;
TimeParser& TimeParser::operator=(TimeParser&&) noexcept = default;
TimeParser::~TimeParser() = default;

Result<TimeParser> TimeParser::make(const TimeOptions& options) {
    auto impl = std::make_unique<Impl>();
    STREAM_TRY(impl->configure(options));
    return TimeParser(std::move(impl));
}

Result<TimeNs> TimeParser::parse_text(std::string_view text) {
    if (impl_->form == TimeForm::rfc3339) [[likely]] {
        ClockTime clock;
        TimeNs time = 0;
        if (read_rfc3339(text, impl_->rfc_minute, clock) == nullptr &&
            to_instant(clock, impl_->zone.get(), time)) {
            return time;
        }
    }
    return impl_->parse(text, false);
}

Result<TimeNs> TimeParser::parse_number(std::string_view text) {
    TimeNs time = 0;
    if (impl_->form == TimeForm::number && impl_->read_number(text, time) == nullptr) [[likely]]
        return time;
    return impl_->parse(text, true);
}

// Version, form, unit, whether there is a previous time, that time in seconds (little-endian).
std::string TimeParser::save() const {
    std::string saved;
    saved.push_back(1);
    saved.push_back(static_cast<char>(impl_->form));
    saved.push_back(static_cast<char>(impl_->unit));
    saved.push_back(impl_->base.has_previous() ? 1 : 0);
    const auto previous = static_cast<std::uint64_t>(impl_->base.previous_s());
    for (unsigned shift = 0; shift < 64; shift += 8)
        saved.push_back(static_cast<char>(previous >> shift & 0xFF));
    return saved;
}

bool TimeParser::load(std::string_view saved) {
    if (saved.size() != 12 || saved[0] != 1) return false;
    const auto form = static_cast<unsigned char>(saved[1]);
    const auto unit = static_cast<unsigned char>(saved[2]);
    const auto has_previous = static_cast<unsigned char>(saved[3]);
    if (form > static_cast<unsigned>(TimeForm::format) || unit > static_cast<unsigned>(TimeUnit::ns))
        return false;
    std::uint64_t previous = 0;
    for (unsigned i = 0; i < 8; ++i)
        previous |= std::uint64_t{static_cast<unsigned char>(saved[4 + i])} << (8 * i);
    const auto previous_s = static_cast<std::int64_t>(previous);
    if (has_previous > 1 || previous_s > time_after_all / ns_per_second ||
        previous_s < time_before_all / ns_per_second) {
        return false;
    }
    // Saved by a parser with other options.
    if (impl_->unit_given && static_cast<TimeUnit>(unit) != impl_->unit) return false;
    if (static_cast<TimeForm>(form) == TimeForm::format && !impl_->format) return false;
    impl_->form = static_cast<TimeForm>(form);
    impl_->unit = static_cast<TimeUnit>(unit);
    if (has_previous == 1) impl_->base.set_previous(previous_s);
    return true;
}

bool looks_like_time(std::string_view text, bool is_number) {
    const TimeForm form = is_number ? TimeForm::number : guess_form(text);
    MinuteCache cache;
    ClockTime clock;
    TimeNs time = 0;
    if (form == TimeForm::rfc3339)
        return read_rfc3339(text, cache, clock) == nullptr && to_instant(clock, nullptr, time);
    if (form == TimeForm::clf)
        return read_clf(text, cache, clock) == nullptr && to_instant(clock, nullptr, time);
    Decimal number;
    if (form != TimeForm::number || !read_decimal(text, number)) return false;
    constexpr TimeNs year_2000 = days_from_civil(2000, 1, 1) * ns_per_day;
    constexpr TimeNs year_2100 = days_from_civil(2100, 1, 1) * ns_per_day;
    return to_nanoseconds(number, unit_by_magnitude(number), time) == nullptr && time >= year_2000 &&
           time < year_2100;
}

}  // namespace stream
