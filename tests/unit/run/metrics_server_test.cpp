// SPDX-License-Identifier: Apache-2.0
// Goal: the page is for GET /metrics alone, every other request has its own answer, and no client holds the loop up.
#include "run/metrics_server.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace stream::run {
namespace {

std::string page() { return "page\n"; }
std::string status_of(const std::string& request) {
    const std::string answer = answer_http(request, page);
    return answer.substr(9, 3);
}

TEST(MetricsServer, AnswersByMethodAndPath) {
    EXPECT_EQ(answer_http("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", page),
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: 5\r\nConnection: close\r\n\r\npage\n");
    EXPECT_EQ(answer_http("HEAD /metrics HTTP/1.1\r\n\r\n", page),
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(status_of("GET /metrics?name[]=x HTTP/1.0\n\n"), "200");
    EXPECT_EQ(status_of("GET http://127.0.0.1:9464/metrics HTTP/1.1\r\n\r\n"), "200");
    for (const char* line : {"GET / HTTP/1.1", "GET /metrics/ HTTP/1.1", "GET http://a HTTP/1.1", "HEAD /x HTTP/1.1"}) {
        EXPECT_EQ(status_of(std::string(line) + "\r\n\r\n"), "404") << line;
    }
    for (const char* line : {"POST /metrics HTTP/1.1", "DELETE /metrics HTTP/1.1"}) {
        EXPECT_EQ(status_of(std::string(line) + "\r\n\r\n"), "405") << line;
    }
    for (const char* line : {"", "GET", "GET /metrics", "GET  HTTP/1.1", " /metrics HTTP/1.1", "GET /a b HTTP/1.1", "GET /metrics SPDY", "\x16\x03\x01 "}) {
        EXPECT_EQ(status_of(std::string(line) + "\r\n\r\n"), "400") << line;
    }
}

TEST(MetricsServer, AddressesAreReadStrictly) {
    for (const char* address : {"", "9464", ":", ":x", ":70000", "example.org:9464", "1.2.3:9", "[::1]", "::1:9464", "127.0.0.1:-1"}) {
        const auto server = MetricsServer::listen(address);
        ASSERT_FALSE(server) << address;
        EXPECT_EQ(server.error().kind(), ErrorKind::usage) << address;
    }
    const auto server = MetricsServer::listen("localhost:0");
    ASSERT_TRUE(server);
    EXPECT_TRUE((*server)->place().starts_with("http://127.0.0.1:"));
    const std::string taken = (*server)->place().substr(7, (*server)->place().find("/metrics") - 7);
    const auto second = MetricsServer::listen(taken);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind(), ErrorKind::io);
}

class Server : public testing::Test {
protected:
    void SetUp() override {
        path_ = testing::TempDir() + "metrics." + std::to_string(::getpid());
        auto made = MetricsServer::listen("unix:" + path_);
        ASSERT_TRUE(made);
        server_ = std::move(*made);
    }
    OwnedFd connect() const {
        OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path_.data(), path_.size());
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        return fd;
    }
    void turn(int times = 1) {
        for (; times > 0; --times) {
            std::vector<pollfd> polled;
            server_->add_to(polled);
            ::poll(polled.data(), polled.size(), 0);
            server_->serve(polled, now_, page);
        }
    }
    static std::string read_all(const OwnedFd& fd) {
        char bytes[4096];
        const ssize_t got = ::recv(fd.get(), bytes, sizeof bytes, 0);
        return got < 0 ? "nothing" : std::string(bytes, static_cast<std::size_t>(got));
    }
    std::string path_;
    std::unique_ptr<MetricsServer> server_;
    std::int64_t now_ = 0;
};

TEST_F(Server, ARequestMayComeByteByByte) {
    const OwnedFd client = connect();
    for (const char c : std::string("GET /metrics HTTP/1.1\r\n\r\n")) {
        EXPECT_EQ(read_all(client), "nothing");
        ::send(client.get(), &c, 1, 0);
        turn(2);
    }
    EXPECT_TRUE(read_all(client).ends_with("\r\n\r\npage\n"));
    EXPECT_EQ(read_all(client), "");
}

TEST_F(Server, WhoSaysNothingOrTooMuchGoes) {
    const OwnedFd silent = connect();
    const OwnedFd talks = connect();
    const std::string much(20'000, 'x');
    ::send(talks.get(), much.data(), much.size(), 0);
    turn(8);
    EXPECT_TRUE(read_all(talks).starts_with("HTTP/1.1 431"));
    EXPECT_EQ(read_all(silent), "nothing");
    EXPECT_EQ(server_->due_ns(), 5'000'000'000);
    now_ = 5'000'000'000;
    turn();
    EXPECT_EQ(read_all(silent), "");
    EXPECT_EQ(server_->due_ns(), -1);
}

TEST_F(Server, OfManyTheOldestGoes) {
    std::vector<OwnedFd> clients;
    for (int i = 0; i < 12; ++i) {
        clients.push_back(connect());
        turn();
    }
    EXPECT_EQ(read_all(clients[0]), "");
    const std::string request = "GET /metrics HTTP/1.1\r\n\r\n";
    ::send(clients[11].get(), request.data(), request.size(), 0);
    turn();
    EXPECT_TRUE(read_all(clients[11]).ends_with("page\n"));
}

TEST_F(Server, ASocketThatACrashLeftIsTaken) {
    const auto second = MetricsServer::listen("unix:" + path_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind(), ErrorKind::io);
    // As after kill -9: the file is there, and nobody listens.
    const std::string left = path_ + "-left";
    ASSERT_EQ(::rename(path_.c_str(), left.c_str()), 0);
    server_.reset();
    const auto third = MetricsServer::listen("unix:" + left);
    EXPECT_TRUE(third) << third.error().message();
}

}  // namespace
}  // namespace stream::run
