#include <array>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "state/state_store.h"

namespace tidecast {
namespace {

/// Keeps the families as ordered maps. A scan holds the read lock: `visit` must not write.
/// Thread: safe.
class MemoryStore final : public StateStore {
 public:
  Status Write(const StateBatch& batch) override {
    const std::unique_lock lock(mutex_);
    for (const StateBatch::Range& range : batch.ranges()) {
      Rows& rows = RowsOf(range.family);
      if (range.from >= range.to) continue;
      const auto first = rows.lower_bound(range.from);
      const auto last = rows.lower_bound(range.to);
      for (auto row = first; row != last; ++row) bytes_ -= Bytes(row->first, row->second);
      rows.erase(first, last);
    }
    for (const StateBatch::Row& row : batch.rows()) Apply(row);
    return Status::Ok();
  }

  Result<bool> Get(Family family, std::string_view key, std::string* value) const override {
    const std::shared_lock lock(mutex_);
    const Rows& rows = RowsOf(family);
    const auto found = rows.find(key);
    if (found == rows.end()) return false;
    *value = found->second;
    return true;
  }

  Status Scan(Family family, std::string_view from, std::string_view to,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    const std::shared_lock lock(mutex_);
    const Rows& rows = RowsOf(family);
    for (auto row = rows.lower_bound(from); row != rows.end(); ++row) {
      if (!to.empty() && row->first >= to) break;
      if (!visit(row->first, row->second)) break;
    }
    return Status::Ok();
  }

  Status Sync() override { return Status::Ok(); }

  size_t MemoryBytes() const override {
    const std::shared_lock lock(mutex_);
    return bytes_;
  }

 private:
  using Rows = std::map<std::string, std::string, std::less<>>;
  static constexpr size_t kNodeBytes = 96;
  static size_t Bytes(std::string_view key, std::string_view value) { return key.size() + value.size() + kNodeBytes; }

  Rows& RowsOf(Family family) { return families_[static_cast<size_t>(family)]; }
  const Rows& RowsOf(Family family) const { return families_[static_cast<size_t>(family)]; }

  void Apply(const StateBatch::Row& row) {
    Rows& rows = RowsOf(row.family);
    const auto old = rows.find(row.key);
    if (old != rows.end()) {
      bytes_ -= Bytes(old->first, old->second);
      if (row.is_delete) {
        rows.erase(old);
        return;
      }
      old->second.assign(row.value);
    } else if (row.is_delete) {
      return;
    } else {
      rows.emplace(std::string(row.key), std::string(row.value));
    }
    bytes_ += Bytes(row.key, row.value);
  }

  mutable std::shared_mutex mutex_;
  std::array<Rows, kFamilies> families_;
  size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<StateStore> MakeMemoryStore() { return std::make_unique<MemoryStore>(); }

}  // namespace tidecast
