// SPDX-License-Identifier: Apache-2.0
#include "log/salvage.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "base/check.hpp"
#include "log/head.hpp"

namespace stream::log {

Result<SegmentReader> SegmentReader::open_damaged(FileSystem& files, const std::string& path, const FileHeader& expected) {
    auto opened = files.open(path, Open::read);
    if (!opened) return pass_on(opened);
    SegmentReader reader(path, std::move(*opened));
    std::string bytes;
    append_file_header(bytes, expected);
    STREAM_CHECK(read_file_header(bytes, reader.header_, reader.header_crc_) == nullptr);
    reader.header_.cuts = expected.cuts;
    reader.place_ = reader.begin();
    return reader;
}

namespace {

class Salvager {
public:
    Salvager(SegmentReader& reader, std::uint64_t limit, const EachFrame& each)
        : reader_(reader), limit_(limit), each_(each) {}

    Result<Salvaged> run() {
        reader_.go_to(reader_.begin());
        out_.end = reader_.begin();
        for (;;) {
            SegmentPlace place = reader_.place();
            auto found = reader_.next(limit_, batch_);
            if (!found) return pass_on(found);
            if (*found == SegmentReader::Found::end) break;
            if (*found == SegmentReader::Found::frame) {
                STREAM_TRY(take(place));
                continue;
            }
            auto goes_on = resynchronise(*found);
            if (!goes_on) return pass_on(goes_on);
            if (!*goes_on) break;
        }
        out_.proven = std::max<std::uint64_t>(out_.proven, file_header_size);
        return std::move(out_);
    }

private:
    Result<void> take(SegmentPlace place) {
        const FrameHeader& h = batch_.header;
        place.offset = h.offset;
        place.epoch = h.epoch;
        out_.end = reader_.place();
        out_.last = {place, h.size(), out_.end.offset};
        ++out_.frames;
        out_.proven = std::max(out_.proven, std::min(h.durable, limit_));
        out_.durable_sequence = std::max(out_.durable_sequence, h.durable_sequence);
        out_.max_time = std::max(out_.max_time, h.max_time);
        out_.keep_time = std::max(out_.keep_time, keep_time_of(h));
        if (h.records != 0) {
            out_.in_order = out_.in_order && batch_.sequence_of(0) >= out_.sequence;
            out_.sequence = batch_.sequence_of(h.records - 1) + 1;
            out_.records += h.records;
        }
        return each_ ? each_(out_.last, batch_) : Result<void>();
    }

    // Past what is wrong at the reader's place. False: nothing that can follow is behind it.
    Result<bool> resynchronise(SegmentReader::Found found) {
        const SegmentPlace bad = reader_.place();
        BadPart part{bad.position, limit_, bad.offset, {}, found == SegmentReader::Found::nothing ? "zeros" : reader_.why()};
        std::uint64_t search = bad.position;
        for (;;) {
            auto next = reader_.find_frame(search, limit_);
            if (!next) return pass_on(next);
            if (!*next) break;
            const SegmentPlace place = **next;
            search = place.position + 8;
            reader_.go_to(place);
            auto read = reader_.next(limit_, batch_);
            if (!read) return pass_on(read);
            if (*read != SegmentReader::Found::frame) continue;
            if (place.offset < bad.offset || place.epoch < bad.epoch) {
                out_.proven = std::max(out_.proven, std::min(batch_.header.durable, limit_));
                out_.strays.push_back({place, batch_.header.size(), reader_.place().offset});
                search = reader_.place().position;
                continue;
            }
            part.to = place.position;
            part.next_offset = place.offset;
            out_.bad.push_back(std::move(part));
            STREAM_TRY(take(place));
            return true;
        }
        out_.bad.push_back(std::move(part));
        return false;
    }

    SegmentReader& reader_;
    std::uint64_t limit_;
    const EachFrame& each_;
    Batch batch_;
    Salvaged out_;
};

bool by_offset(const GoodFrame& a, const GoodFrame& b) { return a.place.offset < b.place.offset; }

}  // namespace

Result<Salvaged> salvage_segment(SegmentReader& reader, std::uint64_t limit, const EachFrame& each) { return Salvager(reader, limit, each).run(); }

void insert_strays(std::vector<GoodFrame>& frames, std::vector<GoodFrame> strays) {
    std::stable_sort(strays.begin(), strays.end(), by_offset);
    for (const GoodFrame& stray : strays) {
        const auto after = std::upper_bound(frames.begin(), frames.end(), stray, by_offset);
        const bool fits_before = after == frames.end() || (stray.end_offset <= after->place.offset && stray.place.epoch <= after->place.epoch);
        const bool fits_behind =
            after == frames.begin() || (std::prev(after)->end_offset <= stray.place.offset && std::prev(after)->place.epoch <= stray.place.epoch);
        if (fits_before && fits_behind) frames.insert(after, stray);
    }
}

namespace {

constexpr std::uint64_t entries_max = 256u << 20;

// The entry at the front, if it is right; `place` null: by itself.
bool take_entry(std::string_view rest, const FramePlace& fits, const FramePlace* place, FrameHeader& header, const char*& why) {
    const FrameState state = place != nullptr ? read_frame_header(rest, *place, header, why) : read_lone_header(rest, fits.file_id, header);
    if (state == FrameState::nothing) why = "zeros";
    if (state == FrameState::cut_short) why = "cut short";
    if (state != FrameState::valid || header.type != fits.type) return false;
    if (!payload_is_right(header, rest.substr(frame_header_size, header.stored))) {
        why = "an entry fails its check";
        return false;
    }
    why = "something behind an entry";
    return rest.substr(0, static_cast<std::size_t>(header.size())).find_first_not_of('\0', frame_header_size + header.stored) == std::string_view::npos;
}

void take_entries(std::string_view bytes, std::uint32_t chain, SalvagedEntries& out) {
    const FileKind kind = out.header.kind;
    const FrameType type = kind == FileKind::manifest ? FrameType::manifest : kind == FileKind::runs ? FrameType::run : FrameType::positions;
    std::uint64_t number = out.header.base_offset;
    std::size_t at = file_header_size;
    const char* why = "";
    FrameHeader header;
    while (at < bytes.size()) {
        const FramePlace place{out.header.file_id, chain, 0, number, type};
        if (!take_entry(bytes.substr(at), place, &place, header, why)) break;
        out.entries.emplace_back(bytes.substr(at + frame_header_size, header.stored));
        at += static_cast<std::size_t>(header.size());
        chain = header.next_chain();
        ++number;
    }
    out.bad_from = at;
    out.bad_to = out.size;
    if (at < bytes.size()) out.why = why;
    for (at += 8; at + frame_header_size <= bytes.size(); at += 8) {
        if (!take_entry(bytes.substr(at), {out.header.file_id, 0, 0, 0, type}, nullptr, header, why)) continue;
        if (out.behind.empty()) out.bad_to = at;
        out.behind.emplace_back(bytes.substr(at + frame_header_size, header.stored));
        at += static_cast<std::size_t>(header.size()) - 8;
    }
}

// An entry may be damaged elsewhere than in the name of the folder it moved a segment to.
std::vector<std::string> folders_in(std::string_view bytes) {
    constexpr std::string_view before = R"("to":"/)";
    std::vector<std::string> folders;
    for (std::size_t at = bytes.find(before); at != std::string_view::npos; at = bytes.find(before, at + 1)) {
        const std::size_t begin = at + before.size() - 1;
        std::string folder(bytes.substr(begin, bytes.find('"', begin) - begin));
        const bool plain = folder.size() < 4096 && std::all_of(folder.begin(), folder.end(), [](unsigned char c) { return c >= 0x20; });
        if (plain && std::find(folders.begin(), folders.end(), folder) == folders.end()) folders.push_back(std::move(folder));
    }
    return folders;
}

}  // namespace

Result<std::optional<SalvagedEntries>> salvage_entries(FileSystem& files, const std::string& path, FileKind kind) {
    using Out = std::optional<SalvagedEntries>;
    auto file = files.open_if_there(path, Open::read);
    if (!file) return pass_on(file);
    if (*file == nullptr) return Out{};
    SalvagedEntries out;
    auto size = (*file)->size();
    if (!size) return pass_on(size);
    out.size = *size;
    std::string bytes(static_cast<std::size_t>(std::min(*size, entries_max)), '\0');
    auto got = (*file)->read_at(bytes, 0);
    if (!got) return pass_on(got);
    bytes.resize(*got);
    std::uint32_t chain = 0;
    const char* why = read_file_header(bytes, out.header, chain);
    if (why == nullptr && out.header.kind != kind) why = "a file of another kind";
    if (why != nullptr) {
        out.bad_to = std::min<std::uint64_t>(out.size, file_header_size);
        out.why = why;
        return Out(std::move(out));
    }
    out.has_header = true;
    take_entries(bytes, chain, out);
    out.archives = folders_in(bytes);
    return Out(std::move(out));
}

bool is_no_file(FileSystem& files, const std::string& path) {
    if (&files == &real_file_system()) {
        struct stat status;
        return ::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
    }
    auto names = files.list(path);
    return names && names->has_value();
}

std::uint64_t names_of(FileSystem& files, const std::string& path) {
    struct stat status;
    if (&files != &real_file_system() || ::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return 1;
    return status.st_nlink;
}

}  // namespace stream::log
