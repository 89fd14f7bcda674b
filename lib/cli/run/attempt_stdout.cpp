// SPDX-License-Identifier: Apache-2.0
// What the pipeline writes to its stdout: read from a pipe, told from control lines, staged, and shown after the commit.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/text.hpp"
#include "cli/dead_letters.hpp"
#include "cli/run/attempt.hpp"
#include "io/file_system.hpp"

namespace stream {

namespace {

constexpr const char* stdout_name = "stdout";

std::string in_words(const std::string& target) { return target.empty() ? std::string("a pipe or a terminal") : stream::quoted(target, 200); }

std::string real_path(const std::string& path) {
    char* whole = ::realpath(path.c_str(), nullptr);
    std::string found = whole != nullptr ? whole : path;
    std::free(whole);
    return found;
}

Result<void> deliver_to_stdout(std::string_view bytes) {
    if (write_full(1, bytes)) return {};
    if (errno == EPIPE) return fail(ErrorKind::closed, "the reader went away");
    return system_failure("write", "stdout", errno);
}

}  // namespace

// What the commit says of it is finished first.
Result<void> Attempt::open_sink() {
    FileSystem& files = real_file_system();
    std::optional<run::StagedFile> committed;
    for (const run::StagedFile& file : last_.files) {
        if (file.name == stdout_name) committed = file;
    }
    std::string target;
    struct stat status {};
    if (!options_.output.empty() || (::fstat(1, &status) == 0 && S_ISREG(status.st_mode))) {
        const std::string path = options_.output.empty() ? "/proc/self/fd/1" : options_.output;
        if (!options_.output.empty()) {
            auto there = open_for_append(path);
            if (!there) return pass_on(there);
            STREAM_TRY((*there)->close());
        }
        target = real_path(path);
    }
    const bool elsewhere = committed && committed->target != target;
    if (elsewhere && committed->base + committed->length == 0) committed.reset();  // nothing was written there
    const auto refusal = [&] {
        return fail(ErrorKind::usage, fmt::format("the run's output was {}, now {}; what was committed is not there", in_words(committed->target), in_words(target)),
                    "the output as it was (a file may be moved, with what is in it), or stream-run reset DIR to begin anew");
    };
    if (elsewhere && committed && target.empty()) return refusal();
    auto sink = target.empty() ? run::FileSink::open_stream(files, folder_.path(), stdout_name, folder_.file().attempt, committed, deliver_to_stdout)
                               : run::FileSink::open(files, folder_.path(), stdout_name, target, folder_.file().attempt, committed);
    if (!sink && elsewhere && committed && sink.error().kind() == ErrorKind::corrupt) return refusal();
    if (!sink) return pass_on(sink);
    sink_ = std::move(*sink);
    return {};
}

// Our stdout is a file: the next command of the shell writes behind what we wrote.
void Attempt::keep_offset() const {
    if (options_.output.empty() && sink_->is_file()) ::lseek(1, static_cast<off_t>(sink_->published_end()), SEEK_SET);
}

// What no tool wrote goes to stderr: only what lies between control lines is of an epoch.
Result<void> Attempt::take_stdout_line(std::string_view line) {
    const auto control = lines_.read(line);
    if (control && control->kind == ControlLine::Kind::stream) {
        if (stdout_began_) return fail(ErrorKind::usage, "two commands write to the run's stdout: a second first line, of " + control->text);
        stdout_began_ = true;
        return {};
    }
    if (!stdout_began_) {
        write_full(2, std::string(line) + "\n");
        return {};
    }
    if (!control) {
        STREAM_TRY(sink_->append(line));
        return sink_->append("\n");
    }
    if (control->kind == ControlLine::Kind::watermark) return {};
    const bool end = control->kind == ControlLine::Kind::end;
    if (control->epoch == coordinator_->last().epoch) return coordinator_->stdout_barrier(control->epoch, std::nullopt, end);
    auto staged = sink_->prepare(control->epoch);
    if (!staged) return pass_on(staged);
    return coordinator_->stdout_barrier(control->epoch, *staged, end);
}

Result<void> Attempt::read_stdout() {
    std::string bytes(256 << 10, '\0');
    const ssize_t got = ::read(stdout_.get(), bytes.data(), bytes.size());
    if (got < 0) return errno == EINTR || errno == EAGAIN ? Result<void>{} : system_failure("read", "the pipeline's stdout", errno);
    if (got == 0) {
        stdout_.reset();
        return {};
    }
    std::string_view rest(bytes.data(), static_cast<std::size_t>(got));
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        line_ += rest.substr(0, end);
        STREAM_TRY(take_stdout_line(line_));
        line_.clear();
        rest.remove_prefix(end + 1);
    }
    line_ += rest;
    return {};
}

}  // namespace stream
