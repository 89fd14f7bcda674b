// SPDX-License-Identifier: Apache-2.0
#include "ops/window/results.hpp"

#include "json/canonical.hpp"
#include "json/number.hpp"

namespace stream {

namespace {

void append_name(std::string& out, std::string_view name) {
    if (out.back() != '{') out += ',';
    append_quoted(out, name);
    out += ':';
}

WindowSpan span_of(const Bounds& bounds) {
    WindowSpan span;
    if (!bounds.open) span.length_ns = time_sub(bounds.end, bounds.start);
    return span;
}

}  // namespace

void Results::append_head(std::string& out, const Bounds& bounds, std::string_view key) const {
    if (bounds.open) {
        out += '{';
        if (bounds.end != time_before_all) {
            out += "\"ts\":\"";
            append_rfc3339(out, bounds.end);
            out += '"';
        }
    } else {
        out += "{\"window_start\":\"";
        append_rfc3339(out, bounds.start);
        out += "\",\"window_end\":\"";
        append_rfc3339(out, bounds.end);
        out += '"';
    }
    if (!keys_.empty()) {
        if (out.back() != '{') out += ',';
        keys_.append_members(out, key);
    }
}

Result<void> Results::values(const std::byte* states, const Bounds& bounds,
                             const std::vector<std::string>* before, std::vector<std::string>& out) const {
    out.assign(plan_.size(), std::string());
    WindowSpan span = span_of(bounds);
    std::vector<std::byte> empty;
    if (states == nullptr) {
        empty.resize(plan_.state_bytes());
        plan_.init(empty.data());
    }
    const std::byte* from = states != nullptr ? states : empty.data();
    Result<void> result;
    for (std::size_t i = 0; i < plan_.size() && result; ++i) {
        span.before = before != nullptr ? std::string_view((*before)[i]) : std::string_view();
        result = plan_.write(i, from, span, out[i]);
    }
    if (states == nullptr) plan_.destroy(empty.data());
    return result;
}

void Results::append_core(std::string& out, const Bounds& bounds, std::string_view key,
                          const std::vector<std::string>& values,
                          const std::vector<std::string>* previous) const {
    append_head(out, bounds, key);
    for (std::size_t i = 0; i < plan_.size(); ++i) {
        append_name(out, plan_.name(i));
        out += values[i];
        if (!options_.compare) continue;
        append_name(out, plan_.name(i) + "_before");
        out += previous != nullptr ? (*previous)[i] : "null";
        append_name(out, plan_.name(i) + "_change");
        std::optional<std::string> change;
        if (previous != nullptr && value_of(values[i]).type == Type::number &&
            value_of((*previous)[i]).type == Type::number) {
            change = subtract_numbers(values[i], (*previous)[i]);
        }
        out += change ? *change : "null";
    }
}

Result<void> Results::write_plain(Sink& sink, const Bounds& bounds, std::string_view key,
                                  const std::byte* states, const std::vector<std::string>* before) const {
    std::string& out = sink.begin();
    const std::size_t mark = out.size();
    append_head(out, bounds, key);
    WindowSpan span = span_of(bounds);
    for (std::size_t i = 0; i < plan_.size(); ++i) {
        append_name(out, plan_.name(i));
        span.before = before != nullptr ? std::string_view((*before)[i]) : std::string_view();
        auto written = plan_.write(i, states, span, out);
        if (!written) {
            out.resize(mark);  // no half a line
            return written;
        }
    }
    out += '}';
    sink.end(time_of(bounds));
    return {};
}

void Results::write(Sink& sink, const Bounds& bounds, std::string core, History* history,
                    bool is_final) const {
    if (options_.changes) {
        if (history != nullptr && history->last == core) return;  // nothing changed
        std::string& out = sink.begin();
        const bool known = history != nullptr && !history->last.empty();
        out += known ? "{\"op\":\"u\",\"ts\":\"" : "{\"op\":\"c\",\"ts\":\"";
        append_rfc3339(out, time_of(bounds));
        out += "\",\"before\":";
        if (known)
            out += history->last + "}";
        else
            out += "null";
        out += ",\"after\":";
        out += core;
        out += "}}";
        sink.end(time_of(bounds));
        if (history != nullptr) history->last = std::move(core);
        return;
    }
    std::string& out = sink.begin();
    out += core;
    if (options_.has_revisions()) {
        out += ",\"revision\":";
        append_uint64(out, ++history->revision);
        out += is_final ? ",\"final\":true" : ",\"final\":false";
    }
    out += '}';
    sink.end(time_of(bounds));
    if (history != nullptr) history->last = std::move(core);
}

void Results::write_delete(Sink& sink, const Bounds& bounds, History& history) const {
    if (options_.changes && !history.last.empty()) {
        std::string& out = sink.begin();
        out += "{\"op\":\"d\",\"ts\":\"";
        append_rfc3339(out, time_of(bounds));
        out += "\",\"before\":" + history.last + "},\"after\":null}";
        sink.end(time_of(bounds));
    }
    history.last.clear();
}

std::size_t Results::top_index() const {
    for (std::size_t i = 0; i < plan_.size(); ++i) {
        if (plan_.name(i) == options_.top_by) return i;
    }
    return 0;
}

}  // namespace stream
