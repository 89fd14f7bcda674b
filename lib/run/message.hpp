// SPDX-License-Identifier: Apache-2.0
// What the tools of a run and stream-run say to each other on run.sock: flat JSON objects, one a packet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace stream::run {

class Message {
public:
    Message() = default;
    explicit Message(std::string_view kind) { set("m", kind); }

    std::string kind() const { return text("m"); }
    Message& set(std::string_view name, std::string_view text);
    Message& set(std::string_view name, std::uint64_t number);
    Message& set(std::string_view name, std::int64_t number);
    Message& flag(std::string_view name, bool value);
    // With one digit behind the point.
    Message& real(std::string_view name, double value);

    std::string text(std::string_view name) const;  // empty where there is none
    std::uint64_t number(std::string_view name) const;
    std::int64_t signed_number(std::string_view name) const;
    bool flag(std::string_view name) const;
    double real(std::string_view name) const;
    bool has(std::string_view name) const { return find(name) != nullptr; }

    // One line without its end.
    std::string encode() const;
    // Nothing where the bytes are no such object.
    static std::optional<Message> decode(std::string_view bytes);

private:
    struct Member {
        std::string name;
        std::string value;
        bool quoted = false;
    };
    const Member* find(std::string_view name) const;
    Member& slot(std::string_view name);
    std::vector<Member> members_;
};

}  // namespace stream::run
