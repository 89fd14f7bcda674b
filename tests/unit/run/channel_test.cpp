// SPDX-License-Identifier: Apache-2.0
// Goal: what a tool says last is heard, whatever it leaves unread.
#include "run/channel.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace stream::run {
namespace {

TEST(Channel, TheLastWordOfWhoLeavesSomethingUnreadIsHeard) {
    std::string folder = testing::TempDir() + "channel.XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    const auto door = listen_in(folder);
    ASSERT_TRUE(door);
    std::optional<Channel> ours;
    {
        auto tool = connect_to(folder);
        ASSERT_TRUE(tool);
        ours = accept_from(door->get());
        ASSERT_TRUE(ours);
        ours->send(Message("barrier"));
        tool->send(Message("done"));
        tool->send(Message("bye"));
    }
    Message message;
    ASSERT_EQ(ours->receive(message, false), Channel::Got::message);
    EXPECT_EQ(message.kind(), "done");
    ASSERT_EQ(ours->receive(message, false), Channel::Got::message);
    EXPECT_EQ(message.kind(), "bye");
    EXPECT_EQ(ours->receive(message, false), Channel::Got::gone);
    ::unlink((folder + "/run.sock").c_str());
    ::rmdir(folder.c_str());
}

}  // namespace
}  // namespace stream::run
