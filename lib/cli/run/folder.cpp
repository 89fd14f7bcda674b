// SPDX-License-Identifier: Apache-2.0
#include "cli/run/folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>
#include <vector>

#include "base/text.hpp"
#include "io/atomic_file.hpp"
#include "io/file_system.hpp"
#include "run/commit.hpp"
#include "run/message.hpp"

namespace stream {

namespace {

constexpr std::uint64_t version = 1;
constexpr int wait_for_lock_ms = 10'000;

// Each process's number.
std::vector<int> processes() {
    std::vector<int> found;
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir("/proc"), ::closedir);
    while (listing != nullptr) {
        const dirent* entry = ::readdir(listing.get());
        if (entry == nullptr) break;
        const int pid = std::atoi(entry->d_name);
        if (pid > 0) found.push_back(pid);
    }
    return found;
}

std::string read_proc(int pid, const char* what) {
    std::ifstream file(fmt::format("/proc/{}/{}", pid, what), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool belongs_to(int pid, const std::string& folder) {
    const std::string wanted = "STREAM_RUN=" + folder;
    const std::string environment = read_proc(pid, "environ");
    for (std::size_t at = 0; at < environment.size();) {
        const std::size_t end = std::min(environment.find('\0', at), environment.size());
        if (environment.compare(at, end - at, wanted) == 0) return true;
        at = end + 1;
    }
    return false;
}

}  // namespace

int kill_attempt(const std::string& folder) {
    int killed = 0;
    for (const int pid : processes()) {
        if (pid == ::getpid() || !belongs_to(pid, folder)) continue;
        // By a descriptor: the number may be another process's by now, and is looked at again.
        const OwnedFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (!process.is_open() || !belongs_to(pid, folder)) continue;
        if (::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) == 0) ++killed;
    }
    return killed;
}

std::string who_has_pipe(std::uint64_t inode) {
    const std::string link = fmt::format("pipe:[{}]", inode);
    std::string names;
    for (const int pid : processes()) {
        if (pid == ::getpid()) continue;
        bool has = false;
        const std::string folder = fmt::format("/proc/{}/fd", pid);
        const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(folder.c_str()), ::closedir);
        while (listing != nullptr && !has) {
            const dirent* entry = ::readdir(listing.get());
            if (entry == nullptr) break;
            char target[64];
            const ssize_t got = ::readlink((folder + "/" + entry->d_name).c_str(), target, sizeof target);
            has = got > 0 && std::string_view(target, static_cast<std::size_t>(got)) == link;
        }
        if (!has) continue;
        std::string name = read_proc(pid, "comm");
        while (!name.empty() && name.back() == '\n') name.pop_back();
        if (name == "bash" || name == "sh" || name.starts_with("stream-") || names.find(name) != std::string::npos) continue;
        names += (names.empty() ? "" : ", ") + name;
    }
    return names;
}

Result<RunFolder> RunFolder::open(const std::string& path, bool make, bool to_reset) {
    RunFolder folder;
    if (make && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return system_failure("make the run's folder", path, errno);
    char* whole = ::realpath(path.c_str(), nullptr);
    if (whole == nullptr) return fail(ErrorKind::usage, "there is no run in " + stream::quoted(path, 200) + ": " + system_message(errno));
    folder.path_ = whole;
    std::free(whole);
    folder.lock_ = open_fd(folder.path_ + "/run.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!folder.lock_.is_open()) return system_failure("open", folder.path_ + "/run.lock", errno);
    if (::flock(folder.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return system_failure("lock", folder.path_ + "/run.lock", errno);
        return fail(ErrorKind::locked, "the run in " + stream::quoted(folder.path_, 200) + " is under way", "stream-run status " + path);
    }
    auto text = read_file_if_there(folder.path_ + "/run.json", 64 << 20);
    if (!text) return pass_on(text);
    if (*text) {
        std::string line = **text;
        while (!line.empty() && line.back() == '\n') line.pop_back();
        const auto found = run::Message::decode(line);
        if (found && found->number("version") > version) {
            return fail(ErrorKind::usage, folder.path_ + "/run.json is of a newer version of streamutils");
        }
        if (!found || found->number("version") != version || found->text("run").empty()) {
            if (to_reset) return folder;
            return fail(ErrorKind::corrupt, folder.path_ + "/run.json is no file of a run", "stream-run reset begins anew");
        }
        folder.file_ = {found->text("run"), found->number("attempt"), found->signed_number("now"), found->text("pipeline")};
    }
    return folder;
}

Result<void> RunFolder::write(const RunFile& file) {
    run::Message message;
    message.set("version", version).set("run", file.run).set("attempt", file.attempt).set("now", file.now_ns).set("pipeline", file.pipeline);
    STREAM_TRY(run::replace_in_folder(real_file_system(), path_, "run.json", message.encode() + "\n"));
    file_ = file;
    return {};
}

Result<void> RunFolder::clear_attempts() {
    const OwnedFd lock = open_fd(path_ + "/attempt.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!lock.is_open()) return system_failure("open", path_ + "/attempt.lock", errno);
    for (int waited = 0; ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0; waited += 5) {
        if (errno != EWOULDBLOCK) return system_failure("lock", path_ + "/attempt.lock", errno);
        if (waited >= wait_for_lock_ms) return fail(ErrorKind::locked, "processes of an attempt before do not end: " + path_ + "/attempt.lock is held");
        if (waited % 50 == 0) kill_attempt(path_);
        timespec nap{0, 5'000'000};
        ::nanosleep(&nap, nullptr);
    }
    remove_spilled();
    return {};
}

void RunFolder::remove_spilled() const {
    std::error_code ignored;  // what cannot be removed is in nobody's way
    std::filesystem::remove_all(path_ + "/spill", ignored);
}

bool RunFolder::attempt_is_held() const {
    const OwnedFd lock = open_fd(path_ + "/attempt.lock", O_RDWR | O_NOFOLLOW);
    return lock.is_open() && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

bool RunFolder::hold_attempt() const {
    const int fd = ::open((path_ + "/attempt.lock").c_str(), O_RDWR | O_NOFOLLOW);
    return fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0;
}

}  // namespace stream
