// SPDX-License-Identifier: Apache-2.0
#include "expr/libjq.hpp"

#include "base/text.hpp"
#include "expr/libjq_process.hpp"
#include "io/fd.hpp"
#include "time/duration.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <limits>
#include <new>
#include <optional>

namespace stream::expr {
namespace {

// A program compiles in a few hundredths of a second; the machine may be busy.
constexpr DurationNs longest_start = 30 * ns_per_second;
constexpr std::size_t chunk = 64u << 10;
// What an answer has besides its results.
constexpr std::uint64_t most_besides = 2u << 20;

std::int64_t monotonic_ns() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return std::int64_t{time.tv_sec} * ns_per_second + time.tv_nsec;
}

bool has_two_processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return ::sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) > 1;
}

template <class T>
bool take(std::string_view& bytes, T& value) {
    if (bytes.size() < sizeof value) return false;
    std::memcpy(&value, bytes.data(), sizeof value);
    bytes.remove_prefix(sizeof value);
    return true;
}

bool take_record(std::string_view& bytes, std::uint32_t length, std::string_view& record) {
    if (bytes.size() < length) return false;
    record = bytes.substr(0, length);
    bytes.remove_prefix(length);
    return true;
}

// A signal may come just before we begin to wait: then it is noticed after this long.
constexpr std::int64_t patience_ns = 200 * ns_per_ms;

enum class Outcome { answered, late, gone, stopped };

// The child, its end of the channel and ours. Destroyed, it is killed and reaped.
class Child {
public:
    Child(pid_t pid, OwnedFd socket, Channel* channel, bool (*stopped)())
        : pid_(pid), socket_(std::move(socket)), channel_(channel), stopped_(stopped), spin_choice_(has_two_processors()) {}
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        end();
        ::munmap(channel_, sizeof(Channel));
    }

    static Result<std::unique_ptr<Child>> fork(const ProcessSettings& settings);

    // Sends the event (nothing for the start, which needs no asking) and waits for its answer.
    Outcome ask(std::optional<std::string_view> event, std::int64_t deadline, std::uint64_t output_bytes);
    // Of the last answer.
    std::string_view answer() const { return answer_; }

    // What waitpid says of it, after its end; nothing if somebody else has taken that.
    std::optional<int> end() {
        if (pid_ <= 0) return status_;
        ::kill(pid_, SIGKILL);  // one that is dying by itself stays dead of what it died of
        int status = 0;
        pid_t reaped = 0;
        do reaped = ::waitpid(pid_, &status, 0);
        while (reaped < 0 && errno == EINTR);
        if (reaped == pid_) status_ = status;
        pid_ = -1;
        return status_;
    }

private:
    Outcome send(std::string_view bytes, std::int64_t deadline);
    Outcome wait_for_answer(bool spins, std::int64_t deadline, std::uint64_t output_bytes);
    Outcome wait(short events, std::int64_t deadline);
    bool receive(int flags, std::uint64_t output_bytes);

    pid_t pid_;
    OwnedFd socket_;
    Channel* channel_;
    bool (*stopped_)();
    SpinChoice spin_choice_;
    std::uint32_t number_ = 0;
    std::optional<int> status_;
    std::string answer_;
    std::unique_ptr<char[]> received_ = std::make_unique<char[]>(chunk);
    // The frame that is being received.
    char header_[sizeof(std::uint32_t)] = {};
    std::size_t header_got_ = 0;
    std::size_t frame_left_ = 0;
};

Result<std::unique_ptr<Child>> Child::fork(const ProcessSettings& settings) {
    const auto failed = [](int error_number) {
        return fail(ErrorKind::io, fmt::format("cannot start libjq: {}", system_message(error_number)));
    };
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return failed(errno);
    OwnedFd ours(ends[0]);
    OwnedFd theirs(ends[1]);
    const std::int64_t limit_us = std::clamp<std::int64_t>(settings.limits.time / ns_per_us, 1000, patience_ns / ns_per_us);
    const timeval limit{static_cast<time_t>(limit_us / 1'000'000),
                        static_cast<suseconds_t>(limit_us % 1'000'000)};
    ::setsockopt(ours.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    void* const memory =
        ::mmap(nullptr, sizeof(Channel), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return failed(errno);
    Channel* const channel = new (memory) Channel;
    const pid_t parent = ::getpid();
    // Our handlers must not run in the child, whose descriptors are ours until it has closed them.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = ::fork();
    const int error_number = errno;
    if (pid == 0) run_libjq_process(theirs.get(), parent, *channel, settings);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) {
        ::munmap(memory, sizeof(Channel));
        return failed(error_number);
    }
    ::madvise(memory, sizeof(Channel), MADV_DONTFORK);  // nothing for the next child
    return std::make_unique<Child>(pid, std::move(ours), channel, settings.limits.stopped);
}

Outcome Child::ask(std::optional<std::string_view> event, std::int64_t deadline, std::uint64_t output_bytes) {
    ++number_;
    answer_.clear();
    bool spins = false;
    if (event) {
        const bool fits = event->size() <= shared_bytes;
        if (fits) std::memcpy(channel_->request, event->data(), event->size());
        channel_->request_bytes = event->size();
        channel_->spins = spins = spin_choice_.next();
        channel_->parent_processor = spins && spin_choice_.begins() ? ::sched_getcpu() : -1;
        channel_->requested.store(number_);
        const std::uint32_t wake = 0;
        if (channel_->child_sleeps.exchange(0) != 0) {
            const Outcome sent = send({reinterpret_cast<const char*>(&wake), sizeof wake}, deadline);
            if (sent != Outcome::answered) return sent;
        }
        if (!fits) {
            const auto length = static_cast<std::uint32_t>(event->size());
            Outcome sent = send({reinterpret_cast<const char*>(&length), sizeof length}, deadline);
            if (sent == Outcome::answered) sent = send(*event, deadline);
            if (sent != Outcome::answered) return sent;
        }
    }
    return wait_for_answer(spins, deadline, output_bytes);
}

// All of it; `answered` stands for sent.
Outcome Child::send(std::string_view bytes, std::int64_t deadline) {
    while (!bytes.empty()) {
        const ssize_t put = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(put));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            const Outcome ready = wait(POLLOUT, deadline);
            if (ready != Outcome::answered) return ready;
        } else if (errno != EINTR) {
            return Outcome::gone;
        }
    }
    return Outcome::answered;
}

// `answered` stands for ready, perhaps for no reason.
Outcome Child::wait(short events, std::int64_t deadline) {
    const std::int64_t whole = deadline - monotonic_ns();
    if (whole <= 0) return Outcome::late;
    if (stopped_ != nullptr && stopped_()) return Outcome::stopped;
    const std::int64_t left = std::min(whole, patience_ns);
    const timespec timeout{static_cast<time_t>(left / ns_per_second),
                           static_cast<long>(left % ns_per_second)};
    pollfd polled{socket_.get(), events, 0};
    ::ppoll(&polled, 1, &timeout, nullptr);
    return Outcome::answered;
}

Outcome Child::wait_for_answer(bool spins, std::int64_t deadline, std::uint64_t output_bytes) {
    bool there = spins && spin_until(channel_->answered, number_);
    if (spins) spin_choice_.went(there);
    bool late = false;
    bool first = true;
    for (;;) {
        if (!there) channel_->parent_sleeps.store(1);
        there = there || channel_->answered.load() == number_;
        if (there) {
            channel_->parent_sleeps.store(0, std::memory_order_relaxed);
            // Once said, the numbers stay; but it is another process that says them.
            const std::uint64_t by_socket = channel_->answer_by_socket;
            const std::uint64_t in_memory = channel_->answer_in_memory;
            if (in_memory > shared_bytes || answer_.size() > by_socket) return Outcome::gone;
            if (answer_.size() == by_socket) {
                answer_.append(channel_->answer, static_cast<std::size_t>(in_memory));
                return Outcome::answered;
            }
        }
        if (late) return Outcome::late;
        if (!first && stopped_ != nullptr && stopped_()) return Outcome::stopped;
        // The first time the socket's own time limit is right. Even when it is late we look again: it may be
        // us who were kept from looking.
        if (!first) late = wait(POLLIN, deadline) == Outcome::late;
        const bool alive = receive(first ? 0 : MSG_DONTWAIT, output_bytes);
        first = false;
        channel_->parent_sleeps.store(0, std::memory_order_relaxed);
        if (!alive && channel_->answered.load() != number_) return Outcome::gone;
    }
}

// Some of what has come. False: nothing will come any more, or what came cannot be.
bool Child::receive(int flags, std::uint64_t output_bytes) {
    const ssize_t got = ::recv(socket_.get(), received_.get(), chunk, flags);
    if (got < 0) return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK;
    std::string_view bytes(received_.get(), static_cast<std::size_t>(got));
    while (!bytes.empty()) {
        if (frame_left_ > 0) {
            const std::string_view part = bytes.substr(0, frame_left_);
            answer_.append(part);
            frame_left_ -= part.size();
            bytes.remove_prefix(part.size());
            continue;
        }
        header_[header_got_++] = bytes.front();
        bytes.remove_prefix(1);
        if (header_got_ < sizeof header_) continue;
        std::uint32_t length = 0;
        std::memcpy(&length, header_, sizeof length);
        header_got_ = 0;
        frame_left_ = length;
        if (answer_.size() + frame_left_ > output_bytes + most_besides) return false;
    }
    return got > 0;
}

}  // namespace

struct Libjq::Impl {
    ProcessSettings settings;
    std::unique_ptr<Child> child;
    std::vector<std::string_view> results;
    bool raised = false;

    Result<void> start();
    Result<void> read(std::string_view answer, bool& readable);
    Error give_up(Outcome outcome, DurationNs time);
};

// What became of a child that did not answer; it is no more.
Error Libjq::Impl::give_up(Outcome outcome, DurationNs time) {
    const std::optional<int> status = child->end();
    child.reset();
    results.clear();
    if (outcome == Outcome::stopped) return {ErrorKind::stopped, "stopped"};
    if (outcome == Outcome::late) {
        return {ErrorKind::data, fmt::format("took longer than {} in libjq", format_duration(time))};
    }
    if (status && WIFEXITED(*status) && WEXITSTATUS(*status) == exit_out_of_memory) {
        return {ErrorKind::data, fmt::format("took more than {} of memory in libjq",
                                             format_size(settings.limits.memory_bytes))};
    }
    if (status && WIFSIGNALED(*status)) {
        return {ErrorKind::data, fmt::format("libjq died on this event (signal {}; out of memory or stack?)",
                                             WTERMSIG(*status))};
    }
    return {ErrorKind::data, "libjq died on this event"};
}

Result<void> Libjq::Impl::start() {
    auto made = Child::fork(settings);
    if (!made) return pass_on(made);
    child = std::move(*made);
    const Outcome outcome = child->ask(std::nullopt, monotonic_ns() + longest_start, 0);
    if (outcome != Outcome::answered) {
        const Error why = give_up(outcome, longest_start);
        return fail(ErrorKind::usage, fmt::format("libjq cannot compile it ({})", why.message()));
    }
    bool readable = true;
    auto compiled = read(child->answer(), readable);
    if (!compiled || !readable) child.reset();
    if (!readable) return fail(ErrorKind::io, "cannot start libjq: it does not answer");
    return compiled;
}

Result<void> Libjq::Impl::read(std::string_view answer, bool& readable) {
    std::uint32_t length = 0;
    std::string_view record;
    readable = false;
    while (take(answer, length) && length != end_of_results) {
        if (!take_record(answer, length, record)) return {};
        results.push_back(record);
    }
    Status status{};
    if (length != end_of_results || !take(answer, status)) return {};
    if (!take(answer, length) || !take_record(answer, length, record)) return {};
    readable = true;
    switch (status) {
        case Status::done:
            return {};
        case Status::raised:
            raised = true;
            return fail(ErrorKind::data, std::string(record));
        case Status::not_read:
            if (record.starts_with("Exceeds depth limit")) {
                return fail(ErrorKind::data, "it is nested deeper than libjq reads");
            }
            if (record.find("surrogate") != record.npos) {
                return fail(ErrorKind::data, "libjq does not read half a surrogate pair (\\ud800)");
            }
            return fail(ErrorKind::data, fmt::format("libjq does not read it: {}", printable(record, 200)));
        case Status::too_deep:
            return fail(ErrorKind::data, "a result is nested deeper than libjq writes");
        case Status::too_much:
            return fail(ErrorKind::data, fmt::format("its results are more than {}",
                                                     format_size(settings.limits.output_bytes)));
        case Status::not_compiled:
            return fail(ErrorKind::usage, std::string(record));
    }
    readable = false;
    return {};
}

Libjq::Libjq(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Libjq::Libjq(Libjq&&) noexcept = default;
Libjq& Libjq::operator=(Libjq&&) noexcept = default;
Libjq::~Libjq() = default;

Result<Libjq> Libjq::start(std::string_view program,
                           const std::vector<std::pair<std::string, std::string>>& arguments, double now,
                           const LibjqLimits& limits) {
    if (program.find('\0') != program.npos) return fail(ErrorKind::usage, "there is a NUL byte in it");
    auto impl = std::make_unique<Impl>();
    impl->settings = {std::string(program), arguments, now, limits};
    STREAM_TRY(impl->start());
    return Libjq(std::move(impl));
}

Result<void> Libjq::run(std::string_view event) {
    Impl& impl = *impl_;
    impl.results.clear();
    impl.raised = false;
    if (const std::string_view number = rounded_number(event); !number.empty()) {
        return fail(ErrorKind::data, "jq would round the number " + printable(number, 40));
    }
    if (event.size() > std::numeric_limits<int>::max())
        return fail(ErrorKind::data, "it is too long for libjq");
    if (!impl.child) {
        if (const auto again = impl.start(); !again) {
            return fail(ErrorKind::io, "cannot start libjq again: " + again.error().message());
        }
    }
    const DurationNs time = impl.settings.limits.time;
    const std::uint64_t output_bytes = impl.settings.limits.output_bytes;
    const Outcome outcome = impl.child->ask(event, time_add(monotonic_ns(), time), output_bytes);
    if (outcome != Outcome::answered) return tl::unexpected<Error>(impl.give_up(outcome, time));
    bool readable = true;
    auto result = impl.read(impl.child->answer(), readable);
    if (!readable) return tl::unexpected<Error>(impl.give_up(Outcome::gone, time));
    return result;
}

const std::vector<std::string_view>& Libjq::results() const { return impl_->results; }
bool Libjq::raised() const { return impl_->raised; }

// libjq does not say; this is the one that the rest of lib/expr is made after.
std::string Libjq::version() { return "1.6"; }

}  // namespace stream::expr
