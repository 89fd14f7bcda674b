// SPDX-License-Identifier: Apache-2.0
#include "run/coordinator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/base64.hpp"
#include "base/text.hpp"

namespace stream::run {

namespace {

constexpr std::uint64_t status_usage = 2;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

std::vector<std::uint64_t> numbers_of(const std::string& text) {
    std::vector<std::uint64_t> numbers;
    for (const std::string& line : lines_of(text)) {
        std::uint64_t number = 0;
        std::from_chars(line.data(), line.data() + line.size(), number);
        numbers.push_back(number);
    }
    return numbers;
}

// Of several that fail at once the cause counts: not who lost its input or its reader, and not who was killed for it.
int weight(const Failure& failure) {
    constexpr int no_reader = 128 + 13;  // SIGPIPE
    if (failure.incomplete) return 0;
    if (failure.status == no_reader) return 1;
    return failure.status == 0 ? 2 : 3;
}

Message refuse(std::uint64_t status, const std::string& why, const std::string& hint) {
    return Message("refuse").set("status", status).set("why", why).set("hint", hint);
}

template <class Entry>
void put_by_name(std::vector<Entry>& entries, Entry entry) {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& one) { return one.name == entry.name; });
    if (found != entries.end()) *found = std::move(entry);
    else entries.push_back(std::move(entry));
}

}  // namespace

Coordinator::Coordinator(CoordinatorOptions options, Commit last, World world)
    : options_(std::move(options)), last_(std::move(last)), next_(last_), world_(std::move(world)) {}

void Coordinator::fail(Failure failure) {
    if (!failure_) {
        failure_ = std::move(failure);
        return;
    }
    if (weight(failure) > weight(*failure_)) failure_ = std::move(failure);
}

std::optional<Message> Coordinator::hello(std::uint64_t id, const Message& message) {
    if (message.text("key") != options_.key) return refuse(3, "an attempt of this run that is over", "");
    Member member;
    member.tool = message.text("tool");
    member.name = message.text("name");
    member.arguments = message.text("arguments");
    member.pid = message.number("pid");
    member.is_source = message.flag("source");
    member.is_stateful = message.flag("stateful");
    member.sinks = lines_of(message.text("sinks"));
    member.pipes_in = numbers_of(message.text("in"));
    member.pipes_out = numbers_of(message.text("out"));
    member.by_arrival = lines_of(message.text("by_arrival"));
    member.once_only = lines_of(message.text("once_only"));
    for (const auto& [other_id, other] : members_) {
        if (member.has_duties() && other.has_duties() && other.name == member.name) {
            fail({static_cast<int>(status_usage), false, "", "two commands of the pipeline are alike: " + member.tool + " " + member.arguments + "\n--name tells them apart"});
            return refuse(status_usage, "two commands of the pipeline are alike: " + member.tool + " " + member.arguments, "--name tells them apart");
        }
    }
    if (complete_) {
        fail({3, true, member.tool, "it came later than the others"});
        return refuse(3, "the pipeline has begun without it", "");
    }
    Message start("start");
    start.set("run", last_.run).set("epoch", last_.epoch).set("attempt", options_.attempt).flag("once", options_.once || options_.drain);
    start.flag("drain", options_.drain).set("now", options_.now_ns);
    world_.send(id, start);
    for (const SavedState& state : last_.states) {
        if (state.name != member.name) continue;
        member.ended = member.ended || state.ended;
        world_.send(id, to_message(state));
    }
    for (const StagedFile& file : last_.files) {
        if (std::find(member.sinks.begin(), member.sinks.end(), file.name) == member.sinks.end()) continue;
        world_.send(id, to_message(file));
    }
    member.waits = true;
    member.published = last_.epoch;
    members_.emplace(id, std::move(member));
    heard_ = true;
    return std::nullopt;
}

bool Coordinator::stdout_takes_part() const {
    return std::any_of(members_.begin(), members_.end(), [&](const auto& entry) {
        const auto& out = entry.second.pipes_out;
        return std::find(out.begin(), out.end(), options_.stdout_pipe) != out.end();
    });
}

std::vector<std::uint64_t> Coordinator::open_ends() const {
    std::multiset<std::uint64_t> ins, outs;
    for (const auto& [id, member] : members_) {
        ins.insert(member.pipes_in.begin(), member.pipes_in.end());
        outs.insert(member.pipes_out.begin(), member.pipes_out.end());
    }
    ins.insert(options_.stdout_pipe);
    if (outs.count(options_.stdout_pipe) == 0) outs.insert(options_.stdout_pipe);  // no tool writes there
    std::vector<std::uint64_t> open;
    for (const std::uint64_t pipe : ins) {
        if (outs.count(pipe) == 0) open.push_back(pipe);
    }
    for (const std::uint64_t pipe : outs) {
        if (ins.count(pipe) == 0) open.push_back(pipe);
    }
    return open;
}

// What differs from the run that made the state: sources, stateful tools and sinks, by name.
std::optional<Message> Coordinator::changed_pipeline() const {
    if (last_.epoch == 0) return std::nullopt;
    std::set<std::string> known, here;
    for (const SavedState& state : last_.states) known.insert(state.name);
    for (const SinkMark& mark : last_.marks) known.insert(mark.name);
    std::string fresh, lost;
    for (const auto& [id, member] : members_) {
        if (!member.has_duties()) continue;
        here.insert(member.name);
        if (known.count(member.name) == 0) fresh += (fresh.empty() ? "" : "; ") + member.tool + " " + member.arguments;
    }
    for (const std::string& name : known) {
        if (here.count(name) == 0) lost += (lost.empty() ? "" : "; ") + name;
    }
    if (fresh.empty() && lost.empty()) return std::nullopt;
    std::string why = "the pipeline is another one than the run's state is of:";
    if (!lost.empty()) why += " gone: " + lost;
    if (!fresh.empty()) why += std::string(lost.empty() ? "" : ",") + " new: " + fresh;
    return refuse(status_usage, why, "the pipeline as it was, --name for a command whose arguments changed, or stream-run reset DIR to begin anew");
}

// Where pipes tell nothing: the sinks, and everybody the last commit names; the first time, those that come soon.
bool Coordinator::all_sinks_are_there(std::uint64_t sinks, std::int64_t now_ns) {
    constexpr std::int64_t soon_ns = 200'000'000;
    constexpr std::int64_t long_ns = 5'000'000'000;
    if (sinks < *options_.sinks) return false;
    const bool missing = last_.epoch > 0 && changed_pipeline().has_value();
    const std::int64_t wait = last_.epoch == 0 ? soon_ns : missing ? long_ns : 0;
    if (now_ns - heard_at_ns_ >= wait) return true;
    due_ns_ = heard_at_ns_ + wait;
    return false;
}

std::string Coordinator::by_arrival() const {
    std::string names;
    for (const auto& [id, member] : members_) {
        for (const std::string& option : member.by_arrival) names += (names.empty() ? "" : ", ") + member.tool + " " + option;
    }
    return names;
}

// Who has joined begins once all are there: a pipeline that is refused has read and said nothing. Where nobody has come
// for a moment they begin without: a writer may wait for one of them to open a named pipe. With `sinks` nobody knows who
// else comes.
void Coordinator::let_begin(std::int64_t now_ns) {
    constexpr std::int64_t moment_ns = 200'000'000;
    const bool any = std::any_of(members_.begin(), members_.end(), [](const auto& entry) { return entry.second.waits; });
    if (!any || failure_) return;
    if (!complete_ && !options_.sinks && now_ns - heard_at_ns_ < moment_ns) {
        due_ns_ = heard_at_ns_ + moment_ns;
        return;
    }
    if (!complete_ && !options_.sinks) due_ns_ = -1;
    for (auto& [id, member] : members_) {
        if (std::exchange(member.waits, false)) world_.send(id, Message("go"));
    }
}

void Coordinator::look_whether_complete(std::int64_t now_ns) {
    if (std::exchange(heard_, false)) heard_at_ns_ = now_ns;
    if (complete_ || failure_ || members_.empty()) return;
    bool any_source = false;
    std::uint64_t sinks = stdout_takes_part() ? 1 : 0;
    for (const auto& [id, member] : members_) {
        any_source = any_source || member.is_source;
        sinks += member.sinks.size();
    }
    if (!any_source) return;
    if (options_.sinks ? !all_sinks_are_there(sinks, now_ns) : !open_ends().empty()) return;
    if (const auto changed = changed_pipeline()) {
        fail({static_cast<int>(changed->number("status")), false, "", changed->text("why") + "\n" + changed->text("hint")});
        return;
    }
    if (options_.strict && !by_arrival().empty()) {
        fail({static_cast<int>(status_usage), false, "", "--strict: the result depends on when events arrive: " + by_arrival()});
        return;
    }
    complete_ = true;
    asked_at_ns_ = now_ns;
    return;
}

Result<void> Coordinator::take(std::uint64_t id, const Message& message) {
    const auto found = members_.find(id);
    if (found == members_.end()) return {};
    Member& member = found->second;
    const std::string kind = message.kind();
    if (kind == "new") {
        member.has_new = true;
        member.at_end = false;
    } else if (kind == "at-end") {
        member.at_end = true;
        member.has_new = member.has_new || message.flag("new");
    } else if (kind == "state") {
        if (message.number("epoch") != asked_) return {};
        auto state = saved_state_of(message);
        if (!state) return {};
        state->name = member.name;
        put_by_name(next_.states, std::move(*state));
    } else if (kind == "file") {
        if (message.number("epoch") != asked_) return {};
        if (auto file = staged_file_of(message)) put_by_name(next_.files, std::move(*file));
    } else if (kind == "mark") {
        put_by_name(next_.marks, SinkMark{member.name, decode_base64(message.text("target")).value_or("")});
    } else if (kind == "done") {
        member.done = message.number("epoch");
        member.ended = member.ended || message.flag("end");
    } else if (kind == "published") {
        member.published = message.number("epoch");
    } else if (kind == "stats") {
        const std::uint64_t state_bytes = member.stats ? member.stats->number("state_bytes") : 0;
        member.stats = message;
        if (!message.has("state_bytes")) member.stats->set("state_bytes", state_bytes);
    } else if (kind == "bye") {
        member.bye = message;
    }
    return {};
}

void Coordinator::gone(std::uint64_t id) {
    const auto found = members_.find(id);
    if (found == members_.end()) return;
    Member& member = found->second;
    member.gone = true;
    const int status = member.bye ? static_cast<int>(member.bye->number("status")) : 0;
    if (member.bye && member.bye->flag("end")) return;  // it had nothing more to do
    fail({status, member.bye && member.bye->flag("incomplete"), member.tool, member.bye ? member.bye->text("why") : ""});
}

Result<void> Coordinator::stdout_barrier(std::uint64_t epoch, const std::optional<StagedFile>& staged, bool end) {
    stdout_done_ = epoch;
    stdout_ended_ = stdout_ended_ || end;
    if (staged) put_by_name(next_.files, *staged);
    return {};
}

bool Coordinator::everybody_is_done() const {
    for (const auto& [id, member] : members_) {
        if (member.has_duties() && member.done < asked_ && !member.ended) return false;
    }
    return !stdout_takes_part() || stdout_done_ >= asked_ || stdout_ended_;
}

bool Coordinator::everybody_has_published() const {
    for (const auto& [id, member] : members_) {
        if (!member.sinks.empty() && !member.gone && member.published < last_.epoch) return false;
    }
    return stdout_published_;
}

void Coordinator::ask(std::int64_t now_ns) {
    std::uint64_t sources = 0, at_end = 0;
    bool any_new = false;
    for (const auto& [id, member] : members_) {
        if (!member.is_source || member.ended) continue;
        ++sources;
        at_end += member.at_end ? 1 : 0;
        any_new = any_new || member.has_new;
    }
    if (sources == 0 || asked_end_) return;
    const bool all_end = at_end == sources;
    const bool once = options_.once || options_.drain;
    const bool by_time = any_new && now_ns - asked_at_ns_ >= options_.every_ns;
    const bool first = !first_asked_ && !once;
    due_ns_ = any_new ? asked_at_ns_ + options_.every_ns : -1;
    if (!all_end && !by_time && !first && !stopping_) return;
    const bool end = all_end || stopping_;
    const bool drain = end && !stopping_ && (!once || options_.drain);
    // Nothing is new: the sources end what was committed, and nobody loads or saves a thing.
    const bool idle = end && !drain && !any_new && last_.epoch > 0 && !stopping_;
    const std::uint64_t epoch = idle ? last_.epoch : last_.epoch + 1;
    asked_ = idle ? 0 : epoch;
    asked_end_ = end;
    asked_drain_ = drain;
    first_asked_ = true;
    asked_at_ns_ = now_ns;
    due_ns_ = -1;
    next_ = last_;
    for (auto& [id, member] : members_) {
        if (!member.is_source || member.ended) continue;
        // One that has ended while others go on is done for good.
        const bool own_end = end || (member.at_end && !once);
        world_.send(id, Message("barrier").set("epoch", epoch).flag("end", own_end).flag("drain", end ? drain : own_end));
        member.has_new = false;
    }
}

Result<void> Coordinator::commit_if_done() {
    if (asked_ == 0 || !everybody_is_done()) return {};
    next_.epoch = asked_;
    next_.attempt = options_.attempt;
    next_.finished = asked_drain_;
    STREAM_TRY(world_.commit(next_));
    last_ = next_;
    asked_ = 0;
    ++commits_;
    for (const auto& [id, member] : members_) {
        if (!member.sinks.empty() && !member.gone) world_.send(id, Message("committed").set("epoch", last_.epoch));
    }
    stdout_published_ = false;
    STREAM_TRY(world_.publish_stdout(last_.epoch));
    stdout_published_ = true;
    return {};
}

Result<void> Coordinator::step(std::int64_t now_ns) {
    look_whether_complete(now_ns);
    let_begin(now_ns);
    if (!complete_ || failure_) return {};
    STREAM_TRY(commit_if_done());
    if (asked_ == 0 && everybody_has_published()) ask(now_ns);
    return {};
}

bool Coordinator::is_working() const {
    return complete_ && (asked_ != 0 || std::any_of(members_.begin(), members_.end(), [](const auto& entry) { return entry.second.has_new; }));
}

std::vector<std::uint64_t> Coordinator::in_order() const {
    std::vector<std::uint64_t> order;
    std::set<std::uint64_t> unwritten;  // pipes whose writer is not in `order` yet
    for (const auto& [id, member] : members_) unwritten.insert(member.pipes_out.begin(), member.pipes_out.end());
    std::set<std::uint64_t> left;
    for (const auto& [id, member] : members_) left.insert(id);
    while (!left.empty()) {
        // One whose inputs are all written; in a circle, any.
        const auto is_next = [&](std::uint64_t id) {
            const auto& in = members_.at(id).pipes_in;
            return std::none_of(in.begin(), in.end(), [&](std::uint64_t pipe) { return unwritten.count(pipe) > 0; });
        };
        auto next = std::find_if(left.begin(), left.end(), is_next);
        if (next == left.end()) next = left.begin();
        for (const std::uint64_t pipe : members_.at(*next).pipes_out) unwritten.erase(pipe);
        order.push_back(*next);
        left.erase(next);
    }
    return order;
}

int Coordinator::worst_status() const {
    int worst = 0;
    for (const auto& [id, member] : members_) {
        if (member.bye) worst = std::max(worst, static_cast<int>(member.bye->number("status")));
    }
    return worst;
}

bool Coordinator::is_over() const {
    if (!complete_ || asked_ != 0 || !everybody_has_published()) return false;
    return std::all_of(members_.begin(), members_.end(), [](const auto& entry) { return entry.second.gone; });
}

}  // namespace stream::run
