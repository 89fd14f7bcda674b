// SPDX-License-Identifier: Apache-2.0
// The limit: simdjson in a loop over blocks of lines, with nothing around it that a tool needs.
//
//   bare_loop JOB FORM [FILE]
//     JOB   copy     every event, its own bytes
//           filter   events whose status is 500 or more, their own bytes
//           window   count and sum of bytes by minute and path
//           dedupe   the first event of each id, its own bytes
//     FORM  ondemand  validates what the job touches
//           dom       validates everything, as the tools do
//
// One thread, plain -O3; simdjson picks its kernel. Timestamps of one form, and no error is explained.
#define XXH_INLINE_ALL
#include <fcntl.h>
#include <simdjson.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t block_size = 1 << 20;

[[noreturn]] void stop(const char* why) {
    std::fprintf(stderr, "bare_loop: %s\n", why);
    std::exit(1);
}

// Numbers the different strings it sees, known by 128 bits of hash.
class Numbering {
public:
    Numbering() : slots_(1 << 12) {}

    // The string's number, and whether it is new.
    std::pair<std::uint32_t, bool> number(std::string_view text) {
        const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
        if (count_ * 8 >= slots_.size() * 7) grow();
        for (std::size_t at = hash.low64 & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
            Slot& slot = slots_[at];
            if (slot.number == 0) {
                slot = {hash.low64, hash.high64, ++count_};
                return {count_ - 1, true};
            }
            if (slot.low == hash.low64 && slot.high == hash.high64) return {slot.number - 1, false};
        }
    }

private:
    struct Slot {
        std::uint64_t low = 0;
        std::uint64_t high = 0;
        std::uint32_t number = 0;  // from 1; 0 is free
    };
    void grow() {
        std::vector<Slot> old(slots_.size() * 2);
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.number == 0) continue;
            std::size_t at = slot.low & (slots_.size() - 1);
            while (slots_[at].number != 0) at = (at + 1) & (slots_.size() - 1);
            slots_[at] = slot;
        }
    }

    std::vector<Slot> slots_;
    std::uint32_t count_ = 0;
};

class Writer {
public:
    void line(std::string_view text) {
        buffer_.append(text);
        buffer_.push_back('\n');
        if (buffer_.size() >= 256 << 10) flush();
    }
    void run(std::string_view lines) {
        while (!lines.empty()) {
            const ssize_t n = ::write(STDOUT_FILENO, lines.data(), lines.size());
            if (n < 0) stop("cannot write");
            lines.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    void flush() {
        run(buffer_);
        buffer_.clear();
    }

private:
    std::string buffer_;
};

struct Copy {
    Writer out;

    template <class Document>
    void event(Document&&, auto&&) {}
    void block(std::string_view lines) { out.run(lines); }
    void end() { out.flush(); }
};

struct Filter {
    Writer out;

    template <class Document>
    void event(Document&& event, auto&& line) {
        std::int64_t status = 0;
        if (event["status"].get_int64().get(status) != simdjson::SUCCESS) stop("no status");
        if (status >= 500) out.line(line());
    }
    void end() { out.flush(); }
};

struct Dedupe {
    Writer out;
    Numbering ids;

    template <class Document>
    void event(Document&& event, auto&& line) {
        std::string_view id;
        if (event["id"].get_string().get(id) != simdjson::SUCCESS) stop("no id");
        if (ids.number(id).second) out.line(line());
    }
    void end() { out.flush(); }
};

struct Window {
    struct Group {
        std::uint64_t count = 0;
        std::int64_t sum = 0;
    };
    struct Minute {
        std::string text;
        std::vector<Group> groups;  // by the path's number
    };
    Numbering minutes_seen;
    Numbering paths_seen;
    std::vector<Minute> minutes;
    std::vector<std::string> paths;
    std::string last_text;
    std::size_t last_minute = 0;

    template <class Document>
    void event(Document&& event, auto&&) {
        std::string_view ts;
        std::string_view path;
        std::int64_t bytes = 0;
        if (event["ts"].get_string().get(ts) != simdjson::SUCCESS || ts.size() < 16) stop("no ts");
        ts = ts.substr(0, 16);
        if (ts != last_text) {
            last_text = ts;
            const auto [number, is_new] = minutes_seen.number(ts);
            if (is_new) minutes.push_back({std::string(ts), {}});
            last_minute = number;
        }
        if (event["path"].get_string().get(path) != simdjson::SUCCESS) stop("no path");
        const auto [number, is_new] = paths_seen.number(path);
        if (is_new) paths.emplace_back(path);
        if (event["bytes"].get_int64().get(bytes) != simdjson::SUCCESS) stop("no bytes");
        std::vector<Group>& groups = minutes[last_minute].groups;
        if (number >= groups.size()) groups.resize(number + 1);
        ++groups[number].count;
        groups[number].sum += bytes;
    }

    void end() {
        Writer out;
        for (const Minute& minute : minutes) {
            for (std::size_t p = 0; p < minute.groups.size(); ++p) {
                const Group& group = minute.groups[p];
                if (group.count == 0) continue;
                std::string line = R"({"window_start":")" + minute.text + R"(:00Z","path":")";
                for (const char c : paths[p]) {
                    if (c == '"' || c == '\\') line.push_back('\\');
                    line.push_back(c);
                }
                line += R"(","count":)" + std::to_string(group.count) + R"(,"sum_bytes":)" +
                        std::to_string(group.sum) + "}";
                out.line(line);
            }
        }
        out.flush();
    }
};

// (The source() of simdjson 3.0 is not to be had once an on-demand document was touched.)
std::string_view line_at(const char* data, std::size_t size, std::size_t begin) {
    const void* end = std::memchr(data + begin, '\n', size - begin);
    const std::size_t length = end == nullptr
                                   ? size - begin
                                   : static_cast<std::size_t>(static_cast<const char*>(end) - data) - begin;
    return {data + begin, length};
}

struct OnDemand {
    simdjson::ondemand::parser parser;

    template <class Job>
    void block(const char* data, std::size_t size, Job& job) {
        simdjson::ondemand::document_stream stream;
        if (parser.iterate_many(data, size, std::max<std::size_t>(size, 1 << 16)).get(stream))
            stop("no parse");
        for (auto place = stream.begin(); place != stream.end(); ++place) {
            auto document = *place;
            if (document.error()) stop("not JSON");
            job.event(document, [&] { return line_at(data, size, place.current_index()); });
        }
        if (stream.truncated_bytes() != 0) stop("not JSON");
    }
};

struct Dom {
    simdjson::dom::parser parser;

    template <class Job>
    void block(const char* data, std::size_t size, Job& job) {
        simdjson::dom::document_stream stream;
        if (parser.parse_many(data, size, std::max<std::size_t>(size, 1 << 16)).get(stream)) stop("no parse");
        for (auto place = stream.begin(); place != stream.end(); ++place) {
            simdjson::dom::object object;
            if ((*place).get(object) != simdjson::SUCCESS) stop("not JSON");
            job.event(object, [&] { return line_at(data, size, place.current_index()); });
        }
        if (stream.truncated_bytes() != 0) stop("not JSON");
    }
};

template <class Form, class Job>
void run(int fd) {
    Form form;
    form.parser.threaded = false;
    Job job;
    std::vector<char> buffer(2 * block_size + simdjson::SIMDJSON_PADDING);
    std::size_t held = 0;
    for (;;) {
        const ssize_t n = ::read(fd, buffer.data() + held, block_size);
        if (n < 0) stop("cannot read");
        held += static_cast<std::size_t>(n);
        if (held == 0) break;
        const auto* newline = static_cast<const char*>(::memrchr(buffer.data(), '\n', held));
        const std::size_t whole = n == 0 ? held
                                  : newline == nullptr
                                      ? 0
                                      : static_cast<std::size_t>(newline - buffer.data()) + 1;
        if (whole == 0 && held > block_size) stop("a line is too long");
        if (whole > 0) form.block(buffer.data(), whole, job);
        if constexpr (requires { job.block({}); }) job.block({buffer.data(), whole});
        held -= whole;
        std::memmove(buffer.data(), buffer.data() + whole, held);
        if (n == 0) break;
    }
    job.end();
}

template <class Form>
void run_job(std::string_view job, int fd) {
    if (job == "copy") return run<Form, Copy>(fd);
    if (job == "filter") return run<Form, Filter>(fd);
    if (job == "window") return run<Form, Window>(fd);
    if (job == "dedupe") return run<Form, Dedupe>(fd);
    stop("the job is copy, filter, window or dedupe");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) stop("bare_loop copy|filter|window|dedupe ondemand|dom [FILE]");
    const int fd = argc > 3 ? ::open(argv[3], O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (fd < 0) stop("cannot open the file");
    const std::string_view form = argv[2];
    if (form == "ondemand") {
        run_job<OnDemand>(argv[1], fd);
    } else if (form == "dom") {
        run_job<Dom>(argv[1], fd);
    } else {
        stop("the form is ondemand or dom");
    }
    return 0;
}
