// SPDX-License-Identifier: Apache-2.0
// latency RATE SECONDS 'PIPELINE'
//
// Writes RATE events a second, one write each, into a pipeline, and takes the time from the write of the
// event that decides a result to the moment that result was read. Prints one line: results, and p50, p99,
// p99.9 and max in microseconds. The first tenth is left out.
//
// The events are {"ts","id","seq","path","bytes"}, 1/RATE apart in event time. A result that has "seq" was
// decided by that event; one that has "window_end", by the first event at that time or later.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;

std::int64_t now_ns() {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * ns_per_second + t.tv_nsec;
}

[[noreturn]] void stop(const char* why) {
    std::fprintf(stderr, "latency: %s\n", why);
    std::exit(1);
}

// hh:mm:ss with or without a fraction, on the first day.
std::int64_t time_of_day_ns(std::string_view text) {
    const auto two = [&](std::size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); };
    std::int64_t ns = ((two(0) * 60 + two(3)) * 60 + two(6)) * ns_per_second;
    std::int64_t unit = ns_per_second / 10;
    if (text[8] == '.') {
        for (std::size_t k = 9; k < text.size() && text[k] >= '0' && text[k] <= '9'; ++k, unit /= 10) {
            ns += (text[k] - '0') * unit;
        }
    }
    return ns;
}

// Which event decided this result; -1 where nothing says so.
std::int64_t decided_by(std::string_view line, std::int64_t step_ns) {
    if (const std::size_t at = line.find("\"seq\":"); at != std::string_view::npos) {
        return std::strtoll(line.data() + at + 6, nullptr, 10);
    }
    constexpr std::string_view end = "\"window_end\":\"2026-01-01T";
    if (const std::size_t at = line.find(end); at != std::string_view::npos) {
        return (time_of_day_ns(line.substr(at + end.size())) + step_ns - 1) / step_ns;
    }
    return -1;
}

pid_t child = 0;

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) stop("latency RATE SECONDS 'PIPELINE'");
    const std::int64_t rate = std::atoll(argv[1]);
    const std::int64_t seconds = std::atoll(argv[2]);
    if (rate < 1 || rate > 1'000'000 || seconds < 1 || seconds > 3600) stop("a rate and seconds, please");
    const std::int64_t step_ns = ns_per_second / rate;
    const auto events = static_cast<std::size_t>(rate * seconds);

    int to_child[2];
    int from_child[2];
    if (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(from_child, O_CLOEXEC) != 0) stop("no pipe");
    child = ::fork();
    if (child == 0) {
        ::setpgid(0, 0);
        ::dup2(to_child[0], 0);
        ::dup2(from_child[1], 1);
        ::execlp("bash", "bash", "-o", "pipefail", "-c", argv[3], static_cast<char*>(nullptr));
        ::_exit(127);
    }
    ::setpgid(child, child);
    ::close(to_child[0]);
    ::close(from_child[1]);
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGALRM, [](int) { ::kill(-child, SIGKILL); });
    ::alarm(static_cast<unsigned>(seconds) + 30);

    std::vector<std::atomic<std::int64_t>> written(events);
    std::vector<std::int64_t> latencies;
    latencies.reserve(events);
    std::int64_t unknown = 0;
    std::thread reader([&] {
        std::string held;
        std::vector<char> buffer(1 << 20);
        for (;;) {
            const ssize_t n = ::read(from_child[0], buffer.data(), buffer.size());
            const std::int64_t at_ns = now_ns();
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) break;
            held.append(buffer.data(), static_cast<std::size_t>(n));
            std::size_t done = 0;
            for (std::size_t end; (end = held.find('\n', done)) != std::string::npos; done = end + 1) {
                const std::int64_t by = decided_by(std::string_view(held).substr(done, end - done), step_ns);
                if (by < 0) ++unknown;
                if (by < static_cast<std::int64_t>(events / 10) || by >= static_cast<std::int64_t>(events))
                    continue;
                latencies.push_back(at_ns - written[static_cast<std::size_t>(by)].load());
            }
            held.erase(0, done);
        }
    });

    ::usleep(300'000);  // the tools' start is another measurement
    ::prctl(PR_SET_TIMERSLACK, 1UL);
    const std::int64_t begin_ns = now_ns();
    for (std::size_t k = 0; k < events; ++k) {
        const std::int64_t time_ns = static_cast<std::int64_t>(k) * step_ns;
        const std::int64_t second = time_ns / ns_per_second;
        char line[256];
        const int size = std::snprintf(line, sizeof line,
                                       "{\"ts\":\"2026-01-01T%02d:%02d:%02d.%09dZ\",\"id\":\"%012zu\","
                                       "\"seq\":%zu,\"path\":\"/items/%zu\",\"bytes\":1}\n",
                                       static_cast<int>(second / 3600), static_cast<int>(second / 60 % 60),
                                       static_cast<int>(second % 60),
                                       static_cast<int>(time_ns % ns_per_second), k, k, k % 8);
        const timespec due{(begin_ns + time_ns) / ns_per_second, (begin_ns + time_ns) % ns_per_second};
        ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr);
        written[k].store(now_ns());
        if (::write(to_child[1], line, static_cast<std::size_t>(size)) != size) break;
    }
    ::close(to_child[1]);
    reader.join();
    int status = 0;
    ::waitpid(child, &status, 0);
    ::alarm(0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) stop("the pipeline failed");
    if (latencies.empty()) stop("no result named the event that decided it");
    if (unknown > 0) stop("some results named no event that decided them");
    std::sort(latencies.begin(), latencies.end());
    const auto at = [&](double share) {
        const auto k = static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1));
        return static_cast<double>(latencies[k]) / 1000;
    };
    std::printf("%zu %.1f %.1f %.1f %.1f\n", latencies.size(), at(0.5), at(0.99), at(0.999), at(1));
    return 0;
}
