// SPDX-License-Identifier: Apache-2.0
// The content of one file of the simulated disk: as the page cache has it, and of each unsynced sector what
// it was before. So a sync is cheap, and a crash costs what is unsynced: the rest is shared with the disk
// that comes out of it, until either writes.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stream::test {

// SplitMix64: small, and the same everywhere.
class SeededRandom {
public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t mixed = state_ += 0x9E3779B97F4A7C15u;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
        return mixed ^ (mixed >> 31);
    }
    std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : next() % limit; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }

private:
    std::uint64_t state_;
};

// What the power failing within a sector's writing does to it.
enum class Torn : std::uint8_t {
    never,
    changed_bytes,  // bytes that the writes left alike are safe, others are old, new or garbage
    sector          // all 512 bytes are garbage, synced ones among them
};

// Of each file it is drawn how much of it the crash spares: with a fair coin for each sector alone,
// "everything came" and "nothing came" would never be seen of a long write.
class SectorCoin {
public:
    explicit SectorCoin(SeededRandom& chance)
        : chance_(chance), style_(static_cast<Style>(chance.below(6))) {}

    // Which of the versions: 0 is the durable one, the last the newest.
    std::size_t draw(std::size_t versions) {
        if (versions > 2 && chance_.one_in(3)) return chance_.below(versions);
        return is_newest() ? versions - 1 : 0;
    }

private:
    enum class Style : std::uint8_t { nothing, everything, all_but_few, few, first_ones, any };

    bool is_newest() {
        constexpr std::uint64_t rarely = 16;
        switch (style_) {
            case Style::nothing:
                return false;
            case Style::everything:
                return true;
            case Style::all_but_few:
                return !chance_.one_in(rarely);
            case Style::few:
                return chance_.one_in(rarely);
            case Style::first_ones:
                if (chance_.one_in(4)) style_ = Style::nothing;
                return style_ == Style::first_ones;
            case Style::any:
                break;
        }
        return chance_.one_in(2);
    }

    SeededRandom& chance_;
    Style style_;
};

class SimulatedFile {
public:
    static constexpr std::uint64_t sector_size = 512;

    SimulatedFile() = default;
    // Durable as it is.
    explicit SimulatedFile(std::shared_ptr<std::string> bytes) : bytes_(std::move(bytes)) { sync(); }

    const std::string& bytes() const { return *bytes_; }
    std::uint64_t size() const { return bytes_->size(); }
    bool is_durable() const {
        return unsynced_.empty() && durable_size_ == least_size_ && durable_size_ == greatest_size_;
    }

    // `in_between`: what a sector was between two writes is remembered too.
    void write(std::string_view bytes, std::uint64_t at, bool in_between) {
        if (bytes.empty()) return;
        const std::uint64_t end = at + bytes.size();
        remember(at, end, in_between);
        resize(std::max(size(), end));
        bytes_->replace(at, bytes.size(), bytes);
    }

    void truncate(std::uint64_t size, bool in_between) {
        remember(size, bytes_->size(), in_between);
        resize(size);
    }

    void sync() {
        durable_size_ = least_size_ = greatest_size_ = size();
        std::erase_if(unsynced_, [&](const auto& entry) {
            return !entry.second.lost || entry.first * sector_size >= durable_size_;
        });
    }

    // The sync failed: the pages are clean to the kernel, so that no later sync writes them.
    void fail_sync() {
        for (auto& [sector, entry] : unsynced_) entry.lost = true;
    }

    std::shared_ptr<std::string> after_crash(SeededRandom& chance, Torn torn, std::string* story) const {
        if (is_durable()) return bytes_;
        const std::uint64_t size_left = draw_size(chance);
        auto left = std::make_shared<std::string>(*bytes_, 0, std::min(size_left, size()));
        left->resize(size_left);
        if (story != nullptr) {
            *story += fmt::format("size {}, durable {}, newest {};", size_left, durable_size_, size());
        }
        SectorCoin coin(chance);
        for (const auto& [sector, entry] : unsynced_) {
            const std::uint64_t at = sector * sector_size;
            if (at >= size_left) break;
            const std::size_t old_versions = entry.before.size();
            // Cut off whole, it has no newest content: a truncation writes no zeros.
            const std::size_t versions = old_versions + (at < size() ? 1 : 0);
            const std::size_t drawn = coin.draw(versions);
            const bool tears = torn != Torn::never && versions > 1 && chance.one_in(4);
            if (story != nullptr) {
                *story += tears ? fmt::format(" {}:torn", sector)
                                : fmt::format(" {}:{}/{}", sector, drawn, versions - 1);
            }
            if (!tears && drawn == old_versions) continue;
            const std::string content =
                tears ? tear(sector, entry, torn, chance) : padded(entry.before[drawn]);
            const std::uint64_t length = std::min(sector_size, size_left - at);
            left->replace(at, length, content, 0, length);
        }
        return left;
    }

private:
    static constexpr std::size_t versions_max = 8;  // of a sector; of more, middle ones are forgotten

    struct Unsynced {
        std::vector<std::string> before;  // the durable one, then those between; without zeros at the end
        bool lost = false;
    };

    static std::string padded(std::string_view content) {
        std::string all(content);
        all.resize(sector_size);
        return all;
    }

    std::string_view sector_now(std::uint64_t sector) const {
        const std::uint64_t at = sector * sector_size;
        return at < size() ? std::string_view(*bytes_).substr(at, sector_size) : std::string_view{};
    }

    // Before the sectors of [from, to) change.
    void remember(std::uint64_t from, std::uint64_t to, bool in_between) {
        for (std::uint64_t sector = from / sector_size; sector * sector_size < to && from < to; ++sector) {
            auto& [before, lost] = unsynced_[sector];
            const std::string_view content = sector_now(sector);
            if (before.empty() || (in_between && before.back() != content)) before.emplace_back(content);
            if (before.size() > versions_max) before.erase(before.begin() + versions_max / 2);
            lost = false;
        }
    }

    void resize(std::uint64_t size) {
        if (bytes_.use_count() > 1) bytes_ = std::make_shared<std::string>(*bytes_);
        bytes_->resize(size);
        least_size_ = std::min(least_size_, size);
        greatest_size_ = std::max(greatest_size_, size);
    }

    std::uint64_t draw_size(SeededRandom& chance) const {
        const std::uint64_t first = (least_size_ + sector_size - 1) / sector_size;
        const std::uint64_t last = greatest_size_ / sector_size;
        const std::uint64_t draw = chance.below(4);
        if (draw == 0) return durable_size_;
        if (draw == 2) return greatest_size_;
        if (draw == 1 && first <= last) return (first + chance.below(last - first + 1)) * sector_size;
        return size();
    }

    std::string tear(std::uint64_t sector, const Unsynced& entry, Torn torn, SeededRandom& chance) const {
        std::string mixed = padded(entry.before.front());
        const std::string other =
            padded(entry.before.size() > 1 && chance.one_in(2) ? entry.before.back() : sector_now(sector));
        for (std::size_t i = 0; i < sector_size; ++i) {
            const std::uint64_t draw = chance.next();
            if (torn == Torn::sector || (mixed[i] != other[i] && draw % 3 == 0)) {
                mixed[i] = static_cast<char>(draw >> 32);
            } else if (draw % 3 == 1) {
                mixed[i] = other[i];
            }
        }
        return mixed;
    }

    // Shared with other disks: resize() comes before a change, and copies.
    std::shared_ptr<std::string> bytes_ = std::make_shared<std::string>();
    std::map<std::uint64_t, Unsynced> unsynced_;  // by number of the sector
    std::uint64_t durable_size_ = 0;
    std::uint64_t least_size_ = 0;  // since the last sync
    std::uint64_t greatest_size_ = 0;
};

}  // namespace stream::test
