// SPDX-License-Identifier: Apache-2.0
// Records on their way to a descriptor: as they are, or enveloped; where asked, with something to be done at
// least every so often while the other side takes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "cli/log/envelope.hpp"
#include "io/output.hpp"
#include "log/reader.hpp"

namespace stream {

class RecordOutput {
public:
    RecordOutput(int fd, bool envelope);

    // From now on no write waits longer than `every_ms` without `meanwhile` being called; its failure ends the
    // write.
    void set_meanwhile(int every_ms, std::function<Result<void>()> meanwhile);

    Result<void> write(const log::Run& run);
    Result<void> flush();
    Result<void> close();

private:
    Result<void> flush_patiently(std::string_view more);

    Output out_;
    std::unique_ptr<Envelope> envelope_;
    std::function<Result<void>()> meanwhile_;
    int every_ms_ = -1;
    bool bounded_ = true;   // more than PIPE_BUF bytes at once might wait
    bool terminal_ = false;
};

}  // namespace stream
