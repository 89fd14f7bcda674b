// SPDX-License-Identifier: Apache-2.0
// Finding the file that a place is in, also after it was renamed, copied and truncated, or compressed, and
// the files that bore its name after it.
#pragma once

#include "base/error.hpp"
#include "io/file_place.hpp"
#include "io/file_source.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stream {

struct FilePart {
    std::string path;
    std::unique_ptr<FileSource> source;  // stands at `offset`; its life is noted
    std::uint64_t offset = 0;
    bool left = false;  // read before the current one, and written to since
};

struct FoundPlace {
    // To be read in this order: those that were left, then the current one, then those that came after it.
    // Empty where no file bears the name yet.
    std::vector<FilePart> parts;
    // A sentence: the bytes behind the place are gone. `parts` are then the files that came after.
    std::optional<std::string> gap;
};

// In the folder of `path` (and that of what it links to) the place's file is looked for by device and inode,
// then by its checksums: the file of that name, its rotated siblings, oldest first, and then any whose name
// begins as it does. Of several whose checksums match, one that was last written to before the place was
// taken cannot be it. Only rotated siblings are taken to have come after it: NAME.N, NAME-DATE, STEM-DATE.EXT
// and the like, also compressed, in the order of their mtimes. A place with offset 0 is a gap only
// where there were bytes to be read and no sibling has come since that may hold them.
//
// `settle` is called before the folder is looked at once more: what happened to it until then is accounted
// for. Errors: ErrorKind::io; ErrorKind::usage where `path` is no regular file; ErrorKind::data where a file
// that came after is compressed in a way that is not read.
Result<FoundPlace> find_place(const std::string& path, const FilePlace& place,
                              const std::function<void()>& settle = {});

// What the gap means to a caller that doesn't skip it.
tl::unexpected<Error> gap_failure(const std::string& gap);

// Opens a regular file to be read from its start. Nothing and errno if it can't be opened or is none (errno
// 0).
Result<std::optional<FilePart>> open_part(const std::string& path);

// Several files read one after the other. Where one ends in the middle of a line the line is complete, if
// another follows: a newline is put in.
class PartReader {
public:
    // `always_ends_lines`: one follows the last of them too.
    PartReader(std::vector<FilePart> parts, GivenBytes& given, bool always_ends_lines);

    Result<ReadOutcome> read(std::span<char> into);  // never would_block
    std::uint64_t raw_position() const;
    std::uint64_t raw_size() const;

private:
    std::vector<FilePart> parts_;
    std::size_t at_ = 0;
    GivenBytes& given_;
    bool always_ends_lines_;
    bool in_line_ = false;
};

// Tells where reading starts.
void note_start(const std::vector<FilePart>& parts, GivenBytes& given);

}  // namespace stream
