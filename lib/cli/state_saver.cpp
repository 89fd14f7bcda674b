// SPDX-License-Identifier: Apache-2.0
#include "cli/state_saver.hpp"

#include <csignal>
#include <utility>

namespace stream {

StateSaver::~StateSaver() {
    {
        const std::lock_guard<std::mutex> guard(mutex_);
        is_over_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void StateSaver::begin(Work work) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return !is_working_; });
    work_ = std::move(work);
    is_working_ = true;
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    changed_.notify_all();
}

Result<void> StateSaver::settle() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return !is_working_; });
    return said();
}

Result<void> StateSaver::said() const {
    if (!error_) return {};
    return fail(error_->kind(), error_->message(), error_->hint());
}

Result<void> StateSaver::failure() {
    const std::lock_guard<std::mutex> guard(mutex_);
    return said();
}

void StateSaver::run() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the main thread's
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
        changed_.wait(lock, [&] { return work_.has_value() || is_over_; });
        if (!work_) return;
        const Work work = std::move(*work_);
        work_.reset();
        lock.unlock();
        auto done = work();
        lock.lock();
        is_working_ = false;
        if (!done) error_.emplace(std::move(done.error()));
        changed_.notify_all();
        if (!done) on_failure_();
    }
}

}  // namespace stream
