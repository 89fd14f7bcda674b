// SPDX-License-Identifier: Apache-2.0
// test, match, capture, scan, split/2, splits, sub and gsub as jq 1.6 defines them, where both engines mean
// the same. An event on which they may not, or on which jq 1.6 has its own ideas (matches of nothing, groups
// that took no part), is left to libjq.
#include "expr/regex.hpp"

#include "expr/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace stream::expr {
namespace {

enum class Use : std::uint8_t { test, match, capture, scan, split, splits, sub, gsub };

struct Known {
    std::string_view name;
    Use use;
    std::size_t least, most;  // arguments
};
constexpr Known known_builtins[] = {
    {"test", Use::test, 1, 2}, {"match", Use::match, 1, 2}, {"capture", Use::capture, 1, 2},
    {"scan", Use::scan, 1, 1}, {"split", Use::split, 2, 2}, {"splits", Use::splits, 1, 2},
    {"sub", Use::sub, 2, 3},   {"gsub", Use::gsub, 2, 3},
};

const Known* find_known(std::string_view name, std::size_t arguments) {
    for (const Known& known : known_builtins) {
        if (known.name == name && arguments >= known.least && arguments <= known.most) return &known;
    }
    return nullptr;
}

// The pattern and the flags: compiled once if they are literals, else when they change.
class Pattern {
public:
    // False and `why` if a literal pattern is not for RE2.
    bool prepare(NodePtr& pattern, NodePtr* flags, bool array_allowed, std::string& why) {
        array_allowed_ = array_allowed;
        Val pattern_value, flags_value;
        const bool fixed =
            constant_of(*pattern, pattern_value) && (flags == nullptr || constant_of(**flags, flags_value));
        if (!fixed) return true;
        if (pattern_value.is_array()) return why = "a pattern that is an array is not known here", false;
        if (!pattern_value.is_string() || !(flags_value.is_null() || flags_value.is_string())) {
            return why = "the pattern or its flags are no strings", false;
        }
        Arena arena(64u << 20);
        fixed_ = Regex::compile(utf8_of(arena, pattern_value),
                                flags_value.is_null() ? "" : utf8_of(arena, flags_value), why);
        return fixed_ != nullptr;
    }
    void take(NodePtr pattern, NodePtr flags) {
        pattern_ = std::move(pattern);
        flags_ = std::move(flags);
    }

    // nullptr after Run::fail. `hold` keeps a computed one through changes made by what runs in between.
    const Regex* of(Run& run, Val in, std::shared_ptr<const Regex>& hold) const {
        if (fixed_) return fixed_.get();
        Val flags;
        if (flags_ != nullptr) {
            flags = flags_->one(run, in);
            if (flags.is_failed()) return nullptr;
            if (!flags.is_null() && !flags.is_string()) throw Punt{"flags that are no string"};
        }
        const Val pattern = pattern_->one(run, in);
        if (pattern.is_failed()) return nullptr;
        if (!pattern.is_string()) {
            if (!array_allowed_) return run.fail("%A is not a string", pattern), nullptr;
            if (pattern.is_array()) throw Punt{"a pattern that is an array"};
            return run.fail("%a not a string or array", pattern), nullptr;
        }
        const std::string_view pattern_text = utf8_of(run.arena, pattern);
        const std::string_view flags_text = flags.is_null() ? "" : utf8_of(run.arena, flags);
        if (!known_ || pattern_text != last_pattern_ || flags_text != last_flags_) {
            std::string why;
            last_ = Regex::compile(pattern_text, flags_text, why);
            last_pattern_ = pattern_text;
            last_flags_ = flags_text;
            known_ = true;
        }
        if (last_ == nullptr) throw Punt{"a regular expression that is not for RE2"};
        hold = last_;
        return last_.get();
    }

private:
    NodePtr pattern_, flags_;
    std::shared_ptr<const Regex> fixed_;
    bool array_allowed_ = false;
    mutable std::shared_ptr<const Regex> last_;  // nullptr: it is not for RE2
    mutable std::string last_pattern_, last_flags_;
    mutable bool known_ = false;
};

// One call: the subject and the expression for it.
struct Call {
    // False after Run::fail. Throws Punt.
    bool begin(const Pattern& pattern, Run& run, Val in) {
        if (!in.is_string()) return run.fail("%A cannot be matched, as it is not a string", in), false;
        regex = pattern.of(run, in, hold);
        if (regex == nullptr) return false;
        subject = utf8_of(run.arena, in);
        if (!regex->fits(subject))
            throw Punt{"a regular expression on text that is not ASCII, or ends in a newline"};
        return true;
    }
    // The next match in `text` at or after `start`.
    bool next(Run& run, std::string_view text, std::size_t start) {
        run.step();
        if (spans == nullptr) spans = run.arena.array<Span>(regex->groups() + 1);
        if (!regex->search(text, start, spans)) return false;
        if (spans[0].empty()) throw Punt{"a regular expression that matched nothing"};
        return true;
    }
    void check_groups() const {
        for (std::size_t i = 1; i <= regex->groups(); ++i) {
            if (spans[i].data() == nullptr) throw Punt{"a group that took no part in a match"};
        }
    }
    std::size_t begin_of(std::string_view text) const {
        return static_cast<std::size_t>(spans[0].data() - text.data());
    }

    const Regex* regex = nullptr;
    std::shared_ptr<const Regex> hold;
    std::string_view subject;
    Span* spans = nullptr;  // the match and its groups
};

// All matches, or the first.
template <typename F>
Flow each_match(Run& run, Call& call, bool global, F&& use) {
    for (std::size_t at = 0; call.next(run, call.subject, at);) {
        const std::size_t begin = call.begin_of(call.subject);
        at = begin + call.spans[0].size();
        if (const Flow flow = use(begin, at); flow != Flow::more) return flow;
        if (!global || at == call.subject.size()) break;
    }
    return Flow::more;
}

std::int64_t codepoints(std::string_view text) {
    return std::count_if(text.begin(), text.end(),
                         [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

// {"name": "text"} of the groups that have names.
Val named_captures(Run& run, const Call& call) {
    ObjectBuilder object(run.arena, call.regex->has_names() ? call.regex->groups() : 1);
    if (!call.regex->has_names()) return object.finish();
    call.check_groups();
    for (std::size_t i = 0; i < call.regex->groups(); ++i) {
        const std::string& name = call.regex->name(i);
        // A computed expression may be gone before the object is.
        const std::string_view kept = call.hold ? run.arena.copy(name) : std::string_view(name);
        if (!name.empty()) object.set(Val::of_string(kept), Val::of_string(call.spans[i + 1]));
    }
    return object.finish();
}

Val object_of_members(Run& run, std::initializer_list<Member> members) {
    auto* kept = run.arena.array<Member>(members.size());
    std::copy(members.begin(), members.end(), kept);
    auto* object = run.arena.array<Object>(1);
    *object = {kept, static_cast<std::uint32_t>(members.size()), nullptr, 0};
    return Val::of_object(object);
}

// `offset` is of the match, in codepoints.
Val match_object(Run& run, const Call& call, std::int64_t offset) {
    const Span whole = call.spans[0];
    const auto name = [](std::string_view text) { return Val::of_string(text); };
    ArrayBuilder captures(run.arena, call.regex->groups());
    call.check_groups();
    for (std::size_t i = 0; i < call.regex->groups(); ++i) {
        const Span group = call.spans[i + 1];
        const std::string& called = call.regex->name(i);
        const Val at = Val::of_integer(
            offset + codepoints({whole.data(), static_cast<std::size_t>(group.data() - whole.data())}));
        const Val length = Val::of_integer(codepoints(group));
        const Val label = called.empty()
                              ? Val::null()
                              : Val::of_string(call.hold ? run.arena.copy(called) : std::string_view(called));
        if (group.empty()) {  // in jq 1.6's order
            captures.add(object_of_members(run, {{name("offset"), at},
                                                 {name("string"), name("")},
                                                 {name("length"), length},
                                                 {name("name"), label}}));
        } else {
            captures.add(object_of_members(run, {{name("offset"), at},
                                                 {name("length"), length},
                                                 {name("string"), Val::of_string(group)},
                                                 {name("name"), label}}));
        }
    }
    return object_of_members(run, {{name("offset"), Val::of_integer(offset)},
                                   {name("length"), Val::of_integer(codepoints(whole))},
                                   {name("string"), Val::of_string(whole)},
                                   {name("captures"), captures.finish()}});
}

class TestNode final : public Node {
public:
    explicit TestNode(Pattern pattern) : Node(true), pattern_(std::move(pattern)) {}
    Val one(Run& run, Val in) const override {
        Call call;
        if (!call.begin(pattern_, run, in)) return Val::failed();
        return Val::boolean(call.regex->test(call.subject));
    }

private:
    Pattern pattern_;
};

// match, capture, scan and splits.
class MatchesNode final : public Node {
public:
    MatchesNode(Use use, Pattern pattern) : Node(false), use_(use), pattern_(std::move(pattern)) {}
    Flow each(Run& run, Val in, Emit emit) const override {
        Call call;
        if (!call.begin(pattern_, run, in)) return Flow::fail;
        std::size_t last = 0;     // byte after the match before
        std::int64_t offset = 0;  // codepoints up to there
        const bool global = use_ == Use::scan || use_ == Use::splits || call.regex->global();
        const Flow flow = each_match(run, call, global, [&](std::size_t begin, std::size_t end) {
            const std::string_view between = call.subject.substr(last, begin - last);
            last = end;
            switch (use_) {
                case Use::match: {
                    offset += codepoints(between);
                    const std::int64_t at = offset;
                    offset += codepoints(call.spans[0]);
                    return emit(match_object(run, call, at));
                }
                case Use::capture:
                    return emit(named_captures(run, call));
                case Use::scan:
                    return emit(scanned(run, call));
                default:
                    return emit(Val::of_string(between));
            }
        });
        if (flow != Flow::more || use_ != Use::splits) return flow;
        return emit(Val::of_string(call.subject.substr(last)));
    }

private:
    static Val scanned(Run& run, const Call& call) {
        if (call.regex->groups() == 0) return Val::of_string(call.spans[0]);
        call.check_groups();
        ArrayBuilder texts(run.arena, call.regex->groups());
        for (std::size_t i = 1; i <= call.regex->groups(); ++i) texts.add(Val::of_string(call.spans[i]));
        return texts.finish();
    }

    Use use_;
    Pattern pattern_;
};

class SplitNode final : public Node {
public:
    explicit SplitNode(Pattern pattern) : Node(true), splits_(Use::splits, std::move(pattern)) {}
    Val one(Run& run, Val in) const override {
        ArrayBuilder parts(run.arena);
        const Flow flow = splits_.each(run, in, [&](Val part) {
            parts.add(part);
            return Flow::more;
        });
        return flow == Flow::more ? parts.finish() : Val::failed();
    }

private:
    MatchesNode splits_;
};

class SubNode final : public Node {
public:
    SubNode(Pattern pattern, NodePtr replacement, bool global)
        : Node(true), pattern_(std::move(pattern)), replacement_(std::move(replacement)), global_(global) {
        Val value;
        literal_ = constant_of(*replacement_, value) && value.is_string();
    }
    Val one(Run& run, Val in) const override {
        Call call;
        if (!call.begin(pattern_, run, in)) return Val::failed();
        const bool global = global_ || call.regex->global();
        std::vector<Edit> edits;
        std::string_view behind;  // the last match
        // What follows a match is a subject of its own to jq 1.6: ^ stands at its beginning.
        for (std::size_t at = 0; (edits.empty() || (global && at < call.subject.size()));) {
            const std::string_view rest = call.subject.substr(at);
            if (!call.next(run, rest, 0)) break;
            const std::size_t begin = at + call.begin_of(rest);
            Edit edit{call.subject.substr(at, begin - at),
                      literal_ ? Val::null() : named_captures(run, call)};
            if (edits.size() % 1024 == 1023) run.arena.charge(1024 * sizeof(Edit));
            edits.push_back(edit);
            at = begin + call.spans[0].size();
            behind = call.subject.substr(at);
        }
        return edits.empty() ? in : joined(run, edits, behind);
    }

private:
    struct Edit {
        std::string_view before;
        Val value;  // the captures, then the replacement
    };

    // The last replacement is made first, as jq does: an error is the one of the last.
    Val joined(Run& run, std::vector<Edit>& edits, std::string_view behind) const {
        std::size_t size = behind.size();
        for (std::size_t i = edits.size(); i-- > 0;) {
            const Val made = replacement_->one(run, edits[i].value);
            if (made.is_failed()) return made;
            if (!made.is_string() && !made.is_null()) {
                return run.fail("%A and %B cannot be added", Val::of_string(edits[i].before), made);
            }
            edits[i].value = Val::of_string(made.is_null() ? "" : utf8_of(run.arena, made));
            size += edits[i].before.size() + edits[i].value.size;
        }
        auto* const text = static_cast<char*>(run.arena.allocate(size));
        char* at = text;
        const auto append = [&at](std::string_view part) { at = std::copy(part.begin(), part.end(), at); };
        for (const Edit& edit : edits) {
            append(edit.before);
            append(edit.value.view());
        }
        append(behind);
        return Val::of_string({text, size});
    }

    Pattern pattern_;
    NodePtr replacement_;
    bool global_;
    bool literal_ = false;
};

}  // namespace

bool is_regex_builtin(std::string_view name, std::size_t arguments) {
    return find_known(name, arguments) != nullptr;
}

NodePtr make_regex_node(std::string_view name, std::vector<NodePtr>& args, std::string& why) {
    const Known* known = find_known(name, args.size());
    if (known == nullptr) return why = fmt::format("{}/{} is not known here", name, args.size()), nullptr;
    const bool replaces = known->use == Use::sub || known->use == Use::gsub;
    const std::size_t flags_at = replaces ? 2 : 1;
    for (std::size_t i = 0; i < args.size(); ++i) {
        if (args[i]->is_single()) continue;
        const std::string_view what = i == 0 ? "pattern" : i == flags_at ? "flags" : "replacement";
        return why = fmt::format("the {} of {} may give no result or many", what, name), nullptr;
    }
    Pattern pattern;
    NodePtr* flags = args.size() > flags_at ? &args[flags_at] : nullptr;
    const bool array_allowed = args.size() == 1 && known->use <= Use::capture;
    if (!pattern.prepare(args[0], flags, array_allowed, why)) return nullptr;
    pattern.take(std::move(args[0]), flags != nullptr ? std::move(*flags) : nullptr);
    switch (known->use) {
        case Use::test:
            return std::make_unique<TestNode>(std::move(pattern));
        case Use::split:
            return std::make_unique<SplitNode>(std::move(pattern));
        case Use::sub:
        case Use::gsub: {
            const bool global = known->use == Use::gsub;
            return std::make_unique<SubNode>(std::move(pattern), std::move(args[1]), global);
        }
        default:
            return std::make_unique<MatchesNode>(known->use, std::move(pattern));
    }
}

}  // namespace stream::expr
