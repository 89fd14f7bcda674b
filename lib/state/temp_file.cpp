// SPDX-License-Identifier: Apache-2.0
#include "state/temp_file.hpp"

#include "io/fd.hpp"
#include "io/nameless_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace stream {
namespace {

std::string spill_file_in(const std::string& folder) { return folder + "/(spill file)"; }

}  // namespace

Result<TempFile> TempFile::create(const std::string& folder) {
    auto fd = open_nameless(folder);
    if (!fd) return pass_on(fd);
    return TempFile(std::move(*fd), folder);
}

Result<TempFile> TempFile::open_kept(const std::string& path) {
    OwnedFd fd = open_fd(path, O_RDONLY);
    if (!fd.is_open()) return system_failure("open", path, errno);
    TempFile file(std::move(fd), path.substr(0, path.rfind('/')));
    file.is_kept_ = true;
    return file;
}

Result<std::uint64_t> TempFile::keep(KeptFiles& files) {
    is_kept_ = true;
    return files.add(fd_.get());
}

Result<void> TempFile::write_at(std::uint64_t at, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
        if (written < 0) {
            if (errno == EINTR) continue;
            return system_failure("write", spill_file_in(folder_), errno);
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
        at += static_cast<std::uint64_t>(written);
    }
    return {};
}

Result<void> TempFile::read_at(std::uint64_t at, std::span<char> into) const {
    const auto got = pread_full(fd_.get(), into, at);
    if (got < 0) return system_failure("read", spill_file_in(folder_), errno);
    if (static_cast<std::size_t>(got) < into.size()) {
        return fail(ErrorKind::corrupt, fmt::format("{} lost bytes", quoted_name(spill_file_in(folder_))));
    }
    return {};
}

bool TempFile::punch(std::uint64_t at, std::uint64_t size) {
    return !is_kept_ && ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(at),
                       static_cast<off_t>(size)) == 0;
}

}  // namespace stream
