// SPDX-License-Identifier: Apache-2.0
// Goal: an epoch is committed exactly when every part of it is durable, in order, and nobody publishes before.
#include "run/coordinator.hpp"

#include <gtest/gtest.h>

namespace stream::run {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::uint64_t everybody[] = {1, 2, 3};

struct Sent {
    std::uint64_t id;
    std::string what;
};

// A source (pipe 1) into a window (pipes 1 to 2) into a sink.
class Three {
public:
    explicit Three(CoordinatorOptions options = {}, Commit last = {}) {
        options.key = "k";
        options.attempt = 1;
        options.stdout_pipe = 99;
        last.run = "r";
        Coordinator::World world;
        world.send = [this](std::uint64_t id, const Message& m) {
            went += m.kind() == "go" ? 1 : 0;
            if (m.kind() != "start" && m.kind() != "go") {
                sent.push_back({id, m.kind() + " " + std::to_string(m.number("epoch")) + (m.flag("end") ? " end" : "") + (m.flag("drain") ? " drain" : "")});
            }
        };
        world.commit = [this](const Commit& commit) -> Result<void> {
            if (commit_fails) return fail(ErrorKind::io, "no space");
            commits.push_back(commit);
            return {};
        };
        world.publish_stdout = [](std::uint64_t) -> Result<void> { return {}; };
        coordinator.emplace(options, last, std::move(world));
    }
    std::optional<Message> join(std::uint64_t id) {
        Message hello("hello");
        hello.set("key", "k").set("tool", "t" + std::to_string(id)).set("name", "n" + std::to_string(id));
        if (id == 1) hello.flag("source", true).set("out", "11");
        if (id == 2) hello.flag("stateful", true).set("in", "11").set("out", "12");
        if (id == 3) hello.set("sinks", "n3").set("in", "12");
        return coordinator->hello(id, hello);
    }
    void join_all() {
        for (const std::uint64_t id : everybody) EXPECT_FALSE(join(id));
    }
    void tell(std::uint64_t id, const Message& message) { EXPECT_TRUE(coordinator->take(id, message)); }
    void done(std::uint64_t id, std::uint64_t epoch, bool end = false) {
        if (id != 3) tell(id, Message("state").set("epoch", epoch).set("bytes", "YQ=="));
        else tell(id, Message("mark"));
        tell(id, Message("done").set("epoch", epoch).flag("end", end));
    }
    void step(std::int64_t now) { EXPECT_TRUE(coordinator->step(now)); }
    std::string take_sent() {
        std::string all;
        for (const Sent& one : sent) all += std::to_string(one.id) + ":" + one.what + ";";
        sent.clear();
        return all;
    }

    std::vector<Sent> sent;
    int went = 0;
    std::vector<Commit> commits;
    bool commit_fails = false;
    std::optional<Coordinator> coordinator;
};

TEST(Coordinator, WaitsUntilBothEndsOfEveryPipeAreThere) {
    Three three;
    EXPECT_FALSE(three.join(1));
    EXPECT_FALSE(three.join(3));
    three.step(0);
    EXPECT_FALSE(three.coordinator->is_complete());
    EXPECT_EQ(three.coordinator->open_ends(), (std::vector<std::uint64_t>{12, 11}));
    EXPECT_FALSE(three.join(2));
    three.step(0);
    EXPECT_TRUE(three.coordinator->is_complete());
    EXPECT_EQ(three.take_sent(), "1:barrier 1;");
}

TEST(Coordinator, NobodyBeginsBeforeAllAreThere) {
    Three three;
    EXPECT_FALSE(three.join(1));
    EXPECT_FALSE(three.join(3));
    three.step(0);
    EXPECT_EQ(three.went, 0);
    EXPECT_FALSE(three.join(2));
    three.step(second / 10);
    EXPECT_EQ(three.went, 3);
    EXPECT_EQ(three.coordinator->in_order(), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(Coordinator, AWriterMayWaitForTheReaderToBegin) {
    Three three;
    EXPECT_FALSE(three.join(2));
    three.step(second);
    EXPECT_EQ(three.went, 0);
    EXPECT_EQ(three.coordinator->due_ns(), second + second / 5);
    three.step(second + second / 5);
    EXPECT_EQ(three.went, 1);
    EXPECT_FALSE(three.join(1));
    EXPECT_FALSE(three.join(3));
    three.step(2 * second);
    EXPECT_EQ(three.went, 3);
    EXPECT_TRUE(three.coordinator->is_complete());
}

TEST(Coordinator, CommitsWhenEveryPartIsDurableAndOnlyThen) {
    Three three;
    three.join_all();
    three.step(0);
    three.take_sent();
    three.done(1, 1);
    three.done(3, 1);
    three.step(1);
    EXPECT_TRUE(three.commits.empty());
    three.done(2, 1);
    three.step(2);
    ASSERT_EQ(three.commits.size(), 1u);
    EXPECT_EQ(three.commits[0].epoch, 1u);
    EXPECT_EQ(three.commits[0].states.size(), 2u);
    EXPECT_EQ(three.take_sent(), "3:committed 1;");
    // Not before the sink has published, and something is new, and a second has passed.
    three.tell(1, Message("new"));
    three.step(2 * second);
    EXPECT_EQ(three.take_sent(), "");
    three.tell(3, Message("published").set("epoch", std::uint64_t{1}));
    three.step(second / 2);
    EXPECT_EQ(three.take_sent(), "");
    three.step(2 * second);
    EXPECT_EQ(three.take_sent(), "1:barrier 2;");
}

TEST(Coordinator, TheEndOfAllSourcesDrainsAndFinishes) {
    Three three;
    three.join_all();
    three.step(0);
    for (const std::uint64_t id : everybody) three.done(id, 1);
    three.step(1);
    three.tell(3, Message("published").set("epoch", std::uint64_t{1}));
    three.tell(1, Message("at-end").flag("new", true));
    three.take_sent();
    three.step(2);
    EXPECT_EQ(three.take_sent(), "1:barrier 2 end drain;");
    for (const std::uint64_t id : everybody) three.done(id, 2, true);
    three.step(3);
    ASSERT_EQ(three.commits.size(), 2u);
    EXPECT_TRUE(three.commits[1].finished);
    three.tell(3, Message("published").set("epoch", std::uint64_t{2}));
    for (const std::uint64_t id : everybody) {
        three.tell(id, Message("bye").flag("end", true));
        three.coordinator->gone(id);
    }
    EXPECT_FALSE(three.coordinator->failure());
    EXPECT_TRUE(three.coordinator->is_over());
}

TEST(Coordinator, OnceWithNothingNewCommitsNothing) {
    CoordinatorOptions once;
    once.once = true;
    Commit last;
    last.epoch = 7;
    last.states = {{"n1", "a", "", 0, 0, false}, {"n2", "a", "", 0, 0, false}};
    last.marks = {{"n3", ""}};
    Three three(once, last);
    three.join_all();
    three.step(0);
    three.take_sent();
    three.tell(1, Message("at-end").flag("new", false));
    three.step(1);
    EXPECT_EQ(three.take_sent(), "1:barrier 7 end;");
    for (const std::uint64_t id : everybody) {
        three.tell(id, Message("bye").flag("end", true));
        three.coordinator->gone(id);
    }
    three.step(2);
    EXPECT_TRUE(three.commits.empty());
    EXPECT_TRUE(three.coordinator->is_over());
}

TEST(Coordinator, AFailedCommitTellsNobody) {
    Three three;
    three.join_all();
    three.step(0);
    three.take_sent();
    three.commit_fails = true;
    for (const std::uint64_t id : everybody) three.done(id, 1);
    EXPECT_FALSE(three.coordinator->step(1));
    EXPECT_EQ(three.take_sent(), "");
}

TEST(Coordinator, RefusesAnotherPipelineAndAnotherAttempt) {
    Commit last;
    last.epoch = 3;
    last.states = {{"n1", "a", "", 0, 0, false}, {"gone", "a", "", 0, 0, false}};
    last.marks = {{"n3", ""}};
    Three three({}, last);
    three.join_all();
    three.step(0);
    ASSERT_TRUE(three.coordinator->failure());
    EXPECT_EQ(three.coordinator->failure()->status, 2);
    EXPECT_NE(three.coordinator->failure()->why.find("gone: gone, new: t2"), std::string::npos) << three.coordinator->failure()->why;

    Three other;
    Message stale("hello");
    stale.set("key", "old").set("tool", "t").set("name", "n");
    EXPECT_TRUE(other.coordinator->hello(9, stale));
    EXPECT_FALSE(other.join(2));
    Message twin("hello");
    twin.set("key", "k").set("tool", "t2").set("name", "n2").flag("stateful", true);
    const auto refused = other.coordinator->hello(10, twin);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->text("hint"), "--name tells them apart");
}

TEST(Coordinator, TheCauseOfAFailureIsNotItsEffect) {
    Three three;
    three.join_all();
    three.step(0);
    three.tell(3, Message("bye").set("status", std::uint64_t{3}).set("why", "its input broke off").flag("incomplete", true));
    three.coordinator->gone(3);
    three.tell(2, Message("bye").set("status", std::uint64_t{7}).set("why", "too much"));
    three.coordinator->gone(2);
    three.coordinator->gone(1);  // killed with the rest
    ASSERT_TRUE(three.coordinator->failure());
    EXPECT_EQ(three.coordinator->failure()->status, 7);
    EXPECT_EQ(three.coordinator->failure()->tool, "t2");
}

TEST(Coordinator, WhoLostItsReaderIsNotTheCause) {
    Three three;
    three.join_all();
    three.step(0);
    three.tell(2, Message("bye").set("status", std::uint64_t{141}).set("why", ""));
    three.coordinator->gone(2);
    three.coordinator->gone(3);  // killed
    three.tell(1, Message("bye").set("status", std::uint64_t{141}).set("why", ""));
    three.coordinator->gone(1);
    ASSERT_TRUE(three.coordinator->failure());
    EXPECT_EQ(three.coordinator->failure()->tool, "t3");
    EXPECT_EQ(three.coordinator->failure()->status, 0);
}

}  // namespace
}  // namespace stream::run
