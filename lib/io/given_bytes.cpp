// SPDX-License-Identifier: Apache-2.0
#include "io/given_bytes.hpp"

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "io/file_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace stream {

namespace {

constexpr std::size_t stretches_max = 4096;

std::size_t edge_size(std::uint64_t offset) { return std::min<std::uint64_t>(offset, place_edge); }

// Of the bytes [begin, begin + size) of a file as they are now; fewer if it is shorter.
Result<std::uint32_t> crc_now(const FileLife& life, std::uint64_t begin, std::size_t size) {
    if (life.compressed) return crc_of_compressed(*life.fd, life.name, begin, size);
    char block[place_edge];
    const ssize_t got = pread_full(life.fd->get(), std::span(block, size), begin);
    if (got < 0) return system_failure("read", life.name, errno);
    return crc32c({block, static_cast<std::size_t>(got)});
}

}  // namespace

void KnownBytes::add(std::string_view bytes) {
    if (head.size() == end && head.size() < place_edge)
        head.append(bytes.substr(0, place_edge - head.size()));
    end += bytes.size();
    if (bytes.size() >= window) {
        tail.assign(bytes.substr(bytes.size() - window));
        return;
    }
    tail.append(bytes);
    if (tail.size() > 2 * window) tail.erase(0, tail.size() - window);
}

std::string_view KnownBytes::last() const {
    const std::size_t size = std::min(tail.size(), place_edge);
    return std::string_view(tail).substr(tail.size() - size);
}

std::optional<std::uint32_t> KnownBytes::head_crc(std::uint64_t offset) const {
    const std::size_t size = edge_size(offset);
    if (head.size() < size) return std::nullopt;
    return crc32c(std::string_view(head).substr(0, size));
}

std::optional<std::uint32_t> KnownBytes::tail_crc(std::uint64_t offset) const {
    const std::size_t size = edge_size(offset);
    const std::uint64_t begin = end - tail.size();
    if (offset > end || offset - size < begin) return std::nullopt;
    return crc32c(std::string_view(tail).substr(offset - size - begin, size));
}

Result<FilePlace> FileLife::place_at(std::uint64_t offset) const {
    FilePlace place{identity.device, identity.inode, identity.born_ns, modified_ns, offset, 0, 0, false, {}, false};
    struct stat status;
    if (offset == 0 && followed) place.waits = ::fstat(fd->get(), &status) == 0 && status.st_size > 0;
    const std::size_t size = edge_size(offset);
    auto head = bytes.head_crc(offset);
    if (!head) {
        auto now = crc_now(*this, 0, size);
        if (!now) return pass_on(now);
        head = *now;
    }
    auto tail = bytes.tail_crc(offset);
    if (!tail) {
        auto now = crc_now(*this, offset - size, size);
        if (!now) return pass_on(now);
        tail = *now;
    }
    place.head_crc = *head;
    place.tail_crc = *tail;
    return place;
}

void GivenBytes::note(Stretch stretch) {
    if (stretches_.size() >= stretches_max) {
        const Stretch& oldest = stretches_.front();
        apply(oldest, oldest.size);
        base_ = oldest.begin + oldest.size;
        stretches_.pop_front();
    }
    stretches_.push_back(std::move(stretch));
}

void GivenBytes::add(const FileLifePtr& life, std::uint64_t file_end, std::size_t file_size, std::size_t size,
                     bool was_left) {
    if (!enabled_ || size == 0) return;
    const std::uint64_t begin = count_;
    count_ += size;
    const auto kind = was_left ? Stretch::Kind::left : Stretch::Kind::current;
    if (!stretches_.empty()) {
        Stretch& last = stretches_.back();
        const bool goes_on = last.file_begin + last.file_size == file_end - file_size;
        if (last.life == life && last.kind == kind && last.size == last.file_size && goes_on) {
            last.size += size;
            last.file_size += file_size;
            return;
        }
    }
    note({kind, life, begin, size, file_end - file_size, file_size});
}

void GivenBytes::end_life(const FileLifePtr& life) {
    if (enabled_) note({Stretch::Kind::end, life, count_, 0, 0, 0});
}

void GivenBytes::drop(const FileLifePtr& life) {
    if (enabled_) note({Stretch::Kind::drop, life, count_, 0, 0, 0});
}

void GivenBytes::forget_left(const FileLifePtr& life) {
    std::erase_if(left_, [&](const Position& one) { return one.life == life; });
}

void GivenBytes::make_current(const FileLifePtr& life, std::uint64_t offset) {
    if (current_.life != life) {
        forget_left(life);
        if (current_.life != nullptr && !current_.life->over) left_.push_back(current_);
        current_.life = life;
    }
    current_.offset = offset;
    current_.over = false;
}

void GivenBytes::apply(const Stretch& stretch, std::uint64_t size) {
    using Kind = Stretch::Kind;
    const std::uint64_t offset = stretch.file_begin + std::min(size, stretch.file_size);
    if (stretch.kind == Kind::drop) {
        stretch.life->over = true;
        return forget_left(stretch.life);
    }
    if (stretch.kind == Kind::end) {
        current_.over |= current_.life == stretch.life;
        return;
    }
    if (stretch.kind == Kind::current) return make_current(stretch.life, offset);
    if (stretch.life == current_.life) {
        current_.offset = offset;
        return;
    }
    forget_left(stretch.life);
    left_.push_back({stretch.life, offset, false});
}

Result<std::optional<FilePlace>> GivenBytes::place_at(std::uint64_t count) {
    if (!enabled_) return std::nullopt;
    STREAM_CHECK(count <= count_);
    if (count < base_) {
        return fail(ErrorKind::limit,
                    fmt::format("no place is known so far behind what was read ({} bytes)", count_ - count));
    }
    while (!stretches_.empty() && stretches_.front().begin <= count) {
        const Stretch& first = stretches_.front();
        const std::uint64_t size = std::min(first.size, count - first.begin);
        if (size < first.size && size == 0) break;  // its file was not begun
        apply(first, size);
        if (size < first.size) break;
        stretches_.pop_front();
    }
    base_ = count;
    if (current_.life == nullptr) return FilePlace{};
    auto place = current_.life->place_at(current_.offset);
    if (!place) return pass_on(place);
    place->over = current_.over;
    for (const Position& one : left_) {
        auto left = one.life->place_at(one.offset);
        if (!left) return pass_on(left);
        place->left.push_back(std::move(*left));
    }
    return *std::move(place);
}

}  // namespace stream
