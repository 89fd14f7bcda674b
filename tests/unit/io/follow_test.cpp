// SPDX-License-Identifier: Apache-2.0
// Goal: a followed file gives every line once, in order, through whatever is done to it and its name;
// what cannot have been read is told as a gap.
#include "io/follow.hpp"

#include "unit/io/helpers.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

namespace stream {
namespace {

using namespace stream::test;
namespace fs = std::filesystem;

class Follow : public testing::Test {
protected:
    void open(bool from_end = false, const std::string& path = {}) {
        FollowOptions options;
        options.from_end = from_end;
        options.on_gap = [this](const std::string& sentence) { gaps_.push_back(sentence); };
        auto source = open_followed(path.empty() ? log_ : path, std::move(options));
        ASSERT_TRUE(source.has_value()) << source.error().message();
        source_ = std::move(*source);
    }
    std::string got(std::size_t span_size = 64 << 10) {
        ReadAll all = read_all(*source_, span_size);
        EXPECT_FALSE(all.ended);
        EXPECT_FALSE(all.error.has_value()) << (all.error ? all.error->message() : "");
        return all.bytes;
    }
    void rename_log(const std::string& to = "log.1") { fs::rename(log_, folder_.file(to)); }

    TemporaryFolder folder_;
    std::string log_ = folder_.file("log");
    std::unique_ptr<ByteSource> source_;
    std::vector<std::string> gaps_;
};

TEST_F(Follow, GivesWholeLinesAsTheyAreFinished) {
    write_file(log_, "one\ntw");
    open();
    EXPECT_TRUE(source_->is_followed());
    EXPECT_FALSE(source_->is_regular());
    EXPECT_EQ(source_->wait_ms(), 200);
    EXPECT_EQ(got(), "one\n");
    EXPECT_EQ(source_->raw_position(), 4U);
    EXPECT_EQ(source_->raw_size(), 6U);
    append_file(log_, "o");
    EXPECT_EQ(got(), "");
    append_file(log_, "\nthree\n");
    EXPECT_EQ(got(), "two\nthree\n");
    EXPECT_EQ(got(), "");
    EXPECT_TRUE(gaps_.empty());
}

TEST_F(Follow, WakesUpOnAppendAndOnANewFile) {
    write_file(log_, "one\n");
    open();
    EXPECT_EQ(got(), "one\n");
    got();
    pollfd waiting{source_->poll_fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 0), 0);
    append_file(log_, "two\n");
    EXPECT_EQ(::poll(&waiting, 1, 1000), 1);
    EXPECT_EQ(got(), "two\n");
    EXPECT_EQ(::poll(&waiting, 1, 0), 0);
    rename_log();
    EXPECT_EQ(::poll(&waiting, 1, 1000), 1);
    got();
    write_file(log_, "three\n");
    EXPECT_EQ(::poll(&waiting, 1, 1000), 1);
    EXPECT_EQ(got(), "three\n");
}

TEST_F(Follow, WaitsForAFileThatIsNotThere) {
    open(true);  // all of it is new then
    EXPECT_EQ(got(), "");
    write_file(log_, "one\n");
    EXPECT_EQ(got(), "one\n");
    open(false, folder_.path() + "/later/log");
    EXPECT_EQ(got(), "");
    fs::create_directory(folder_.file("later"));
    EXPECT_EQ(got(), "");
    write_file(folder_.path() + "/later/log", "two\n");
    EXPECT_EQ(got(), "two\n");
}

TEST_F(Follow, FromTheEndIsAfterTheLastNewline) {
    write_file(log_, "old\nhalf");
    open(true);
    EXPECT_EQ(got(), "");
    append_file(log_, " a line\nnew\n");
    EXPECT_EQ(got(), "half a line\nnew\n");
    write_file(log_, many_lines(9000) + std::string(200'000, 'x'));
    open(true);
    append_file(log_, "y\n");
    EXPECT_EQ(got(1 << 20), std::string(200'000, 'x') + "y\n");
    EXPECT_TRUE(gaps_.empty());
    write_file(log_, "rewritten\n");  // known by its bytes, though the front was never delivered
    EXPECT_EQ(got(), "rewritten\n");
    EXPECT_EQ(gaps_.size(), 1U);
}

TEST_F(Follow, ThroughARenameOldFirst) {
    write_file(log_, "1\n");
    open();
    EXPECT_EQ(got(), "1\n");
    append_file(log_, "2\n");
    rename_log();
    append_file(folder_.file("log.1"), "3\n");  // its writer has not noticed yet
    write_file(log_, "");                       // made by the rotator
    EXPECT_EQ(got(), "2\n3\n");
    append_file(folder_.file("log.1"), "4\n");
    EXPECT_EQ(got(), "4\n");
    append_file(folder_.file("log.1"), "5\n6");
    write_file(log_, "7\n");
    EXPECT_EQ(got(), "5\n6\n7\n");  // the last line of the old one is complete
    append_file(folder_.file("log.1"), "straggler\n");
    append_file(log_, "8\n");
    const std::string late = got();
    EXPECT_TRUE(late == "8\nstraggler\n" || late == "straggler\n8\n") << late;
    EXPECT_TRUE(gaps_.empty());
}

TEST_F(Follow, SeveralRotationsBetweenTwoLooks) {
    write_file(log_, "1\n");
    open();
    EXPECT_EQ(got(), "1\n");
    append_file(log_, "2\n");
    for (int i = 3; i < 20; ++i) {  // as logrotate does it: log.2 to log.3, log.1 to log.2, log to log.1
        for (int old = i; old > 0; --old) {
            const std::string from = folder_.file("log." + std::to_string(old));
            if (fs::exists(from)) fs::rename(from, folder_.file("log." + std::to_string(old + 1)));
        }
        rename_log();
        write_file(log_, std::to_string(i) + "\n");
    }
    std::string expected = "2\n";
    for (int i = 3; i < 20; ++i) expected += std::to_string(i) + "\n";
    EXPECT_EQ(got(), expected);
    EXPECT_TRUE(gaps_.empty());
}

TEST_F(Follow, AFileThatCameAndWentUnseenIsAGap) {
    write_file(log_, "1\n");
    open();
    EXPECT_EQ(got(), "1\n");
    rename_log();
    write_file(log_, "2\n");
    fs::remove(log_);
    write_file(log_, "3\n");
    EXPECT_EQ(got(), "3\n");
    ASSERT_EQ(gaps_.size(), 1U);
    EXPECT_EQ(gaps_[0], "a file \"" + log_ + "\" came and went before it was read: its lines may be missing");
}

TEST_F(Follow, DeletedAndMadeAgain) {
    write_file(log_, "1\n");
    open();
    EXPECT_EQ(got(), "1\n");
    append_file(log_, "2");
    fs::remove(log_);
    EXPECT_EQ(got(), "");  // more of it may come
    write_file(log_, "3\n");
    EXPECT_EQ(got(), "2\n3\n");
    const std::string next = folder_.file("next");
    write_file(next, "4\n");
    fs::rename(next, log_);
    EXPECT_EQ(got(), "4\n");
    EXPECT_TRUE(gaps_.empty());
}

TEST_F(Follow, ANameThatComesBackIsNotReadTwice) {
    write_file(log_, "1\n");
    open();
    EXPECT_EQ(got(), "1\n");
    rename_log();
    write_file(log_, "2\n");
    EXPECT_EQ(got(), "2\n");
    rename_log("log.2");
    EXPECT_EQ(got(), "");
    fs::rename(folder_.file("log.1"), log_);
    append_file(log_, "3\n");
    EXPECT_EQ(got(), "3\n");
}

TEST_F(Follow, TruncationIsAGapAndANewBeginning) {
    write_file(log_, "one\ntwo\nthr");
    open();
    EXPECT_EQ(got(), "one\ntwo\n");
    write_file(log_, "");
    EXPECT_EQ(got(), "thr\n");  // what was read is not lost
    append_file(log_, "new\n");
    EXPECT_EQ(got(), "new\n");
    ASSERT_EQ(gaps_.size(), 1U);
    EXPECT_NE(gaps_[0].find("truncated after 11 bytes"), std::string::npos) << gaps_[0];
}

TEST_F(Follow, TruncationBeforeAllWasReadSaysHowMuch) {
    write_file(log_, "one\ntwo\nthree\n");
    open();
    std::string block(5, '\0');
    EXPECT_EQ(source_->read(block)->size, 4U);  // and "t" is in hand
    ASSERT_EQ(::truncate(log_.c_str(), 8), 0);
    EXPECT_EQ(got(), "two\n");
    ASSERT_EQ(gaps_.size(), 1U);
    EXPECT_EQ(gaps_[0], "6 bytes of \"" + log_ + "\" were cut off before they were read");
    append_file(log_, "four\n");
    EXPECT_EQ(got(), "four\n");
    write_file(log_, "");
    append_file(log_, "five\nsix\n");
    EXPECT_EQ(source_->read(block)->size, 5U);
    write_file(log_, "");
    got();
    EXPECT_EQ(gaps_[gaps_.size() - 2], "4 bytes of \"" + log_ + "\" were cut off before they were read");
}

TEST_F(Follow, RewrittenToAnySizeBetweenTwoLooks) {
    for (const int old_lines : {1, 10, 1000}) {
        for (const int new_lines : {1, 10, 1000, 5000}) {
            write_file(log_, many_lines(old_lines));
            open();
            EXPECT_TRUE(got() == many_lines(old_lines));
            std::string fresh;
            for (int i = 0; i < new_lines; ++i) fresh += "{\"new\":" + std::to_string(i) + "}\n";
            write_file(log_, fresh);
            gaps_.clear();
            EXPECT_TRUE(got() == fresh) << old_lines << " " << new_lines;
            EXPECT_EQ(gaps_.size(), 1U);
        }
    }
}

TEST_F(Follow, AWriterThatTakesBackHalfALine) {
    const std::string lines = many_lines(100);
    write_file(log_, lines + "half a li");
    open();
    EXPECT_TRUE(got() == lines);
    ASSERT_EQ(::truncate(log_.c_str(), static_cast<off_t>(lines.size())), 0);
    append_file(log_, "whole\n");
    ASSERT_EQ(::truncate(log_.c_str(), static_cast<off_t>(lines.size())), 0);
    EXPECT_EQ(got(), "");
    append_file(log_, "whole\n");
    EXPECT_EQ(got(), "whole\n");
    ASSERT_EQ(gaps_.size(), 1U);
    EXPECT_NE(gaps_[0].find("9 bytes"), std::string::npos) << gaps_[0];
}

TEST_F(Follow, AWriterThatGoesOnBehindAHole) {
    const std::string lines = many_lines(5000);
    OwnedFd writer(::open(log_.c_str(), O_WRONLY | O_CREAT, 0600));  // no O_APPEND, as the shell's ">"
    ASSERT_TRUE(write_full(writer.get(), lines));
    open();
    EXPECT_TRUE(got() == lines);
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(::truncate(log_.c_str(), 0), 0);
        if (i != 1) {
            EXPECT_EQ(got(), "");
        }
        ASSERT_TRUE(write_full(writer.get(), "after\n"));
        EXPECT_EQ(got(i == 2 ? 100 : 64 << 10), "after\n");
        ASSERT_TRUE(write_full(writer.get(), "more\n"));
        EXPECT_EQ(got(), "more\n");
        EXPECT_EQ(gaps_.size(), static_cast<std::size_t>(i) + 1);
    }
    open();  // one that comes after the truncation
    EXPECT_EQ(got(100), "after\nmore\n");
}

TEST_F(Follow, SymbolicLinksAreFollowedAndSwitched) {
    write_file(folder_.file("a"), "1\n");
    fs::create_symlink("a", log_);
    open();
    EXPECT_EQ(got(), "1\n");
    append_file(folder_.file("a"), "2\n");
    write_file(folder_.file("b"), "3\n");
    fs::create_symlink("b", folder_.file("next"));
    fs::rename(folder_.file("next"), log_);  // at once, as kubelet does
    EXPECT_EQ(got(), "2\n3\n");
    // The target rotated, several times, in its own folder.
    fs::create_directory(folder_.file("deep"));
    write_file(folder_.file("deep/c"), "4\n");
    fs::create_symlink("deep/c", folder_.file("next"));
    fs::rename(folder_.file("next"), log_);
    EXPECT_EQ(got(), "4\n");
    for (int i = 5; i < 9; ++i) {
        fs::rename(folder_.file("deep/c"), folder_.file("deep/c." + std::to_string(i)));
        write_file(folder_.file("deep/c"), std::to_string(i) + "\n");
    }
    EXPECT_EQ(got(), "5\n6\n7\n8\n");
    EXPECT_TRUE(gaps_.empty());
}

TEST_F(Follow, TheFolderIsRenamedUnderIt) {
    const std::string logs = folder_.file("logs");
    fs::create_directory(logs);
    write_file(logs + "/log", "1\n");
    open(false, logs + "/log");
    EXPECT_EQ(got(), "1\n");
    fs::rename(logs, folder_.file("old"));
    fs::create_directory(logs);
    write_file(logs + "/log", "2\n");
    EXPECT_EQ(got(), "2\n");
    append_file(logs + "/log", "3\n");
    EXPECT_EQ(got(), "3\n");
}

TEST_F(Follow, WhatCannotBeFollowedIsSaid) {
    const auto kind_of = [](const std::string& path) {
        auto source = open_followed(path, {});
        EXPECT_FALSE(source.has_value());
        return source ? ErrorKind::data : source.error().kind();
    };
    write_file(log_, gzip("x\n"));
    EXPECT_EQ(kind_of(log_), ErrorKind::usage);
    write_file(log_, zstd("x\n"));
    EXPECT_EQ(kind_of(log_), ErrorKind::usage);
    EXPECT_EQ(kind_of(folder_.path()), ErrorKind::usage);
    EXPECT_EQ(kind_of("-"), ErrorKind::usage);
    ASSERT_EQ(::mkfifo(folder_.file("fifo").c_str(), 0600), 0);
    EXPECT_EQ(kind_of(folder_.file("fifo")), ErrorKind::usage);
    fs::create_symlink("loop", folder_.file("loop"));
    EXPECT_EQ(kind_of(folder_.file("loop")), ErrorKind::io);
}

TEST_F(Follow, LinesLongerThanTheSpanComeInPieces) {
    const std::string line(1000, 'x');
    write_file(log_, line);
    open();
    EXPECT_EQ(got(100), line);  // ten times all of the span
    rename_log();
    write_file(log_, "next\n");
    EXPECT_EQ(got(100), "\nnext\n");
}

// Random histories against what was written, by steps in one thread: a look anywhere between them.
TEST_F(Follow, RandomHistoriesWithRenames) {
    for (unsigned seed = 1; seed <= 150; ++seed) {
        TemporaryFolder folder;
        const std::string log = folder.file("log");
        std::mt19937 random(seed);
        std::string written;
        int rotations = 0;
        OwnedFd writer(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
        gaps_.clear();
        open(false, log);
        std::string read;
        int line = 0;
        for (int step = 0; step < 120; ++step) {
            switch (random() % 8) {
                case 0: {  // rotate; the writer keeps the old one for some more bytes, then goes over
                    fs::rename(log, folder.file("log." + std::to_string(++rotations)));
                    if (random() % 2 == 0) read += got(1 + random() % 100);
                    if (random() % 2 == 0) write_file(log, "");
                    if (random() % 2 == 0) read += got(1 + random() % 100);
                    std::string rest = random() % 2 == 0 ? "rest " + std::to_string(line++) : "";
                    ASSERT_TRUE(write_full(writer.get(), rest));
                    written += rest;
                    if (!written.empty() && written.back() != '\n') written += '\n';
                    if (random() % 2 == 0) read += got(1 + random() % 100);
                    writer.reset(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
                    // An empty file never shows: what follows a rotation is a line of its own.
                    const std::string first = "first " + std::to_string(line++);
                    ASSERT_TRUE(write_full(writer.get(), first));
                    written += first;
                    break;
                }
                case 1:
                    read += got(1 + random() % 4);
                    break;
                case 2:
                case 3:
                    read += got(1 + random() % 5000);
                    break;
                default: {
                    std::string bytes = std::to_string(line++) + std::string(random() % 60, 'x');
                    if (random() % 3 != 0) bytes += '\n';
                    ASSERT_TRUE(write_full(writer.get(), bytes));
                    written += bytes;
                }
            }
        }
        ASSERT_TRUE(write_full(writer.get(), "\n"));
        written += '\n';
        read += got();
        ASSERT_EQ(read, written) << "seed " << seed;
        EXPECT_TRUE(gaps_.empty()) << gaps_.front();
    }
}

// The same with a writer in a thread of its own, so that looks fall anywhere in time.
TEST_F(Follow, AWriterThatRotatesWhileWeRead) {
    open();
    constexpr int lines = 30'000;
    std::atomic<bool> done = false;
    std::thread writer([&] {
        std::mt19937 random(7);
        int rotations = 0;
        OwnedFd fd(::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
        for (int i = 0; i < lines; ++i) {
            const std::string line = "{\"seq\":" + std::to_string(i) + "}\n";
            const std::size_t cut = random() % line.size();
            const std::string_view text(line);
            if (!write_full(fd.get(), text.substr(0, cut))) return;
            if (random() % 100 == 0) {
                ::rename(log_.c_str(), folder_.file("log." + std::to_string(++rotations)).c_str());
                if (!write_full(fd.get(), text.substr(cut))) return;
                if (random() % 2 == 0) ::usleep(static_cast<useconds_t>(random() % 2000));
                fd.reset(::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
            } else if (!write_full(fd.get(), text.substr(cut))) {
                return;
            }
        }
        done = true;
    });
    std::string read;
    for (bool last = false; !last;) {
        last = done;
        read += got(20'000);
    }
    writer.join();
    std::string expected;
    for (int i = 0; i < lines; ++i) expected += "{\"seq\":" + std::to_string(i) + "}\n";
    EXPECT_TRUE(read == expected) << read.size() << " of " << expected.size();
    EXPECT_TRUE(gaps_.empty()) << gaps_.front();
}

}  // namespace
}  // namespace stream
