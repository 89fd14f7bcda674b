// SPDX-License-Identifier: Apache-2.0
#include "cli/diagnostics.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"

namespace stream {

void Diagnostics::write(std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(2, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;  // nobody to tell
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

void Diagnostics::say(std::string_view message) {
    clear_progress();
    write(tool_ + ": " + printable(message) + "\n");
}

void Diagnostics::say(const Error& error) {
    const std::string& message = error.message();
    if (error.kind() != ErrorKind::usage) {
        say(message);
    } else {
        // The lines behind the first are an expression and the place in it.
        clear_progress();
        std::string text = tool_ + ": ";
        for (std::size_t at = 0; at <= message.size();) {
            const std::size_t end = std::min(message.find('\n', at), message.size());
            text += printable(std::string_view(message).substr(at, end - at)) + "\n";
            at = end + 1;
        }
        write(text);
    }
    if (!error.hint().empty()) hint(error.hint());
}

void Diagnostics::hint(std::string_view text) {
    clear_progress();
    write("hint: " + printable(text) + "\n");
}

void Diagnostics::progress(std::string_view line) {
    std::string text = "\r" + std::string(line);
    if (line.size() < progress_width_) text.append(progress_width_ - line.size(), ' ');
    progress_width_ = line.size();
    write(text);
}

void Diagnostics::clear_progress() {
    if (progress_width_ == 0) return;
    write("\r" + std::string(progress_width_, ' ') + "\r");
    progress_width_ = 0;
}

}  // namespace stream
