#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/net.h"
#include "models/torch/net_layout.h"

namespace tidecast::net {

/// Loss of a batch without any judgement on it.
struct BatchLoss {
  double loss = 0;
  double base_loss = 0;
  double labels = 0;  ///< sum of weight * mask; 0 = nothing to learn from
};

/// The arithmetic of the net on some device, as functions of a flat parameter vector (NetLayout).
/// Two parameter sets are kept ready: the serving ones (SetServing) and those of the batch at hand.
/// Steps and labels with mask 0 may hold anything, non-finite values included, without touching the result.
/// Thread: confined; Advance, Correct and Rerun are const and may run side by side.
/// Errors: an implementation on a device may throw std::exception when the device is lost or full; the caller turns it
/// into a change of backend.
class NetBackend {
 public:
  virtual ~NetBackend() = default;
  virtual void SetServing(std::span<const float> parameters) = 0;
  virtual void Advance(int rows, std::span<const float> inputs, std::span<const float> mask,
                       std::span<float> states) const = 0;
  virtual void Correct(int rows, std::span<const float> states, std::span<const float> statics,
                       std::span<const uint32_t> ids, std::span<const float> known, std::span<const float> base,
                       std::span<float> out) const = 0;
  virtual void Rerun(int rows, std::span<const float> inputs, std::span<const float> mask,
                     std::span<float> states) const = 0;
  /// Loss at `parameters`; fills `gradient` (same layout) unless it is empty.
  virtual BatchLoss Differentiate(std::span<const float> parameters, const NetBatch& batch,
                                  std::span<float> gradient) = 0;
  virtual BatchLoss Evaluate(const NetBatch& batch) = 0;
  virtual std::string name() const = 0;
};

}  // namespace tidecast::net
