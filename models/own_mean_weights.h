#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tidecast {

/// A series's own weights of the mean under square loss, apart for each learned horizon: BOA whose squares count h
/// times. Forecasts of h buckets overlap, so h regrets in a row say about as much as one; without that the far
/// horizons of a random walk follow chance. Regrets are in units of the mixture's own squared error at that horizon
/// of late, bounded. State of a horizon: BOA's numbers, root mean squared error, labels seen.
/// Thread: immutable.
class OwnMeanWeights {
 public:
  /// `horizons`: the learned ones, ascending.
  OwnMeanWeights(size_t experts, std::vector<int> horizons) : experts_(experts), horizons_(std::move(horizons)) {}
  bool empty() const { return horizons_.empty(); }
  size_t state_floats() const { return horizons_.size() * Numbers(); }
  size_t regret_floats() const { return horizons_.size() * (experts_ + 1); }
  /// Place of the farthest learned horizon up to `horizon`.
  size_t PlaceOf(int horizon) const;

  /// Weights [experts], sum 1 over those awake; `prior` [experts]: where they begin.
  void Weights(size_t place, std::span<const float> state, std::span<const float> prior, std::span<const uint8_t> awake,
               std::span<float> out) const;
  /// Notes a mixture of the learned horizon at `place` beside its actual: by expert mixture - expert, then error.
  void Gather(size_t place, float actual, float mean, std::span<const float> means, std::span<const uint8_t> awake,
              std::span<float> regrets) const;
  /// Learns from a bucket's notes; those of zeros are of no label.
  void Learn(std::span<const float> regrets, std::span<float> state) const;

 private:
  size_t Numbers() const { return 2 * experts_ + 3; }
  size_t experts_;
  std::vector<int> horizons_;
};

}  // namespace tidecast
