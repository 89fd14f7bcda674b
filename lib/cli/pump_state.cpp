// SPDX-License-Identifier: Apache-2.0
// State: what is saved of the pump and its operator, whole or as what changed, and back (docs/formats/state.md).
#include "cli/pump_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "io/file_system.hpp"
#include "state/kept_files.hpp"

namespace stream {

namespace {

constexpr std::string_view kept_prefix = "state.";  // in a folder of our own

}  // namespace

// --- out ---------------------------------------------------------------------------------------

// Where the inputs are and what is known of them; what the events mean. Never large.
Result<void> Pump::Impl::save_pump(StateWriter& writer) {
    if (is_controlled()) {
        auto where = places();
        if (!where) return pass_on(where);
        writer.put_bytes(*where);
    }
    writer.put_i64(newest);
    writer.put_i64(watermark);
    writer.put_u64(position);
    writer.put_f64(plan.expressions.now);
    writer.put_bytes(fields.save());
    writer.put_u8(event_time ? 1 : 0);
    if (event_time) event_time->snapshot(writer);
    for (std::size_t i = 0; i < merged_times.size(); ++i) {
        writer.put_i64(i < inputs.size() ? inputs[i]->newest : time_before_all);
        writer.put_bytes(is_joined() ? plan.joined[i].fields->save() : std::string());
        merged_times[i].snapshot(writer);
    }
    return {};
}

Result<void> Pump::Impl::put_state(StateWriter& writer) {
    STREAM_TRY(save_pump(writer));
    if (queue != nullptr) queue->snapshot(writer);
    op->snapshot(writer);
    return {};
}

Result<void> Pump::Impl::keep_files(KeptFiles& kept) {
    STREAM_TRY(op->keep_files(kept));
    return queue != nullptr ? queue->keep_files(kept) : Result<void>{};
}

Result<std::string> Pump::Impl::state_payload() {
    StateWriter writer(true);
    STREAM_TRY(put_state(writer));
    return writer.take();
}

// --state DIR: what lies in files is beside it, under names that the state begins with.
Result<void> Pump::Impl::save_state() {
    if (plan.state_dir.empty()) return {};
    FileSystem& files = real_file_system();
    KeptFiles kept(plan.state_dir, fmt::format("{}{:016x}.kept-", kept_prefix, files.random()));
    STREAM_TRY(keep_files(kept));
    StateWriter writer(true);
    STREAM_TRY(put_kept(writer, files, plan.state_dir, kept));
    STREAM_TRY(put_state(writer));
    STREAM_TRY(save_snapshot(plan.state_dir, snapshot_header(), writer.bytes()));
    return remove_kept(files, plan.state_dir, kept_prefix, kept.names());
}

Result<std::string> Pump::Impl::changes_payload() {
    StateWriter own;
    STREAM_TRY(save_pump(own));
    StateWriter writer;
    writer.put_bytes(own.bytes());
    if (queue != nullptr) queue->snapshot_changes(writer);
    journal.snapshot_changes(writer);
    return writer.take();
}

bool Pump::Impl::knows_changes() const { return journal.knows_changes() && (queue == nullptr || queue->knows_changes()); }

// From a whole copy on; 0: the next is a whole copy, too. However much lies on disk, what is noted in memory is bounded
// as all else is.
void Pump::Impl::track_changes(std::size_t most) {
    most = std::min(most, std::max(plan.memory, run::StateFiles::changes_max(0)));
    op = most == 0 ? &own_op : &journal;
    if (most == 0) {
        journal.stop_tracking();
        if (queue != nullptr) queue->stop_tracking();
        return;
    }
    const auto varies = [](const auto& fields_of_one) { return fields_of_one != nullptr && fields_of_one->uses_environment(); };
    journal.track(most, !varies(computed) && std::none_of(joined_computed.begin(), joined_computed.end(), varies));
    if (queue != nullptr) queue->track(most);
}

// The state as it is now, at a barrier. Where it is large, what changed; else, and now and then, all of it.
Result<Control::Frozen> Pump::Impl::freeze_state(std::uint64_t epoch) {
    Control::Frozen frozen;
    if (control->client == nullptr || (plan.stateless && !control->reads_itself())) return frozen;
    STREAM_TRY(control->settle());
    if (control->takes_changes() && knows_changes()) {
        auto payload = changes_payload();
        if (!payload) return pass_on(payload);
        frozen.form = Control::Frozen::Form::changes;
        frozen.payload = std::move(*payload);
        return frozen;
    }
    KeptFiles kept = control->keep(epoch);
    STREAM_TRY(keep_files(kept));
    if (control->is_large()) {
        auto beside = control->copy_beside(epoch, [this] { return state_payload(); });
        if (beside) {
            beside->kept = kept.names();
            track_changes(control->changes_max());
            return beside;
        }
        // No process can be had (memory, a limit): then it takes its time here.
    }
    auto payload = state_payload();
    if (!payload) return pass_on(payload);
    const std::size_t weight = run::StateFiles::weight_of(payload->size(), kept.bytes());
    track_changes(weight > run::StateFiles::small_max ? run::StateFiles::changes_max(weight) : 0);
    frozen.form = Control::Frozen::Form::whole;
    frozen.payload = std::move(*payload);
    frozen.kept = kept.names();
    return frozen;
}

// --- back --------------------------------------------------------------------------------------

Result<void> Pump::Impl::load_pump(StateReader& reader) {
    if (is_controlled()) STREAM_TRY(read_places(reader));
    newest = reader.get_i64();
    watermark = reader.get_i64();
    position = reader.get_u64();
    const double now = reader.get_f64();
    const std::string_view forms = reader.get_bytes();
    const bool has_time = reader.get_u8() != 0;
    STREAM_TRY(reader.check("the pump"));
    // `now` is the first call's.
    plan.expressions.now = now;
    if (computed != nullptr && computed->uses_now()) STREAM_TRY(compute_fields());
    if (!fields.load(forms)) return fail(ErrorKind::corrupt, "the saved state's fields cannot be read");
    sink.set_newest(newest);
    if (has_time != event_time.has_value()) return fail(ErrorKind::corrupt, "the saved state's event time cannot be read");
    if (has_time) STREAM_TRY(event_time->restore(reader));
    joined_newest.clear();
    for (std::size_t i = 0; i < merged_times.size(); ++i) {
        joined_newest.push_back(reader.get_i64());
        const std::string_view its = reader.get_bytes();
        if (is_joined() && !fields_of(static_cast<int>(i)).load(its)) return fail(ErrorKind::corrupt, "the saved state's fields cannot be read");
        STREAM_TRY(merged_times[i].restore(reader));
    }
    return {};
}

Result<void> Pump::Impl::load_state() {
    if (plan.state_dir.empty()) return {};
    auto lock = StateLock::acquire(plan.state_dir);
    if (!lock) return pass_on(lock);
    state_lock.emplace(std::move(*lock));
    std::error_code ignored;  // of a call that was killed: nobody else has the folder
    std::filesystem::remove_all(plan.state_dir + "/spill", ignored);
    auto loaded = load_snapshot(plan.state_dir, snapshot_header());
    if (!loaded) return pass_on(loaded);
    FileSystem& files = real_file_system();
    if (!*loaded) return remove_kept(files, plan.state_dir, kept_prefix, {});
    StateReader list(**loaded);
    auto kept = get_kept(list, files, plan.state_dir);
    if (!kept) return pass_on(kept);
    STREAM_TRY(remove_kept(files, plan.state_dir, kept_prefix, kept->names()));
    return load_payload(std::string_view(**loaded).substr((*loaded)->size() - list.left()), &*kept);
}

Result<void> Pump::Impl::end_state() {
    STREAM_TRY(remove_snapshot(plan.state_dir));
    return remove_kept(real_file_system(), plan.state_dir, kept_prefix, {});
}

Result<void> Pump::Impl::load_payload(std::string_view payload, const KeptFiles* files) {
    StateReader reader(payload, files);
    STREAM_TRY(load_pump(reader));
    if (queue != nullptr) STREAM_TRY(queue->restore(reader));
    STREAM_TRY(op->restore(reader));
    STREAM_TRY(reader.check("the operator"));
    if (!reader.at_end()) return fail(ErrorKind::corrupt, "the saved state is longer than it should be");
    fields_judged = true;
    return {};
}

Result<void> Pump::Impl::load_changes(std::string_view payload) {
    StateReader reader(payload);
    StateReader own(reader.get_bytes());
    STREAM_TRY(load_pump(own));
    if (!own.at_end()) return fail(ErrorKind::corrupt, "the saved state is longer than it should be");
    if (queue != nullptr) STREAM_TRY(queue->restore_changes(reader));
    STREAM_TRY(journal.replay(reader, [this](int input, std::string_view bytes, Event& event) {
        Scanner& scanner = scanner_of(static_cast<std::uint32_t>(input));
        if (scan_copy(scanner, bytes) != Scanner::Outcome::event) return false;
        event.raw = scanner.line();
        event.values = scanner.values();
        return true;
    }));
    STREAM_TRY(reader.check("the operator"));
    if (!reader.at_end()) return fail(ErrorKind::corrupt, "the saved state is longer than it should be");
    return {};
}

Result<void> Pump::Impl::load_run_state() {
    state_loaded = true;
    if (!control->in_run()) return {};
    const KeptFiles kept = control->kept();
    STREAM_TRY(control->load_state([&](std::string_view payload, bool is_whole) { return is_whole ? load_payload(payload, &kept) : load_changes(payload); }));
    if (control->takes_changes()) track_changes(control->changes_max());
    return {};
}

}  // namespace stream
