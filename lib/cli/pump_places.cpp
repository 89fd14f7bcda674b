// SPDX-License-Identifier: Apache-2.0
// Where the inputs of a run are: what is saved of each, and how it is opened there again.
#include "cli/pump_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.hpp"
#include "io/file_place.hpp"
#include "io/file_system.hpp"
#include "io/follow.hpp"
#include "io/limited_source.hpp"
#include "io/next_line_source.hpp"
#include "io/open.hpp"
#include "log/log_source.hpp"
#include "log/writer.hpp"

namespace stream {

// What a source goes on with: everything the pump knows of its inputs.
Result<std::string> Pump::Impl::places() {
    StateWriter writer;
    writer.put_bytes(diagnostics.tool());
    writer.put_bytes(plan.run_identity);
    writer.put_i64(control->written);
    std::uint64_t file = resumed_file;
    writer.put_varint(inputs.size());
    for (const auto& input : inputs) {
        writer.put_varint(static_cast<std::uint64_t>(input->index));
        writer.put_i64(input->given);
        writer.put_bytes(input->given_field);
        writer.put_i64(input->newest);
        writer.put_u64(input->reader->used_lines() - (input->has_head ? 1 : 0));
        auto place = input->controlled ? Result<std::string>(std::string()) : place_of(*input);
        if (!place) return place;
        writer.put_bytes(*place);
        file = static_cast<std::uint64_t>(input->index);
    }
    writer.put_varint(file);
    writer.put_varint(gaps);
    return writer.take();
}

// Opaque bytes: of a log its offsets, of a file its FilePlace; of text formats also what was learnt before it.
Result<std::string> Pump::Impl::place_of(Input& input) {
    // A line that was looked at and waits is read again.
    const std::uint64_t used = input.has_head ? input.reader->head_bytes() : input.reader->used_bytes();
    if (input.is_once_only || (input.is_static && (!input.static_place.empty() || input.format))) return input.static_place;
    if (input.placed != nullptr) return input.placed->place_text(used);
    if (input.log != nullptr) {
        auto offsets = input.log->places_at(used);
        if (!offsets) return pass_on(offsets);
        std::string text = "log";
        for (const std::uint64_t offset : *offsets) text += " " + std::to_string(offset);
        return text;
    }
    if (input.reader->is_text()) return text_place_of(input);
    auto place = input.reader->source().place_at(used);
    if (!place) return pass_on(place);
    return *place ? "file " + encode(**place) : std::string();
}

// "text " and what the reader and its format know, with the FilePlace behind it.
Result<std::string> Pump::Impl::text_place_of(Input& input) {
    const InputReader::TextPlace text = input.reader->text_place(input.has_head);
    auto place = input.reader->source().place_at(text.bytes);
    if (!place) return pass_on(place);
    if (!*place) return std::string();
    StateWriter writer;
    writer.put_varint(text.lines);
    writer.put_varint(text.skip);
    writer.put_bytes(text.learnt);
    writer.put_bytes(encode(**place));
    return "text " + writer.take();
}

Result<void> Pump::Impl::read_places(StateReader& reader) {
    StateReader saved(reader.get_bytes());
    resumed.clear();
    const std::string tool(saved.get_bytes());
    const std::string identity(saved.get_bytes());
    STREAM_TRY(saved.check("the inputs' places"));
    if (tool != diagnostics.tool() || identity != plan.run_identity) {
        const auto in_words = [](std::string lines) {
            std::replace(lines.begin(), lines.end(), '\n', ' ');
            return stream::quoted(lines, 200);
        };
        return fail(ErrorKind::usage, fmt::format("the state of {} is of {} {}, not of {}", stream::quoted(control->name), tool, in_words(identity), in_words(plan.run_identity)),
                    "the arguments as they were, another --name, or stream-run reset DIR to begin anew");
    }
    control->written = saved.get_i64();
    const std::uint64_t count = saved.get_varint();
    for (std::uint64_t i = 0; i < count && saved.ok(); ++i) {
        Resumed one;
        one.index = static_cast<int>(saved.get_varint());
        one.given = saved.get_i64();
        one.given_field = saved.get_bytes();
        one.newest = saved.get_i64();
        one.lines = saved.get_u64();
        one.place = saved.get_bytes();
        resumed.push_back(std::move(one));
    }
    resumed_file = saved.get_varint();
    gaps = saved.get_varint();
    STREAM_TRY(saved.check("the inputs' places"));
    for (const auto& input : inputs) apply_resumed(*input);
    return {};
}

const Pump::Impl::Resumed* Pump::Impl::resumed_of(int index) const {
    for (const Resumed& one : resumed) {
        if (one.index == index) return &one;
    }
    return nullptr;
}

void Pump::Impl::apply_resumed(Input& input) const {
    const Resumed* saved = resumed_of(input.index);
    if (saved == nullptr) return;
    input.given = saved->given;
    input.given_field = saved->given_field;
    input.newest = saved->newest;
}

namespace {

Result<std::vector<std::uint64_t>> log_offsets(std::string_view place) {
    std::vector<std::uint64_t> offsets;
    for (std::size_t at = 3; at < place.size();) {
        std::uint64_t offset = 0;
        const auto parsed = std::from_chars(place.data() + at + 1, place.data() + place.size(), offset);
        if (parsed.ec != std::errc()) return fail(ErrorKind::corrupt, "the saved place in a log cannot be read");
        offsets.push_back(offset);
        at = static_cast<std::size_t>(parsed.ptr - place.data());
    }
    return offsets;
}

}  // namespace

// What is passed over is told when it is, and counted in the run.
std::function<void(const std::string&)> Pump::Impl::gap_teller() {
    return [this](const std::string& what) {
        gap = gap || !plan.skip_gaps;
        tell_gap(what);
    };
}

void Pump::Impl::tell_gap(const std::string& what) {
    ++gaps;
    diagnostics.say(what);
    if (is_controlled()) tell_new();
}

Result<std::unique_ptr<ByteSource>> Pump::Impl::open_resumed_log(Input& input, const std::string& path, const std::string& place) {
    log::LogSourceOptions options;
    options.follow = plan.follow && !control->start.once;
    options.from_end = plan.follow && plan.follow_from_end && place.empty();
    if (plan.skip_gaps) options.tell_gap = gap_teller();
    if (place.starts_with("log")) {
        auto offsets = log_offsets(place);
        if (!offsets) return pass_on(offsets);
        (input.is_static ? options.stop : options.resume) = std::move(*offsets);
    }
    auto opened = log::open_log_source(real_file_system(), path, options);
    if (!opened) return pass_on(opened);
    input.log = opened->get();
    return std::unique_ptr<ByteSource>(std::move(*opened));
}

Result<std::unique_ptr<ByteSource>> Pump::Impl::open_resumed(Input& input, const std::string& path) {
    const Resumed* saved = resumed_of(input.index);
    const std::string place = saved != nullptr ? saved->place : std::string();
    if (plan.open_placed) {
        auto opened = plan.open_placed(static_cast<std::size_t>(input.index), {place, control->start.once, [this](const std::string& what) { tell_gap(what); }});
        if (!opened) return pass_on(opened);
        input.placed = opened->get();
        return std::unique_ptr<ByteSource>(std::move(*opened));
    }
    if (input.is_once_only) {
        auto opened = open_source(path);
        if (!opened || !control->is_again()) return opened;
        return std::unique_ptr<ByteSource>(std::make_unique<NextLineSource>(std::move(*opened)));
    }
    if (path != "-" && log::is_log(real_file_system(), path)) return open_resumed_log(input, path, place);
    if (plan.open_input) return fail(ErrorKind::usage, "this cannot be read again after a crash, in a run");
    FilePlace from;
    std::string encoded = place.starts_with("file ") ? place.substr(5) : std::string();
    if (place.starts_with("text ")) {
        StateReader text(std::string_view(place).substr(5));
        input.text_place.emplace();
        input.text_place->lines = text.get_varint();
        input.text_place->skip = text.get_varint();
        input.text_place->learnt = text.get_bytes();
        encoded = text.get_bytes();
        STREAM_TRY(text.check("the place in " + path));
    }
    if (!encoded.empty()) {
        auto decoded = decode_place(encoded);
        if (!decoded) return pass_on(decoded);
        from = std::move(*decoded);
    }
    if (input.is_static) {
        input.static_place = place;
        auto opened = open_source_at(path, {});
        if (!opened || place.empty() || input.format) return opened;
        auto limited = std::make_unique<LimitedSource>(std::move(*opened), from.offset);
        input.limited = limited.get();
        return std::unique_ptr<ByteSource>(std::move(limited));
    }
    input.bytes_before = from.offset;
    const OnGap on_gap = plan.skip_gaps ? OnGap::skip : OnGap::fail;
    if (!plan.follow || path == "-") return open_source_at(path, from, {on_gap, gap_teller()});
    FollowOptions options;
    options.from_end = plan.follow_from_end && place.empty();
    options.places = true;
    if (!place.empty()) options.resume = from;
    options.on_resume_gap = on_gap;
    options.on_gap = gap_teller();
    return open_followed(path, options);
}

// A table that was read whole: its place the first time, afterwards whether it is what it was.
Result<void> Pump::Impl::check_static(Input& input) {
    if (!is_controlled() || !input.is_static || input.format) return {};
    auto now = std::exchange(input.static_place, {});
    auto place = place_of(input);
    if (!place) return pass_on(place);
    const std::string before = std::exchange(now, {});
    input.static_place = *place;
    if (before.empty()) return {};
    bool same = before == *place;
    if (before.starts_with("file ")) {
        auto was = decode_place(std::string_view(before).substr(5));
        if (!was) return pass_on(was);
        auto is = decode_place(std::string_view(*place).substr(5));
        if (!is) return pass_on(is);
        same = input.limited->missing() == 0 && was->offset == is->offset && was->head_crc == is->head_crc && was->tail_crc == is->tail_crc;
        input.static_place = before;
    }
    if (same || plan.accept_changed) return {};
    return fail(ErrorKind::data, input.reader->name() + " is not what it was when the run read it", "--accept-changed takes it as it is now");
}

}  // namespace stream
