// SPDX-License-Identifier: Apache-2.0
// Events, and which sessions they make; closing and writing are in sessions_close.cpp.
#include "ops/window/sessions.hpp"

#include "base/text.hpp"
#include "ops/window/costs.hpp"

#include <algorithm>

namespace stream {

Sessions::Sessions(WindowOptions options, AggregatePlan plan, Keys keys)
    : options_(std::move(options)),
      plan_(std::move(plan)),
      keys_(std::move(keys)),
      results_(options_, plan_, keys_) {}

Sessions::~Sessions() {
    while (!due_.empty()) {
        Session* session = due_.top().session;
        due_.pop();
        if (--session->entries > 0) continue;
        free_states(session->states);
        for (Single& single : session->singles) free_states(single.states);
        delete session;
    }
}

Sessions::States Sessions::new_states() const {
    auto states = std::make_unique_for_overwrite<std::byte[]>(plan_.state_bytes() + 8);
    plan_.init(states.get());
    return states;
}

void Sessions::free_states(States& states) const {
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
    const auto place =
        std::upper_bound(key.sessions.begin(), key.sessions.end(), first,
                         [](TimeNs time, const Session* other) { return time < other->first; });
    key.sessions.insert(place, session);
    expect(session, end_of(*session));
    if (options_.session_max_ns > 0) firsts_.insert(first);
    ++live_;
    used_ += cost_of(*session);
    return session;
}

void Sessions::set_first(Session& session, TimeNs first) {
    if (session.first == first) return;
    if (options_.session_max_ns > 0) {
        firsts_.erase(firsts_.find(session.first));
        firsts_.insert(first);
    }
    session.first = first;
}

// An entry in the queue; a session opened again has more than one.
void Sessions::expect(Session* session, TimeNs time) {
    due_.push({time, session});
    ++session->entries;
}

std::size_t Sessions::cost_of(const Session& session) const {
    std::size_t bytes = cost_of_session + plan_.state_bytes();
    if (plan_.has_heap()) bytes += plan_.heap_bytes(session.states.get());
    bytes += session.singles.size() * single_cost();
    if (plan_.has_heap()) {
        for (const Single& single : session.singles) bytes += plan_.heap_bytes(single.states.get());
    }
    for (const Shown& shown : session.shown) bytes += sizeof(Shown) + shown.history.last.size();
    return bytes;
}

Result<void> Sessions::absorb(Session& into, Session& from) {
    used_ -= cost_of(into) + cost_of(from);
    auto merged = plan_.merge(into.states.get(), from.states.get());
    set_first(into, std::min(into.first, from.first));
    if (options_.session_max_ns > 0) firsts_.erase(firsts_.find(from.first));
    into.last = std::max(into.last, from.last);
    into.revision = std::max(into.revision, from.revision);
    for (Shown& shown : from.shown) into.shown.push_back(std::move(shown));
    for (Single& single : from.singles) into.singles.push_back(std::move(single));
    from.shown.clear();
    from.singles.clear();
    from.dead = true;
    free_states(from.states);
    --live_;
    used_ += cost_of(into);
    return merged;
}

// The session that an event at `time` belongs to, those it bridges made into one; null if there is none.
Result<Sessions::Session*> Sessions::join(Key& key, TimeNs time) {
    const TimeNs earliest = time_sub(time, options_.size_ns);
    const TimeNs latest = time_add(time, options_.size_ns);
    Session* joined = nullptr;
    for (std::size_t i = 0; i < key.sessions.size();) {
        Session* session = key.sessions[i];
        if (session->first > latest) break;
        if (session->last < earliest) {
            ++i;
            continue;
        }
        if (joined == nullptr) {
            joined = session;
            ++i;
            continue;
        }
        STREAM_TRY(absorb(*joined, *session));
        key.sessions.erase(key.sessions.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (joined != nullptr) {
        set_first(*joined, std::min(joined->first, time));
        joined->last = std::max(joined->last, time);
    }
    return joined;
}

void Sessions::forget_if_empty(ByKey::iterator key) {
    if (!key->second->sessions.empty() || !key->second->carried.empty()) return;
    used_ -= cost_of_session_key(key->second->bytes);
    by_key_.erase(key);
}

Result<void> Sessions::on_event(int, const Event& event, Sink& sink) {
    const std::string_view bytes = keys_.empty() ? std::string_view() : keys_.bytes(event.values, scratch_);
    auto found = by_key_.find(bytes);
    // What it would join, before anything is changed: a refused or late event leaves no trace.
    const Session* near = nullptr;
    if (found != by_key_.end()) {
        for (const Session* session : found->second->sessions) {
            if (session->last < time_sub(event.time, options_.size_ns)) continue;
            if (session->first <= time_add(event.time, options_.size_ns)) near = session;
            break;
        }
    }
    STREAM_TRY(plan_.check(near == nullptr ? nullptr : near->states.get(), event, event.time));
    if (near == nullptr) {
        const TimeNs last_chance =
            time_add(time_add(event.time, options_.size_ns), options_.allowed_lateness_ns);
        if (watermark_ > last_chance) {
            sink.late(event, time_sub(watermark_, last_chance));
            return {};
        }
    }
    if (found == by_key_.end()) {
        auto made = std::make_unique<Key>();
        made->bytes = bytes;
        found = by_key_.emplace(std::string(bytes), std::move(made)).first;
        used_ += cost_of_session_key(bytes);
    }
    Key& key = *found->second;
    auto joined = join(key, event.time);
    if (!joined) return pass_on(joined);
    Session& session = *joined != nullptr ? **joined : *new_session(key, event.time, event.time);
    if (options_.session_max_ns > 0) {
        auto states = new_states();
        auto added = plan_.add(states.get(), event, event.time, used_);
        session.singles.push_back({event.time, event.position, std::move(states)});
        used_ += single_cost();
        STREAM_TRY(std::move(added));
    }
    STREAM_TRY(plan_.add(session.states.get(), event, event.time, used_));
    session.changed = true;
    if (used_ > options_.memory_bytes) {
        return fail(ErrorKind::limit,
                    std::to_string(live_) + " open sessions need more than --memory " +
                        format_size(options_.memory_bytes),
                    plan_.advice());
    }
    if (end_of(session) < watermark_) {  // late, within --allowed-lateness
        session.closed = true;
        STREAM_TRY(write(session, sink, false));
        return plan_.has_increase() ? rewrite_later(session, sink) : Result<void>{};
    }
    if (session.closed) expect(&session, end_of(session));  // opened again
    session.closed = false;
    return {};
}

// increase: the last values of the key's sessions before this one.
const Sessions::Values* Sessions::values_before(const Session& session, Values& scratch) const {
    if (!plan_.has_increase()) return nullptr;
    scratch = session.key->carried;
    scratch.resize(plan_.size());
    for (const Session* other : session.key->sessions) {
        if (other == &session) break;
        take_last_numbers(other->states, scratch);
    }
    return &scratch;
}

void Sessions::take_last_numbers(const States& states, Values& into) const {
    for (std::size_t i = 0; i < plan_.size(); ++i) {
        if (!plan_.is_increase(i)) continue;
        std::string last = plan_.last_number(i, states.get());
        if (!last.empty()) into[i] = std::move(last);
    }
}

// Takes a session out for good.
void Sessions::forget(Session* session) {
    Key& key = *session->key;
    used_ -= cost_of(*session);
    if (plan_.has_increase()) {
        if (!key.carried.empty()) used_ -= cost_of_values({}, key.carried);
        key.carried.resize(plan_.size());
        take_last_numbers(session->states, key.carried);
        used_ += cost_of_values({}, key.carried);
    }
    free_states(session->states);
    for (Single& single : session->singles) free_states(single.states);
    session->singles.clear();
    key.sessions.erase(std::find(key.sessions.begin(), key.sessions.end(), session));
    session->dead = true;
    if (options_.session_max_ns > 0) firsts_.erase(firsts_.find(session->first));
    if (session->entries == 0) delete session;
    --live_;
    if (const auto place = by_key_.find(key.bytes); place != by_key_.end()) forget_if_empty(place);
}

}  // namespace stream
