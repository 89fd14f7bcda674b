// SPDX-License-Identifier: Apache-2.0
// Writes states on a thread of its own, so that the stream does not wait for the disk.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "base/error.hpp"

namespace stream {

class StateSaver {
public:
    using Work = std::function<Result<void>()>;

    // `on_failure` is called on the saver's thread.
    explicit StateSaver(std::function<void()> on_failure) : on_failure_(std::move(on_failure)) {}
    // Waits for what is under way.
    ~StateSaver();

    // Begins this once what was begun before has ended.
    void begin(Work work);
    // Waits until nothing is under way; what failed.
    Result<void> settle();
    // What failed, without waiting.
    Result<void> failure();

private:
    void run();
    Result<void> said() const;

    std::function<void()> on_failure_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Work> work_;
    std::optional<Error> error_;
    bool is_working_ = false;
    bool is_over_ = false;
    std::thread thread_;
};

}  // namespace stream
