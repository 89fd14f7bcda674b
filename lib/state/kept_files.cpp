// SPDX-License-Identifier: Apache-2.0
#include "state/kept_files.hpp"

#include "base/crc32c.hpp"
#include "io/fd.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

namespace stream {
namespace {

constexpr std::string_view kept_mark = ".kept-";

Result<void> link_as(const std::string& from, const std::string& to, int flags) {
    if (::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0) return {};
    // Another file system, one without links, a file that has lost its name, a link too many.
    if (errno == EXDEV || errno == EPERM || errno == ENOENT || errno == EMLINK || errno == EOPNOTSUPP || errno == ENOSYS) return KeptFiles::copy(from, to);
    return system_failure("link", to, errno);
}

}  // namespace

Result<void> KeptFiles::copy(const std::string& from, const std::string& to, std::uint64_t most) {
    const OwnedFd in = open_fd(from, O_RDONLY);
    if (!in.is_open()) return system_failure("open", from, errno);
    const OwnedFd out = open_fd(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!out.is_open()) return system_failure("make", to, errno);
    std::string block(1 << 20, '\0');
    for (std::uint64_t at = 0;;) {
        const std::span<char> wanted = std::span(block).first(static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), most - at)));
        const ssize_t got = pread_full(in.get(), wanted, at);
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

// --- the list ----------------------------------------------------------------------------------

Result<std::uint32_t> checksum_of(File& file, std::uint64_t size) {
    std::uint32_t crc = 0;
    std::string block(1 << 20, '\0');
    for (std::uint64_t at = 0; at < size;) {
        auto got = file.read_at(std::span(block).first(static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), size - at))), at);
        if (!got) return pass_on(got);
        if (*got == 0) break;
        crc = crc32c_extend(crc, std::string_view(block).substr(0, *got));
        at += *got;
    }
    return crc;
}

Result<void> put_kept(StateWriter& writer, FileSystem& files, const std::string& folder, const KeptFiles& kept) {
    writer.put_varint(kept.names().size());
    for (const std::string& name : kept.names()) {
        auto file = files.open(folder + "/" + name, Open::write);
        if (!file) return pass_on(file);
        STREAM_TRY((*file)->sync());
        auto size = (*file)->size();
        if (!size) return pass_on(size);
        auto crc = checksum_of(**file, *size);
        if (!crc) return pass_on(crc);
        writer.put_bytes(name);
        writer.put_varint(*size);
        writer.put_varint(*crc);
    }
    return kept.names().empty() ? Result<void>{} : files.sync_folder(folder);
}

Result<KeptFiles> get_kept(StateReader& reader, FileSystem& files, const std::string& folder) {
    const std::uint64_t count = reader.get_varint();
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < count; ++i) {
        std::string name(reader.get_bytes());
        const std::uint64_t bytes = reader.get_varint();
        const std::uint64_t crc32c = reader.get_varint();
        STREAM_TRY(reader.check("the list of files"));
        if (name.empty() || name.find('/') != std::string::npos) return fail(ErrorKind::corrupt, "the saved state names a file that cannot be");
        const std::string path = folder + "/" + name;
        auto file = files.open_if_there(path, Open::read);
        if (!file) return pass_on(file);
        if (*file == nullptr) return fail(ErrorKind::corrupt, quoted_name(path) + " is missing, and the state names it");
        auto size = (*file)->size();
        if (!size) return pass_on(size);
        auto crc = *size == bytes ? checksum_of(**file, bytes) : Result<std::uint32_t>(0);
        if (!crc) return pass_on(crc);
        if (*size != bytes || *crc != crc32c) return fail(ErrorKind::corrupt, quoted_name(path) + " is not the file that the state names");
        names.push_back(std::move(name));
    }
    STREAM_TRY(reader.check("the list of files"));
    return KeptFiles(folder, std::move(names));
}

Result<void> remove_kept(FileSystem& files, const std::string& folder, std::string_view prefix, const std::vector<std::string>& but) {
    auto names = files.list(folder);
    if (!names) return pass_on(names);
    if (!*names) return {};
    for (const std::string& name : **names) {
        const bool is_kept = name.starts_with(prefix) && name.find(kept_mark) != std::string::npos;
        if (is_kept && std::find(but.begin(), but.end(), name) == but.end()) STREAM_TRY(files.remove(folder + "/" + name));
    }
    return {};
}

}  // namespace stream
