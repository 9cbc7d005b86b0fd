#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/forecast.h"
#include "engine/core/status.h"
#include "models/forecaster.h"

namespace tidecast {

/// Which buckets there are: the distinct `ds` of the file, or every step of the frequency from the first to the last.
enum class BacktestCalendar : uint8_t { kObserved, kRegular };

struct BacktestOptions {
  std::string series_path;               ///< CSV, .gz too: unique_id,ds,y[,...]
  std::string out_directory;             ///< made when it is not there; forecasts.csv and metrics.json go into it
  std::string frequency = "auto";        ///< 5min | 1h | 1d | 1w | 1mo | auto
  int horizon = 14;
  int warmup = 1;                        ///< the first origin is the calendar's bucket warmup-1
  int every = 1;
  BacktestCalendar calendar = BacktestCalendar::kObserved;
  std::vector<int> season_lengths;       ///< empty: of the frequency (SEMANTICS.md 8)
  std::vector<double> levels = {.025, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .975, .99};  ///< empty: mean only
  bool full_windows = false;             ///< leave out origins whose horizon passes the file's end
  std::string until;                     ///< a `ds`: the calendar ends there
  bool fill_zero = false;                ///< an absent row is 0, not missing
  std::vector<std::string> known_columns, past_columns, static_columns;
  std::optional<ValueDomain> domain;     ///< nullopt: inferred from the warm-up
  size_t threads = 1;
  ForecasterOptions forecaster;          ///< net, learning, seed, device, experts; the rest is set here
};

struct BacktestSummary {
  size_t series = 0;
  size_t buckets = 0;
  size_t origins = 0;
  size_t forecasts = 0;                  ///< rows written
  double wql = 0;                        ///< NaN when nothing could be scored
  double wape = 0;
  double cover80 = 0;
  double seconds_models = 0;             ///< CPU seconds of all threads inside the forecaster's rounds
  double series_buckets_per_second = 0;  ///< of one core
  ForecasterStats stats;
};

/// Runs the forecaster over a file, bucket by bucket (score, learn, forecast), writes every forecast of the scored origins
/// and the figures over them. Nothing of a bucket is handed to the model before its round; known columns up to the horizon.
/// Errors: kNoInput, kPermission, kData (a file that makes no sense: the line is named), kInvalidArgument, kIo, kNoSpace;
/// LoadNet's when the net is wanted.
/// Thread: confined; starts `threads` workers of its own.
Result<BacktestSummary> RunBacktest(const BacktestOptions& options);

}  // namespace tidecast
