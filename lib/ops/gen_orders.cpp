// SPDX-License-Identifier: Apache-2.0
// Orders: each one's life is several events, further apart for some orders than for others.
#include "ops/gen_source.hpp"

#include <bit>

namespace stream {
namespace {

// Of each lane's 16 rounds: the steps of the orders that follow each other in it. c created, p paid,
// k packed, s shipped, d delivered, r returned, x cancelled.
constexpr std::array<std::string_view, 8> frames = {
    "cpksdcpksdcpksdr", "cpksdcxcpksdcpkx", "cpksdcpksdrcpksd", "cpxcpksdcpksdcpx",
    "cxcpksdcpkxcpksd", "cpksdrcpksdcpksd", "cpksdcpxcpksdcpx", "cpksdcxcxcxcpksd",
};

constexpr std::string_view steps = "cpksdrx";

struct FramePlace {
    std::uint8_t begin;  // where in the frame the order begins
    std::uint8_t step;   // its place in `steps`
};

class OrdersSource final : public EventSource {
public:
    explicit OrdersSource(const GenOptions& options)
        : EventSource(options),
          customers_(gen_users(options)),
          skus_(options.skus),
          lane_key_(gen_key(options.seed, 20)),
          frame_key_(gen_key(options.seed, 21)),
          order_key_(gen_key(options.seed, 22)),
          sku_key_(gen_key(options.seed, 23)),
          lanes_{Lanes(options.events_per_second, 2, 4, gen_key(options.seed, 24)),
                 Lanes(options.events_per_second, 30, 4, gen_key(options.seed, 25)),
                 Lanes(options.events_per_second, 300, 4, gen_key(options.seed, 26)),
                 Lanes(options.events_per_second, 1200, 4, gen_key(options.seed, 27))} {
        for (std::size_t f = 0; f < frames.size(); ++f) {
            std::uint8_t begin = 0;
            for (std::uint8_t k = 0; k < 16; ++k) {
                if (frames[f][k] == 'c') begin = k;
                places_[f * 16 + k] = {begin, static_cast<std::uint8_t>(steps.find(frames[f][k]))};
            }
        }
    }

    char* write(std::uint64_t index, char* p) override {
        const std::uint64_t group = index & 3;
        const Lanes& lanes = lanes_[group];
        const LanePlace at = lanes.place(index >> 2);

        // Lanes begin anywhere in their first frame, so that orders are not all created at once.
        const std::uint64_t lane_id = at.lane << 2 | group;
        const std::uint64_t round = at.round + (mix64(lane_id + lane_key_) & 15);
        const std::uint64_t frame = round >> 4;
        const std::uint64_t position = round & 15;
        const std::uint64_t frame_id = (frame << lanes.bits() | at.lane) << 2 | group;
        FramePlace place = places_[(mix64(frame_id + frame_key_) & 7) * 16 + position];
        // What would have begun before the stream did is an order of its own that nobody pays.
        if (position - place.begin > at.round) place = {static_cast<std::uint8_t>(position), 0};

        const std::uint64_t order = frame_id << 4 | place.begin;
        const std::uint64_t dice = mix64(order + order_key_);
        const std::uint64_t more_dice = mix64(dice + golden_gamma);
        const std::uint64_t customer = skewed(dice, customers_);
        const std::uint64_t sku = skewed(more_dice, skus_);
        const std::uint64_t cents = quantile(size_quantiles, mix64(sku + sku_key_) & 0xFFFF);

        p = put_text(p, R"({"ts":")");
        p = time_text_.write(p, clock().at_ms(index));
        p = put_text(p, R"(","order_id":)");
        p = put_decimal(p, 100'000 + order);
        p = put_text(p, R"(,"customer":"c)");
        p = put_decimal(p, 1 + customer);
        p = put_text(p, R"(","sku":"SKU-)");
        p = put_decimal(p, 10'000 + sku);
        p = put_text(p, R"(","quantity":)");
        p = put_decimal(p, 1 + static_cast<std::uint64_t>(std::countr_zero((more_dice >> 48) | 0x80)));
        p = put_text(p, R"(,"price":)");
        p = put_decimal(p, cents / 100);
        *p++ = '.';
        p = put_two_digits(p, cents % 100);
        p = put_text(p, R"(,"currency":")");
        std::memcpy(p, &"EURUSDEURGBPEURUSDEURCHF"[3 * (customer & 7)], 3);
        p = put_text(p + 3, R"(","status":")");
        return ends_[place.step].write(p);
    }

private:
    std::uint64_t customers_;
    std::uint64_t skus_;
    std::uint64_t lane_key_;
    std::uint64_t frame_key_;
    std::uint64_t order_key_;
    std::uint64_t sku_key_;
    std::array<Lanes, 4> lanes_;
    std::array<FramePlace, 16 * frames.size()> places_{};
    std::array<Fragment, 7> ends_ = {Fragment("created\"}\n"),   Fragment("paid\"}\n"),
                                     Fragment("packed\"}\n"),    Fragment("shipped\"}\n"),
                                     Fragment("delivered\"}\n"), Fragment("returned\"}\n"),
                                     Fragment("cancelled\"}\n")};
    TimeText time_text_;
};

}  // namespace

std::unique_ptr<EventSource> make_orders_source(const GenOptions& options) {
    return std::make_unique<OrdersSource>(options);
}

}  // namespace stream
