#pragma once

#include <functional>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "models/net.h"

namespace tidecast {

/// A net that a thread of its own makes a second later, or when it is waited for, since loading LibTorch takes half a
/// second of CPU that a start can spend better. `Wait` says what came of it; every other call but state_floats and
/// device REQUIRES that Wait has said Ok. Thread: as ResidualNet; Wait is confined.
class LateNet final : public ResidualNet {
 public:
  using Make = std::function<Result<std::unique_ptr<ResidualNet>>()>;

  LateNet(const NetShape& shape, Make make);
  ~LateNet() override;  ///< does not wait: the process's end does

  /// Returns once the net is there. Errors: those of `make`, every time.
  Status Wait();

  size_t state_floats() const override { return state_floats_; }
  void Advance(int rows, std::span<const float> inputs, std::span<const float> mask, std::span<float> states) override;
  void Correct(int rows, std::span<const float> states, std::span<const float> statics, std::span<const uint32_t> ids,
               std::span<const float> known, std::span<const float> base, std::span<float> out) override;
  void Rerun(int rows, std::span<const float> inputs, std::span<const float> mask, std::span<float> states) override;
  NetLoss Learn(const NetBatch& batch, double learning_rate_factor) override;
  NetLoss Evaluate(const NetBatch& batch) override;
  void Save(std::string* out) const override;
  Status Load(std::string_view blob) override;
  Status Adopt(std::string_view blob, const NetRows& rows) override;
  Status Blend(std::string_view blob, const NetRows& rows, float share) override;
  std::string device() const override;  ///< "loading" before Wait

 private:
  size_t state_floats_;
  std::promise<void> wanted_;
  std::future<Result<std::unique_ptr<ResidualNet>>> coming_;
  Status status_;
  std::unique_ptr<ResidualNet> net_;
};

}  // namespace tidecast
