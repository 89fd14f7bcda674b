// SPDX-License-Identifier: Apache-2.0
// The only exit codes there are. The same table is in every man page.
#pragma once

#include "base/error.hpp"

namespace stream {

enum ExitStatus : int {
    exit_done = 0,
    exit_nothing_selected = 1,  // with -q only
    exit_usage = 2,
    exit_input = 3,  // bad, late or incomplete input
    exit_io = 4,
    exit_corrupt = 5,
    exit_locked = 6,
    exit_limit = 7,
    exit_signal = 128,  // + the signal's number; 141 when the reader went away
};

inline int exit_status_of(ErrorKind kind, int signal_number) {
    switch (kind) {
        case ErrorKind::usage: return exit_usage;
        case ErrorKind::data: return exit_input;
        case ErrorKind::io: return exit_io;
        case ErrorKind::corrupt: return exit_corrupt;
        case ErrorKind::locked: return exit_locked;
        case ErrorKind::limit: return exit_limit;
        case ErrorKind::incomplete: return exit_input;
        case ErrorKind::closed: return exit_signal + 13;
        case ErrorKind::stopped: return exit_signal + signal_number;
    }
    return exit_io;
}

}  // namespace stream
