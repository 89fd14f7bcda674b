// SPDX-License-Identifier: Apache-2.0
#include "log/positions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace stream::log {

namespace {

constexpr std::uint64_t file_max = 64u << 20;
constexpr std::uint64_t rewrite_above = 1u << 20;
constexpr std::uint64_t rewrite_times = 10;

bool is_zero(std::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

}  // namespace

PositionsFile::PositionsFile(FileSystem& files, std::string folder, const std::string& name, const Hash128& log_id,
                             std::uint32_t partitions)
    : files_(&files),
      folder_(std::move(folder)),
      groups_(folder_ + "/groups"),
      path_(groups_ + "/" + name),
      lock_path_(path_ + ".lock"),
      temporary_(groups_ + "/." + name + ".new"),
      log_id_(log_id),
      partitions_(partitions) {
    view_.state.positions.resize(partitions);
}

tl::unexpected<Error> PositionsFile::damaged(std::uint64_t at, std::string_view why) const {
    return fail(ErrorKind::corrupt, fmt::format("{}: {} (byte {})", path_, why, at));
}

// A writer may be at the tail while we read it, so what looks damaged is looked at again.
Result<void> PositionsFile::refresh() {
    constexpr int tries = 3;
    for (int n = 1;; ++n) {
        auto file = look(Open::read, n > 1);
        if (file) return {};
        if (file.error().kind() != ErrorKind::corrupt || n == tries) return pass_on(file);
    }
}

// Opens what is at the path now (nothing where there is none): it may be another file than it was, made anew.
Result<std::unique_ptr<File>> PositionsFile::look(Open how, bool afresh) {
    auto file = files_->open_if_there(path_, how);
    if (!file) return file;
    if (*file == nullptr) {
        if (exists()) return damaged(0, "it was there and is gone");
        return file;
    }
    std::string bytes(file_header_size, '\0');
    auto got = (*file)->read_at(bytes, 0);
    if (!got) return pass_on(got);
    bytes.resize(*got);
    View fresh;
    if (const char* why = read_file_header(bytes, fresh.header, fresh.chain)) return damaged(0, why);
    if (fresh.header.kind != FileKind::group) return damaged(0, "not a file of a group's positions");
    if (fresh.header.log_id != log_id_) return damaged(0, "it belongs to another log");
    if (!afresh && exists() && fresh.header.file_id == view_.header.file_id) {
        View next = view_;
        auto fits = read_on(**file, next);
        if (!fits) return pass_on(fits);
        if (*fits) {
            view_ = std::move(next);
            return file;
        }
    }
    fresh.length = fresh.durable = fresh.last_at = file_header_size;
    fresh.state.positions.resize(partitions_);
    auto read = read_on(**file, fresh);
    if (!read) return pass_on(read);
    if (!*read) return damaged(fresh.length, "shorter than it was");
    view_ = std::move(fresh);
    return file;
}

// False: the last frame that was read before is not there any more; its writer took it back.
Result<bool> PositionsFile::read_on(File& file, View& view) const {
    const std::uint64_t begin = view.last_at;
    auto size = file.size();
    if (!size) return pass_on(size);
    if (*size > file_max) return damaged(file_max, "longer than 64 MiB");
    if (*size < view.length) return false;
    std::string bytes(static_cast<std::size_t>(*size - begin), '\0');
    auto got = file.read_at(bytes, begin);
    if (!got) return pass_on(got);
    bytes.resize(*got);
    if (begin + bytes.size() < view.length || !std::string_view(bytes).starts_with(view.last_header)) return false;
    STREAM_TRY(take(bytes, begin, view));
    return true;
}

// `bytes` are the file's, from `begin` on.
Result<void> PositionsFile::take(std::string_view bytes, std::uint64_t begin, View& view) const {
    for (;;) {
        const std::string_view rest = bytes.substr(static_cast<std::size_t>(view.length - begin));
        view.torn = !rest.empty();
        if (rest.empty() && view.entries != 0) return {};
        auto more = take_frame(rest, view);
        if (!more) return pass_on(more);
        if (!*more) return {};
    }
}

// False where the tail is torn.
Result<bool> PositionsFile::take_frame(std::string_view rest, View& view) const {
    FrameHeader header;
    const char* why = nullptr;
    const FramePlace place{view.header.file_id, view.chain, 0, view.entries, FrameType::positions};
    bool valid = read_frame_header(rest, place, header, why) == FrameState::valid;
    if (valid) {
        const std::string_view payload = rest.substr(frame_header_size, header.stored);
        const std::string_view frame = rest.substr(0, static_cast<std::size_t>(header.size()));
        valid = payload_is_right(header, payload) && is_zero(frame.substr(frame_header_size + header.stored));
        if (!valid) why = "a frame's payload fails its check";
    }
    if (!valid) {
        if (why == nullptr) why = "a frame is cut short, or was never written";
        // The first frame was whole before the file had its name.
        if (view.entries == 0 || is_proven_behind(rest, view.length, view.header.file_id)) return damaged(view.length, why);
        return false;
    }
    if (header.flags != 0 || header.records != 1 || header.durable > view.length) {
        why = "a frame that makes no sense";
    } else if (!entry_->parse(rest.substr(frame_header_size, header.stored))) {
        why = "an entry that is no JSON object";
    } else if ((entry_->text("entry") == "state") != (view.entries == 0)) {
        why = "a state in another place than the first";
    } else {
        why = apply_entry(*entry_, view.state);
    }
    if (why != nullptr) return damaged(view.length, why);
    const std::uint64_t end = view.length + header.size();
    view.durable = view.entries == 0 ? end : std::max(view.durable, header.durable);
    count_frame(rest, header, view);
    return true;
}

void PositionsFile::count_frame(std::string_view bytes, const FrameHeader& frame, View& view) {
    view.last_at = view.length;
    view.last_header = bytes.substr(0, frame_header_size);
    view.length += frame.size();
    view.chain = frame.next_chain();
    view.entries += 1;
}

Result<std::unique_ptr<FileLock>> PositionsFile::begin() {
    if (failed_) {
        return fail(ErrorKind::io, fmt::format("{}: nothing is written any more after a failed sync", path_),
                    "what was acknowledged is safe: start again");
    }
    if (!exists()) {
        auto made = files_->make_folder(groups_);
        if (!made) return pass_on(made);
    }
    auto lock = files_->lock(lock_path_, true);
    if (!lock) return lock;
    STREAM_CHECK(*lock != nullptr);
    auto file = look(Open::write, false);
    if (!file) return pass_on(file);
    file_ = std::move(*file);
    if (view_.torn) {
        STREAM_TRY(file_->truncate(view_.length));  // synced with the change; what comes back is torn again
        view_.torn = false;
    }
    return lock;
}

Result<void> PositionsFile::synced(Result<void> outcome) {
    failed_ = failed_ || !outcome;
    return outcome;
}

Result<void> PositionsFile::confirm() {
    if (!exists()) return {};
    return name_is_durable() ? confirm_tail() : write_whole();
}

// The same bytes once more: after a failed sync of somebody's the kernel may hold them for clean.
Result<void> PositionsFile::confirm_tail() {
    if (view_.durable == view_.length) return {};
    std::string bytes(static_cast<std::size_t>(view_.length - view_.durable), '\0');
    auto got = file_->read_at(bytes, view_.durable);
    if (!got) return pass_on(got);
    if (*got != bytes.size()) return damaged(view_.durable + *got, "shorter than it was");
    STREAM_TRY(file_->write_at(bytes, view_.durable));
    STREAM_TRY(synced(file_->sync()));
    view_.durable = view_.length;
    return {};
}

Result<void> PositionsFile::append(const std::string& entry, GroupState next) {
    if (!exists() || is_long()) {
        STREAM_TRY(write_whole());
    } else {
        STREAM_TRY(confirm());
    }
    return append_frame_of(entry, std::move(next));
}

bool PositionsFile::is_long() const {
    return view_.length > rewrite_above && view_.length > rewrite_times * encode_state(view_.state).size();
}

Result<void> PositionsFile::append_frame_of(const std::string& entry, GroupState next) {
    FrameHeader frame;
    const std::string bytes = frame_of(entry, view_, frame);
    auto written = file_->write_at(bytes, view_.length);
    if (!written) {
        // Where this fails too, the next holder of the lock sees a torn tail.
        static_cast<void>(file_->truncate(view_.length));
        return written;
    }
    STREAM_TRY(synced(file_->sync()));
    count_frame(bytes, frame, view_);
    view_.durable = view_.length;
    view_.state = std::move(next);
    return {};
}

std::string PositionsFile::frame_of(const std::string& entry, const View& view, FrameHeader& frame) const {
    frame.type = FrameType::positions;
    frame.file_id = view.header.file_id;
    frame.chain = view.chain;
    frame.offset = view.entries;
    frame.records = 1;
    frame.durable = view.durable;
    frame.append_time = files_->now_ns();
    const std::string line = entry + "\n";
    frame.raw = static_cast<std::uint32_t>(line.size());
    std::string bytes;
    append_frame(bytes, frame, line);
    return bytes;
}

// A new file that begins with the state as it is, durable with its name when this returns.
Result<void> PositionsFile::write_whole() {
    STREAM_TRY(synced(files_->sync_folder(folder_)));  // groups/ may have been made by who died then
    View next;
    next.header.kind = FileKind::group;
    next.header.file_id = files_->random();
    next.header.log_id = log_id_;
    std::string bytes;
    append_file_header(bytes, next.header);
    STREAM_CHECK(read_file_header(bytes, next.header, next.chain) == nullptr);
    next.length = next.durable = bytes.size();
    FrameHeader frame;
    const std::string state = frame_of(encode_state(view_.state), next, frame);
    STREAM_TRY(write_temporary(bytes + state));
    if (auto renamed = files_->rename(temporary_, path_); !renamed) {
        static_cast<void>(files_->remove(temporary_));
        return renamed;
    }
    // From here on the file at the path is the new one, whatever fails.
    count_frame(state, frame, next);
    next.durable = next.length;
    next.state = std::move(view_.state);
    view_ = std::move(next);
    STREAM_TRY(synced(files_->sync_folder(groups_)));
    named_ = view_.header.file_id;
    auto file = files_->open(path_, Open::write);
    if (!file) return pass_on(file);
    file_ = std::move(*file);
    return {};
}

// Under the lock: what lies under that name was left by somebody who died.
Result<void> PositionsFile::write_temporary(std::string_view bytes) {
    STREAM_TRY(files_->remove(temporary_));
    auto file = files_->open(temporary_, Open::create_new);
    if (!file) return pass_on(file);
    auto outcome = (*file)->write_at(bytes, 0);
    if (outcome) outcome = synced((*file)->sync());
    if (outcome) outcome = (*file)->close();
    if (!outcome) static_cast<void>(files_->remove(temporary_));
    return outcome;
}

}  // namespace stream::log
