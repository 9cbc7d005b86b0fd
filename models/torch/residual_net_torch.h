#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/net.h"
#include "models/torch/net_backend.h"
#include "models/torch/net_layout.h"
#include "models/torch/net_optimiser.h"

namespace tidecast::net {

/// The residual LSTM: parameters and optimiser on the host, arithmetic in a backend.
/// Serving (Advance, Correct, Rerun) always runs on the row-invariant CPU kernels; a CUDA device takes Learn and
/// Evaluate. When the device fails, learning goes on with the CPU from the same weights, and device() says so. Thread:
/// confined, but Advance, Correct and Rerun may run side by side on different rows.
class ResidualNetTorch : public ResidualNet {
 public:
  /// Errors: kInvalidArgument for a shape, option or device that cannot be.
  static Result<std::unique_ptr<ResidualNet>> Make(const NetOptions& options);

  size_t state_floats() const override { return layout_.state_floats(); }
  void Advance(int rows, std::span<const float> inputs, std::span<const float> mask, std::span<float> states) override;
  void Correct(int rows, std::span<const float> states, std::span<const float> statics, std::span<const uint32_t> ids,
               std::span<const float> known, std::span<const float> base, std::span<float> out) override;
  void Rerun(int rows, std::span<const float> inputs, std::span<const float> mask, std::span<float> states) override;
  NetLoss Learn(const NetBatch& batch, double learning_rate_factor) override;
  NetLoss Evaluate(const NetBatch& batch) override;
  void Save(std::string* out) const override { optimiser_.Save(out); }
  Status Load(std::string_view blob) override;
  Status Adopt(std::string_view blob, const NetRows& rows) override;
  Status Blend(std::string_view blob, const NetRows& rows, float share) override;
  std::string device() const override;

 private:
  explicit ResidualNetTorch(const NetOptions& options);
  Status ChooseBackends(const std::string& device);
  void CheckBatch(const NetBatch& batch) const;
  void PublishAverage();
  void CheckRows(const NetRows& rows) const;
  /// Runs `work` on the learning backend, and once more on the CPU when the device throws.
  template <typename Work>
  BatchLoss OnDevice(const Work& work);

  const NetLayout layout_;
  NetOptimiser optimiser_;
  std::unique_ptr<NetBackend> serving_;
  std::unique_ptr<NetBackend> device_;  // null: learning shares the serving backend
  std::string device_note_;
  int64_t device_failures_ = 0;
  std::vector<float> gradient_;
};

}  // namespace tidecast::net
