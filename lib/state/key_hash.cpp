// SPDX-License-Identifier: Apache-2.0
#include "state/key_hash.hpp"

#include "base/check.hpp"

#include <sys/random.h>

#include <cerrno>


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
    return hash128_keyed(key, secret);
}

Hash128 fingerprint(std::string_view bytes) {
    return hash128(bytes, 0);
}

}  // namespace stream
