#include "state/rocks_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <system_error>

#include "engine/core/check.h"
#include "state/key_codec.h"
#include "state/rocks_status.h"

// How a directory is opened:
//   1. make it where it is missing, see that it may be written;
//   2. list its column families, so that one made by a newer build is opened too and can be named as such;
//   3. open (which takes RocksDB's LOCK file);
//   4. read the format from kMeta: absent -> write ours; newer -> refuse; older -> write ours: whoever owns rows of an
//      older format reads them and writes them anew, and a build that cannot read the new ones must refuse from now on.

namespace tidecast {
namespace {

constexpr std::array<const char*, kFamilies> kFamilyNames = {"panes", "series", "models", "meta", "log", "latest"};
static_assert(static_cast<size_t>(Family::kLatest) + 1 == kFamilies);
constexpr std::string_view kFormatKey(
    "\xff"
    "format");
constexpr size_t kMemoryLeast = 8ULL << 20;
// A start reads all of the WAL: about a sixth of a second for this much (measured 210 MiB: 1.0 s of CPU).
constexpr size_t kWalMost = 32ULL << 20;
// So is the manifest, twice; a start writes it anew, which a long life never did.
constexpr size_t kManifestMost = 1ULL << 20;
// A life that was killed while it wrote much leaves gigabytes to be compacted: a start and its first commit come first.
constexpr std::chrono::seconds kCompactAfter{3};

rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }

/// " (process 4711 has it)" for a directory that another process has locked; empty when there is none, or it is not known.
std::string HolderOfLock(const std::string& directory, const rocksdb::Status& status) {
  // Looking would release a lock of our own process.
  if (!status.IsIOError() || status.ToString().find("lock hold by current process") != std::string::npos) return {};
  const int file = ::open((directory + "/LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return {};
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool held = ::fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0;
  ::close(file);
  return held ? fmt::format(" (process {} has it)", lock.l_pid) : std::string();
}

/// Leaves recovery from a full disk to the next Write, which tries it on its own thread.
class NoRecoveryBehindOurBack final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

/// Holds compactions back for kCompactAfter, or until the store is closed. Not by RocksDB's own switch: to turn that writes
/// files, which a full disk does not take.
/// Thread: safe.
class CompactLater final : public rocksdb::EventListener {
 public:
  void OnCompactionBegin(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override {
    std::unique_lock<std::mutex> lock(mutex_);
    closing_changed_.wait_until(lock, from_, [this] { return closing_; });
  }
  void WaitNoMore() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      closing_ = true;
    }
    closing_changed_.notify_all();
  }

 private:
  const std::chrono::steady_clock::time_point from_ = std::chrono::steady_clock::now() + kCompactAfter;
  std::mutex mutex_;
  std::condition_variable closing_changed_;
  bool closing_ = false;
};

/// Thread: safe, as RocksDB is.
class RocksStore final : public StateStore {
 public:
  RocksStore(std::string directory, bool read_only) : directory_(std::move(directory)), read_only_(read_only) {}
  ~RocksStore() override {
    if (!db_) return;
    compact_later_->WaitNoMore();
    for (rocksdb::ColumnFamilyHandle* handle : handles_) {
      db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    }
    db_->Close().PermitUncheckedError();
  }

  Status Open(size_t memory_bytes_max, rocksdb::Env* env);

  Status Write(const StateBatch& batch) override {
    if (read_only_) {
      return Status(Code::kPermission, fmt::format("cannot write state: it was opened to be read: {}", directory_));
    }
    if (stopped_.load(std::memory_order_acquire)) {
      const rocksdb::Status resumed = db_->Resume();
      if (!resumed.ok()) return FromRocks(resumed, "cannot write state", directory_);
      stopped_.store(false, std::memory_order_release);
    }
    // Where flushes fall behind, the writer waits for one: otherwise write buffers grow past the bound.
    if (write_buffers_->memory_usage() > 2 * write_buffers_->buffer_size()) {
      TC_RETURN_IF_ERROR(Checked(db_->Flush({}, handles_), "cannot write state"));
    }
    rocksdb::WriteBatch rows(batch.bytes() + 64);
    for (const StateBatch::Range& range : batch.ranges()) {
      if (range.from >= range.to) continue;
      const rocksdb::Status added = rows.DeleteRange(HandleOf(range.family), ToSlice(range.from), ToSlice(range.to));
      if (!added.ok()) return FromRocks(added, "cannot write state", directory_);
    }
    for (const StateBatch::Row& row : batch.rows()) {
      rocksdb::ColumnFamilyHandle* family = HandleOf(row.family);
      const rocksdb::Status added = row.is_delete ? rows.Delete(family, ToSlice(row.key))
                                                  : rows.Put(family, ToSlice(row.key), ToSlice(row.value));
      if (!added.ok()) return FromRocks(added, "cannot write state", directory_);
    }
    return Checked(db_->Write({}, &rows), "cannot write state");
  }

  Result<bool> Get(Family family, std::string_view key, std::string* value) const override {
    const rocksdb::Status got = db_->Get({}, HandleOf(family), ToSlice(key), value);
    if (got.IsNotFound()) return false;
    if (!got.ok()) return FromRocks(got, "cannot read state", directory_);
    return true;
  }

  Status GetMany(Family family, std::span<const std::string> keys, std::span<std::string> values,
                 std::span<uint8_t> found) const override {
    TC_CHECK(keys.size() == values.size() && keys.size() == found.size());
    std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
    std::vector<rocksdb::PinnableSlice> got(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db_->MultiGet({}, HandleOf(family), keys.size(), slices.data(), got.data(), statuses.data());
    for (size_t i = 0; i < keys.size(); ++i) {
      found[i] = statuses[i].ok() ? 1 : 0;
      if (statuses[i].ok()) {
        values[i].assign(got[i].data(), got[i].size());
      } else if (!statuses[i].IsNotFound()) {
        return FromRocks(statuses[i], "cannot read state", directory_);
      }
    }
    return Status::Ok();
  }

  Status Scan(Family family, std::string_view from, std::string_view to,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    if (!to.empty() && from >= to) return Status::Ok();
    rocksdb::ReadOptions options;
    options.fill_cache = family != Family::kLog;  // read once, in order: it must not push the panes out
    const rocksdb::Slice end = ToSlice(to);
    if (!to.empty()) options.iterate_upper_bound = &end;
    const std::unique_ptr<rocksdb::Iterator> rows(db_->NewIterator(options, HandleOf(family)));
    for (rows->Seek(ToSlice(from)); rows->Valid(); rows->Next()) {
      if (!visit(rows->key().ToStringView(), rows->value().ToStringView())) break;
    }
    return FromRocks(rows->status(), "cannot read state", directory_);
  }

  Status Sync() override {
    if (read_only_) return Status::Ok();
    return Checked(db_->SyncWAL(), "cannot sync state");
  }

  Status Checkpoint(const std::string& directory) {
    rocksdb::Checkpoint* made = nullptr;
    rocksdb::Status status = rocksdb::Checkpoint::Create(db_.get(), &made);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    if (status.ok()) status = checkpoint->CreateCheckpoint(directory);
    return FromRocks(status, "cannot copy the state", directory);
  }

  size_t MemoryBytes() const override { return cache_->GetUsage(); }

  StoreMemory Memory() const {
    // The write buffers are charged to the cache.
    uint64_t buffers = 0;
    if (!db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &buffers)) buffers = 0;
    const size_t all = cache_->GetUsage();
    return {all - std::min<size_t>(buffers, all), static_cast<size_t>(buffers)};
  }

 private:
  rocksdb::ColumnFamilyHandle* HandleOf(Family family) const { return families_[static_cast<size_t>(family)]; }
  Status Checked(const rocksdb::Status& status, std::string_view doing) {
    if (status.ok()) return Status::Ok();
    stopped_.store(true, std::memory_order_release);
    return FromRocks(status, doing, directory_);
  }
  rocksdb::Options MakeOptions(size_t memory_bytes_max, rocksdb::Env* env);
  Status CheckDirectory() const;
  Status CheckFormat();

  std::string directory_;
  bool read_only_;
  std::shared_ptr<rocksdb::Cache> cache_;  // shared with RocksDB, which asks for it so
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families_{};
  std::atomic<bool> stopped_ = false;  ///< a write failed: RocksDB must be resumed first
  std::shared_ptr<CompactLater> compact_later_ = std::make_shared<CompactLater>();
};

rocksdb::Options RocksStore::MakeOptions(size_t memory_bytes_max, rocksdb::Env* env) {
  const size_t memory = std::max(memory_bytes_max, kMemoryLeast);
  // Write buffers that are being flushed stand beside the ones that fill: a sixth each way stays within the bound.
  const size_t write_buffers = memory / 6;
  // What is pinned (write buffers, blocks in use) may push the cache past its capacity: a quarter is left for that.
  cache_ = rocksdb::NewLRUCache(memory / 4 * 3, memory < (64ULL << 20) ? 0 : -1);

  rocksdb::Options options;
  options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  write_buffers_ = std::make_shared<rocksdb::WriteBufferManager>(write_buffers, cache_);
  options.write_buffer_manager = write_buffers_;
  options.write_buffer_size = std::min<size_t>(write_buffers / 2, 64ULL << 20);
  options.max_total_wal_size = kWalMost;
  // What the WAL held goes on in write buffers: a restart need not wait for a flush.
  options.avoid_flush_during_recovery = true;
  options.max_manifest_file_size = kManifestMost;
  options.max_background_jobs = 2;
  options.max_open_files = 512;
  options.bytes_per_sync = 1 << 20;
  options.wal_bytes_per_sync = 1 << 20;
  options.level_compaction_dynamic_level_bytes = true;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.listeners.push_back(std::make_shared<NoRecoveryBehindOurBack>());
  options.listeners.push_back(compact_later_);
  const auto supported = rocksdb::GetSupportedCompressions();
  options.compression = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end()
                            ? rocksdb::kLZ4Compression
                            : rocksdb::kNoCompression;

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache_;
  table.block_size = 16 << 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.optimize_filters_for_memory = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

Status RocksStore::CheckDirectory() const {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!read_only_) fs::create_directories(directory_, error);
  std::error_code unseen;
  const bool there = fs::is_directory(directory_, unseen);
  if (!error && !there) error = unseen;
  if (error || !there) {
    const bool denied = error == std::errc::permission_denied || error == std::errc::read_only_file_system ||
                        error == std::errc::operation_not_permitted;
    if (denied) {
      return Status(Code::kPermission,
                    fmt::format("the state directory cannot be made: {} ({})", directory_, error.message()),
                    Domain::kExternal)
          .WithRemedy("give this user the right to write there, or choose another state directory");
    }
    if (error == std::errc::no_space_on_device) {
      return Status(Code::kNoSpace, fmt::format("the state directory cannot be made: {} (disk full)", directory_),
                    Domain::kExternal, Retry::kBackoff)
          .WithRemedy("free some space on the disk of the state directory");
    }
    return Status(error == std::errc::no_such_file_or_directory || read_only_ ? Code::kNotFound : Code::kIo,
                  fmt::format("the state directory is not there or is no directory: {}{}", directory_,
                              error ? " (" + error.message() + ")" : ""),
                  Domain::kExternal)
        .WithRemedy("check the path of the state directory");
  }
  if (!read_only_ && ::access(directory_.c_str(), W_OK | X_OK) != 0) {
    return Status(Code::kPermission, fmt::format("the state directory cannot be written: {}", directory_),
                  Domain::kExternal)
        .WithRemedy("give this user the right to write there, or choose another state directory");
  }
  return Status::Ok();
}

Status RocksStore::CheckFormat() {
  std::string stored;
  TC_ASSIGN_OR_RETURN(const bool found, Get(Family::kMeta, kFormatKey, &stored));
  const auto write_ours = [this] {
    StateBatch batch;
    batch.Put(Family::kMeta, kFormatKey, ByteWriter().U32(kStoreFormat).view());
    return read_only_ ? Status::Ok() : Write(batch);
  };
  if (!found) return write_ours();
  ByteReader reader(stored);
  const uint32_t format = reader.U32();
  if (reader.ok() && format > kStoreFormat) {
    return Status(Code::kVersion, fmt::format("the state is newer than this program: format {} is stored, formats up "
                                              "to {} are read: {}",
                                              format, kStoreFormat, directory_))
        .WithRemedy("run the version that wrote it, or a newer one; or choose another state directory");
  }
  TC_RETURN_IF_ERROR(reader.Finish("format of the state"));
  return format < kStoreFormat ? write_ours() : Status::Ok();
}

Status RocksStore::Open(size_t memory_bytes_max, rocksdb::Env* env) {
  TC_RETURN_IF_ERROR(CheckDirectory());
  const rocksdb::Options options = MakeOptions(memory_bytes_max, env);
  std::vector<std::string> names;
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(options, directory_, &names);
  if (!listed.ok()) {
    if (read_only_) return FromRocks(listed, "cannot open state", directory_);
    names = {rocksdb::kDefaultColumnFamilyName};
  }
  for (const char* name : kFamilyNames) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions(options));

  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = read_only_
                                     ? rocksdb::DB::OpenForReadOnly(options, directory_, descriptors, &handles_, &db)
                                     : rocksdb::DB::Open(options, directory_, descriptors, &handles_, &db);
  if (!opened.ok()) return FromRocks(opened, fmt::format("cannot open state{}", HolderOfLock(directory_, opened)), directory_);
  db_.reset(db);
  for (size_t i = 0; i < names.size(); ++i) {
    const auto family = std::find(kFamilyNames.begin(), kFamilyNames.end(), names[i]);
    if (family != kFamilyNames.end()) {
      families_[static_cast<size_t>(family - kFamilyNames.begin())] = handles_[i];
    }
  }
  return CheckFormat();
}

}  // namespace

Result<std::unique_ptr<StateStore>> OpenRocksStoreOn(const StateStoreOptions& options, rocksdb::Env* env) {
  auto store = std::make_unique<RocksStore>(options.directory, options.read_only);
  TC_RETURN_IF_ERROR(store->Open(options.memory_bytes_max, env));
  return std::unique_ptr<StateStore>(std::move(store));
}

Status CopyStore(StateStore& store, const std::string& directory) {
  if (auto* rocks = dynamic_cast<RocksStore*>(&store)) return rocks->Checkpoint(directory);
  return Status(Code::kInvalidArgument, "this store is in memory alone and cannot be copied to a directory");
}

StoreMemory MemoryOf(const StateStore& store) {
  if (const auto* rocks = dynamic_cast<const RocksStore*>(&store)) return rocks->Memory();
  return {store.MemoryBytes(), 0};
}

Result<std::unique_ptr<StateStore>> OpenRocksStore(const StateStoreOptions& options) {
  return OpenRocksStoreOn(options, rocksdb::Env::Default());
}

}  // namespace tidecast
