// SPDX-License-Identifier: Apache-2.0
#include "ops/aggregates/number_cells.hpp"

#include <bit>
#include <cmath>

#include "json/number.hpp"

namespace stream {
namespace {

constexpr std::uint64_t quiet_nan = 0x7FF8'0000'0000'0000;

std::size_t index_of(double cell) { return std::bit_cast<std::uint64_t>(cell) & ~quiet_nan; }

// A plain decimal (no exponent) of at most 15 digits: always the shortest text of its double.
bool is_short_decimal(std::string_view text) {
    if (text.size() > 17) return false;
    int digits = 0;
    for (const char c : text) {
        if (c >= '0' && c <= '9') {
            ++digits;
        } else if (c != '.' && c != '-') {
            return false;
        }
    }
    return digits <= 15;
}

}  // namespace

NumberCells::Cell NumberCells::store(std::string_view number) {
    if (is_short_decimal(number)) {
        const double value = to_double(number);
        return value == 0 ? 0.0 : value;
    }
    std::string canonical;
    append_canonical_number(canonical, number);
    const double value = to_double(canonical);
    if (std::isfinite(value)) {
        std::string shortest;
        append_double(shortest, value);
        if (shortest == canonical) return value;
    }
    return store_text(std::move(canonical));
}

NumberCells::Cell NumberCells::store_text(std::string canonical) {
    const std::uint64_t index = texts_.size();
    text_bytes_ += canonical.capacity();
    texts_.push_back(std::move(canonical));
    return std::bit_cast<double>(quiet_nan | index);
}

NumberCells::Cell NumberCells::store_from(const NumberCells& other, Cell cell) {
    return std::isnan(cell) ? store_text(other.texts_[index_of(cell)]) : cell;
}

void NumberCells::append_to(std::string& out, Cell cell) const {
    if (std::isnan(cell)) {
        out.append(texts_[index_of(cell)]);
    } else {
        append_double(out, cell);
    }
}

std::string NumberCells::text(Cell cell) const {
    std::string out;
    append_to(out, cell);
    return out;
}

int NumberCells::compare(Cell a, Cell b) const {
    if (!std::isnan(a) && !std::isnan(b)) return a < b ? -1 : a > b ? 1 : 0;
    // Rounding keeps the order: only where the nearest doubles are the same do the texts decide.
    const double left = std::isnan(a) ? to_double(texts_[index_of(a)]) : a;
    const double right = std::isnan(b) ? to_double(texts_[index_of(b)]) : b;
    if (left != right) return left < right ? -1 : 1;
    return compare_numbers(text(a), text(b));
}

void NumberCells::snapshot(StateWriter& writer) const {
    writer.put_varint(texts_.size());
    for (const std::string& text : texts_) writer.put_bytes(text);
}

void NumberCells::restore(StateReader& reader) {
    for (std::uint64_t count = reader.get_varint(); count > 0 && reader.ok(); --count) {
        store_text(std::string(reader.get_bytes()));
    }
}

bool NumberCells::is_valid(Cell cell) const { return !std::isnan(cell) || index_of(cell) < texts_.size(); }

}  // namespace stream
