// SPDX-License-Identifier: Apache-2.0
// Numbers kept by value in 8 bytes each, exactly.
//
// A decimal that is the shortest text of its nearest double (every one of up to 15 digits, every
// integer up to 2^53, and whatever a program printed from a double) is kept as that double: such
// doubles are ordered as their decimals are. Any other number is kept as text, and its cell is a NaN
// that says where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "state/bytes.hpp"

namespace stream {

class NumberCells {
public:
    using Cell = double;

    Cell store(std::string_view number);
    // A cell of another collection.
    Cell store_from(const NumberCells& other, Cell cell);
    // Appends canonical number text.
    void append_to(std::string& out, Cell cell) const;
    std::string text(Cell cell) const;
    // By exact value: <0, 0, >0.
    int compare(Cell a, Cell b) const;
    // Whether every number is a plain double, that < orders.
    bool only_doubles() const { return texts_.empty(); }

    void snapshot(StateWriter& writer) const;
    void restore(StateReader& reader);
    // Whether a cell that came from a snapshot refers to something.
    bool is_valid(Cell cell) const;

    std::size_t heap_bytes() const { return texts_.capacity() * sizeof(std::string) + text_bytes_; }

private:
    Cell store_text(std::string canonical);

    std::vector<std::string> texts_;  // canonical
    std::size_t text_bytes_ = 0;
};

}  // namespace stream
