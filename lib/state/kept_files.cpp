// SPDX-License-Identifier: Apache-2.0
#include "state/kept_files.hpp"

#include "io/fd.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace stream {
namespace {

Result<void> link_as(const std::string& from, const std::string& to, int flags) {
    if (::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0) return {};
    // Another file system, one without links, a file that has lost its name, a link too many.
    if (errno == EXDEV || errno == EPERM || errno == ENOENT || errno == EMLINK || errno == EOPNOTSUPP) return KeptFiles::copy(from, to);
    return system_failure("link", to, errno);
}

}  // namespace

Result<void> KeptFiles::copy(const std::string& from, const std::string& to) {
    const OwnedFd in = open_fd(from, O_RDONLY);
    if (!in.is_open()) return system_failure("open", from, errno);
    const OwnedFd out = open_fd(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!out.is_open()) return system_failure("make", to, errno);
    std::string block(1 << 20, '\0');
    for (std::uint64_t at = 0;;) {
        const ssize_t got = pread_full(in.get(), block, at);
        if (got < 0) return system_failure("read", from, errno);
        if (got == 0) return {};
        if (!write_full(out.get(), std::string_view(block).substr(0, static_cast<std::size_t>(got)))) return system_failure("write", to, errno);
        at += static_cast<std::uint64_t>(got);
    }
}

Result<void> KeptFiles::link_or_copy(const std::string& from, const std::string& to) { return link_as(from, to, 0); }

Result<std::uint64_t> KeptFiles::add_as(const std::string& from, int flags) {
    const std::uint64_t number = names_.size();
    std::string name = fmt::format("{}{}", prefix_, number);
    const std::string path = folder_ + "/" + name;
    STREAM_TRY(link_as(from, path, flags));
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return system_failure("look at", path, errno);
    bytes_ += static_cast<std::uint64_t>(status.st_size);
    names_.push_back(std::move(name));
    return number;
}

Result<std::uint64_t> KeptFiles::add(const std::string& path) { return add_as(path, 0); }

Result<std::uint64_t> KeptFiles::add(int fd) { return add_as(fmt::format("/proc/self/fd/{}", fd), AT_SYMLINK_FOLLOW); }

Result<std::string> KeptFiles::path(std::uint64_t number) const {
    if (number < names_.size()) return folder_ + "/" + names_[number];
    return fail(ErrorKind::corrupt, fmt::format("the saved state speaks of file {} beside it, and has {}", number, names_.size()));
}

}  // namespace stream
