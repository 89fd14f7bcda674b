// SPDX-License-Identifier: Apache-2.0
// Idempotency keys of a log (`stream-log append --idempotency-key`): a record whose key was appended before is
// not appended again. The log itself is the truth: what was appended since the keys were last saved is
// read again. The saved set in keys/ only spares reading it from the beginning.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "json/fields.hpp"
#include "json/keys.hpp"
#include "json/scanner.hpp"
#include "log/reader.hpp"
#include "log/writer.hpp"
#include "state/key_set.hpp"

namespace stream {

struct LogKeysOptions {
    std::string field;                   // as --idempotency-key has it: one field, or an expression with a name
    std::optional<DurationNs> within;    // keys are known that long after they were appended (by the writer's clock); none: for ever
    KeySetLimits limits;
};

class LogKeys final : public log::KeyFilter {
public:
    // Reads the saved keys, and the log from there on. To be called before the log's lock is taken.
    static Result<std::unique_ptr<LogKeys>> open(FileSystem& files, const std::string& folder, const LogKeysOptions& options);
    ~LogKeys() override;

    // The hash of a key's canonical bytes (Keys::bytes).
    Hash128 hash(std::string_view key) const { return hash_key(key, secret_); }

    Result<void> catch_up(const log::HeadState& ends) override;
    Result<bool> is_new(const Hash128& key, TimeNs append_time) override;
    Result<void> appended(const log::HeadState& ends) override;
    void dropped() override { broken_ = true; }

    // Saves them if much has come since they were last saved. At the end of the input.
    Result<void> save();

private:
    LogKeys(std::string folder, const LogKeysOptions& options, log::LogReader reader);
    Result<void> load();
    Result<void> read_on();
    Result<void> learn(const log::Run& run);
    Result<bool> insert(const Hash128& key, TimeNs append_time);
    std::string path() const;
    void forget_all();

    std::string folder_;
    LogKeysOptions options_;
    log::LogReader reader_;
    HashSecret secret_;
    std::optional<ExactSet> exact_;
    std::optional<TimedSet> timed_;
    std::uint64_t excisions_ = 0;
    std::uint64_t since_saved_ = 0;
    bool broken_ = false;  // has keys of records that were not appended: not to be saved

    FieldSet fields_;
    std::unique_ptr<Keys> keys_;
    std::unique_ptr<Scanner> scanner_;
    std::string lines_;
    std::string scratch_;
};

}  // namespace stream
