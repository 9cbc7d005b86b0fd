#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/record.h"

namespace tidecast {

/// A deterministic stream of orders and clicks for `tidecast bench`: Zipf-distributed SKUs, ten clicks an order, event
/// times that are slightly out of order. The same seed gives the same bytes.
/// Thread: confined.
class BenchWorkload {
 public:
  struct Options {
    int64_t events = 2'000'000;
    uint32_t skus = 50'000;
    int32_t partitions = 8;
    int64_t span_seconds = 1800;      ///< event time that the events cover
    std::string name_space = "bench";
    uint64_t seed = 42;
  };
  explicit BenchWorkload(Options options);

  /// Replaces `out` by up to `records_max` records; false when there are no more.
  bool Next(size_t records_max, std::vector<OutputRecord>* out);

 private:
  uint32_t PickSku();
  double Uniform();

  Options options_;
  std::vector<double> cumulative_;    ///< of the Zipf weights
  std::vector<std::string> names_;
  int64_t next_ = 0;
  uint64_t counter_ = 0;
};

}  // namespace tidecast
