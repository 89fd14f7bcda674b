// SPDX-License-Identifier: Apache-2.0
#include "run/client.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>

#include "io/file_system.hpp"

namespace stream::run {

namespace {

std::string text_of(const char* value) { return value != nullptr ? value : ""; }

ErrorKind kind_of(std::uint64_t status) {
    switch (status) {
        case 3: return ErrorKind::incomplete;
        case 4: return ErrorKind::io;
        case 5: return ErrorKind::corrupt;
        case 6: return ErrorKind::locked;
        case 7: return ErrorKind::limit;
        default: return ErrorKind::usage;
    }
}

tl::unexpected<Error> run_is_gone() { return fail(ErrorKind::incomplete, "the run has ended"); }

}  // namespace

Environment Environment::read() {
    if (text_of(std::getenv("STREAM_CONTROL")) != "1") return {};
    Environment environment;
    environment.folder = text_of(std::getenv("STREAM_RUN"));
    environment.key = text_of(std::getenv("STREAM_KEY"));
    environment.at_most_once = text_of(std::getenv("STREAM_RUN_AT_MOST_ONCE")) == "1";
    environment.run_stdin = text_of(std::getenv("STREAM_RUN_STDIN"));
    environment.again = text_of(std::getenv("STREAM_RUN_AGAIN")) == "1";
    return environment;
}

void clear_environment() {
    for (const char* name : {"STREAM_CONTROL", "STREAM_KEY", "STREAM_RUN", "STREAM_RUN_NOW", "STREAM_RUN_AT_MOST_ONCE", "STREAM_RUN_STDIN", "STREAM_RUN_AGAIN"}) {
        ::unsetenv(name);
    }
}

std::int64_t command_line_now_ns() {
    const std::string given = text_of(std::getenv("STREAM_RUN_NOW"));
    std::int64_t now = 0;
    const auto parsed = std::from_chars(given.data(), given.data() + given.size(), now);
    if (!given.empty() && parsed.ec == std::errc() && parsed.ptr == given.data() + given.size() && !Environment::read().folder.empty()) return now;
    return real_file_system().now_ns();
}

void tell_refusal(const std::string& tool, int status, const std::string& why) {
    const Environment environment = Environment::read();
    if (environment.folder.empty()) return;
    auto channel = connect_to(environment.folder);
    if (!channel) return;
    channel->send(Message("bye").set("key", environment.key).set("tool", tool).set("status", static_cast<std::uint64_t>(status)).set("why", why));
}

Client::Client(Channel channel, std::string key, void (*on_gone)())
    : channel_(std::move(channel)), key_(std::move(key)), on_gone_(on_gone), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Result<std::unique_ptr<Client>> Client::connect(const Environment& environment, void (*on_gone)()) {
    auto channel = connect_to(environment.folder);
    if (!channel) return fail(ErrorKind::incomplete, channel.error().message(), channel.error().hint());
    return std::unique_ptr<Client>(new Client(std::move(*channel), environment.key, on_gone));
}

Client::~Client() {
    if (!listener_.joinable()) return;
    said_bye_ = true;
    ::shutdown(channel_.fd(), SHUT_RD);
    listener_.join();
}

Result<Start> Client::start(const Hello& hello) {
    Message message("hello");
    message.set("key", key_).set("pid", static_cast<std::uint64_t>(::getpid())).set("tool", hello.tool).set("name", hello.name);
    message.set("arguments", hello.arguments).flag("source", hello.is_source).flag("stateful", hello.is_stateful);
    const auto list = [&](const char* name, const auto& items, auto&& text) {
        std::string all;
        for (const auto& item : items) all += (all.empty() ? "" : "\n") + text(item);
        message.set(name, all);
    };
    const auto as_is = [](const std::string& text) { return text; };
    const auto number = [](std::uint64_t value) { return std::to_string(value); };
    list("sinks", hello.sinks, as_is);
    list("in", hello.pipes_in, number);
    list("out", hello.pipes_out, number);
    list("by_arrival", hello.by_arrival, as_is);
    list("once_only", hello.once_only, as_is);
    if (!channel_.send(message)) return run_is_gone();
    Start start;
    for (;;) {
        Message answer;
        if (channel_.receive(answer, true) != Channel::Got::message) return run_is_gone();
        const std::string kind = answer.kind();
        if (kind == "refuse") return fail(kind_of(answer.number("status")), answer.text("why"), answer.text("hint"));
        if (kind == "start") {
            start.run = answer.text("run");
            start.epoch = answer.number("epoch");
            start.attempt = answer.number("attempt");
            start.once = answer.flag("once");
            start.drain = answer.flag("drain");
            start.now_ns = answer.signed_number("now");
        } else if (kind == "state") {
            start.state = saved_state_of(answer);
        } else if (kind == "file") {
            if (auto file = staged_file_of(answer)) start.files.push_back(std::move(*file));
        } else if (kind == "go") {
            break;
        }
    }
    listener_ = std::thread([this] { listen(); });
    return start;
}

void Client::listen() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the main thread's
    for (;;) {
        Message message;
        if (channel_.receive(message, true) != Channel::Got::message) {
            if (said_bye_) return;
            on_gone_();  // whatever it is at: nothing of it counts any more
            return;
        }
        Request request;
        if (message.kind() == "barrier") request = {Request::Kind::barrier, message.number("epoch"), message.flag("end"), message.flag("drain")};
        else if (message.kind() == "committed") request = {Request::Kind::committed, message.number("epoch"), false, false};
        else if (message.kind() == "count") request = {Request::Kind::counts, 0, false, false};
        else continue;
        const std::lock_guard<std::mutex> guard(mutex_);
        requests_.push_back(request);
        wake();
    }
}

void Client::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(wake_.get(), &one, sizeof one);
}

bool Client::has_request() const {
    const std::lock_guard<std::mutex> guard(mutex_);
    return !requests_.empty();
}

std::optional<Request> Client::next() {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (requests_.empty()) return std::nullopt;
    const Request request = requests_.front();
    requests_.pop_front();
    if (requests_.empty()) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto n = ::read(wake_.get(), &count, sizeof count);
    }
    return request;
}

void Client::tell(const Message& message) { channel_.send(message); }

void Client::bye(int status, const std::string& why, bool incomplete, bool end) {
    said_bye_ = true;
    channel_.send(Message("bye").set("key", key_).set("status", static_cast<std::uint64_t>(status)).set("why", why).flag("incomplete", incomplete).flag("end", end));
}

}  // namespace stream::run
