// SPDX-License-Identifier: Apache-2.0
#include "cli/log/read_source.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "cli/log/bounds.hpp"
#include "cli/log/envelope.hpp"
#include "cli/log/place.hpp"
#include "log/given_records.hpp"
#include "log/log_source.hpp"

namespace stream {

namespace {

class ReadSource final : public PlacedSource {
public:
    ReadSource(const LogArguments& arguments, ReadSourceOptions options, log::LogReader reader, ReadBounds bounds, std::optional<log::HeadWatch> watch)
        : arguments_(arguments), options_(std::move(options)), reader_(std::move(reader)), bounds_(std::move(bounds)), watch_(std::move(watch)) {
        if (arguments_.envelope) envelope_ = std::make_unique<Envelope>();
    }

    Result<void> begin() {
        reader_.set_partitions(options_.partitions);
        if (!options_.placing.place.empty()) {
            STREAM_TRY(go_to(options_.placing.place));
        } else {
            for (const std::uint32_t p : options_.partitions) {
                auto from = bounds_.from(reader_, p);
                if (!from) return pass_on(from);
                reader_.seek(p, *from);
            }
        }
        begun_at_ = positions();
        return apply_to();
    }

    Result<ReadOutcome> read(std::span<char> into) override {
        while (rest_.empty()) {
            auto more = load();
            if (!more) return pass_on(more);
            if (*more != ReadOutcome::Status::data) return ReadOutcome{*more, 0};
        }
        const std::size_t size = std::min(into.size(), rest_.size());
        std::memcpy(into.data(), rest_.data(), size);
        rest_.remove_prefix(size);
        read_ += size;
        return ReadOutcome{ReadOutcome::Status::data, size};
    }

    // "read 12:- 7:30": each partition's next offset, and where --to is.
    Result<std::string> place_text(std::uint64_t count) const override {
        auto places = given_.places_at(count, positions());
        if (!places) return pass_on(places);
        std::string text = "read";
        for (std::uint32_t p = 0; p < places->size(); ++p) {
            const auto stop = bounds_.stop_of(p);
            text += " " + std::to_string((*places)[p]) + ":" + (stop ? std::to_string(*stop) : "-");
        }
        return text;
    }

    int poll_fd() const override { return watch_ ? watch_->fd() : -1; }
    int wait_ms() const override { return watch_ ? watch_->wait_ms() : -1; }
    std::uint64_t raw_position() const override { return read_; }
    bool is_regular() const override { return !watch_; }
    bool is_followed() const override { return watch_.has_value(); }

private:
    using Status = ReadOutcome::Status;

    Result<void> apply_to() { return bounds_.apply_to(reader_, options_.partitions, watch_ || options_.in_run); }

    Result<void> go_to(std::string_view place) {
        const auto unreadable = [] { return fail(ErrorKind::corrupt, "the saved place in a log cannot be read"); };
        if (!place.starts_with("read")) return unreadable();
        place.remove_prefix(4);
        const auto number = [&](char in_front, std::uint64_t& into) {
            if (!place.starts_with(in_front)) return false;
            const auto parsed = std::from_chars(place.data() + 1, place.data() + place.size(), into);
            if (parsed.ec != std::errc()) return false;
            place.remove_prefix(static_cast<std::size_t>(parsed.ptr - place.data()));
            return true;
        };
        for (std::uint32_t p = 0; p < reader_.manifest().config().partitions; ++p) {
            std::uint64_t next = 0, stop = 0;
            if (!number(' ', next)) return unreadable();
            reader_.seek(p, next);
            if (place.starts_with(":-")) place.remove_prefix(2);
            else if (number(':', stop)) bounds_.set_stop(p, stop);
            else return unreadable();
        }
        return place.empty() ? Result<void>{} : unreadable();
    }

    std::vector<std::uint64_t> positions() const {
        std::vector<std::uint64_t> all;
        for (std::uint32_t p = 0; p < reader_.manifest().config().partitions; ++p) all.push_back(reader_.position(p));
        return all;
    }

    Result<Status> load() {
        for (;;) {
            std::vector<std::uint64_t> before = options_.in_run ? positions() : std::vector<std::uint64_t>();
            log::Run run;
            auto next = reader_.next(run);
            if (!next) return pass_on(next);
            switch (*next) {
                case log::LogReader::Next::records: take(run, std::move(before)); return Status::data;
                case log::LogReader::Next::gap:
                    if (!arguments_.skip_gaps) return log::gap_failure(reader_.gap());
                    options_.placing.tell_gap(log::gap_text(reader_.gap()));
                    continue;
                case log::LogReader::Next::damage:
                    // Looked at again on the way to the place: it was told.
                    if (given_.count() == 0 && !options_.placing.place.empty() && positions() == begun_at_) continue;
                    options_.placing.tell_gap(reader_.problem());
                    continue;
                case log::LogReader::Next::end: break;
            }
            if (!watch_ || bounds_.is_done(reader_, options_.partitions)) return Status::end;
            watch_->drain();
            auto more = reader_.refresh();
            if (!more) return pass_on(more);
            STREAM_TRY(apply_to());
            if (!*more) return Status::would_block;
        }
    }

    void take(const log::Run& run, std::vector<std::uint64_t> before) {
        rest_ = run.lines;
        if (envelope_ != nullptr) {
            text_.clear();
            envelope_->append(text_, run);
            rest_ = text_;
        }
        if (options_.in_run) given_.add(run, rest_, std::move(before));
    }

    const LogArguments& arguments_;
    ReadSourceOptions options_;
    log::LogReader reader_;
    ReadBounds bounds_;
    std::optional<log::HeadWatch> watch_;
    std::unique_ptr<Envelope> envelope_;
    log::GivenRecords given_;
    std::vector<std::uint64_t> begun_at_;
    std::string text_;
    std::string_view rest_;
    std::uint64_t read_ = 0;
};

}  // namespace

Result<std::unique_ptr<PlacedSource>> open_read_source(Tool& tool, const LogArguments& arguments, ReadSourceOptions options) {
    // Before the reader looks where the log ends: what comes in between is not missed.
    std::optional<log::HeadWatch> watch;
    if (options.follow && !options.placing.once) watch.emplace(arguments.folder());
    log::ReaderOptions reading;
    reading.partitions = options.partitions;
    reading.skip_corrupt = arguments.skip_corrupt;
    auto reader = open_log_reader(arguments.folder(), reading);
    if (!reader) return pass_on(reader);
    auto bounds = ReadBounds::make(arguments, tool.plan().time_field, reader->manifest().config());
    if (!bounds) return pass_on(bounds);
    auto source = std::make_unique<ReadSource>(arguments, std::move(options), std::move(*reader), std::move(*bounds), std::move(watch));
    STREAM_TRY(source->begin());
    return std::unique_ptr<PlacedSource>(std::move(source));
}

}  // namespace stream
