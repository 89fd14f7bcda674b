// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <optional>

#include "log/positions.hpp"
#include "log/rebuild.hpp"

namespace stream::log {

namespace {

constexpr std::uint64_t group_max = 64u << 20;

// What the entry does, given that some before it may be lost: a commit of a later generation is as good as the
// seek before it.
void apply_what_can_be(JsonEntry& entry, std::string_view payload, GroupState& state) {
    if (!entry.parse(payload)) return;
    const auto generation = entry.number("generation");
    std::string as_seek;
    if (entry.text("entry") == "commit" && generation && *generation > state.generation) {
        constexpr std::string_view said = R"("entry":"commit")";
        as_seek = payload;
        const std::size_t at = as_seek.find(said);
        if (at != std::string::npos) as_seek.replace(at, said.size(), R"("entry":"seek")");
        if (!entry.parse(as_seek)) return;
    }
    if (entry.text("entry") == "batch") state.batch.reset();
    GroupState next = state;
    if (apply_entry(entry, next) == nullptr) state = std::move(next);
}

GroupState read_state(std::string_view bytes, std::uint32_t partitions) {
    GroupState state;
    state.positions.resize(partitions);
    if (bytes.size() < file_header_size + frame_header_size) return state;
    FileHeader header;
    std::uint32_t crc = 0;
    std::uint64_t id = 0;  // of the first frame, where the file's header does not say it
    std::memcpy(&id, bytes.data() + file_header_size + 32, sizeof id);
    if (read_file_header(bytes, header, crc) == nullptr) id = header.file_id;
    JsonEntry entry;
    for (std::size_t at = file_header_size; at + frame_header_size <= bytes.size(); at += 8) {
        FrameHeader frame;
        if (read_lone_header(bytes.substr(at), id, frame) != FrameState::valid || frame.type != FrameType::positions) continue;
        const std::string_view payload = bytes.substr(at + frame_header_size, frame.stored);
        if (!payload_is_right(frame, payload)) continue;
        apply_what_can_be(entry, payload, state);
        at += static_cast<std::size_t>(frame.size()) - 8;
    }
    return state;
}

std::string file_of(FileSystem& files, const Manifest& manifest, const GroupState& state) {
    const FileHeader header{FileKind::group, files.random(), manifest.log_id(), 0, 0};
    std::string bytes;
    append_file_header(bytes, header);
    FrameHeader frame;
    FileHeader again;
    static_cast<void>(read_file_header(bytes, again, frame.chain));
    const std::string entry = encode_state(state) + "\n";
    frame.type = FrameType::positions;
    frame.file_id = header.file_id;
    frame.records = 1;
    frame.raw = static_cast<std::uint32_t>(entry.size());
    frame.append_time = files.now_ns();
    append_frame(bytes, frame, entry);
    return bytes;
}

}  // namespace

Result<void> rebuild_runs(FileSystem& files, const std::string& folder, const Hash128& log_id, const std::optional<SalvagedEntries>& old) {
    RunTable table;
    if (old && old->has_header && old->header.log_id == log_id) {
        JsonEntry line;
        RunEntry entry;
        for (const auto* entries : {&old->entries, &old->behind}) {
            for (const std::string& text : *entries) {
                if (line.parse(text) && decode_run(line, entry)) table.keep(entry);
            }
        }
    }
    FileHeader header;
    return write_runs(files, folder, log_id, table, header);
}

Result<void> rebuild_group(FileSystem& files, const std::string& folder, const Manifest& manifest, const std::string& name) {
    const std::string groups = folder + "/groups";
    auto lock = files.lock(groups + "/" + name + ".lock", true);
    if (!lock) return pass_on(lock);
    auto file = files.open_if_there(groups + "/" + name, Open::read);
    if (!file) return pass_on(file);
    if (*file == nullptr) return {};
    auto size = (*file)->size();
    if (!size) return pass_on(size);
    std::string bytes(static_cast<std::size_t>(std::min(*size, group_max)), '\0');
    auto got = (*file)->read_at(bytes, 0);
    if (!got) return pass_on(got);
    bytes.resize(*got);
    const std::string temporary = groups + "/." + name + ".new";
    STREAM_TRY(files.remove(temporary));
    auto made = files.open(temporary, Open::create_new);
    if (!made) return pass_on(made);
    STREAM_TRY((*made)->write_at(file_of(files, manifest, read_state(bytes, manifest.config().partitions)), 0));
    STREAM_TRY((*made)->sync());
    STREAM_TRY((*made)->close());
    STREAM_TRY(files.rename(temporary, groups + "/" + name));
    return files.sync_folder(groups);
}

}  // namespace stream::log
