// SPDX-License-Identifier: Apache-2.0
// Preloaded (LD_PRELOAD) into the tools of a run by tests/fault/run_syscalls.py: counts the calls of one process that
// change something in the file system, and lets one of them go wrong.
//
//     STREAM_INJECT_TOOL   whose calls: the program's name
//     STREAM_INJECT_WITH   … and a word among its arguments (optional)
//     STREAM_INJECT_KIND   count    writes a line for each call into the file STREAM_INJECT_MARK: NUMBER CALL PATH
//                          before   SIGKILL before the call
//                          after    … right after it
//                          torn     … after half of a write
//                          short    half of a write, told as such
//                          EIO, ENOSPC   the call fails
//                          full     it and every later one that needs space fails, in every tool: ENOSPC
//     STREAM_INJECT_AT     NUMBER of the call; c1, c2, … those of a child before its exec
//     STREAM_INJECT_MARK   made when it goes wrong. Where it is there, nothing more does (but for `full`)
//
// Calls on pipes, sockets and terminals are nobody's here.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

enum class Kind { none, count, before, after, torn, half, fail, full };

// Whether a full disk refuses it.
enum class Needs { nothing, space };

struct Plan {
    Kind kind = Kind::none;
    bool is_ours = false;   // else only `full` concerns us
    int error = 0;
    pid_t pid = 0;
    bool of_child = false;
    long at = 0;
    char mark[4096] = {};
};

Plan plan;
std::atomic<long> calls;
std::atomic<long> calls_of_child;

const char* given(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

bool mark_is_there() { return ::syscall(SYS_faccessat, AT_FDCWD, plan.mark, F_OK, 0) == 0; }

// Whether we are the first. It says which call it was.
bool make_mark(const char* call) {
    const long fd = ::syscall(SYS_openat, AT_FDCWD, plan.mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    ::syscall(SYS_write, fd, call, std::strlen(call));
    ::syscall(SYS_close, fd);
    return true;
}

void note(bool of_child, long number, const char* call, const char* path) {
    char line[4400];
    const int length = std::snprintf(line, sizeof line, "%s%ld %s %s\n", of_child ? "c" : "", number, call, path);
    const long fd = ::syscall(SYS_openat, AT_FDCWD, plan.mark, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || length <= 0) return;
    ::syscall(SYS_write, fd, line, static_cast<size_t>(length));
    ::syscall(SYS_close, fd);
}

[[noreturn]] void die() {
    ::syscall(SYS_kill, ::getpid(), SIGKILL);
    for (;;) ::pause();
}

struct Verdict {
    int error = 0;
    bool half = false;
    bool die = false;
};

Verdict judge(const char* call, const char* path, Needs needs) {
    if (plan.kind == Kind::none) return {};
    if (plan.kind == Kind::full && mark_is_there()) return {needs == Needs::space ? ENOSPC : 0, false, false};
    if (!plan.is_ours) return {};
    const bool of_child = ::getpid() != plan.pid;
    const long number = of_child ? ++calls_of_child : ++calls;
    if (plan.kind == Kind::count) {
        note(of_child, number, call, path);
        return {};
    }
    if (number != plan.at || of_child != plan.of_child || !make_mark(call)) return {};
    switch (plan.kind) {
        case Kind::before: die();
        case Kind::after: return {0, false, true};
        case Kind::torn: return {0, true, true};
        case Kind::half: return {0, true, false};
        case Kind::fail: return {plan.error, false, false};
        case Kind::full: return {ENOSPC, false, false};
        default: return {};
    }
}

template <class Call>
auto carry_out(const Verdict& verdict, Call call) -> decltype(call()) {
    if (verdict.error != 0) {
        errno = verdict.error;
        return -1;
    }
    const auto outcome = call();
    if (verdict.die) die();
    return outcome;
}

template <class Function>
Function* next(Function*, const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// A regular file or a folder; its path.
bool is_file(int fd, char (&path)[4096]) {
    if (plan.kind == Kind::none) return false;
    const int before = errno;
    struct stat status {};
    const bool is = ::fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
    if (is) {
        char link[64];
        std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        const ssize_t length = ::readlink(link, path, sizeof path - 1);
        path[length > 0 ? length : 0] = '\0';
    }
    errno = before;
    return is;
}

template <class Call>
auto with_fd(const char* name, int fd, Needs needs, Call call) -> decltype(call()) {
    char path[4096];
    return is_file(fd, path) ? carry_out(judge(name, path, needs), call) : call();
}

template <class Call>
auto with_path(const char* name, const char* path, Needs needs, Call call) -> decltype(call()) {
    return carry_out(judge(name, path, needs), call);
}

bool has_mode(int flags) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }
bool creates(int flags) { return has_mode(flags) || (flags & O_TRUNC) != 0; }

bool is_device(const char* path) { return std::strncmp(path, "/dev/", 5) == 0 && std::strncmp(path, "/dev/shm/", 9) != 0; }

template <class Call>
int opening(const char* path, int flags, Call call) {
    if (!creates(flags) || is_device(path)) return call();
    struct stat status {};
    const bool is_there = (flags & O_TMPFILE) != O_TMPFILE && ::stat(path, &status) == 0;
    return with_path(is_there ? "open" : "create", path, is_there ? Needs::nothing : Needs::space, call);
}

template <class Call>
ssize_t writing(const char* name, int fd, size_t size, Call call) {
    char path[4096];
    if (!is_file(fd, path)) return call(size);
    const Verdict verdict = judge(name, path, Needs::space);
    const size_t part = verdict.half ? (size + 1) / 2 : size;
    return carry_out(verdict, [&] { return call(part); });
}

__attribute__((constructor)) void begin(int argc, char** argv, char**) {
    const char* kind = given("STREAM_INJECT_KIND");
    const char* at = given("STREAM_INJECT_AT");
    std::snprintf(plan.mark, sizeof plan.mark, "%s", given("STREAM_INJECT_MARK"));
    if (*kind == '\0' || plan.mark[0] == '\0' || argc < 1) return;
    const char* slash = std::strrchr(argv[0], '/');
    const char* tool = slash != nullptr ? slash + 1 : argv[0];
    if (std::strncmp(tool, "stream-", 7) != 0) return;
    const char* with = given("STREAM_INJECT_WITH");
    bool has_it = *with == '\0';
    for (int i = 1; i < argc; ++i) has_it = has_it || std::strcmp(argv[i], with) == 0;
    plan.is_ours = has_it && std::strcmp(tool, given("STREAM_INJECT_TOOL")) == 0;
    plan.pid = ::getpid();
    plan.of_child = *at == 'c';
    plan.at = std::atol(plan.of_child ? at + 1 : at);
    const struct {
        const char* name;
        Kind kind;
        int error;
    } kinds[] = {{"count", Kind::count, 0}, {"before", Kind::before, 0}, {"after", Kind::after, 0}, {"torn", Kind::torn, 0},
                 {"short", Kind::half, 0}, {"EIO", Kind::fail, EIO}, {"ENOSPC", Kind::fail, ENOSPC}, {"full", Kind::full, 0}};
    for (const auto& one : kinds) {
        if (std::strcmp(one.name, kind) != 0) continue;
        plan.error = one.error;
        plan.kind = one.kind;
    }
    if (plan.kind != Kind::count && plan.kind != Kind::full && mark_is_there()) plan.kind = Kind::none;
}

mode_t mode_of(int flags, va_list arguments) { return has_mode(flags) ? va_arg(arguments, mode_t) : 0; }

}  // namespace

#define NEXT(name) static const auto real = next(&::name, #name)

extern "C" {

int open(const char* path, int flags, ...) {
    NEXT(open);
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opening(path, flags, [&] { return real(path, flags, mode); });
}

int open64(const char* path, int flags, ...) {
    NEXT(open64);
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opening(path, flags, [&] { return real(path, flags, mode); });
}

int openat(int folder, const char* path, int flags, ...) {
    NEXT(openat);
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opening(path, flags, [&] { return real(folder, path, flags, mode); });
}

int mkostemp(char* path, int flags) {
    NEXT(mkostemp);
    return with_path("create", path, Needs::space, [&] { return real(path, flags); });
}

int mkstemp(char* path) {
    NEXT(mkstemp);
    return with_path("create", path, Needs::space, [&] { return real(path); });
}

ssize_t write(int fd, const void* bytes, size_t size) {
    NEXT(write);
    return writing("write", fd, size, [&](size_t part) { return real(fd, bytes, part); });
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
    NEXT(pwrite);
    return writing("pwrite", fd, size, [&](size_t part) { return real(fd, bytes, part, at); });
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
    NEXT(pwrite64);
    return writing("pwrite", fd, size, [&](size_t part) { return real(fd, bytes, part, at); });
}

// Half of it is the first part.
ssize_t writev(int fd, const iovec* parts, int count) {
    NEXT(writev);
    size_t size = 0;
    for (int i = 0; i < count; ++i) size += parts[i].iov_len;
    return writing("writev", fd, size, [&](size_t part) { return real(fd, parts, part < size && count > 1 ? 1 : count); });
}

int fsync(int fd) {
    NEXT(fsync);
    return with_fd("fsync", fd, Needs::nothing, [&] { return real(fd); });
}

int fdatasync(int fd) {
    NEXT(fdatasync);
    return with_fd("fdatasync", fd, Needs::nothing, [&] { return real(fd); });
}

int sync_file_range(int fd, off64_t at, off64_t length, unsigned flags) {
    NEXT(sync_file_range);
    return with_fd("sync_file_range", fd, Needs::nothing, [&] { return real(fd, at, length, flags); });
}

int ftruncate(int fd, off_t size) {
    NEXT(ftruncate);
    return with_fd("ftruncate", fd, Needs::nothing, [&] { return real(fd, size); });
}

int ftruncate64(int fd, off64_t size) {
    NEXT(ftruncate64);
    return with_fd("ftruncate", fd, Needs::nothing, [&] { return real(fd, size); });
}

int fallocate(int fd, int mode, off_t at, off_t length) {
    NEXT(fallocate);
    return with_fd("fallocate", fd, Needs::space, [&] { return real(fd, mode, at, length); });
}

int flock(int fd, int operation) {
    NEXT(flock);
    return with_fd("flock", fd, Needs::nothing, [&] { return real(fd, operation); });
}

// Of what was open to be written. A close that fails has closed.
int close(int fd) {
    NEXT(close);
    const int flags = plan.kind == Kind::none ? -1 : ::fcntl(fd, F_GETFL);
    char path[4096];
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || !is_file(fd, path)) return real(fd);
    const Verdict verdict = judge("close", path, Needs::nothing);
    if (verdict.error != 0) real(fd);
    return carry_out(verdict, [&] { return real(fd); });
}

int rename(const char* from, const char* to) noexcept {
    NEXT(rename);
    return with_path("rename", to, Needs::nothing, [&] { return real(from, to); });
}

int link(const char* from, const char* to) noexcept {
    NEXT(link);
    return with_path("link", to, Needs::space, [&] { return real(from, to); });
}

int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) noexcept {
    NEXT(linkat);
    return with_path("link", to, Needs::space, [&] { return real(from_folder, from, to_folder, to, flags); });
}

int unlink(const char* path) noexcept {
    NEXT(unlink);
    struct stat status {};
    if (::lstat(path, &status) != 0) return real(path);
    return with_path("unlink", path, Needs::nothing, [&] { return real(path); });
}

int unlinkat(int folder, const char* path, int flags) noexcept {
    NEXT(unlinkat);
    return with_path("unlink", path, Needs::nothing, [&] { return real(folder, path, flags); });
}

int mkdir(const char* path, mode_t mode) noexcept {
    NEXT(mkdir);
    struct stat status {};
    if (::lstat(path, &status) == 0) return real(path, mode);
    return with_path("mkdir", path, Needs::space, [&] { return real(path, mode); });
}

int bind(int fd, const sockaddr* address, socklen_t length) noexcept {
    NEXT(bind);
    if (address->sa_family != AF_UNIX) return real(fd, address, length);
    return with_path("bind", "", Needs::space, [&] { return real(fd, address, length); });
}

}  // extern "C"
