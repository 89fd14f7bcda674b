// SPDX-License-Identifier: Apache-2.0
// docs/formats/state.md is the specification; the offsets here are its tables'.
#include "state/snapshot.hpp"

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "base/text.hpp"
#include "io/fd.hpp"
#include "io/zstd_block.hpp"
#include "state/key_hash.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

namespace stream {
namespace {

constexpr std::string_view magic{"\x89STRM\r\n\x1a", 8};
constexpr std::uint16_t format_major = 1;
constexpr std::uint16_t format_minor = 0;
constexpr std::uint32_t known_features = 0;  // must-understand bits that this program understands
constexpr std::size_t header_fixed = 60;     // up to the names
constexpr std::size_t header_max = 8192;
constexpr std::size_t arguments_max = 4096;
constexpr std::size_t frame_raw_max = 1 << 20;
constexpr std::size_t frame_header_size = 24;
constexpr std::uint32_t frame_magic = 0x4d524653;    // SFRM
constexpr std::uint32_t trailer_magic = 0x444e4553;  // SEND
constexpr std::size_t trailer_size = 32;
constexpr int compression_level = 1;

constexpr std::string_view file_in_folder = "state";
constexpr std::string_view temporary_mark = ".tmp.";

tl::unexpected<Error> damaged(const std::string& path, std::string_view how) {
    return fail(ErrorKind::corrupt, fmt::format("state file {} is damaged: {}", quoted_name(path), how));
}

template <class T>
void put(std::string& out, T value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out.append(bytes, sizeof value);
}

template <class T>
T get(std::string_view bytes, std::size_t at) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> sync_folder(const std::string& folder) {
    const OwnedFd fd = open_fd(folder, O_RDONLY | O_DIRECTORY);
    if (!fd.is_open()) return system_failure("open folder", folder, errno);
    // Where a folder cannot be synced (EINVAL) a rename is as durable as it gets.
    if (::fsync(fd.get()) != 0 && errno != EINVAL) return system_failure("sync folder", folder, errno);
    return {};
}

Result<void> make_folder(const std::string& folder) {
    if (::mkdir(folder.c_str(), 0700) == 0) return sync_folder(folder_of(folder));
    if (errno != EEXIST) return system_failure("make folder", folder, errno);
    return {};
}

std::string encode_header(const SnapshotHeader& header, std::uint64_t raw_length, std::uint32_t frames) {
    STREAM_CHECK(header.tool.size() <= 255 && header.name.size() <= 255);
    const std::string_view arguments = std::string_view(header.arguments).substr(0, arguments_max);
    const Hash128 print = fingerprint(header.arguments);
    const std::size_t length = header_fixed + header.tool.size() + header.name.size() + arguments.size() + 4;
    std::string out;
    out.append(magic);
    put(out, static_cast<std::uint32_t>(length));
    put(out, format_major);
    put(out, format_minor);
    put(out, known_features);
    put(out, std::uint32_t{0});
    put(out, raw_length);
    put(out, frames);
    put(out, static_cast<std::uint32_t>(frame_raw_max));
    put(out, print.low);
    put(out, print.high);
    put(out, static_cast<std::uint8_t>(header.tool.size()));
    put(out, static_cast<std::uint8_t>(header.name.size()));
    put(out, static_cast<std::uint16_t>(arguments.size()));
    STREAM_CHECK(out.size() == header_fixed);
    out.append(header.tool).append(header.name).append(arguments);
    put(out, crc32c(out));
    return out;
}

// One frame with its header, into `out`.
void encode_frame(ZstdCompressor& compressor, std::uint32_t header_crc, std::uint32_t index, std::string_view raw,
                  std::string& out) {
    out.assign(frame_header_size, '\0');
    compressor.append(out, raw);
    const std::size_t stored = out.size() - frame_header_size;
    std::string head;
    put(head, frame_magic);
    put(head, index);
    put(head, static_cast<std::uint32_t>(stored));
    put(head, static_cast<std::uint32_t>(raw.size()));
    put(head, crc32c(std::string_view(out).substr(frame_header_size)));
    put(head, crc32c_extend(header_crc, head));
    std::memcpy(out.data(), head.data(), frame_header_size);
}

Result<SavedFile> write_contents(const SnapshotHeader& header, std::string_view payload, const SnapshotSink& write) {
    ZstdCompressor compressor(compression_level);

    const std::uint64_t frames = (payload.size() + frame_raw_max - 1) / frame_raw_max;
    STREAM_CHECK(frames <= 0xffffffff);
    std::string bytes = encode_header(header, payload.size(), static_cast<std::uint32_t>(frames));
    const auto header_crc = get<std::uint32_t>(bytes, bytes.size() - 4);
    SavedFile saved;
    const auto append = [&]() -> Result<void> {
        saved.crc32c = crc32c_extend(saved.crc32c, bytes);
        saved.bytes += bytes.size();
        return write(bytes);
    };
    STREAM_TRY(append());
    for (std::uint32_t index = 0; index < frames; ++index) {
        const auto raw = payload.substr(std::size_t{index} * frame_raw_max, frame_raw_max);
        encode_frame(compressor, header_crc, index, raw, bytes);
        STREAM_TRY(append());
    }
    bytes.clear();
    put(bytes, trailer_magic);
    put(bytes, static_cast<std::uint32_t>(frames));
    put(bytes, saved.bytes + trailer_size);
    put(bytes, static_cast<std::uint64_t>(payload.size()));
    put(bytes, saved.crc32c);
    put(bytes, crc32c(bytes));
    STREAM_CHECK(bytes.size() == trailer_size);
    STREAM_TRY(append());
    return saved;
}

// Reads exactly what is asked for, at an offset known to lie inside the file.
class FileReader {
public:
    FileReader(const SnapshotReadAt& read_at, const std::string& path) : read_at_(read_at), path_(path) {}

    Result<void> read(std::uint64_t at, std::size_t size, std::string& into) const {
        into.resize(size);
        auto got = read_at_(into, at);
        if (!got) return pass_on(got);
        if (*got < size) return damaged(path_, "it became shorter while it was read");
        return {};
    }

private:
    const SnapshotReadAt& read_at_;
    const std::string& path_;
};

struct Header {
    std::size_t length = 0;
    std::uint32_t crc = 0;
    std::uint64_t raw_length = 0;
    std::uint32_t frames = 0;
    std::uint32_t frame_raw = 0;
    Hash128 arguments_print;
    std::string tool;
    std::string name;
    std::string arguments;
};

Result<Header> read_header(const FileReader& file, std::uint64_t file_size, const std::string& path) {
    std::string bytes;
    STREAM_TRY(file.read(0, std::min<std::uint64_t>(file_size, 16), bytes));
    if (bytes.size() < magic.size() ? !magic.starts_with(bytes) : !bytes.starts_with(magic)) {
        return fail(ErrorKind::corrupt, fmt::format("{} is no state file of streamutils", quoted_name(path)));
    }
    if (bytes.size() < 16) return damaged(path, "cut short in its header");
    Header header;
    header.length = get<std::uint32_t>(bytes, 8);
    const auto major = get<std::uint16_t>(bytes, 12);
    if (header.length < header_fixed + 4 || header.length > header_max) {
        return damaged(path, "its header has an impossible length");
    }
    if (header.length > file_size) return damaged(path, "cut short in its header");
    STREAM_TRY(file.read(0, header.length, bytes));
    header.crc = get<std::uint32_t>(bytes, header.length - 4);
    if (crc32c(std::string_view(bytes).substr(0, header.length - 4)) != header.crc) {
        return damaged(path, "its header fails its checksum");
    }
    if (major != format_major || (get<std::uint32_t>(bytes, 16) & ~known_features) != 0) {
        return fail(ErrorKind::usage,
                    fmt::format("state file {} has format version {}.{}, which this program cannot read",
                                quoted_name(path), major, get<std::uint16_t>(bytes, 14)));
    }
    header.raw_length = get<std::uint64_t>(bytes, 24);
    header.frames = get<std::uint32_t>(bytes, 32);
    header.frame_raw = get<std::uint32_t>(bytes, 36);
    header.arguments_print = {get<std::uint64_t>(bytes, 40), get<std::uint64_t>(bytes, 48)};
    const std::size_t tool = get<std::uint8_t>(bytes, 56);
    const std::size_t name = get<std::uint8_t>(bytes, 57);
    const std::size_t arguments = get<std::uint16_t>(bytes, 58);
    if (header_fixed + tool + name + arguments + 4 > header.length) {
        return damaged(path, "its header contradicts itself");
    }
    header.tool = bytes.substr(header_fixed, tool);
    header.name = bytes.substr(header_fixed + tool, name);
    header.arguments = bytes.substr(header_fixed + tool + name, arguments);
    const std::uint64_t full = header.frame_raw == 0 ? 0 : header.raw_length / header.frame_raw;
    const bool last = header.frame_raw != 0 && header.raw_length % header.frame_raw != 0;
    if (header.frame_raw == 0 || header.frame_raw > frame_raw_max || header.frames != full + (last ? 1 : 0)) {
        return damaged(path, "its header contradicts itself");
    }
    return header;
}

Result<void> check_owner(const Header& header, const SnapshotHeader& expected, const std::string& path) {
    const auto other = [&](std::string_view was, std::string_view is) {
        return fail(ErrorKind::usage,
                    fmt::format("the state in {} was saved by {}, not by {}", quoted_name(path),
                                quoted(was, 200), quoted(is, 200)),
                    "give the same arguments as before, or another folder");
    };
    if (header.tool != expected.tool) return other(header.tool, expected.tool);
    if (header.name != expected.name) return other(header.name, expected.name);
    if (header.arguments_print != fingerprint(expected.arguments)) {
        return other(header.tool + " " + header.arguments, expected.tool + " " + expected.arguments);
    }
    return {};
}

struct Frame {
    std::uint64_t at = 0;  // of the stored bytes
    std::uint32_t stored = 0;
    std::uint32_t raw = 0;
    std::uint32_t crc = 0;
};

// Every frame's header is checked before anything is allocated for what the frames hold.
Result<std::vector<Frame>> read_frames(const FileReader& file, std::uint64_t file_size, const Header& header,
                                       const std::string& path) {
    std::vector<Frame> frames;
    std::uint64_t at = header.length;
    std::uint64_t raw_left = header.raw_length;
    std::string head;
    for (std::uint32_t index = 0; index < header.frames; ++index) {
        if (file_size - at < frame_header_size + trailer_size) return damaged(path, "cut short");
        STREAM_TRY(file.read(at, frame_header_size, head));
        const auto crc = crc32c_extend(header.crc, std::string_view(head).substr(0, frame_header_size - 4));
        const Frame frame{at + frame_header_size, get<std::uint32_t>(head, 8), get<std::uint32_t>(head, 12),
                          get<std::uint32_t>(head, 16)};
        if (get<std::uint32_t>(head, 0) != frame_magic || get<std::uint32_t>(head, 4) != index ||
            get<std::uint32_t>(head, 20) != crc) {
            return damaged(path, fmt::format("the header of frame {} fails its check (byte {})", index, at));
        }
        if (frame.raw != std::min<std::uint64_t>(raw_left, header.frame_raw) ||
            frame.stored > zstd_bound(frame.raw)) {
            return damaged(path, fmt::format("frame {} has an impossible length (byte {})", index, at));
        }
        if (frame.stored > file_size - frame.at) return damaged(path, "cut short");
        raw_left -= frame.raw;
        at = frame.at + frame.stored;
        frames.push_back(frame);
    }
    if (file_size - at < trailer_size) return damaged(path, "cut short");
    if (file_size - at > trailer_size) return damaged(path, "bytes after its end");
    return frames;
}

Result<void> check_trailer(const FileReader& file, std::uint64_t file_size, const Header& header,
                           std::uint32_t crc, const std::string& path) {
    std::string bytes;
    STREAM_TRY(file.read(file_size - trailer_size, trailer_size, bytes));
    if (get<std::uint32_t>(bytes, 0) != trailer_magic ||
        get<std::uint32_t>(bytes, 28) != crc32c(std::string_view(bytes).substr(0, 28)) ||
        get<std::uint32_t>(bytes, 4) != header.frames || get<std::uint64_t>(bytes, 8) != file_size ||
        get<std::uint64_t>(bytes, 16) != header.raw_length || get<std::uint32_t>(bytes, 24) != crc) {
        return damaged(path, "its trailer fails its check");
    }
    return {};
}

Result<std::string> read_payload(const FileReader& file, std::uint64_t file_size, const Header& header,
                                 const std::vector<Frame>& frames, const std::string& path) {
    std::string bytes;
    STREAM_TRY(file.read(0, header.length, bytes));
    std::uint32_t crc = crc32c(bytes);

    std::string payload;
    // A forged file can claim much and hold little: past this ratio the payload grows as it is verified.
    payload.reserve(std::min<std::uint64_t>(header.raw_length, 64 * file_size));
    ZstdExpander expander;
    for (const Frame& frame : frames) {
        STREAM_TRY(file.read(frame.at - frame_header_size, frame_header_size + frame.stored, bytes));
        const auto stored = std::string_view(bytes).substr(frame_header_size);
        const bool good = crc32c(stored) == frame.crc && expander.append(payload, stored, frame.raw);
        if (!good) return damaged(path, fmt::format("the bytes from {} fail their checksum", frame.at));
        crc = crc32c_extend(crc, bytes);
    }
    STREAM_TRY(check_trailer(file, file_size, header, crc, path));
    return payload;
}

void remove_leftovers(const std::string& folder) {
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(folder.c_str()), ::closedir);
    if (listing == nullptr) return;
    const std::string prefix = std::string(file_in_folder) + std::string(temporary_mark);
    while (const dirent* entry = ::readdir(listing.get())) {
        if (!std::string_view(entry->d_name).starts_with(prefix)) continue;
        ::unlinkat(::dirfd(listing.get()), entry->d_name, 0);  // a read-only folder keeps them; no harm
    }
}

}  // namespace

Result<SavedFile> write_snapshot(const SnapshotHeader& header, std::string_view payload, const SnapshotSink& write) {
    return write_contents(header, payload, write);
}

Result<SavedFile> write_snapshot_file(const std::string& path, const SnapshotHeader& header,
                                      std::string_view payload) {
    std::string temporary = path + std::string(temporary_mark) + "XXXXXX";
    OwnedFd fd(::mkostemp(temporary.data(), O_CLOEXEC));  // O_EXCL and mode 0600 are its nature
    if (!fd.is_open()) return system_failure("make state file", temporary, errno);
    auto saved = write_contents(header, payload, [&](std::string_view bytes) -> Result<void> {
        return write_full(fd.get(), bytes) ? Result<void>{} : system_failure("write state file", temporary, errno);
    });
    int error = 0;
    if (saved) {
        if (::fsync(fd.get()) != 0) error = errno;
        if (::close(fd.release()) != 0 && error == 0) error = errno;  // some errors show only here
        if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
    }
    if (!saved || error != 0) {
        ::unlink(temporary.c_str());
        if (!saved) return saved;
        return system_failure("save state file", path, error);
    }
    STREAM_TRY(sync_folder(folder_of(path)));
    return saved;
}

Result<std::string> read_snapshot_file(const std::string& path, const SnapshotHeader& expected) {
    const OwnedFd fd = open_fd(path, O_RDONLY | O_NONBLOCK);
    if (!fd.is_open()) return system_failure("open state file", path, errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return system_failure("read state file", path, errno);
    if (!S_ISREG(status.st_mode)) {
        return fail(ErrorKind::corrupt, fmt::format("{} is no state file of streamutils", quoted_name(path)));
    }
    const auto read_at = [&](std::span<char> into, std::uint64_t at) -> Result<std::size_t> {
        const auto got = pread_full(fd.get(), into, at);
        if (got < 0) return system_failure("read state file", path, errno);
        return static_cast<std::size_t>(got);
    };
    return read_snapshot(path, static_cast<std::uint64_t>(status.st_size), read_at, expected);
}

Result<std::string> read_snapshot(const std::string& path, std::uint64_t size, const SnapshotReadAt& read_at, const SnapshotHeader& expected) {
    const FileReader file(read_at, path);
    auto header = read_header(file, size, path);
    if (!header) return pass_on(header);
    auto frames = read_frames(file, size, *header, path);
    if (!frames) return pass_on(frames);
    // Damage is told before ownership: a damaged file proves nothing about whose it is.
    auto payload = read_payload(file, size, *header, *frames, path);
    if (!payload) return payload;
    STREAM_TRY(check_owner(*header, expected, path));
    return payload;
}

Result<void> save_snapshot(const std::string& folder, const SnapshotHeader& header,
                           std::string_view payload) {
    STREAM_TRY(make_folder(folder));
    auto saved = write_snapshot_file(folder + "/" + std::string(file_in_folder), header, payload);
    if (!saved) return pass_on(saved);
    return {};
}

Result<void> remove_snapshot(const std::string& folder) {
    const std::string path = folder + "/state";
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_failure("remove", path, errno);
    return sync_folder(folder);
}

Result<std::optional<std::string>> load_snapshot(const std::string& folder, const SnapshotHeader& expected) {
    remove_leftovers(folder);
    const std::string path = folder + "/" + std::string(file_in_folder);
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return std::optional<std::string>();
        return system_failure("read state file", path, errno);
    }
    auto payload = read_snapshot_file(path, expected);
    if (!payload) return pass_on(payload);
    return std::optional<std::string>(std::move(*payload));
}

Result<StateLock> StateLock::acquire(const std::string& folder) {
    STREAM_TRY(make_folder(folder));
    const std::string path = folder + "/LOCK";
    // Again if somebody removed the file between open and flock: a lock on a nameless file locks nobody.
    for (int attempt = 0; attempt < 16; ++attempt) {
        OwnedFd fd = open_fd(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
        if (!fd.is_open()) return system_failure("open lock file", path, errno);
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) return system_failure("lock", path, errno);
            std::array<char, 24> holder{};
            const auto got = ::pread(fd.get(), holder.data(), holder.size() - 1, 0);
            std::string_view text(holder.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
            text = text.substr(0, text.find_first_not_of("0123456789"));
            return fail(ErrorKind::locked,
                        fmt::format("state folder {} is in use{}", quoted_name(folder),
                                    text.empty() ? "" : fmt::format(" by process {}", text)));
        }
        struct stat mine {};
        struct stat named {};
        if (::fstat(fd.get(), &mine) != 0) return system_failure("lock", path, errno);
        if (::stat(path.c_str(), &named) != 0 || mine.st_ino != named.st_ino || mine.st_dev != named.st_dev) {
            continue;
        }
        const std::string holder = fmt::format("{}\n", ::getpid());  // for messages only
        if (::ftruncate(fd.get(), 0) == 0) {
            [[maybe_unused]] const auto ignored = ::pwrite(fd.get(), holder.data(), holder.size(), 0);
        }
        return StateLock(fd.release());
    }
    return fail(
        ErrorKind::locked,
        fmt::format("state folder {}: its lock file is being removed again and again", quoted_name(folder)));
}

StateLock& StateLock::operator=(StateLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

StateLock::~StateLock() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace stream
