// SPDX-License-Identifier: Apache-2.0
#include "run/metrics_server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "run/exposition.hpp"

namespace stream::run {

namespace {

constexpr std::size_t clients_max = 8;
constexpr std::size_t request_max = 8 << 10;
constexpr std::int64_t patience_ns = 5'000'000'000;

tl::unexpected<Error> no_address(const std::string& text) {
    return fail(ErrorKind::usage, "--metrics: not an address: " + stream::quoted(text), "127.0.0.1:9464, :9464 (the same), [::1]:9464 or unix:PATH");
}

std::string answer(std::string_view status, std::string_view more, std::string_view type, std::string_view body, bool head_only) {
    std::string out = fmt::format("HTTP/1.1 {}\r\n{}Content-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", status, more, type, body.size());
    if (!head_only) out += body;
    return out;
}

std::string refusal(std::string_view status, std::string_view more = "", bool head_only = false) {
    return answer(status, more, "text/plain; charset=utf-8", std::string(status) + "\n", head_only);
}

// The path of a target: without its query, and without the scheme and host that a proxy's request has.
std::string_view path_of(std::string_view target) {
    if (target.starts_with("http://")) {
        target.remove_prefix(7);
        const std::size_t slash = target.find('/');
        target = slash == std::string_view::npos ? "/" : target.substr(slash);
    }
    return target.substr(0, target.find_first_of("?#"));
}

// False: nobody answers there.
bool is_alive(const sockaddr_un& address) {
    const OwnedFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno != ECONNREFUSED;
}

Result<OwnedFd> listen_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return fail(ErrorKind::usage, "--metrics: a socket's path has 1 to 107 bytes: " + stream::quoted(path, 200));
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto bound = [&] { return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0; };
    bool done = fd.is_open() && bound();
    // One that a crash left behind.
    struct stat status {};
    if (!done && errno == EADDRINUSE && ::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode) && !is_alive(address)) {
        ::unlink(path.c_str());
        done = bound();
    } else if (!done && errno != EADDRINUSE) {
        return system_failure("listen on", path, errno);
    }
    if (!done) return system_failure("listen on", path, EADDRINUSE);
    if (::listen(fd.get(), clients_max) != 0) return system_failure("listen on", path, errno);
    return fd;
}

Result<OwnedFd> listen_tcp(const std::string& text, std::string& place) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) return no_address(text);
    std::string host = text.substr(0, colon);
    const std::string port = text.substr(colon + 1);
    if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos || std::stoul(port) > 65535) return no_address(text);
    if (host.empty() || host == "localhost") host = "127.0.0.1";
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    sockaddr_in6 six{};
    sockaddr_in four{};
    four.sin_family = AF_INET;
    six.sin6_family = AF_INET6;
    four.sin_port = six.sin6_port = htons(static_cast<in_port_t>(std::stoul(port)));
    if (::inet_pton(bracketed ? AF_INET6 : AF_INET, host.c_str(), bracketed ? static_cast<void*>(&six.sin6_addr) : &four.sin_addr) != 1) return no_address(text);
    const auto* where = bracketed ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
    OwnedFd fd(::socket(where->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int one = 1;
    if (fd.is_open()) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!fd.is_open() || ::bind(fd.get(), where, bracketed ? sizeof six : sizeof four) != 0 || ::listen(fd.get(), clients_max) != 0) {
        return system_failure("listen on", text, errno);
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    const in_port_t given = bracketed ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port : reinterpret_cast<const sockaddr_in&>(bound).sin_port;
    place = fmt::format("http://{}{}{}:{}/metrics", bracketed ? "[" : "", host, bracketed ? "]" : "", ntohs(given));
    return fd;
}

}  // namespace

std::string answer_http(std::string_view request, const std::function<std::string()>& page) {
    const std::string_view line = request.substr(0, request.find_first_of("\r\n"));
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == 0 || last <= first + 1) return refusal("400 Bad Request");
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    if (!line.substr(last + 1).starts_with("HTTP/1.") || target.find(' ') != std::string_view::npos) return refusal("400 Bad Request");
    const bool head = method == "HEAD";
    if (path_of(target) != "/metrics") return refusal("404 Not Found", "", head);
    if (!head && method != "GET") return refusal("405 Method Not Allowed", "Allow: GET, HEAD\r\n");
    return answer("200 OK", "", exposition_type, page(), head);
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::listen(const std::string& address) {
    std::unique_ptr<MetricsServer> server(new MetricsServer());
    const bool is_unix = address.starts_with("unix:");
    auto fd = is_unix ? listen_unix(address.substr(5)) : listen_tcp(address, server->place_);
    if (!fd) return pass_on(fd);
    server->listening_ = std::move(*fd);
    if (is_unix) {
        server->unix_path_ = address.substr(5);
        server->place_ = address;
    }
    return server;
}

MetricsServer::~MetricsServer() {
    if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
}

void MetricsServer::add_to(std::vector<pollfd>& polled) const {
    polled.push_back({listening_.get(), POLLIN, 0});
    for (const Client& client : clients_) polled.push_back({client.fd.get(), static_cast<short>(client.out.empty() ? POLLIN : POLLOUT), 0});
}

std::int64_t MetricsServer::due_ns() const {
    std::int64_t due = -1;
    for (const Client& client : clients_) due = due < 0 ? client.until_ns : std::min(due, client.until_ns);
    return due;
}

void MetricsServer::take(std::int64_t now_ns) {
    OwnedFd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.is_open()) return;
    if (clients_.size() >= clients_max) clients_.erase(clients_.begin());
    Client client;
    client.fd = std::move(fd);
    client.until_ns = now_ns + patience_ns;
    clients_.push_back(std::move(client));
}

// False: it is done, or gone. One read and one write at most.
bool MetricsServer::go_on(Client& client, const std::function<std::string()>& page) {
    if (client.out.empty()) {
        char bytes[4096];
        const ssize_t got = ::recv(client.fd.get(), bytes, sizeof bytes, 0);
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        if (got == 0) return false;
        if (client.answered) return true;
        client.in.append(bytes, static_cast<std::size_t>(got));
        const bool whole = client.in.find("\r\n\r\n") != std::string::npos || client.in.find("\n\n") != std::string::npos;
        if (!whole && client.in.size() < request_max) return true;
        client.out = whole && client.in.size() <= request_max ? answer_http(client.in, page) : refusal("431 Request Header Fields Too Large");
    }
    const ssize_t sent = ::send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    client.out.erase(0, static_cast<std::size_t>(sent));
    if (!client.out.empty()) return true;
    // Not closed yet: what it has sent and nobody read would make the system take the answer back.
    client.answered = true;
    ::shutdown(client.fd.get(), SHUT_WR);
    return true;
}

void MetricsServer::serve(std::span<const pollfd> polled, std::int64_t now_ns, const std::function<std::string()>& page) {
    const std::size_t known = std::min(clients_.size(), polled.empty() ? 0 : polled.size() - 1);
    std::vector<Client> stay;
    for (std::size_t i = 0; i < clients_.size(); ++i) {
        const bool ready = i < known && polled[i + 1].revents != 0;
        if ((!ready || go_on(clients_[i], page)) && now_ns < clients_[i].until_ns) stay.push_back(std::move(clients_[i]));
    }
    clients_ = std::move(stay);
    if (!polled.empty() && polled[0].revents != 0) take(now_ns);
}

}  // namespace stream::run
