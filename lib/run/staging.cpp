// SPDX-License-Identifier: Apache-2.0
#include "run/staging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/crc32c.hpp"

namespace stream::run {

namespace {
constexpr std::size_t block = 256 << 10;
}

Result<void> Staging::append(std::string_view bytes) {
    buffer_ += bytes;
    return commit();
}

Result<void> Staging::commit() { return buffer_.size() >= block ? write_out() : Result<void>{}; }

Result<void> Staging::write_out() {
    if (buffer_.empty()) return {};
    if (file_ == nullptr) {
        auto made = files_->make_folder(folder_);
        if (!made) return pass_on(made);
        file_name_ = fmt::format("{}.{}.{}", name_, ++number_, attempt_);
        auto file = files_->open(folder_ + "/" + file_name_, Open::create_new);
        if (!file) return pass_on(file);
        file_ = std::move(*file);
        length_ = 0;
        crc_ = 0;
    }
    STREAM_TRY(file_->write_at(buffer_, length_));
    length_ += buffer_.size();
    crc_ = crc32c_extend(crc_, buffer_);
    buffer_.clear();
    return {};
}

Result<StagedFile> Staging::finish() {
    STREAM_TRY(write_out());
    StagedFile staged;
    staged.name = name_;
    if (file_ == nullptr) return staged;
    STREAM_TRY(file_->sync());
    STREAM_TRY(file_->close());
    file_.reset();
    STREAM_TRY(files_->sync_folder(folder_));
    staged.file = file_name_;
    staged.length = std::exchange(length_, 0);
    staged.crc = crc_;
    return staged;
}

Result<void> Staging::read(const StagedFile& staged, const std::function<Result<void>(std::string_view, std::uint64_t)>& use) const {
    const std::string path = folder_ + "/" + staged.file;
    auto file = files_->open(path, Open::read);
    if (!file) return pass_on(file);
    std::uint32_t crc = 0;
    std::string bytes;
    for (const bool checking : {true, false}) {
        for (std::uint64_t at = 0; at < staged.length; at += bytes.size()) {
            bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(block, staged.length - at)));
            auto got = (*file)->read_at(bytes, at);
            if (!got) return pass_on(got);
            if (*got != bytes.size()) return fail(ErrorKind::corrupt, fmt::format("{}: cut short (byte {})", path, at + *got));
            if (checking) crc = crc32c_extend(crc, bytes);
            else STREAM_TRY(use(bytes, at));
        }
        if (checking && crc != staged.crc) return fail(ErrorKind::corrupt, fmt::format("{}: it fails its checksum", path));
    }
    return {};
}

Result<bool> Staging::is_there(const StagedFile& staged) const {
    if (staged.file.empty()) return false;
    auto file = files_->open_if_there(folder_ + "/" + staged.file, Open::read);
    if (!file) return pass_on(file);
    return *file != nullptr;
}

Result<void> Staging::sweep() const {
    auto names = files_->list(folder_);
    if (!names) return pass_on(names);
    if (!*names) return {};
    for (const std::string& name : **names) {
        if (!name.starts_with(name_ + ".") || name.find_first_not_of("0123456789.", name_.size()) != std::string::npos) continue;
        STREAM_TRY(files_->remove(folder_ + "/" + name));
    }
    return {};
}

}  // namespace stream::run
