// SPDX-License-Identifier: Apache-2.0
#include "io/zstd_block.hpp"

#include <zstd.h>

#include "base/check.hpp"

namespace stream {

struct ZstdCompressor::Context {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    ~Context() { ZSTD_freeCCtx(context); }
};

struct ZstdExpander::Context {
    ZSTD_DCtx* context = ZSTD_createDCtx();
    ~Context() { ZSTD_freeDCtx(context); }
};

std::size_t zstd_bound(std::size_t bytes) { return ZSTD_compressBound(bytes); }

ZstdCompressor::ZstdCompressor(int level) : context_(std::make_unique<Context>()) {
    STREAM_CHECK(context_->context != nullptr);
    ZSTD_CCtx_setParameter(context_->context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context_->context, ZSTD_c_checksumFlag, 1);
}
ZstdCompressor::~ZstdCompressor() = default;
ZstdCompressor::ZstdCompressor(ZstdCompressor&&) noexcept = default;
ZstdCompressor& ZstdCompressor::operator=(ZstdCompressor&&) noexcept = default;

void ZstdCompressor::append(std::string& out, std::string_view raw) {
    const std::size_t before = out.size();
    out.resize(before + ZSTD_compressBound(raw.size()));
    const std::size_t stored = ZSTD_compress2(context_->context, out.data() + before, out.size() - before, raw.data(), raw.size());
    STREAM_CHECK(!ZSTD_isError(stored));  // room for the worst case was given
    out.resize(before + stored);
}

ZstdExpander::ZstdExpander() : context_(std::make_unique<Context>()) { STREAM_CHECK(context_->context != nullptr); }
ZstdExpander::~ZstdExpander() = default;
ZstdExpander::ZstdExpander(ZstdExpander&&) noexcept = default;
ZstdExpander& ZstdExpander::operator=(ZstdExpander&&) noexcept = default;

bool ZstdExpander::expand(char* into, std::string_view stored, std::size_t size) {
    const std::size_t got = ZSTD_decompressDCtx(context_->context, into, size, stored.data(), stored.size());
    return !ZSTD_isError(got) && got == size;
}

bool ZstdExpander::append(std::string& out, std::string_view stored, std::size_t size) {
    const std::size_t before = out.size();
    out.resize(before + size);
    if (expand(out.data() + before, stored, size)) return true;
    out.resize(before);
    return false;
}

}  // namespace stream
