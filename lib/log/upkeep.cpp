// SPDX-License-Identifier: Apache-2.0
#include "log/upkeep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/text.hpp"
#include "log/recovery.hpp"
#include "log/seal.hpp"
#include "log/segment.hpp"

namespace stream::log {

std::string upkeep_path(const std::string& folder) { return folder + "/UPKEEP"; }

Result<Upkeep> Upkeep::begin(FileSystem& files, const std::string& folder) {
    auto manifest = Manifest::load(files, folder);  // first: a lock would make its file in any folder
    if (!manifest) return pass_on(manifest);
    auto claim = files.lock(upkeep_path(folder), false);
    if (!claim) return pass_on(claim);
    if (*claim == nullptr) {
        return fail(ErrorKind::locked, folder + ": retain, archive, compact, excise or repair is at work there", "again when it is done");
    }
    return Upkeep(files, folder, std::move(*claim), std::move(*manifest));
}

Result<void> Upkeep::hold() {
    auto lock = files_->lock(folder_ + "/LOCK", true);
    if (!lock) return pass_on(lock);
    lock_ = std::move(*lock);
    auto said = head_.read(manifest_.id(), manifest_.config().partitions);
    if (!said) return pass_on(said);
    STREAM_TRY(manifest_.refresh(true, *said ? (*said)->manifest_length : 0, *said ? (*said)->published : 0));
    auto ends = find_ends(*files_, folder_, manifest_, *said);
    if (!ends) return pass_on(ends);
    if (!ends->clean) STREAM_TRY(recover(*files_, folder_, manifest_, *ends, head_));
    ends_ = std::move(ends->head);
    return {};
}

Result<void> Upkeep::let_go() {
    if (ends_.manifest_length != manifest_.length()) {
        ends_.manifest_length = manifest_.length();
        ends_.epoch = manifest_.epoch();
        ++ends_.writes;
        STREAM_TRY(head_.write(ends_));
    }
    lock_.reset();
    return {};
}

Result<void> Upkeep::sweep() {
    auto removed = remove_leftovers(*files_, folder_, manifest_);
    if (!removed) return pass_on(removed);
    // Also where nothing was left: who was killed may have unlinked, and not synced.
    unlinked_in_.insert(folder_ + "/segments");
    for (const std::string& archive : manifest_.archives()) {
        auto names = files_->list(archive);
        if (!names) return pass_on(names);
        if (*names) unlinked_in_.insert(archive);  // it may be out of reach
    }
    return {};
}

Result<void> Upkeep::unlink(std::uint32_t partition, const SegmentEntry& segment) {
    unlinked_in_.insert(segment.archive.empty() ? folder_ + "/segments" : segment.archive);
    STREAM_TRY(files_->remove(segment_path(folder_, partition, segment)));
    return files_->remove(index_path(folder_, partition, segment));
}

Result<void> Upkeep::replace(std::uint32_t partition, const SegmentEntry& segment, const SegmentEntry& by) {
    // The manifest must never name what is not there, whatever somebody took the new file for.
    const std::string path = segment_path(folder_, partition, by);
    auto file = files_->open(path, Open::read);
    if (!file) return pass_on(file);
    auto size = (*file)->size();
    if (!size) return pass_on(size);
    if (*size != by.bytes) return fail(ErrorKind::io, fmt::format("{}: {} bytes long where {} were written", path, *size, by.bytes));
    const auto& segments = manifest_.segments(partition);
    const auto same = [&](const SegmentEntry& one) { return one.id == segment.id && one.archive == segment.archive; };
    if (std::none_of(segments.begin(), segments.end(), same)) {
        return fail(ErrorKind::locked, segment_path(folder_, partition, segment) + ": somebody else replaced it meanwhile", "again");
    }
    STREAM_TRY(manifest_.replace_segment(partition, segment.id, by));
    return unlink(partition, segment);
}

Result<void> Upkeep::sync_unlinked() {
    for (const std::string& folder : unlinked_in_) STREAM_TRY(files_->sync_folder(folder));
    unlinked_in_.clear();
    return {};
}

Result<void> each_batch(FileSystem& files, const std::string& path, const FileHeader& header, std::uint64_t limit,
                        std::optional<std::uint32_t> chain, const std::function<Result<void>(const Batch&)>& use) {
    auto reader = SegmentReader::open(files, path, header);
    if (!reader) return pass_on(reader);
    const std::string hint = "stream-log verify tells all that is damaged";
    for (Batch batch;;) {
        auto found = reader->next(limit, batch);
        if (!found) return pass_on(found);
        if (*found == SegmentReader::Found::frame) {
            STREAM_TRY(use(batch));
            continue;
        }
        if (*found != SegmentReader::Found::end) {
            const char* why = *found == SegmentReader::Found::nothing ? "zeros where a batch was" : reader->why();
            return fail(ErrorKind::corrupt, fmt::format("{}: {} (byte {})", path, why, reader->place().position), hint);
        }
        if (reader->place().position == limit && (!chain || reader->place().chain == *chain)) return {};
        return fail(ErrorKind::corrupt, fmt::format("{}: its last batch is not the one it was sealed with (byte {})", path, limit), hint);
    }
}

Result<void> write_whole(FileSystem& files, const std::string& folder, const std::string& name, std::string_view text) {
    const std::string temporary = fmt::format("{}/{}.tmp-{:016x}", folder, name, files.random());
    auto file = files.open(temporary, Open::create_new);
    if (!file) return pass_on(file);
    STREAM_TRY((*file)->write_at(text, 0));
    STREAM_TRY((*file)->sync());
    STREAM_TRY((*file)->close());
    STREAM_TRY(files.rename(temporary, folder + "/" + name));
    return files.sync_folder(folder);
}

Result<void> remove_unfinished(FileSystem& files, const std::string& folder, const std::string& name) {
    auto names = files.list(folder);
    if (!names) return pass_on(names);
    if (!*names) return {};
    for (const std::string& one : **names) {
        if (one.starts_with(name + ".tmp-")) STREAM_TRY(files.remove(folder + "/" + one));
    }
    return {};
}

Result<std::optional<std::string>> read_small(FileSystem& files, const std::string& path) {
    constexpr std::uint64_t most = 16 << 20;
    auto file = files.open_if_there(path, Open::read);
    if (!file) return pass_on(file);
    if (*file == nullptr) return std::optional<std::string>{};
    auto size = (*file)->size();
    if (!size) return pass_on(size);
    if (*size > most) return fail(ErrorKind::corrupt, path + ": longer than 16 MiB");
    std::string text(static_cast<std::size_t>(*size), '\0');
    auto got = (*file)->read_at(text, 0);
    if (!got) return pass_on(got);
    text.resize(*got);
    return std::optional<std::string>(std::move(text));
}

namespace {

constexpr std::size_t few_max = 4096;  // two bytes each: as much as the bits of a block
constexpr std::size_t block_words = 65536 / 64;

}  // namespace

void OffsetSet::add(std::uint64_t offset) {
    const auto [entry, is_new] = blocks_.try_emplace(offset >> 16);
    Block& block = entry->second;
    const auto low = static_cast<std::uint16_t>(offset);
    if (is_new) bytes_ += sizeof(Block) + 64;  // about what a node of the map takes
    if (block.bits.empty()) {
        const auto at = std::lower_bound(block.few.begin(), block.few.end(), low);
        if (at != block.few.end() && *at == low) return;
        const std::size_t before = block.few.capacity();
        block.few.insert(at, low);
        ++size_;
        bytes_ += (block.few.capacity() - before) * sizeof low;
        if (block.few.size() < few_max) return;
        block.bits.assign(block_words, 0);
        for (const std::uint16_t one : block.few) block.bits[one / 64u] |= std::uint64_t{1} << (one % 64u);
        bytes_ += block_words * sizeof(std::uint64_t);
        bytes_ -= block.few.capacity() * sizeof low;
        std::vector<std::uint16_t>().swap(block.few);
        return;
    }
    const std::uint64_t bit = std::uint64_t{1} << (low % 64u);
    if ((block.bits[low / 64u] & bit) != 0) return;
    block.bits[low / 64u] |= bit;
    ++size_;
}

bool OffsetSet::contains(std::uint64_t offset) const {
    const auto entry = blocks_.find(offset >> 16);
    if (entry == blocks_.end()) return false;
    const Block& block = entry->second;
    const auto low = static_cast<std::uint16_t>(offset);
    if (block.bits.empty()) return std::binary_search(block.few.begin(), block.few.end(), low);
    return (block.bits[low / 64u] >> (low % 64u) & 1) != 0;
}

std::uint64_t OffsetSet::count_in(std::uint64_t from, std::uint64_t to) const {
    std::uint64_t count = 0;
    for (auto entry = blocks_.lower_bound(from >> 16); entry != blocks_.end() && entry->first << 16 < to; ++entry) {
        const std::uint64_t begin = entry->first << 16;
        const auto is_in = [&](std::uint64_t low) { return begin + low >= from && begin + low < to; };
        const Block& block = entry->second;
        count += static_cast<std::uint64_t>(std::count_if(block.few.begin(), block.few.end(), is_in));
        for (std::size_t word = 0; word < block.bits.size(); ++word) {
            if (is_in(64 * word) && is_in(64 * word + 63)) {
                count += static_cast<std::uint64_t>(std::popcount(block.bits[word]));
                continue;
            }
            for (std::uint64_t left = block.bits[word]; left != 0; left &= left - 1) {
                if (is_in(64 * word + static_cast<std::uint64_t>(std::countr_zero(left)))) ++count;
            }
        }
    }
    return count;
}

}  // namespace stream::log
