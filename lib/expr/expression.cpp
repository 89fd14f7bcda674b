// SPDX-License-Identifier: Apache-2.0
#include "expr/expression.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/text.hpp"
#include "expr/compiler.hpp"
#include "expr/keeps.hpp"
#include "expr/libjq.hpp"
#include "expr/names.hpp"
#include "expr/parser.hpp"
#include "json/canonical.hpp"

namespace stream::expr {

namespace {

// Constants of a program are few; nobody's data is among them.
constexpr std::size_t constants_max = 64u << 20;
constexpr std::size_t results_max = 256u << 20;

// White space around an event is none of it.
std::string_view trimmed(std::string_view event) {
    if (!event.empty() && event.front() == '{' && event.back() == '}') [[likely]] return event;
    const std::size_t begin = event.find('{');
    const std::size_t end = event.rfind('}');
    return begin == std::string_view::npos || end == std::string_view::npos ? event : event.substr(begin, end + 1 - begin);
}

// "foo/0 is not defined (line 1, column 5)" with the place shown instead of told.
std::string with_caret(const std::string& message, std::string_view program) {
    const std::size_t at = message.rfind(" (line ");
    if (at == std::string::npos || message.back() != ')') return message + "\n" + std::string(program.substr(0, program.find('\n')));
    std::size_t line = 0;
    std::size_t column = 0;
    if (std::sscanf(message.c_str() + at, " (line %zu, column %zu)", &line, &column) != 2) return message;
    std::size_t begin = 0;
    for (; line > 1 && begin < program.size(); --line) begin = std::min(program.find('\n', begin), program.size() - 1) + 1;
    return caret(message.substr(0, at), program, std::min(begin + column - 1, program.size()));
}

// jq's own complaints begin with a capital; a message of the program's stays as it is.
std::string own_case(std::string message) {
    for (const std::string_view begin : {"Cannot ", "Object keys", "Start and end", "Invalid ", "Out of bounds", "Range bounds", "Regex failure",
                                         "Path must", "Unfinished ", "Unexpected ", "Paths must", "Division by"}) {
        if (message.starts_with(begin)) message[0] = static_cast<char>(message[0] | 0x20);
    }
    return message;
}

// A whole number that a double cannot hold, such as an id. (Of 3.14159265358979323846 nobody expects that.)
std::string_view rounded_integer(std::string_view json) {
    while (true) {
        const std::string_view found = rounded_number(json);
        if (found.empty() || found.find_first_not_of("-0123456789") == std::string_view::npos) return found;
        json.remove_prefix(static_cast<std::size_t>(found.data() + found.size() - json.data()));
    }
}

// One of the program: libjq would reckon with another.
std::string_view rounded_literal(const Ast& ast) {
    if (ast.kind == AstKind::number) {
        return ast.text.find_first_not_of("0123456789") == std::string::npos ? rounded_integer(ast.text) : std::string_view{};
    }
    for (const AstPtr& kid : ast.kids) {
        if (kid == nullptr) continue;
        if (const std::string_view found = rounded_literal(*kid); !found.empty()) return found;
    }
    for (const Ast::Member& member : ast.members) {
        for (const AstPtr* part : {&member.key, &member.value}) {
            if (*part == nullptr) continue;
            if (const std::string_view found = rounded_literal(**part); !found.empty()) return found;
        }
    }
    return {};
}

std::string limit_message(const char* what, const Settings& settings) {
    const std::string_view name = what;
    if (name == "memory") return "the expression needs more than " + format_size(settings.memory_bytes) + " for this event";
    if (name == "steps") return "the expression takes more than " + std::to_string(settings.steps) + " steps on this event";
    return "the expression makes values nested more than 1024 deep";
}

}  // namespace

struct Expression::Impl {
    Impl(std::string_view text, Settings given)
        : program(text), settings(std::move(given)), constants(constants_max) {}

    std::string program;
    Settings settings;
    Arena constants;
    AstPtr ast;
    NamesUsed used;
    NodePtr root;  // nullptr: not compiled
    std::unique_ptr<Compiler> compiler;
    std::optional<Run> state;
    std::optional<Libjq> libjq;
    std::string why_not;           // why it is not compiled
    std::size_t why_begin = 0;
    const char* last_punt = "";
    std::uint64_t punts = 0;
    std::vector<std::string> reads;  // fields, for --explain

    std::string buffer;
    std::vector<std::size_t> ends;
    std::vector<Value> results;
    std::size_t before_failure = 0;

    Result<void> start_libjq() {
        if (libjq) return {};
        std::string_view rounded = rounded_literal(*ast);
        for (const auto& [name, json] : settings.arguments) {
            if (rounded.empty()) rounded = rounded_integer(json);
        }
        if (!rounded.empty()) return fail(ErrorKind::usage, "in libjq, jq would round the number " + printable(rounded, 40));
        LibjqLimits limits;
        limits.time = settings.libjq_time;
        limits.memory_bytes = settings.libjq_memory_bytes;
        limits.stopped = settings.stopped;
        auto started = Libjq::start(program, settings.arguments, settings.now, limits);
        if (!started) {
            const bool no_else = why_not.starts_with("`if` without");
            return fail(started.error().kind(), with_caret(started.error().message(), program),
                        no_else ? "jq " + Libjq::version() + " wants an else: if … then … else . end" : started.error().hint());
        }
        libjq.emplace(std::move(*started));
        return {};
    }

    // A punted event's program was compiled, so libjq's refusal of it (jq 1.6 does not know all we do) is
    // the event's misfortune.
    Result<void> run_libjq(std::string_view event) {
        if (auto started = start_libjq(); !started) {
            if (root == nullptr) return started;
            const std::string& said = started.error().message();
            return fail(ErrorKind::data, std::string("left to libjq (") + last_punt + "), which says: " + said.substr(0, said.find('\n')));
        }
        results.clear();
        if (root == nullptr) ++punts;
        auto ran = libjq->run(event);
        before_failure = libjq->results().size();
        for (const std::string_view text : libjq->results()) results.push_back(stream::value_of(text));
        if (!ran && libjq->raised()) return fail(ErrorKind::data, own_case(ran.error().message()));
        return ran;
    }

    Result<void> failed() {
        before_failure = ends.size();
        return fail(ErrorKind::data, state->message());
    }

    Result<void> punted(const Punt& punt, std::string_view event) {
        ++punts;
        last_punt = punt.why;
        if (!settings.fall_back) {
            results.clear();
            before_failure = 0;
            return fail(ErrorKind::data, std::string("left to libjq (") + punt.why + ")");
        }
        return run_libjq(event);
    }

    void view_results() {
        results.clear();
        std::size_t begin = 0;
        for (const std::size_t end : ends) {
            results.push_back(stream::value_of(std::string_view(buffer).substr(begin, end - begin)));
            begin = end;
        }
    }

    Result<void> run_compiled(std::string_view event, const Value* values) {
        buffer.clear();
        ends.clear();
        before_failure = 0;
        Run& run = *state;
        try {
            run.begin(event, values);
            const Val input = Val::of_text(Kind::object_text, event, false);
            const auto keep = [&](Val result) {
                append_json(run.arena, buffer, result);
                ends.push_back(buffer.size());
                if (buffer.size() > results_max) throw LimitReached{"memory"};
                run.step();
                return Flow::more;
            };
            const Flow flow = root->each(run, input, keep);
            if (flow == Flow::fail) {
                auto error = failed();
                view_results();
                return error;
            }
        } catch (const Punt& punt) {
            return punted(punt, event);
        } catch (const LimitReached& limit) {
            results.clear();
            // jq changes in place what nobody else holds, and needs less.
            if (settings.fall_back && std::string_view(limit.what) == "memory") return punted(Punt{"much memory"}, event);
            return fail(ErrorKind::data, limit_message(limit.what, settings));
        } catch (const Interrupted&) {
            results.clear();
            return fail(ErrorKind::stopped, "stopped");
        } catch (const std::bad_alloc&) {
            results.clear();
            return fail(ErrorKind::data, limit_message("memory", settings));
        }
        view_results();
        return {};
    }

    Result<bool> holds_compiled(std::string_view event, const Value* values) {
        Run& run = *state;
        try {
            run.begin(event, values);
            const Val input = Val::of_text(Kind::object_text, event, false);
            if (root->is_single()) {
                const Val result = root->one(run, input);
                if (result.is_failed()) return fail(ErrorKind::data, run.message());
                return result.is_truthy();
            }
            bool holds = false;
            const Flow flow = root->each(run, input, [&](Val result) {
                run.step();
                holds = result.is_truthy();
                return holds ? Flow::stop : Flow::more;
            });
            if (flow == Flow::fail) return fail(ErrorKind::data, run.message());
            return holds;
        } catch (const Punt& punt) {
            auto ran = punted(punt, event);
            return holds_of(std::move(ran));
        } catch (const LimitReached& limit) {
            if (settings.fall_back && std::string_view(limit.what) == "memory") return holds_of(punted(Punt{"much memory"}, event));
            return fail(ErrorKind::data, limit_message(limit.what, settings));
        } catch (const Interrupted&) {
            return fail(ErrorKind::stopped, "stopped");
        } catch (const std::bad_alloc&) {
            return fail(ErrorKind::data, limit_message("memory", settings));
        }
    }

    // Of what libjq gave: something before a failure is something.
    Result<bool> holds_of(Result<void> ran) const {
        for (const Value& result : results) {
            if (result.is_truthy()) return true;
        }
        if (!ran) return pass_on(ran);
        return false;
    }
};

Expression::Expression(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Expression::Expression(Expression&&) noexcept = default;
Expression& Expression::operator=(Expression&&) noexcept = default;
Expression::~Expression() = default;

Result<Expression> Expression::make(std::string_view program, const Settings& settings, FieldSet& fields) {
    auto parsed = parse(program);
    if (!parsed) return pass_on(parsed);
    auto impl = std::make_unique<Impl>(program, settings);
    impl->ast = std::move(*parsed);
    auto used = check_names(*impl->ast, impl->program, settings);
    if (!used) return pass_on(used);
    impl->used = *used;
    if (settings.compile) {
        // First on a copy of the fields: what turns out not to be compiled asks for none.
        FieldSet extended = fields;
        try {
            impl->compiler = std::make_unique<Compiler>(impl->settings, extended, impl->constants);
            impl->root = impl->compiler->compile(*impl->ast);
            for (std::size_t i = fields.size(); i < extended.size(); ++i) impl->reads.push_back(extended.name(i).starts_with('.') ? extended.name(i) : "." + extended.name(i));
            impl->state.emplace(impl->settings.memory_bytes, impl->settings.steps, impl->compiler->variables(), impl->settings.stopped);
            fields = std::move(extended);
        } catch (const NotCompiled& reason) {
            impl->root.reset();
            impl->why_not = reason.why;
            impl->why_begin = reason.begin;
        } catch (const LimitReached&) {
            impl->root.reset();
            impl->why_not = "its constants are too large";
        } catch (const Punt& punt) {
            impl->root.reset();
            impl->why_not = punt.why;
        }
    } else {
        impl->why_not = "not asked for";
    }
    if (impl->root == nullptr) {
        if (!settings.fall_back) return fail(ErrorKind::usage, caret("not compiled: " + impl->why_not, impl->program, impl->why_begin));
        STREAM_TRY(impl->start_libjq());
    }
    return Expression(std::move(impl));
}

Result<bool> Expression::holds(std::string_view event, const Value* values) {
    event = trimmed(event);
    if (impl_->root != nullptr) return impl_->holds_compiled(event, values);
    return impl_->holds_of(impl_->run_libjq(event));
}

Result<void> Expression::run(std::string_view event, const Value* values) {
    event = trimmed(event);
    if (impl_->root != nullptr) return impl_->run_compiled(event, values);
    return impl_->run_libjq(event);
}

Result<Value> Expression::value(std::string_view event, const Value* values) {
    STREAM_TRY(run(event, values));
    if (impl_->results.empty()) return Value{};
    if (impl_->results.size() > 1) {
        return fail(ErrorKind::data, "the expression gives " + std::to_string(impl_->results.size()) + " values where one is wanted",
                    "[…] makes one array of them, first(…) takes the first");
    }
    return impl_->results.front();
}

const std::vector<Value>& Expression::results() const { return impl_->results; }
std::size_t Expression::results_before_failure() const { return impl_->before_failure; }
const std::string& Expression::program() const { return impl_->program; }
bool Expression::is_assignment() const {
    return impl_->ast->kind == AstKind::assign && std::string_view(impl_->ast->op) == "=";
}
bool Expression::is_compiled() const { return impl_->root != nullptr; }
bool Expression::may_change(const MemberNames& member) const { return !keeps_member(*impl_->ast, member); }
bool Expression::uses_now() const { return impl_->used.now; }
bool Expression::uses_environment() const { return impl_->used.environment; }
std::uint64_t Expression::left_to_libjq() const { return impl_->punts; }

std::string Expression::explain() const {
    if (impl_->root != nullptr) {
        std::string out = "compiled";
        for (std::size_t i = 0; i < impl_->reads.size(); ++i) out += (i == 0 ? "; reads " : ", ") + impl_->reads[i];
        return out + "\n";
    }
    return caret("runs in libjq " + Libjq::version() + ", event by event: " + impl_->why_not, impl_->program, impl_->why_begin) + "\n";
}

void append_raw(std::string& out, const Value& result) {
    if (result.type == Type::string) append_unescaped(out, result);
    else out += result.text;
}

}  // namespace stream::expr
