// SPDX-License-Identifier: Apache-2.0
// What a service manager is told, where it has given NOTIFY_SOCKET: sd_notify(3)'s datagrams. The run is ready once an
// epoch is committed: then the inputs were found, the states loaded and the sinks written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/fd.hpp"

namespace stream {

class Readiness {
public:
    // Takes NOTIFY_SOCKET out of the environment: the pipeline's commands are not to answer for the run.
    Readiness();

    // To be called at least every few seconds: as long as it is not ready, the manager's time to start is extended (a large
    // state takes its time).
    void still_starting(std::int64_t now_ns);
    void committed(std::uint64_t epoch, std::int64_t now_ns);
    void restarting(const std::string& why);
    // Told once.
    void stopping();
    // At the end of a run that had nothing to commit.
    void done();

private:
    void send(std::string_view text);
    void ready(const std::string& status);

    OwnedFd socket_;
    std::string address_;  // a path, or @name
    bool is_ready_ = false;
    bool is_stopping_ = false;
    std::int64_t told_ns_ = 0;
};

}  // namespace stream
