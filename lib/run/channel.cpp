// SPDX-License-Identifier: Apache-2.0
#include "run/channel.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace stream::run {

namespace {

constexpr std::size_t packet_max = 128 << 10;
constexpr const char* socket_name = "run.sock";

// An address by way of the open folder: a socket's own path has 107 bytes at most.
sockaddr_un address_in(int folder) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = fmt::format("/proc/self/fd/{}/{}", folder, socket_name);
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

}  // namespace

bool Channel::send(const Message& message) {
    const std::string bytes = message.encode();
    for (;;) {
        if (::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size())) return true;
        if (errno != EINTR) return false;
    }
}

Channel::Got Channel::receive(Message& message, bool wait) {
    std::string bytes(packet_max, '\0');
    for (;;) {
        const ssize_t got = ::recv(fd_.get(), bytes.data(), bytes.size(), wait ? 0 : MSG_DONTWAIT);
        // Reset: the other end went and left something unread. What it had sent is still here, behind that error.
        if (got < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
        if (got < 0 && errno == EAGAIN) return Got::nothing;
        if (got <= 0) return Got::gone;
        auto decoded = Message::decode(std::string_view(bytes).substr(0, static_cast<std::size_t>(got)));
        if (!decoded) return Got::gone;  // no tool of ours
        message = std::move(*decoded);
        return Got::message;
    }
}

Result<OwnedFd> listen_in(const std::string& folder) {
    const OwnedFd place = open_fd(folder, O_PATH | O_DIRECTORY);
    if (!place.is_open()) return system_failure("open", folder, errno);
    if (::unlinkat(place.get(), socket_name, 0) != 0 && errno != ENOENT) return system_failure("remove", folder + "/" + socket_name, errno);
    OwnedFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_un address = address_in(place.get());
    if (!fd.is_open() || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(fd.get(), 128) != 0) {
        return system_failure("listen on", folder + "/" + socket_name, errno);
    }
    return fd;
}

Result<Channel> connect_to(const std::string& folder) {
    const OwnedFd place = open_fd(folder, O_PATH | O_DIRECTORY);
    if (!place.is_open()) return system_failure("open", folder, errno);
    OwnedFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const sockaddr_un address = address_in(place.get());
    if (!fd.is_open() || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return system_failure("reach the run at", folder + "/" + socket_name, errno);
    }
    return Channel(std::move(fd));
}

std::optional<Channel> accept_from(int listening) {
    OwnedFd fd(::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.is_open()) return std::nullopt;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || (peer.uid != ::geteuid() && peer.uid != 0)) return std::nullopt;
    return Channel(std::move(fd));
}

}  // namespace stream::run
