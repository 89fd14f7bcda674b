// SPDX-License-Identifier: Apache-2.0
// The entries of a positions file, to and from their lines.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.hpp"
#include "json/canonical.hpp"
#include "log/positions.hpp"

namespace stream::log {

namespace {

// nullptr, or what is wrong.
const char* read_positions(const JsonEntry& entry, GroupState& state, bool backwards) {
    const auto pairs = entry.pairs("positions");
    if (!pairs) return "an entry without its positions";
    for (const auto& [partition, position] : *pairs) {
        if (partition >= state.positions.size() || position >= position_end) return "a position out of its range";
        auto& here = state.positions[static_cast<std::size_t>(partition)];
        if (backwards || !here || *here < position) here = position;
    }
    return nullptr;
}

const char* read_batch(const JsonEntry& entry, std::string_view id_name, GroupState& state) {
    OpenBatch batch;
    batch.id = entry.text(id_name);
    const auto from = entry.numbers("from");
    const auto to = entry.numbers("to");
    if (batch.id.empty() || !from || !to) return "a batch without its extent";
    const std::size_t partitions = state.positions.size();
    if (from->size() != partitions || to->size() != partitions) return "a batch of other partitions";
    for (std::size_t p = 0; p < partitions; ++p) {
        if ((*from)[p] > (*to)[p] || (*to)[p] >= position_end) return "a batch out of its range";
    }
    batch.from = *from;
    batch.to = *to;
    state.batch = std::move(batch);
    return nullptr;
}

const char* apply_state(const JsonEntry& entry, GroupState& state) {
    const auto generation = entry.number("generation");
    if (!generation || *generation >= position_end) return "a state without its generation";
    state.generation = *generation;
    if (const char* why = read_positions(entry, state, true)) return why;
    return entry.text("batch").empty() ? nullptr : read_batch(entry, "batch", state);
}

const char* apply_seek(const JsonEntry& entry, GroupState& state) {
    const auto generation = entry.number("generation");
    if (!generation || *generation <= state.generation || *generation >= position_end) return "a seek out of order";
    state.generation = *generation;
    state.batch.reset();
    return read_positions(entry, state, true);
}

const char* apply_done(const JsonEntry& entry, GroupState& state) {
    if (!state.batch || state.batch->id != entry.text("id")) return "a batch is done that was not begun";
    finish_batch_of(state);
    return nullptr;
}

}  // namespace

void finish_batch_of(GroupState& state) {
    STREAM_CHECK(state.batch.has_value());
    for (std::size_t p = 0; p < state.positions.size(); ++p) {
        auto& here = state.positions[p];
        if (!here || *here < state.batch->to[p]) here = state.batch->to[p];
    }
    state.batch.reset();
}

std::string encode_extent(const OpenBatch& batch) {
    return fmt::format(R"("from":[{}],"to":[{}])", fmt::join(batch.from, ","), fmt::join(batch.to, ","));
}

std::string encode_positions(const std::vector<std::optional<std::uint64_t>>& positions) {
    std::string out = R"("positions":{)";
    for (std::size_t p = 0; p < positions.size(); ++p) {
        if (positions[p]) fmt::format_to(std::back_inserter(out), R"({}"{}":{})", out.back() == '{' ? "" : ",", p, *positions[p]);
    }
    return out += '}';
}

std::string encode_state(const GroupState& state) {
    std::string out = fmt::format(R"({{"entry":"state",{},"generation":{})", encode_positions(state.positions), state.generation);
    if (state.batch) {
        append_quoted(out += R"(,"batch":)", state.batch->id);
        out += "," + encode_extent(*state.batch);
    }
    return out += '}';
}

const char* apply_entry(const JsonEntry& entry, GroupState& state) {
    const std::string kind = entry.text("entry");
    if (kind == "state") return apply_state(entry, state);
    if (kind == "commit") {
        if (entry.number("generation") != state.generation) return "a commit of another generation";
        return read_positions(entry, state, false);
    }
    if (kind == "seek") return apply_seek(entry, state);
    if (kind == "batch") return state.batch ? "a batch is begun while one is open" : read_batch(entry, "id", state);
    if (kind == "done") return apply_done(entry, state);
    return "an entry of a newer format";
}

}  // namespace stream::log
