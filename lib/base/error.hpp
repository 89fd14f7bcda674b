// SPDX-License-Identifier: Apache-2.0
// Expected failures are values. An Error says what kind of failure it is (the kind decides the exit
// status, in cli/exit_status.hpp), in a sentence for a person, with at most one hint that can be pasted.
// Messages are lower case, put the offending text in quoted() form and name no tool: the caller adds
// the place in front.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace stream {

enum class ErrorKind : std::uint8_t {
    usage,    // the command line asks for something that is not there (exit 2)
    data,     // one event cannot be used: the bad-event policy decides (exit 3 where it stops)
    io,       // the system refused a read, write, open, … (exit 4)
    corrupt,  // stored bytes fail their checks (exit 5)
    locked,   // somebody else holds it (exit 6)
    limit,    // a limit the user can set was reached (exit 7)
    incomplete,  // input that should be there is not: an upstream that failed, a place that is gone (exit 3)
    closed,   // the reader of our output went away (exit 141, quietly)
    stopped,  // a signal asked us to stop (exit 128 + signal)
};

// A pointer wide, so that Result<void> costs nothing on the hot path.
class Error {
public:
    Error(ErrorKind kind, std::string message, std::string hint = {})
        : data_(std::make_unique<Data>(Data{kind, std::move(message), std::move(hint)})) {}

    ErrorKind kind() const { return data_->kind; }
    const std::string& message() const { return data_->message; }
    const std::string& hint() const { return data_->hint; }

    // The same error with a place ("orders.ndjson:17") in front of its message.
    Error at(const std::string& place) && {
        data_->message = place + ": " + data_->message;
        return std::move(*this);
    }

private:
    struct Data {
        ErrorKind kind;
        std::string message;
        std::string hint;
    };
    std::unique_ptr<Data> data_;
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string message, std::string hint = {}) {
    return tl::unexpected<Error>(Error(kind, std::move(message), std::move(hint)));
}

// Passes a failure on: `return pass_on(result);`
template <class T>
tl::unexpected<Error> pass_on(Result<T>& result) {
    return tl::unexpected<Error>(std::move(result.error()));
}

}  // namespace stream

// Evaluates a Result<…> and returns its error from the enclosing function if it has one.
#define STREAM_TRY(expression)                                            \
    do {                                                                  \
        auto stream_try_result = (expression);                            \
        if (!stream_try_result) [[unlikely]]                              \
            return ::stream::pass_on(stream_try_result);                  \
    } while (false)
