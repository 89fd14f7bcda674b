// SPDX-License-Identifier: Apache-2.0
#include "cli/run/status_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "time/timestamp.hpp"

namespace stream {

namespace {

struct Column {
    const char* title;
    bool left = false;
    bool only_if_any = false;  // left out where all of it is 0
};
constexpr std::array<Column, 11> columns = {{{"tool", true}, {"events in"}, {"in/s"}, {"events out"}, {"event time", true}, {"lag"},
                                             {"late"}, {"bad", false, true}, {"state"}, {"epoch"}, {"age"}}};
using Row = std::array<std::string, columns.size()>;

// 0.4s, 12s, 3m 5s, 2h 10m, 4d 3h
std::string age(std::int64_t ns) {
    const std::int64_t seconds = ns / ns_per_second;
    if (ns < 10 * ns_per_second) return fmt::format("{:.1f}s", static_cast<double>(ns) / 1e9);
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 3600) return fmt::format("{}m {}s", seconds / 60, seconds % 60);
    if (seconds < 86400) return fmt::format("{}h {}m", seconds / 3600, seconds / 60 % 60);
    return fmt::format("{}d {}h", seconds / 86400, seconds / 3600 % 24);
}

std::string size(std::uint64_t bytes) {
    const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes);
    int unit = 0;
    while (value >= 1024 && unit < 4) {
        value /= 1024;
        ++unit;
    }
    return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, units[unit]);
}

std::string count(const run::Message& line, const char* member) { return line.has(member) ? std::to_string(line.number(member)) : "-"; }
std::string rate(const run::Message& line, const char* member) {
    if (!line.has(member) || line.flag("gone")) return "-";
    const double value = line.real(member);
    return fmt::format("{:.{}f}", value, value < 100 ? 1 : 0);
}
std::string duration(const run::Message& line, const char* member) { return line.has(member) ? age(line.signed_number(member)) : "-"; }

// To the second: 2026-01-01T00:01:00Z.
std::string event_time(const run::Message& line) {
    const std::string time = line.text("newest");
    const std::size_t point = time.find('.');
    return time.empty() ? "-" : point == std::string::npos ? printable(time, 40) : printable(time.substr(0, point), 40) + "Z";
}

Row row_of(const run::Message& line) {
    return {printable(line.text("tool"), 60) + (line.flag("gone") ? " (gone)" : ""), count(line, "events_in"), rate(line, "events_in_per_s"), count(line, "events_out"),
            event_time(line), duration(line, "watermark_lag_ns"), count(line, "late"), count(line, "bad"),
            line.has("state_bytes") ? size(line.number("state_bytes")) : "-", count(line, "epoch"), duration(line, "epoch_ago_ns")};
}

std::string head_of(const run::Message& line) {
    const std::int64_t ago = line.signed_number("committed_ago_ns");
    std::string head = fmt::format("{}, epoch {}{}, attempt {}, run {}\n", line.text("state"), line.number("epoch"), ago < 0 ? "" : " committed " + age(ago) + " ago",
                                   line.number("attempt"), line.text("run"));
    if (line.number("restarts") > 0) {
        head += fmt::format("started again {}{}", line.number("restarts"), line.number("restarts") == 1 ? " time" : " times");
        head += (line.has("failure") ? ": " + printable(line.text("failure"), 200) : "") + "\n";
    }
    if (!line.text("pipeline").empty()) head += printable(line.text("pipeline"), 400) + "\n";
    return head;
}

}  // namespace

std::string status_table(const std::vector<run::Message>& report) {
    std::string out;
    std::vector<Row> rows(1);
    for (std::size_t i = 0; i < columns.size(); ++i) rows[0][i] = columns[i].title;
    for (const run::Message& line : report) {
        if (line.kind() == "run") out += head_of(line);
        else rows.push_back(row_of(line));
    }
    if (rows.size() == 1) return out;
    for (const Row& row : rows) {
        std::string text;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const auto is_nothing = [&](const Row& other) { return other[i] == "0" || other[i] == "-"; };
            if (columns[i].only_if_any && std::all_of(rows.begin() + 1, rows.end(), is_nothing)) continue;
            std::size_t width = 0;
            for (const Row& other : rows) width = std::max(width, other[i].size());
            text += (i == 0 ? "" : "  ") + (columns[i].left ? fmt::format("{:<{}}", row[i], width) : fmt::format("{:>{}}", row[i], width));
        }
        out += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
    }
    return out;
}

}  // namespace stream
