// SPDX-License-Identifier: Apache-2.0
// main() of a fuzz target that is built without libFuzzer:
//
//     fuzz_NAME FILE…                              each file, and each of its beginnings: the replay of a corpus
//     fuzz_NAME --mutate N SEED [--keep DIR] FILE… then N inputs made from them by the seed
//
// Built with -fsanitize-coverage=trace-pc (g++ has that too), what reaches new code joins the inputs that
// others are made from, and goes to DIR. An input on which the program ends badly, or takes a minute, is
// left in fuzz_failure. Included once, by the target, which has its own words for mutations.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// What inputs of this kind are made of.
std::span<const std::string_view> fuzz_words();

extern "C" void __sanitizer_set_death_callback(void (*)()) __attribute__((weak));

namespace fuzz_driver {

inline constexpr std::size_t places = 1u << 16;
inline constexpr std::size_t prefixes_max = 2000;
inline constexpr std::size_t mutant_max = 4096;
inline std::uint8_t counts[places];
inline std::uint8_t known[places];  // bits: how often a place was passed by one input, by powers of two
inline std::string current;

inline void keep_failure() {
    const int fd = open("fuzz_failure", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0 && write(fd, current.data(), current.size()) < 0) _exit(3);
}
inline volatile sig_atomic_t stopped = 0;  // by SIGINT or SIGTERM: what was done is told
inline void on_signal(int number) {
    keep_failure();
    signal(number, SIG_DFL);
    raise(number);
}

inline void run(std::string_view input) {
    current = input;
    alarm(60);
    // A copy of exactly its size, so that a read past its end is seen.
    const std::vector<std::uint8_t> bytes(input.begin(), input.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    alarm(0);
}

inline bool reached_new_code() {
    bool any = false;
    for (std::size_t i = 0; i < places; ++i) {
        if (counts[i] == 0) continue;
        const auto bit = static_cast<std::uint8_t>(1u << (31 - __builtin_clz(counts[i])));
        any = any || (known[i] & bit) == 0;
        known[i] |= bit;
    }
    return any;
}

class Mutator {
public:
    explicit Mutator(std::uint64_t seed) : random_(seed) {}

    std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }

    std::string from(const std::vector<std::string>& pool) {
        std::string text = pool[below(pool.size())];
        for (std::size_t turns = 1 + below(below(4) == 0 ? 12 : 4); turns > 0; --turns) change(text, pool);
        if (text.size() > mutant_max) text.resize(mutant_max);
        return text;
    }

private:
    std::string_view word() { return fuzz_words()[below(fuzz_words().size())]; }
    // A piece of a text; from a bracket on, mostly up to its end.
    std::string piece(const std::string& text) {
        const std::size_t begin = below(text.size());
        std::size_t end = begin + 1 + below(std::min<std::size_t>(text.size() - begin, 40));
        if (below(3) != 0) {
            for (std::size_t at = begin; at < text.size(); ++at) {
                if (std::strchr("[{(", text[at]) == nullptr || text[at] == '\0') continue;
                int open = 0;
                for (end = at; end < text.size(); ++end) {
                    if (text[end] != '\0' && std::strchr("[{(", text[end]) != nullptr) ++open;
                    if (text[end] != '\0' && std::strchr("]})", text[end]) != nullptr && --open == 0) break;
                }
                return text.substr(at, end + 1 - at);
            }
        }
        return text.substr(begin, end - begin);
    }
    // Between words mostly.
    std::size_t place(const std::string& text) {
        const std::size_t at = below(text.size() + 1);
        if (below(4) == 0) return at;
        const std::size_t found = text.find_first_of(" ,:;|()[]{}\"", at);
        return found == std::string::npos ? at : found + below(2);
    }
    void change(std::string& text, const std::vector<std::string>& pool) {
        const std::size_t at = place(text);
        switch (below(9)) {
            case 0:
                if (!text.empty()) text[below(text.size())] = static_cast<char>(random_());
                break;
            case 1:
                if (!text.empty()) text[below(text.size())] ^= static_cast<char>(1u << below(8));
                break;
            case 2: text.erase(at, below(8)); break;
            case 3:
            case 4: text.insert(at, word()); break;
            case 5: {  // a word in place of what stands there
                const std::size_t end = text.find_first_of(" ,:;|()[]{}", at);
                text.replace(at, std::min(end, text.size()) - at, word());
                break;
            }
            case 6: text.insert(at, piece(pool[below(pool.size())])); break;
            case 7: {
                const std::string more = piece(text);
                for (std::size_t times = 1 + below(below(8) == 0 ? 60 : 3); times > 0 && text.size() < mutant_max; --times) text.insert(at, more);
                break;
            }
            default: {
                const std::string& other = pool[below(pool.size())];
                text = text.substr(0, at) + other.substr(std::min(place(other), other.size()));
                break;
            }
        }
    }
    std::mt19937_64 random_;
};

}  // namespace fuzz_driver

// Called by instrumented code at each of its places, if there is such code.
extern "C" __attribute__((no_sanitize_coverage, no_sanitize("address", "undefined"))) void __sanitizer_cov_trace_pc() {
    const auto from = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
    const std::size_t place = (from ^ from >> 16) % fuzz_driver::places;
    if (fuzz_driver::counts[place] != 255) ++fuzz_driver::counts[place];
}

int main(int argc, char** argv) {
    using namespace fuzz_driver;
    std::size_t mutants = 0;
    std::uint64_t seed = 0;
    std::string keep;
    std::vector<std::string> pool;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--mutate" && i + 2 < argc) {
            mutants = std::strtoull(argv[i + 1], nullptr, 10);
            seed = std::strtoull(argv[i + 2], nullptr, 10);
            i += 2;
        } else if (argument == "--keep" && i + 1 < argc) {
            keep = argv[++i];
        } else {
            std::ifstream file(argv[i], std::ios::binary);
            if (!file) {
                std::fprintf(stderr, "%s: cannot be read\n", argv[i]);
                return 2;
            }
            pool.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        }
    }
    for (const int number : {SIGABRT, SIGALRM}) signal(number, on_signal);
    for (const int number : {SIGINT, SIGTERM}) signal(number, [](int) { stopped = 1; });
    if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(keep_failure);
    std::size_t runs = 0;
    for (const std::string& text : pool) {
        run(text);
        ++runs;
        if (mutants > 0) continue;
        // Every prefix too: an input may be cut anywhere.
        for (std::size_t size = 0; size < text.size() && size < prefixes_max; ++size, ++runs) {
            run(std::string_view(text).substr(0, size));
        }
    }
    if (pool.empty()) pool.emplace_back();
    reached_new_code();
    Mutator mutator(seed);
    for (std::size_t i = 0; i < mutants && stopped == 0; ++i, ++runs) {
        std::string text = mutator.from(pool);
        std::memset(counts, 0, sizeof counts);
        run(text);
        if (!reached_new_code()) continue;
        if (!keep.empty()) {
            std::ofstream out(keep + "/" + std::to_string(seed) + "_" + std::to_string(i), std::ios::binary);
            out << text;
        }
        pool.push_back(std::move(text));
    }
    const auto covered = std::count_if(known, known + places, [](std::uint8_t bits) { return bits != 0; });
    std::printf("%zu inputs run, %zu of them kept, %zd places seen\n", runs, pool.size(), static_cast<std::ptrdiff_t>(covered));
    return 0;
}
