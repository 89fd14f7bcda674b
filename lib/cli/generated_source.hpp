// SPDX-License-Identifier: Apache-2.0
// Generated events as a source that goes on at a place: in a run.
#pragma once

#include <memory>
#include <string>

#include "base/error.hpp"
#include "io/source.hpp"
#include "ops/gen.hpp"

namespace stream {

// `place`: what place_text() gave; empty: the first event. `rate`: events a second of clock; 0: as fast as it goes.
Result<std::unique_ptr<PlacedSource>> open_generated(const GenOptions& options, double rate, const std::string& place);

}  // namespace stream
