// SPDX-License-Identifier: Apache-2.0
// The encoding inside a snapshot: little-endian fixed-width integers, LEB128 variable ones, and byte
// strings with their length in front. StateReader never reads past its end and never allocates from
// a length it has not checked: damage gives ErrorKind::corrupt, not a crash. The container round
// these bytes (magic, version, checksum, compression) is state/snapshot.hpp.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace stream {

class KeptFiles;

class StateWriter {
public:
    StateWriter() = default;
    // `with_files`: what lies in files was kept just now (state/kept_files.hpp), and is spoken of by numbers.
    explicit StateWriter(bool with_files) : with_files_(with_files) {}
    bool with_files() const { return with_files_; }

    void put_u8(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
    void put_u64(std::uint64_t value) { put_raw(&value, sizeof value); }
    void put_i64(std::int64_t value) { put_raw(&value, sizeof value); }
    void put_f64(double value) { put_raw(&value, sizeof value); }
    void put_varint(std::uint64_t value) {
        while (value >= 0x80) {
            put_u8(static_cast<std::uint8_t>(value | 0x80));
            value >>= 7;
        }
        put_u8(static_cast<std::uint8_t>(value));
    }
    void put_bytes(std::string_view bytes) {
        put_varint(bytes.size());
        bytes_.append(bytes);
    }
    void put_raw(const void* data, std::size_t size) { bytes_.append(static_cast<const char*>(data), size); }

    const std::string& bytes() const { return bytes_; }
    std::string take() { return std::move(bytes_); }

private:
    std::string bytes_;
    bool with_files_ = false;
};

// Every get_ returns a zero value and remembers the failure once the bytes run out; look at ok() after
// a group of them, and at_end() after the last.
class StateReader {
public:
    explicit StateReader(std::string_view bytes, const KeptFiles* files = nullptr) : bytes_(bytes), files_(files) {}

    // What lies beside the state; nothing where it was saved without files.
    const KeptFiles* files() const { return files_; }

    std::uint8_t get_u8() {
        std::uint8_t value = 0;
        get_raw(&value, sizeof value);
        return value;
    }
    std::uint64_t get_u64() {
        std::uint64_t value = 0;
        get_raw(&value, sizeof value);
        return value;
    }
    std::int64_t get_i64() {
        std::int64_t value = 0;
        get_raw(&value, sizeof value);
        return value;
    }
    double get_f64() {
        double value = 0;
        get_raw(&value, sizeof value);
        return value;
    }
    std::uint64_t get_varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const std::uint8_t byte = get_u8();
            value |= std::uint64_t{byte & 0x7Fu} << shift;
            if ((byte & 0x80) == 0) return value;
        }
        failed_ = true;
        return 0;
    }
    // A view into the bytes given to the constructor.
    std::string_view get_bytes() {
        const std::uint64_t size = get_varint();
        if (failed_ || size > bytes_.size() - at_) {
            failed_ = true;
            return {};
        }
        const std::string_view view = bytes_.substr(at_, size);
        at_ += size;
        return view;
    }
    bool get_raw(void* data, std::size_t size) {
        if (failed_ || size > bytes_.size() - at_) {
            failed_ = true;
            std::memset(data, 0, size);
            return false;
        }
        std::memcpy(data, bytes_.data() + at_, size);
        at_ += size;
        return true;
    }

    bool ok() const { return !failed_; }
    bool at_end() const { return at_ == bytes_.size(); }
    std::size_t left() const { return bytes_.size() - at_; }
    // ok, or ErrorKind::corrupt that names what was being read.
    Result<void> check(std::string_view what) const {
        if (ok()) return {};
        return fail(ErrorKind::corrupt, "the saved state of " + std::string(what) + " is cut short");
    }

private:
    std::string_view bytes_;
    const KeptFiles* files_;
    std::size_t at_ = 0;
    bool failed_ = false;
};

}  // namespace stream
