// SPDX-License-Identifier: Apache-2.0
// Windows against the slow and simple reference: any times, lateness, watermarks and restarts, every
// option; results, revisions and changes all tell the same table.
#include "window_reference.hpp"

#include <rapidcheck.h>

#include <algorithm>

namespace stream::testing {
namespace {

// Events and watermarks of all sorts: late ones, ties, jumps.
Steps any_steps(int length, std::int64_t range) {
    Steps steps;
    std::int64_t newest = -range;
    std::int64_t watermark = INT64_MIN / 4;
    std::uint64_t position = 0;
    const std::int64_t drift = *rc::gen::inRange<std::int64_t>(0, 4);
    const int often = *rc::gen::inRange(1, 6);
    for (int i = 0; i < length; ++i) {
        TestEvent event;
        event.time = drift == 0 ? *rc::gen::inRange<std::int64_t>(-range, range)
                                : -range + i * drift + *rc::gen::inRange<std::int64_t>(-15, 15);
        event.key = *rc::gen::inRange(-1, 2);
        if (*rc::gen::inRange(0, 5) > 0) event.value = *rc::gen::inRange<std::int64_t>(-3, 20);
        event.position = position++;
        newest = std::max(newest, event.time);
        steps.push_back({event, 0});
        if (*rc::gen::inRange(0, often) == 0) {
            const std::int64_t to = newest - *rc::gen::inRange<std::int64_t>(-5, 30);
            if (to > watermark) steps.push_back({std::nullopt, watermark = to});
        }
    }
    return steps;
}

int any_length() { return *rc::gen::resize(100, rc::gen::inRange(0, 60)); }

// All that was written. `restarts`: stops and goes on between steps, now and then.
struct Written {
    Lines lines;
    std::vector<TimeNs> times;
    std::size_t late = 0;
    std::uint64_t memory = 0;
};
Written written_by(const std::string& options, const Steps& steps, bool restarts) {
    WindowDriver d(options);
    for (const Step& step : steps) {
        if (step.event)
            d.event(step.event->time * ms, step.event->json());
        else
            d.wm(step.watermark);
        if (restarts && *rc::gen::inRange(0, 8) == 0) d.restart();
    }
    d.end();
    Written result{d.brief(), d.times(), d.lates.size(), d.stat("memory")};
    for (const auto& late : d.lates) RC_ASSERT(late.lateness > 0);
    RC_ASSERT(d.refused.empty());
    return result;
}

std::string without_revision(const std::string& line) { return line.substr(0, line.find(",\"revision\":")); }
// What tells a row from others: its window and key.
std::string identity(const std::string& row) { return row.substr(0, row.find("\"count\":")); }

void check_same(const Lines& lines, const Lines& wanted) {
    for (std::size_t i = 0; i < std::min(lines.size(), wanted.size()); ++i) RC_ASSERT(lines[i] == wanted[i]);
    RC_ASSERT(lines.size() == wanted.size());
}

void check_revisions(const Lines& lines, Lines wanted, bool grows) {
    std::map<std::string, std::uint64_t> revisions;
    std::set<std::string> done;
    Lines finals;
    for (const std::string& line : lines) {
        const std::string id = identity(line);
        RC_ASSERT(!done.contains(id));
        const auto at = line.find(",\"revision\":") + 12;
        const std::uint64_t revision = std::stoull(line.substr(at));
        // A session that grows or swallows another goes on counting under other bounds.
        if (grows)
            RC_ASSERT(revision > revisions[id]);
        else
            RC_ASSERT(revision == revisions[id] + 1);
        revisions[id] = revision;
        if (line.find("\"final\":true") == std::string::npos) continue;
        done.insert(id);
        finals.push_back(without_revision(line));
    }
    std::sort(finals.begin(), finals.end());
    std::sort(wanted.begin(), wanted.end());
    check_same(finals, wanted);
}

void check_changes(const Lines& lines, Lines wanted) {
    std::map<std::string, std::string> table;
    for (const std::string& line : lines) {
        const std::string row = line.substr(2);
        const auto arrow = row.find(" => ");
        if (line[0] == 'c') {
            RC_ASSERT(table.emplace(identity(row), row).second);
        } else if (line[0] == 'd') {
            RC_ASSERT(table[identity(row)] == row);
            table.erase(identity(row));
        } else {
            const std::string before = row.substr(0, arrow);
            const std::string after = row.substr(arrow + 4);
            RC_ASSERT(table[identity(before)] == before);
            RC_ASSERT(identity(before) == identity(after));
            RC_ASSERT(before != after);
            table[identity(after)] = after;
        }
    }
    Lines rows;
    for (const auto& [id, row] : table) rows.push_back(row);
    std::sort(rows.begin(), rows.end());
    std::sort(wanted.begin(), wanted.end());
    check_same(rows, wanted);
}

// How results are asked for: plainly, with revisions, as changes.
struct Form {
    std::int64_t allowed = 0;
    std::int64_t every = 0;
    bool changes = false;
    std::string options() const {
        return (allowed > 0 ? " --allowed-lateness " + std::to_string(allowed) : "") +
               (every > 0 ? " --every " + std::to_string(every) : "") + (changes ? " --changes" : "");
    }
};
Form any_form() {
    Form form;
    if (*rc::gen::inRange(0, 2) == 0) return form;
    if (*rc::gen::inRange(0, 2) == 0) form.allowed = *rc::gen::inRange<std::int64_t>(1, 40);
    if (*rc::gen::inRange(0, 2) == 0) form.every = *rc::gen::inRange<std::int64_t>(1, 20);
    form.changes = *rc::gen::inRange(0, 2) == 0;
    return form;
}

void check(const Form& form, const std::string& options, const Steps& steps, const Reference& wanted) {
    RC_LOG() << options << '\n';
    for (const Step& step : steps) {
        if (step.event)
            RC_LOG() << step.event->time << ' ' << step.event->json() << '\n';
        else
            RC_LOG() << "watermark " << step.watermark << '\n';
    }
    const Written result = written_by(options, steps, *rc::gen::inRange(0, 2) == 0);
    if (form.changes)
        check_changes(result.lines, wanted.rows);
    else if (form.allowed > 0 || form.every > 0)
        check_revisions(result.lines, wanted.rows, options.starts_with("session"));
    else
        check_same(result.lines, wanted.rows);
    RC_ASSERT(result.late == wanted.late);
}

}  // namespace

TEST(WindowProperties, FixedWindowsAreWhatEachWindowSays) {
    EXPECT_TRUE(rc::check([] {
        FixedShape shape;
        shape.size = *rc::gen::inRange<std::int64_t>(1, 25);
        const bool hopping = *rc::gen::inRange(0, 2) == 0;
        shape.advance = hopping ? *rc::gen::inRange<std::int64_t>(1, 25) : shape.size;
        shape.offset = *rc::gen::inRange<std::int64_t>(-30, 30);
        shape.by = *rc::gen::inRange(0, 3) > 0;
        shape.compare = *rc::gen::inRange(0, 3) == 0;
        if (*rc::gen::inRange(0, 3) == 0)
            shape.fill = *rc::gen::inRange<std::int64_t>(0, 2) * *rc::gen::inRange<std::int64_t>(1, 60);
        if (*rc::gen::inRange(0, 3) == 0) shape.top = *rc::gen::inRange<std::size_t>(1, 3);
        const Form form = any_form();
        shape.allowed = form.allowed;
        std::string options =
            hopping ? "hopping " + std::to_string(shape.size) + " " + std::to_string(shape.advance)
                    : "tumbling " + std::to_string(shape.size);
        options += " --offset " + std::to_string(shape.offset) + (shape.by ? " --by k" : "") +
                   (shape.compare ? " --compare" : "") + form.options() + " " + test_aggregates;
        if (shape.fill)
            options += " --fill " + (*shape.fill == 0 ? std::string("all") : std::to_string(*shape.fill));
        if (shape.top > 0) options += " --top " + std::to_string(shape.top);
        // The offset counts modulo the advance.
        const Steps steps = any_steps(any_length(), 60);
        check(form, options, steps, reference_of(shape, steps));
    }));
}

TEST(WindowProperties, SessionsAreWhatABatchWouldMakeOfThem) {
    EXPECT_TRUE(rc::check([] {
        const auto gap = *rc::gen::inRange<std::int64_t>(1, 20);
        Form form = any_form();
        std::int64_t max = 0;
        if (*rc::gen::inRange(0, 3) == 0) {
            max = *rc::gen::inRange<std::int64_t>(1, 30);
            form = Form{};
        }
        const std::string options = "session " + std::to_string(gap) + " --by k" + form.options() +
                                    (max > 0 ? " --max " + std::to_string(max) : "") + " " + test_aggregates;
        const Steps steps = any_steps(any_length(), 60);
        const Reference wanted = reference_sessions(gap, form.allowed, max, steps);
        if (max == 0) return check(form, options, steps, wanted);
        // Pieces wait for older ones; an event that looks late may still come before those that went.
        Written result = written_by(options, steps, *rc::gen::inRange(0, 2) == 0);
        Lines rows = wanted.rows;
        std::sort(rows.begin(), rows.end());
        std::sort(result.lines.begin(), result.lines.end());
        check_same(result.lines, rows);
        RC_ASSERT(result.late == wanted.late);
    }));
}

TEST(WindowProperties, SlidingAndRowsAnswerForEachEvent) {
    EXPECT_TRUE(rc::check([] {
        const bool rows = *rc::gen::inRange(0, 2) == 0;
        const auto size = *rc::gen::inRange<std::int64_t>(1, 25);
        const Steps steps = any_steps(any_length(), 60);
        check({}, (rows ? "rows " : "sliding ") + std::to_string(size) + " --by k " + test_aggregates, steps,
              reference_rolling(size, rows ? static_cast<std::size_t>(size) : 0, steps));
    }));
}

// Without aggregates that keep every event, the queue is another one.
TEST(WindowProperties, SlidingAndRowsOfSmallAggregates) {
    EXPECT_TRUE(rc::check([] {
        const bool rows = *rc::gen::inRange(0, 2) == 0;
        const auto size = *rc::gen::inRange<std::int64_t>(1, 25);
        const Steps steps = any_steps(any_length(), 60);
        const Written result = written_by((rows ? "rows " : "sliding ") + std::to_string(size) +
                                              " --by k count sum:v min:v max:v first:v last:v",
                                          steps, *rc::gen::inRange(0, 2) == 0);
        Reference wanted = reference_rolling(size, rows ? static_cast<std::size_t>(size) : 0, steps);
        for (std::string& row : wanted.rows) row = row.substr(0, row.find(",\"collect_v\"")) + "}";
        check_same(result.lines, wanted.rows);
        RC_ASSERT(result.late == wanted.late);
    }));
}

TEST(WindowProperties, OneRunningResultOfAll) {
    EXPECT_TRUE(rc::check([] {
        const Steps steps = any_steps(any_length(), 60);
        std::map<int, TestEvents> groups;
        std::int64_t newest = INT64_MIN;
        for (const Step& step : steps) {
            if (!step.event) continue;
            groups[step.event->key].push_back(*step.event);
            newest = std::max(newest, step.event->time);
        }
        Lines wanted;
        for (auto& [key, events] : groups) {
            std::sort(events.begin(), events.end());
            wanted.push_back("{\"ts\":\"" + to_rfc3339(newest * ms) + "\",\"k\":" +
                             (key < 0 ? "null" : std::to_string(key)) + "," + members(values_of(events, {})));
        }
        const bool every = *rc::gen::inRange(0, 2) == 0;
        const Written result =
            written_by(std::string("all --by k") + (every ? " --every 7 " : " ") + test_aggregates, steps,
                       *rc::gen::inRange(0, 2) == 0);
        Lines finals;
        for (const std::string& line : result.lines) {
            if (!every)
                finals.push_back(line.substr(0, line.size() - 1));
            else if (line.find("\"final\":true") != std::string::npos)
                finals.push_back(without_revision(line));
        }
        check_same(finals, wanted);
    }));
}

// Any order within the lateness gives the same bytes.
TEST(WindowProperties, TheOrderOfArrivalDoesNotShow) {
    EXPECT_TRUE(rc::check([] {
        const auto lateness = *rc::gen::inRange<std::int64_t>(0, 40);
        const int count = any_length();
        TestEvents events;
        std::int64_t time = -100;
        for (int i = 0; i < count; ++i) {
            TestEvent event;
            event.time = time += *rc::gen::inRange<std::int64_t>(1, 15);
            event.key = *rc::gen::inRange(-1, 2);
            event.value = *rc::gen::inRange<std::int64_t>(0, 20);
            event.position = static_cast<std::uint64_t>(i);
            events.push_back(event);
        }
        const auto shuffled = [&] {
            std::vector<std::pair<std::int64_t, TestEvent>> order;
            for (const TestEvent& event : events) {
                order.emplace_back(event.time + *rc::gen::inRange<std::int64_t>(0, lateness + 1), event);
            }
            std::stable_sort(order.begin(), order.end(),
                             [](const auto& a, const auto& b) { return a.first < b.first; });
            Steps steps;
            std::int64_t newest = INT64_MIN / 4;
            for (const auto& [place, event] : order) {
                steps.push_back({event, 0});
                newest = std::max(newest, event.time);
                steps.push_back({std::nullopt, newest - lateness});
            }
            return steps;
        };
        for (const std::string kind :
             {"tumbling 10", "hopping 20 7", "hopping 5 9", "session 9", "session 9 --max 20", "sliding 12",
              "tumbling 10 --compare", "tumbling 10 --fill 35", "hopping 20 10 --fill all",
              "tumbling 30 --top 1"}) {
            const std::string options = kind + " --by k " + test_aggregates;
            const Written one = written_by(options, shuffled(), false);
            const Written other = written_by(options, shuffled(), false);
            RC_ASSERT(one.late == 0u);
            check_same(one.lines, other.lines);
            RC_ASSERT(std::is_sorted(one.times.begin(), one.times.end()));
        }
    }));
}

TEST(WindowProperties, TumblingOfTumblingIsTumbling) {
    EXPECT_TRUE(rc::check([] {
        const auto small = *rc::gen::inRange<std::int64_t>(1, 12);
        const auto times = *rc::gen::inRange<std::int64_t>(1, 8);
        const auto offset = *rc::gen::inRange<std::int64_t>(-20, 20);
        const Steps steps = any_steps(any_length(), 60);
        const std::string moved = " --by k --offset " + std::to_string(offset);
        WindowDriver first("tumbling " + std::to_string(small) + moved +
                           " n=count s=sum:v lo=min:v hi=max:v");
        WindowDriver second("tumbling " + std::to_string(small * times) + moved +
                            " n=sum:n s=sum:s lo=min:lo hi=max:hi");
        WindowDriver direct("tumbling " + std::to_string(small * times) + moved +
                            " n=count s=sum:v lo=min:v hi=max:v");
        std::size_t passed = 0;
        const auto hand_on = [&] {
            for (const std::string& line : first.take()) second.event(first.times()[passed++], line);
        };
        std::int64_t watermark = INT64_MIN / 4;
        for (const Step& step : steps) {
            if (!step.event) {
                watermark = step.watermark;
                for (WindowDriver* d : {&first, &direct}) d->wm(watermark);
                hand_on();
                second.wm(watermark);
                continue;
            }
            // Late for a small window is not late for a large one: no such events here.
            if (step.event->time < watermark) continue;
            for (WindowDriver* d : {&first, &direct}) d->event(step.event->time * ms, step.event->json());
        }
        first.end();
        hand_on();
        RC_ASSERT(second.end().brief() == direct.end().brief());
        RC_ASSERT(second.lates.empty());
    }));
}

TEST(WindowProperties, NothingIsLeftWhenAllIsClosed) {
    EXPECT_TRUE(rc::check([] {
        const Form form = any_form();
        const std::string kinds[] = {"tumbling 10", "hopping 20 7", "hopping 5 9", "session 9"};
        const std::string options =
            kinds[*rc::gen::inRange(0, 4)] + " --by k" + form.options() +
            " count first min:v collect:v distinct:v p50:v approx_distinct:v approx_p50:v approx_top2:v";
        RC_ASSERT(written_by(options, any_steps(any_length(), 60), *rc::gen::inRange(0, 2) == 0).memory ==
                  0u);
        RC_ASSERT(written_by("sliding 9 --by k count collect:v approx_distinct:v",
                             any_steps(any_length(), 60), false)
                      .memory == 0u);
        RC_ASSERT(
            written_by("sliding 9 --by k count sum:v first", any_steps(any_length(), 60), true).memory == 0u);
        RC_ASSERT(written_by("session 9 --by k --max 20 count collect:v", any_steps(any_length(), 60), true)
                      .memory == 0u);
        RC_ASSERT(
            written_by("all --by k --every 9 count collect:v", any_steps(any_length(), 60), true).memory ==
            0u);
    }));
}

}  // namespace stream::testing
