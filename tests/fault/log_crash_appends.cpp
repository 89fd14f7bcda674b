// SPDX-License-Identifier: Apache-2.0
// Scenarios of creating, appending and reopening.
#include "fault/log_crash.hpp"

namespace stream::test {

namespace {

log::LogConfig small(std::uint32_t partitions, bool compressed) {
    log::LogConfig config;
    config.partitions = partitions;
    config.compressed = compressed;
    config.segment_bytes = 6 << 10;
    return config;
}

void append_to_one(World& world) {
    make_log(world, small(1, world.random.one_in(2)));
    auto writer = open_writer(world);
    for (int i = 0; i < 12; ++i) append(world, writer, some_batch(world, 1 + world.random.below(6), 700));
}

void append_to_several(World& world) {
    make_log(world, small(3, world.random.one_in(2)));
    auto writer = open_writer(world);
    for (int i = 0; i < 12; ++i) append(world, writer, some_batch(world, 1 + world.random.below(9), 900));
}

// head is longer than a sector.
void append_to_many(World& world) {
    make_log(world, small(20, false));
    auto writer = open_writer(world);
    for (int i = 0; i < 4; ++i) append(world, writer, some_batch(world, 8, 200));
}

// More than a frame, and records longer than one.
void append_much(World& world) {
    auto config = small(world.random.one_in(2) ? 1 : 2, world.random.one_in(2));
    config.segment_bytes = 900 << 10;
    make_log(world, config);
    auto writer = open_writer(world);
    auto batch = some_batch(world, 8, 150 << 10);
    GivenRecord longer = some_record(world, 10);
    longer.bytes.assign(log::frame_bytes + 5000, 'y');
    batch.insert(batch.begin() + 4, longer);
    append(world, writer, std::move(batch));
    append(world, writer, some_batch(world, 3, 100));
    append(world, writer, some_batch(world, 5, 130 << 10));
}

// Batches that are not synced between such that are, by two writers.
void append_lazily(World& world) {
    make_log(world, small(world.random.one_in(2) ? 1 : 3, world.random.one_in(2)));
    auto lazy = open_writer(world, false);
    auto strict = open_writer(world);
    for (int i = 0; i < 16; ++i) {
        const bool sync = world.random.one_in(4);
        append(world, sync ? strict : lazy, some_batch(world, 1 + world.random.below(5), 600), sync);
    }
}

void append_by_two(World& world) {
    make_log(world, small(2, true));
    auto one = open_writer(world);
    auto other = open_writer(world);
    for (int i = 0; i < 12; ++i) append(world, world.random.one_in(2) ? one : other, some_batch(world, 1 + world.random.below(4), 800));
}

void reopen(World& world) {
    auto config = small(world.random.one_in(2) ? 1 : 2, false);
    config.single_writer = world.random.one_in(2);
    make_log(world, config);
    for (int i = 0; i < 5; ++i) {
        const bool sync = !world.random.one_in(3);
        auto writer = open_writer(world, sync);
        for (int j = 0; j < 2; ++j) append(world, writer, some_batch(world, 1 + world.random.below(3), 500), sync);
    }
}

const AddScenario create{{"create", [](World& world) { make_log(world, small(2, true)); }}};
const AddScenario one{{"append-one", append_to_one}};
const AddScenario several{{"append-several", append_to_several}};
const AddScenario many{{"append-many", append_to_many}};
const AddScenario much{{"append-much", append_much, 0}};
const AddScenario lazily{{"append-lazily", append_lazily}};
const AddScenario two{{"append-by-two", append_by_two}};
const AddScenario again{{"reopen", reopen}};

}  // namespace

}  // namespace stream::test
