// SPDX-License-Identifier: Apache-2.0
// What inotify tells about a file's name: when to look, and where the files went that bore it and were
// renamed, several of them perhaps, between two looks. Where inotify is not to be had (or its queue
// overflowed) nothing but time tells when to look.
#pragma once

#include "io/fd.hpp"

#include <sys/inotify.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

class NameWatch {
public:
    // The folder of `path`, and, where it is a symbolic link, that of the file it leads to.
    explicit NameWatch(std::string path);

    int fd() const { return inotify_.get(); }  // -1: there is none

    // Wakes us when the file is written to. The number is for forget_file(); -1: it cannot be watched.
    int watch_file(int fd);
    void forget_file(int watch);

    struct Changes {
        // Files that bore the name, the one renamed first in front, where they are now.
        std::vector<std::string> renamed;
        // One bore the name and went away, by unlink or by a rename over it, before opened() was called.
        bool gone_unopened = false;
        bool overflow = false;  // the above may lack some
    };
    // Everything since the last call. Never waits.
    Changes drain();

    // The file that bears the name now has been opened (or there is none).
    void opened() { folders_[0].unopened = folders_[1].unopened = false; }
    bool has_unopened() const { return folders_[0].unopened || folders_[1].unopened; }

private:
    struct Folder {
        int watch = -1;
        std::string path;  // with its slash
        std::string base;
        bool unopened = false;  // a file came to bear the name, and opened() was not called since
    };
    struct Moved {
        std::uint32_t cookie = 0;  // 0: gone
        std::string path;          // empty: on its way
        bool unopened = false;
        bool kept = false;  // over one drain() already
        bool told = false;  // where it is now
    };

    void watch_folders();
    void watch_folder(Folder& folder, const std::string& path);
    void unwatch(Folder& folder);
    void handle(const inotify_event& event, std::string_view name, Changes& changes);
    void follow_moved(const inotify_event& event, const std::string& path, Changes& changes);
    void tell_moved(Changes& changes);
    void note_bearer(Folder& folder, const inotify_event& event, Changes& changes);

    std::string path_;
    OwnedFd inotify_;
    Folder folders_[2];
    std::vector<Moved> moved_;
    std::chrono::steady_clock::time_point last_try_;
};

}  // namespace stream
