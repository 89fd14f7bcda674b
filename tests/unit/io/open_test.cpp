// SPDX-License-Identifier: Apache-2.0
// Goal: whatever a FILE is, its bytes come out once and in order, and what is wrong is named.
#include "io/open.hpp"

#include "unit/io/helpers.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <memory>
#include <thread>

namespace stream {
namespace {

using namespace stream::test;
using Status = ReadOutcome::Status;

std::unique_ptr<ByteSource> opened(const std::string& path) {
    auto source = open_source(path);
    EXPECT_TRUE(source.has_value()) << (source ? "" : source.error().message());
    return source ? std::move(*source) : nullptr;
}

TEST(Open, RegularFileReadsStraightIntoTheSpan) {
    TemporaryFolder folder;
    const std::string lines = many_lines(10'000);
    write_file(folder.file("x"), lines);
    auto source = opened(folder.file("x"));
    EXPECT_TRUE(source->is_regular());
    EXPECT_FALSE(source->is_followed());
    EXPECT_EQ(source->poll_fd(), -1);
    EXPECT_EQ(source->raw_size(), lines.size());
    std::string block(lines.size() + 100, '\0');
    auto first = source->read(block);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->size, lines.size());  // in one read, however large the span
    EXPECT_EQ(source->raw_position(), lines.size());
    EXPECT_EQ(source->read(block)->status, Status::end);
    EXPECT_EQ(source->read(block)->status, Status::end);
}

TEST(Open, EmptyFileAndOneByteReads) {
    TemporaryFolder folder;
    write_file(folder.file("empty"), "");
    EXPECT_TRUE(read_all(*opened(folder.file("empty"))).ended);
    // The first bytes of each could begin a compressed stream until the next one says no.
    for (const std::string text :
         {"\x1f", "\x28\xb5\x2f", "\x1f\x1f\x8b", "\x28\xb5\x2f!", "P*M", "P*M\x19 text", "\x28", "{}\n"}) {
        write_file(folder.file("x"), text);
        for (const std::size_t span : {1U, 2U, 3U, 4U, 100U}) {
            const ReadAll all = read_all(*opened(folder.file("x")), span);
            EXPECT_FALSE(all.error.has_value());
            EXPECT_EQ(all.bytes, text) << span;
            EXPECT_TRUE(all.ended);
        }
    }
}

TEST(Open, ErrorsNameTheFileAndTheReason) {
    TemporaryFolder folder;
    const std::string missing = folder.file("missing");
    auto source = open_source(missing);
    ASSERT_FALSE(source.has_value());
    EXPECT_EQ(source.error().kind(), ErrorKind::io);
    EXPECT_EQ(source.error().message(), "cannot open \"" + missing + "\": No such file or directory");

    source = open_source(folder.path());
    ASSERT_FALSE(source.has_value());
    EXPECT_EQ(source.error().kind(), ErrorKind::usage);
    EXPECT_EQ(source.error().message(), "\"" + folder.path() + "\" is a directory");
    EXPECT_FALSE(source.error().hint().empty());

    source = open_source(folder.path() + "/missing/x");
    EXPECT_EQ(source.error().kind(), ErrorKind::io);
    write_file(folder.file("x"), "");
    source = open_source(folder.file("x") + "/y");
    EXPECT_NE(source.error().message().find("Not a directory"), std::string::npos);

    source = open_descriptor(987, "stdin");
    ASSERT_FALSE(source.has_value());
    EXPECT_EQ(source.error().message(), "cannot open \"stdin\": Bad file descriptor");
}

TEST(Open, AReadErrorSaysWhere) {
    // Nothing is mapped at address 0, where this "file" begins: EIO.
    auto source = opened("/proc/self/mem");
    const ReadAll all = read_all(*source);
    ASSERT_TRUE(all.error.has_value());
    EXPECT_EQ(all.error->kind(), ErrorKind::io);
    EXPECT_EQ(all.error->message(), "cannot read \"/proc/self/mem\" at byte 0: Input/output error");
}

TEST(Open, APipeWouldBlockAndEndsWithItsWriter) {
    Pipe pipe;
    auto source = open_descriptor(pipe.reader.get(), "stdin");
    ASSERT_TRUE(source.has_value());
    EXPECT_FALSE((*source)->is_regular());
    EXPECT_EQ((*source)->poll_fd(), pipe.reader.get());
    EXPECT_FALSE(read_all(**source).ended);
    ASSERT_TRUE(write_full(pipe.writer.get(), "{\"a\":1}\n"));
    ReadAll all = read_all(**source);
    EXPECT_EQ(all.bytes, "{\"a\":1}\n");
    EXPECT_FALSE(all.ended);
    EXPECT_EQ((*source)->raw_position(), 8U);
    pipe.writer.reset();
    EXPECT_TRUE(read_all(**source).ended);
    EXPECT_EQ(::fcntl(pipe.reader.get(), F_GETPIPE_SZ), 1 << 20);
    EXPECT_EQ(::fcntl(pipe.reader.get(), F_GETFL) & O_NONBLOCK, 0);  // never changed
    source->reset();
    EXPECT_NE(::fcntl(pipe.reader.get(), F_GETFD), -1);  // the caller's, still open
}

TEST(Open, ANonBlockingDescriptorWouldBlockToo) {
    Pipe pipe;
    ::fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK);
    auto source = open_descriptor(pipe.reader.get(), "stdin");
    const ReadAll all = read_all(**source);
    EXPECT_FALSE(all.ended);
    EXPECT_FALSE(all.error.has_value());
}

TEST(Open, SocketsAndDescriptorsByName) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    OwnedFd reader(ends[0]);
    OwnedFd writer(ends[1]);
    auto source = opened("/dev/fd/" + std::to_string(reader.get()));  // Linux cannot open these anew
    EXPECT_FALSE(read_all(*source).ended);
    ASSERT_TRUE(write_full(writer.get(), "x\n"));
    writer.reset();
    const ReadAll all = read_all(*source);
    EXPECT_EQ(all.bytes, "x\n");
    EXPECT_TRUE(all.ended);

    Pipe pipe;
    ASSERT_TRUE(write_full(pipe.writer.get(), "y\n"));
    source = opened("/dev/fd/" + std::to_string(pipe.reader.get()));
    EXPECT_EQ(read_all(*source).bytes, "y\n");
}

TEST(Open, AFifoWaitsForItsWriterAndASignalStopsTheWaiting) {
    TemporaryFolder folder;
    const std::string path = folder.file("fifo");
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    std::thread late([&] {
        const OwnedFd writer(::open(path.c_str(), O_WRONLY));
        write_full(writer.get(), "z\n");
    });
    auto source = opened(path);
    late.join();
    EXPECT_EQ(read_all(*source).bytes, "z\n");

    struct sigaction action {};
    struct sigaction before {};
    action.sa_handler = [](int) {};
    ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
    const pthread_t self = ::pthread_self();
    std::atomic<bool> done = false;
    std::thread killer([&] {
        while (!done) {
            ::usleep(10'000);
            ::pthread_kill(self, SIGUSR1);
        }
    });
    auto stopped = open_source(path);
    done = true;
    killer.join();
    ::sigaction(SIGUSR1, &before, nullptr);
    ASSERT_FALSE(stopped.has_value());
    EXPECT_EQ(stopped.error().kind(), ErrorKind::stopped);
}

TEST(Open, ReadsFromWhereStdinStands) {
    TemporaryFolder folder;
    write_file(folder.file("x"), "head\ntail\n");
    const OwnedFd fd(::open(folder.file("x").c_str(), O_RDONLY));
    ::lseek(fd.get(), 5, SEEK_SET);
    auto source = open_descriptor(fd.get(), "stdin");
    EXPECT_EQ((*source)->raw_position(), 5U);
    EXPECT_EQ(read_all(**source).bytes, "tail\n");
    EXPECT_EQ((*source)->raw_position(), 10U);
}

TEST(Open, NeverTakesTheNumberOfAStandardDescriptor) {
    TemporaryFolder folder;
    write_file(folder.file("x"), "");
    const OwnedFd kept(::dup(0));
    ::close(0);
    const OwnedFd fd = open_fd(folder.file("x"), O_RDONLY);
    EXPECT_GT(fd.get(), 2);
    ::dup2(kept.get(), 0);
}

struct Form {
    const char* name;
    std::string (*compress)(std::string_view);
};

class Compressed : public testing::TestWithParam<Form> {};
INSTANTIATE_TEST_SUITE_P(Forms, Compressed, testing::Values(Form{"gzip", gzip}, Form{"zstd", zstd}),
                         [](const auto& form) { return std::string(form.param.name); });

TEST_P(Compressed, FilesInSpansOfAnySizeAndSeveralStreamsInOne) {
    TemporaryFolder folder;
    const std::string lines = many_lines(3000);
    const std::string twice =
        GetParam().compress(lines) + GetParam().compress("") + GetParam().compress(lines);
    write_file(folder.file("x"), twice);
    for (const std::size_t span : {1U, 7U, 4096U, 1U << 20}) {
        auto source = opened(folder.file("x"));
        const ReadAll all = read_all(*source, span);
        EXPECT_FALSE(all.error.has_value());
        EXPECT_TRUE(all.ended);
        EXPECT_TRUE(all.bytes == lines + lines) << span;
        EXPECT_EQ(source->raw_position(), twice.size());
        EXPECT_EQ(source->raw_size(), twice.size());
    }
}

TEST_P(Compressed, ThroughAPipeOneByteAtATime) {
    Pipe pipe;
    auto source = open_descriptor(pipe.reader.get(), "stdin");
    std::string got;
    for (const char byte : GetParam().compress(many_lines(20))) {
        const ReadAll all = read_all(**source);
        EXPECT_FALSE(all.ended || all.error.has_value());
        got += all.bytes;
        ASSERT_TRUE(write_full(pipe.writer.get(), std::string_view(&byte, 1)));
    }
    got += read_all(**source).bytes;
    EXPECT_EQ(got, many_lines(20));  // before the pipe ends: nothing is held back
    pipe.writer.reset();
    EXPECT_TRUE(read_all(**source).ended);
}

TEST_P(Compressed, CutAnywhereIsCorruptAfterItsWholePartCameOut) {
    TemporaryFolder folder;
    const std::string path = folder.file("x");
    const std::string lines = many_lines(200);
    const std::string whole = GetParam().compress(lines);
    for (std::size_t size = 4; size < whole.size(); size += 1 + size / 50) {
        write_file(path, whole.substr(0, size));
        const ReadAll all = read_all(*opened(path));
        ASSERT_TRUE(all.error.has_value()) << size;
        EXPECT_EQ(all.error->kind(), ErrorKind::corrupt);
        EXPECT_EQ(all.error->message(),
                  "\"" + path + "\" ends in the middle of its " + GetParam().name + " stream");
        EXPECT_TRUE(lines.starts_with(all.bytes));
    }
}

TEST_P(Compressed, GarbageAfterTheEndAndDamageInside) {
    TemporaryFolder folder;
    const std::string lines = many_lines(2000);
    write_file(folder.file("x"), GetParam().compress(lines) + "garbage");
    ReadAll all = read_all(*opened(folder.file("x")));
    ASSERT_TRUE(all.error.has_value());
    EXPECT_EQ(all.error->kind(), ErrorKind::corrupt);
    EXPECT_TRUE(all.bytes == lines);

    std::string damaged = GetParam().compress(lines);
    for (std::size_t i = damaged.size() / 2; i < damaged.size() / 2 + 16; ++i) damaged[i] = '\x55';
    write_file(folder.file("x"), damaged);
    all = read_all(*opened(folder.file("x")));
    EXPECT_TRUE(all.error.has_value() && all.error->kind() == ErrorKind::corrupt);
}

TEST(Gzip, ZeroPaddingIsFineOtherBytesAfterItAreNot) {
    TemporaryFolder folder;
    write_file(folder.file("x"), gzip("a\n") + std::string(1000, '\0'));
    ReadAll all = read_all(*opened(folder.file("x")));
    EXPECT_EQ(all.bytes, "a\n");
    EXPECT_TRUE(all.ended);
    write_file(folder.file("x"), gzip("a\n") + std::string(1000, '\0') + "b");
    EXPECT_TRUE(read_all(*opened(folder.file("x"))).error.has_value());
}

TEST(Zstd, SkippableFramesAreSkippedAtTheFrontToo) {
    TemporaryFolder folder;
    const std::string skippable = std::string("\x53\x2a\x4d\x18\x03\0\0\0abc", 11);
    write_file(folder.file("x"), skippable + zstd("a\n") + skippable + zstd("b\n"));
    for (const std::size_t span : {1U, 100U}) {
        const ReadAll all = read_all(*opened(folder.file("x")), span);
        EXPECT_EQ(all.bytes, "a\nb\n");
        EXPECT_TRUE(all.ended);
    }
}

TEST(Zstd, AWindowBeyondTheLimitIsNamed) {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 28);
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
    // Fed as a stream of unknown size, so that the header asks for the whole window.
    std::string out(1 << 16, '\0');
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    ZSTD_inBuffer from{"a\n", 2, 0};
    ZSTD_compressStream2(context, &to, &from, ZSTD_e_flush);
    ZSTD_compressStream2(context, &to, &from, ZSTD_e_end);
    ZSTD_freeCCtx(context);
    TemporaryFolder folder;
    write_file(folder.file("x"), out.substr(0, to.pos));
    const ReadAll all = read_all(*opened(folder.file("x")));
    ASSERT_TRUE(all.error.has_value());
    EXPECT_EQ(all.error->kind(), ErrorKind::limit);
}

}  // namespace
}  // namespace stream
