// SPDX-License-Identifier: Apache-2.0
#include "expr/libjq_process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <clocale>
#include <csignal>
#include <cstdarg>  // jq.h includes these; not as C++ in extern "C"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <limits>

extern "C" {
#include <jq.h>
#include <jv.h>
}

namespace stream::expr {
namespace {

constexpr int channel_fd = 3;
constexpr std::size_t deepest_written = 257;  // brackets that libjq writes before it leaves the rest out
constexpr std::string_view left_out = "<stripped: exceeds max depth>";

// Ends the process with nothing run or flushed: all of that is the parent's.
[[noreturn]] void leave(int status) {
    for (;;) ::syscall(SYS_exit_group, status);
}

void set_limit(decltype(RLIMIT_AS) what, rlim_t soft, bool hard_too = true) {
    rlimit limit{};
    ::getrlimit(what, &limit);
    limit.rlim_cur = std::min(soft, limit.rlim_max);
    if (hard_too) limit.rlim_max = limit.rlim_cur;
    ::setrlimit(what, &limit);
}

void reset_signals() {
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    // What a terminal or a service manager sends to the whole group is for the parent, which says when
    // to stop; one that was stopped (^Z) finds its answer when it goes on.
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1,
                             SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF}) {
        ::signal(number, SIG_IGN);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Leaves the channel and /dev/null (libjq has its say on stderr before it aborts).
void keep_only(int socket) {
    const int moved = ::fcntl(socket, F_DUPFD, channel_fd);
    if (moved < 0) leave(1);
    const int null = ::open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2; ++fd) {
        if (null < 0) {
            ::close(fd);
        } else if (null != fd) {
            ::dup2(null, fd);
        }
    }
    if (moved != channel_fd) ::dup2(moved, channel_fd);
    if (::syscall(SYS_close_range, channel_fd + 1, ~0u, 0) != 0) {
        const auto last = std::min<long>(::sysconf(_SC_OPEN_MAX), 1 << 20);
        for (int fd = channel_fd + 1; fd < last; ++fd) ::close(fd);
    }
}

// The address space may grow by this much from now on.
void limit_memory([[maybe_unused]] int statm, [[maybe_unused]] std::size_t bytes,
                  [[maybe_unused]] bool for_good) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    char text[64] = {};
    if (::pread(statm, text, sizeof text - 1, 0) <= 0) return;
    const auto now =
        std::strtoull(text, nullptr, 10) * static_cast<unsigned long long>(::sysconf(_SC_PAGESIZE));
    if (now < std::numeric_limits<rlim_t>::max() - bytes) set_limit(RLIMIT_AS, now + bytes, for_good);
#endif
}

void send_all(const void* bytes, std::size_t size) {
    const char* at = static_cast<const char*>(bytes);
    while (size > 0) {
        const ssize_t put = ::send(channel_fd, at, size, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) leave(0);
        at += put;
        size -= static_cast<std::size_t>(put);
    }
}

void receive_all(void* into, std::size_t size) {
    char* at = static_cast<char*>(into);
    while (size > 0) {
        const ssize_t got = ::recv(channel_fd, at, size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) leave(0);  // the parent is done with us
        at += got;
        size -= static_cast<std::size_t>(got);
    }
}

void send_frame(const void* bytes, std::size_t size) {
    const auto length = static_cast<std::uint32_t>(size);
    send_all(&length, sizeof length);
    send_all(bytes, size);
}

// A jv that is given back.
class Owned {
public:
    explicit Owned(jv value) : value_(value) {}
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() { jv_free(value_); }
    jv get() const { return value_; }
    jv copy() const { return jv_copy(value_); }
    jv_kind kind() const { return jv_get_kind(value_); }
    std::string_view text() const {
        return {jv_string_value(value_), static_cast<std::size_t>(jv_string_length_bytes(jv_copy(value_)))};
    }

private:
    jv value_;
};

jv make_string(std::string_view text) { return jv_string_sized(text.data(), static_cast<int>(text.size())); }

// Writes one answer, in the memory that is shared as long as it fits.
class Answer {
public:
    Answer(Channel& channel, std::size_t limit) : channel_(channel), limit_(limit) {}

    // False: this is too much.
    bool result(std::string_view text) {
        total_ += text.size() + sizeof(std::uint32_t);
        if (total_ > limit_ || text.size() >= end_of_results) return false;
        record(text);
        return true;
    }
    void end(std::uint32_t number, Status status, std::string_view message) {
        put(&end_of_results, sizeof end_of_results);
        put(&status, sizeof status);
        record(message.substr(0, 1u << 20));
        channel_.answer_in_memory = used_;
        channel_.answer_by_socket = sent_;
        used_ = sent_ = total_ = 0;
        channel_.answered.store(number);
        if (channel_.parent_sleeps.exchange(0) != 0) send_frame(nullptr, 0);
    }

private:
    void record(std::string_view text) {
        const auto length = static_cast<std::uint32_t>(text.size());
        put(&length, sizeof length);
        put(text.data(), text.size());
    }
    void put(const void* bytes, std::size_t size) {
        if (size > shared_bytes - used_) {
            if (used_ > 0) send_frame(channel_.answer, used_);
            sent_ += used_;
            used_ = 0;
        }
        if (size > shared_bytes) {
            send_frame(bytes, size);
            sent_ += size;
        } else if (size > 0) {
            std::memcpy(channel_.answer + used_, bytes, size);
            used_ += size;
        }
    }

    Channel& channel_;
    std::size_t limit_;
    std::size_t used_ = 0;
    std::uint64_t sent_ = 0;
    std::size_t total_ = 0;
};

// Whether libjq left out what is deep in this text, which is not JSON then.
bool is_cut(std::string_view text) {
    if (text.size() < 2 * deepest_written || text.find(left_out) == text.npos) return false;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') in_string = !in_string;
        if (in_string && text[i] == '\\') ++i;
        if (!in_string && text[i] == '<') return true;
    }
    return false;
}

// The kernel likes to wake who answers where the asker was; two that spin must not share a processor.
void move_off(int processor) {
    if (processor < 0 || ::sched_getcpu() != processor) return;
    cpu_set_t all;
    if (::sched_getaffinity(0, sizeof all, &all) != 0) return;
    cpu_set_t others = all;
    CPU_CLR(static_cast<std::size_t>(processor), &others);
    if (::sched_setaffinity(0, sizeof others, &others) == 0) ::sched_setaffinity(0, sizeof all, &all);
}

class Process {
public:
    Process(Channel& channel, const ProcessSettings& settings)
        : channel_(channel), settings_(settings), answer_(channel, settings.limits.output_bytes) {}

    [[noreturn]] void run() {
        const int statm = ::open("/proc/self/statm", O_RDONLY);
        ::tzset();
        std::setlocale(LC_ALL, "C");  // as the binary has it
        // From here on nothing opens: no ~/.jq, no module.
        set_limit(RLIMIT_NOFILE, 0);
        limit_memory(statm, settings_.limits.memory_bytes, false);
        std::uint32_t number = 1;
        jq_ = jq_init();
        if (jq_ == nullptr) leave(exit_out_of_memory);
        jq_set_nomem_handler(
            jq_, [](void*) { leave(exit_out_of_memory); }, nullptr);
        const bool compiled = compile();
        limit_memory(statm, settings_.limits.memory_bytes, true);
        ::close(statm);
        answer_.end(number++, compiled ? Status::done : Status::not_compiled, complaint_);
        parser_ = jv_parser_new(0);
        for (;; ++number) {
            const std::string_view event = request(number);
            std::string message;
            const Status status = answer_event(event, message);
            answer_.end(number, status, message);
        }
    }

private:
    bool compile() {
        jq_set_error_cb(
            jq_, [](void* self, jv message) { static_cast<Process*>(self)->complain(message); }, this);
        jq_set_debug_cb(
            jq_, [](void*, jv message) { jv_free(message); }, nullptr);
        jq_set_input_cb(
            jq_, [](jq_state*, void*) { return jv_invalid(); }, nullptr);  // 1.6 asks whatever is there
        jq_set_attr(jq_, jv_string("JQ_LIBRARY_PATH"), jv_array());
        jq_set_attr(jq_, jv_string("JQ_ORIGIN"), jv_string("/"));
        jq_set_attr(jq_, jv_string("PROGRAM_ORIGIN"), jv_string("/"));
        jq_set_attr(jq_, jv_string("VERSION_DIR"), jv_string("1.6"));
        jv named = jv_object();
        for (const auto& [name, text] : settings_.arguments) {
            if (jv_object_has(jv_copy(named), make_string(name))) continue;
            jv value = jv_parse_sized(text.data(), static_cast<int>(text.size()));
            if (!jv_is_valid(value)) {
                complaint_ = "the argument $" + name + " is not JSON that libjq reads";
                return false;
            }
            named = jv_object_set(named, make_string(name), value);
        }
        jv both = jv_object();
        both = jv_object_set(both, jv_string("positional"), jv_array());
        both = jv_object_set(both, jv_string("named"), jv_copy(named));
        named = jv_object_set(named, jv_string("ARGS"), both);
        // On the program's first line, so that the numbers of its lines stay.
        char now[64];
        const char* const end = std::to_chars(now, now + sizeof now, settings_.now).ptr;
        prefix_.append("def now: ")
            .append(now, static_cast<std::size_t>(end - now))
            .append("; ")
            .append(seconds_definition())
            .append(" ");
        program_ = prefix_ + settings_.program;
        if (jq_compile_args(jq_, program_.c_str(), named) != 0) return true;
        if (complaint_.empty()) complaint_ = "libjq does not compile it";
        return false;
    }

    // "jq: error: foo/0 is not defined at <top-level>, line 1:\nTHE LINE    ", as many blanks behind the line
    // as there are characters before what it is about. The first complaint counts.
    void complain(jv value) {
        const Owned formatted(jq_format_error(value));
        if (!complaint_.empty() || formatted.kind() != JV_KIND_STRING) return;
        std::string_view message = formatted.text();
        for (const std::string_view prefix : {"jq: ", "error: "}) {
            if (message.starts_with(prefix)) message.remove_prefix(prefix.size());
        }
        const std::size_t newline = message.find('\n');
        std::string_view sentence = message.substr(0, newline);
        constexpr std::string_view place = " at <top-level>, line ";
        const std::size_t at = sentence.rfind(place);
        complaint_ = sentence.substr(0, at);
        constexpr std::string_view shell = " (Unix shell quoting issues?)";
        if (const std::size_t found = complaint_.find(shell); found != complaint_.npos) {
            complaint_.erase(found, shell.size());
        }
        if (at == sentence.npos || newline == message.npos) return;
        const auto number =
            std::strtoull(std::string(sentence.substr(at + place.size())).c_str(), nullptr, 10);
        std::string_view line = program_;
        for (std::uint64_t i = 1; i < number; ++i)
            line.remove_prefix(std::min(line.find('\n') + 1, line.size()));
        line = line.substr(0, line.find('\n'));
        const std::size_t shown = message.size() - newline - 1;
        const std::size_t before = number == 1 ? prefix_.size() : 0;
        if (shown < line.size() + before) return;
        const std::size_t column = shown - line.size() - before + 1;
        complaint_ += " (line " + std::to_string(number) + ", column " + std::to_string(column) + ")";
    }

    std::string_view request(std::uint32_t number) {
        while (channel_.requested.load() != number) {
            if (channel_.spins && spin_until(channel_.requested, number)) break;
            channel_.child_sleeps.store(1);
            if (channel_.requested.load() == number) break;
            std::uint32_t wake = 0;
            receive_all(&wake, sizeof wake);
            if (wake != 0) leave(1);
        }
        channel_.child_sleeps.store(0, std::memory_order_relaxed);
        move_off(channel_.parent_processor);
        const auto size = static_cast<std::size_t>(channel_.request_bytes);
        if (size <= shared_bytes) return {channel_.request, size};
        std::uint32_t length = 0;
        while (length == 0) receive_all(&length, sizeof length);
        if (length > large_capacity_) {
            std::free(large_);
            large_capacity_ = length;
            large_ = static_cast<char*>(std::malloc(length));
            if (large_ == nullptr) leave(exit_out_of_memory);
        }
        receive_all(large_, length);
        return {large_, length};
    }

    jv parse(std::string_view event) {
        while (!event.empty() && std::strchr(" \t\r\n", event.back()) != nullptr) event.remove_suffix(1);
        jv_parser_set_buf(parser_, event.data(), static_cast<int>(event.size()), 1);
        jv value = jv_parser_next(parser_);
        if (jv_is_valid(value) && jv_parser_remaining(parser_) == 0) return value;
        if (jv_is_valid(value) || !jv_invalid_has_msg(jv_copy(value))) {
            jv_free(value);
            value = jv_invalid_with_msg(jv_string("it is not one JSON text"));
        }
        jv_parser_free(parser_);
        parser_ = jv_parser_new(0);
        return value;
    }

    Status answer_event(std::string_view event, std::string& message) {
        jv input = parse(event);
        if (!jv_is_valid(input)) {
            const Owned why(jv_invalid_get_msg(input));
            message = why.text();
            return Status::not_read;
        }
        jq_start(jq_, input, 0);
        for (;;) {
            const Owned result(jq_next(jq_));
            switch (result.kind()) {
                case JV_KIND_INVALID:
                    return end_of_event(result, message);
                case JV_KIND_NULL:
                    if (!answer_.result("null")) return Status::too_much;
                    break;
                case JV_KIND_FALSE:
                    if (!answer_.result("false")) return Status::too_much;
                    break;
                case JV_KIND_TRUE:
                    if (!answer_.result("true")) return Status::too_much;
                    break;
                default: {
                    const Owned text(jv_dump_string(result.copy(), 0));
                    if (is_cut(text.text())) return Status::too_deep;
                    if (!answer_.result(text.text())) return Status::too_much;
                }
            }
        }
    }

    Status end_of_event(const Owned& last, std::string& message) {
        const bool stopped = jq_halted(jq_) != 0;  // `halt` ends the event, `halt_error` with its message
        const Owned error(stopped ? jq_get_error_message(jq_) : jv_invalid_get_msg(last.copy()));
        if (error.kind() == JV_KIND_NULL || error.kind() == JV_KIND_INVALID) return Status::done;
        if (error.kind() == JV_KIND_STRING) {
            message = error.text();
        } else {
            const Owned text(jv_dump_string(error.copy(), 0));
            message.append("(not a string): ").append(text.text());
        }
        return Status::raised;
    }

    Channel& channel_;
    const ProcessSettings& settings_;
    Answer answer_;
    jq_state* jq_ = nullptr;
    jv_parser* parser_ = nullptr;
    std::string prefix_;
    std::string program_;
    std::string complaint_;
    char* large_ = nullptr;
    std::size_t large_capacity_ = 0;
};

}  // namespace

void run_libjq_process(int socket, int parent, Channel& channel, const ProcessSettings& settings) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_DUMPABLE, 0);
    if (::getppid() != parent) leave(0);
    reset_signals();
    keep_only(socket);
    set_limit(RLIMIT_CORE, 0);
    set_limit(RLIMIT_FSIZE, 0);
    set_limit(RLIMIT_NPROC, 0);
    try {
        Process(channel, settings).run();
    } catch (...) {
        leave(exit_out_of_memory);
    }
}

}  // namespace stream::expr
