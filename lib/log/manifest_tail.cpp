// SPDX-License-Identifier: Apache-2.0
// Where a manifest ends, when nothing else says it: an entry that counted has left its traces in the folders.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "log/head.hpp"
#include "log/manifest.hpp"
#include "log/salvage.hpp"
#include "log/segment.hpp"

namespace stream::log {

namespace {

using Names = std::set<std::string>;

Result<std::optional<Names>> names_in(FileSystem& files, const std::string& folder) {
    auto names = files.list(folder);
    if (!names) return pass_on(names);
    if (!*names) return std::optional<Names>{};
    return std::optional<Names>(Names((*names)->begin(), (*names)->end()));
}

// Records are written to a segment once its entry is durable.
Result<bool> has_records(FileSystem& files, const std::string& path, const FileHeader& header) {
    auto reader = SegmentReader::open(files, path, header);
    if (!reader && reader.error().kind() == ErrorKind::corrupt) return false;  // gone meanwhile, or not this log's
    if (!reader) return pass_on(reader);
    auto size = reader->size();
    if (!size) return pass_on(size);
    for (std::uint64_t from = file_header_size;;) {
        auto place = reader->find_frame(from, *size);
        if (!place) return pass_on(place);
        if (!*place) return false;
        reader->go_to(**place);
        FrameHeader frame;
        auto found = reader->next_header(*size, frame);
        if (!found) return pass_on(found);
        if (*found == SegmentReader::Found::frame && frame.records > 0) return true;
        from = (*place)->position + 8;
    }
}

}  // namespace

Result<std::string> Manifest::what_unnamed_files_say() const {
    const std::string segments = folder_of_path() + "/segments";
    auto names = names_in(*files_, segments);
    if (!names) return pass_on(names);
    for (const std::string& name : *names ? **names : Names()) {
        std::uint32_t p = 0;
        SegmentEntry unnamed;
        if (!parse_segment_name(name, p, unnamed) || p >= partitions_.size()) continue;
        // What is older was removed or replaced, or was to take another's place.
        const SegmentEntry* now = active(p);
        if (now != nullptr && (unnamed.id == now->id || unnamed.base < now->base)) continue;
        const auto is_named = [&](const SegmentEntry& one) { return one.id == unnamed.id; };
        if (std::any_of(partitions_[p].begin(), partitions_[p].end(), is_named)) continue;
        auto counted = has_records(*files_, segments + "/" + name, segment_header(p, unnamed));
        if (!counted) return pass_on(counted);
        if (*counted) return fmt::format("no entry names segments/{}, which has records", name);
    }
    return std::string();
}

Result<std::string> Manifest::what_missing_files_say() const {
    // Where head says that it was so long, what is behind was being written, and what is gone was lost otherwise.
    Result<std::optional<HeadState>> head = std::optional<HeadState>{};
    if (!is_no_file(*files_, folder_of_path() + "/head")) head = Head(*files_, folder_of_path()).read(header_.file_id, config_.partitions);
    if (!head && head.error().kind() != ErrorKind::corrupt) return pass_on(head);
    if (head && *head && (*head)->manifest_length >= length_) return std::string();
    std::map<std::string, std::optional<Names>> folders;
    bool names_any = false;
    for (std::uint32_t p = 0; p < partitions_.size(); ++p) {
        for (const SegmentEntry& segment : partitions_[p]) {
            names_any = true;
            const std::string folder = segment.archive.empty() ? folder_of_path() + "/segments" : segment.archive;
            const auto [known, is_new] = folders.try_emplace(folder);
            if (is_new) {
                auto names = names_in(*files_, folder);
                if (names) known->second = std::move(*names);  // an archive may be out of reach
            }
            const std::string name = segment_name(p, segment);
            if (known->second && !known->second->contains(name)) return fmt::format("an entry is damaged that was about {}/{}, which is gone", folder, name);
        }
    }
    if (names_any) return std::string();
    // Nothing but its beginning is right: was it this log's?
    const std::string segments = folder_of_path() + "/segments";
    auto names = names_in(*files_, segments);
    if (!names) return pass_on(names);
    for (const std::string& name : *names ? **names : Names()) {
        std::uint32_t p = 0;
        SegmentEntry unnamed;
        if (!parse_segment_name(name, p, unnamed)) continue;
        auto other = is_of_another_log(*files_, segments + "/" + name, header_.log_id);
        if (!other) return pass_on(other);
        if (*other) return fmt::format("segments/{} is another log's", name);
    }
    return std::string();
}

Result<bool> Manifest::goes_on(std::string_view bytes) const {
    std::string now(bytes.size(), '\0');
    auto got = file_->read_at(now, length_);
    if (!got) return pass_on(got);
    auto size = file_->size();
    if (!size) return pass_on(size);
    return now == bytes && *size == length_ + bytes.size();
}

}  // namespace stream::log
