// SPDX-License-Identifier: Apache-2.0
#include "run/commit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/base64.hpp"
#include "base/crc32c.hpp"
#include "base/text.hpp"

namespace stream::run {

namespace {

constexpr std::uint64_t version = 1;
constexpr std::uint64_t file_max = 64u << 20;

std::string in_base64(std::string_view bytes) {
    std::string out;
    append_base64(out, bytes);
    return out;
}

std::string encode(const Commit& commit) {
    std::string out = Message("commit").set("version", version).set("run", commit.run).set("epoch", commit.epoch)
                          .set("attempt", commit.attempt).flag("finished", commit.finished).encode() + "\n";
    for (const SavedState& state : commit.states) out += to_message(state).encode() + "\n";
    for (const StagedFile& file : commit.files) out += to_message(file).encode() + "\n";
    for (const SinkMark& mark : commit.marks) out += Message("sink").set("name", mark.name).set("target", in_base64(mark.target)).encode() + "\n";
    return out + Message("end").set("crc", std::uint64_t{crc32c(out)}).encode() + "\n";
}

bool is_file_name(const std::string& name) { return name.find('/') == std::string::npos; }

// FILE LENGTH CRC; a name may have spaces in it.
std::optional<StateFile> state_file_of(std::string_view line) {
    const std::size_t last = line.rfind(' ');
    if (last == std::string_view::npos || last == 0) return std::nullopt;
    const std::size_t middle = line.rfind(' ', last - 1);
    if (middle == std::string_view::npos || middle == 0) return std::nullopt;
    StateFile file{std::string(line.substr(0, middle)), 0, 0};
    const auto number = [](std::string_view text, auto& into) {
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), into);
        return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
    };
    if (!is_file_name(file.file) || !number(line.substr(middle + 1, last - middle - 1), file.length) || !number(line.substr(last + 1), file.crc)) return std::nullopt;
    return file;
}

struct Reader {
    Commit commit;
    bool began = false;
    const char* why = nullptr;

    bool take(const Message& line) {
        if (!began) {
            began = line.kind() == "commit";
            if (!began || line.number("version") != version) return false;
            commit.run = line.text("run");
            commit.epoch = line.number("epoch");
            commit.attempt = line.number("attempt");
            commit.finished = line.flag("finished");
            return !commit.run.empty();
        }
        if (line.kind() == "state") {
            auto state = saved_state_of(line);
            if (state) commit.states.push_back(std::move(*state));
            return state.has_value();
        }
        if (line.kind() == "file") {
            auto file = staged_file_of(line);
            if (file) commit.files.push_back(std::move(*file));
            return file.has_value();
        }
        if (line.kind() != "sink") return false;
        auto target = decode_base64(line.text("target"));
        if (target) commit.marks.push_back({line.text("name"), std::move(*target)});
        return target.has_value();
    }
};

}  // namespace

bool SavedState::has_file(const std::string& one) const {
    const auto has = [&](const std::vector<StateFile>& files) {
        return std::any_of(files.begin(), files.end(), [&](const StateFile& other) { return other.file == one; });
    };
    return file == one || has(changes) || has(kept);
}

std::uint64_t SavedState::size() const {
    std::uint64_t all = bytes.size() + length;
    for (const auto* files : {&changes, &kept}) {
        for (const StateFile& one : *files) all += one.length;
    }
    return all;
}

Message to_message(const SavedState& state) {
    Message message("state");
    message.set("name", state.name);
    if (state.file.empty()) message.set("bytes", in_base64(state.bytes));
    else message.set("file", state.file).set("length", state.length).set("crc", std::uint64_t{state.crc});
    const auto put = [&](const char* member, const std::vector<StateFile>& files) {
        std::string text;
        for (const StateFile& one : files) text += fmt::format("{}{} {} {}", text.empty() ? "" : "\n", one.file, one.length, one.crc);
        if (!text.empty()) message.set(member, text);
    };
    put("changes", state.changes);
    put("kept", state.kept);
    if (state.ended) message.flag("ended", true);
    return message;
}

Message to_message(const StagedFile& file) {
    Message message("file");
    message.set("name", file.name).set("target", in_base64(file.target)).set("file", file.file).set("base", file.base);
    return message.set("length", file.length).set("crc", std::uint64_t{file.crc});
}

namespace {

// One a line.
bool take_files(const std::string& text, std::vector<StateFile>& into) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        auto one = state_file_of(std::string_view(text).substr(at, end - at));
        if (!one) return false;
        into.push_back(std::move(*one));
        at = end + 1;
    }
    return true;
}

}  // namespace

std::optional<SavedState> saved_state_of(const Message& message) {
    auto bytes = decode_base64(message.text("bytes"));
    SavedState state{message.text("name"), {}, message.text("file"), message.number("length"), static_cast<std::uint32_t>(message.number("crc")), message.flag("ended")};
    if (!bytes || !is_file_name(state.file)) return std::nullopt;
    state.bytes = std::move(*bytes);
    if (!take_files(message.text("changes"), state.changes) || !take_files(message.text("kept"), state.kept)) return std::nullopt;
    if (state.file.empty() && !(state.changes.empty() && state.kept.empty())) return std::nullopt;
    return state;
}

std::optional<StagedFile> staged_file_of(const Message& message) {
    auto target = decode_base64(message.text("target"));
    StagedFile file{message.text("name"), {}, message.text("file"), message.number("base"), message.number("length"), static_cast<std::uint32_t>(message.number("crc"))};
    if (!target || !is_file_name(file.file)) return std::nullopt;
    file.target = std::move(*target);
    return file;
}

Result<void> replace_in_folder(FileSystem& files, const std::string& folder, const std::string& name, std::string_view bytes) {
    const std::string path = folder + "/" + name;
    const std::string temporary = path + ".next";
    STREAM_TRY(files.remove(temporary));
    auto file = files.open(temporary, Open::create_new);
    if (!file) return pass_on(file);
    STREAM_TRY((*file)->write_at(bytes, 0));
    STREAM_TRY((*file)->sync());
    STREAM_TRY((*file)->close());
    STREAM_TRY(files.rename(temporary, path));
    return files.sync_folder(folder);
}

Result<void> write_commit(FileSystem& files, const std::string& folder, const Commit& commit) {
    return replace_in_folder(files, folder, "commit", encode(commit));
}

Result<std::optional<Commit>> read_commit(FileSystem& files, const std::string& folder) {
    const std::string path = folder + "/commit";
    const auto damaged = [&](std::string_view why) {
        return fail(ErrorKind::corrupt, fmt::format("{}: {}", path, why), "the state of the run cannot be trusted: stream-run reset begins anew");
    };
    auto file = files.open_if_there(path, Open::read);
    if (!file) return pass_on(file);
    if (*file == nullptr) return std::optional<Commit>();
    auto size = (*file)->size();
    if (!size) return pass_on(size);
    if (*size > file_max) return damaged("longer than 64 MiB");
    std::string bytes(static_cast<std::size_t>(*size), '\0');
    auto got = (*file)->read_at(bytes, 0);
    if (!got) return pass_on(got);
    bytes.resize(*got);

    Reader reader;
    std::size_t at = 0;
    for (;;) {
        const std::size_t end = bytes.find('\n', at);
        if (end == std::string::npos) return damaged("cut short");
        const auto line = Message::decode(std::string_view(bytes).substr(at, end - at));
        if (!line) return damaged(fmt::format("not a commit (byte {})", at));
        if (line->kind() == "end") {
            if (line->number("crc") != crc32c(std::string_view(bytes).substr(0, at))) return damaged("it fails its checksum");
            if (end + 1 != bytes.size()) return damaged("bytes after its end");
            break;
        }
        if (!reader.take(*line)) return damaged(fmt::format("an entry that makes no sense (byte {})", at));
        at = end + 1;
    }
    if (!reader.began) return damaged("empty");
    return std::optional<Commit>(std::move(reader.commit));
}

}  // namespace stream::run
