// SPDX-License-Identifier: Apache-2.0
#include "state/spill_run.hpp"

#include "base/crc32c.hpp"

#include <algorithm>
#include <cstring>

namespace stream {
namespace {

// time 8, position 8, input 4, length 4, crc 4 of these and the bytes
constexpr std::size_t head_size = 28;
constexpr std::size_t crc_at = 24;

template <class T>
T get(std::string_view bytes, std::size_t at) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

template <class T>
void set(char* bytes, std::size_t at, T value) {
    std::memcpy(bytes + at, &value, sizeof value);
}

tl::unexpected<Error> damaged() {
    return fail(ErrorKind::corrupt, "a spill file does not read as it was written");
}

}  // namespace

Result<std::string_view> RunReader::take(std::size_t size) {
    if (size > end_ - next_) return damaged();
    if (buffer_.size() - at_ < size) {
        const std::size_t kept = buffer_.size() - at_;
        const std::size_t wanted =
            std::max(size, static_cast<std::size_t>(std::min<std::uint64_t>(buffer_bytes_, end_ - next_)));
        buffer_.erase(0, at_);
        at_ = 0;
        // A long event's buffer is not kept for the short ones after it.
        if (buffer_.capacity() > 4 * std::max(wanted, buffer_bytes_)) buffer_.shrink_to_fit();
        buffer_.resize(wanted);
        STREAM_TRY(file_->read_at(next_ + kept, {buffer_.data() + kept, wanted - kept}));
    }
    const std::string_view view(buffer_.data() + at_, size);
    at_ += size;
    next_ += size;
    return view;
}

Result<bool> RunReader::next() {
    record_at_ = next_;
    if (next_ == end_) return false;
    auto head = take(head_size);
    if (!head) return pass_on(head);
    order_ = {get<std::int64_t>(*head, 0), get<std::uint32_t>(*head, 16), get<std::uint64_t>(*head, 8)};
    const auto length = get<std::uint32_t>(*head, 20);
    const auto stored_crc = get<std::uint32_t>(*head, crc_at);
    const std::uint32_t crc = crc32c(head->substr(0, crc_at));
    auto bytes = take(length);  // the head's view ends here
    if (!bytes) return pass_on(bytes);
    if (crc32c_extend(crc, *bytes) != stored_crc) return damaged();
    bytes_ = *bytes;
    return true;
}

Result<void> RunWriter::add(const EventOrder& order, std::string_view bytes) {
    char head[head_size];
    set(head, 0, order.time);
    set(head, 8, order.position);
    set(head, 16, order.input);
    set(head, 20, static_cast<std::uint32_t>(bytes.size()));
    set(head, crc_at, crc32c_extend(crc32c({head, crc_at}), bytes));
    buffer_.append(head, head_size).append(bytes);
    if (buffer_.size() >= buffer_bytes_) return flush();
    return {};
}

Result<void> RunWriter::flush() {
    STREAM_TRY(file_.write_at(written_, buffer_));
    written_ += buffer_.size();
    buffer_.clear();
    return {};
}

Result<std::uint64_t> RunWriter::finish() {
    STREAM_TRY(flush());
    return written_;
}

}  // namespace stream
