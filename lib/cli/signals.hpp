// SPDX-License-Identifier: Apache-2.0
// SIGINT, SIGTERM and SIGHUP ask the tool to stop; a second one stops it at once (the default action is
// back by then). SIGPIPE and SIGXFSZ are ignored: the failed write tells. Descriptors 0 to 2 are opened
// on /dev/null where the caller closed them, so that no file of ours ends up there.
#pragma once

namespace stream {

void install_signals();
// The number of the signal that asked us to stop; 0 if none has.
int stop_signal();
// Readable once a signal has come: to be polled with whatever is waited for.
int stop_fd();

// Reserves 0 to 2 and tells which of stdin and stdout were open.
struct StandardDescriptors {
    bool stdin_open = true;
    bool stdout_open = true;
};
StandardDescriptors reserve_standard_descriptors();

// Waits until `fd` (or -1) is readable, a stop signal comes, whoever reads `output_fd` (or -1) goes
// away, or the time (milliseconds, -1: for ever) has passed.
enum class Woken { input, stop, reader_gone, timeout };
Woken wait_for(const int* fds, int count, int output_fd, int timeout_ms);

}  // namespace stream
