// SPDX-License-Identifier: Apache-2.0
#include "json/formats/formats.hpp"
#include "json/formats/record_format.hpp"

namespace stream {
namespace {

class Lines final : public RecordFormat {
public:
    Lines() : RecordFormat(BlankLines::events) {}

private:
    Result<bool> write_event(std::string_view line, ObjectWriter& object) override {
        object.raw(R"({"line":)");
        object.string(line);
        object.raw("}");
        return true;
    }
};

}  // namespace

Result<std::unique_ptr<TextFormat>> make_lines() { return std::make_unique<Lines>(); }

}  // namespace stream
