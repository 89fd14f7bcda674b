// SPDX-License-Identifier: Apache-2.0
#include "log/head.hpp"


#include "base/crc32c.hpp"
#include "log/little_endian.hpp"

namespace stream::log {

namespace {

constexpr char magic[8] = {'S', 'L', 'H', 'E', 'A', 'D', '1', '\n'};
constexpr std::size_t fixed = 56;
constexpr std::size_t each = 56;

}  // namespace

// One that is whole, and of another manifest: one of the two was put there from elsewhere.
Result<void> Head::check_owner(std::uint64_t manifest_id) {
    constexpr std::size_t partitions_max = 4096;
    std::string bytes(fixed + each * partitions_max + 4, '\0');
    auto got = file_->read_at(bytes, 0);
    if (!got) return pass_on(got);
    bytes.resize(*got);
    if (bytes.size() < fixed + 4 || bytes.compare(0, sizeof magic, std::string_view(magic, sizeof magic)) != 0) return {};
    const std::uint64_t size = fixed + each * std::uint64_t{get<std::uint32_t>(bytes, 28)} + 4;
    if (get<std::uint64_t>(bytes, 8) == manifest_id || bytes.size() < size) return {};
    const std::string_view all = std::string_view(bytes).substr(0, static_cast<std::size_t>(size));
    if (crc32c(all.substr(0, all.size() - 4)) != get<std::uint32_t>(all, all.size() - 4)) return {};
    return fail(ErrorKind::corrupt, folder_ + "/manifest and " + path_ + " are not of one log", "put back the one that was there; a head that is gone is made anew");
}

Result<std::optional<HeadState>> Head::read(std::uint64_t manifest_id, std::uint32_t partitions) {
    if (file_ == nullptr) {
        auto opened = files_->open_if_there(path_, Open::read);
        if (!opened) return pass_on(opened);
        if (*opened == nullptr) return std::optional<HeadState>{};
        file_ = std::move(*opened);
        writable_ = false;
        STREAM_TRY(check_owner(manifest_id));
    }
    bytes_.assign(fixed + each * partitions + 4, '\0');
    auto got = file_->read_at(bytes_, 0);
    if (!got) return pass_on(got);
    const std::string_view bytes(bytes_);
    if (*got != bytes.size() || bytes.compare(0, sizeof magic, std::string_view(magic, sizeof magic)) != 0) return std::optional<HeadState>{};
    if (crc32c(bytes.substr(0, bytes.size() - 4)) != get<std::uint32_t>(bytes, bytes.size() - 4)) return std::optional<HeadState>{};
    HeadState state;
    state.manifest_id = get<std::uint64_t>(bytes, 8);
    state.writes = get<std::uint64_t>(bytes, 16);
    state.epoch = get<std::uint32_t>(bytes, 24);
    state.sequence = get<std::uint64_t>(bytes, 32);
    state.durable_sequence = get<std::uint64_t>(bytes, 40);
    state.manifest_length = get<std::uint64_t>(bytes, 48);
    if (state.manifest_id != manifest_id || get<std::uint32_t>(bytes, 28) != partitions) return std::optional<HeadState>{};
    for (std::uint32_t p = 0; p < partitions; ++p) {
        const std::size_t at = fixed + each * p;
        PartitionHead one;
        one.segment = get<std::uint64_t>(bytes, at);
        one.length = get<std::uint64_t>(bytes, at + 8);
        one.durable = get<std::uint64_t>(bytes, at + 16);
        one.offset = get<std::uint64_t>(bytes, at + 24);
        one.max_time = get<std::int64_t>(bytes, at + 32);
        one.keep_time = get<std::int64_t>(bytes, at + 40);
        one.chain = get<std::uint32_t>(bytes, at + 48);
        if (p == 0) state.published = get<std::uint32_t>(bytes, at + 52);
        state.partitions.push_back(one);
    }
    return state;
}

Result<void> Head::write(const HeadState& state) {
    if (file_ == nullptr || !writable_) {
        auto opened = files_->open_if_there(path_, Open::write);
        if (!opened) return pass_on(opened);
        if (*opened == nullptr) opened = files_->open(path_, Open::create_new);
        if (!opened) return pass_on(opened);
        file_ = std::move(*opened);
        writable_ = true;
    }
    bytes_.assign(magic, sizeof magic);
    put(bytes_, state.manifest_id);
    put(bytes_, state.writes);
    put(bytes_, state.epoch);
    put(bytes_, static_cast<std::uint32_t>(state.partitions.size()));
    put(bytes_, state.sequence);
    put(bytes_, state.durable_sequence);
    put(bytes_, state.manifest_length);
    for (const PartitionHead& partition : state.partitions) {
        put(bytes_, partition.segment);
        put(bytes_, partition.length);
        put(bytes_, partition.durable);
        put(bytes_, partition.offset);
        put(bytes_, partition.max_time);
        put(bytes_, partition.keep_time);
        put(bytes_, partition.chain);
        put(bytes_, &partition == &state.partitions.front() ? state.published : std::uint32_t{0});
    }
    put(bytes_, crc32c(bytes_));
    return file_->write_at(bytes_, 0);
}

}  // namespace stream::log
