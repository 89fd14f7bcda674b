// SPDX-License-Identifier: Apache-2.0
// Memory for one evaluation: handed out in order, given back all at once.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

namespace stream::expr {

// Thrown inside lib/expr when an evaluation would pass one of its limits; Program::run turns it into an
// error of the event.
struct LimitReached {
    const char* what;  // "memory", "steps", "depth"
};

class Arena {
public:
    explicit Arena(std::size_t limit_bytes) : limit_(limit_bytes) {}

    // Aligned to 16 bytes. Throws LimitReached.
    void* allocate(std::size_t bytes) {
        bytes = (bytes + 15) & ~std::size_t{15};
        if (bytes > static_cast<std::size_t>(end_ - at_)) [[unlikely]] return allocate_chunk(bytes);
        char* got = at_;
        at_ += bytes;
        return got;
    }
    template <typename T>
    T* array(std::size_t count) {
        static_assert(std::is_trivially_destructible_v<T>);
        return static_cast<T*>(allocate(count * sizeof(T)));
    }
    std::string_view copy(std::string_view text) {
        char* to = static_cast<char*>(allocate(text.size()));
        if (!text.empty()) std::memcpy(to, text.data(), text.size());
        return {to, text.size()};
    }
    // What the evaluation holds elsewhere counts too, until reset(). Throws LimitReached.
    void charge(std::size_t bytes) {
        if (bytes > limit_ || used_ > limit_ - bytes) throw LimitReached{"memory"};
        used_ += bytes;
    }
    // Everything handed out is gone; one chunk is kept for next time.
    void reset() {
        if (used_ > first_chunk) [[unlikely]] shrink();
        if (!chunks_.empty()) at_ = chunks_.front().get();
    }

private:
    void* allocate_chunk(std::size_t bytes);
    void shrink();

    static constexpr std::size_t first_chunk = 64u << 10;
    std::size_t limit_;
    std::size_t used_ = 0;
    char* at_ = nullptr;
    char* end_ = nullptr;
    std::vector<std::unique_ptr<char[]>> chunks_;
};

}  // namespace stream::expr
