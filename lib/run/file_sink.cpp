// SPDX-License-Identifier: Apache-2.0
#include "run/file_sink.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace stream::run {

namespace {

tl::unexpected<Error> not_as_left(const std::string& target, std::string_view what) {
    return fail(ErrorKind::corrupt, fmt::format("{} {}", quoted(target, 200), what),
                "a shell's > empties the file before the run sees it: --output FILE, or >>; stream-run reset begins anew");
}

}  // namespace

FileSink::FileSink(FileSystem& files, const std::string& run_folder, std::string name, std::string target, std::uint64_t attempt)
    : files_(&files), staging_(files, run_folder, name, attempt), target_(std::move(target)) {
    newest_.name = std::move(name);
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
        // Somebody has just made it, perhaps: what a commit says of it must not be lost with its name.
        const std::size_t slash = target.rfind('/');
        STREAM_TRY(files.sync_folder(slash == std::string::npos ? "." : target.substr(0, std::max<std::size_t>(slash, 1))));
    }
    sink->newest_.base = sink->end_;
    STREAM_TRY(sink->staging_.sweep());
    return sink;
}

Result<std::unique_ptr<FileSink>> FileSink::open_stream(FileSystem& files, const std::string& run_folder, const std::string& name, std::uint64_t attempt,
                                                        const std::optional<StagedFile>& committed, Deliver deliver) {
    std::unique_ptr<FileSink> sink(new FileSink(files, run_folder, name, "", attempt));
    sink->deliver_ = std::move(deliver);
    if (committed) {
        auto there = sink->staging_.is_there(*committed);
        if (!there) return pass_on(there);
        if (*there) STREAM_TRY(sink->copy(*committed, nullptr));
    }
    if (committed) sink->end_ = committed->base + committed->length;
    sink->newest_.base = sink->end_;
    STREAM_TRY(sink->staging_.sweep());
    return sink;
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
    auto there = staging_.is_there(committed);
    if (!there) return pass_on(there);
    if (!*there) {
        // It goes once all of it is in the target.
        if (*size != end_) return not_as_left(target_, fmt::format("is {} bytes long, {} were committed to it, and what was staged is gone", *size, end_));
        return {};
    }
    return copy(committed, &target);
}

// The staged bytes to where they belong: also what is the same there already. Whoever wrote it may have died before it
// was durable, or been told that it is not, and a sync makes durable only what was written since.
Result<void> FileSink::copy(const StagedFile& staged, File* target) {
    STREAM_TRY(staging_.read(staged, [&](std::string_view bytes, std::uint64_t at) {
        return target == nullptr ? deliver_(bytes) : target->write_at(bytes, staged.base + at);
    }));
    return target != nullptr ? target->sync() : Result<void>{};
}

Result<StagedFile> FileSink::prepare(std::uint64_t) {
    auto staged = staging_.finish();
    if (!staged) return staged;
    newest_ = std::move(*staged);
    newest_.target = target_;
    newest_.base = end_;
    end_ += newest_.length;
    return newest_;
}

Result<void> FileSink::publish() {
    if (newest_.file.empty()) return {};
    if (deliver_) {
        STREAM_TRY(copy(newest_, nullptr));
        return staging_.remove(newest_);
    }
    auto target = files_->open(target_, Open::write);
    if (!target) return pass_on(target);
    auto size = (*target)->size();
    if (!size) return pass_on(size);
    if (*size != newest_.base) return not_as_left(target_, fmt::format("is {} bytes long, and {} were committed to it", *size, newest_.base));
    STREAM_TRY(copy(newest_, target->get()));
    STREAM_TRY((*target)->close());
    // Not before it is durable in the target. Its name may come back after a power failure, to be removed then.
    return staging_.remove(newest_);
}

}  // namespace stream::run
