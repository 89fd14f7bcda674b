// SPDX-License-Identifier: Apache-2.0
// One file that grows, by its descriptor: what was appended since the last look, in whole lines, and
// whether what was read of it is still there.
//
// How a rewritten file is known: the first and the last KiB of what was read are kept and compared with
// the file after every read (after it: what was read a moment ago is then known to be of the same
// content). Truncation is also seen by the size. Not seen is a file that was cut and written again
// between two looks with the same bytes in those two places.
#pragma once

#include "base/error.hpp"
#include "io/fd.hpp"
#include "io/given_bytes.hpp"

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace stream {

class FollowedFile {
public:
    using Identity = std::pair<std::uint64_t, std::uint64_t>;  // device, inode

    // An open regular file. `name` is for messages; at least `window` of the bytes last read are kept in
    // mind.
    FollowedFile(std::shared_ptr<OwnedFd> fd, std::string name, const struct stat& status,
                 std::size_t window = place_edge);

    static Identity identity_of(const struct stat& status) { return {status.st_dev, status.st_ino}; }

    // Starts after the last newline of what is there now.
    Result<void> skip_to_end();
    // Starts there: what is before it was read already.
    Result<void> start_at(std::uint64_t position);

    struct Look {
        enum class Found : std::uint8_t {
            data,       // `size` bytes are at the front of the span
            nothing,    // all that is there was read
            restarted,  // the file was truncated or rewritten: the next look begins at its start
            stale,      // a file server has removed it under us: nothing more can be read
        };
        Found found = Found::nothing;
        std::size_t size = 0;
        bool rewritten = false;        // with restarted: not shorter, but not what it was
        std::uint64_t missing = 0;     // bytes seen to be there that were cut off before they were read
        std::uint64_t unfinished = 0;  // bytes of the last line, not ended, that its writer took back
    };
    // Whole lines, as many as fit; part of one only if it is longer than the span. The bytes behind
    // the last newline are kept for take_unfinished() or the next look. ErrorKind::io: what it said.
    Result<Look> look(std::span<char> into);

    // The beginning of a line that was read but not handed on.
    std::string take_unfinished() { return std::exchange(unfinished_, {}); }

    int fd() const { return fd_->get(); }
    Identity identity() const { return identity_; }
    const std::string& name() const { return name_; }
    std::uint64_t position() const { return life_->bytes.end; }                  // of what was read
    std::uint64_t delivered() const { return position() - unfinished_.size(); }  // of what was handed on
    // Another one once look() said that it was restarted; what take_unfinished() gives then is the end of the
    // one before.
    const FileLifePtr& life() const { return life_; }
    const FileLifePtr& life_of_unfinished() const { return looked_at_; }
    std::uint64_t size_seen() const { return size_seen_; }
    bool is_empty_now() const;

private:
    Result<bool> is_unchanged(std::uint64_t size) const;
    Result<bool> same_bytes(std::string_view kept, std::uint64_t position) const;
    void begin_life();
    Result<Look> take_back(std::uint64_t size);
    Result<Look> shrunk_or_rewritten(std::uint64_t size);
    Look hand_over(std::span<char> into, std::size_t fresh);
    std::size_t skip_hole(std::span<char> fresh);
    tl::unexpected<Error> read_failure() const;

    std::shared_ptr<OwnedFd> fd_;
    std::string name_;
    Identity identity_;
    std::size_t window_;
    FileLifePtr life_;       // the first and the last bytes that were read are in it
    FileLifePtr looked_at_;  // as it was before the last look
    std::uint64_t size_seen_ = 0;
    std::string unfinished_;  // the bytes before position() that were not handed on: no newline in them
    bool at_start_ = true;    // nothing but zeros was read
};

}  // namespace stream
