// SPDX-License-Identifier: Apache-2.0
// The only code that writes to stderr.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace stream {

class Diagnostics {
public:
    explicit Diagnostics(std::string tool) : tool_(std::move(tool)) {}

    // `tool: message`, one line, control characters escaped.
    void say(std::string_view message);
    // …and a `hint:` line, if there is one.
    void say(const Error& error);
    void hint(std::string_view text);

    // A progress line that is overwritten by the next; cleared before anything else is said.
    void progress(std::string_view line);
    void clear_progress();

    const std::string& tool() const { return tool_; }

private:
    void write(std::string_view text);

    std::string tool_;
    std::size_t progress_width_ = 0;
};

}  // namespace stream
