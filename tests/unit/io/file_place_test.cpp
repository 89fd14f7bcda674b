// SPDX-License-Identifier: Apache-2.0
// Goal: from any place that a source gave, reading goes on with exactly the bytes that one undisturbed reader
// would have been given, whatever was done to the file and its name meanwhile; what is gone is named.
#include "io/file_place.hpp"

#include "io/follow.hpp"
#include "io/open.hpp"
#include "io/rotated_files.hpp"
#include "unit/io/helpers.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

namespace stream {
namespace {

using namespace stream::test;
namespace fs = std::filesystem;

TEST(FilePlaceText, ComesBackAsItWas) {
    FilePlace place{66306, UINT64_MAX, -5, 1'800'000'000'123'456'789, 1ULL << 40, 0xe3069283, 1, true, {}};
    EXPECT_EQ(*decode_place(encode(place)), place);
    place.left = {{1, 2, 3, 4, 5, 6, 7, false, {}}, {8, 9, 10, 11, 12, 13, 14, false, {}}};
    const std::string text = encode(place);
    EXPECT_EQ(*decode_place(text), place);
    EXPECT_EQ(*decode_place(encode(FilePlace{})), FilePlace{});
    EXPECT_EQ(text.find('\n'), std::string::npos);
    for (std::size_t i = 0; i < text.size(); ++i) {  // cut anywhere, or with a byte too many
        auto cut = decode_place(std::string_view(text).substr(0, i));
        ASSERT_FALSE(cut.has_value()) << i;
        EXPECT_EQ(cut.error().kind(), ErrorKind::corrupt);
    }
    EXPECT_FALSE(decode_place(text + " ").has_value());
    auto newer = decode_place("{\"place\":2,\"offset\":1}");
    ASSERT_FALSE(newer.has_value());
    EXPECT_NE(newer.error().message().find("version 2"), std::string::npos);
}

TEST(RotatedFiles, AreKnownByTheirNames) {
    for (const char* name : {"app.log.1", "app.log.12.gz", "app.log-20260101", "app.log-20260101.zst",
                             "app-20260101.log", "app-2026-01-01.log.gz", "app.1.log", "app.log.old",
                             "app.log.2026-01-01T10:00:00Z", "app_20260101.log", "app.log.1.xz"}) {
        EXPECT_TRUE(is_rotated_name(name, "app.log")) << name;
    }
    for (const char* name : {"app.log", "app.log.offset", "app-other.log", "app-2.log", "app.log.1.tmp",
                             "app.log.lock", "application.log", "app", "app.log.", "app.logs", "app.log~"}) {
        EXPECT_FALSE(is_rotated_name(name, "app.log")) << name;
    }
    EXPECT_TRUE(is_rotated_name("messages-20260101", "messages"));
    EXPECT_FALSE(is_rotated_name("messages-debug", "messages"));
}

std::string lines_from(int first, int count) {
    std::string lines;
    for (int i = first; i < first + count; ++i) lines += "{\"seq\":" + std::to_string(i) + "}\n";
    return lines;
}

std::uint64_t identity(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_ino;
}

class Place : public testing::Test {
protected:
    // Both ways of reading a file that ends, or that grows.
    std::unique_ptr<ByteSource> opened(const FilePlace& place, bool follow, OnGap on_gap = OnGap::fail) {
        const auto tell = [this](const std::string& sentence) { gaps_.push_back(sentence); };
        auto source = [&] {
            if (!follow) return open_source_at(log_, place, {on_gap, tell});
            FollowOptions options;
            options.on_gap = tell;
            options.resume = place;
            options.on_resume_gap = on_gap;
            return open_followed(log_, std::move(options));
        }();
        error_.reset();
        if (source) return std::move(*source);
        error_ = std::move(source.error());
        return nullptr;
    }
    std::string got(ByteSource& source, std::size_t span = 64 << 10) {
        ReadAll all = read_all(source, span);
        EXPECT_FALSE(all.error.has_value()) << (all.error ? all.error->message() : "");
        EXPECT_EQ(all.ended, !source.is_followed());
        return all.bytes;
    }
    std::string rest(const FilePlace& place, bool follow, OnGap on_gap = OnGap::fail) {
        auto source = opened(*decode_place(encode(place)), follow, on_gap);
        EXPECT_NE(source, nullptr) << (error_ ? error_->message() : "");
        return source ? got(*source) : "";
    }
    FilePlace place_of(ByteSource& source, std::uint64_t count) {
        auto place = source.place_at(count);
        EXPECT_TRUE(place.has_value() && place->has_value());
        return place && *place ? **place : FilePlace{};
    }
    // Of all that there is now.
    FilePlace read_to_the_end(bool follow) {
        auto source = opened({}, follow);
        return place_of(*source, got(*source).size());
    }
    void rename_log(const std::string& to) { fs::rename(log_, folder_.file(to)); }
    // Last modified that long ago: rotations of one test lie apart in time as they do in the world.
    void age(const std::string& name, int seconds) {
        const timespec now = [] {
            timespec time{};
            ::clock_gettime(CLOCK_REALTIME, &time);
            return time;
        }();
        const timespec times[2] = {{now.tv_sec - seconds, 0}, {now.tv_sec - seconds, 0}};
        ASSERT_EQ(::utimensat(AT_FDCWD, folder_.file(name).c_str(), times, 0), 0);
    }

    TemporaryFolder folder_;
    std::string log_ = folder_.file("app.log");
    std::vector<std::string> gaps_;
    std::optional<Error> error_;
};

TEST_F(Place, EveryLineOfAPlainOrCompressedFile) {
    const std::string lines = many_lines(300);
    for (const std::string& bytes :
         {lines, gzip(lines), zstd(lines), gzip(lines.substr(0, 2000)) + gzip(lines.substr(2000))}) {
        write_file(log_, bytes);
        auto source = opened({}, false);
        ASSERT_EQ(got(*source, 777), lines);
        for (std::size_t end = 0; end <= lines.size();
             end = end == lines.size() ? end + 1 : lines.find('\n', end) + 1) {
            const FilePlace place = place_of(*source, end);
            EXPECT_EQ(place.offset, end);
            EXPECT_TRUE(place.left.empty());
            ASSERT_EQ(rest(place, false), lines.substr(end)) << end;
        }
    }
    EXPECT_TRUE(gaps_.empty());
}

TEST_F(Place, FarBehindWhatWasRead) {
    const std::string lines = many_lines(100'000);
    ASSERT_GT(lines.size(), 3U << 20);
    for (const std::string& bytes : {lines, gzip(lines), zstd(lines)}) {
        write_file(log_, bytes);
        auto source = opened({}, false);
        ASSERT_TRUE(got(*source, 1 << 20) == lines);
        const std::size_t end = lines.find('\n', 5000) + 1;  // not in the window any more
        EXPECT_TRUE(rest(place_of(*source, end), false) == lines.substr(end));
        EXPECT_EQ(place_of(*source, lines.size()).offset, lines.size());
    }
    write_file(log_, lines);
    auto source = opened({}, true);
    ASSERT_TRUE(got(*source) == lines);
    const std::size_t end = lines.find('\n', 5000) + 1;
    EXPECT_TRUE(rest(place_of(*source, end), true) == lines.substr(end));
}

TEST_F(Place, PlacesGoOnFromPlaces) {
    const std::string lines = many_lines(2000);
    for (const bool follow : {false, true}) {
        write_file(log_, lines);
        FilePlace place;
        std::string all;
        for (std::size_t step = 1; all.size() < lines.size(); step = step * 3 + 17) {
            auto source = opened(place, follow);
            const std::string more = got(*source, 1000);
            const std::size_t end = step >= more.size() ? more.size() : more.find('\n', step) + 1;
            all += more.substr(0, end);
            place = place_of(*source, end);
        }
        EXPECT_TRUE(all == lines);
    }
}

TEST_F(Place, GrowthIsNoChange) {
    for (const bool follow : {false, true}) {
        write_file(log_, lines_from(0, 10));
        const FilePlace place = read_to_the_end(follow);
        EXPECT_EQ(rest(place, follow), "");
        append_file(log_, lines_from(10, 500));
        EXPECT_EQ(rest(place, follow), lines_from(10, 500));
    }
    write_file(log_, "one\ntw");  // a line that isn't finished is not part of the place
    const FilePlace place = read_to_the_end(true);
    EXPECT_EQ(place.offset, 4U);
    append_file(log_, "o\n");
    EXPECT_EQ(rest(place, true), "two\n");
    EXPECT_TRUE(gaps_.empty());
}

TEST_F(Place, OneRotationWhileNobodyLooked) {
    for (const bool follow : {false, true}) {
        for (const std::string name : {"app.log.1", "app.log-20260101", "app-20260101.log", "app.log.old"}) {
            write_file(log_, lines_from(0, 10));
            const FilePlace place = read_to_the_end(follow);
            append_file(log_, lines_from(10, 10));
            rename_log(name);
            EXPECT_EQ(rest(place, follow), lines_from(10, 10)) << name;  // there is no new one yet
            write_file(log_, lines_from(20, 10));
            EXPECT_EQ(rest(place, follow), lines_from(10, 20)) << name;
            fs::remove(folder_.file(name));
            fs::remove(log_);
        }
    }
    EXPECT_TRUE(gaps_.empty());
}

TEST_F(Place, ThreeRotationsTheOlderOnesCompressed) {
    for (const bool follow : {false, true}) {
        const std::string old = "of another time\n";
        write_file(folder_.file("app.log.9"), old);
        age("app.log.9", 900);
        write_file(log_, many_lines(200));
        age("app.log", 500);
        auto source = opened({}, follow);
        EXPECT_EQ(got(*source), many_lines(200));
        const std::size_t half = many_lines(100).size();
        const FilePlace place = place_of(*source, half);
        source.reset();
        fs::remove(log_);
        write_file(folder_.file("app.log.3.gz"), gzip(many_lines(200) + lines_from(1000, 10)));
        age("app.log.3.gz", 400);
        write_file(folder_.file("app.log.2.zst"), zstd(lines_from(1010, 10)));
        age("app.log.2.zst", 300);
        write_file(folder_.file("app.log.1"), lines_from(1020, 9) + "no newline");
        age("app.log.1", 200);
        write_file(folder_.file("app-other.log"), "not ours\n");
        write_file(folder_.file("app.log.offset"), "not ours\n");
        write_file(log_, lines_from(1030, 10));
        const std::string expected =
            many_lines(200).substr(half) + lines_from(1000, 29) + "no newline\n" + lines_from(1030, 10);
        EXPECT_EQ(rest(place, follow), expected);
        // And from every place on the way, again.
        auto again = opened(place, follow);
        ASSERT_EQ(got(*again, 100), expected);
        for (std::size_t end = 0; end < expected.size(); end = expected.find('\n', end) + 1) {
            ASSERT_EQ(rest(place_of(*again, end), follow), expected.substr(end)) << end;
        }
        EXPECT_EQ(rest(place_of(*again, expected.size()), follow), "");
        fs::remove(folder_.file("app.log.3.gz"));
        fs::remove(folder_.file("app.log.2.zst"));
    }
    EXPECT_TRUE(gaps_.empty());
}

TEST_F(Place, HalfOfACompressedSiblingDoesNotHideThePlainOne) {
    write_file(log_, lines_from(0, 100));
    const FilePlace place = read_to_the_end(true);
    append_file(log_, lines_from(100, 100));
    rename_log("app.log.1");
    const std::string packed = gzip(lines_from(0, 200));
    write_file(folder_.file("app.log.1.gz"), packed.substr(0, packed.size() / 2));
    write_file(log_, lines_from(200, 5));
    EXPECT_EQ(rest(place, true), lines_from(100, 105));
    EXPECT_EQ(rest(place, false), lines_from(100, 105));
}

TEST_F(Place, CopiedAndTruncated) {
    for (const bool follow : {false, true}) {
        write_file(log_, lines_from(0, 200));
        const FilePlace place = read_to_the_end(follow);
        append_file(log_, lines_from(200, 10));
        fs::copy_file(log_, folder_.file("app.log.1"), fs::copy_options::overwrite_existing);
        write_file(log_, "");
        EXPECT_EQ(rest(place, follow), lines_from(200, 10));
        append_file(log_, lines_from(210, 1000));
        EXPECT_EQ(rest(place, follow), lines_from(200, 1010));
        fs::remove(folder_.file("app.log.1"));
        EXPECT_EQ(opened(place, follow), nullptr);
    }
    EXPECT_TRUE(gaps_.empty());
}

TEST_F(Place, ShorterChangedOrGoneIsANamedGap) {
    for (const bool follow : {false, true}) {
        write_file(log_, lines_from(0, 200));
        const FilePlace place = read_to_the_end(follow);
        const auto expect_gap = [&](const std::string& why, const std::string& after) {
            EXPECT_EQ(opened(place, follow), nullptr);
            ASSERT_TRUE(error_.has_value());
            EXPECT_EQ(error_->kind(), ErrorKind::data);
            const std::string message = "the place in \"" + log_ + "\" where reading stopped is gone (byte " +
                                        std::to_string(place.offset) + " of inode " +
                                        std::to_string(place.inode) + "; ";
            EXPECT_EQ(error_->message(), message + why + ")");
            EXPECT_NE(error_->hint().find("--on-gap skip"), std::string::npos);
            EXPECT_TRUE(gaps_.empty());
            EXPECT_EQ(rest(place, follow, OnGap::skip), after);
            ASSERT_EQ(gaps_.size(), 1U);
            EXPECT_EQ(gaps_[0], message + why + "): going on with what is there");
            gaps_.clear();
        };
        write_file(log_, "new\n");
        expect_gap("the file has 4 bytes now", "new\n");
        write_file(log_, lines_from(1000, 900));
        expect_gap("other bytes are before it now", lines_from(1000, 900));
        std::string changed = lines_from(0, 200);
        changed[changed.size() - 4] = '!';
        write_file(log_, changed + "more\n");
        expect_gap("other bytes are before it now", changed + "more\n");
        fs::remove(log_);
        write_file(folder_.file("app.log.1"), lines_from(500, 10));  // came after
        write_file(folder_.file("app.log.2"), lines_from(0, 10));    // before
        age("app.log.2", 1000);
        write_file(folder_.file("keep"), "");  // not the same inode again
        write_file(log_, lines_from(510, 10));
        if (identity(log_) != place.inode && identity(folder_.file("app.log.1")) != place.inode) {
            expect_gap("no file of that name has it, nor any of 2 rotated ones", lines_from(500, 20));
        }
        fs::remove(folder_.file("app.log.1"));
        fs::remove(folder_.file("app.log.2"));
    }
}

TEST_F(Place, AnInodeNumberUsedAgainIsNotMistaken) {
    for (const bool follow : {false, true}) {
        write_file(log_, lines_from(0, 200));
        FilePlace place = read_to_the_end(follow);
        write_file(folder_.file("app.log.1.gz"), gzip(lines_from(0, 300)));
        write_file(folder_.file("new"), lines_from(300, 500));
        fs::rename(folder_.file("new"), log_);
        place.inode = identity(log_);  // the new one has the old one's number
        place.born_ns = 0;
        EXPECT_EQ(rest(place, follow), lines_from(200, 600));
        // A short beginning that all of them have: the time of birth tells.
        write_file(log_, "time,value\n1,2\n");
        auto source = opened({}, follow);
        got(*source);
        place = place_of(*source, 11);
        source.reset();
        if (place.born_ns == 0) continue;
        write_file(folder_.file("app.log.1.gz"), gzip("time,value\n1,2\n3,4\n"));
        write_file(folder_.file("app.log.2.gz"), gzip("time,value\n-1,-2\n"));
        age("app.log.2.gz", 1000);
        write_file(folder_.file("new"), "time,value\n5,6\n");
        fs::rename(folder_.file("new"), log_);
        place.inode = identity(log_);
        EXPECT_EQ(rest(place, follow), "1,2\n3,4\ntime,value\n5,6\n");
        fs::remove(folder_.file("app.log.2.gz"));
    }
    EXPECT_TRUE(gaps_.empty());
}

TEST_F(Place, AnEmptyPlaceIsTheStart) {
    for (const bool follow : {false, true}) {
        write_file(log_, lines_from(0, 10));
        auto source = opened({}, follow);
        const FilePlace place = place_of(*source, 0);
        EXPECT_EQ(place.inode, identity(log_));
        EXPECT_EQ(place.offset, 0U);
        source.reset();
        EXPECT_EQ(rest(place, follow), lines_from(0, 10));
        rename_log("app.log.1");
        write_file(log_, lines_from(10, 10));
        EXPECT_EQ(rest(place, follow), lines_from(0, 20));
        fs::remove(folder_.file("app.log.1"));
        EXPECT_EQ(place.waits, follow);
        // Of a file that is followed it is known that it had bytes, and they are gone.
        if (follow) {
            EXPECT_EQ(opened(place, true), nullptr);
            EXPECT_NE(error_->message().find("where reading stopped is gone (byte 0 of inode"), std::string::npos);
        }
        EXPECT_EQ(rest(place, follow, follow ? OnGap::skip : OnGap::fail), lines_from(10, 10));
        EXPECT_EQ(gaps_.size(), follow ? 1U : 0U);
        EXPECT_EQ(rest({}, follow), lines_from(10, 10));
    }
    gaps_.clear();
    write_file(log_, "");
    const FilePlace empty = place_of(*opened({}, true), 0);
    EXPECT_FALSE(empty.waits);
    rename_log("app.log.1");
    fs::remove(folder_.file("app.log.1"));
    write_file(log_, lines_from(0, 1));
    EXPECT_EQ(rest(empty, true), lines_from(0, 1));
    EXPECT_TRUE(gaps_.empty());
    fs::remove(log_);
    EXPECT_EQ(opened({}, false), nullptr);
    EXPECT_EQ(error_->message(), "cannot open \"" + log_ + "\": No such file or directory");
    auto source = opened({}, true);  // waits for it
    EXPECT_EQ(got(*source), "");
    EXPECT_EQ(place_of(*source, 0), FilePlace{});
    write_file(log_, "one\n");
    EXPECT_EQ(got(*source), "one\n");
    EXPECT_EQ(place_of(*source, 4).inode, identity(log_));
}

TEST_F(Place, WhatCannotBeResumedHasNone) {
    ASSERT_EQ(::mkfifo(log_.c_str(), 0600), 0);
    OwnedFd writer(::open(log_.c_str(), O_RDWR));
    auto source = opened({}, false);
    ASSERT_NE(source, nullptr);
    EXPECT_FALSE(source->place_at(0)->has_value());
    FilePlace place;
    place.offset = 5;
    EXPECT_EQ(opened(place, false), nullptr);
    EXPECT_EQ(error_->kind(), ErrorKind::usage);
    fs::remove(log_);
    write_file(log_, "one\n");
    EXPECT_FALSE((*open_source(log_))->place_at(0)->has_value());
    EXPECT_FALSE((*open_followed(log_, {}))->place_at(0)->has_value());
}

TEST_F(Place, StdinThatIsAFile) {
    const OwnedFd kept(::fcntl(0, F_DUPFD_CLOEXEC, 3));
    const auto stdin_from = [](const std::string& path) {
        const OwnedFd fd(::open(path.c_str(), O_RDONLY));
        ASSERT_EQ(::dup2(fd.get(), 0), 0);
    };
    write_file(log_, lines_from(0, 10));
    stdin_from(log_);
    ASSERT_EQ(::lseek(0, 10, SEEK_SET), 10);
    auto source = open_source_at("-", {});
    ASSERT_TRUE(source.has_value());
    ASSERT_EQ(got(**source), lines_from(1, 9));
    const FilePlace place = place_of(**source, 20);
    EXPECT_EQ(place.offset, 30U);
    rename_log("app.log.1");
    write_file(log_, lines_from(10, 10));
    stdin_from(log_);  // as the shell does at the next start
    source = open_source_at("-", place);
    ASSERT_TRUE(source.has_value());
    EXPECT_EQ(got(**source), lines_from(3, 17));
    fs::remove(log_);
    source = open_source_at("-", {});
    ASSERT_TRUE(source.has_value());
    EXPECT_EQ(got(**source), lines_from(10, 10));
    if (kept.is_open()) {
        ::dup2(kept.get(), 0);
    } else {
        ::close(0);
    }
}

TEST_F(Place, ThroughARotationWhileReading) {
    write_file(log_, lines_from(0, 10));
    auto source = opened({}, true);
    std::string all = got(*source);
    append_file(log_, lines_from(10, 5) + "half");
    rename_log("app.log.1");
    write_file(log_, lines_from(20, 5));
    all += got(*source);
    age("app.log.1", 20);
    age("app.log", 10);
    rename_log("app.log.2");  // unlike logrotate, but it may be
    write_file(log_, lines_from(30, 5));
    all += got(*source);
    ASSERT_EQ(all, lines_from(0, 15) + "half\n" + lines_from(20, 5) + lines_from(30, 5));
    for (std::size_t end = 0; end < all.size(); end = all.find('\n', end) + 1) {
        ASSERT_EQ(rest(place_of(*source, end), true), all.substr(end)) << end;
    }
    const FilePlace place = place_of(*source, all.size());
    EXPECT_EQ(place.inode, identity(log_));
    EXPECT_EQ(rest(place, true), "");
}

TEST_F(Place, LinesThatComeLateToAFileThatWasLeft) {
    write_file(log_, "a1\n");
    auto source = opened({}, true);
    std::string all = got(*source);
    rename_log("app.log.1");
    write_file(log_, "b1\n");
    all += got(*source);
    append_file(folder_.file("app.log.1"), "a2\n");
    append_file(log_, "b2\n");
    ::usleep(60'000);
    all += got(*source);
    ASSERT_EQ(all.size(), 12U);
    append_file(folder_.file("app.log.1"), "a3\n");  // while nobody looks
    append_file(log_, "b3\n");
    const auto sorted = [](const std::string& text) {
        std::vector<std::string> lines;
        for (std::size_t i = 0; i < text.size(); i += 3) lines.push_back(text.substr(i, 3));
        std::sort(lines.begin(), lines.end());
        return lines;
    };
    const auto expected = sorted("a1\na2\na3\nb1\nb2\nb3\n");
    for (std::size_t end = 0; end <= all.size(); end += 3) {
        const FilePlace place = place_of(*source, end);
        EXPECT_EQ(sorted(all.substr(0, end) + rest(place, true)), expected) << end;
        EXPECT_EQ(sorted(all.substr(0, end) + rest(place, false)), expected) << end;
    }
    EXPECT_TRUE(gaps_.empty());
}

TEST_F(Place, OfAFileThatWasTruncatedWhileWeReadIt) {
    write_file(log_, lines_from(0, 100));
    auto source = opened({}, true);
    std::string all = got(*source);
    const FilePlace before = place_of(*source, lines_from(0, 50).size());
    write_file(log_, "");
    EXPECT_EQ(got(*source), "");
    EXPECT_EQ(gaps_.size(), 1U);
    // The lines that were in hand are gone from the disk; behind the end nothing is missing that was not
    // told.
    EXPECT_EQ(opened(before, true), nullptr);
    const FilePlace place = place_of(*source, all.size());
    EXPECT_EQ(rest(place, true), "");
    append_file(log_, "new\n");
    EXPECT_EQ(rest(place, true), "new\n");
    EXPECT_EQ(rest(place, false), "new\n");
    // With copies of both it is known what came after, too.
    write_file(folder_.file("app.log.2"), lines_from(0, 100) + "unread\n");
    EXPECT_EQ(rest(before, true), lines_from(50, 50) + "unread\nnew\n");
    EXPECT_EQ(rest(place, true), "unread\nnew\n");
    EXPECT_EQ(got(*source), "new\n");
    EXPECT_EQ(rest(place_of(*source, all.size() + 4), true), "");
}

TEST_F(Place, FollowingFromTheEnd) {
    write_file(log_, lines_from(0, 100) + "ha");
    FollowOptions options;
    options.from_end = options.places = true;
    auto source = open_followed(log_, options);
    ASSERT_TRUE(source.has_value());
    EXPECT_EQ(got(**source), "");
    const FilePlace place = place_of(**source, 0);
    EXPECT_EQ(place.offset, lines_from(0, 100).size());
    append_file(log_, "lf\n");
    rename_log("app.log.1");
    write_file(log_, "next\n");
    EXPECT_EQ(rest(place, true), "half\nnext\n");
}

// Random histories: one follower looks after every step; another is stopped again and again, its output cut
// back to the last place that was taken of it, and resumed from there.
TEST_F(Place, RandomStopsGiveWhatOneUndisturbedFollowerGives) {
    for (unsigned seed = 1; seed <= 120; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 random(seed);
        for (const auto& file : fs::directory_iterator(folder_.path())) fs::remove(file);
        const bool copies = seed % 3 == 0;  // copytruncate, else renames
        const bool unlike = seed % 2 == 0;  // the highest number is the newest
        int rotations = 0;
        int seconds = 100'000;
        int line = 0;
        FollowOptions undisturbed;
        auto whole = std::move(*open_followed(log_, undisturbed));
        std::string expected;
        std::unique_ptr<ByteSource> part;
        FilePlace place;
        std::string kept;   // up to the place
        std::string fresh;  // given since part was opened
        std::size_t used = 0;
        write_file(log_, "first\n");
        age("app.log", seconds);
        expected = kept = got(*whole);
        place = read_to_the_end(true);
        const auto rotate = [&] {
            if (fs::file_size(log_) == 0) return;
            if (!unlike) {
                for (int i = rotations; i > 0; --i) {
                    for (const std::string end : {"", ".gz", ".zst"}) {
                        const std::string from = log_ + "." + std::to_string(i) + end;
                        if (fs::exists(from)) fs::rename(from, log_ + "." + std::to_string(i + 1) + end);
                    }
                }
            }
            ++rotations;
            const std::string to = "app.log." + std::to_string(unlike ? rotations : 1);
            if (copies) {
                fs::copy_file(log_, folder_.file(to));
                age(to, seconds);
                write_file(log_, "");
                age("app.log", --seconds);
            } else {
                rename_log(to);
                if (random() % 2 == 0) {
                    write_file(log_, "");
                    age("app.log", --seconds);
                }
            }
        };
        const auto compress = [&] {
            for (int i = 1; i <= rotations; ++i) {
                const std::string name = "app.log." + std::to_string(i);
                const bool newest = i == (unlike ? rotations : 1);
                if (newest || !fs::exists(folder_.file(name)) || random() % 3 != 0) continue;
                std::ifstream in(folder_.file(name));
                const std::string text((std::istreambuf_iterator<char>(in)), {});
                struct stat status;
                ASSERT_EQ(::stat(folder_.file(name).c_str(), &status), 0);
                const bool gz = random() % 2 == 0;
                const std::string to = name + (gz ? ".gz" : ".zst");
                write_file(folder_.file(to), gz ? gzip(text) : zstd(text));
                const timespec times[2] = {status.st_mtim, status.st_mtim};
                ASSERT_EQ(::utimensat(AT_FDCWD, folder_.file(to).c_str(), times, 0), 0);
                fs::remove(folder_.file(name));
            }
        };
        for (int step = 0; step < 80; ++step) {
            switch (random() % 10) {
                case 0:
                    // A follower that looks sees all before the truncation; one that is stopped finds the
                    // copy.
                    if (copies && part) fresh += got(*part);
                    if (copies && part && used < fresh.size()) break;  // in hand, and about to be cut: a gap
                    if (fs::exists(log_)) rotate();
                    break;
                case 1:
                    if (!part) compress();
                    break;
                case 2:
                case 3:  // stop
                    part.reset();
                    fresh.clear();
                    used = 0;
                    break;
                case 4:
                case 5:
                    if (!part) part = opened(*decode_place(encode(place)), true);
                    ASSERT_NE(part, nullptr) << error_->message();
                    break;
                case 6:
                    if (part) fresh += got(*part, 1 + random() % 300);
                    break;
                case 7:  // a place somewhere in what was given
                    if (part && used < fresh.size()) {
                        const std::size_t from = used + random() % (fresh.size() - used);
                        const std::size_t end = fresh.find('\n', from);
                        if (end == std::string::npos) break;
                        place = place_of(*part, end + 1);
                        kept += fresh.substr(used, end + 1 - used);
                        used = end + 1;
                    }
                    break;
                default: {
                    std::string text;
                    for (unsigned i = 0; i < random() % 40; ++i)
                        text += std::to_string(line++) + std::string(random() % 90, 'x') + "\n";
                    if (!copies && random() % 4 == 0) text += "half " + std::to_string(line++);
                    append_file(log_, text);
                    age("app.log", seconds -= 10);
                }
            }
            expected += got(*whole);
        }
        append_file(log_, "\nlast\n");
        expected += got(*whole);
        part = opened(place, true);
        ASSERT_NE(part, nullptr) << error_->message();
        kept += got(*part);
        ASSERT_EQ(kept, expected);
        gaps_.clear();
    }
}

// A writer in a thread of its own rotates, finishes its line in the file that it left, and compresses, while
// the follower is stopped and resumed at any moment.
TEST_F(Place, StopsAtAnyMomentWhileAWriterRotates) {
    constexpr int lines = 4000;
    std::atomic<bool> done = false;
    write_file(log_, lines_from(0, 1));
    FilePlace place = read_to_the_end(true);
    std::thread writer([&] {
        std::mt19937 random(11);
        int rotations = 0;
        OwnedFd fd(::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
        for (int i = 1; i < lines; ++i) {
            const std::string line = lines_from(i, 1);
            const std::size_t cut = random() % line.size();
            if (!write_full(fd.get(), std::string_view(line).substr(0, cut))) break;
            const bool rotates = i > 20 && random() % 50 == 0;
            const std::string to = log_ + "." + std::to_string(rotations + 1);
            if (rotates && ::rename(log_.c_str(), to.c_str()) == 0) ++rotations;
            if (!write_full(fd.get(), std::string_view(line).substr(cut))) break;
            if (random() % 20 == 0) ::usleep(1000);
            if (!rotates) continue;
            ::usleep(10'000);  // their mtimes differ
            fd.reset(::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
            const std::string old = log_ + "." + std::to_string(rotations - 2);
            if (rotations > 2 && random() % 2 == 0) {
                std::ifstream in(old);
                const std::string text((std::istreambuf_iterator<char>(in)), {});
                struct stat status;
                if (::stat(old.c_str(), &status) != 0) break;
                write_file(old + ".gz", gzip(text));
                const timespec times[2] = {status.st_mtim, status.st_mtim};
                ::utimensat(AT_FDCWD, (old + ".gz").c_str(), times, 0);
                fs::remove(old);
            }
        }
        done = true;
    });
    std::mt19937 random(3);
    std::string kept = lines_from(0, 1);
    int stops = 0;
    for (bool last = false; !last; ++stops) {
        auto source = opened(place, true);
        if (source == nullptr) break;
        std::string fresh;
        last = done;
        for (unsigned looks = random() % 4; looks > 0; --looks) {
            fresh += got(*source, 1 + random() % 3000);
            if (looks > 1) ::usleep(static_cast<useconds_t>(random() % 5000));
        }
        if (last) fresh += got(*source);
        std::size_t end = last || fresh.empty() ? fresh.size() : random() % fresh.size();
        end = end == 0 ? 0 : fresh.rfind('\n', end - 1) + 1;
        place = place_of(*source, end);
        kept += fresh.substr(0, end);
    }
    writer.join();
    EXPECT_FALSE(error_.has_value()) << error_->message();
    const std::string expected = lines_from(0, lines);
    const auto wrong = std::mismatch(kept.begin(), kept.end(), expected.begin(), expected.end()).first;
    EXPECT_TRUE(kept == expected) << kept.size() << " bytes after " << stops << " stops, other ones from "
                                  << kept.substr(static_cast<std::size_t>(wrong - kept.begin()), 60);
    EXPECT_GT(stops, 20);
    EXPECT_TRUE(gaps_.empty()) << gaps_.front();
}

}  // namespace
}  // namespace stream
