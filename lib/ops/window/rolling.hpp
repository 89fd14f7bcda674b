// SPDX-License-Identifier: Apache-2.0
// `sliding` and `rows`: an answer for each event, its own bytes with the aggregates spliced in.
//
// Each key keeps its events' states in a queue made of two stacks (the well-known way to aggregate over
// a queue without taking anything back out of an aggregate): the front one holds, for each event, the
// merge of it and all behind it in that stack; the back one holds single events and their merge. An
// event costs a bounded number of merges on average. Aggregates whose states are large (percentiles,
// collect, sketches) would make that stack quadratic: for them the states stay single, and an answer
// merges them all.
#pragma once

#include "ops/window/groups.hpp"
#include "ops/window/results.hpp"

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace stream {

class Rolling final : public Operator {
public:
    Rolling(WindowOptions options, AggregatePlan plan, Keys keys);
    ~Rolling() override;

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    Result<void> on_watermark(TimeNs watermark, Sink& sink) override;
    Result<void> on_end(Sink& sink) override;
    void snapshot(StateWriter& writer) const override;
    Result<void> restore(StateReader& reader) override;
    void append_stats(std::string& out) const override;

private:
    using Values = std::vector<std::string>;
    using States = std::unique_ptr<std::byte[]>;

    struct Element {
        TimeNs time = 0;
        States
            states;  // back: of this event; front: of it and, where states are small, of all behind it there
        Values numbers;  // increase only: this event's own values
    };
    struct Queue {
        std::vector<Element> front;  // oldest last
        std::vector<Element> back;   // newest last
        States back_total;           // null where there is nothing in the back, or states are large
        Values before;               // increase: of the last event that left
        TimeNs newest = time_before_all;
        std::size_t size() const { return front.size() + back.size(); }
        const Element& oldest() const { return front.empty() ? back.front() : front.back(); }
    };
    struct Waiting {  // sliding: an event whose peers may still come
        Queue* queue;
        std::string raw;
        TimeNs time;
        std::uint64_t position;
    };
    using ByKey = KeyMap<std::unique_ptr<Queue>>;

    States new_states() const;
    void free_states(States& states) const;
    std::size_t cost_of(const Element& element) const;
    std::size_t cost_of_total(const States& states) const;
    Result<void> add(Queue& queue, Element element);
    Result<void> pop_front(Queue& queue);
    Result<void> turn_over(Queue& queue);
    Result<void> total(const Queue& queue, States& into) const;
    Result<void> answer(Queue& queue, TimeNs time, Values& values);
    void write(std::string_view raw, TimeNs time, const Values& values, Sink& sink);
    Result<void> answer_waiting(Sink& sink);
    Result<void> sweep();

    WindowOptions options_;
    AggregatePlan plan_;
    Keys keys_;
    Results results_;
    bool sliding_;
    ByKey by_key_;
    std::deque<Waiting> waiting_;
    TimeNs watermark_ = time_before_all;
    TimeNs next_sweep_ = time_before_all;
    std::size_t elements_ = 0;
    std::size_t used_ = 0;
    std::string scratch_;
    std::string line_;
    std::string next_line_;
};

}  // namespace stream
