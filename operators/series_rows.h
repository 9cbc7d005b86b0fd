#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "operators/backtest.h"

namespace tidecast {

/// The rows of a series file as they stand in it, one a series and bucket.
struct SeriesRows {
  struct Row {
    uint32_t name = 0;  ///< in names
    uint32_t time = 0;  ///< in times
    float value = std::numeric_limits<float>::quiet_NaN();
    int64_t line = 0;
  };
  std::vector<std::string> names;       ///< distinct, by first appearance
  std::vector<std::string> categories;  ///< of names, as the first row tells; empty: none is told
  std::vector<std::string> times;       ///< distinct, as the file spells them
  std::vector<int64_t> seconds;         ///< of times
  std::vector<Row> rows;
  std::vector<float> known;  ///< [row, known_width]: columns known ahead, then static ones; NaN = absent
  std::vector<float> past;   ///< [row, past_width]
  size_t known_width = 0;
  size_t past_width = 0;
  std::vector<std::string> known_names;  ///< of the columns known ahead
  std::string frequency;                 ///< as the file has it; empty: it does not say

  /// Reads CSV with unique_id,ds,y[,...] (Nixtla's long form), or JSON Lines with item_id, start, target[, feat_...]
  /// (GluonTS), whichever the first character tells; gzip too. Of JSON Lines all features are taken: feat_dynamic_real
  /// is known ahead, past_feat_dynamic_real is not, feat_static_cat and feat_static_real tell about the series.
  /// feat_static_cat is its category, of CSV the static columns whose first value is no number. Errors:
  /// kNoInput, kPermission, kUsage, kData with the line.
  static Result<SeriesRows> Read(const BacktestOptions& options);
};

/// What is wrong with a line of a series file.
Status BadSeriesData(const std::string& path, int64_t line, std::string_view words);

/// One of the two forms. Errors: as SeriesRows::Read.
Result<SeriesRows> ReadCsvSeries(const BacktestOptions& options);
Result<SeriesRows> ReadJsonSeries(const BacktestOptions& options);

}  // namespace tidecast
