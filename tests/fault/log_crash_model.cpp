// SPDX-License-Identifier: Apache-2.0
#include "fault/log_crash_model.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "base/text.hpp"

namespace stream::test {

std::string shown(std::string_view bytes) {
    constexpr std::size_t most = 60;
    return fmt::format("{}{} ({} bytes)", quoted(bytes.substr(0, most)), bytes.size() > most ? "…" : "", bytes.size());
}

std::uint64_t Model::next_offset(std::uint32_t partition) const {
    for (std::size_t i = records_.size(); i-- > 0;) {
        if (records_[i].partition == partition) return records_[i].offset + 1;
    }
    return 0;
}

void Model::give(std::vector<GivenRecord> batch) {
    std::vector<std::uint64_t> next(config.partitions);
    for (std::uint32_t p = 0; p < config.partitions; ++p) next[p] = next_offset(p);
    for (GivenRecord& record : batch) {
        record.offset = next[record.partition]++;
        records_.push_back(std::move(record));
        fates_.push_back(Fate::kept);
    }
    batch_ends_.push_back(records_.size());
}

void Model::acknowledge(bool synced) {
    acknowledged_ = records_.size();
    if (synced) durable_ = acknowledged_;
}

void Model::settle(const SeenLog& seen) {
    records_.resize(seen.sequence);
    fates_.resize(seen.sequence);
    std::erase_if(batch_ends_, [&](std::uint64_t end) { return end > seen.sequence; });
    if (batch_ends_.empty() || batch_ends_.back() != seen.sequence) batch_ends_.push_back(seen.sequence);
    acknowledged_ = durable_ = seen.sequence;
    // What is gone does not come back.
    std::vector<bool> present(records_.size());
    for (const SeenRecord& record : seen.records) present[record.sequence] = true;
    for (std::size_t i = 0; i < records_.size(); ++i) {
        if (!present[i] && fates_[i] == Fate::may_go) fates_[i] = Fate::gone;
    }
}

void Model::settle_runs(const log::Manifest& manifest) {
    for (auto& [name, run] : runs) {
        run.done = manifest.published(name.first, name.second);
        run.is_under_way = false;
    }
}

void Model::note_shown(std::uint64_t sequence) {
    for (const auto& [name, run] : runs) {
        if (!run.is_under_way || run.last.records.empty() || sequence < run.last.end) continue;
        acknowledged_ = std::max(acknowledged_, run.last.end);
        durable_ = std::max(durable_, run.last.end);
    }
}

void Model::begin(Upkeep what) {
    for (const auto* list : {&what.must_go, &what.may_go, &what.go_later}) {
        for (const std::uint64_t sequence : *list) {
            if (fates_[sequence] == Fate::kept) fates_[sequence] = Fate::may_go;
        }
    }
    upkeep = std::move(what);
}

void Model::finish_upkeep(bool at_once) {
    for (const std::uint64_t sequence : upkeep->go_later) {
        if (at_once && fates_[sequence] == Fate::may_go) fates_[sequence] = Fate::kept;
    }
    for (const std::uint64_t sequence : upkeep->must_go) {
        if (sequence < fates_.size()) fates_[sequence] = Fate::gone;
    }
    if (!upkeep->secret.empty()) {
        secrets.push_back(upkeep->secret);
        must_be_kept.clear();
    }
    needs_repair = false;
    upkeep.reset();
}

void Model::expect_little() {
    for (Fate& fate : fates_) fate = fate == Fate::gone ? Fate::may_go : fate;
    acknowledged_ = durable_ = 0;
    creating = creating || created;
    created = false;
    secrets.clear();
    must_be_kept.clear();
    groups.clear();
    runs.clear();
}

void Model::judge_records(const SeenLog& seen, std::vector<bool>& present) const {
    std::uint64_t least = 0;
    for (const SeenRecord& record : seen.records) {
        const std::uint64_t s = record.sequence;
        const std::string where = fmt::format("partition {}, offset {}, sequence {}", record.partition, record.offset, s);
        if (s < least) throw Violation{fmt::format("{}: out of order, after sequence {}", where, least - 1)};
        least = s + 1;
        if (s >= records_.size()) throw Violation{fmt::format("{}: nobody ever gave it: {}", where, shown(record.bytes))};
        const GivenRecord& given = records_[s];
        if (given.partition != record.partition || given.offset != record.offset) {
            throw Violation{fmt::format("{}: given was partition {}, offset {}", where, given.partition, given.offset)};
        }
        if (given.bytes != record.bytes) {
            throw Violation{fmt::format("{}: {} where {} was given", where, shown(record.bytes), shown(given.bytes))};
        }
        if (fates_[s] == Fate::gone) throw Violation{where + ": it was removed, and is there"};
        if (s >= seen.sequence) throw Violation{fmt::format("{}: past the end of the log, {}", where, seen.sequence)};
        present[s] = true;
    }
}

void Model::judge(const SeenLog& seen, bool acknowledged_counts, bool durable_counts) const {
    std::vector<bool> present(records_.size());
    judge_records(seen, present);
    if (seen.sequence > records_.size()) {
        throw Violation{fmt::format("the log ends at sequence {}, and {} were given", seen.sequence, records_.size())};
    }
    const std::uint64_t least = acknowledged_counts ? acknowledged_ : durable_counts ? durable_ : 0;
    if (seen.sequence < least) {
        throw Violation{fmt::format("the log ends at sequence {}, and all below {} was acknowledged", seen.sequence, least)};
    }
    for (std::uint64_t s = 0; s < seen.sequence; ++s) {
        if (present[s] || fates_[s] != Fate::kept) continue;
        throw Violation{fmt::format("sequence {} (partition {}, offset {}) is missing; the log ends at {}", s, records_[s].partition, records_[s].offset,
                                    seen.sequence)};
    }
    const bool whole = seen.sequence == 0 || std::find(batch_ends_.begin(), batch_ends_.end(), seen.sequence) != batch_ends_.end();
    if (config.partitions > 1 && !whole) throw Violation{fmt::format("the log ends at sequence {}, within a batch", seen.sequence)};
    std::vector<std::uint64_t> ends(config.partitions);
    for (std::uint64_t s = 0; s < seen.sequence; ++s) ends[records_[s].partition] = records_[s].offset + 1;
    for (std::uint32_t p = 0; p < config.partitions; ++p) {
        if (seen.end_offsets[p] != ends[p]) {
            throw Violation{fmt::format("partition {} ends at offset {}, not {}", p, seen.end_offsets[p], ends[p])};
        }
    }
    if (in_prefixes || (upkeep && upkeep->in_prefixes)) judge_prefixes(present, seen.sequence);
    if (upkeep && upkeep->name == "compact") judge_tombstones(present, seen.sequence);
}

void Model::judge_runs(const SeenLog& seen, const log::Manifest& manifest) const {
    for (const auto& [name, run] : runs) {
        const std::uint64_t published = manifest.published(name.first, name.second);
        const auto broken = [&](std::string_view why) {
            return Violation{fmt::format("run {}, sink {}: {}; epoch {} is published, {} was{}; the log ends at sequence {}", name.first, name.second, why,
                                         published, run.done,
                                         run.is_under_way ? fmt::format(", {} (sequences {} to {}) was under way", run.last.number, run.last.first, run.last.end) : "",
                                         seen.sequence)};
        };
        if (published != run.done && !(run.is_under_way && published == run.last.number)) throw broken("another epoch");
        if (!run.is_under_way) continue;
        if (seen.sequence > run.last.first && seen.sequence < run.last.end) throw broken("a part of an epoch");
        if (run.last.records.empty()) continue;
        if ((published == run.last.number) != (seen.sequence >= run.last.end)) throw broken("its records are not what it says");
    }
}

void Model::judge_prefixes(const std::vector<bool>& present, std::uint64_t end) const {
    std::vector<bool> begun(config.partitions);
    for (std::uint64_t s = 0; s < end; ++s) {
        if (present[s]) begun[records_[s].partition] = true;
        if (!present[s] && begun[records_[s].partition]) {
            throw Violation{fmt::format("sequence {} (partition {}, offset {}) is gone before older ones", s, records_[s].partition, records_[s].offset)};
        }
    }
}

// A removed tombstone leaves nothing older of its key.
void Model::judge_tombstones(const std::vector<bool>& present, std::uint64_t end) const {
    std::map<std::string, std::uint64_t> oldest;  // of each key, what is there
    for (std::uint64_t s = 0; s < end; ++s) {
        const GivenRecord& record = records_[s];
        if (record.key.empty()) continue;
        if (present[s]) oldest.try_emplace(record.key, s);
        else if (record.bytes.find("tombstone") != std::string::npos && oldest.contains(record.key)) {
            throw Violation{fmt::format("the tombstone at sequence {} is gone, and its key's record at {} is there", s, oldest[record.key])};
        }
    }
}

void Model::judge_group(const std::string& name, const log::GroupState& state) const {
    const auto same = [&](const log::GroupState& other) {
        if (state.positions != other.positions || state.generation != other.generation || state.batch.has_value() != other.batch.has_value()) return false;
        return !state.batch || (state.batch->id == other.batch->id && state.batch->from == other.batch->from && state.batch->to == other.batch->to);
    };
    const auto text = [](const log::GroupState& one) {
        std::string out = fmt::format("generation {}, positions", one.generation);
        for (const auto& position : one.positions) out += position ? fmt::format(" {}", *position) : " none";
        return out + (one.batch ? ", batch " + one.batch->id : ", no batch");
    };
    const GroupMoves& moves = groups.at(name);
    if (same(moves.before) || (moves.after && same(*moves.after))) return;
    throw Violation{fmt::format("group {}: {}; it was: {}{}", name, text(state), text(moves.before),
                                moves.after ? "; under way to: " + text(*moves.after) : "")};
}

std::uint64_t Model::hash() const {
    std::string all = fmt::format("{} {} {} {} {} {} {}", creating, created, needs_repair, records_.size(), acknowledged_, durable_, upkeep ? upkeep->name : "");
    for (const Fate fate : fates_) all.push_back(static_cast<char>(fate));
    for (const auto& [name, moves] : groups) {
        for (const auto& position : moves.before.positions) all += fmt::format(" {}", position.value_or(UINT64_MAX));
        all += fmt::format("{} {} {}", moves.before.generation, moves.before.batch.has_value(), moves.after.has_value());
    }
    for (const auto& [name, run] : runs) all += fmt::format("{} {} {} {}", name.first, name.second, run.done, run.is_under_way ? run.last.number : 0);
    return hash64(all, secrets.size());
}

}  // namespace stream::test
