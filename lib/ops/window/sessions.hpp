// SPDX-License-Identifier: Apache-2.0
// Session windows: a key's events, each at most the gap after the one before (inclusive, as Kafka,
// Flink and Spark have it). A session is closed once W > last + gap; then it is written, and with
// --allowed-lateness it stays that much longer, to be said again when a late event joins it.
//
// An event joins every session it is near enough to, closed ones that are still here included, and so
// may make one of two.
//
// With --max a session is cut when it closes, and its first pieces are older than what other keys have
// written meanwhile: results wait until none older can come from the sessions that are open.
#pragma once

#include "ops/window/groups.hpp"
#include "ops/window/results.hpp"

#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

namespace stream {

class Sessions final : public Operator {
public:
    Sessions(WindowOptions options, AggregatePlan plan, Keys keys);
    ~Sessions() override;

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    Result<void> on_watermark(TimeNs watermark, Sink& sink) override;
    void snapshot(StateWriter& writer) const override;
    Result<void> restore(StateReader& reader) override;
    void append_stats(std::string& out) const override;

private:
    using Values = std::vector<std::string>;
    using States = std::unique_ptr<std::byte[]>;

    struct Shown {  // a version that was written
        TimeNs start = 0;
        TimeNs end = 0;
        History history;
    };
    struct Single {  // --max: one event's states, to be put together anew when the session is cut
        TimeNs time;
        std::uint64_t position;
        States states;
    };
    struct Key;
    struct Session {
        TimeNs first = 0;
        TimeNs last = 0;
        Key* key = nullptr;
        States states;
        std::vector<Shown> shown;
        std::vector<Single> singles;
        std::uint64_t revision = 0;
        bool closed = false;
        bool changed = false;  // since it was written, for --every
        bool dead = false;     // gone, or joined another: only the queue still knows it
        unsigned entries = 0;  // in the queue
    };
    struct Key {
        std::string bytes;
        std::vector<Session*> sessions;  // by first
        Values carried;                  // increase: the last values of sessions that are gone
    };
    struct Due {
        TimeNs time;  // at which the session was to close or to go, as far as was known
        Session* session;
        bool operator<(const Due& other) const { return time > other.time; }  // earliest on top
    };
    struct Place {  // --max: of a result that waits for its turn
        TimeNs end;
        TimeNs start;
        std::string key;
        bool operator<(const Place& other) const;
    };
    using ByKey = KeyMap<std::unique_ptr<Key>>;

    TimeNs end_of(const Session& session) const { return time_add(session.last, options_.size_ns); }
    bool is_past(TimeNs time) const { return time < watermark_ || watermark_ == time_after_all; }
    void expect(Session* session, TimeNs time);
    Result<Session*> join(Key& key, TimeNs time);
    Result<void> absorb(Session& into, Session& from);
    void forget(Session* session);
    void forget_if_empty(ByKey::iterator key);
    Result<void> take_due(TimeNs time, Sink& sink);
    Result<void> close(Session& session, Sink& sink);
    Result<void> write(Session& session, Sink& sink, bool is_final, bool only_changed = false);
    Result<void> rewrite_later(const Session& session, Sink& sink);
    Result<void> cut(Session& session);
    void write_ready(Sink& sink);
    void set_first(Session& session, TimeNs first);
    const Values* values_before(const Session& session, Values& scratch) const;
    void take_last_numbers(const States& states, Values& into) const;
    Result<void> tick(Sink& sink);
    static bool is_before(const Session* a, const Session* b);
    States new_states() const;
    void free_states(States& states) const;
    Session* new_session(Key& key, TimeNs first, TimeNs last);
    std::size_t single_cost() const { return sizeof(Single) + plan_.state_bytes() + 8; }
    std::size_t cost_of(const Session& session) const;

    WindowOptions options_;
    AggregatePlan plan_;
    Keys keys_;
    Results results_;
    TimeNs watermark_ = time_before_all;
    TimeNs next_tick_ = time_before_all;
    ByKey by_key_;
    std::priority_queue<Due> due_;
    std::multiset<TimeNs> firsts_;             // --max: of all sessions
    std::multimap<Place, std::string> ready_;  // --max: results that wait
    std::size_t live_ = 0;
    std::size_t used_ = 0;
    std::string scratch_;
};

}  // namespace stream
