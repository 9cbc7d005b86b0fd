#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/net.h"
#include "models/torch/net_layout.h"

namespace tidecast::net {

/// Weights, their running average, and Adam's moments; all of it goes into the blob (FORMAT.md).
/// Thread: confined.
/// Source: Kingma & Ba 2015, algorithm 1 (Adam); the average follows weights with decay min(d, (1 + t) / (10 + t)).
class NetOptimiser {
 public:
  NetOptimiser(const NetLayout& layout, const NetOptions& options);

  /// One step along `gradient`, which is clipped to the norm `gradient_clip` in place. Adds the pull of `weight_anchor`
  /// towards the average, which is what serves.
  /// Returns false, with nothing changed, when the gradient, its norm or a new weight or moment is not finite.
  bool Apply(std::span<float> gradient, double learning_rate_factor, double* norm);

  const std::vector<float>& weights() const { return state_.weights; }
  const std::vector<float>& average() const { return state_.average; }
  uint64_t steps() const { return state_.steps; }

  void Save(std::string* out) const;
  /// Errors: kCorruption, kVersion, kInvalidShape, kNotFinite; then nothing was changed.
  Status Load(std::string_view blob);
  /// ResidualNet::Adopt. Errors: as Load; then nothing was changed.
  Status Adopt(std::string_view blob, const NetRows& rows);
  /// ResidualNet::Blend. Errors: as Load; then nothing was changed.
  Status Blend(std::string_view blob, const NetRows& rows, float share);

 private:
  struct State {
    std::vector<float> weights;
    std::vector<float> average;
    std::vector<float> first_moment;
    std::vector<float> second_moment;
    uint64_t steps = 0;
  };

  /// A blob taken apart, of whatever shape it says it has.
  static Status Read(std::string_view blob, NetShape* shape, State* state);
  /// Writes another net's averaged weights over `values` [size] in the rows that mean the same. Errors: as Load.
  Status CopyRows(std::string_view blob, const NetRows& rows, std::vector<float>* values) const;

  const NetLayout& layout_;
  const NetOptions options_;
  State state_;
  State next_;  // scratch of a step, swapped in when it is accepted
};

}  // namespace tidecast::net
