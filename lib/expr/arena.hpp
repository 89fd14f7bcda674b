// SPDX-License-Identifier: Apache-2.0
// Memory for one evaluation: handed out in order, given back all at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

// Thrown where the whole tool was asked to stop.
struct Interrupted {};

struct Array;
struct Object;

class Arena {
public:
    explicit Arena(std::size_t limit_bytes, std::uint64_t steps_limit = UINT64_MAX, bool (*stopped)() = nullptr)
        : limit_(limit_bytes), steps_limit_(steps_limit), stopped_(stopped) {}

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
    // Text that is made outside the arena and has grown to so much. Throws LimitReached.
    void check_text(std::size_t bytes) const {
        if (bytes > limit_) [[unlikely]] throw LimitReached{"memory"};
    }
    // So much was done: a turn of a loop is 1, looking through text 1 for each 64 bytes. Throws LimitReached,
    // Interrupted.
    void work(std::uint64_t amount) {
        steps_ += amount;
        if (steps_ >= look_at_) [[unlikely]] look_up();
    }
    void work_through(std::size_t bytes) { work(1 + bytes / 64); }
    // What was built of a container's text, which is looked into again and again.
    const Array* known_array(const char* text) const { return find(arrays_, text); }
    const Object* known_object(const char* text) const { return find(objects_, text); }
    void remember(const char* text, const Array* array) { arrays_[place(text)] = {text, array}; }
    void remember(const char* text, const Object* object) { objects_[place(text)] = {text, object}; }

    // Everything handed out is gone; one chunk is kept for next time.
    void reset() {
        steps_ = 0;
        look_at_ = std::min(steps_limit_, look_each);
        if (remembers_) [[unlikely]] forget();
        if (used_ > first_chunk) [[unlikely]] shrink();
        if (!chunks_.empty()) at_ = chunks_.front().get();
    }

private:
    template <typename T>
    struct Known {
        const char* text = nullptr;
        const T* built = nullptr;
    };
    static constexpr std::size_t known_max = 16;
    std::size_t place(const char* text) {
        remembers_ = true;
        return slot_of(text);
    }
    static std::size_t slot_of(const char* text) { return (reinterpret_cast<std::uintptr_t>(text) * 0x9E3779B97F4A7C15u) >> 60; }
    template <typename T>
    static const T* find(const Known<T>* known, const char* text) {
        const Known<T>& entry = known[slot_of(text)];
        return entry.text == text ? entry.built : nullptr;
    }
    void* allocate_chunk(std::size_t bytes);
    void shrink();
    void look_up();
    void forget();

    static constexpr std::uint64_t look_each = 1u << 16;
    std::size_t limit_;
    std::uint64_t steps_ = 0;
    std::uint64_t steps_limit_ = UINT64_MAX;
    std::uint64_t look_at_ = look_each;
    bool (*stopped_)() = nullptr;
    bool remembers_ = false;
    Known<Array> arrays_[known_max];
    Known<Object> objects_[known_max];

    static constexpr std::size_t first_chunk = 64u << 10;
    std::size_t used_ = 0;
    char* at_ = nullptr;
    char* end_ = nullptr;
    std::vector<std::unique_ptr<char[]>> chunks_;
};

}  // namespace stream::expr
