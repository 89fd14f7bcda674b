// SPDX-License-Identifier: Apache-2.0
// Any bytes as NDJSON: a line means the same alone as among others, and what is found in a valid event
// lies in it. Built with libFuzzer by the preset `fuzz`, and otherwise as a program that replays the
// files it is given.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "json/canonical.hpp"
#include "json/scanner.hpp"

using namespace stream;

namespace {

FieldSet make_fields() {
    FieldSet fields;
    for (const char* name : {"ts", "a.b", "id.orig_h", "items[1].sku", "longer_than_eight", "a"}) {
        fields.add(*parse_field(name), false);
    }
    return fields;
}

struct Line {
    Scanner::Outcome outcome;
    std::vector<std::string> values;
    friend bool operator==(const Line&, const Line&) = default;
};

std::vector<Line> scan(std::string text) {
    const std::size_t size = text.size();
    text.append(scanner_padding * 2, '\0');
    FieldSet fields = make_fields();
    Scanner scanner(fields);
    scanner.start(text.data(), size);
    std::vector<Line> lines;
    for (;;) {
        const Scanner::Outcome outcome = scanner.next();
        if (outcome == Scanner::Outcome::end) return lines;
        Line line{outcome, {}};
        if (outcome == Scanner::Outcome::event) {
            const std::string_view raw = scanner.line();
            for (std::size_t i = 0; i < fields.size(); ++i) {
                const Value& value = scanner.values()[i];
                if (value.type == Type::missing) {
                    line.values.emplace_back();
                    continue;
                }
                STREAM_CHECK(value.text.data() >= raw.data() && value.text.data() + value.text.size() <= raw.data() + raw.size());
                std::string canonical;
                append_canonical(canonical, value);
                line.values.push_back(canonical);
            }
        }
        lines.push_back(std::move(line));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string text(reinterpret_cast<const char*>(data), size);
    if (text.empty() || text.back() != '\n') text.push_back('\n');
    const std::vector<Line> together = scan(text);
    std::vector<Line> alone;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = text.find('\n', begin) + 1;
        for (Line& line : scan(text.substr(begin, end - begin))) alone.push_back(std::move(line));
        begin = end;
    }
    STREAM_CHECK(together == alone);
    return 0;
}

#ifndef STREAM_LIBFUZZER
#include <fstream>
#include <iterator>

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        std::ifstream file(argv[i], std::ios::binary);
        const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
        // Every prefix too: a line may be cut anywhere.
        for (std::size_t size = 0; size < text.size() && size < 2000; ++size) {
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), size);
        }
    }
}
#endif
