// SPDX-License-Identifier: Apache-2.0
#include "io/name_watch.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

namespace stream {

namespace {

constexpr std::uint32_t folder_events =
    IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

std::string resolved(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> text(::realpath(path.c_str(), nullptr), &std::free);
    return text ? std::string(text.get()) : std::string();
}

}  // namespace

NameWatch::NameWatch(std::string path)
    : path_(std::move(path)), inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    watch_folders();
}

void NameWatch::watch_folders() {
    if (!inotify_.is_open()) return;
    last_try_ = std::chrono::steady_clock::now();
    watch_folder(folders_[0], path_);
    const std::string target = resolved(path_);
    const std::string itself = resolved(folders_[0].path) + "/" + folders_[0].base;
    if (!target.empty() && target != itself) {
        watch_folder(folders_[1], target);
    } else if (!target.empty()) {
        unwatch(folders_[1]);
        folders_[1] = {};
    }
}

void NameWatch::watch_folder(Folder& folder, const std::string& path) {
    const std::size_t slash = path.rfind('/');
    std::string folder_path = slash == std::string::npos ? "./" : path.substr(0, slash + 1);
    if (folder.path != folder_path) unwatch(folder);
    folder.base = slash == std::string::npos ? path : path.substr(slash + 1);
    folder.path = std::move(folder_path);
    if (folder.watch < 0) {
        folder.watch = ::inotify_add_watch(inotify_.get(), folder.path.c_str(), folder_events);
    }
}

void NameWatch::unwatch(Folder& folder) {
    const bool shared = folders_[0].watch == folders_[1].watch;  // one folder has one watch
    if (folder.watch >= 0 && !shared) ::inotify_rm_watch(inotify_.get(), folder.watch);
    folder.watch = -1;
}

int NameWatch::watch_file(int fd) {
    if (!inotify_.is_open()) return -1;
    // By descriptor: the name may be another file's by now.
    const std::string link = fmt::format("/proc/self/fd/{}", fd);
    return ::inotify_add_watch(inotify_.get(), link.c_str(), IN_MODIFY);
}

void NameWatch::forget_file(int watch) {
    if (watch >= 0) ::inotify_rm_watch(inotify_.get(), watch);
}

NameWatch::Changes NameWatch::drain() {
    Changes changes;
    if (!inotify_.is_open()) return changes;
    alignas(inotify_event) char block[16 << 10];
    for (;;) {
        const ssize_t got = ::read(inotify_.get(), block, sizeof block);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
            inotify_event event;
            std::memcpy(&event, block + at, sizeof event);
            const char* name = block + at + sizeof event;
            handle(event, std::string_view(name, ::strnlen(name, event.len)), changes);
            at += sizeof event + event.len;
        }
    }
    tell_moved(changes);

    const bool all_watched = folders_[0].watch >= 0 && (folders_[1].path.empty() || folders_[1].watch >= 0);
    const bool link_changed = !changes.renamed.empty() || has_unopened();
    const auto since_last_try = std::chrono::steady_clock::now() - last_try_;
    if (link_changed || (!all_watched && since_last_try > std::chrono::seconds(1))) watch_folders();
    return changes;
}

// Each is kept over one more call: the second half of its rename may come with that, and it may be
// renamed once more before the caller gets to open it.
void NameWatch::tell_moved(Changes& changes) {
    std::vector<Moved> kept;
    for (Moved& moved : moved_) {
        if (!moved.path.empty() && !std::exchange(moved.told, true)) {
            changes.renamed.push_back(moved.path);
            moved.unopened = false;
        }
        if (!std::exchange(moved.kept, true)) {
            kept.push_back(std::move(moved));
        } else {
            changes.gone_unopened |= moved.unopened;  // moved out of the folder
        }
    }
    moved_ = std::move(kept);
}

void NameWatch::handle(const inotify_event& event, std::string_view name, Changes& changes) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) changes.overflow = true;
    bool followed = false;
    for (Folder& folder : folders_) {
        if (folder.watch < 0 || folder.watch != event.wd) continue;
        if ((event.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0) {
            // Another folder may have our path by now: it is watched anew.
            if ((event.mask & IN_MOVE_SELF) != 0) unwatch(folder);
            folder.watch = -1;
            continue;
        }
        if (!std::exchange(followed, true)) follow_moved(event, folder.path + std::string(name), changes);
        if (name == folder.base) note_bearer(folder, event, changes);
    }
}

// Where the files are that bore the name.
void NameWatch::follow_moved(const inotify_event& event, const std::string& path, Changes& changes) {
    const bool taken = (event.mask & (IN_DELETE | IN_MOVED_TO)) != 0;
    for (Moved& moved : moved_) {
        if (moved.path == path && (event.mask & IN_MOVED_FROM) != 0) {
            moved.cookie = event.cookie;
            moved.path.clear();
            moved.told = false;
        } else if (moved.path == path && taken) {  // removed, or another was renamed over it
            changes.gone_unopened |= moved.unopened;
            moved = {};
        } else if (moved.path.empty() && moved.cookie == event.cookie && (event.mask & IN_MOVED_TO) != 0) {
            moved.path = path;
        }
    }
    std::erase_if(moved_, [](const Moved& moved) { return moved.cookie == 0; });
}

void NameWatch::note_bearer(Folder& folder, const inotify_event& event, Changes& changes) {
    const bool arrives = (event.mask & (IN_CREATE | IN_MOVED_TO)) != 0;
    if ((event.mask & IN_MOVED_FROM) != 0) {
        moved_.push_back(
            {.cookie = event.cookie, .path = {}, .unopened = std::exchange(folder.unopened, false)});
    } else {
        changes.gone_unopened |= folder.unopened;  // unlinked, or another was renamed over it
        folder.unopened = arrives;
    }
}

}  // namespace stream
