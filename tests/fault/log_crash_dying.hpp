// SPDX-License-Identifier: Apache-2.0
// A process of a scenario that is killed on the way, on a disk that others go on with: what it wrote and did not sync
// is in the page cache.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "fault/log_crash.hpp"

namespace stream::test {

// What a process sees that is killed: from the call on that `last` is true of, nothing is done any more.
class Dying final : public FileSystem {
public:
    using Last = std::function<bool(std::string_view what, std::string_view path)>;

    Dying(FileSystem& files, Last last) : files_(files), last_(std::move(last)) {}
    bool is_dead() const { return dead_; }

    Result<std::unique_ptr<File>> open(const std::string& path, Open how) override {
        STREAM_TRY(live(how == Open::create_new ? "create" : "open", path));
        return wrap(files_.open(path, how), path);
    }
    Result<std::unique_ptr<File>> open_if_there(const std::string& path, Open how) override {
        STREAM_TRY(live(how == Open::create_new ? "create" : "open", path));
        return wrap(files_.open_if_there(path, how), path);
    }
    Result<bool> make_folder(const std::string& path) override {
        STREAM_TRY(live("make_folder", path));
        return files_.make_folder(path);
    }
    Result<std::optional<std::vector<std::string>>> list(const std::string& folder) override {
        STREAM_TRY(live("list", folder));
        return files_.list(folder);
    }
    Result<void> rename(const std::string& from, const std::string& to) override {
        STREAM_TRY(live("rename", from));
        return files_.rename(from, to);
    }
    Result<void> remove(const std::string& path) override {
        STREAM_TRY(live("remove", path));
        return files_.remove(path);
    }
    Result<void> sync_folder(const std::string& folder) override {
        STREAM_TRY(live("sync_folder", folder));
        return files_.sync_folder(folder);
    }
    Result<std::unique_ptr<FileLock>> lock(const std::string& path, bool wait) override {
        STREAM_TRY(live("lock", path));
        return files_.lock(path, wait);
    }
    Result<std::unique_ptr<FileLock>> lock_to_read(const std::string& path) override {
        STREAM_TRY(live("lock_to_read", path));
        return files_.lock_to_read(path);
    }
    std::uint64_t random() override { return files_.random(); }
    std::int64_t now_ns() override { return files_.now_ns(); }

private:
    class DyingFile final : public File {
    public:
        DyingFile(Dying& of, std::unique_ptr<File> file, std::string path) : of_(of), file_(std::move(file)), path_(std::move(path)) {}
        Result<std::size_t> read_at(std::span<char> into, std::uint64_t position) override {
            STREAM_TRY(of_.live("read", path_));
            return file_->read_at(into, position);
        }
        Result<void> write_at(std::string_view bytes, std::uint64_t position) override {
            STREAM_TRY(of_.live("write", path_));
            return file_->write_at(bytes, position);
        }
        Result<void> sync() override {
            STREAM_TRY(of_.live("sync", path_));
            return file_->sync();
        }
        Result<std::uint64_t> size() override {
            STREAM_TRY(of_.live("size", path_));
            return file_->size();
        }
        Result<void> truncate(std::uint64_t size) override {
            STREAM_TRY(of_.live("truncate", path_));
            return file_->truncate(size);
        }
        Result<void> close() override {
            STREAM_TRY(of_.live("close", path_));
            return file_->close();
        }

    private:
        Dying& of_;
        std::unique_ptr<File> file_;
        std::string path_;
    };

    Result<void> live(std::string_view what, std::string_view path) {
        dead_ = dead_ || last_(what, path);
        if (dead_) return fail(ErrorKind::io, "killed");
        return {};
    }
    Result<std::unique_ptr<File>> wrap(Result<std::unique_ptr<File>> file, const std::string& path) {
        if (!file || *file == nullptr) return file;
        return std::make_unique<DyingFile>(*this, std::move(*file), path);
    }

    FileSystem& files_;
    Last last_;
    bool dead_ = false;
};

// Does it as far as somebody comes who is killed there.
template <class Todo>
void kill_in(World& world, Dying::Last last, const std::string& what, Todo&& todo) {
    Dying files(world.files, std::move(last));
    auto outcome = todo(files);
    if (!files.is_dead()) ok(std::move(outcome), what);
}

inline Dying::Last first_to(std::string what, std::string begin, std::string end) {
    return [what = std::move(what), begin = std::move(begin), end = std::move(end)](std::string_view call, std::string_view path) {
        return call == what && path.starts_with(begin) && path.ends_with(end);
    };
}

inline Dying::Last after_some(std::uint64_t calls) {
    return [left = calls](std::string_view, std::string_view) mutable { return left == 0 || --left == 0; };
}

// What begins is not of interest there: a world with the same disk and model, and without stops.
inline World quiet(World& world) { return World(world.disk, "", world.model, world.random.next()); }

}  // namespace stream::test
