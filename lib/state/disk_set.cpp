// SPDX-License-Identifier: Apache-2.0
// The only file that knows RocksDB.
#include "state/disk_set.hpp"

#include "base/check.hpp"
#include "io/fd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <utility>

namespace stream {
namespace {

constexpr std::string_view folder_prefix = "streamutils-keys.";
constexpr std::time_t leftover_age_s = 60;  // younger ones may just be being locked

// Big endian, so that RocksDB's order of bytes is the order of numbers.
void put_big(char* at, std::uint64_t value) {
    value = __builtin_bswap64(value);
    std::memcpy(at, &value, sizeof value);
}
std::uint64_t get_big(const char* at) {
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}
constexpr std::uint64_t sign_bit = 1ull << 63;

struct Key {
    char bytes[24];
    std::size_t size;
    Key(const Hash128& hash, std::int64_t step, unsigned words) : size(words == 0 ? 16 : 24) {
        put_big(bytes, hash.high);
        put_big(bytes + 8, hash.low);
        put_big(bytes + 16, static_cast<std::uint64_t>(step) ^ sign_bit);
    }
    rocksdb::Slice slice() const { return {bytes, size}; }
};

void read_value(std::string_view value, DiskEntry& entry) {
    if (value.size() >= 8) std::memcpy(&entry.time, value.data(), 8);
    if (value.size() >= 16) std::memcpy(&entry.value, value.data() + 8, 8);
}

tl::unexpected<Error> failure(std::string_view what, const rocksdb::Status& status) {
    if (status.IsCorruption()) {
        return fail(ErrorKind::corrupt, fmt::format("cannot {} keys on disk: {}", what, status.ToString()));
    }
    return fail(ErrorKind::io,
                fmt::format("cannot {} keys on disk: {}", what,
                            status.IsNoSpace() ? "No space left on device" : status.ToString()));
}

class DropExpired final : public rocksdb::CompactionFilter {
public:
    const char* Name() const override { return "streamutils.expired"; }
    bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& value, std::string*, bool*) const override {
        DiskEntry entry;
        read_value({value.data(), value.size()}, entry);
        return entry.time < cutoff.load(std::memory_order_relaxed);
    }
    std::atomic<TimeNs> cutoff{time_before_all};
};

std::mutex folders_lock;
std::vector<std::string> folders;  // of the sets that there are

void remove_tree(const std::string& path) {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
}

// Folders of ours that nobody has locked: their process was killed.
void remove_leftovers(const std::string& folder) {
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(folder.c_str()), ::closedir);
    if (listing == nullptr) return;
    while (const dirent* entry = ::readdir(listing.get())) {
        if (!std::string_view(entry->d_name).starts_with(folder_prefix)) continue;
        const std::string path = folder + "/" + entry->d_name;
        const OwnedFd fd = open_fd(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        struct stat status {};
        if (!fd.is_open() || ::fstat(fd.get(), &status) != 0 || status.st_uid != ::geteuid()) continue;
        if (std::time(nullptr) - status.st_mtime < leftover_age_s) continue;
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) remove_tree(path);
    }
}

rocksdb::Options make_options(const DiskSetOptions& wanted, const DropExpired* filter) {
    const std::size_t memory = std::max<std::size_t>(wanted.memory_bytes, 4 << 20);
    rocksdb::Options options;
    options.create_if_missing = true;
    options.error_if_exists = true;
    options.info_log_level = rocksdb::FATAL_LEVEL;
    options.keep_log_file_num = 1;
    options.avoid_flush_during_shutdown = true;
    options.compression = rocksdb::kNoCompression;  // hashes have nothing to compress
    options.write_buffer_size = memory / 8;
    options.max_write_buffer_number = 2;
    options.target_file_size_base = std::max<std::size_t>(memory / 8, 8 << 20);
    options.target_file_size_multiplier = 2;  // some hundred files at most, however much there is: a commit names each
    options.max_bytes_for_level_base = 4 * options.target_file_size_base;
    options.level_compaction_dynamic_level_bytes = true;
    options.max_manifest_file_size = 1 << 20;  // each keep() copies what says which tables there are
    options.max_background_jobs = 2;
    options.max_open_files = 256;
    options.use_direct_io_for_flush_and_compaction = false;
    options.compaction_filter = wanted.words > 0 ? filter : nullptr;

    rocksdb::BlockBasedTableOptions table;
    table.format_version = 5;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.block_cache = rocksdb::NewLRUCache(memory / 4 * 3);
    table.cache_index_and_filter_blocks = true;
    table.cache_index_and_filter_blocks_with_high_priority = true;
    table.pin_l0_filter_and_index_blocks_in_cache = true;
    table.optimize_filters_for_memory = true;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    return options;
}

}  // namespace

struct DiskSet::Impl {
    DiskSetOptions options;
    std::string path;
    OwnedFd lock;
    DropExpired filter;
    std::unique_ptr<rocksdb::DB> db;
    std::vector<std::pair<std::string, std::uint64_t>> kept;  // files of the database as it was kept, and their numbers

    Result<void> open(bool is_new);
    Result<void> keep_live(KeptFiles& files);

    ~Impl() {
        db.reset();
        if (path.empty()) return;
        remove_tree(path);
        const std::lock_guard<std::mutex> guard(folders_lock);
        std::erase(folders, path);
    }
};

void DiskSet::remove_all() {
    const std::lock_guard<std::mutex> guard(folders_lock);
    for (const std::string& folder : folders) remove_tree(folder);
    folders.clear();
}

DiskSet::DiskSet(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DiskSet::~DiskSet() = default;

Result<std::unique_ptr<DiskSet::Impl>> DiskSet::begin(const DiskSetOptions& options) {
    if (::mkdir(options.folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return system_failure("make folder", options.folder, errno);
    }
    remove_leftovers(options.folder);
    auto impl = std::make_unique<Impl>();
    impl->options = options;
    std::string path = options.folder + "/" + std::string(folder_prefix) + "XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return system_failure("make folder", path, errno);
    impl->path = path;
    {
        const std::lock_guard<std::mutex> guard(folders_lock);
        folders.push_back(path);
    }
    impl->lock = open_fd(path, O_RDONLY | O_DIRECTORY);
    if (!impl->lock.is_open() || ::flock(impl->lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return system_failure("lock folder", path, errno);
    }
    return impl;
}

Result<void> DiskSet::Impl::open(bool is_new) {
    rocksdb::Options how = make_options(options, &filter);
    how.create_if_missing = how.error_if_exists = is_new;
    rocksdb::DB* opened = nullptr;
    const auto status = rocksdb::DB::Open(how, path + "/db", &opened);
    if (!status.ok()) return failure(is_new ? "keep" : "read", status);
    db.reset(opened);
    return {};
}

Result<std::unique_ptr<DiskSet>> DiskSet::open(const DiskSetOptions& options) {
    auto impl = begin(options);
    if (!impl) return pass_on(impl);
    STREAM_TRY((*impl)->open(true));
    return std::unique_ptr<DiskSet>(new DiskSet(std::move(*impl)));
}

// --- kept, and back ----------------------------------------------------------------------------

namespace {

constexpr std::uint64_t kept_files_max = 1 << 20;

// Tables are never written again; what says which of them count goes on being written.
bool is_table(std::string_view name) { return name.ends_with(".sst"); }

}  // namespace

// What RocksDB's own checkpoints do, but by links that fall back to copies wherever a file system has none. Until the
// tables have their second names none is deleted; what is appended to the manifest meanwhile, or to another one, speaks
// of later.
Result<void> DiskSet::Impl::keep_live(KeptFiles& files) {
    std::vector<std::string> live;
    std::uint64_t manifest_size = 0;
    const auto found = db->GetLiveFiles(live, &manifest_size, true);  // without a write-ahead log: what is in memory is written first
    if (!found.ok()) return failure("keep", found);
    const auto add = [&](const std::string& from, const std::string& name) -> Result<void> {
        auto number = files.add(from);
        if (!number) return pass_on(number);
        kept.emplace_back(name, *number);
        return {};
    };
    kept.clear();
    const std::string made = path + "/kept";
    for (const std::string& one : live) {
        const std::string name = one.substr(one.find_first_not_of('/'));
        if (is_table(name)) STREAM_TRY(add(path + "/db/" + name, name));
        if (!name.starts_with("MANIFEST-")) continue;  // CURRENT may name the next one by now
        STREAM_TRY(KeptFiles::copy(path + "/db/" + name, made, manifest_size));
        STREAM_TRY(add(made, name));
        ::unlink(made.c_str());
        const OwnedFd current = open_fd(made, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (!current.is_open() || !write_full(current.get(), name + "\n")) return system_failure("write", made, errno);
        STREAM_TRY(add(made, "CURRENT"));
        ::unlink(made.c_str());
    }
    return {};
}

Result<void> DiskSet::keep(KeptFiles& files) {
    const auto held = impl_->db->DisableFileDeletions();
    if (!held.ok()) return failure("keep", held);
    auto done = impl_->keep_live(files);
    impl_->db->EnableFileDeletions(false);
    return done;
}

void DiskSet::snapshot(StateWriter& writer) const {
    writer.put_varint(impl_->kept.size());
    for (const auto& [name, number] : impl_->kept) {
        writer.put_bytes(name);
        writer.put_varint(number);
    }
}

Result<std::unique_ptr<DiskSet>> DiskSet::restore(const DiskSetOptions& options, StateReader& reader) {
    const auto other = [] { return fail(ErrorKind::corrupt, "the saved state of keys on disk has another form"); };
    const std::uint64_t count = reader.get_varint();
    STREAM_TRY(reader.check("keys on disk"));
    if (count > kept_files_max || reader.files() == nullptr) return other();
    auto impl = begin(options);
    if (!impl) return pass_on(impl);
    const std::string folder = (*impl)->path + "/db";
    if (::mkdir(folder.c_str(), 0700) != 0) return system_failure("make folder", folder, errno);
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::string name(reader.get_bytes());
        const std::uint64_t number = reader.get_varint();
        STREAM_TRY(reader.check("keys on disk"));
        if (name.empty() || name.starts_with('.') || name.find('/') != std::string::npos) return other();
        auto kept = reader.files()->path(number);
        if (!kept) return pass_on(kept);
        STREAM_TRY(is_table(name) ? KeptFiles::link_or_copy(*kept, folder + "/" + name) : KeptFiles::copy(*kept, folder + "/" + name));
    }
    STREAM_TRY((*impl)->open(false));
    return std::unique_ptr<DiskSet>(new DiskSet(std::move(*impl)));
}

// --- entries -----------------------------------------------------------------------------------

Result<void> DiskSet::add(std::vector<DiskEntry>& entries) {
    // In key order the skip list of the write buffer is filled from one end.
    std::stable_sort(entries.begin(), entries.end(), [](const DiskEntry& a, const DiskEntry& b) {
        if (a.hash.high != b.hash.high) return a.hash.high < b.hash.high;
        if (a.hash.low != b.hash.low) return a.hash.low < b.hash.low;
        return a.step < b.step;
    });
    const unsigned words = impl_->options.words;
    rocksdb::WriteOptions write;
    write.disableWAL = true;
    rocksdb::WriteBatch batch;
    constexpr std::size_t batch_bytes = 1 << 20;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const DiskEntry& entry = entries[i];
        char value[16];
        std::memcpy(value, &entry.time, 8);
        std::memcpy(value + 8, &entry.value, 8);
        const auto status =
            batch.Put(Key(entry.hash, entry.step, words).slice(), {value, std::size_t{8} * words});
        if (!status.ok()) return failure("write", status);
        if (batch.GetDataSize() >= batch_bytes || i + 1 == entries.size()) {
            const auto written = impl_->db->Write(write, &batch);
            if (!written.ok()) return failure("write", written);
            batch.Clear();
        }
    }
    if (bytes() > impl_->options.disk_bytes) {
        return fail(ErrorKind::limit,
                    fmt::format("the keys on disk take {} bytes, more than --spill-max {}", bytes(),
                                impl_->options.disk_bytes),
                    "raise --spill-max or --memory, or use --approx");
    }
    return {};
}

Result<std::optional<DiskEntry>> DiskSet::get(const Hash128& hash, std::int64_t step) const {
    rocksdb::PinnableSlice value;
    const auto status = impl_->db->Get(rocksdb::ReadOptions(), impl_->db->DefaultColumnFamily(),
                                       Key(hash, step, impl_->options.words).slice(), &value);
    if (status.IsNotFound()) return std::optional<DiskEntry>();
    if (!status.ok()) return failure("read", status);
    DiskEntry entry{hash, step, 0, 0};
    read_value({value.data(), value.size()}, entry);
    return std::optional<DiskEntry>(entry);
}

void DiskSet::set_cutoff(TimeNs before) { impl_->filter.cutoff.store(before, std::memory_order_relaxed); }

Result<void> DiskSet::for_each(const std::function<void(const DiskEntry&)>& use) const {
    rocksdb::ReadOptions read;
    read.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> iterator(impl_->db->NewIterator(read));
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
        const auto key = iterator->key();
        DiskEntry entry;
        entry.hash = {get_big(key.data() + 8), get_big(key.data())};
        if (key.size() == 24) entry.step = static_cast<std::int64_t>(get_big(key.data() + 16) ^ sign_bit);
        read_value({iterator->value().data(), iterator->value().size()}, entry);
        use(entry);
    }
    if (!iterator->status().ok()) return failure("read", iterator->status());
    return {};
}

std::uint64_t DiskSet::size_estimate() const {
    std::uint64_t count = 0;
    impl_->db->GetIntProperty("rocksdb.estimate-num-keys", &count);
    return count;
}

std::uint64_t DiskSet::bytes() const {
    std::uint64_t total = 0;
    impl_->db->GetIntProperty("rocksdb.total-sst-files-size", &total);
    return total;
}

}  // namespace stream
