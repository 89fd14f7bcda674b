// SPDX-License-Identifier: Apache-2.0
// Scenarios of runs that publish epochs: alone, and beside writers of plain batches.
#include "fault/log_crash.hpp"

namespace stream::test {

namespace {

log::LogConfig small(World& world, std::uint32_t partitions) {
    log::LogConfig config;
    config.partitions = partitions;
    config.compressed = world.random.one_in(2);
    config.segment_bytes = 6 << 10;
    return config;
}

// The next epoch of one of two runs, one with two sinks: often less than a frame, at times more than a segment.
void publish_next(World& world, log::LogWriter& writer) {
    constexpr std::pair<const char*, const char*> names[] = {{"first", "totals"}, {"first", "late"}, {"second", "totals"}};
    const auto& [run, sink] = names[world.random.below(3)];
    const std::uint64_t done = world.model.runs[{run, sink}].done;
    const bool is_empty = world.random.one_in(6);
    const bool is_big = world.random.one_in(4);
    publish(world, writer, run, sink, done + 1 + world.random.below(2), some_batch(world, is_empty ? 0 : 1 + world.random.below(is_big ? 30 : 5), 900));
    // What a restart that was not needed does.
    if (world.random.one_in(4)) publish(world, writer, run, sink, done + world.random.below(2), some_batch(world, 2, 300));
}

void publish_epochs(World& world) {
    make_log(world, small(world, world.random.one_in(2) ? 1 : 3));
    auto writer = open_writer(world, world.random.one_in(2));
    for (int i = 0; i < 8; ++i) publish_next(world, writer);
}

void publish_beside(World& world) {
    make_log(world, small(world, world.random.one_in(2) ? 1 : 2));
    auto publisher = open_writer(world);
    auto other = open_writer(world);
    auto lazy = open_writer(world, false);
    for (int i = 0; i < 14; ++i) {
        const std::uint64_t what = world.random.below(4);
        if (what < 2) publish_next(world, publisher);
        else append(world, what == 2 ? other : lazy, some_batch(world, 1 + world.random.below(4), 600), what == 2);
    }
}

// More than is written at once.
void publish_much(World& world) {
    auto config = small(world, 1);
    config.compressed = false;
    config.segment_bytes = 300 << 10;
    make_log(world, config);
    auto writer = open_writer(world);
    append(world, writer, some_batch(world, 3, 1000));
    auto epoch = some_batch(world, 6, 1000);
    epoch[2].bytes.assign(500 << 10, 'y');
    epoch[4].bytes.assign(600 << 10, 'z');
    publish(world, writer, "first", "totals", 1, std::move(epoch));
    append(world, writer, some_batch(world, 3, 1000));
    publish(world, writer, "first", "totals", 2, some_batch(world, 4, 1000));
}

const AddScenario publishing{{"publish", publish_epochs}};
const AddScenario beside{{"publish-beside", publish_beside}};
const AddScenario much{{"publish-much", publish_much, 0}};

}  // namespace

}  // namespace stream::test
