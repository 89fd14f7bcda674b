// SPDX-License-Identifier: Apache-2.0
#include "state/key_hash.hpp"

#include <sys/random.h>

#include <cerrno>

#include "base/check.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace stream {

HashSecret random_secret() {
    HashSecret secret{};
    std::size_t done = 0;
    while (done < secret.size()) {
        const auto got = ::getrandom(secret.data() + done, secret.size() - done, 0);
        STREAM_CHECK(got > 0 || errno == EINTR);
        if (got > 0) done += static_cast<std::size_t>(got);
    }
    return secret;
}

Hash128 hash_key(std::string_view key, const HashSecret& secret) {
    const XXH128_hash_t hash = XXH3_128bits_withSecret(key.data(), key.size(), secret.data(), secret.size());
    return {hash.low64, hash.high64};
}

Hash128 fingerprint(std::string_view bytes) {
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    return {hash.low64, hash.high64};
}

}  // namespace stream
