// SPDX-License-Identifier: Apache-2.0
#include "run/file_sink.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/crc32c.hpp"
#include "base/text.hpp"

namespace stream::run {

namespace {

constexpr std::size_t block = 256 << 10;

tl::unexpected<Error> not_as_left(const std::string& target, std::string_view what) {
    return fail(ErrorKind::corrupt, fmt::format("{} {}", quoted(target, 200), what),
                "a shell's > empties the file before the run sees it: --output FILE, or >>; stream-run reset begins anew");
}

// A run's name in a file's name: an operator's has no slash in it.
std::string file_name(const std::string& sink, std::uint64_t number, std::uint64_t attempt) { return fmt::format("{}.{}.{}", sink, number, attempt); }

}  // namespace

FileSink::FileSink(FileSystem& files, const std::string& run_folder, std::string name, std::string target, std::uint64_t attempt)
    : files_(&files), folder_(run_folder + "/staged"), name_(std::move(name)), target_(std::move(target)), attempt_(attempt) {
    newest_.name = name_;
    newest_.target = target_;
}

FileSink::~FileSink() = default;

Result<std::unique_ptr<FileSink>> FileSink::open(FileSystem& files, const std::string& run_folder, const std::string& name, const std::string& target,
                                                 std::uint64_t attempt, const std::optional<StagedFile>& committed) {
    std::unique_ptr<FileSink> sink(new FileSink(files, run_folder, name, target, attempt));
    if (committed) {
        STREAM_TRY(sink->finish(*committed));
    } else {
        auto file = files.open(target, Open::read);
        if (!file) return pass_on(file);
        auto size = (*file)->size();
        if (!size) return pass_on(size);
        sink->end_ = *size;
    }
    sink->newest_.base = sink->end_;
    STREAM_TRY(sink->sweep({}));
    return sink;
}

Result<std::unique_ptr<FileSink>> FileSink::open_stream(FileSystem& files, const std::string& run_folder, const std::string& name, std::uint64_t attempt,
                                                        const std::optional<StagedFile>& committed, Deliver deliver) {
    std::unique_ptr<FileSink> sink(new FileSink(files, run_folder, name, "", attempt));
    sink->deliver_ = std::move(deliver);
    if (committed && !committed->file.empty()) {
        auto there = files.open_if_there(sink->folder_ + "/" + committed->file, Open::read);
        if (!there) return pass_on(there);
        if (*there != nullptr) STREAM_TRY(sink->copy(*committed, nullptr));
    }
    if (committed) sink->end_ = committed->base + committed->length;
    sink->newest_.base = sink->end_;
    STREAM_TRY(sink->sweep({}));
    return sink;
}

// Staged files of this sink, but for one.
Result<void> FileSink::sweep(const std::string& keep) {
    auto names = files_->list(folder_);
    if (!names) return pass_on(names);
    if (!*names) return {};
    for (const std::string& name : **names) {
        if (!name.starts_with(name_ + ".") || name == keep) continue;
        if (name.find_first_not_of("0123456789.", name_.size()) != std::string::npos) continue;
        STREAM_TRY(files_->remove(folder_ + "/" + name));
    }
    return {};
}

Result<void> FileSink::finish(const StagedFile& committed) {
    auto opened = files_->open(target_, Open::write);
    if (!opened) return pass_on(opened);
    File& target = **opened;
    auto size = target.size();
    if (!size) return pass_on(size);
    end_ = committed.base + committed.length;
    if (*size < committed.base) return not_as_left(target_, fmt::format("is {} bytes long, and {} were committed to it", *size, committed.base));
    if (*size > end_) return not_as_left(target_, fmt::format("goes on past the {} bytes that were committed to it: somebody else writes to it", end_));
    if (committed.length == 0) return {};
    if (committed.file.empty()) {
        // Nothing is left to copy it from: it was published whole.
        if (*size != end_) return not_as_left(target_, fmt::format("is {} bytes long, and {} were committed to it", *size, end_));
        return {};
    }
    auto there = files_->open_if_there(folder_ + "/" + committed.file, Open::read);
    if (!there) return pass_on(there);
    if (*there == nullptr) {
        // It goes once all of it is in the target.
        if (*size != end_) return not_as_left(target_, fmt::format("is {} bytes long, {} were committed to it, and what was staged is gone", *size, end_));
        return {};
    }
    return copy(committed, &target);
}

// The staged bytes to where they belong. What is the same there already is not written again.
Result<void> FileSink::copy(const StagedFile& staged, File* target) {
    const std::string path = folder_ + "/" + staged.file;
    auto source = files_->open(path, Open::read);
    if (!source) return pass_on(source);
    std::uint32_t crc = 0;
    std::string bytes;
    std::string there;
    // Its checksum before the first byte of it is copied.
    for (const bool checking : {true, false}) {
        for (std::uint64_t at = 0; at < staged.length;) {
            bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(block, staged.length - at)));
            auto got = (*source)->read_at(bytes, at);
            if (!got) return pass_on(got);
            if (*got != bytes.size()) return fail(ErrorKind::corrupt, fmt::format("{}: cut short (byte {})", path, at + *got));
            if (checking) {
                crc = crc32c_extend(crc, bytes);
            } else if (target == nullptr) {
                STREAM_TRY(deliver_(bytes));
            } else {
                there.resize(bytes.size());
                auto is = target->read_at(there, staged.base + at);
                if (!is) return pass_on(is);
                if (*is != bytes.size() || there != bytes) STREAM_TRY(target->write_at(bytes, staged.base + at));
            }
            at += bytes.size();
        }
        if (checking && crc != staged.crc) return fail(ErrorKind::corrupt, fmt::format("{}: it fails its checksum", path));
    }
    // Also where nothing was written: who wrote it may have died before it was durable.
    return target != nullptr ? target->sync() : Result<void>{};
}

Result<void> FileSink::append(std::string_view bytes) {
    buffer_ += bytes;
    return buffer_.size() >= block ? write_out() : Result<void>{};
}

Result<void> FileSink::write_out() {
    if (buffer_.empty()) return {};
    if (open_ == nullptr) {
        auto made = files_->make_folder(folder_);
        if (!made) return pass_on(made);
        open_name_ = file_name(name_, ++number_, attempt_);
        auto file = files_->open(folder_ + "/" + open_name_, Open::create_new);
        if (!file) return pass_on(file);
        open_ = std::move(*file);
        staged_ = 0;
        crc_ = 0;
    }
    STREAM_TRY(open_->write_at(buffer_, staged_));
    staged_ += buffer_.size();
    crc_ = crc32c_extend(crc_, buffer_);
    buffer_.clear();
    return {};
}

Result<StagedFile> FileSink::prepare(std::uint64_t) {
    STREAM_TRY(write_out());
    newest_ = {name_, target_, {}, end_, 0, 0};
    if (open_ == nullptr) return newest_;
    STREAM_TRY(open_->sync());
    STREAM_TRY(open_->close());
    open_.reset();
    STREAM_TRY(files_->sync_folder(folder_));
    newest_.file = open_name_;
    newest_.length = staged_;
    newest_.crc = crc_;
    end_ += staged_;
    staged_ = 0;
    return newest_;
}

Result<void> FileSink::publish() {
    if (newest_.file.empty()) return {};
    if (deliver_) {
        STREAM_TRY(copy(newest_, nullptr));
        return files_->remove(folder_ + "/" + newest_.file);
    }
    auto target = files_->open(target_, Open::write);
    if (!target) return pass_on(target);
    auto size = (*target)->size();
    if (!size) return pass_on(size);
    if (*size != newest_.base) return not_as_left(target_, fmt::format("is {} bytes long, and {} were committed to it", *size, newest_.base));
    STREAM_TRY(copy(newest_, target->get()));
    STREAM_TRY((*target)->close());
    // Not before it is durable in the target. Its name may come back after a power failure, to be removed then.
    return files_->remove(folder_ + "/" + newest_.file);
}

}  // namespace stream::run
