#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/forecast.h"
#include "engine/core/status.h"
#include "models/forecaster.h"
#include "operators/score_card.h"

namespace tidecast {

/// Which buckets there are: the distinct `ds` of the file, or every step of the frequency from the first to the last.
enum class BacktestCalendar : uint8_t { kObserved, kRegular };

/// How forecasts.csv is laid out. kNixtla: y, the median and lo-80/hi-80 pairs, as cross-validation tools write them.
enum class ForecastFormat : uint8_t { kQuantiles, kNixtla };

struct BacktestOptions {
  std::string series_path;               ///< CSV, .gz too: unique_id,ds,y[,...]
  std::string out_directory;             ///< made when it is not there; forecasts.csv and metrics.json go into it
  std::string frequency = "auto";        ///< auto, or a name of ParseSeriesFrequency
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
  std::vector<std::string> holidays;     ///< as ReadHolidays takes them: a further known column, how many a bucket holds
  std::optional<ValueDomain> domain;     ///< nullopt: inferred from the warm-up; widens at the first value outside
  size_t threads = 1;
  ForecastFormat format = ForecastFormat::kQuantiles;
  bool compare = false;                  ///< run each expert of the pool alone, too
  int seeds = 1;                         ///< runs with seed, seed + 1 ...; forecasts.csv holds the first one's
  ForecasterOptions forecaster;          ///< net, learning, seed, device, experts; the rest is set here
};

struct BacktestSummary {
  size_t series = 0;
  size_t buckets = 0;
  size_t origins = 0;
  size_t forecasts = 0;                  ///< rows written
  double seconds_models = 0;             ///< CPU seconds of all threads inside the forecaster's rounds
  double series_buckets_per_second = 0;  ///< of one core
  ForecasterStats stats;
};

/// A single expert of the pool, run alone with the same rounds, calibration and scores.
struct BaselineReport {
  std::string expert;
  bool seasonal_naive = false;
  bool smoothing = false;  ///< exponential smoothing by the season
  bool best = false;       ///< least WQL of all experts, as it turned out
  ScoreTable table;
  double seconds_models = 0;
  LossComparison against;  ///< the whole model's losses against this one's
};

/// A figure over several seeds.
struct SeedSpread {
  std::string figure;
  double median = 0, min = 0, max = 0;
};

/// The forecasts of one series at the last origin with a whole horizon, and what was and came.
struct FanChart {
  std::string series;
  const char* demand_class = "";
  std::vector<std::string> labels;  ///< [shown buckets]
  std::vector<float> actual;        ///< [shown buckets]
  size_t forecast_from = 0;         ///< place of the first forecast bucket in labels
  std::vector<float> mean;          ///< [horizon]
  std::vector<float> quantiles;     ///< [horizon, kLevelCount]
};

struct BacktestReport {
  BacktestSummary summary;
  ValueDomain domain = ValueDomain::kCount;
  ValueDomain pool = ValueDomain::kCount;  ///< whose experts: the domain's, or kReal (AreForecastAsReals)
  int horizon = 0;
  std::vector<int> season_lengths;
  int mase_season = 1;
  ScoreTable table;
  std::vector<BaselineReport> baselines;  ///< with BacktestOptions::compare, by WQL
  std::vector<SeedSpread> seeds;          ///< with two seeds or more
  std::vector<FanChart> fans;             ///< of the series that sell most, one a demand class first
};

/// Runs the forecaster over a file, bucket by bucket (score, learn, forecast), writes every forecast of the scored origins
/// and the figures over them. Nothing of a bucket is handed to the model before its round; known columns up to the horizon.
/// Errors: kNoInput, kPermission, kData (a file that makes no sense: the line is named), kInvalidArgument, kIo, kNoSpace;
/// LoadNet's when the net is wanted.
/// Thread: confined; starts `threads` workers of its own.
Result<BacktestReport> RunBacktest(const BacktestOptions& options);

}  // namespace tidecast
