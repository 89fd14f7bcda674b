// SPDX-License-Identifier: Apache-2.0
#include "support/simulated_disk.hpp"

#include "io/fd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace stream::test {

namespace {

constexpr std::size_t name_max = 255;

bool is_change(Call kind) {
    switch (kind) {
        case Call::any:
        case Call::open:
        case Call::read:
        case Call::size:
        case Call::close:
        case Call::list:
            return false;
        default:
            return true;
    }
}

std::string_view name_of(Call kind) {
    constexpr std::array<std::string_view, call_kinds> names = {
        "any",   "open",        "create", "read",   "write",  "sync",        "size", "truncate",
        "close", "make_folder", "list",   "rename", "remove", "sync_folder", "lock"};
    return names[static_cast<std::size_t>(kind)];
}

}  // namespace

class SimulatedDisk::HeldLock final : public FileLock {
public:
    explicit HeldLock(NodePtr node) : node_(std::move(node)) { node_->locked = true; }
    HeldLock(const HeldLock&) = delete;
    HeldLock& operator=(const HeldLock&) = delete;
    ~HeldLock() override { node_->locked = false; }

private:
    NodePtr node_;
};

class SimulatedDisk::OpenFile final : public File {
public:
    OpenFile(SimulatedDisk& disk, NodePtr node, std::string path, bool writes)
        : disk_(disk), node_(std::move(node)), path_(std::move(path)), writes_(writes) {}

    Result<std::size_t> read_at(std::span<char> into, std::uint64_t position) override {
        const Verdict verdict = begin(Call::read, into.size(), position);
        if (verdict.error_number != 0) return disk_.failed("read", path_, verdict.error_number);
        if (position >= node_->file.size()) return std::size_t{0};
        return node_->file.bytes().copy(into.data(), into.size(), position);
    }

    Result<void> write_at(std::string_view bytes, std::uint64_t position) override {
        Verdict verdict = begin(Call::write, bytes.size(), position);
        const std::uint64_t most = disk_.dials_.file_max;
        const bool fits = bytes.size() <= most && position <= most - bytes.size();
        if (verdict.error_number == 0 && !writes_) verdict.error_number = EBADF;
        if (verdict.error_number == 0 && !fits) verdict.error_number = EFBIG;
        const bool partly = verdict.injected || verdict.stops;
        if (partly) bytes = bytes.substr(0, disk_.chance_.below(bytes.size() + 1));
        if (fits && !verdict.ignored && (partly || verdict.error_number == 0)) {
            node_->file.write(bytes, position, disk_.dials_.in_between);
        }
        if (verdict.stops) throw SimulatedCrash{};
        if (verdict.error_number != 0) return disk_.failed("write", path_, verdict.error_number);
        return {};
    }

    Result<void> sync() override {
        const Verdict verdict = begin(Call::sync);
        if (verdict.injected) node_->file.fail_sync();
        if (verdict.error_number != 0) return disk_.failed("sync", path_, verdict.error_number);
        if (!verdict.ignored) node_->file.sync();
        return {};
    }

    Result<std::uint64_t> size() override {
        const Verdict verdict = begin(Call::size);
        if (verdict.error_number != 0) return disk_.failed("ask the size of", path_, verdict.error_number);
        return std::uint64_t{node_->file.size()};
    }

    Result<void> truncate(std::uint64_t size) override {
        Verdict verdict = begin(Call::truncate, size);
        if (verdict.error_number == 0 && !writes_) verdict.error_number = EINVAL;
        if (verdict.error_number == 0 && size > disk_.dials_.file_max) verdict.error_number = EFBIG;
        if (verdict.error_number != 0) return disk_.failed("truncate", path_, verdict.error_number);
        if (!verdict.ignored) node_->file.truncate(size, disk_.dials_.in_between);
        return {};
    }

    // Closed it is, whatever close() says.
    Result<void> close() override {
        if (!is_open_) return {};
        const Verdict verdict = begin(Call::close);
        is_open_ = false;
        if (verdict.error_number != 0) return disk_.failed("close", path_, verdict.error_number);
        return {};
    }

private:
    Verdict begin(Call kind, std::uint64_t first = 0, std::uint64_t second = 0) {
        Verdict verdict = disk_.begin(
            kind, path_, disk_.keeps_trace_ ? fmt::format("{} {}", first, second) : std::string());
        if (!is_open_ && verdict.error_number == 0 && !verdict.stops) return {.error_number = EBADF};
        return verdict;
    }

    SimulatedDisk& disk_;
    NodePtr node_;
    std::string path_;
    bool writes_;
    bool is_open_ = true;
};

SimulatedDisk::SimulatedDisk(std::uint64_t seed, Dials dials)
    : dials_(dials), chance_(seed), world_(~seed), root_(std::make_shared<Node>(true)) {}

SimulatedDisk::~SimulatedDisk() = default;

SimulatedDisk::Verdict SimulatedDisk::begin(Call kind, std::string_view path, std::string_view details) {
    if (stopped_) return {.error_number = EIO};
    ++counts_[static_cast<std::size_t>(Call::any)];
    ++counts_[static_cast<std::size_t>(kind)];
    if (keeps_trace_) {
        trace_.push_back(fmt::format("{} {} {} {}", calls(Call::any), name_of(kind), path, details));
    }
    Verdict verdict;
    if (is_change(kind) && ++changes_ == stop_at_) {
        stopped_ = true;
        if (keeps_trace_) trace_.back() += ": the power fails";
        if (kind != Call::write) throw SimulatedCrash{};
        verdict.stops = true;
        return verdict;
    }
    for (const Fault& fault : faults_) {
        if (fault.kind != kind && fault.kind != Call::any) continue;
        const std::uint64_t number = calls(fault.kind);
        if (number != fault.at && !(fault.lasting && number > fault.at)) continue;
        verdict.error_number = fault.error_number;
        verdict.injected = fault.error_number != 0;
        verdict.ignored = fault.error_number == 0;
        if (verdict.ignored && keeps_trace_) trace_.back() += ": ignored";
        break;
    }
    return verdict;
}

tl::unexpected<Error> SimulatedDisk::failed(std::string_view what, std::string_view path, int error_number) {
    if (keeps_trace_ && !stopped_) trace_.back() += ": " + system_message(error_number);
    return system_failure(what, path, error_number);
}

void SimulatedDisk::fail_call(Call kind, std::uint64_t nth, int error_number, bool lasting) {
    faults_.push_back({kind, calls(kind) + nth, error_number, lasting});
}

void SimulatedDisk::ignore_call(Call kind, std::uint64_t nth, bool lasting) {
    fail_call(kind, nth, 0, lasting);
}

void SimulatedDisk::stop_at_change(std::uint64_t nth) { stop_at_ = changes_ + nth; }

SimulatedDisk::Place SimulatedDisk::find(const std::string& path) const {
    Place place{nullptr, "", root_};
    std::size_t at = 0;
    while (at < path.size()) {
        const std::size_t slash = std::min(path.find('/', at), path.size());
        const std::string_view name = std::string_view(path).substr(at, slash - at);
        at = slash + 1;
        if (name.empty() || name == ".") continue;
        if (name == "..") throw std::logic_error("a path with .. in it: " + path);
        if (place.node == nullptr) return {nullptr, "", nullptr, ENOENT};
        if (!place.node->is_folder) return {nullptr, "", nullptr, ENOTDIR};
        if (name.size() > name_max) return {nullptr, "", nullptr, ENAMETOOLONG};
        place.folder = place.node;
        place.name = name;
        const auto entry = place.folder->names.find(place.name);
        place.node = entry == place.folder->names.end() ? nullptr : entry->second;
    }
    return place;
}

Result<std::unique_ptr<File>> SimulatedDisk::open(const std::string& path, Open how) {
    auto file = open_if_there(path, how);
    if (file && !*file) return failed("open", path, ENOENT);
    return file;
}

Result<std::unique_ptr<File>> SimulatedDisk::open_if_there(const std::string& path, Open how) {
    const bool create = how == Open::create_new;
    const std::string_view what = create ? "create" : "open";
    const Verdict verdict = begin(create ? Call::create : Call::open, path);
    if (verdict.error_number != 0) return failed(what, path, verdict.error_number);
    Place place = find(path);
    if (create && place.node != nullptr) return failed(what, path, EEXIST);
    if (!create && place.node == nullptr && (place.error_number == 0 || place.error_number == ENOENT)) {
        return nullptr;
    }
    if (place.error_number != 0) return failed(what, path, place.error_number);
    if (create) {
        place.node = std::make_shared<Node>(false);
        change_names({{{place.folder, place.name, place.node}}, "create " + path});
    }
    if (place.node->is_folder) return failed(what, path, EISDIR);
    return std::make_unique<OpenFile>(*this, place.node, path, how != Open::read);
}

Result<bool> SimulatedDisk::make_folder(const std::string& path) {
    const Verdict verdict = begin(Call::make_folder, path);
    const Place place = find(path);
    int error_number = verdict.error_number;
    if (error_number == 0) error_number = place.error_number;
    if (error_number == 0 && place.node != nullptr && !place.node->is_folder) error_number = EEXIST;
    if (error_number != 0) return failed("make the folder", path, error_number);
    if (place.node != nullptr) return false;
    change_names({{{place.folder, place.name, std::make_shared<Node>(true)}}, "make_folder " + path});
    return true;
}

Result<std::optional<std::vector<std::string>>> SimulatedDisk::list(const std::string& folder) {
    const Verdict verdict = begin(Call::list, folder);
    if (verdict.error_number != 0) return failed("list", folder, verdict.error_number);
    const Place place = find(folder);
    if (place.error_number != 0 && place.error_number != ENOENT) {
        return failed("list", folder, place.error_number);
    }
    if (place.node == nullptr) return std::nullopt;
    if (!place.node->is_folder) return failed("list", folder, ENOTDIR);
    std::vector<std::string> names;
    for (const auto& [name, node] : place.node->names) names.push_back(name);
    return names;
}

Result<void> SimulatedDisk::rename(const std::string& from, const std::string& to) {
    const Verdict verdict = begin(Call::rename, from, to);
    const Place source = find(from);
    const Place target = find(to);
    int error_number = verdict.error_number;
    if (error_number == 0) error_number = source.error_number;
    if (error_number == 0 && source.node == nullptr) error_number = ENOENT;
    if (error_number == 0) error_number = target.error_number;
    if (error_number == 0 && (source.folder == nullptr || target.folder == nullptr)) error_number = EBUSY;
    if (error_number != 0) return failed("rename", from, error_number);
    if (source.node == target.node || verdict.ignored) return {};  // two names of one file: as POSIX
    const bool folder = source.node->is_folder;
    if (folder && source.folder != target.folder) throw std::logic_error("a folder is moved: not modelled");
    if (target.node != nullptr) {
        if (target.node->is_folder && !folder) return failed("rename", from, EISDIR);
        if (!target.node->is_folder && folder) return failed("rename", from, ENOTDIR);
        if (!target.node->names.empty()) return failed("rename", from, ENOTEMPTY);
    }
    change_names({{{source.folder, source.name, nullptr}, {target.folder, target.name, source.node}},
                  fmt::format("rename {} {}", from, to)});
    return {};
}

Result<void> SimulatedDisk::remove(const std::string& path) {
    const Verdict verdict = begin(Call::remove, path);
    const Place place = find(path);
    int error_number = verdict.error_number;
    if (error_number == 0 && place.error_number != ENOENT) error_number = place.error_number;
    if (error_number == 0 && place.node != nullptr && place.node->is_folder) error_number = EISDIR;
    if (error_number != 0) return failed("remove", path, error_number);
    if (place.node == nullptr || verdict.ignored) return {};
    change_names({{{place.folder, place.name, nullptr}}, "remove " + path});
    return {};
}

Result<void> SimulatedDisk::sync_folder(const std::string& folder) {
    const Verdict verdict = begin(Call::sync_folder, folder);
    const Place place = find(folder);
    int error_number = verdict.error_number != 0 ? verdict.error_number : place.error_number;
    if (error_number == 0 && place.node == nullptr) error_number = ENOENT;
    if (error_number == 0 && !place.node->is_folder) error_number = ENOTDIR;
    if (verdict.injected && place.node != nullptr && place.node->is_folder) {
        const std::vector<bool> needed = needed_by(*place.node);
        std::vector<bool> durable = draw_surviving(chance_);
        for (std::size_t i = 0; i < needed.size(); ++i) durable[i] = durable[i] && needed[i];
        settle(durable, needed);
    }
    if (error_number != 0) return failed("sync the folder", folder, error_number);
    if (!verdict.ignored) {
        const std::vector<bool> needed = needed_by(*place.node);
        settle(needed, needed);
    }
    return {};
}

Result<std::unique_ptr<FileLock>> SimulatedDisk::lock(const std::string& path, bool wait) {
    const Verdict verdict = begin(Call::lock, path, wait ? "and wait" : "");
    Place place = find(path);
    int error_number = verdict.error_number != 0 ? verdict.error_number : place.error_number;
    if (error_number == 0 && place.node != nullptr && place.node->is_folder) error_number = EISDIR;
    if (error_number != 0) return failed("lock", path, error_number);
    if (place.node == nullptr) {
        place.node = std::make_shared<Node>(false);
        change_names({{{place.folder, place.name, place.node}}, "create " + path});
    }
    if (place.node->locked && wait) throw std::logic_error("waiting for ever for the lock " + path);
    if (place.node->locked) return nullptr;
    constexpr std::string_view holder = "4711\n";
    if (place.node->file.bytes() != holder) {
        place.node->file.truncate(0, dials_.in_between);
        place.node->file.write(holder, 0, dials_.in_between);
    }
    return std::make_unique<HeldLock>(place.node);
}

// Of those who only read one at a time is enough here. It is no call that could fail or stop: nothing is changed.
Result<std::unique_ptr<FileLock>> SimulatedDisk::lock_to_read(const std::string& path) {
    if (stopped_) return failed("lock", path, EIO);
    Place place = find(path);
    if (place.error_number != 0) return failed("lock", path, place.error_number);
    if (place.node == nullptr) return std::make_unique<HeldLock>(std::make_shared<Node>(false));
    if (place.node->locked) return nullptr;
    return std::make_unique<HeldLock>(place.node);
}

std::uint64_t SimulatedDisk::random() { return world_.next(); }

// Forward, and never the same twice.
std::int64_t SimulatedDisk::now_ns() {
    constexpr std::uint64_t step_max = 1'000'000;
    return now_ += 1 + static_cast<std::int64_t>(world_.below(step_max));
}

void SimulatedDisk::change_names(NameOperation operation) {
    for (const NameChange& change : operation.changes) change.apply(change.folder->names);
    pending_.push_back(std::move(operation));
}

}  // namespace stream::test
