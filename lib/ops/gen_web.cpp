// SPDX-License-Identifier: Apache-2.0
// Web traffic: people who come, read and go, programs that never stop, and incidents.
#include "ops/gen_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace stream {
namespace {

constexpr DurationNs least_pause = 30 * ns_per_minute;  // between two sessions of a user
constexpr std::uint64_t sessions_per_frame = 8;         // at most
constexpr std::uint64_t rounds_per_frame = 64;

// The sessions that follow each other in a lane's frame of 64 rounds: how many requests each has.
constexpr std::array<std::array<std::uint8_t, sessions_per_frame>, 16> frames = {{
    {40, 24},
    {1, 3, 60},
    {2, 16, 6, 40},
    {8, 1, 1, 4, 2, 32, 16},
    {5, 20, 9, 30},
    {2, 1, 3, 40, 8, 10},
    {12, 32, 20},
    {1, 6, 1, 18, 3, 1, 25, 9},
    {7, 57},
    {10, 2, 6, 2, 24, 4, 16},
    {13, 5, 3, 35, 8},
    {1, 16, 34, 4, 9},
    {34, 30},
    {3, 1, 8, 2, 1, 13, 31, 5},
    {20, 44},
    {64},
}};

struct FramePlace {
    std::uint8_t begin;    // where in the frame the session begins
    std::uint8_t number;   // which of the frame's sessions it is
    std::uint8_t request;  // which of its requests this is, from 0
    std::uint8_t left;     // how many follow
};

constexpr std::array<std::array<FramePlace, rounds_per_frame>, 16> frame_places = [] {
    std::array<std::array<FramePlace, rounds_per_frame>, 16> places{};
    for (std::size_t f = 0; f < 16; ++f) {
        std::size_t at = 0;
        for (std::size_t s = 0; s < sessions_per_frame; ++s) {
            const std::size_t begin = at;
            for (std::size_t k = 0; k < frames[f][s]; ++k, ++at) {
                places[f].at(at) = {static_cast<std::uint8_t>(begin), static_cast<std::uint8_t>(s),
                                    static_cast<std::uint8_t>(k),
                                    static_cast<std::uint8_t>(frames[f][s] - 1 - k)};
            }
        }
    }
    return places;
}();

// The most asked for, in this order; the rest are items, articles and products by number.
constexpr std::array<std::string_view, 16> common_paths = {
    "/",
    "/api/items",
    "/search",
    "/static/app.js",
    "/static/style.css",
    "/api/user",
    "/favicon.ico",
    "/products",
    "/health",
    "/about",
    R"(/search?q=\"red shoes\")",
    "/orte/Zürich",
    "/api/stock",
    "/blog",
    "/robots.txt",
    "/metrics",
};
// These are asked for on the way through a session only, and never by a program.
constexpr std::array<std::string_view, 3> session_paths = {"/login", "/cart", "/checkout"};
enum SessionPath : std::uint64_t { login, cart, checkout };

constexpr std::array<std::string_view, 16> browsers = {
    "Chrome/131 Windows", "Chrome/131 Android", "Safari/18 iPhone", "Chrome/131 Linux",
    "Firefox/133 Linux",  "Safari/18 macOS",    "Edge/131 Windows", "Firefox/133 Windows",
    "Chrome/130 Windows", "Chrome/129 Android", "Safari/17 iPhone", "Samsung/27 Android",
    "Opera/115 Windows",  "Chrome/131 macOS",   "Safari/17 iPad",   "Firefox/128 Linux",
};
constexpr std::array<std::string_view, 8> programs = {
    "curl/8.11.1",        "Googlebot/2.1", "python-requests/2.32", "bingbot/2.0",
    "Go-http-client/2.0", "okhttp/4.12.0", "Prometheus/2.55",      "UptimeRobot/2.0",
};

// What 1 of 256 even throws gives: 500, 502 or 503 in one of them.
constexpr std::array<std::uint16_t, 256> statuses = [] {
    std::array<std::uint16_t, 256> table{};
    for (std::size_t k = 0; k < 256; ++k) {
        table[k] = k < 1 ? 500 : k < 6 ? 404 : k < 8 ? 401 : k < 9 ? 429 : k < 23 ? 304 : k < 28 ? 302 : 200;
    }
    return table;
}();

// One of four places that events come from, which differ in the pace of their users.
struct Group {
    Lanes lanes;
    std::uint64_t program_lanes;  // the first so many lanes belong to programs
    std::uint64_t frame_classes;  // a user returns only in frames that many apart, or a multiple
    std::uint64_t first_user = 0;
    std::uint64_t users = 0;
    std::uint64_t lane_users = 0;   // of which each lane has its own
    std::uint64_t each_class = 0;   // lane_users / (frame_classes × sessions_per_frame)
    std::uint64_t extra_class = 0;  // and its remainder

    Group(const GenOptions& options, std::uint64_t round_seconds, std::uint64_t key)
        : lanes(options.events_per_second, round_seconds, 4, key), program_lanes(lanes.count() * 5 / 32) {
        const std::uint64_t round_ms = 4000 * lanes.count() / options.events_per_second;
        const auto pause_ms = static_cast<std::uint64_t>(least_pause / ns_per_ms);
        frame_classes = 2 + (pause_ms + 2 * round_ms) / (rounds_per_frame * round_ms + 1);
    }
    std::uint64_t classes() const { return frame_classes * sessions_per_frame; }
    std::uint64_t users_wanted() const { return lanes.count() * classes(); }

    void give_users(std::uint64_t first, std::uint64_t count) {
        first_user = first;
        users = std::max<std::uint64_t>(count, 1);
        lane_users = users / lanes.count();
        each_class = lane_users / classes();
        extra_class = lane_users % classes();
    }
    // Who has the `number`-th session of this frame of this lane.
    std::uint64_t user(std::uint64_t lane, std::uint64_t frame, std::uint64_t number,
                       std::uint64_t dice) const {
        if (lane_users == 0) [[unlikely]]
            return first_user + lane % users;
        std::uint64_t in_lane = 0;
        if (each_class == 0) {
            in_lane = (frame * sessions_per_frame + number) % lane_users;
        } else {
            const std::uint64_t c = frame % frame_classes * sessions_per_frame + number;
            in_lane = c + classes() * skewed(dice, each_class + (c < extra_class ? 1 : 0));
        }
        return first_user + lane * lane_users + in_lane;
    }
};

// A few minutes in which half of the paths fail more often, and everything takes longer.
struct Incident {
    std::int64_t minute = std::numeric_limits<std::int64_t>::min();
    std::uint64_t severity = 0;  // 0 for none; else of 256 requests so many fail
    std::uint64_t paths = 0;     // those whose rank is odd, or even
};

class WebSource final : public EventSource {
public:
    explicit WebSource(const GenOptions& options);
    char* write(std::uint64_t index, char* p) override;

private:
    struct Person {
        std::uint64_t user;
        std::uint64_t session;
        std::uint64_t dice;  // the same for all events of the user
        const Fragment* agent;
        std::uint64_t path;  // its rank, or path_count_ for one by chance
    };
    Person person(std::uint64_t index, std::uint64_t dice) const;
    const Incident& incident(std::int64_t time_ms);
    static Fragment path_fragment(std::string_view path, std::uint64_t rank, std::uint64_t dice);

    std::uint64_t id_key_, lane_key_, frame_key_, session_key_, user_key_, incident_key_;
    std::uint64_t programs_;    // how many users are programs
    std::uint64_t path_count_;  // of those met by chance; the session paths follow them
    std::vector<Fragment> paths_;
    std::vector<std::uint8_t> slowness_;  // of each path, in eighths
    std::array<Fragment, 24> agents_;
    std::array<Incident, 2> incidents_;
    std::vector<Group> groups_;
    TimeText time_text_;
};

Fragment WebSource::path_fragment(std::string_view path, std::uint64_t rank, std::uint64_t dice) {
    const bool posts = path.starts_with("/api/") && rank % 4 == 1 && (dice & 1) != 0;
    return Fragment(fmt::format(R"({}","method":"{}","status":)", path, posts ? "POST" : "GET"));
}

WebSource::WebSource(const GenOptions& options)
    : EventSource(options),
      id_key_(gen_key(options.seed, 10)),
      lane_key_(gen_key(options.seed, 11)),
      frame_key_(gen_key(options.seed, 12)),
      session_key_(gen_key(options.seed, 13)),
      user_key_(gen_key(options.seed, 14)),
      incident_key_(gen_key(options.seed, 15)),
      programs_(std::min<std::uint64_t>(63, gen_users(options) / 8)),
      path_count_(options.paths - session_paths.size()) {
    const std::uint64_t path_key = gen_key(options.seed, 16);
    for (std::uint64_t rank = 0; rank < path_count_; ++rank) {
        const std::uint64_t dice = mix64(rank + path_key);
        const std::uint64_t number = rank - common_paths.size() + 1;
        constexpr std::array<std::string_view, 4> folders = {"/api/items", "/products", "/blog",
                                                             "/api/items"};
        const std::string path = rank < common_paths.size()
                                     ? std::string(common_paths[rank])
                                     : fmt::format("{}/{}", folders[rank % folders.size()], number);
        paths_.push_back(path_fragment(path, rank, dice >> 8));
        slowness_.push_back(static_cast<std::uint8_t>(3 + ((dice & 15) * (dice >> 4 & 15)) / 8));
    }
    for (const std::string_view path : session_paths) {
        paths_.push_back(Fragment(fmt::format(R"({}","method":"POST","status":)", path)));
        slowness_.push_back(24);
    }
    for (std::size_t k = 0; k < agents_.size(); ++k) {
        const std::string_view agent = k < browsers.size() ? browsers[k] : programs[k - browsers.size()];
        agents_[k] = Fragment(fmt::format(R"(","agent":"{}"}})"
                                          "\n",
                                          agent));
    }

    // Two of the four groups take 10 seconds or a little more from request to request.
    constexpr std::array<std::uint64_t, 4> round_seconds = {1, 10, 60, 10};
    std::uint64_t wanted = 0;
    for (std::size_t g = 0; g < round_seconds.size(); ++g) {
        groups_.emplace_back(options, round_seconds[g], gen_key(options.seed, 17 + 100 * g));
        wanted += groups_[g].users_wanted();
    }
    std::uint64_t first = 1 + programs_;
    const std::uint64_t people = gen_users(options) - programs_;
    for (Group& group : groups_) {
        const std::uint64_t share = people * group.users_wanted() / wanted;
        group.give_users(first, share);
        first += share;
    }
}

WebSource::Person WebSource::person(std::uint64_t index, std::uint64_t dice) const {
    const std::uint64_t g = index & 3;
    const Group& group = groups_[g];
    const LanePlace at = group.lanes.place(index >> 2);
    Person who{};
    who.path = path_count_;
    if (at.lane < group.program_lanes) {
        const std::uint64_t program = skewed(dice, programs_);
        who.user = 1 + program;
        who.session = mix64(program + session_key_);
        who.dice = mix64(who.user + user_key_);
        who.agent = &agents_[browsers.size() + (program & 7)];
        return who;
    }
    const std::uint64_t lane_id = at.lane << 2 | g;
    const std::uint64_t round = at.round + (mix64(lane_id + lane_key_) & (rounds_per_frame - 1));
    const std::uint64_t frame = round / rounds_per_frame;
    const std::uint64_t frame_id = (frame << group.lanes.bits() | at.lane) << 2 | g;
    const FramePlace& place = frame_places[mix64(frame_id + frame_key_) & 15][round & (rounds_per_frame - 1)];
    // Different for each session, the programs' being below 64.
    const std::uint64_t session = mix64((frame_id * rounds_per_frame + place.begin + 64) + session_key_);
    who.user = group.user(at.lane, frame, place.number, session);
    who.session = session;
    who.dice = mix64(who.user + user_key_);
    who.agent = &agents_[skewed(who.dice, browsers.size())];

    // Who asks often enough logs in, may fill a cart, and may pay before leaving.
    if (place.request + place.left >= 7) {
        if (place.request == 0 && (session & 0x30) == 0) who.path = path_count_ + login;
        if (place.left == 2 && (session & 0xC0) != 0) who.path = path_count_ + cart;
        if (place.left == 1 && (session & 0x180) == 0x180) who.path = path_count_ + checkout;
    }
    return who;
}

const Incident& WebSource::incident(std::int64_t time_ms) {
    constexpr std::int64_t ms_per_minute = ns_per_minute / ns_per_ms;
    const std::int64_t minute = floor_div(time_ms, ms_per_minute);
    Incident& cached = incidents_[static_cast<std::size_t>(minute & 1)];
    if (cached.minute == minute) [[likely]]
        return cached;
    // At most one in each quarter of an hour or so: it begins in minute 0 to 12 of 16.
    const std::uint64_t dice = mix64(static_cast<std::uint64_t>(floor_div(minute, 16)) + incident_key_);
    const auto in_block = static_cast<std::uint64_t>(minute & 15);
    const std::uint64_t begin = below(dice & 0xFFFFFFFFu, 13);
    const std::uint64_t length = 1 + (dice >> 32 & 3);
    const bool is_on = (dice >> 34 & 1) != 0 && in_block >= begin && in_block < begin + length;
    cached = {minute, is_on ? 24 + (dice >> 40 & 63) : 0, dice >> 35 & 1};
    return cached;
}

char* WebSource::write(std::uint64_t index, char* p) {
    const std::int64_t time_ms = clock().at_ms(index);
    const std::uint64_t id = mix64(index + id_key_);
    const std::uint64_t dice = mix64(id ^ golden_gamma);
    const std::uint64_t more_dice = mix64(dice + golden_gamma);
    const Person who = person(index, more_dice);
    const std::uint64_t path = who.path != path_count_ ? who.path : skewed(dice, path_count_);
    const Incident& trouble = incident(time_ms);

    std::uint64_t status = statuses[more_dice & 255];
    std::uint64_t bytes = quantile(size_quantiles, more_dice >> 16 & 0xFFFF);
    std::uint64_t latency = (quantile(latency_quantiles, more_dice >> 32 & 0xFFFF) * slowness_[path]) >> 3;
    if (trouble.severity != 0) [[unlikely]] {
        latency *= 3;
        if ((path & 1) == trouble.paths && (dice >> 48 & 255) < trouble.severity) {
            status = 502 + (dice >> 56 & 1);
            latency *= 4;
        }
    }
    if (status == 304) bytes = 0;
    if (status >= 400) bytes = 100 + (bytes & 255);

    p = put_text(p, R"({"ts":")");
    p = time_text_.write(p, time_ms);
    p = put_text(p, R"(","id":")");
    p = put_hex(p, id, 16);
    p = put_text(p, R"(","user":"u)");
    p = put_decimal(p, who.user);
    p = put_text(p, R"(","session":")");
    p = put_hex(p, who.session >> 8, 12);
    p = put_text(p, R"(","path":")");
    p = paths_[path].write(p);
    *p++ = static_cast<char>('0' + status / 100);
    p = put_two_digits(p, status % 100);
    p = put_text(p, R"(,"bytes":)");
    p = put_decimal(p, bytes);
    p = put_text(p, R"(,"latency_ms":)");
    p = put_decimal(p, latency / 10);
    *p++ = '.';
    *p++ = static_cast<char>('0' + latency % 10);
    p = put_text(p, R"(,"ip":"10.)");
    p = put_octet(p, who.dice >> 16 & 255);
    *p++ = '.';
    p = put_octet(p, who.dice >> 24 & 255);
    *p++ = '.';
    p = put_octet(p, who.dice >> 32 & 255);
    return who.agent->write(p);
}

}  // namespace

std::unique_ptr<EventSource> make_web_source(const GenOptions& options) {
    return std::make_unique<WebSource>(options);
}

}  // namespace stream
