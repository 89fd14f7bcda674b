// SPDX-License-Identifier: Apache-2.0
#include "base/check.hpp"
#include "io/fd.hpp"
#include "io/file_system.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace stream {

namespace {

constexpr mode_t file_mode = 0600;
constexpr mode_t folder_mode = 0700;

// Again for as long as a signal comes in between: the outcome of a call that returns -1 and sets errno.
template <class F>
auto uninterrupted(F call) {
    for (;;) {
        const auto outcome = call();
        if (outcome != -1 || errno != EINTR) return outcome;
    }
}

OwnedFd open_plain(const std::string& path, int flags) {
    for (;;) {
        OwnedFd fd = open_fd(path, flags | O_NOFOLLOW, file_mode);
        if (fd.is_open() || errno != EINTR) return fd;
    }
}

// A pipe or a device in a file's place would block, or swallow what is written.
Result<void> must_be_regular(int fd, const std::string& path) {
    struct stat status;
    if (::fstat(fd, &status) != 0) return system_failure("open", path, errno);
    if (S_ISREG(status.st_mode)) return {};
    if (S_ISDIR(status.st_mode)) return system_failure("open", path, EISDIR);
    return fail(ErrorKind::io, fmt::format("cannot open {}: not a regular file", quoted_name(path)));
}

// POSIX leaves open what an interrupted close() did; Linux has closed.
bool close_checked(OwnedFd& fd) { return ::close(fd.release()) == 0 || errno == EINTR; }

class RealFile final : public File {
public:
    RealFile(OwnedFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

    Result<std::size_t> read_at(std::span<char> into, std::uint64_t position) override {
        const ssize_t got = pread_full(fd_.get(), into, position);
        if (got < 0) return system_failure("read", path_, errno);
        return static_cast<std::size_t>(got);
    }

    Result<void> write_at(std::string_view bytes, std::uint64_t position) override {
        while (!bytes.empty()) {
            const ssize_t put = uninterrupted([&] {
                return ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(position));
            });
            if (put <= 0) return system_failure("write", path_, put == 0 ? EIO : errno);
            bytes.remove_prefix(static_cast<std::size_t>(put));
            position += static_cast<std::uint64_t>(put);
        }
        return {};
    }

    // fdatasync: the data, and of the metadata what reading them back needs, the size among it.
    Result<void> sync() override {
        if (uninterrupted([&] { return ::fdatasync(fd_.get()); }) == 0) return {};
        return system_failure("sync", path_, errno);
    }

    Result<std::uint64_t> size() override {
        struct stat status;
        if (::fstat(fd_.get(), &status) != 0) return system_failure("ask the size of", path_, errno);
        return static_cast<std::uint64_t>(status.st_size);
    }

    Result<void> truncate(std::uint64_t size) override {
        if (uninterrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) == 0) return {};
        return system_failure("truncate", path_, errno);
    }

    Result<void> close() override {
        if (!fd_.is_open() || close_checked(fd_)) return {};
        return system_failure("close", path_, errno);
    }

private:
    OwnedFd fd_;
    std::string path_;
};

// flock() goes with the open file, not with the process: closing another descriptor of it frees nothing,
// and the kernel frees it with the process.
class RealLock final : public FileLock {
public:
    explicit RealLock(OwnedFd fd) : fd_(std::move(fd)) {}

private:
    OwnedFd fd_;
};

// Somebody may have removed the file, or put another in its place, between our open() and flock().
bool is_still_at(const std::string& path, int fd) {
    struct stat here;
    struct stat held;
    return ::fstat(fd, &held) == 0 && ::lstat(path.c_str(), &here) == 0 && here.st_dev == held.st_dev &&
           here.st_ino == held.st_ino;
}

// For messages only, so a full disk does not matter.
void write_holder(int fd) {
    const std::string text = fmt::format("{}\n", ::getpid());
    char there[32];
    const ssize_t got = ::pread(fd, there, sizeof there, 0);
    if (got > 0 && std::string_view(there, static_cast<std::size_t>(got)) == text) return;  // the usual case costs no write
    const bool written = ::ftruncate(fd, 0) == 0 && ::pwrite(fd, text.data(), text.size(), 0) > 0;
    static_cast<void>(written);
}

class RealFileSystem final : public FileSystem {
public:
    Result<std::unique_ptr<File>> open(const std::string& path, Open how) override {
        auto file = open_if_there(path, how);
        if (file && !*file) return system_failure("open", path, ENOENT);
        return file;
    }

    // Only ENOENT is "not there": a file where a folder should be is a mistake to tell.
    Result<std::unique_ptr<File>> open_if_there(const std::string& path, Open how) override {
        const bool create = how == Open::create_new;
        const int access = how == Open::read ? O_RDONLY : O_RDWR;
        // O_NONBLOCK is nothing to a regular file; open() of a pipe would wait for its other end.
        OwnedFd fd = open_plain(path, access | O_NONBLOCK | (create ? O_CREAT | O_EXCL : 0));
        if (!fd.is_open()) {
            if (errno == ENOENT && !create) return nullptr;
            return system_failure(create ? "create" : "open", path, errno);
        }
        STREAM_TRY(must_be_regular(fd.get(), path));
        return std::make_unique<RealFile>(std::move(fd), path);
    }

    Result<bool> make_folder(const std::string& path) override {
        if (::mkdir(path.c_str(), folder_mode) == 0) return true;
        const int error_number = errno;
        struct stat status;
        if (error_number == EEXIST && ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
            return false;
        }
        return system_failure("make the folder", path, error_number);
    }

    Result<std::optional<std::vector<std::string>>> list(const std::string& folder) override {
        OwnedFd fd = open_plain(folder, O_RDONLY | O_DIRECTORY);
        if (!fd.is_open()) {
            if (errno == ENOENT) return std::nullopt;
            return system_failure("list", folder, errno);
        }
        const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd.get()), &::closedir);
        if (entries == nullptr) return system_failure("list", folder, errno);
        static_cast<void>(fd.release());  // closedir() closes it
        std::vector<std::string> names;
        for (;;) {
            errno = 0;
            const dirent* entry = ::readdir(entries.get());
            if (entry == nullptr && errno != 0) return system_failure("list", folder, errno);
            if (entry == nullptr) break;
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..") names.emplace_back(name);
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    Result<void> rename(const std::string& from, const std::string& to) override {
        if (::rename(from.c_str(), to.c_str()) == 0) return {};
        return system_failure("rename", from, errno);
    }

    Result<void> remove(const std::string& path) override {
        if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
        return system_failure("remove", path, errno);
    }

    // Some file systems cannot sync a folder and say EINVAL; there a name is as durable as it gets.
    Result<void> sync_folder(const std::string& folder) override {
        OwnedFd fd = open_plain(folder, O_RDONLY | O_DIRECTORY);
        if (!fd.is_open()) return system_failure("open the folder", folder, errno);
        if (uninterrupted([&] { return ::fsync(fd.get()); }) == 0 || errno == EINVAL) return {};
        return system_failure("sync the folder", folder, errno);
    }

    Result<std::unique_ptr<FileLock>> lock(const std::string& path, bool wait) override {
        for (;;) {
            OwnedFd fd = open_plain(path, O_RDWR | O_CREAT | O_NONBLOCK);
            if (!fd.is_open()) return system_failure("open", path, errno);
            STREAM_TRY(must_be_regular(fd.get(), path));
            const int operation = LOCK_EX | (wait ? 0 : LOCK_NB);
            if (uninterrupted([&] { return ::flock(fd.get(), operation); }) != 0) {
                if (errno == EWOULDBLOCK) return nullptr;
                return system_failure("lock", path, errno);
            }
            if (!is_still_at(path, fd.get())) continue;
            write_holder(fd.get());
            return std::make_unique<RealLock>(std::move(fd));
        }
    }

    Result<std::unique_ptr<FileLock>> lock_to_read(const std::string& path) override {
        for (;;) {
            OwnedFd fd = open_plain(path, O_RDONLY | O_NONBLOCK);
            if (!fd.is_open()) {
                if (errno == ENOENT) return std::make_unique<RealLock>(OwnedFd());
                return system_failure("open", path, errno);
            }
            STREAM_TRY(must_be_regular(fd.get(), path));
            if (uninterrupted([&] { return ::flock(fd.get(), LOCK_SH | LOCK_NB); }) != 0) {
                if (errno == EWOULDBLOCK) return nullptr;
                return system_failure("lock", path, errno);
            }
            if (is_still_at(path, fd.get())) return std::make_unique<RealLock>(std::move(fd));
        }
    }

    std::uint64_t random() override {
        std::uint64_t number = 0;  // so few bytes come all at once, or not at all
        const ssize_t got = uninterrupted([&] { return ::getrandom(&number, sizeof(number), 0); });
        STREAM_CHECK(got == static_cast<ssize_t>(sizeof(number)));
        return number;
    }

    std::int64_t now_ns() override {
        constexpr std::int64_t second = 1'000'000'000;
        timespec now{};
        STREAM_CHECK(::clock_gettime(CLOCK_REALTIME, &now) == 0);
        return std::int64_t{now.tv_sec} * second + now.tv_nsec;
    }
};

}  // namespace

FileSystem& real_file_system() {
    static RealFileSystem system;
    return system;
}

}  // namespace stream
