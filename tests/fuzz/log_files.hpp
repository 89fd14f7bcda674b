// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets of the log share: files on a disk in memory, everything that reads them, and how much
// memory that took at once.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "log/maintain.hpp"
#include "log/manifest.hpp"
#include "log/reader.hpp"
#include "support/simulated_disk.hpp"

namespace fuzz_log {

inline std::size_t greatest = 0;  // allocation since it was set to 0

}  // namespace fuzz_log

// Included once, by the target.
void* operator new(std::size_t size) {
    if (size > fuzz_log::greatest) fuzz_log::greatest = size;
    void* got = std::malloc(size == 0 ? 1 : size);
    if (got == nullptr) std::abort();
    return got;
}
void operator delete(void* what) noexcept { std::free(what); }
void operator delete(void* what, std::size_t) noexcept { std::free(what); }

namespace fuzz_log {

using namespace stream;
using namespace stream::log;

inline constexpr const char* folder = "/log";

inline void put(test::SimulatedDisk& disk, const std::string& path, std::string_view bytes) {
    STREAM_CHECK(disk.remove(path));
    auto file = disk.open(path, Open::create_new);
    STREAM_CHECK(file && (*file)->write_at(bytes, 0));
}

// Records come in order, each within its lines, and reading ends.
inline std::uint64_t read_all(test::SimulatedDisk& disk, bool skip) {
    ReaderOptions options;
    options.skip_corrupt = skip;
    auto reader = LogReader::open(disk, folder, options);
    if (!reader) return 0;
    std::vector<std::uint64_t> next(reader->manifest().config().partitions, 0);
    std::uint64_t records = 0;
    Run run;
    for (std::size_t steps = 0;; ++steps) {
        STREAM_CHECK(steps < 1'000'000);
        auto got = reader->next(run);
        if (!got || *got == LogReader::Next::end) return records;
        if (*got != LogReader::Next::records) continue;
        STREAM_CHECK(run.records > 0);
        std::string_view rest = run.lines;
        for (std::uint32_t i = 0; i < run.records; ++i) {
            const std::size_t end = rest.find('\n');
            STREAM_CHECK(end != std::string_view::npos);
            rest.remove_prefix(end + 1);
            STREAM_CHECK(run.offset_of(i) >= next[run.partition]);
            next[run.partition] = run.offset_of(i) + 1;
            ++records;
        }
        STREAM_CHECK(rest.empty());
    }
}

// Whatever the files hold: what is refused is told, and after a repair that went well nothing is damaged.
inline void try_everything(test::SimulatedDisk& disk) {
    const std::uint64_t some = read_all(disk, false);
    STREAM_CHECK(read_all(disk, true) >= some);
    const auto verified = verify_log(disk, folder, {});
    const auto repaired = repair_log(disk, folder, {});
    if (!verified || !repaired) return;
    const auto again = verify_log(disk, folder, [](const Problem& problem) {
        if (problem.is_damage) std::fprintf(stderr, "after repair: %s: %s\n", problem.file.c_str(), problem.what.c_str());
    });
    STREAM_CHECK(again && again->damaged == 0);
    static_cast<void>(read_all(disk, false));
}

}  // namespace fuzz_log
