// SPDX-License-Identifier: Apache-2.0
#include "cli/hints.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

namespace stream {

namespace {

bool looks_like_access_log(std::string_view line) {
    // … [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 …
    const std::size_t open = line.find(" [");
    return open != std::string_view::npos && line.size() > open + 28 && line[open + 4] == '/' &&
           line[open + 8] == '/' && line.find("] \"", open) != std::string_view::npos;
}

bool looks_like_syslog(std::string_view line) {
    if (line.size() < 16) return false;
    static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const std::size_t month = months.find(line.substr(0, 3));
    return month != std::string_view::npos && month % 3 == 0 && line[3] == ' ' && line[6] == ' ' &&
           line[9] == ':' && line[12] == ':' && line[15] == ' ';
}

bool looks_like_logfmt(std::string_view line) {
    int pairs = 0;
    std::size_t at = 0;
    while (at < line.size()) {
        const std::size_t space = std::min(line.find(' ', at), line.size());
        const std::string_view word = line.substr(at, space - at);
        const std::size_t equals = word.find('=');
        if (equals != std::string_view::npos && equals > 0 &&
            std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals), [](char c) {
                return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
            })) {
            ++pairs;
        }
        at = space + 1;
    }
    return pairs >= 2;
}

}  // namespace

std::string hint_for_bad_line(std::string_view line, std::string_view tool, std::string_view source) {
    const std::string file = source == "stdin" ? "FILE" : std::string(source);
    const auto with_format = [&](std::string_view format) {
        const std::string cat = "stream-cat --format " + std::string(format) + " " + file;
        if (tool == "stream-cat") return "--format " + std::string(format);
        return cat + " | " + std::string(tool) + " …";
    };
    if (line.find('\0') != std::string_view::npos) return "this looks like a binary file: events are JSON objects, one a line";
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    if (line.empty()) return {};
    if (line.front() == '[') return "a JSON array is not lines of events: jq -c '.[]' " + file + " | " + std::string(tool) + " …";
    if (line == "{" || (line.front() == '{' && line.back() == ',')) {
        return "one event a line: jq -c . " + file + " | " + std::string(tool) + " …";
    }
    if (line.front() == '{' || line.front() == '"') return {};
    if (looks_like_access_log(line)) return "this looks like an access log: " + with_format("combined");
    if (looks_like_syslog(line)) return "this looks like syslog: " + with_format("syslog --base YEAR");
    if (looks_like_logfmt(line)) return "this looks like logfmt: " + with_format("logfmt");
    if (line.find('\t') != std::string_view::npos) return "this looks like tab-separated values: " + with_format("tsv");
    if (std::count(line.begin(), line.end(), ',') >= 1) return "this looks like CSV: " + with_format("csv");
    return "events are JSON objects, one a line; for other text: " + with_format("lines");
}

std::string hint_for_stdout() {
    struct stat status {};
    if (::fstat(1, &status) != 0 || !S_ISREG(status.st_mode)) return {};
    char path[4096];
    const ssize_t n = ::readlink("/proc/self/fd/1", path, sizeof path);
    if (n <= 0) return {};
    std::string_view name(path, static_cast<std::size_t>(n));
    name.remove_prefix(name.rfind('/') + 1);
    const bool number = std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (name.empty() || (name.front() != '=' && !number)) return {};
    return std::string(name);
}

}  // namespace stream
