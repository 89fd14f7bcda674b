// SPDX-License-Identifier: Apache-2.0
#include "io/decompress.hpp"

#include "base/check.hpp"
#include "io/fd.hpp"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>
#include <utility>

namespace stream {

namespace {

constexpr unsigned char gzip_magic[] = {0x1f, 0x8b};
constexpr unsigned char zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};
constexpr unsigned char skippable_magic[] = {0x50, 0x2a, 0x4d, 0x18};  // the first one's low half varies

unsigned char byte_at(std::string_view bytes, std::size_t index) {
    return static_cast<unsigned char>(bytes[index]);
}

enum class Match : std::uint8_t { no, so_far, yes };

Match match(std::string_view bytes, std::span<const unsigned char> magic, unsigned char first_mask = 0xff) {
    for (std::size_t i = 0; i < std::min(bytes.size(), magic.size()); ++i) {
        const unsigned char mask = i == 0 ? first_mask : 0xff;
        if ((byte_at(bytes, i) & mask) != magic[i]) return Match::no;
    }
    return bytes.size() < magic.size() ? Match::so_far : Match::yes;
}

tl::unexpected<Error> damaged(const std::string& name, std::string_view kind, std::uint64_t position,
                              std::string_view why) {
    return fail(ErrorKind::corrupt, fmt::format("{} is damaged: not valid {} near byte {} ({})",
                                                quoted_name(name), kind, position, why));
}

tl::unexpected<Error> ends_in_the_middle(const std::string& name, std::string_view kind) {
    return fail(ErrorKind::corrupt,
                fmt::format("{} ends in the middle of its {} stream", quoted_name(name), kind));
}

class GzipDecompressor final : public Decompressor {
public:
    explicit GzipDecompressor(std::string name) : name_(std::move(name)) {
        constexpr int gzip_only = 16;
        STREAM_CHECK(::inflateInit2(&stream_, MAX_WBITS + gzip_only) == Z_OK);
    }
    GzipDecompressor(const GzipDecompressor&) = delete;
    GzipDecompressor& operator=(const GzipDecompressor&) = delete;
    ~GzipDecompressor() override { ::inflateEnd(&stream_); }

    Result<Step> step(std::span<const char> in, std::span<char> out) override {
        if (damage_) return damaged(name_, "gzip", consumed_, *damage_);
        if (place_ == Place::member) return inflate_some(in, out);
        if (in.empty()) return Step{};
        if (place_ == Place::between && static_cast<unsigned char>(in[0]) == gzip_magic[0]) {
            STREAM_CHECK(::inflateReset(&stream_) == Z_OK);
            place_ = Place::member;
            return inflate_some(in, out);
        }
        return skip_padding(in);
    }

    Result<void> finish() const override {
        if (damage_) return damaged(name_, "gzip", consumed_, *damage_);
        if (place_ == Place::member) return ends_in_the_middle(name_, "gzip");
        return {};
    }

private:
    enum class Place : std::uint8_t { member, between, padding };

    Result<Step> inflate_some(std::span<const char> in, std::span<char> out) {
        constexpr std::size_t most = std::numeric_limits<uInt>::max();
        const auto room_in = static_cast<uInt>(std::min(in.size(), most));
        const auto room_out = static_cast<uInt>(std::min(out.size(), most));
        // zlib reads from next_in and never writes to it.
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
        stream_.avail_in = room_in;
        stream_.next_out = reinterpret_cast<Bytef*>(out.data());
        stream_.avail_out = room_out;
        const int outcome = ::inflate(&stream_, Z_NO_FLUSH);
        const Step done{room_in - stream_.avail_in, room_out - stream_.avail_out};
        consumed_ += done.consumed;
        if (outcome == Z_STREAM_END) place_ = Place::between;
        if (outcome == Z_OK || outcome == Z_STREAM_END || outcome == Z_BUF_ERROR) return done;
        STREAM_CHECK(outcome != Z_STREAM_ERROR);
        if (outcome == Z_MEM_ERROR) return system_failure("decompress", name_, ENOMEM);
        damage_ = stream_.msg != nullptr ? stream_.msg : "preset dictionary";
        if (done.produced > 0) return done;
        return damaged(name_, "gzip", consumed_, *damage_);
    }

    // Zeros after the last member fill up a tape block and mean nothing.
    Result<Step> skip_padding(std::span<const char> in) {
        place_ = Place::padding;
        const auto other = std::find_if(in.begin(), in.end(), [](char byte) { return byte != '\0'; });
        const auto zeros = static_cast<std::size_t>(other - in.begin());
        consumed_ += zeros;
        if (other == in.end()) return Step{zeros, 0};
        damage_ = "bytes that are not gzip follow its end";
        return damaged(name_, "gzip", consumed_, *damage_);
    }

    std::string name_;
    z_stream stream_{};
    Place place_ = Place::member;
    std::uint64_t consumed_ = 0;
    std::optional<std::string> damage_;  // told once what came before it is out
};

class ZstdDecompressor final : public Decompressor {
public:
    explicit ZstdDecompressor(std::string name) : name_(std::move(name)), context_(::ZSTD_createDCtx()) {
        STREAM_CHECK(context_ != nullptr);
        STREAM_CHECK(
            !::ZSTD_isError(::ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, window_log_max)));
    }

    Result<Step> step(std::span<const char> in, std::span<char> out) override {
        ZSTD_inBuffer from{in.data(), in.size(), 0};
        ZSTD_outBuffer to{out.data(), out.size(), 0};
        const std::size_t outcome = ::ZSTD_decompressStream(context_.get(), &to, &from);
        consumed_ += from.pos;
        if (::ZSTD_isError(outcome)) return failure(outcome);
        if (from.pos > 0 || to.pos > 0) inside_frame_ = outcome != 0;
        return Step{from.pos, to.pos};
    }

    Result<void> finish() const override {
        if (inside_frame_) return ends_in_the_middle(name_, "zstd");
        return {};
    }

private:
    static constexpr int window_log_max = 27;

    tl::unexpected<Error> failure(std::size_t outcome) const {
        switch (::ZSTD_getErrorCode(outcome)) {
            case ZSTD_error_memory_allocation:
                return system_failure("decompress", name_, ENOMEM);
            case ZSTD_error_frameParameter_windowTooLarge:
                return fail(ErrorKind::limit,
                            fmt::format("{} needs a zstd window of more than 128 MiB", quoted_name(name_)),
                            "zstd -dc --long=31 FILE |");
            case ZSTD_error_prefix_unknown:
                return damaged(name_, "zstd", consumed_, "bytes that are not zstd follow its end");
            default:
                return damaged(name_, "zstd", consumed_, ::ZSTD_getErrorName(outcome));
        }
    }

    struct Free {
        void operator()(ZSTD_DCtx* context) const { ::ZSTD_freeDCtx(context); }
    };

    std::string name_;
    std::unique_ptr<ZSTD_DCtx, Free> context_;
    std::uint64_t consumed_ = 0;
    bool inside_frame_ = false;
};

}  // namespace

Compression detect_compression(std::string_view first_bytes) {
    constexpr unsigned char high_half = 0xf0;
    const Match gzip = match(first_bytes, gzip_magic);
    const Match zstd = match(first_bytes, zstd_magic);
    const Match skippable = match(first_bytes, skippable_magic, high_half);
    if (gzip == Match::yes) return Compression::gzip;
    if (zstd == Match::yes || skippable == Match::yes) return Compression::zstd;
    if (gzip == Match::no && zstd == Match::no && skippable == Match::no) return Compression::none;
    return Compression::unknown_yet;
}

std::unique_ptr<Decompressor> make_decompressor(Compression compression, std::string name) {
    if (compression == Compression::gzip) return std::make_unique<GzipDecompressor>(std::move(name));
    STREAM_CHECK(compression == Compression::zstd);
    return std::make_unique<ZstdDecompressor>(std::move(name));
}

}  // namespace stream
