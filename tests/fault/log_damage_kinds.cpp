// SPDX-License-Identifier: Apache-2.0
// What can become of a file.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "fault/log_damage.hpp"

namespace stream::test {

namespace {

using Kind = Damage::Kind;
constexpr std::uint64_t block_sizes[] = {512, 4096};
constexpr std::uint64_t appended[] = {1, 4, 8, 100, 5000};

void check(const Result<void>& done) {
    if (!done) throw std::runtime_error(done.error().message());
}

void write_whole(SimulatedDisk& disk, const std::string& path, const std::string& bytes) {
    auto file = disk.open_if_there(path, Open::write);
    if (file && *file == nullptr) file = disk.open(path, Open::create_new);
    if (!file) throw std::runtime_error(file.error().message());
    check((*file)->truncate(0));
    check((*file)->write_at(bytes, 0));
}

std::string block_of(const std::string& bytes, std::uint64_t number, std::uint64_t size) {
    return number * size < bytes.size() ? bytes.substr(number * size, size) : "";
}

// As a disk would: within what is there.
void put_block(std::string& bytes, std::uint64_t number, std::uint64_t size, const std::string& block) {
    const std::uint64_t at = number * size;
    if (at < bytes.size()) bytes.replace(at, std::min(block.size(), bytes.size() - at), block, 0, std::min(block.size(), bytes.size() - at));
}

std::string garbage(std::uint64_t size, std::uint64_t with, const std::string& bytes) {
    std::string out(size, '\0');
    if (with == 1) {
        SeededRandom random(size);
        for (char& c : out) c = static_cast<char>(random.next());
    }
    if (with == 2) out = bytes.substr(bytes.size() - std::min<std::size_t>(size, bytes.size()));  // its own end again
    return out;
}

std::string changed(const Damage& damage, const Target& target) {
    std::string bytes = target.bytes;
    switch (damage.kind) {
        case Kind::flip_bit: bytes[damage.at / 8] = static_cast<char>(bytes[damage.at / 8] ^ (1 << damage.at % 8)); break;
        case Kind::truncate: bytes.resize(damage.at); break;
        case Kind::zero_block: put_block(bytes, damage.at, damage.size, std::string(damage.size, '\0')); break;
        case Kind::double_block: put_block(bytes, damage.with, damage.size, block_of(target.bytes, damage.at, damage.size)); break;
        case Kind::swap_blocks:
            put_block(bytes, damage.with, damage.size, block_of(target.bytes, damage.at, damage.size));
            put_block(bytes, damage.at, damage.size, block_of(target.bytes, damage.with, damage.size));
            break;
        case Kind::splice_block: put_block(bytes, damage.at, damage.size, block_of(target.others[damage.with], damage.at, damage.size)); break;
        case Kind::whole_other: bytes = target.others[damage.with]; break;
        case Kind::append: bytes += garbage(damage.size, damage.with, bytes); break;
        default: break;
    }
    return bytes;
}

}  // namespace

std::string Damage::text() const {
    constexpr const char* names[] = {"flip bit",    "truncate to", "zero block", "double block", "swap blocks", "splice block",
                                     "other file", "remove",      "rename",     "duplicate",    "append",      "folder in its place"};
    return fmt::format("{} {} {} {}", names[static_cast<std::size_t>(kind)], at, with, size);
}

std::vector<Damage> damages_of(const Target& target) {
    std::vector<Damage> all;
    const std::uint64_t size = target.bytes.size();
    for (std::uint64_t bit = 0; bit < size * 8; ++bit) all.push_back({Kind::flip_bit, bit});
    for (std::uint64_t length = 0; length < size; ++length) all.push_back({Kind::truncate, length});
    for (const std::uint64_t block : block_sizes) {
        const std::uint64_t blocks = (size + block - 1) / block;
        for (std::uint64_t i = 0; i < blocks; ++i) {
            all.push_back({Kind::zero_block, i, 0, block});
            for (std::uint64_t j = 0; j < blocks; ++j) {
                if (blocks > 16 && j != i + 1 && (i * 13 + j * 5) % blocks > 2) continue;  // of many, some
                if (i != j) all.push_back({Kind::double_block, i, j, block});
                if (i < j) all.push_back({Kind::swap_blocks, i, j, block});
            }
            for (std::uint64_t other = 0; other < target.others.size(); ++other) all.push_back({Kind::splice_block, i, other, block});
        }
    }
    for (std::uint64_t other = 0; other < target.others.size(); ++other) all.push_back({Kind::whole_other, 0, other});
    for (const Kind kind : {Kind::remove, Kind::rename, Kind::duplicate, Kind::folder}) all.push_back({kind});
    for (const std::uint64_t bytes : appended) {
        for (std::uint64_t with = 0; with < 3; ++with) all.push_back({Kind::append, 0, with, bytes});
    }
    return all;
}

std::string apply(const Damage& damage, const Target& target, SimulatedDisk& disk) {
    const std::string bytes = changed(damage, target);
    switch (damage.kind) {
        case Kind::flip_bit: {
            auto file = disk.open(target.path, Open::write);
            if (!file) throw std::runtime_error(file.error().message());
            check((*file)->write_at(std::string_view(bytes).substr(damage.at / 8, 1), damage.at / 8));
            return bytes;
        }
        case Kind::remove: check(disk.remove(target.path)); return "";
        case Kind::rename: check(disk.rename(target.path, target.path + ".old")); return "";
        case Kind::folder: {
            check(disk.remove(target.path));
            const auto made = disk.make_folder(target.path);
            if (!made) throw std::runtime_error(made.error().message());
            return "";
        }
        case Kind::duplicate: {
            // Under a name of its own kind.
            std::string copy = target.path + "2";
            if (target.path.ends_with(".seg") || target.path.ends_with(".idx")) {
                copy = target.path;
                char& digit = copy[copy.size() - 5];
                digit = digit == '0' ? '1' : '0';
            }
            write_whole(disk, copy, bytes);
            return bytes;
        }
        default: write_whole(disk, target.path, bytes); return bytes;
    }
}

}  // namespace stream::test
