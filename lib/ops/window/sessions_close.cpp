// SPDX-License-Identifier: Apache-2.0
// Sessions that close, are corrected, or go, and what is written of them.
#include "ops/window/costs.hpp"
#include "ops/window/sessions.hpp"

#include <algorithm>

namespace stream {

bool Sessions::is_before(const Session* a, const Session* b) {
    if (a->last != b->last) return a->last < b->last;
    if (a->first != b->first) return a->first < b->first;
    return Keys::compare(a->key->bytes, b->key->bytes) < 0;
}

Result<void> Sessions::on_watermark(TimeNs watermark, Sink& sink) {
    watermark_ = watermark;
    // One instant after the other, however far the watermark jumped.
    while (!due_.empty() && is_past(due_.top().time)) STREAM_TRY(take_due(due_.top().time, sink));
    if (!ready_.empty()) write_ready(sink);
    if (options_.every_ns > 0 && watermark != time_after_all) {
        if (next_tick_ != time_before_all && watermark >= next_tick_) STREAM_TRY(tick(sink));
        next_tick_ = tick_after(watermark, options_.every_ns);
    }
    return {};
}

// The sessions that close, and then those that go, at this instant.
Result<void> Sessions::take_due(TimeNs time, Sink& sink) {
    std::vector<Session*> closing;
    std::vector<Session*> leaving;
    // A session's entry may be older than the session: it goes back with what is known now.
    while (!due_.empty() && due_.top().time == time) {
        Session* session = due_.top().session;
        due_.pop();
        --session->entries;
        if (session->dead) {
            if (session->entries == 0) delete session;
            continue;
        }
        const TimeNs end = end_of(*session);
        const TimeNs due = session->closed ? time_add(end, options_.allowed_lateness_ns) : end;
        if (due > time)
            expect(session, due);
        else
            (session->closed ? leaving : closing).push_back(session);
    }
    for (auto* sessions : {&closing, &leaving}) {
        std::sort(sessions->begin(), sessions->end(), is_before);
        sessions->erase(std::unique(sessions->begin(), sessions->end()), sessions->end());
    }
    Result<void> result;
    for (Session* session : closing) {
        if (result) result = close(*session, sink);
        if (options_.allowed_lateness_ns == 0)
            forget(session);
        else
            expect(session, time_add(end_of(*session), options_.allowed_lateness_ns));
    }
    for (Session* session : leaving) {
        if (result && !options_.changes) result = write(*session, sink, true);
        forget(session);
    }
    return result;
}

Result<void> Sessions::close(Session& session, Sink& sink) {
    session.closed = true;
    if (options_.session_max_ns > 0) return cut(session);
    return write(session, sink, options_.allowed_lateness_ns == 0);
}

Result<void> Sessions::write(Session& session, Sink& sink, bool is_final, bool only_changed) {
    session.changed = false;
    const Bounds bounds{session.first, end_of(session), false};
    Values before;
    if (!options_.has_revisions() && !options_.changes) {
        return results_.write_plain(sink, bounds, session.key->bytes, session.states.get(),
                                    values_before(session, before));
    }
    Values values;
    STREAM_TRY(results_.values(session.states.get(), bounds, values_before(session, before), values));
    std::string core;
    results_.append_core(core, bounds, session.key->bytes, values, nullptr);
    if (only_changed && session.shown.size() == 1 && session.shown[0].history.last == core) return {};
    used_ -= cost_of(session);
    // Other versions of this session are no more.
    Shown now{bounds.start, bounds.end, {}};
    std::sort(session.shown.begin(), session.shown.end(), [](const Shown& a, const Shown& b) {
        return a.end != b.end ? a.end < b.end : a.start < b.start;
    });
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
    used_ += cost_of(session);
    return {};
}

// increase: closed sessions behind one that was corrected count from another value now.
Result<void> Sessions::rewrite_later(const Session& session, Sink& sink) {
    bool behind = false;
    for (Session* other : session.key->sessions) {
        if (behind && other->closed) STREAM_TRY(write(*other, sink, false, true));
        behind = behind || other == &session;
    }
    return {};
}

namespace {

// Keeps the line that is written to it.
class LineCatcher final : public Sink {
public:
    void pass(const Event& event) override { line.assign(event.raw); }
    std::string& begin() override { return line; }
    void end(TimeNs) override {}
    void late(const Event&, DurationNs) override {}
    std::string line;
};

}  // namespace

// --max: greedily from the first event; a piece holds [first, first + max) and ends there, the last one
// ends as a session does.
Result<void> Sessions::cut(Session& session) {
    std::sort(session.singles.begin(), session.singles.end(), [](const Single& a, const Single& b) {
        return a.time != b.time ? a.time < b.time : a.position < b.position;
    });
    Values before;
    const Values* has_before = values_before(session, before);
    for (std::size_t i = 0; i < session.singles.size();) {
        const TimeNs first = session.singles[i].time;
        const TimeNs end = time_add(first, options_.session_max_ns);
        States states = new_states();
        Result<void> result;
        TimeNs last = first;
        for (; i < session.singles.size() && session.singles[i].time < end && result; ++i) {
            result = plan_.merge(states.get(), session.singles[i].states.get());
            last = session.singles[i].time;
        }
        const bool at_end = i == session.singles.size();
        const Bounds bounds{first, at_end ? time_add(last, options_.size_ns) : end, false};
        LineCatcher caught;
        if (result)
            result = results_.write_plain(caught, bounds, session.key->bytes, states.get(), has_before);
        if (has_before != nullptr) take_last_numbers(states, before);
        free_states(states);
        if (!result) return result;
        used_ += cost_of_history(session.key->bytes) + caught.line.size();
        ready_.emplace(Place{bounds.end, bounds.start, session.key->bytes}, std::move(caught.line));
    }
    return {};
}

bool Sessions::Place::operator<(const Place& other) const {
    if (end != other.end) return end < other.end;
    if (start != other.start) return start < other.start;
    return Keys::compare(key, other.key) < 0;
}

// The results that no session still open can come before: it ends behind the watermark, or its first
// piece ends at first + max.
void Sessions::write_ready(Sink& sink) {
    TimeNs earliest = watermark_;
    if (!firsts_.empty()) earliest = std::min(earliest, time_add(*firsts_.begin(), options_.session_max_ns));
    while (!ready_.empty()) {
        const auto first = ready_.begin();
        const bool goes = first->first.end < earliest || (watermark_ == time_after_all && firsts_.empty());
        if (!goes) break;
        used_ -= cost_of_history(first->first.key) + first->second.size();
        sink.begin() += first->second;
        sink.end(first->first.end - 1);
        ready_.erase(first);
    }
}

// Provisional results of the open sessions that changed.
Result<void> Sessions::tick(Sink& sink) {
    std::vector<Session*> open;
    for (const auto& [bytes, key] : by_key_) {
        for (Session* session : key->sessions) {
            if (session->changed && !session->closed) open.push_back(session);
        }
    }
    std::sort(open.begin(), open.end(), is_before);
    for (Session* session : open) STREAM_TRY(write(*session, sink, false));
    return {};
}

}  // namespace stream
