// SPDX-License-Identifier: Apache-2.0
// A text in 24 bytes of an aggregate's state: up to 16 bytes in place, longer ones on the heap. Unlike
// std::string it may be moved with memcpy; hence release() in place of a destructor.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/check.hpp"

namespace stream {

class SmallText {
public:
    bool empty() const { return size_ == 0; }
    std::string_view view() const { return {data(), size_}; }
    std::size_t heap_bytes() const { return capacity_; }

    void assign(std::string_view text) {
        STREAM_CHECK(text.size() <= UINT32_MAX);
        const auto size = static_cast<std::uint32_t>(text.size());
        if (size > sizeof here_ && size > capacity_) {
            release();
            // Some room to spare: `last` takes one event after the other.
            const std::uint32_t capacity = size + (size < UINT32_MAX / 2 ? size / 4 : 0);
            heap_ = new char[capacity];
            capacity_ = capacity;
        }
        if (size > 0) std::memcpy(capacity_ > 0 ? heap_ : here_, text.data(), size);
        size_ = size;
    }
    void release() {
        if (capacity_ > 0) delete[] heap_;
        size_ = capacity_ = 0;
    }

private:
    const char* data() const { return capacity_ > 0 ? heap_ : here_; }

    union {
        char* heap_;
        char here_[16] = {};
    };
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 0;  // of the heap; 0: in place
};

}  // namespace stream
