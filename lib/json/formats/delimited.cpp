// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/formats/formats.hpp"
#include "json/formats/record_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace stream {
namespace {

// memchr for cells of a few bytes, where calling it would cost more than it finds.
const char* find_byte(const char* at, const char* end, char byte) {
    if constexpr (std::endian::native == std::endian::little) {
        constexpr std::uint64_t ones = 0x0101010101010101U;
        const std::uint64_t pattern = ones * static_cast<unsigned char>(byte);
        while (end - at >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, at, sizeof word);
            word ^= pattern;
            const std::uint64_t found = (word - ones) & ~word & (ones * 0x80);
            if (found != 0) return at + std::countr_zero(found) / 8;
            at += 8;
        }
    }
    while (at != end && *at != byte) ++at;
    return at;
}

const char* search(const char* from, const char* end, char byte) {
    const auto* const found =
        static_cast<const char*>(std::memchr(from, byte, static_cast<std::size_t>(end - from)));
    return found == nullptr ? end : found;
}

// A name twice would give events of which one cell cannot be read.
Result<void> name_columns(std::vector<std::string>& names) {
    std::unordered_set<std::string_view> seen;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i].empty()) names[i] = fmt::format("column_{}", i + 1);
        if (!is_utf8(names[i])) {
            return fail(ErrorKind::usage,
                        fmt::format("the name of column {} is not UTF-8: {}", i + 1, quoted(names[i])));
        }
        if (!seen.insert(names[i]).second) {
            return fail(ErrorKind::usage, fmt::format("two columns are called {}", quoted(names[i])));
        }
    }
    return {};
}

class Delimited final : public RecordFormat {
public:
    Delimited(char delimiter, bool quotes) : delimiter_(delimiter), quotes_(quotes) {}

    Result<void> set_columns(std::vector<std::string> names);

    std::size_t record_length(std::string_view bytes, bool at_end) override;
    void begin_file() override;

private:
    // Where the columns come from, and what became of it.
    enum class Header : std::uint8_t { expected, known, broken, none };

    Result<bool> write_event(std::string_view record, ObjectWriter& object) override;
    Error refused(Error error) override;

    std::string learnt() const override;
    bool relearn(std::string_view saved) override;

    Result<bool> read_header(std::string_view record);
    Error header_error(const Error& error);
    const char* write_quoted(const char* at, const char* end, ObjectWriter& object);
    Result<std::vector<std::string>> split(std::string_view record) const;
    tl::unexpected<Error> trouble(std::string_view record) const;

    char delimiter_;
    bool quotes_;
    bool in_quotes_ = false;  // where record_length stopped
    Header header_ = Header::expected;
    std::string broken_;                 // what is wrong with the header
    std::vector<std::string> prefixes_;  // {"name": and ,"name":
    std::string unquoted_;
};

Result<void> Delimited::set_columns(std::vector<std::string> names) {
    STREAM_TRY(name_columns(names));
    prefixes_.clear();
    for (const std::string& name : names) {
        std::string prefix(prefixes_.empty() ? "{" : ",");
        append_quoted(prefix, name);
        prefix += ':';
        prefixes_.push_back(std::move(prefix));
    }
    header_ = Header::none;
    return {};
}

void Delimited::begin_file() {
    RecordFormat::begin_file();
    in_quotes_ = false;
    if (header_ != Header::none) header_ = Header::expected;
}

// The header's names, as they are written: JSON, without a line end. (A header that is none ends the reading.)
std::string Delimited::learnt() const {
    if (header_ != Header::known) return header_ == Header::none ? "columns" : "";
    std::string names = "header";
    for (const std::string& prefix : prefixes_) names += '\n' + prefix;
    return names;
}

bool Delimited::relearn(std::string_view saved) {
    in_quotes_ = false;
    if (header_ == Header::none) return saved == "columns";
    prefixes_.clear();
    header_ = saved.empty() ? Header::expected : Header::known;
    if (saved.empty()) return true;
    if (!saved.starts_with("header\n")) return false;
    for (std::size_t at = 6; at < saved.size();) {
        const std::size_t end = std::min(saved.find('\n', at + 1), saved.size());
        prefixes_.emplace_back(saved.substr(at + 1, end - at - 1));
        at = end;
    }
    return true;
}

// Quotes matter in pairs: a line end between them is text. `newline` is the next line end outside of
// them, looked for once, so that many quotes in a long record do not make this quadratic.
std::size_t Delimited::record_length(std::string_view bytes, bool at_end) {
    if (!quotes_) return RecordFormat::record_length(bytes, at_end);
    const char* const start = bytes.data();
    const char* const end = start + bytes.size();
    const char* const first_cell = start + mark_length(bytes);
    const char* at = start + resume_at(bytes);
    bool in_quotes = at != start && in_quotes_;
    const char* newline = nullptr;
    while (at != end) {
        if (in_quotes) {
            at = search(at, end, '"');
            if (at == end) break;
            if (at + 1 == end && !at_end) break;  // closing, or the first of two
            const bool doubled = at + 1 != end && at[1] == '"';
            at += doubled ? 2 : 1;
            in_quotes = doubled;
            continue;
        }
        if (newline == nullptr || newline < at) newline = search(at, end, '\n');
        at = search(at, newline, '"');
        if (at == newline) {
            if (newline == end) break;
            in_quotes_ = false;
            return complete(static_cast<std::size_t>(newline - start) + 1);
        }
        in_quotes = at == start || at == first_cell || at[-1] == delimiter_;
        ++at;
    }
    in_quotes_ = in_quotes && !at_end;
    return incomplete(bytes, static_cast<std::size_t>(at - start), at_end);
}

Result<bool> Delimited::write_event(std::string_view record, ObjectWriter& object) {
    if (header_ == Header::expected) return read_header(record);
    if (header_ == Header::broken) return fail(ErrorKind::usage, broken_);
    const char* at = record.data();
    const char* const end = at + record.size();
    for (const std::string& prefix : prefixes_) {
        object.raw(prefix);
        if (quotes_ && at != end && *at == '"') {
            at = write_quoted(at, end, object);
            if (at == nullptr) return trouble(record);
        } else {
            const char* const stop = find_byte(at, end, delimiter_);
            object.cell({at, static_cast<std::size_t>(stop - at)});
            at = stop;
        }
        const bool last = &prefix == &prefixes_.back();
        if ((at == end) != last) return trouble(record);
        if (!last) ++at;
    }
    object.raw("}");
    return true;
}

// The cell whose opening quote is at `at`. Returns where it ends, nullptr if it does not.
const char* Delimited::write_quoted(const char* at, const char* end, ObjectWriter& object) {
    const char* from = at + 1;
    const char* quote = find_byte(from, end, '"');
    bool whole = true;
    while (end - quote >= 2 && quote[1] == '"') {
        if (whole) unquoted_.clear();
        whole = false;
        unquoted_.append(from, quote + 1);
        from = quote + 2;
        quote = search(from, end, '"');
    }
    if (quote == end || (quote + 1 != end && quote[1] != delimiter_)) return nullptr;
    if (whole) {
        object.string({from, static_cast<std::size_t>(quote - from)});
    } else {
        unquoted_.append(from, quote);
        object.string(unquoted_);
    }
    return quote + 1;
}

// The slow way, for headers and for saying what is wrong.
Result<std::vector<std::string>> Delimited::split(std::string_view record) const {
    std::vector<std::string> cells;
    while (true) {
        std::string cell;
        if (!quotes_ || !record.starts_with('"')) {
            const std::size_t length = std::min(record.find(delimiter_), record.size());
            cell = record.substr(0, length);
            record.remove_prefix(length);
        } else {
            do {
                record.remove_prefix(1);
                const std::size_t length = record.find('"');
                if (length == record.npos) {
                    return fail(ErrorKind::data,
                                fmt::format("the quote that opens cell {} is not closed", cells.size() + 1));
                }
                cell += record.substr(0, length);
                record.remove_prefix(length + 1);
                if (record.starts_with('"')) cell += '"';
            } while (record.starts_with('"'));
        }
        cells.push_back(std::move(cell));
        if (record.empty()) return cells;
        if (!record.starts_with(delimiter_)) {
            return fail(ErrorKind::data, fmt::format("text after the closing quote of cell {}: {}",
                                                     cells.size(), quoted(record)));
        }
        record.remove_prefix(1);
    }
}

tl::unexpected<Error> Delimited::trouble(std::string_view record) const {
    const auto cells = split(record);
    if (!cells) return fail(cells.error().kind(), cells.error().message());
    return fail(ErrorKind::data,
                fmt::format("{} cell{} where {} column{} known", cells->size(), cells->size() == 1 ? "" : "s",
                            prefixes_.size(), prefixes_.size() == 1 ? " is" : "s are"));
}

Result<bool> Delimited::read_header(std::string_view record) {
    auto names = split(record);
    if (!names) return tl::unexpected<Error>(header_error(names.error()));
    const auto set = set_columns(std::move(*names));
    if (!set) return tl::unexpected<Error>(header_error(set.error()));
    header_ = Header::known;
    return false;
}

Error Delimited::refused(Error error) {
    if (header_ == Header::broken) return {ErrorKind::usage, broken_};
    return header_ == Header::expected ? header_error(error) : std::move(error);
}

Error Delimited::header_error(const Error& error) {
    header_ = Header::broken;
    broken_ = "the header: " + error.message();
    return {ErrorKind::usage, broken_, "--columns a,b,… names the columns of a file without a header"};
}

Result<std::unique_ptr<TextFormat>> make(const TextFormatOptions& options, char delimiter, bool quotes) {
    auto format = std::make_unique<Delimited>(delimiter, quotes);
    if (!options.columns.empty()) STREAM_TRY(format->set_columns(options.columns));
    return format;
}

}  // namespace

Result<std::unique_ptr<TextFormat>> make_csv(const TextFormatOptions& options) {
    return make(options, ',', true);
}

Result<std::unique_ptr<TextFormat>> make_tsv(const TextFormatOptions& options) {
    return make(options, '\t', false);
}

}  // namespace stream
