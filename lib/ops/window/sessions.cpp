// SPDX-License-Identifier: Apache-2.0
#include "ops/window/sessions.hpp"

#include <algorithm>

#include "json/number.hpp"

namespace stream {

namespace {
constexpr std::size_t session_cost = 200;  // bytes besides states: the session, its queue entry, its place
}

Sessions::Sessions(WindowOptions options, AggregatePlan plan, Keys keys)
    : options_(std::move(options)),
      plan_(std::move(plan)),
      keys_(std::move(keys)),
      results_(options_, plan_, keys_) {}

Sessions::~Sessions() {
    while (!due_.empty()) {
        Session* session = due_.top().session;
        due_.pop();
        free_states(session->states);
        for (Single& single : session->singles) free_states(single.states);
        delete session;
    }
}

std::unique_ptr<std::byte[]> Sessions::new_states() const {
    auto states = std::make_unique_for_overwrite<std::byte[]>(plan_.state_bytes() + 8);
    plan_.init(states.get());
    return states;
}

void Sessions::free_states(std::unique_ptr<std::byte[]>& states) const {
    if (states == nullptr) return;
    plan_.destroy(states.get());
    states.reset();
}

Sessions::Session* Sessions::new_session(Key& key, TimeNs first, TimeNs last) {
    auto* session = new Session;
    session->first = first;
    session->last = last;
    session->key = &key;
    session->states = new_states();
    const auto place = std::upper_bound(key.sessions.begin(), key.sessions.end(), first,
                                        [](TimeNs time, const Session* other) { return time < other->first; });
    key.sessions.insert(place, session);
    due_.push({end_of(*session), session});
    ++live_;
    used_ += session_cost + plan_.state_bytes();
    return session;
}

void Sessions::absorb(Session& into, Session& from) {
    into.first = std::min(into.first, from.first);
    into.last = std::max(into.last, from.last);
    into.revision = std::max(into.revision, from.revision);
    for (Shown& shown : from.shown) into.shown.push_back(std::move(shown));
    for (Single& single : from.singles) into.singles.push_back(std::move(single));
    from.singles.clear();
    from.dead = true;
    free_states(from.states);
    --live_;
    used_ -= std::min(used_, session_cost + plan_.state_bytes());
}

// The session that an event at `time` belongs to, those it bridges made into one; null if there is none.
Sessions::Session* Sessions::join(Key& key, TimeNs time) {
    const TimeNs earliest = time_sub(time, options_.size_ns);
    const TimeNs latest = time_add(time, options_.size_ns);
    Session* joined = nullptr;
    for (std::size_t i = 0; i < key.sessions.size();) {
        Session* session = key.sessions[i];
        if (session->last < earliest || session->first > latest) {
            ++i;
            continue;
        }
        if (joined == nullptr) {
            joined = session;
            ++i;
            continue;
        }
        [[maybe_unused]] auto merged = plan_.merge(joined->states.get(), session->states.get());
        absorb(*joined, *session);
        key.sessions.erase(key.sessions.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (joined != nullptr) {
        joined->first = std::min(joined->first, time);
        joined->last = std::max(joined->last, time);
    }
    return joined;
}

Result<void> Sessions::on_event(int, const Event& event, Sink& sink) {
    const std::string_view bytes = keys_.empty() ? std::string_view() : keys_.bytes(event.values, scratch_);
    auto found = by_key_.find(bytes);
    if (found == by_key_.end()) {
        auto made = std::make_unique<Key>();
        made->bytes = bytes;
        found = by_key_.emplace(std::string(bytes), std::move(made)).first;
        used_ += 2 * bytes.size() + 160;
    }
    Key& key = *found->second;
    // What the event brings, first by itself: an event that an aggregate refuses joins nothing.
    auto states = new_states();
    std::size_t grown = 0;
    auto added = plan_.add(states.get(), event, event.time, grown);
    if (!added) {
        free_states(states);
        if (key.sessions.empty() && key.carried.empty()) by_key_.erase(found);
        return added;
    }
    Session* session = join(key, event.time);
    if (session == nullptr) {
        const TimeNs closes = time_add(time_add(event.time, options_.size_ns), options_.allowed_lateness_ns);
        if (watermark_ > closes) {
            free_states(states);
            if (key.sessions.empty() && key.carried.empty()) by_key_.erase(found);
            sink.late(event, time_sub(watermark_, time_add(event.time, options_.size_ns)));
            return {};
        }
        session = new_session(key, event.time, event.time);
    }
    auto merged = plan_.merge(session->states.get(), states.get());
    used_ += grown;
    if (options_.session_max_ns > 0) {
        session->singles.push_back({event.time, event.position, std::move(states)});
        used_ += sizeof(Single) + plan_.state_bytes();
    } else {
        free_states(states);
    }
    if (!merged) return merged;
    session->changed = true;
    if (used_ > options_.memory_bytes) {
        return fail(ErrorKind::limit,
                    std::to_string(live_) + " open sessions need more than --memory " +
                        std::to_string(options_.memory_bytes >> 20) + "MiB",
                    plan_.advice());
    }
    if (end_of(*session) < watermark_) {  // late, within --allowed-lateness
        session->closed = true;
        return write(*session, sink, false);
    }
    session->closed = false;
    return {};
}

const Sessions::Values* Sessions::values_before(const Session& session, Values& scratch) const {
    if (!plan_.has_increase()) return nullptr;
    scratch = session.key->carried;
    scratch.resize(plan_.size());
    for (const Session* other : session.key->sessions) {
        if (other == &session) break;
        for (std::size_t i = 0; i < plan_.size(); ++i) {
            if (!plan_.is_increase(i)) continue;
            std::string last = plan_.last_number(i, other->states.get());
            if (!last.empty()) scratch[i] = std::move(last);
        }
    }
    return &scratch;
}

Result<void> Sessions::write_one(Session& session, const Bounds& bounds, Sink& sink, bool is_final) {
    Values before;
    if (!options_.has_revisions() && !options_.changes) {
        return results_.write_plain(sink, bounds, session.key->bytes, session.states.get(), values_before(session, before));
    }
    Values values;
    STREAM_TRY(results_.values(session.states.get(), bounds, values_before(session, before), values));
    std::string core;
    results_.append_core(core, bounds, session.key->bytes, values, nullptr);
    // Other versions of this session are no more.
    Shown now{bounds.start, bounds.end, {}};
    for (Shown& shown : session.shown) {
        if (shown.start == bounds.start && shown.end == bounds.end) {
            now.history = std::move(shown.history);
        } else {
            results_.write_delete(sink, {shown.start, shown.end, false}, shown.history);
        }
    }
    now.history.revision = session.revision;
    results_.write(sink, bounds, std::move(core), &now.history, is_final);
    session.revision = now.history.revision;
    session.shown.clear();
    session.shown.push_back(std::move(now));
    return {};
}

Result<void> Sessions::write(Session& session, Sink& sink, bool is_final) {
    session.changed = false;
    if (options_.session_max_ns > 0 && session.last - session.first >= options_.session_max_ns) {
        return write_cut(session, sink);
    }
    return write_one(session, {session.first, end_of(session), false}, sink, is_final);
}

// --max: greedily from the first event; a piece holds [first, first + max) and ends there, the last one
// ends as a session does.
Result<void> Sessions::write_cut(Session& session, Sink& sink) {
    std::sort(session.singles.begin(), session.singles.end(), [](const Single& a, const Single& b) {
        return a.time != b.time ? a.time < b.time : a.position < b.position;
    });
    Values before;
    const Values* carried = values_before(session, before);
    for (std::size_t i = 0; i < session.singles.size();) {
        const TimeNs first = session.singles[i].time;
        const TimeNs cut = time_add(first, options_.session_max_ns);
        auto states = new_states();
        Result<void> result;
        TimeNs last = first;
        for (; i < session.singles.size() && session.singles[i].time < cut && result; ++i) {
            result = plan_.merge(states.get(), session.singles[i].states.get());
            last = session.singles[i].time;
        }
        const bool at_end = i == session.singles.size();
        const Bounds bounds{first, at_end ? time_add(last, options_.size_ns) : cut, false};
        if (result) result = results_.write_plain(sink, bounds, session.key->bytes, states.get(), carried);
        if (carried != nullptr) {
            for (std::size_t k = 0; k < plan_.size(); ++k) {
                if (!plan_.is_increase(k)) continue;
                std::string number = plan_.last_number(k, states.get());
                if (!number.empty()) before[k] = std::move(number);
            }
        }
        free_states(states);
        if (!result) return result;
    }
    return {};
}

// Takes a session out for good.
void Sessions::forget(Session* session) {
    Key& key = *session->key;
    if (plan_.has_increase()) {
        key.carried.resize(plan_.size());
        for (std::size_t i = 0; i < plan_.size(); ++i) {
            if (!plan_.is_increase(i)) continue;
            std::string last = plan_.last_number(i, session->states.get());
            if (!last.empty()) key.carried[i] = std::move(last);
        }
    }
    std::size_t freed = session_cost + plan_.state_bytes();
    if (plan_.grows()) freed += plan_.heap_bytes(session->states.get());
    freed += session->singles.size() * (sizeof(Single) + plan_.state_bytes());
    free_states(session->states);
    for (Single& single : session->singles) free_states(single.states);
    key.sessions.erase(std::find(key.sessions.begin(), key.sessions.end(), session));
    delete session;
    --live_;
    if (key.sessions.empty() && key.carried.empty()) {
        freed += 2 * key.bytes.size() + 160;
        by_key_.erase(std::string(key.bytes));
    }
    used_ -= std::min(used_, freed);
}

Result<void> Sessions::on_watermark(TimeNs watermark, Sink& sink) {
    watermark_ = watermark;
    std::vector<Session*> closing;
    std::vector<Session*> leaving;
    // A session's entry may be older than the session: it goes back with what is known now.
    while (!due_.empty() && due_.top().time < watermark) {
        Session* session = due_.top().session;
        due_.pop();
        if (session->dead) {
            delete session;
            continue;
        }
        const TimeNs end = end_of(*session);
        const TimeNs gone = time_add(end, options_.allowed_lateness_ns);
        if (end >= watermark) {
            due_.push({end, session});
        } else if (gone >= watermark && options_.allowed_lateness_ns > 0) {
            if (!session->closed) closing.push_back(session);
            due_.push({gone, session});
        } else {
            if (!session->closed) closing.push_back(session);
            leaving.push_back(session);
        }
    }
    const auto by_place = [&](const Session* a, const Session* b) {
        if (a->last != b->last) return a->last < b->last;
        if (a->first != b->first) return a->first < b->first;
        return Keys::compare(a->key->bytes, b->key->bytes) < 0;
    };
    std::sort(closing.begin(), closing.end(), by_place);
    std::sort(leaving.begin(), leaving.end(), by_place);
    for (Session* session : closing) {
        session->closed = true;
        STREAM_TRY(write(*session, sink, options_.allowed_lateness_ns == 0));
        // increase: what comes after it counts from here.
        if (options_.allowed_lateness_ns == 0) forget(session);
    }
    if (options_.allowed_lateness_ns > 0) {
        for (Session* session : leaving) {
            if (!options_.changes) STREAM_TRY(write(*session, sink, true));
            forget(session);
        }
    }
    if (options_.every_ns > 0 && watermark != time_after_all) {
        if (next_tick_ != time_before_all && watermark >= next_tick_) STREAM_TRY(tick(sink));
        next_tick_ = time_add(floor_div(watermark, options_.every_ns) * options_.every_ns, options_.every_ns);
    }
    return {};
}

Result<void> Sessions::tick(Sink& sink) {
    std::vector<Session*> open;
    for (const auto& [bytes, key] : by_key_) {
        for (Session* session : key->sessions) {
            if (session->changed && !session->closed) open.push_back(session);
        }
    }
    std::sort(open.begin(), open.end(), [&](const Session* a, const Session* b) {
        if (a->last != b->last) return a->last < b->last;
        if (a->first != b->first) return a->first < b->first;
        return Keys::compare(a->key->bytes, b->key->bytes) < 0;
    });
    for (Session* session : open) STREAM_TRY(write(*session, sink, false));
    return {};
}

void Sessions::snapshot(StateWriter& writer) const {
    writer.put_i64(watermark_);
    writer.put_i64(next_tick_);
    writer.put_varint(by_key_.size());
    for (const auto& [bytes, key] : by_key_) {
        writer.put_bytes(bytes);
        writer.put_varint(key->carried.size());
        for (const std::string& value : key->carried) writer.put_bytes(value);
        writer.put_varint(key->sessions.size());
        for (const Session* session : key->sessions) {
            writer.put_i64(session->first);
            writer.put_i64(session->last);
            writer.put_varint(session->revision);
            writer.put_u8(static_cast<std::uint8_t>((session->closed ? 1 : 0) | (session->changed ? 2 : 0)));
            plan_.snapshot(session->states.get(), writer);
            writer.put_varint(session->shown.size());
            for (const Shown& shown : session->shown) {
                writer.put_i64(shown.start);
                writer.put_i64(shown.end);
                writer.put_varint(shown.history.revision);
                writer.put_bytes(shown.history.last);
            }
            writer.put_varint(session->singles.size());
            for (const Single& single : session->singles) {
                writer.put_i64(single.time);
                writer.put_u64(single.position);
                plan_.snapshot(single.states.get(), writer);
            }
        }
    }
}

Result<void> Sessions::restore(StateReader& reader) {
    watermark_ = reader.get_i64();
    next_tick_ = reader.get_i64();
    const auto more = [&](std::uint64_t& left) { return reader.ok() && left > 0 && left-- > 0; };
    for (std::uint64_t keys = reader.get_varint(); more(keys);) {
        auto made = std::make_unique<Key>();
        Key& key = *made;
        key.bytes = reader.get_bytes();
        by_key_.emplace(key.bytes, std::move(made));
        used_ += 2 * key.bytes.size() + 160;
        for (std::uint64_t values = reader.get_varint(); more(values);) key.carried.emplace_back(reader.get_bytes());
        for (std::uint64_t sessions = reader.get_varint(); more(sessions);) {
            const TimeNs first = reader.get_i64();
            Session* session = new_session(key, first, reader.get_i64());
            session->revision = reader.get_varint();
            const std::uint8_t flags = reader.get_u8();
            session->closed = (flags & 1) != 0;
            session->changed = (flags & 2) != 0;
            STREAM_TRY(plan_.restore(session->states.get(), reader));
            used_ += plan_.heap_bytes(session->states.get());
            for (std::uint64_t shown = reader.get_varint(); more(shown);) {
                Shown& version = session->shown.emplace_back();
                version.start = reader.get_i64();
                version.end = reader.get_i64();
                version.history.revision = reader.get_varint();
                version.history.last = reader.get_bytes();
            }
            for (std::uint64_t singles = reader.get_varint(); more(singles);) {
                Single single{reader.get_i64(), reader.get_u64(), new_states()};
                auto restored = plan_.restore(single.states.get(), reader);
                session->singles.push_back(std::move(single));
                used_ += sizeof(Single) + plan_.state_bytes();
                if (!restored) return restored;
            }
        }
    }
    return reader.check("the sessions");
}

void Sessions::append_stats(std::string& out) const {
    out += ",\"sessions\":";
    append_uint64(out, live_);
    out += ",\"keys\":";
    append_uint64(out, by_key_.size());
    out += ",\"memory\":";
    append_uint64(out, used_);
}

}  // namespace stream
