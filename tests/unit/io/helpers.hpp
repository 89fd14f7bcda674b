// SPDX-License-Identifier: Apache-2.0
// What the io tests share: a folder that goes away, pipes, compressed bytes made by the libraries
// themselves, and reading a source to where it ends or would wait.
#pragma once

#include "io/fd.hpp"
#include "io/source.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stream::test {

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "stream-io-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string file(const std::string& name) const { return path_ + "/" + name; }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

inline void write_file(const std::string& path, std::string_view bytes, bool append = false) {
    std::ofstream out(path, std::ios::binary | (append ? std::ios::app : std::ios::trunc));
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(out.flush().good()) << path;
}

inline void append_file(const std::string& path, std::string_view bytes) { write_file(path, bytes, true); }

struct Pipe {
    Pipe() {
        int ends[2];
        if (::pipe(ends) != 0) throw std::runtime_error("pipe");
        reader.reset(ends[0]);
        writer.reset(ends[1]);
    }
    OwnedFd reader;
    OwnedFd writer;
};

inline std::string gzip(std::string_view bytes) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

inline std::string zstd(std::string_view bytes) {
    std::string out(ZSTD_compressBound(bytes.size()), '\0');
    ZSTD_CCtx* context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);  // as the zstd command does
    const std::size_t size = ZSTD_compress2(context, out.data(), out.size(), bytes.data(), bytes.size());
    ZSTD_freeCCtx(context);
    EXPECT_FALSE(ZSTD_isError(size));
    out.resize(size);
    return out;
}

// Lines that compress, but not to nothing.
inline std::string many_lines(int count) {
    std::string lines;
    for (int i = 0; i < count; ++i) {
        lines += "{\"seq\":" + std::to_string(i) +
                 ",\"noise\":" + std::to_string(std::hash<int>{}(i)*2654435761U) + "}\n";
    }
    return lines;
}

struct ReadAll {
    std::string bytes;
    bool ended = false;  // or it would wait
    std::optional<Error> error;
};

inline ReadAll read_all(ByteSource& source, std::size_t span_size = 64 << 10) {
    ReadAll all;
    std::string block(span_size, '\0');
    for (;;) {
        auto outcome = source.read(block);
        if (!outcome) {
            all.error = std::move(outcome.error());
            return all;
        }
        if (outcome->status != ReadOutcome::Status::data) {
            all.ended = outcome->status == ReadOutcome::Status::end;
            return all;
        }
        EXPECT_GT(outcome->size, 0U);
        all.bytes.append(block, 0, outcome->size);
    }
}

}  // namespace stream::test
