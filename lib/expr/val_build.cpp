// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "base/hash.hpp"
#include "expr/val.hpp"

namespace stream::expr {

namespace {
// Up to this many members are found by looking at each.
constexpr std::uint32_t unindexed_max = 12;
}  // namespace

ArrayBuilder::ArrayBuilder(Arena& arena, std::size_t expected)
    : arena_(arena), items_(arena.array<Val>(std::max<std::size_t>(expected, 1))), capacity_(std::max<std::size_t>(expected, 1)) {}

void ArrayBuilder::add(Val value) {
    if (size_ == capacity_) {
        Val* more = arena_.array<Val>(capacity_ * 2);
        std::memcpy(static_cast<void*>(more), items_, size_ * sizeof(Val));
        items_ = more;
        capacity_ *= 2;
    }
    items_[size_++] = value;
}

Val ArrayBuilder::finish() {
    if (size_ > UINT32_MAX) throw LimitReached{"memory"};
    auto* made = static_cast<Array*>(arena_.allocate(sizeof(Array)));
    *made = {items_, static_cast<std::uint32_t>(size_)};
    return Val::of_array(made);
}

ObjectBuilder::ObjectBuilder(Arena& arena, std::size_t expected)
    : arena_(arena), members_(arena.array<Member>(std::max<std::size_t>(expected, 1))),
      capacity_(static_cast<std::uint32_t>(std::max<std::size_t>(expected, 1))) {}

ObjectBuilder::ObjectBuilder(Arena& arena, const Object& from) : ObjectBuilder(arena, std::size_t{from.size} + 4) {
    if (from.size > 0) std::memcpy(static_cast<void*>(members_), from.members, from.size * sizeof(Member));
    size_ = from.size;
    if (size_ > unindexed_max) grow_index();
}

std::ptrdiff_t ObjectBuilder::find(std::string_view name) const {
    if (index_ != nullptr) {
        std::uint32_t place = static_cast<std::uint32_t>(hash64(name, table_seed)) & index_mask_;
        for (; index_[place] != 0; place = (place + 1) & index_mask_) {
            if (utf8_of(arena_, members_[index_[place] - 1].name) == name) return index_[place] - 1;
        }
        return -1;
    }
    for (std::uint32_t i = 0; i < size_; ++i) {
        if (utf8_of(arena_, members_[i].name) == name) return i;
    }
    return -1;
}

void ObjectBuilder::grow_index() {
    std::uint32_t places = 64;
    while (places < size_ * 4) places *= 2;
    index_ = arena_.array<std::uint32_t>(places);
    std::memset(index_, 0, places * sizeof(std::uint32_t));
    index_mask_ = places - 1;
    for (std::uint32_t i = 0; i < size_; ++i) {
        const std::string_view name = utf8_of(arena_, members_[i].name);
        std::uint32_t place = static_cast<std::uint32_t>(hash64(name, table_seed)) & index_mask_;
        while (index_[place] != 0) place = (place + 1) & index_mask_;
        index_[place] = i + 1;
    }
}

void ObjectBuilder::set(Val name, Val value) {
    const std::string_view utf8 = utf8_of(arena_, name);
    if (const std::ptrdiff_t at = find(utf8); at >= 0) {
        members_[at].value = value;
        return;
    }
    if (size_ == capacity_) {
        Member* more = arena_.array<Member>(std::size_t{capacity_} * 2);
        std::memcpy(static_cast<void*>(more), members_, size_ * sizeof(Member));
        members_ = more;
        capacity_ *= 2;
    }
    members_[size_++] = {name.escaped ? Val::of_string(utf8) : name, value};
    if (size_ <= unindexed_max) return;
    if (index_ == nullptr || size_ * 2 > index_mask_) {
        grow_index();
        return;
    }
    std::uint32_t place = static_cast<std::uint32_t>(hash64(utf8, table_seed)) & index_mask_;
    while (index_[place] != 0) place = (place + 1) & index_mask_;
    index_[place] = size_;
}

void ObjectBuilder::remove(Val name) {
    const std::ptrdiff_t at = find(utf8_of(arena_, name));
    if (at < 0) return;
    std::memmove(static_cast<void*>(members_ + at), members_ + at + 1, (size_ - static_cast<std::size_t>(at) - 1) * sizeof(Member));
    --size_;
    index_ = nullptr;
    index_mask_ = 0;
    if (size_ > unindexed_max) grow_index();
}

Val ObjectBuilder::finish() {
    auto* made = static_cast<Object*>(arena_.allocate(sizeof(Object)));
    *made = {members_, size_, index_, index_mask_};
    return Val::of_object(made);
}

}  // namespace stream::expr
