#pragma once

#include <string>
#include <utility>

#include "state/state_store.h"

namespace tidecast::testing {

/// A store whose writes can be made to fail, with nothing applied, as the contract says.
/// Thread: as the store beneath, but faults are set while nobody writes.
class FaultyStore final : public StateStore {
 public:
  explicit FaultyStore(StateStore& store) : store_(store) {}

  /// The next `writes` writes fail with `status`; -1: all until told otherwise.
  void FailWrites(Status status, int writes) {
    failure_ = std::move(status);
    failures_left_ = writes;
  }
  void Heal() { failures_left_ = 0; }
  int writes() const { return writes_; }  ///< that were applied
  int syncs() const { return syncs_; }

  Status Write(const StateBatch& batch) override {
    if (failures_left_ != 0) {
      if (failures_left_ > 0) --failures_left_;
      return failure_;
    }
    ++writes_;
    return store_.Write(batch);
  }
  Result<bool> Get(Family family, std::string_view key, std::string* value) const override {
    return store_.Get(family, key, value);
  }
  Status Scan(Family family, std::string_view from, std::string_view to,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    return store_.Scan(family, from, to, visit);
  }
  Status Sync() override {
    ++syncs_;
    return store_.Sync();
  }
  size_t MemoryBytes() const override { return store_.MemoryBytes(); }

 private:
  StateStore& store_;
  Status failure_;
  int failures_left_ = 0;
  int writes_ = 0;
  int syncs_ = 0;
};

}  // namespace tidecast::testing
