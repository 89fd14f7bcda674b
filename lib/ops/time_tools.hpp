// SPDX-License-Identifier: Apache-2.0
// stream-time: putting event time right. Each verb is an operator.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "json/fields.hpp"
#include "ops/operator.hpp"
#include "time/time_parser.hpp"

namespace stream {

// parse: the event's time (read by the pump) is written as `ts`.
std::unique_ptr<Operator> make_time_parse();

// reorder: events as they come from the pump, which has put them in order.
std::unique_ptr<Operator> make_time_reorder();

// stamp: adds the time that `now` tells, as `name`.
std::unique_ptr<Operator> make_time_stamp(std::string name, std::function<TimeNs()> now);

// correct: a device's clock put right by three timestamps (when it happened and when it was sent, both
// by the device's clock; when it was received, by ours): ts = device + (received - sent). An empty
// `received` means that we receive it now, by the clock that `now` tells.
struct CorrectOptions {
    std::string device;
    std::string sent;
    std::string received;
    TimeOptions time;
    std::function<TimeNs()> now;
};
Result<std::unique_ptr<Operator>> make_time_correct(const CorrectOptions& options, FieldSet& fields);

// report: one event at the end with what the stream's disorder was. `at`: lateness bounds, with their
// text, for which the events later than each are counted.
struct ReportOptions {
    std::vector<std::pair<std::string, DurationNs>> at;
    std::size_t memory_bytes = 256u << 20;
};
std::unique_ptr<Operator> make_time_report(ReportOptions options);

}  // namespace stream
