// SPDX-License-Identifier: Apache-2.0
#include "ops/changes.hpp"

#include <bit>
#include <optional>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/check.hpp"
#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/cursor.hpp"

namespace stream {
namespace {

// The members that tell an envelope from a row.
struct Envelope {
    Value op, before, after, source, schema, payload, status, event_count, ts_ms;
    std::size_t members = 0;

    explicit Envelope(std::string_view event) {
        for (Cursor cursor(value_of(event)); cursor.next();) {
            ++members;
            if (Value* place = place_of(cursor.name())) *place = cursor.value();
        }
    }
    // `payload` in what Kafka Connect's converter writes with schemas.
    bool is_wrapped() const { return members == 2 && schema.type != Type::missing && payload.type != Type::missing; }
    bool is_change() const {
        return op.type == Type::string &&
               (before.type != Type::missing || after.type != Type::missing || source.type == Type::object);
    }
    // A heartbeat, or the beginning or end of a transaction.
    bool is_mark() const {
        return (members == 1 && ts_ms.type == Type::number) || (status.type == Type::string && event_count.type != Type::missing);
    }

private:
    Value* place_of(const Value& name) {
        if (name.escaped) return nullptr;
        const std::string_view text = name.inner();
        if (text == "op") return &op;
        if (text == "before") return &before;
        if (text == "after") return &after;
        if (text == "source") return &source;
        if (text == "schema") return &schema;
        if (text == "payload") return &payload;
        if (text == "status") return &status;
        if (text == "event_count") return &event_count;
        if (text == "ts_ms") return &ts_ms;
        return nullptr;
    }
};

// Whether one of the names that make an event more than a row begins with the quote at `at`.
bool is_telling_name(std::string_view event, std::size_t at) {
    for (const std::string_view name : {"\"op\"", "\"payload\"", "\"event_count\""}) {
        if (event.substr(at, name.size()) == name) return true;
    }
    return false;
}

// Most changes are rows, and say so by what is nowhere in them: a look at every byte, but no more.
bool is_surely_row(std::string_view event) {
    constexpr std::size_t heartbeat_max = 64;
    if (event.size() <= heartbeat_max) return false;
    std::size_t at = 0;
#if defined(__SSE2__)
    const auto load = [&](std::size_t from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(event.data() + from)); };
    const auto is = [](__m128i bytes, char c) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); };
    for (; at + 18 <= event.size(); at += 16) {
        const __m128i second = load(at + 1);
        const __m128i third = load(at + 2);
        const auto begin_with = [&](char a, char b) { return _mm_and_si128(is(second, a), is(third, b)); };
        const __m128i begins = _mm_or_si128(begin_with('o', 'p'), _mm_or_si128(begin_with('p', 'a'), begin_with('e', 'v')));
        auto found = static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(is(load(at), '"'), begins)));
        for (; found != 0; found &= found - 1) {
            if (is_telling_name(event, at + static_cast<unsigned>(std::countr_zero(found)))) return false;
        }
    }
#endif
    for (; at < event.size(); ++at) {
        if (event[at] == '"' && is_telling_name(event, at)) return false;
    }
    return true;
}

tl::unexpected<Error> no_object(std::string_view op, std::string_view name, const Value& value) {
    const char* what = op == "u" ? "an update" : op == "d" ? "a delete" : "an insert";
    if (value.is_nothing()) return fail(ErrorKind::data, std::string(what) + " without " + quoted(name));
    return fail(ErrorKind::data, quoted(name) + " is no object: " + quoted(value.text));
}

}  // namespace

Error no_key(const std::vector<KeySpec>& by) {
    std::string names;
    for (const KeySpec& key : by) names += (names.empty() ? "" : ", ") + quoted(key.path.text);
    if (by.size() == 1) return Error(ErrorKind::data, "no key: " + names + " is missing");
    return Error(ErrorKind::data, "no key: " + names + " are missing");
}

struct ChangeReader::Impl {
    std::unique_ptr<expr::ComputedFields> computed;  // outlives the fields
    FieldSet fields;
    Keys keys;
    Keys more;
    std::vector<std::size_t> slots;  // of the keys, then of `more`
    struct Found {                   // find_in(): the same in the events themselves
        Keys keys;
        Keys more;
        std::vector<std::size_t> slots;
        std::vector<bool> seen;
        bool all_seen = false;
    };
    std::optional<Found> found;
    std::vector<KeySpec> key_specs;
    std::vector<KeySpec> more_specs;
    std::optional<expr::Expression> deleted;
    std::optional<Scanner> scanner;
    bool had_rows = false;
    bool found_rows = false;  // such as were not scanned again
    std::string lines;
    std::string key_scratch;
    std::string before_scratch;
    std::string more_scratch;

    bool looks_at_rows() const { return !keys.empty() || !more.empty() || deleted; }
    Result<void> next_row();
    void read_before(Change& change, const std::vector<bool>& had);
    Result<Change> read_rows(Change change);
    Change read_found(Change change, const Value* values);
    void judge_key(Change& change, const Value* values, const std::vector<std::size_t>& places) const;
};

ChangeReader::ChangeReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChangeReader::~ChangeReader() = default;

Result<std::unique_ptr<ChangeReader>> ChangeReader::make(const std::vector<KeySpec>& by, const std::string& deleted,
                                                         const expr::Settings& settings, const std::vector<KeySpec>& more) {
    auto impl = std::make_unique<Impl>();
    for (const auto* specs : {&by, &more}) {
        for (const KeySpec& spec : *specs) impl->slots.push_back(impl->fields.add(spec.path, true));
    }
    impl->keys = Keys(by, impl->fields);
    impl->more = Keys(more, impl->fields);
    impl->key_specs = by;
    impl->more_specs = more;
    if (!deleted.empty()) {
        auto made = expr::Expression::make(deleted, settings, impl->fields);
        if (!made) return pass_on(made);
        impl->deleted.emplace(std::move(*made));
    }
    if (!impl->fields.expressions().empty()) {
        auto made = expr::ComputedFields::make(impl->fields, settings);
        if (!made) return pass_on(made);
        impl->computed = std::move(*made);
    }
    impl->scanner.emplace(impl->fields);
    return std::unique_ptr<ChangeReader>(new ChangeReader(std::move(impl)));
}

void ChangeReader::find_in(FieldSet& events) {
    Impl& impl = *impl_;
    std::vector<std::size_t> slots;
    for (const auto* specs : {&impl.key_specs, &impl.more_specs}) {
        for (const KeySpec& spec : *specs) {
            if (!spec.path.is_plain()) return;
        }
    }
    if (impl.deleted || impl.slots.empty()) return;
    for (const auto* specs : {&impl.key_specs, &impl.more_specs}) {
        for (const KeySpec& spec : *specs) {
            slots.push_back(events.add(spec.path, true));
            events.expect_rarely(slots.back());  // an envelope has them inside; never_seen() tells what rows lack
        }
    }
    std::vector<bool> seen(slots.size());
    impl.found.emplace(Impl::Found{Keys(impl.key_specs, events), Keys(impl.more_specs, events), std::move(slots), std::move(seen)});
}

const Keys& ChangeReader::keys() const { return impl_->keys; }
std::string ChangeReader::save() const { return impl_->fields.save(); }

Result<void> ChangeReader::load(std::string_view saved) {
    if (impl_->fields.load(saved)) return {};
    return fail(ErrorKind::corrupt, "the saved state's fields of rows cannot be read");
}

std::vector<std::string> ChangeReader::never_seen() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < impl_->slots.size(); ++i) {
        const std::size_t slot = impl_->slots[i];
        const bool in_rows = impl_->had_rows && impl_->fields.seen(slot);
        const bool in_events = impl_->found_rows && impl_->found->seen[i];
        if ((impl_->had_rows || impl_->found_rows) && !in_rows && !in_events) names.push_back(impl_->fields.name(slot));
    }
    return names;
}

// A row was validated with its event: what is wrong now is an expression's failure.
Result<void> ChangeReader::Impl::next_row() {
    const Scanner::Outcome outcome = scanner->next();
    STREAM_CHECK(outcome != Scanner::Outcome::end);
    if (outcome == Scanner::Outcome::bad) return fail(ErrorKind::data, scanner->fault().reason);
    return {};
}

// The key of the row before counts where that row has it all: what is missing is unknown, unless the new row
// lacks it too.
void ChangeReader::Impl::read_before(Change& change, const std::vector<bool>& had) {
    if (!next_row()) return;
    const Value* values = scanner->values();
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (values[slots[i]].type == Type::missing && had[i]) return;
    }
    const std::string_view key = keys.bytes(values, before_scratch);
    if (key != change.key) change.before_key = key;
}

void ChangeReader::Impl::judge_key(Change& change, const Value* values, const std::vector<std::size_t>& places) const {
    change.key_is_missing = !keys.empty();
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const Value& value = values[places[i]];
        change.key_is_null = change.key_is_null || value.is_nothing();
        change.key_is_missing = change.key_is_missing && value.type == Type::missing;
    }
}

// A row that is the event itself.
Change ChangeReader::Impl::read_found(Change change, const Value* values) {
    found_rows = true;
    if (!found->all_seen) {
        found->all_seen = true;
        for (std::size_t i = 0; i < found->slots.size(); ++i) {
            if (values[found->slots[i]].type != Type::missing) found->seen[i] = true;
            found->all_seen = found->all_seen && found->seen[i];
        }
    }
    judge_key(change, values, found->slots);
    if (!keys.empty()) change.key = found->keys.bytes(values, key_scratch);
    if (!more.empty()) change.more = found->more.bytes(values, more_scratch);
    return change;
}

Result<Change> ChangeReader::Impl::read_rows(Change change) {
    const bool has_before = change.kind == Change::Kind::upsert && !change.before.empty() && !keys.empty();
    lines.assign(change.row);
    lines.push_back('\n');
    if (has_before) lines.append(change.before).push_back('\n');
    const std::size_t size = lines.size();
    lines.append(scanner_padding, '\0');
    scanner->start(lines.data(), size);
    STREAM_TRY(next_row());
    const Value* values = scanner->values();
    judge_key(change, values, slots);
    std::vector<bool> had;
    for (std::size_t i = 0; has_before && i < keys.size(); ++i) had.push_back(values[slots[i]].type != Type::missing);
    if (!keys.empty()) change.key = keys.bytes(values, key_scratch);
    if (change.kind != Change::Kind::upsert) return change;
    had_rows = true;
    if (!more.empty()) change.more = more.bytes(values, more_scratch);
    if (deleted) {
        auto is_deleted = deleted->holds(scanner->line(), values);
        if (!is_deleted) return pass_on(is_deleted);
        if (*is_deleted) {
            change.kind = Change::Kind::remove;
            change.more = {};
        }
    }
    if (!has_before) return change;
    // What was worked out lies in the scanner, and goes with the next row.
    const auto keep = [](std::string_view& bytes, std::string& scratch) {
        if (bytes.data() != scratch.data()) scratch.assign(bytes);
        bytes = scratch;
    };
    keep(change.key, key_scratch);
    if (!change.more.empty()) keep(change.more, more_scratch);
    read_before(change, had);
    return change;
}

Result<Change> ChangeReader::read(std::string_view event, const Value* values) {
    Change change;
    change.kind = Change::Kind::upsert;
    change.row = event;
    if (is_surely_row(event)) {
        if (impl_->found) return impl_->read_found(change, values);
    } else {
        Envelope envelope(event);
        if (envelope.is_wrapped()) {
            if (envelope.payload.type == Type::null) return Change{};  // a tombstone; its key is elsewhere
            if (envelope.payload.type != Type::object) {
                return fail(ErrorKind::data, "\"payload\" is no object: " + quoted(envelope.payload.text));
            }
            change.row = envelope.payload.text;
            envelope = Envelope(change.row);
        }
        if (envelope.is_mark()) return Change{};
        if (envelope.is_change()) {
            const std::string_view op = envelope.op.inner();
            if (op == "m") return Change{};  // a message that was put into the log
            if (op == "t") {
                change = Change{};
                change.kind = Change::Kind::truncate;
                return change;
            }
            const bool remove = op == "d";
            if (!remove && op != "c" && op != "r" && op != "u") {
                return fail(ErrorKind::data, "an unknown op: " + quoted(op), "c, r, u, d or t");
            }
            if (envelope.before.type == Type::object) change.before = envelope.before.text;
            const Value& row = remove ? envelope.before : envelope.after;
            if (row.type != Type::object && (!remove || !row.is_nothing() || !impl_->keys.empty())) {
                return no_object(op, remove ? "before" : "after", row);
            }
            if (remove) change.kind = Change::Kind::remove;
            change.row = row.type == Type::object ? row.text : std::string_view();
        }
    }
    if (change.row.empty() || !impl_->looks_at_rows()) return change;
    return impl_->read_rows(change);
}

}  // namespace stream
