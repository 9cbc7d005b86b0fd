// A pass: each set of series is a stream of its own; its forecaster begins with the weights so far, learns through all
// rounds, and hands its weights on. Then the frozen net forecasts the held-out series of every set.
#include "operators/pretrain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <numbers>

#include "engine/core/hash.h"
#include "models/net_weights.h"
#include "operators/pretrain_series.h"
#include "operators/series_table.h"

namespace tidecast {
namespace {

constexpr uint64_t kHoldOut = 5;
constexpr uint64_t kHoldOutPurpose = 0x686f6c64;
constexpr uint32_t kYoung = 4;  ///< values before a one-step forecast counts

struct Sets {
  std::vector<PretrainSeries> learn, held_out;
};

/// Splits by name: one in five is held out.
void Split(const PretrainSeries& all, Sets* sets) {
  PretrainSeries learn, held;
  for (PretrainSeries* part : {&learn, &held}) {
    part->phase = all.phase;
    part->season = all.season;
  }
  for (size_t s = 0; s < all.names.size(); ++s) {
    PretrainSeries& part = Hash64(all.names[s], kHoldOutPurpose) % kHoldOut == 0 ? held : learn;
    part.names.push_back(all.names[s]);
    part.actual.insert(part.actual.end(), all.row(s), all.row(s) + all.buckets());
  }
  if (!learn.names.empty()) sets->learn.push_back(std::move(learn));
  if (!held.names.empty()) sets->held_out.push_back(std::move(held));
}

Result<PretrainSeries> ReadSeries(const std::string& path, const PretrainOptions& options) {
  BacktestOptions reading;
  reading.series_path = path;
  reading.frequency = options.frequency;
  reading.warmup = std::numeric_limits<int>::max();
  TC_ASSIGN_OR_RETURN(SeriesTable table, SeriesTable::Read(reading));
  PretrainSeries series;
  series.names = std::move(table.names);
  series.actual = std::move(table.actual);
  series.season = table.season_lengths.empty() ? 1 : table.season_lengths[0];
  for (const auto& phases : table.phases) series.phase.push_back(phases.empty() ? 0 : phases[0]);
  return series;
}

CalendarStep StepAt(const PretrainSeries& series, size_t t) {
  CalendarStep step;
  step.index = static_cast<int64_t>(t);
  const size_t last = series.buckets() - 1;
  const auto past = static_cast<int64_t>(t > last ? t - last : 0);
  const auto phase = static_cast<int32_t>((series.phase[std::min(t, last)] + past) % series.season);
  step.season_phase = {phase};
  const double angle = 2 * std::numbers::pi * phase / series.season;
  step.features = {static_cast<float>(std::sin(angle)), static_cast<float>(std::cos(angle))};
  return step;
}

struct PassResult {
  double pinball = 0;  ///< of one-step forecasts, all levels
  double size = 0;     ///< sum of |actual|
  int64_t steps = 0;
  std::string weights;
};

/// All rounds over one set. Options: those of a forecaster, but for what the series say.
Result<PassResult> RunRounds(const PretrainSeries& series, ForecasterOptions options) {
  options.season_lengths = {series.season};
  options.calendar_features = 2;
  options.domain = ValueDomain::kCount;
  for (const float y : series.actual) {
    if (std::isfinite(y) && y != std::floor(y)) options.domain = ValueDomain::kNonNegative;
  }
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<Forecaster> forecaster, MakeForecaster(options));
  const auto horizon = static_cast<size_t>(options.horizon);
  std::vector<size_t> born(series.names.size(), series.buckets());
  std::vector<std::string> states(series.names.size());
  std::vector<uint32_t> age(series.names.size());
  for (size_t s = 0; s < series.names.size(); ++s) {
    const float* row = series.row(s);
    born[s] =
        static_cast<size_t>(std::find_if(row, row + series.buckets(), [](float y) { return std::isfinite(y); }) - row);
  }
  PassResult result;
  for (size_t t = 0; t < series.buckets(); ++t) {
    std::vector<size_t> alive;
    for (size_t s = 0; s < series.names.size(); ++s) {
      if (born[s] <= t) alive.push_back(s);
    }
    BucketContext context;
    context.now = StepAt(series, t);
    for (size_t h = 1; h <= horizon; ++h) context.ahead.push_back(StepAt(series, t + h));
    const size_t blocks = (alive.size() + options.block_series - 1) / options.block_series;
    const auto visit = [&](const auto& work) {
      for (size_t b = 0; b < blocks; ++b) {
        const auto part = std::span(alive).subspan(
            b * options.block_series, std::min(options.block_series, alive.size() - b * options.block_series));
        std::vector<SeriesRow> rows;
        std::vector<std::string> own;
        for (const size_t s : part) {
          rows.push_back({series.names[s], Hash64(series.names[s]), series.row(s)[t], {}, {}});
          own.push_back(std::move(states[s]));
        }
        work(b, part, rows, own);
        for (size_t i = 0; i < part.size(); ++i) states[part[i]] = std::move(own[i]);
      }
    };
    forecaster->BeginRound(context, blocks);
    visit([&](size_t b, std::span<const size_t> part, std::vector<SeriesRow>& rows, std::vector<std::string>& own) {
      std::vector<BucketScore> scores(rows.size());
      forecaster->ScoreAndLearnBlock(b, rows, own, scores, {});
      for (size_t i = 0; i < rows.size(); ++i) {
        if (!std::isfinite(rows[i].actual)) continue;
        if (scores[i].has_forecast && age[part[i]] >= kYoung) {
          for (size_t l = 0; l < kLevelCount; ++l) {
            const float above = rows[i].actual - scores[i].quantiles[l];
            result.pinball += static_cast<double>(above > 0 ? kLevels[l] * above : (kLevels[l] - 1) * above);
          }
          result.size += static_cast<double>(std::fabs(rows[i].actual));
        }
        ++age[part[i]];
      }
    });
    TC_RETURN_IF_ERROR(forecaster->LearnShared());
    visit([&](size_t b, std::span<const size_t>, std::vector<SeriesRow>& rows, std::vector<std::string>& own) {
      ForecastBlock out;
      out.mean.resize(rows.size() * horizon);
      out.quantiles.resize(rows.size() * horizon * kLevelCount);
      out.zero_probability.resize(rows.size() * horizon);
      out.age_buckets.resize(rows.size());
      forecaster->ForecastBlock(b, rows, own, out);
    });
  }
  result.steps = forecaster->Stats().net_steps;
  if (options.net != NetKind::kNone) {
    TC_ASSIGN_OR_RETURN(result.weights, forecaster->ExportNet({}));
  }
  return result;
}

/// Pinball per unit over all held-out series, each set weighing the same.
Result<double> Validate(const Sets& sets, ForecasterOptions options) {
  options.net_learning = NetLearning::kFrozen;
  double sum = 0;
  for (const PretrainSeries& series : sets.held_out) {
    TC_ASSIGN_OR_RETURN(const PassResult result, RunRounds(series, options));
    sum += result.pinball / std::max(result.size, 1.0) / static_cast<double>(sets.held_out.size());
  }
  return sum;
}

Status WriteFile(const std::string& path, const std::string& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr)
    return Status(Code::kIo, fmt::format("the weights cannot be written: {}", path), Domain::kExternal);
  const bool whole = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  if (std::fclose(file) != 0 || !whole)
    return Status(Code::kIo, fmt::format("the weights cannot be written: {}", path), Domain::kExternal);
  return Status::Ok();
}

}  // namespace

Result<PretrainSummary> Pretrain(const PretrainOptions& options) {
  Sets sets;
  for (const std::string& path : options.series_paths) {
    TC_ASSIGN_OR_RETURN(const PretrainSeries series, ReadSeries(path, options));
    Split(series, &sets);
  }
  if (options.generated > 0)
    Split(GenerateSeries(options.forecaster.seed, options.generated, options.generated_buckets), &sets);
  if (sets.learn.empty() || sets.held_out.empty()) {
    return Status(Code::kData, "there are too few series to learn from and to hold out", Domain::kInput)
        .WithRemedy("give more series, or --generated");
  }
  ForecasterOptions forecaster = options.forecaster;
  forecaster.horizon = options.horizon;
  forecaster.net_ids = false;
  PretrainSummary summary;
  ForecasterOptions without = forecaster;
  without.net = NetKind::kNone;
  TC_ASSIGN_OR_RETURN(double best, Validate(sets, without));
  summary.validation.push_back(best);
  std::string best_weights;
  for (int pass = 1; pass <= options.passes; ++pass) {
    for (size_t i = 0; i < sets.learn.size(); ++i) {
      // The order turns with the passes, so that no set always has the last word.
      PretrainSeries series = sets.learn[(i + static_cast<size_t>(pass)) % sets.learn.size()];
      const uint64_t seed = Mix64(forecaster.seed + static_cast<uint64_t>(pass) * 131 + i);
      if (options.augment && pass > 1) AugmentSeries(seed, &series);
      forecaster.seed = seed;
      TC_ASSIGN_OR_RETURN(PassResult result, RunRounds(series, forecaster));
      forecaster.net_weights = std::move(result.weights);
      forecaster.net_warm_steps += result.steps;
      summary.steps += result.steps;
    }
    summary.passes = pass;
    TC_ASSIGN_OR_RETURN(const double loss, Validate(sets, forecaster));
    summary.validation.push_back(loss);
    if (!(loss < best)) break;
    best = loss;
    best_weights = forecaster.net_weights;
    summary.best_pass = pass;
  }
  if (summary.best_pass == 0) {
    return Status(Code::kData, "no pass forecast the held-out series better than the experts do: nothing was written",
                  Domain::kInput)
        .WithRemedy("give more series or more passes");
  }
  TC_ASSIGN_OR_RETURN(NetWeights weights, NetWeights::Decode(best_weights));
  weights.provenance = options.provenance;
  TC_RETURN_IF_ERROR(WriteFile(options.out_path, weights.Encode()));
  return summary;
}

}  // namespace tidecast
