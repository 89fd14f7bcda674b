// SPDX-License-Identifier: Apache-2.0
#include "log/runs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "json/canonical.hpp"

namespace stream::log {

namespace {

constexpr std::uint64_t file_max = 64u << 20;
constexpr std::uint64_t made_max = 48u << 20;  // what is appended then has room
constexpr const char* repair_hint = "stream-log repair keeps what can be read of it";

// A frame with the entry. `durable`: so much of the file was synced before it.
void append_entry(std::string& out, const RunEntry& entry, const FileHeader& file, std::uint64_t number, std::uint64_t durable, std::int64_t now,
                  std::uint32_t& chain) {
    const std::string line = encode_run(entry);
    FrameHeader frame;
    frame.type = FrameType::run;
    frame.file_id = file.file_id;
    frame.chain = chain;
    frame.offset = number;
    frame.records = 1;
    frame.durable = durable;
    frame.append_time = now;
    frame.raw = static_cast<std::uint32_t>(line.size());
    append_frame(out, frame, line);
    chain = frame.next_chain();
}

// All of the file. Every frame says that all of them were synced before it had its name.
std::string encode_file(const RunTable& table, const FileHeader& header, std::int64_t now) {
    std::string out;
    for (std::uint64_t length = 0;;) {
        out.clear();
        append_file_header(out, header);
        FileHeader again;
        std::uint32_t chain = 0;
        STREAM_CHECK(read_file_header(out, again, chain) == nullptr);
        std::uint64_t number = header.base_offset;
        for (const RunEntry& entry : table.in_order()) append_entry(out, entry, header, number++, length, now, chain);
        if (length == out.size()) return out;
        length = out.size();
    }
}

}  // namespace

std::string encode_run(const RunEntry& entry) {
    std::string names = "\"run\":";
    append_quoted(names, entry.run);
    append_quoted(names += ",\"sink\":", entry.sink);
    return fmt::format("{{\"entry\":\"run\",{},\"epoch\":{},\"sequence\":{}}}\n", names, entry.epoch, entry.sequence);
}

bool decode_run(const JsonEntry& entry, RunEntry& out) {
    const auto epoch = entry.number("epoch");
    const auto sequence = entry.number("sequence");
    if (entry.text("entry") != "run" || !epoch || !sequence) return false;
    out = {entry.text("run"), entry.text("sink"), *epoch, *sequence};
    return true;
}

void RunTable::keep(const RunEntry& entry) {
    RunEntry& newest = newest_[{entry.run, entry.sink}];
    if (newest.epoch <= entry.epoch) newest = entry;
    sequence_ = std::max(sequence_, entry.sequence);
}

std::uint64_t RunTable::epoch_of(std::string_view run, std::string_view sink) const {
    const auto found = newest_.find({std::string(run), std::string(sink)});
    return found == newest_.end() ? 0 : found->second.epoch;
}

std::vector<RunEntry> RunTable::in_order() const {
    std::vector<RunEntry> all;
    for (const auto& [name, entry] : newest_) all.push_back(entry);
    std::stable_sort(all.begin(), all.end(), [](const RunEntry& a, const RunEntry& b) { return a.sequence < b.sequence; });
    return all;
}

Result<void> write_runs(FileSystem& files, const std::string& folder, const Hash128& log_id, const RunTable& table, FileHeader& header) {
    header.kind = FileKind::runs;
    header.log_id = log_id;
    do header.file_id = files.random();
    while (header.file_id == 0);
    const std::string bytes = encode_file(table, header, files.now_ns());
    if (bytes.size() > made_max) {
        return fail(ErrorKind::limit, fmt::format("{}/runs: {} runs and sinks published there, more than fit into 48 MiB", folder, table.size()));
    }
    const std::string temporary = folder + "/runs.tmp-new";
    STREAM_TRY(files.remove(temporary));
    auto made = files.open(temporary, Open::create_new);
    if (!made) return pass_on(made);
    STREAM_TRY((*made)->write_at(bytes, 0));
    STREAM_TRY((*made)->sync());
    STREAM_TRY((*made)->close());
    STREAM_TRY(files.rename(temporary, folder + "/runs"));
    return files.sync_folder(folder);
}

tl::unexpected<Error> RunsFile::damaged(std::uint64_t at, std::string_view why) const {
    return fail(ErrorKind::corrupt, fmt::format("{}: {} (byte {})", path_, why, at), repair_hint);
}

Result<void> RunsFile::refresh(const Hash128& log_id, bool lock_held, std::uint32_t proven) {
    auto file = files_->open_if_there(path_, Open::read);
    if (!file) return pass_on(file);
    if (*file == nullptr) {
        view_ = View();
        if (!is_behind(proven)) return {};
        return fail(ErrorKind::corrupt, fmt::format("{}: is not there, and runs published {} epochs", path_, proven), repair_hint);
    }
    auto opened = open_view(**file, log_id);
    if (!opened) return pass_on(opened);
    auto size = (*file)->size();
    if (!size) return pass_on(size);
    if (*size > file_max) return damaged(file_max, "longer than 64 MiB");
    // Another file, or one that its writer took something back of: from its beginning.
    if (view_.length == 0 || opened->header.file_id != view_.header.file_id || *size < view_.length) view_ = std::move(*opened);
    if (*size == view_.length && view_.length >= view_.begun_with && !is_behind(proven)) return {};
    return read_on(**file, *size, lock_held, proven);
}

Result<RunsFile::View> RunsFile::open_view(File& file, const Hash128& log_id) const {
    std::string bytes(file_header_size, '\0');
    auto got = file.read_at(bytes, 0);
    if (!got) return pass_on(got);
    bytes.resize(*got);
    View view;
    if (const char* why = read_file_header(bytes, view.header, view.chain)) return damaged(0, why);
    if (view.header.kind != FileKind::runs) return damaged(0, "not a file of what runs published");
    if (view.header.log_id != log_id) {
        return fail(ErrorKind::corrupt, fmt::format("{}: it and {}/manifest are not of one log", path_, folder_),
                    "put back the one that was there; repair forgets what runs published");
    }
    view.entries = view.header.base_offset;
    // One that was made anew begins with an entry at least.
    view.length = file_header_size;
    view.begun_with = view.last_at = file_header_size + (view.entries > 0 ? 1 : 0);
    return view;
}

Result<void> RunsFile::read_on(File& file, std::uint64_t size, bool lock_held, std::uint32_t proven) {
    const std::uint64_t begin = view_.length;
    if (size < begin) return damaged(size, "shorter than it was");
    std::string bytes(static_cast<std::size_t>(size - begin), '\0');
    auto got = file.read_at(bytes, begin);
    if (!got) return pass_on(got);
    bytes.resize(*got);
    const auto rest = [&] { return std::string_view(bytes).substr(static_cast<std::size_t>(view_.length - begin)); };
    const char* why = "shorter than it was";
    JsonEntry line;
    while (!rest().empty()) {
        auto taken = take(rest(), line);
        if (!taken) return pass_on(taken);
        if (*taken == nullptr) continue;
        why = *taken;
        break;
    }
    if (view_.length < view_.begun_with || is_behind(proven) || is_proven_behind(rest(), view_.length, view_.header.file_id)) {
        return damaged(view_.length, why);
    }
    if (rest().empty() || !lock_held) return {};  // without the lock, somebody may be writing it
    auto writable = files_->open(path_, Open::write);
    if (!writable) return pass_on(writable);
    return (*writable)->truncate(view_.length);  // durable with the next entry: what comes back before that is as torn as it was
}

Result<const char*> RunsFile::take(std::string_view rest, JsonEntry& line) {
    FrameHeader frame;
    const char* why = "cut short, or zeros";
    const FramePlace place{view_.header.file_id, view_.chain, 0, view_.entries, FrameType::run};
    if (read_frame_header(rest, place, frame, why) != FrameState::valid) return why;
    const std::string_view payload = rest.substr(frame_header_size, frame.stored);
    if (!payload_is_right(frame, payload) || !padding_is_zero(frame, rest)) return "an entry fails its check";
    RunEntry entry;
    if (!line.parse(payload) || !decode_run(line, entry) || entry.sequence < view_.table.sequence()) {
        return damaged(view_.length, "an entry that makes no sense");
    }
    if (view_.length == file_header_size) view_.begun_with = std::max<std::uint64_t>(frame.durable, file_header_size);
    view_.table.keep(entry);
    view_.last_at = view_.length;
    view_.length += frame.size();
    view_.chain = frame.next_chain();
    ++view_.entries;
    return nullptr;
}

Result<void> RunsFile::make_durable() {
    if (view_.length <= view_.begun_with) return {};  // it was synced before it had its name
    auto file = files_->open(path_, Open::write);
    if (!file) return pass_on(file);
    std::string bytes(static_cast<std::size_t>(view_.length - view_.last_at), '\0');
    auto got = (*file)->read_at(bytes, view_.last_at);
    if (!got) return pass_on(got);
    if (*got != bytes.size()) return damaged(view_.last_at + *got, "shorter than it was");
    STREAM_TRY((*file)->write_at(bytes, view_.last_at));
    return (*file)->sync();
}

Result<void> RunsFile::make_anew(const Hash128& log_id) {
    FileHeader header;
    header.base_offset = view_.entries - view_.table.size();
    STREAM_TRY(write_runs(*files_, folder_, log_id, view_.table, header));
    named_ = header.file_id;
    return refresh(log_id, true, count());
}

Result<void> RunsFile::append(const Hash128& log_id, const RunEntry& entry, std::uint64_t rewrite_above) {
    unsure_ = false;
    // Whoever appended had made the name durable; of a file as it was made, its maker may have died before.
    const bool is_named = view_.length > view_.begun_with || (view_.length != 0 && named_ == view_.header.file_id);
    if (!is_named || view_.length - view_.begun_with > rewrite_above) STREAM_TRY(make_anew(log_id));
    std::string bytes;
    std::uint32_t chain = view_.chain;
    append_entry(bytes, entry, view_.header, view_.entries, view_.length, files_->now_ns(), chain);
    if (view_.length + bytes.size() > file_max) return fail(ErrorKind::limit, path_ + ": it would be longer than 64 MiB");
    auto file = files_->open(path_, Open::write);
    if (!file) return pass_on(file);
    if (auto written = (*file)->write_at(bytes, view_.length); !written) {  // no room: nothing of it is to be there
        unsure_ = !(*file)->truncate(view_.length) || !(*file)->sync();
        return written;
    }
    unsure_ = true;
    STREAM_TRY((*file)->sync());
    JsonEntry line;
    auto taken = take(bytes, line);
    if (!taken) return pass_on(taken);
    if (*taken != nullptr) return damaged(view_.length, *taken);
    unsure_ = false;
    return {};
}

}  // namespace stream::log
