// SPDX-License-Identifier: Apache-2.0
// timed REPORT STDIN STDOUT COMMAND [ARGUMENT…]
//
// Runs a command and writes one line to REPORT: its wall and processor seconds, the largest resident set
// of any of its processes in KiB, and its exit status as the shell counts. A large parent (Python) would
// show its own memory as the child's, since Linux keeps the highest mark across exec; this one is small.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fputs("timed REPORT STDIN STDOUT COMMAND [ARGUMENT...]\n", stderr);
        return 2;
    }
    const auto begin = std::chrono::steady_clock::now();
    const pid_t child = ::fork();
    if (child == 0) {
        const rlimit file_size{rlim_t{4} << 30, rlim_t{4} << 30};  // a mistake shall not fill the disk
        ::setrlimit(RLIMIT_FSIZE, &file_size);
        const int in = ::open(argv[2], O_RDONLY);
        const int out = ::open(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (in < 0 || out < 0 || ::dup2(in, 0) < 0 || ::dup2(out, 1) < 0) ::_exit(126);
        ::close(in);
        ::close(out);
        ::execvp(argv[4], argv + 4);
        ::_exit(127);
    }
    int status = 0;
    rusage used{};
    if (child < 0 || ::wait4(child, &status, 0, &used) != child) return 1;
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    std::FILE* report = std::fopen(argv[1], "w");
    if (report == nullptr) return 1;
    std::fprintf(report, "%.6f %.6f %ld %d\n", wall.count(), seconds(used.ru_utime) + seconds(used.ru_stime),
                 used.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return std::fclose(report) == 0 ? 0 : 1;
}
