// SPDX-License-Identifier: Apache-2.0
// Calendar windows in a zone that follows its clock changes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "time/timestamp.hpp"

namespace stream {

class Zone {
public:
    // An IANA name (Europe/Berlin) or UTC. ErrorKind::usage for an unknown one, its hint a near name;
    // ErrorKind::io where the system has no tzdata. A zone may be shared by threads.
    static Result<std::shared_ptr<const Zone>> find(const std::string& name);
    virtual ~Zone() = default;

    // Seconds east of UTC at this instant.
    virtual std::int64_t offset_s(TimeNs time) const = 0;
    // The instant at which the zone's clock shows this local time (nanoseconds since 1970-01-01T00:00
    // on that clock). A local time that never was (spring) is the instant of the change; one that was
    // twice (autumn) is the first.
    virtual TimeNs to_utc(std::int64_t local_ns) const = 0;
};

enum class CalendarUnit : std::uint8_t { day, week, month };  // weeks start on Monday

// The window of `count` units that holds `time`, on the zone's calendar, and where it ends: days and
// weeks are counted from 1970-01-01 and from Monday 1970-01-05, months from January 1970, on the
// zone's own clock. `shift_ns` moves the boundaries on that clock. start <= time < end, and each window
// ends where the next one starts: where a clock is put back over a boundary the first time it shows it
// counts, and a day that a zone skipped has no window. `count` is at least 1.
struct CalendarWindow {
    TimeNs start = 0;
    TimeNs end = 0;
};
CalendarWindow calendar_window(const Zone& zone, TimeNs time, CalendarUnit unit, std::int64_t count,
                               DurationNs shift_ns);

}  // namespace stream
