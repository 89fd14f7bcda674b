// SPDX-License-Identifier: Apache-2.0
// What all text formats share: lines, line ends, a byte order mark, UTF-8.
#pragma once

#include "base/error.hpp"
#include "json/formats/object_writer.hpp"
#include "json/text_format.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace stream {

class RecordFormat : public TextFormat {
public:
    // A record is a line, unless a format says otherwise.
    std::size_t record_length(std::string_view bytes, bool at_end) override;
    // Takes off a byte order mark at the start of a file and the line end (\n or \r\n), skips blank
    // lines, sees to UTF-8, and leaves the rest to write_event.
    Result<bool> convert(std::string_view record, std::string& out) final;
    void begin_file() override;
    std::string save() const final;
    bool load(std::string_view saved) final;

protected:
    enum class BlankLines : std::uint8_t { skipped, events };
    explicit RecordFormat(BlankLines blank_lines = BlankLines::skipped) : blank_lines_(blank_lines) {}

    // One record, UTF-8, without its line end, to one whole object. False: no event.
    virtual Result<bool> write_event(std::string_view record, ObjectWriter& object) = 0;
    // What a format itself has learnt.
    virtual std::string learnt() const { return {}; }
    virtual bool relearn(std::string_view saved) { return saved.empty(); }
    // A record that is not UTF-8, on its way to the caller.
    virtual Error refused(Error error) { return error; }

    // The length of the byte order mark in front of these bytes, if a file starts with them.
    std::size_t mark_length(std::string_view bytes) const;
    // How much of the record that is not complete yet was looked at: where to go on.
    std::size_t resume_at(std::string_view bytes) const {
        return looked_at_ <= bytes.size() ? looked_at_ : 0;
    }
    // Remembers that, and answers 0; or, with what is left at the end of the input, all of it.
    std::size_t incomplete(std::string_view bytes, std::size_t looked_at, bool at_end);
    std::size_t complete(std::size_t length);

private:
    ObjectWriter object_;
    std::size_t looked_at_ = 0;
    BlankLines blank_lines_;
    bool at_file_start_ = true;
};

}  // namespace stream
