// SPDX-License-Identifier: Apache-2.0
// Hostile files with right checksums. The input is a recipe for frames: which fields of their headers lie, and
// what their payload is; every check is worked out anew, and the manifest names the file. Nothing is allocated
// for a length that cannot be, and what does not fit is refused.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/crc32c.hpp"
#include "fuzz/log_files.hpp"
#include "io/zstd_block.hpp"

using namespace fuzz_log;

namespace {

// Takes numbers off the input; zeros once it is used up.
class Recipe {
public:
    Recipe(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    bool is_used_up() const { return at_ >= size_; }
    std::uint8_t byte() { return at_ < size_ ? data_[at_++] : 0; }
    std::uint64_t number(unsigned bytes) {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < bytes; ++i) value |= std::uint64_t{byte()} << 8 * i;
        return value;
    }
    std::string text(std::size_t most) {
        const std::size_t size = std::min(most, size_ - std::min(at_, size_));
        std::string out(reinterpret_cast<const char*>(data_) + at_, size);
        at_ += size;
        return out;
    }

private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
};

constexpr std::size_t bytes_max = 1 << 20;

// A payload: lines, bytes as they are, or what becomes many zeros or line ends.
std::string payload(Recipe& recipe, FrameHeader& h, std::size_t& greatest_raw) {
    const std::uint8_t kind = recipe.byte();
    std::string raw;
    if (kind % 4 == 3) raw.assign(std::size_t{1} << (10 + recipe.byte() % 11), kind % 8 == 3 ? '\0' : '\n');
    else raw = recipe.text(recipe.byte());
    if (kind % 4 == 0 && !raw.empty()) raw.back() = '\n';
    h.raw = static_cast<std::uint32_t>(raw.size());
    h.records = static_cast<std::uint32_t>(std::count(raw.begin(), raw.end(), '\n'));
    greatest_raw = std::max(greatest_raw, raw.size());
    if (kind % 4 < 2) return raw;
    h.flags |= frame_compressed;
    std::string stored;
    ZstdCompressor compressor(1);
    compressor.append(stored, raw);
    return stored;
}

// Fields of the header as the recipe wants them.
void lie(Recipe& recipe, std::string& frame) {
    constexpr std::uint8_t places[] = {4, 5, 6, 8, 12, 16, 20, 24, 40, 44, 48, 56, 64, 72, 80, 88, 92, 96};
    for (std::uint8_t lies = recipe.byte() % 4; lies > 0; --lies) {
        const std::uint8_t at = places[recipe.byte() % std::size(places)];
        const unsigned width = 1 + recipe.byte() % 8;
        const std::uint64_t value = recipe.number(width);
        std::memcpy(frame.data() + at, &value, std::min<std::size_t>(width, frame_header_size - 4 - at));
    }
    const std::uint32_t crc = crc32c(std::string_view(frame).substr(0, frame_header_size - 4));
    std::memcpy(frame.data() + frame_header_size - 4, &crc, sizeof crc);
}

std::string forge(Recipe& recipe, const FileHeader& header, std::size_t& greatest_raw) {
    std::string bytes;
    append_file_header(bytes, header);
    FileHeader again;
    std::uint32_t chain = 0;
    STREAM_CHECK(read_file_header(bytes, again, chain) == nullptr);
    std::uint64_t offset = header.base_offset;
    for (int frames = 0; frames < 8 && !recipe.is_used_up() && bytes.size() < bytes_max; ++frames) {
        FrameHeader h;
        const std::string stored = payload(recipe, h, greatest_raw);
        h.file_id = header.file_id;
        h.epoch = 1;
        h.chain = chain;
        h.offset = h.sequence = offset;
        h.durable = bytes.size();
        std::string frame;
        append_frame(frame, h, stored);
        lie(recipe, frame);
        FrameHeader lied;
        const FrameState state = read_lone_header(frame, header.file_id, lied);
        if (state == FrameState::valid || state == FrameState::cut_short) {
            if (lied.stored <= bytes_max * 2) greatest_raw = std::max<std::size_t>(greatest_raw, lied.raw);
            chain = lied.next_chain();
            offset = lied.offset + lied.records;
        }
        bytes += frame;
    }
    return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Recipe recipe(data, size);
    test::SimulatedDisk disk(1);
    LogConfig config;
    config.partitions = 1 + recipe.byte() % 2;
    STREAM_CHECK(disk.make_folder(folder) && disk.make_folder("/log/segments"));
    auto manifest = Manifest::create(disk, folder, config);
    STREAM_CHECK(manifest && manifest->add_segment(0, 17, 0, 0, nullptr));
    const SegmentEntry segment = *manifest->active(0);
    std::size_t greatest_raw = 0;
    const std::string bytes = forge(recipe, manifest->segment_header(0, segment), greatest_raw);
    const std::string path = segment_path(folder, 0, segment);
    put(disk, path, bytes);
    if (bytes.size() % 3 == 0) {  // sealed, as if it were right
        SegmentEntry sealed = segment;
        sealed.bytes = bytes.size();
        STREAM_CHECK(manifest->add_segment(0, 18, 40, 40, &sealed));
        std::string next;
        append_file_header(next, manifest->segment_header(0, *manifest->active(0)));
        put(disk, segment_path(folder, 0, *manifest->active(0)), next);
    }
    greatest = 0;
    try_everything(disk);
    // What is there, and what it says it becomes where that can be (a number for each record of an index, which is a
    // byte of that at least): not a length more.
    STREAM_CHECK(greatest <= 8 * greatest_raw + 2 * bytes.size() + (4 << 20));
    return 0;
}

#ifndef STREAM_LIBFUZZER
#include "driver.hpp"

std::span<const std::string_view> fuzz_words() {
    static constexpr std::string_view words[] = {"\xFF\xFF\xFF\xFF", "\x03\x06\x04", "a\nb\n", std::string_view("\0\0\0\0", 4), "\x0B\x08"};
    return words;
}
#endif
