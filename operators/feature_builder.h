#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/bucket.h"
#include "engine/core/feature_tensor.h"
#include "engine/core/stateful.h"

namespace tidecast {

/// Keeps the last `time_steps` closed rows of each series of a view and hands them out as a tensor [series, time, feature].
/// Rows go to state one by one, (series, step) -> F floats; the tensor is a cache that is rebuilt from them.
/// A revision rewrites its row, and nothing that was learned from it.
/// Thread: confined; Tensor may be called side by side for different blocks.
class FeatureBuilder : public Stateful {
 public:
  FeatureBuilder(size_t features, size_t time_steps, size_t memory_bytes_max) noexcept;
  ~FeatureBuilder() override;

  /// Adds the row of open bucket number `step` (or rewrites it).
  void OnRow(std::string_view series, int64_t step, std::span<const double> features);
  /// Rows (last_step - time_steps, last_step] of each series, into `memory`; NaN where there is none.
  FeatureTensor Tensor(std::span<const std::string_view> series, int64_t last_step, const StateReader& store, std::vector<float>& memory) const;

  void Save(Epoch epoch, DeltaSink& out) override;
  void OnCommitted(Epoch epoch) override;
  Status Reload(const StateReader& store) override;
  size_t memory_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidecast
