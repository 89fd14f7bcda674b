// SPDX-License-Identifier: Apache-2.0
#include "cli/run/readiness.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/text.hpp"

namespace stream {

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

}  // namespace

Readiness::Readiness() {
    const char* given = std::getenv("NOTIFY_SOCKET");
    if (given == nullptr) return;
    address_ = given;
    ::unsetenv("NOTIFY_SOCKET");
    // A path or an abstract name; other kinds (vsock:) are virtual machines'.
    const bool usable = address_.size() > 1 && (address_[0] == '/' || address_[0] == '@') && address_.size() < sizeof(sockaddr_un::sun_path);
    if (usable) socket_ = OwnedFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// A manager that is gone, or does not listen, is none of the run's troubles.
void Readiness::send(std::string_view text) {
    if (!socket_.is_open()) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, address_.data(), address_.size());
    if (address_[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
    [[maybe_unused]] const auto n = ::sendto(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
}

void Readiness::still_starting(std::int64_t now_ns) {
    if (is_ready_ || is_stopping_ || !socket_.is_open() || (told_ns_ != 0 && now_ns - told_ns_ < 5 * second_ns)) return;
    told_ns_ = now_ns;
    send("EXTEND_TIMEOUT_USEC=30000000\nSTATUS=starting");
}

void Readiness::ready(const std::string& status) {
    send((is_ready_ ? "STATUS=" : "READY=1\nSTATUS=") + status);
    is_ready_ = true;
}

void Readiness::committed(std::uint64_t epoch, std::int64_t now_ns) {
    // Not each of a hundred a second.
    if (!socket_.is_open() || (is_ready_ && (is_stopping_ || now_ns - told_ns_ < second_ns))) return;
    told_ns_ = now_ns;
    ready("epoch " + std::to_string(epoch));
}

void Readiness::restarting(const std::string& why) {
    told_ns_ = 0;
    send("STATUS=" + (why.empty() ? std::string("starting again") : "starting again: " + printable(why, 200)));
}

void Readiness::stopping() {
    if (is_stopping_) return;
    is_stopping_ = true;
    send("STOPPING=1\nSTATUS=stopping");
}

void Readiness::done() {
    if (!is_ready_) ready("nothing new");
    stopping();
}

}  // namespace stream
