// SPDX-License-Identifier: Apache-2.0
#include "io/open.hpp"

#include "io/fd.hpp"
#include "io/file_source.hpp"
#include "io/place_search.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace stream {

namespace {

Result<std::unique_ptr<ByteSource>> make_source(int fd, OwnedFd owned, const std::string& name) {
    struct stat status;
    if (::fstat(fd, &status) != 0) return system_failure("open", name, errno);
    if (S_ISDIR(status.st_mode)) {
        return fail(ErrorKind::usage, fmt::format("{} is a directory", quoted_name(name)),
                    fmt::format("name the files in it: {}{}*", name, name.ends_with('/') ? "" : "/"));
    }
    auto shared = owned.is_open() ? std::make_shared<OwnedFd>(std::move(owned)) : nullptr;
    return std::make_unique<FileSource>(Descriptor(fd, std::move(shared), name, status));
}

// A regular file, resumed: the rest of the file that the place is in, and those that came after it.
class ResumedSource final : public ByteSource {
public:
    explicit ResumedSource(std::vector<FilePart> parts)
        : given_(start_of(parts)), reader_(std::move(parts), given_, false) {}

    Result<ReadOutcome> read(std::span<char> into) override { return reader_.read(into); }
    int poll_fd() const override { return -1; }
    std::uint64_t raw_position() const override { return reader_.raw_position(); }
    std::uint64_t raw_size() const override { return reader_.raw_size(); }
    bool is_regular() const override { return true; }
    Result<std::optional<FilePlace>> place_at(std::uint64_t count) override { return given_.place_at(count); }

private:
    static GivenBytes start_of(const std::vector<FilePart>& parts) {
        GivenBytes given;
        given.enable();
        note_start(parts, given);
        return given;
    }

    GivenBytes given_;
    PartReader reader_;
};

// The name that descriptor 0 was opened by, if that still is the file's; else one that leads to it anyway.
std::string name_of_stdin(const struct stat& status) {
    const std::string link = "/proc/self/fd/0";
    char name[4096];
    const ssize_t size = ::readlink(link.c_str(), name, sizeof name);
    if (size <= 0 || static_cast<std::size_t>(size) == sizeof name) return link;
    std::string path(name, static_cast<std::size_t>(size));
    struct stat there;
    const bool same =
        ::stat(path.c_str(), &there) == 0 && there.st_dev == status.st_dev && there.st_ino == status.st_ino;
    return same ? path : link;
}

// Where whoever had stdin before has left it.
Result<void> skip_what_was_read(FilePart& part) {
    const off_t start = ::lseek(STDIN_FILENO, 0, SEEK_CUR);
    if (start <= 0) return {};
    if (part.source->life()->compressed) {
        return fail(ErrorKind::usage, "stdin is compressed, and was read in part: it cannot be resumed");
    }
    part.offset = static_cast<std::uint64_t>(start);
    auto place = part.source->life()->place_at(part.offset);
    if (!place) return pass_on(place);
    auto there = part.source->go_to(*place);
    if (!there) return pass_on(there);
    return {};
}

// The N of /dev/fd/N and its other spellings.
std::optional<int> descriptor_named_by(std::string_view path) {
    if (path == "/dev/stdin") return 0;
    for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
        if (!path.starts_with(folder)) continue;
        int number = -1;
        const char* last = path.data() + path.size();
        const auto [end, problem] = std::from_chars(path.data() + folder.size(), last, number);
        if (problem == std::errc() && end == last && number >= 0) return number;
    }
    return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<ByteSource>> open_source(const std::string& path) {
    if (path == "-") return open_descriptor(STDIN_FILENO, "stdin");
    OwnedFd fd = open_fd(path, O_RDONLY);  // waits, on a FIFO, for its writer
    int error_number = fd.is_open() ? 0 : errno;
    if (error_number == ENXIO || error_number == EACCES) {
        // Linux opens /dev/fd/N anew, which it cannot do with a socket, nor with another user's pipe.
        if (const auto number = descriptor_named_by(path)) {
            fd.reset(::fcntl(*number, F_DUPFD_CLOEXEC, 3));
            if (fd.is_open()) error_number = 0;
        }
    }
    if (error_number == EINTR) {
        return fail(ErrorKind::stopped, fmt::format("stopped while opening {}", quoted_name(path)));
    }
    if (error_number != 0) return system_failure("open", path, error_number);
    const int number = fd.get();
    return make_source(number, std::move(fd), path);
}

Result<std::unique_ptr<ByteSource>> open_descriptor(int fd, const std::string& name) {
    return make_source(fd, OwnedFd(), name);
}

Result<std::unique_ptr<ByteSource>> open_source_at(const std::string& path, const FilePlace& place,
                                                   const ResumeOptions& options) {
    struct stat status;
    const bool is_stdin = path == "-";
    const bool found = is_stdin ? ::fstat(STDIN_FILENO, &status) == 0 : ::stat(path.c_str(), &status) == 0;
    if (found && !S_ISREG(status.st_mode) && place.is_empty()) return open_source(path);
    if (!found && place.is_empty() && place.inode == 0) return open_source(path);  // which says why not
    auto parts = find_place(is_stdin && found ? name_of_stdin(status) : path, place);
    if (!parts) return pass_on(parts);
    if (parts->gap && options.on_gap == OnGap::fail) return gap_failure(*parts->gap);
    if (parts->gap && options.tell_gap) options.tell_gap(*parts->gap + ": going on with what is there");
    if (parts->parts.empty()) return system_failure("open", path, ENOENT);
    if (is_stdin && place.is_empty() && place.inode == 0)
        STREAM_TRY(skip_what_was_read(parts->parts.front()));
    return std::make_unique<ResumedSource>(std::move(parts->parts));
}

}  // namespace stream
