// SPDX-License-Identifier: Apache-2.0
// The one place that reads with the date library: slow (a stream, a locale), but it knows weeks.
// As Debian builds it; the library's own CMake targets would say the same.
#ifndef ONLY_C_LOCALE
#define ONLY_C_LOCALE 1
#endif
// False positives in the library's templates, which are instantiated here.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include "time/calendar.hpp"
#include "time/time_format.hpp"

#include <date/date.h>

#include <istream>
#include <streambuf>

namespace stream {
namespace {

// Reads a text where it lies.
class ViewBuffer : public std::streambuf {
public:
    void set(std::string_view text) {
        // setg asks for char*, and a buffer that is only read never writes through it.
        char* const start = const_cast<char*>(text.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
        setg(start, start, start + text.size());
    }
};

}  // namespace

struct DateLibraryReader::Impl {
    std::string format;
    ViewBuffer buffer;
    std::istream stream{&buffer};
    std::string zone_name;
    bool offset_asked = false;
};

DateLibraryReader::DateLibraryReader(const std::string& format) : impl_(std::make_unique<Impl>()) {
    impl_->format = format;
    impl_->offset_asked = format.find("%z") != std::string::npos || format.find("%Ez") != std::string::npos ||
                          format.find("%Oz") != std::string::npos;
}

DateLibraryReader::~DateLibraryReader() = default;

const char* DateLibraryReader::read(std::string_view text, TimeFields& out) {
    constexpr const char* mismatch = "it does not match the format";
    using Nanoseconds = std::chrono::nanoseconds;
    try {
        impl_->buffer.set(text);
        impl_->stream.clear();
        impl_->zone_name.clear();
        date::fields<Nanoseconds> fields;
        std::chrono::minutes offset{0};
        date::from_stream(impl_->stream, impl_->format.c_str(), fields, &impl_->zone_name, &offset);
        if (impl_->stream.fail() || !fields.ymd.ok()) return mismatch;
        if (impl_->stream.peek() != std::istream::traits_type::eof())
            return "text follows what the format takes";
        if (!impl_->zone_name.empty()) {
            const std::string_view name = impl_->zone_name;
            if (name != "UTC" && name != "GMT" && name != "Z") {
                return "of zone names only UTC, GMT and Z say what they mean";
            }
        }
        out.year = int{fields.ymd.year()};
        out.month = static_cast<int>(unsigned{fields.ymd.month()});
        out.day = static_cast<int>(unsigned{fields.ymd.day()});
        const std::int64_t of_day = fields.has_tod ? Nanoseconds(fields.tod.to_duration()).count() : 0;
        if (of_day < 0 || of_day >= ns_per_day) return "there is no such time of day";
        out.hour = static_cast<int>(of_day / ns_per_hour);
        out.minute = static_cast<int>(of_day / ns_per_minute % 60);
        out.second = static_cast<int>(of_day / ns_per_second % 60);
        out.nanoseconds = static_cast<std::int32_t>(of_day % ns_per_second);
        out.has_offset = impl_->offset_asked || !impl_->zone_name.empty();
        out.offset_s = static_cast<std::int32_t>(offset.count() * 60);
    } catch (...) {
        return mismatch;
    }
    return nullptr;
}

}  // namespace stream
