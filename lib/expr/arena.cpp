// SPDX-License-Identifier: Apache-2.0
#include "expr/arena.hpp"

#include <algorithm>

namespace stream::expr {

void Arena::look_up() {
    if (steps_ > steps_limit_) throw LimitReached{"steps"};
    if (stopped_ != nullptr && stopped_()) throw Interrupted{};
    look_at_ = std::min(steps_limit_ == UINT64_MAX ? UINT64_MAX : steps_limit_ + 1, steps_ + look_each);
}

void Arena::forget() {
    for (auto& entry : arrays_) entry = {};
    for (auto& entry : objects_) entry = {};
    remembers_ = false;
}

void* Arena::allocate_chunk(std::size_t bytes) {
    const std::size_t size = std::max({first_chunk, bytes, std::min(used_, std::size_t{8} << 20)});
    if (size > limit_ || used_ > limit_ - size) throw LimitReached{"memory"};
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    used_ += size;
    at_ = chunks_.back().get();
    end_ = at_ + size;
    char* got = at_;
    at_ += bytes;
    return got;
}

// Back to the first chunk, if that one is of the usual size.
void Arena::shrink() {
    chunks_.clear();
    used_ = 0;
    at_ = nullptr;
    end_ = nullptr;
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(first_chunk));
    used_ = first_chunk;
    at_ = chunks_.front().get();
    end_ = at_ + first_chunk;
}

}  // namespace stream::expr
