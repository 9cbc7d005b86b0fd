#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/core/status.h"
#include "operators/backtest.h"
#include "operators/series_steps.h"

namespace tidecast {

/// A series file in memory: dense [series, bucket] by name and time.
/// Thread: immutable.
struct SeriesTable {
  std::vector<std::string> names;        ///< in order
  std::vector<std::string> categories;   ///< of names; empty: none is told
  std::vector<std::string> labels;       ///< `ds` of each bucket, as the file spells it
  std::vector<int64_t> seconds;          ///< start of each bucket, as if its local time were UTC
  std::vector<float> actual;             ///< [series, bucket]; NaN = missing
  std::vector<float> known;              ///< [series, bucket, known]: known and static columns; NaN = absent
  std::vector<float> past;               ///< [series, bucket, past]
  std::vector<size_t> first_row;         ///< by series: bucket of its first row; before it the series does not exist
  std::vector<std::string> known_names;  ///< of the first columns of `known`; static ones have none
  size_t known_width = 0;
  size_t past_width = 0;
  size_t last_actual = 0;  ///< newest bucket in which any series has a value
  SeriesFrequency frequency = SeriesFrequency::kDay;
  std::vector<int> season_lengths;
  std::vector<std::vector<int32_t>> phases;  ///< by bucket, in the order of season_lengths

  size_t buckets() const { return labels.size(); }
  float Actual(size_t series, size_t bucket) const { return actual[series * buckets() + bucket]; }

  /// Errors: kNoInput, kPermission, kData with the line, kInvalidArgument.
  static Result<SeriesTable> Read(const BacktestOptions& options);
};

}  // namespace tidecast
