// SPDX-License-Identifier: Apache-2.0
// One compact JSON object, put together in a buffer that is kept from record to record: no allocation
// in the steady state, and a record that turns out bad half way has left nothing in the output.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

// Whether a text is a number by JSON's grammar (RFC 8259, section 6): not 007, +1, 1., .5, 1_000, NaN.
bool is_json_number(std::string_view text);

class ObjectWriter {
public:
    void clear() { size_ = 0; }
    std::string_view text() const { return {buffer_.data(), size_}; }

    // JSON as it is: braces, names, commas.
    void raw(std::string_view json) {
        reserve(json.size());
        copy(buffer_.data() + size_, json.data(), json.size());
        size_ += json.size();
    }
    void null() { raw("null"); }

    // A JSON string, escaped where RFC 8259 demands it. `text` is UTF-8.
    void string(std::string_view text);
    // The same; null if it is empty.
    void string_or_null(std::string_view text) { text.empty() ? null() : string(text); }
    // An untyped cell: null if it is empty, its own bytes if they are a JSON number, else a string
    // (true, false and null included: a file that says "true" may as well have meant the word).
    void cell(std::string_view text);

private:
    // Names and cells are mostly of a few bytes, where a call of memcpy takes longer than the copying.
    static void copy(char* to, const char* from, std::size_t size) {
        if (size >= 8 && size <= 16) {
            std::memcpy(to, from, 8);
            std::memcpy(to + size - 8, from + size - 8, 8);
        } else if (size >= 4 && size < 8) {
            std::memcpy(to, from, 4);
            std::memcpy(to + size - 4, from + size - 4, 4);
        } else if (size < 4) {
            for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
        } else {
            std::memcpy(to, from, size);
        }
    }

    void reserve(std::size_t more) {
        if (buffer_.size() - size_ < more) [[unlikely]]
            grow(more);
    }
    void grow(std::size_t more);

    std::vector<char> buffer_;
    std::size_t size_ = 0;
    std::string escaped_;
};

}  // namespace stream
