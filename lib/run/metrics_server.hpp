// SPDX-License-Identifier: Apache-2.0
// GET /metrics over HTTP, within somebody else's poll loop: nothing here ever waits. A few connections at a time (the
// oldest goes for a new one), requests of 8 KiB at most, five seconds for each, one answer a connection.
#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "io/fd.hpp"

namespace stream::run {

// The answer to a request (its head, with the empty line), whole; `page` is asked for only where it is wanted.
std::string answer_http(std::string_view request, const std::function<std::string()>& page);

class MetricsServer {
public:
    // HOST:PORT with numbers, [::1]:PORT, localhost:PORT, :PORT (127.0.0.1), unix:PATH. ErrorKind::usage where it is none of
    // these, ErrorKind::io where the system refuses it (in use).
    static Result<std::unique_ptr<MetricsServer>> listen(const std::string& address);
    ~MetricsServer();
    MetricsServer(const MetricsServer&) = delete;
    MetricsServer& operator=(const MetricsServer&) = delete;

    // As it can be asked: http://127.0.0.1:9464/metrics, also where port 0 was given.
    const std::string& place() const { return place_; }

    // What to poll, behind what is there.
    void add_to(std::vector<pollfd>& polled) const;
    // The same entries after the poll; by a steady clock.
    void serve(std::span<const pollfd> polled, std::int64_t now_ns, const std::function<std::string()>& page);
    // When a slow client is to be dropped; -1: none is there.
    std::int64_t due_ns() const;

private:
    struct Client {
        OwnedFd fd;
        std::int64_t until_ns = 0;
        std::string in;
        std::string out;
        bool answered = false;  // all of it is sent: what it still sends is read and thrown away, until it goes
    };
    MetricsServer() = default;
    void take(std::int64_t now_ns);
    bool go_on(Client& client, const std::function<std::string()>& page);

    OwnedFd listening_;
    std::string place_;
    std::string unix_path_;
    std::vector<Client> clients_;
};

}  // namespace stream::run
