// SPDX-License-Identifier: Apache-2.0
#include "io/spool_source.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/nameless_file.hpp"

namespace stream {

using Status = ReadOutcome::Status;

Result<void> SpoolSource::keep(std::string_view bytes) {
    if (file_end_ == file_begin_ && in_memory_ < limits_.memory_bytes) {
        memory_.emplace_back(bytes);
        in_memory_ += bytes.size();
        return {};
    }
    if (!file_.is_open()) {
        auto made = open_nameless(limits_.folder);
        if (!made) return pass_on(made);
        file_ = std::move(*made);
    }
    if (file_end_ - file_begin_ + bytes.size() > limits_.file_bytes) {
        return fail(ErrorKind::limit, fmt::format("what waits for the other inputs takes more than --spill-max ({} bytes)", file_end_ - file_begin_), "--spill-max SIZE");
    }
    for (std::size_t at = 0; at < bytes.size();) {
        const ssize_t put = ::pwrite(file_.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(file_end_));
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return system_failure("keep what waits in", limits_.folder, put == 0 ? ENOSPC : errno);
        at += static_cast<std::size_t>(put);
        file_end_ += static_cast<std::uint64_t>(put);
    }
    return {};
}

Result<void> SpoolSource::read_ahead() {
    std::string block(256 << 10, '\0');
    while (!ended_) {
        auto got = inner_->read(block);
        if (!got) return pass_on(got);
        if (got->status == Status::would_block) return {};
        if (got->status == Status::end) ended_ = true;
        else STREAM_TRY(keep(std::string_view(block).substr(0, got->size)));
    }
    return {};
}

Result<ReadOutcome> SpoolSource::read(std::span<char> into) {
    if (!memory_.empty()) {
        const std::string_view left = std::string_view(memory_.front()).substr(taken_);
        const std::size_t size = std::min(left.size(), into.size());
        std::memcpy(into.data(), left.data(), size);
        taken_ += size;
        if (taken_ == memory_.front().size()) {
            in_memory_ -= taken_;
            taken_ = 0;
            memory_.pop_front();
        }
        return ReadOutcome{Status::data, size};
    }
    if (file_begin_ < file_end_) {
        const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), file_end_ - file_begin_));
        const ssize_t got = pread_full(file_.get(), into.first(wanted), file_begin_);
        if (got <= 0) return system_failure("read what waited in", limits_.folder, got == 0 ? EIO : errno);
        file_begin_ += static_cast<std::uint64_t>(got);
        if (file_begin_ == file_end_) {
            if (::ftruncate(file_.get(), 0) != 0) return system_failure("empty what waited in", limits_.folder, errno);
            file_begin_ = file_end_ = 0;
        }
        return ReadOutcome{Status::data, static_cast<std::size_t>(got)};
    }
    if (ended_) return ReadOutcome{Status::end, 0};
    return inner_->read(into);
}

}  // namespace stream
