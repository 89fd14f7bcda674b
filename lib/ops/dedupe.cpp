// SPDX-License-Identifier: Apache-2.0
#include "ops/dedupe.hpp"

#include "base/check.hpp"
#include "base/text.hpp"
#include "json/canonical.hpp"
#include "ops/dedupe/keep_last.hpp"
#include "ops/dedupe/summaries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stream {
namespace {

constexpr std::uint8_t state_version = 1;
constexpr double error_least = 1e-9;
constexpr double error_most = 0.5;
constexpr std::uint64_t memory_check_every = 256;
constexpr std::uint64_t first_filter_keys = 1 << 20;  // its pages are touched as keys come

// Text that is its own canonical form: a string without escapes, a plain integer, true, false.
bool is_canonical(const Value& value) {
    if (value.type == Type::string) return !value.escaped;
    if (value.type == Type::boolean_false || value.type == Type::boolean_true) return true;
    if (value.type != Type::number || value.text.size() > 18 || value.text == "-0") return false;
    return std::all_of(value.text.begin(), value.text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || c == '-'; });
}

tl::unexpected<Error> other_form() {
    return fail(ErrorKind::corrupt, "the saved state of stream-dedupe has another form");
}

}  // namespace

Result<void> DedupeOptions::validate() const {
    const auto usage = [](std::string message, std::string hint = {}) {
        return fail(ErrorKind::usage, std::move(message), std::move(hint));
    };
    if (fields.empty()) return usage("no key: --by is missing", "--by id");
    if (within && *within < 0) return usage("--within must not be negative");
    if (summary < 0) return usage("--summary must not be negative");
    if (keep_last && !within) {
        return usage("--keep last needs --within: without it the last copy is never known", "--within 10m");
    }
    if (approx_error != 0 && !(approx_error >= error_least && approx_error <= error_most)) {
        return usage("--approx takes the share of new keys that may be taken for repeats, from 1e-9 to 0.5",
                     "--approx 0.001");
    }
    if (approx_error != 0 && keep_last) return usage("--approx and --keep last do not go together");
    if (approx_error != 0 && summary > 0) return usage("--approx and --summary do not go together");
    if (summary > 0 && keep_last) return usage("--summary and --keep last do not go together");
    return {};
}

Result<void> DedupeKey::check(const Value& value, std::size_t field) const {
    if (!value.is_nothing()) [[likely]]
        return {};
    return fail(ErrorKind::data, fmt::format("no key: {} is {}", quoted(fields_[field]),
                                             value.type == Type::null ? "null" : "missing"));
}

Result<std::string_view> DedupeKey::of(const Value* values) {
    if (fields_.size() == 1 && is_canonical(values[0])) [[likely]]
        return values[0].text;
    scratch_.clear();
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        STREAM_TRY(check(values[i], i));
        if (i > 0) scratch_.push_back(',');
        if (is_canonical(values[i])) {
            scratch_.append(values[i].text);
        } else {
            append_canonical(scratch_, values[i]);
        }
    }
    return std::string_view(scratch_);
}

Dedupe::Mode Dedupe::mode_of(const DedupeOptions& options) {
    if (options.keep_last) return Mode::keep_last;
    if (options.summary > 0) return Mode::summary;
    if (options.approx_error > 0) return options.within ? Mode::approx_within : Mode::approx;
    return options.within ? Mode::exact_within : Mode::exact;
}

Dedupe::Dedupe(DedupeOptions options)
    : options_(std::move(options)), mode_(mode_of(options_)), key_(options_.fields) {
    STREAM_CHECK(options_.validate().has_value());
    make_state();
}

Dedupe::~Dedupe() = default;

void Dedupe::make_state() {
    const DurationNs within = options_.within.value_or(0);
    switch (mode_) {
        case Mode::exact:
            exact_.emplace(options_.limits);
            break;
        case Mode::exact_within:
            timed_.emplace(options_.limits, within);
            break;
        case Mode::approx:
            bloom_.emplace(options_.approx_error, first_filter_keys);
            break;
        case Mode::approx_within:
            timed_bloom_.emplace(options_.approx_error, within);
            break;
        case Mode::keep_last:
            keep_last_ = std::make_unique<KeepLast>(options_.limits, within);
            break;
        case Mode::summary:
            summaries_ = std::make_unique<Summaries>(options_.limits, options_.within, options_.summary);
            break;
    }
}

// Which new keys an approximate set mistakes for repeats shows in the output, and the output is a
// function of the input: no random secret there.
Hash128 Dedupe::hash_of(std::string_view key) const {
    if (mode_ == Mode::approx || mode_ == Mode::approx_within) return fingerprint(key);
    return hash_key(key, options_.secret);
}

void Dedupe::announce(const Value* values, TimeNs time) {
    if (!exact_ && !timed_) return;
    const auto key = key_.of(values);
    if (!key) return;  // on_event() will say so
    if (exact_) exact_->prefetch(hash_of(*key));
    if (timed_) timed_->prefetch(hash_of(*key), time);
}

Result<void> Dedupe::check_memory(std::size_t used) const {
    if (used <= options_.limits.memory_bytes) [[likely]]
        return {};
    return fail(ErrorKind::limit,
                fmt::format("the approximate set of keys needs {} bytes, more than --memory {}", used,
                            options_.limits.memory_bytes),
                "raise --memory, allow a larger --approx, or give --within");
}

Result<bool> Dedupe::is_new(const Hash128& hash, const Event& event, Sink& sink) {
    switch (mode_) {
        case Mode::exact:
            return exact_->insert(hash);
        case Mode::exact_within:
            return timed_->insert(hash, event.time);
        case Mode::keep_last:
            return keep_last_->add(hash, event);
        case Mode::summary:
            return summaries_->add(hash, event, sink);
        case Mode::approx:
        case Mode::approx_within:
            break;
    }
    const bool is_new = bloom_ ? bloom_->insert(hash) : timed_bloom_->insert(hash, event.time);
    if (is_new && written_ % memory_check_every == 0) STREAM_TRY(check_memory(memory_used()));
    return is_new;
}

Result<void> Dedupe::on_event(int, const Event& event, Sink& sink) {
    auto key = key_.of(event.values);
    if (!key) return pass_on(key);
    if (options_.within) {
        const TimeNs least = time_sub(watermark_, *options_.within);
        if (event.time < least) {
            ++late_;
            sink.late(event, time_sub(least, event.time));
            return {};
        }
    }
    auto fresh = is_new(hash_of(*key), event, sink);
    if (!fresh) return pass_on(fresh);
    if (!*fresh) {
        ++repeats_;
    } else if (mode_ != Mode::keep_last) {
        ++written_;
        sink.pass(event);
    }
    return {};
}

Result<void> Dedupe::on_watermark(TimeNs watermark, Sink& sink) {
    watermark_ = watermark;
    if (summaries_) return summaries_->advance(watermark, sink);
    if (keep_last_) {
        auto written = keep_last_->advance(watermark, sink);
        if (!written) return pass_on(written);
        written_ += *written;
        return {};
    }
    if (!options_.within || watermark == time_after_all) return {};
    const TimeNs before = time_sub(time_sub(watermark, *options_.within), *options_.within);
    if (timed_) timed_->expire(before);
    if (timed_bloom_) timed_bloom_->expire(before);
    return {};
}

TimeNs Dedupe::output_watermark(TimeNs watermark) const {
    if (!keep_last_ || watermark == time_after_all) return watermark;
    return std::min(time_sub(watermark, *options_.within), keep_last_->least_held());
}

std::size_t Dedupe::memory_used() const {
    switch (mode_) {
        case Mode::exact:
            return exact_->memory_used();
        case Mode::exact_within:
            return timed_->memory_used();
        case Mode::approx:
            return bloom_->memory();
        case Mode::approx_within:
            return timed_bloom_->memory();
        case Mode::keep_last:
            return keep_last_->memory_used();
        case Mode::summary:
            return summaries_->memory_used();
    }
    return 0;
}

void Dedupe::put_head(StateWriter& writer) const {
    writer.put_u8(state_version);
    writer.put_u8(static_cast<std::uint8_t>(mode_));
    writer.put_raw(options_.secret.data(), options_.secret.size());
    writer.put_i64(watermark_);
    writer.put_varint(written_);
    writer.put_varint(repeats_);
    writer.put_varint(late_);
}

// Sets that only grow, and shrink by the watermark alone.
bool Dedupe::track_changes(bool on) {
    if (exact_) exact_->track_changes(on);
    if (timed_) timed_->track_changes(on);
    return on && (exact_ || timed_);
}

bool Dedupe::knows_changes() const { return exact_ ? exact_->knows_changes() : timed_ && timed_->knows_changes(); }

void Dedupe::snapshot_changes(StateWriter& writer) {
    put_head(writer);
    if (exact_) exact_->snapshot_changes(writer);
    if (timed_) timed_->snapshot_changes(writer);
}

Result<void> Dedupe::keep_files(KeptFiles& files) {
    if (exact_) return exact_->keep_files(files);
    if (timed_) return timed_->keep_files(files);
    if (keep_last_) return keep_last_->keep_files(files);
    return summaries_ ? summaries_->keep_files(files) : Result<void>{};
}

void Dedupe::snapshot(StateWriter& writer) const {
    put_head(writer);
    if (exact_) exact_->snapshot(writer);
    if (timed_) timed_->snapshot(writer);
    if (bloom_) bloom_->snapshot(writer);
    if (timed_bloom_) timed_bloom_->snapshot(writer);
    if (keep_last_) keep_last_->snapshot(writer);
    if (summaries_) summaries_->snapshot(writer);
}

Result<void> Dedupe::restore(StateReader& reader) {
    const auto version = reader.get_u8();
    const auto mode = reader.get_u8();
    reader.get_raw(options_.secret.data(), options_.secret.size());
    watermark_ = reader.get_i64();
    written_ = reader.get_varint();
    repeats_ = reader.get_varint();
    late_ = reader.get_varint();
    STREAM_TRY(reader.check("stream-dedupe"));
    if (version != state_version || mode != static_cast<std::uint8_t>(mode_)) return other_form();
    if (exact_) return exact_->restore(reader);
    if (timed_) return timed_->restore(reader);
    if (bloom_) return bloom_->restore(reader);
    if (timed_bloom_) return timed_bloom_->restore(reader);
    if (keep_last_) return keep_last_->restore(reader);
    return summaries_->restore(reader);
}

void Dedupe::append_stats(std::string& out) const {
    std::uint64_t keys = 0;
    std::uint64_t spilled = 0;
    const auto count = [&](const auto& set) {
        keys = set.size();
        spilled = set.spilled_bytes();
    };
    if (exact_) count(*exact_);
    if (timed_) count(*timed_);
    if (bloom_) keys = bloom_->size();
    if (timed_bloom_) keys = timed_bloom_->size();
    if (keep_last_) count(*keep_last_);
    if (summaries_) count(*summaries_);
    out += fmt::format(
        R"(,"written":{},"repeats":{},"keys":{},"held":{},"state_bytes":{},"spilled_bytes":{})",
        written_, repeats_, keys, keep_last_ ? keep_last_->held() : 0, memory_used(), spilled);
}

}  // namespace stream
