// SPDX-License-Identifier: Apache-2.0
#include "ops/filter.hpp"

namespace stream {

Result<void> Filter::on_event(int, const Event& event, Sink& sink) {
    auto holds = expression_.holds(event.raw, event.values);
    if (!holds) return pass_on(holds);
    if (*holds == options_.invert) return {};
    ++selected_;
    if (!options_.quiet) sink.pass(event);
    return {};
}

void Filter::append_stats(std::string& out) const {
    out += ",\"left_to_libjq\":" + std::to_string(expression_.left_to_libjq());
}

}  // namespace stream
