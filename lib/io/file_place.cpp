// SPDX-License-Identifier: Apache-2.0
#include "io/file_place.hpp"

#include "base/text.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>

namespace stream {

namespace {

constexpr int version = 1;
constexpr std::size_t left_max = 64;

// Takes exact texts and decimal numbers from the front.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {}

    Reader& text(std::string_view wanted) {
        good_ = good_ && rest_.starts_with(wanted);
        if (good_) rest_.remove_prefix(wanted.size());
        return *this;
    }
    template <class Number>
    Reader& number(Number& into) {
        if (!good_) return *this;
        const char* last = rest_.data() + rest_.size();
        const auto [end, problem] = std::from_chars(rest_.data(), last, into);
        good_ = problem == std::errc();
        if (good_) rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return *this;
    }
    bool begins_with(char byte) const { return good_ && rest_.starts_with(byte); }
    bool is_good() const { return good_; }
    bool is_at_end() const { return good_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool good_ = true;
};

}  // namespace

std::string encode(const FilePlace& place) {
    std::string left;
    for (const FilePlace& one : place.left) {
        left += fmt::format("{}{} {} {} {} {} {} {}", left.empty() ? "" : ";", one.device, one.inode,
                            one.born_ns, one.modified_ns, one.offset, one.head_crc, one.tail_crc);
    }
    return fmt::format(
        "{{\"place\":{},\"device\":{},\"inode\":{},\"born\":{},\"modified\":{},\"offset\":{},"
        "\"head\":{},\"tail\":{},\"over\":{},\"waits\":{},\"left\":\"{}\"}}",
        version, place.device, place.inode, place.born_ns, place.modified_ns, place.offset, place.head_crc,
        place.tail_crc, place.over ? 1 : 0, place.waits ? 1 : 0, left);
}

Result<FilePlace> decode_place(std::string_view text) {
    constexpr std::size_t shown = 200;
    int found = 0;
    Reader reader(text);
    reader.text("{\"place\":").number(found);
    if (reader.is_good() && found != version) {
        return fail(ErrorKind::corrupt,
                    fmt::format("a place in a file is of version {}, not {}", found, version));
    }
    FilePlace place;
    int over = 0;
    int waits = 0;
    reader.text(",\"device\":").number(place.device).text(",\"inode\":").number(place.inode);
    reader.text(",\"born\":").number(place.born_ns).text(",\"modified\":").number(place.modified_ns);
    reader.text(",\"offset\":").number(place.offset).text(",\"head\":").number(place.head_crc);
    reader.text(",\"tail\":").number(place.tail_crc).text(",\"over\":").number(over).text(",\"waits\":").number(waits);
    reader.text(",\"left\":\"");
    place.over = over == 1;
    place.waits = waits == 1;
    while (reader.is_good() && !reader.begins_with('"') && place.left.size() < left_max) {
        if (!place.left.empty()) reader.text(";");
        FilePlace one;
        reader.number(one.device).text(" ").number(one.inode).text(" ").number(one.born_ns).text(" ");
        reader.number(one.modified_ns).text(" ").number(one.offset).text(" ").number(one.head_crc);
        reader.text(" ").number(one.tail_crc);
        place.left.push_back(std::move(one));
    }
    if (!reader.text("\"}").is_at_end() || over < 0 || over > 1 || waits < 0 || waits > 1) {
        return fail(ErrorKind::corrupt, fmt::format("{} is no place in a file", quoted(text, shown)));
    }
    return place;
}

bool FileIdentity::is_that_of(const FilePlace& place) const {
    const bool same_birth = born_ns == 0 || place.born_ns == 0 || born_ns == place.born_ns;
    return device == place.device && inode == place.inode && same_birth;
}

FileIdentity identity_of_file(int fd, const struct stat& status) {
    constexpr std::int64_t ns_per_second = 1'000'000'000;
    FileIdentity identity{status.st_dev, status.st_ino, 0};
    struct statx more;
    if (::statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &more) == 0 && (more.stx_mask & STATX_BTIME) != 0) {
        identity.born_ns = more.stx_btime.tv_sec * ns_per_second + more.stx_btime.tv_nsec;
    }
    return identity;
}

std::int64_t modified_ns(const struct stat& status) {
    constexpr std::int64_t ns_per_second = 1'000'000'000;
    return status.st_mtim.tv_sec * ns_per_second + status.st_mtim.tv_nsec;
}

}  // namespace stream
