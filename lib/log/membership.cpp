// SPDX-License-Identifier: Apache-2.0
// Bytes of groups/NAME.members, none of which is ever written: byte i < 4096 is locked by the member in slot i,
// byte 2^20 + p by whoever reads partition p. The locks are OFD locks (fcntl(2), "Open file description
// locks"): they go with the open file, so a process can be several members, and the kernel frees them with it.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/text.hpp"
#include "io/fd.hpp"
#include "log/groups.hpp"

namespace stream::log {

namespace {

constexpr std::uint32_t slots = 4096;
constexpr std::uint64_t partitions_at = 1u << 20;
constexpr mode_t file_mode = 0600;
constexpr mode_t folder_mode = 0700;

std::string members_path(const std::string& folder, const std::string& group) { return folder + "/groups/" + group + ".members"; }

struct flock byte_range(std::uint64_t begin, std::uint64_t size, int type) {
    struct flock range{};
    range.l_type = static_cast<short>(type);
    range.l_whence = SEEK_SET;
    range.l_start = static_cast<off_t>(begin);
    range.l_len = static_cast<off_t>(size);
    return range;
}

int control(int fd, int command, struct flock& range) {
    for (;;) {
        const int outcome = ::fcntl(fd, command, &range);
        if (outcome == 0 || errno != EINTR) return outcome;
    }
}

// Whether it was free. Never waits.
Result<bool> try_lock(int fd, std::uint64_t byte, const std::string& path) {
    struct flock range = byte_range(byte, 1, F_WRLCK);
    if (control(fd, F_OFD_SETLK, range) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    return system_failure("lock", path, errno);
}

// Unlocking cannot be refused, memory for splitting a range aside: then the byte stays locked until we die.
void unlock(int fd, std::uint64_t byte) {
    struct flock range = byte_range(byte, 1, F_UNLCK);
    static_cast<void>(control(fd, F_OFD_SETLK, range));
}

// How many bytes of [begin, end) others have locked. The kernel names any one range of those in the way.
Result<std::uint32_t> count_others(int fd, std::uint64_t begin, std::uint64_t end, const std::string& path) {
    std::uint32_t count = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> left{{begin, end}};
    while (!left.empty()) {
        const auto [from, to] = left.back();
        left.pop_back();
        if (from >= to) continue;
        struct flock range = byte_range(from, to - from, F_WRLCK);
        if (control(fd, F_OFD_GETLK, range) != 0) return system_failure("ask for the locks of", path, errno);
        if (range.l_type == F_UNLCK) continue;
        const std::uint64_t first = std::max(static_cast<std::uint64_t>(range.l_start), from);
        const std::uint64_t last = range.l_len == 0 ? to : std::min(static_cast<std::uint64_t>(range.l_start + range.l_len), to);
        count += static_cast<std::uint32_t>(last - first);
        left.emplace_back(from, first);
        left.emplace_back(last, to);
    }
    return count;
}

// Somebody may have removed the file, or put another in its place: locks in two files see nothing of each other.
bool is_still_at(const std::string& path, int fd) {
    struct stat here;
    struct stat held;
    return ::fstat(fd, &held) == 0 && ::lstat(path.c_str(), &here) == 0 && here.st_dev == held.st_dev && here.st_ino == held.st_ino;
}

Result<OwnedFd> open_members(const std::string& path, int flags) {
    for (;;) {
        OwnedFd fd = open_fd(path, flags | O_NOFOLLOW | O_NONBLOCK, file_mode);
        if (!fd.is_open() && errno == EINTR) continue;
        if (!fd.is_open() && errno == ENOENT && (flags & O_CREAT) == 0) return fd;
        if (!fd.is_open()) {
            auto failure = system_failure("open", path, errno);
            return fail(ErrorKind::io, failure.value().message(), "readers of a group lock bytes of that file: it has to be writable");
        }
        struct stat status;
        if (::fstat(fd.get(), &status) != 0) return system_failure("open", path, errno);
        if (!S_ISREG(status.st_mode)) return fail(ErrorKind::io, fmt::format("cannot open {}: not a regular file", quoted_name(path)));
        return fd;
    }
}

Result<void> make_groups_folder(const std::string& folder) {
    const std::string path = folder + "/groups";
    if (::mkdir(path.c_str(), folder_mode) == 0) return {};
    const int error_number = errno;
    struct stat status;
    if (::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
    return system_failure("make the folder", path, error_number);
}

enum class Holding : std::uint8_t { none, held, lost };

}  // namespace

struct Membership::Impl {
    std::string path;
    OwnedFd fd;
    pid_t owner = 0;
    std::uint32_t slot = 0;
    std::uint32_t members = 1;
    std::vector<Holding> partitions;
    std::vector<std::uint32_t> held;  // the same, as numbers: none left out but Holding::none

    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    // A child of ours between fork() and exec() keeps the open file, so closing is not enough; and the child
    // must not unlock what is its parent's.
    ~Impl() {
        if (!fd.is_open() || owner != ::getpid()) return;
        struct flock all = byte_range(0, 0, F_UNLCK);
        static_cast<void>(control(fd.get(), F_OFD_SETLK, all));
    }
    Result<bool> take_slot();
    void take_back(const Change& change);
    void list_held();
};

// False where the file is not at its path any more.
Result<bool> Membership::Impl::take_slot() {
    for (slot = 0; slot < slots; ++slot) {
        auto free = try_lock(fd.get(), slot, path);
        if (!free) return free;
        if (*free) return is_still_at(path, fd.get());
    }
    return fail(ErrorKind::limit, fmt::format("{}: the group has {} members", path, slots), "more cannot share it: use another group");
}

// Of a change that nobody will be told of.
void Membership::Impl::take_back(const Change& change) {
    for (const std::uint32_t p : change.lost) partitions[p] = Holding::held;
    for (const std::uint32_t p : change.gained) {
        partitions[p] = Holding::none;
        unlock(fd.get(), partitions_at + p);
    }
}

void Membership::Impl::list_held() {
    held.clear();
    for (std::uint32_t p = 0; p < partitions.size(); ++p) {
        if (partitions[p] != Holding::none) held.push_back(p);
    }
}

Membership::Membership(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Membership::Membership(Membership&&) noexcept = default;
Membership& Membership::operator=(Membership&&) noexcept = default;
Membership::~Membership() = default;

Result<Membership> Membership::join(const std::string& folder, const std::string& group, std::uint32_t partitions) {
    STREAM_TRY(check_group_name(group));
    STREAM_TRY(make_groups_folder(folder));
    auto impl = std::make_unique<Impl>();
    impl->path = members_path(folder, group);
    impl->owner = ::getpid();
    impl->partitions.resize(partitions);
    for (bool joined = false; !joined;) {
        auto fd = open_members(impl->path, O_RDWR | O_CREAT);
        if (!fd) return pass_on(fd);
        impl->fd = std::move(*fd);
        auto taken = impl->take_slot();
        if (!taken) return pass_on(taken);
        joined = *taken;
    }
    auto others = count_others(impl->fd.get(), 0, slots, impl->path);
    if (!others) return pass_on(others);
    impl->members = *others + 1;
    return Membership(std::move(impl));
}

Result<Membership::Change> Membership::settle() {
    Impl& me = *impl_;
    if (!is_still_at(me.path, me.fd.get())) {
        return fail(ErrorKind::io, fmt::format("{}: removed or replaced while the group was read", me.path),
                    "its readers cannot see each other: start them again");
    }
    auto below = count_others(me.fd.get(), 0, me.slot, me.path);
    if (!below) return pass_on(below);
    auto above = count_others(me.fd.get(), me.slot + 1, slots, me.path);
    if (!above) return pass_on(above);
    me.members = *below + 1 + *above;
    Change change;
    for (std::uint32_t p = 0; p < me.partitions.size(); ++p) {
        const bool mine = p % me.members == *below;
        if (!mine && me.partitions[p] == Holding::held) {
            me.partitions[p] = Holding::lost;
            change.lost.push_back(p);
        }
        if (!mine || me.partitions[p] != Holding::none) continue;
        auto free = try_lock(me.fd.get(), partitions_at + p, me.path);
        if (!free) {
            me.take_back(change);
            return pass_on(free);
        }
        if (!*free) continue;
        me.partitions[p] = Holding::held;
        change.gained.push_back(p);
    }
    me.list_held();
    return change;
}

void Membership::release(const std::vector<std::uint32_t>& partitions) {
    for (const std::uint32_t p : partitions) {
        if (p >= impl_->partitions.size() || impl_->partitions[p] == Holding::none) continue;
        impl_->partitions[p] = Holding::none;
        unlock(impl_->fd.get(), partitions_at + p);
    }
    impl_->list_held();
}

const std::vector<std::uint32_t>& Membership::held() const { return impl_->held; }
std::uint32_t Membership::members() const { return impl_->members; }

Result<std::uint32_t> count_members(const std::string& folder, const std::string& group) {
    STREAM_TRY(check_group_name(group));
    const std::string path = members_path(folder, group);
    auto fd = open_members(path, O_RDONLY);
    if (!fd) return pass_on(fd);
    if (!fd->is_open()) return 0;
    return count_others(fd->get(), 0, slots, path);
}

}  // namespace stream::log
