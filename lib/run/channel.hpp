// SPDX-License-Identifier: Apache-2.0
// A connection on run.sock, both ends: packets in order, each a Message.
#pragma once

#include <optional>
#include <string>

#include "base/error.hpp"
#include "io/fd.hpp"
#include "run/message.hpp"

namespace stream::run {

class Channel {
public:
    explicit Channel(OwnedFd fd) : fd_(std::move(fd)) {}

    int fd() const { return fd_.get(); }
    // False: the other end is gone.
    bool send(const Message& message);
    enum class Got { message, nothing, gone };
    // With `wait`, until there is something.
    Got receive(Message& message, bool wait);

private:
    OwnedFd fd_;
};

// `folder`/run.sock, however long that path is. ErrorKind::io.
Result<OwnedFd> listen_in(const std::string& folder);
Result<Channel> connect_to(const std::string& folder);
// A new connection of a process of the same user; nothing where there is none now.
std::optional<Channel> accept_from(int listening);

}  // namespace stream::run
