// A backtest is the rounds of FORECASTING.md 3 over a table in memory: bucket by bucket, the series born so far in name
// order, in blocks; score and learn, learn the shared part, forecast. Figures come from what was written, afterwards.
#include "operators/backtest.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <numbers>

#include "engine/core/executor.h"
#include "engine/core/hash.h"
#include "engine/io/csv_reader.h"
#include "engine/io/text_file.h"
#include "models/predictive_distribution.h"
#include "operators/forecast_score.h"
#include "operators/series_table.h"

namespace tidecast {
namespace {

constexpr const char* kClassNames[] = {"smooth", "erratic", "intermittent", "lumpy"};

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

ValueDomain InferDomain(const SeriesTable& table, size_t warmup) {
  ValueDomain domain = ValueDomain::kCount;
  for (size_t s = 0; s < table.names.size(); ++s) {
    for (size_t t = 0; t < std::min(warmup, table.buckets()); ++t) {
      const float y = table.Actual(s, t);
      if (!std::isfinite(y)) continue;
      if (y < 0) return ValueDomain::kReal;
      if (y != std::floor(y)) domain = ValueDomain::kNonNegative;
    }
  }
  return domain;
}

/// Demand class over the whole series: for reports only.
size_t ReportClass(const SeriesTable& table, size_t series) {
  double sum = 0, square = 0, nonzero = 0, count = 0;
  for (size_t t = table.first_row[series]; t < table.buckets(); ++t) {
    const float y = table.Actual(series, t);
    if (!std::isfinite(y)) continue;
    count += 1;
    if (y == 0) continue;
    nonzero += 1;
    sum += y;
    square += static_cast<double>(y) * y;
  }
  if (nonzero == 0) return 2;
  const double mean = sum / nonzero;
  return (count / nonzero > 1.32 ? 2U : 0U) + (square / nonzero / (mean * mean) - 1 > .49 ? 1U : 0U);
}

nlohmann::ordered_json Figures(const ForecastScore& score) {
  return {{"wql", score.wql()},
          {"wape", score.wape()},
          {"bias", score.bias()},
          {"cover", {{"50", score.Coverage(50)}, {"80", score.Coverage(80)}, {"90", score.Coverage(90)}, {"95", score.Coverage(95)}}},
          {"forecasts", score.count()}};
}

/// The rounds over one table.
class Run {
 public:
  Run(const BacktestOptions& options, const SeriesTable& table, Forecaster& forecaster, ValueDomain domain)
      : options_(options),
        table_(table),
        forecaster_(forecaster),
        domain_(domain),
        executor_(MakeExecutor(options.threads)),
        horizon_(static_cast<size_t>(options.horizon)),
        states_(table.names.size()),
        by_horizon_(horizon_) {
    for (size_t s = 0; s < table.names.size(); ++s) {
      hashes_.push_back(Hash64(table.names[s]));
      classes_.push_back(ReportClass(table, s));
    }
  }

  Status Bucket(size_t t, TextFile* out);
  bool IsOrigin(size_t t) const {
    const size_t first = static_cast<size_t>(options_.warmup) - 1;
    if (t < first || (t - first) % static_cast<size_t>(options_.every) != 0) return false;
    return options_.full_windows ? t + horizon_ < table_.buckets() : t + 1 < table_.buckets();
  }
  Status WriteHeader(TextFile* out) const {
    std::string line = "unique_id,ds,cutoff,mean";
    for (const double level : options_.levels) line += fmt::format(",q{:g}", level);
    out->Write(line + "\n");
    return out->status();
  }
  nlohmann::ordered_json Report() const;
  BacktestSummary Summary() const;

 private:
  CalendarStep StepAt(size_t t) const;
  Status WriteOrigin(size_t t, std::span<const size_t> alive, std::span<const ForecastBlock> blocks, TextFile* out);

  const BacktestOptions& options_;
  const SeriesTable& table_;
  Forecaster& forecaster_;
  ValueDomain domain_;
  std::unique_ptr<Executor> executor_;
  size_t horizon_;
  std::vector<std::string> states_;
  std::vector<uint64_t> hashes_;
  std::vector<size_t> classes_;
  ForecastScore all_;
  std::vector<ForecastScore> by_horizon_;
  ForecastScore by_class_[4];
  size_t origins_ = 0, written_ = 0, series_buckets_ = 0;
  double cpu_seconds_ = 0;
};

CalendarStep Run::StepAt(size_t t) const {
  CalendarStep step;
  step.index = static_cast<int64_t>(t);
  const size_t last = table_.buckets() - 1;
  step.start = EventTime::FromSeconds(table_.seconds[std::min(t, last)]);
  step.end = step.start + std::chrono::seconds(1);
  for (size_t k = 0; k < table_.season_lengths.size(); ++k) {
    // Past the file's end the season simply goes on; those horizons are never written.
    const int season = table_.season_lengths[k];
    const int32_t phase = t <= last ? table_.phases[t][k]
                                    : static_cast<int32_t>((table_.phases[last][k] + static_cast<int64_t>(t - last)) % season);
    step.season_phase.push_back(phase);
    const double angle = 2 * std::numbers::pi * phase / season;
    step.features.push_back(static_cast<float>(std::sin(angle)));
    step.features.push_back(static_cast<float>(std::cos(angle)));
  }
  return step;
}

Status Run::Bucket(size_t t, TextFile* out) {
  std::vector<size_t> alive;
  for (size_t s = 0; s < table_.names.size(); ++s) {
    if (table_.first_row[s] <= t) alive.push_back(s);
  }
  BucketContext context;
  context.now = StepAt(t);
  for (size_t h = 1; h <= horizon_; ++h) context.ahead.push_back(StepAt(t + h));
  const size_t width = options_.forecaster.block_series;
  const size_t blocks = (alive.size() + width - 1) / width;
  const size_t known_row = (1 + horizon_) * table_.known_width;
  std::vector<float> known(alive.size() * known_row, std::numeric_limits<float>::quiet_NaN());
  std::vector<SeriesRow> rows(alive.size());
  std::vector<std::string> states(alive.size());
  for (size_t i = 0; i < alive.size(); ++i) {
    const size_t s = alive[i];
    for (size_t h = 0; h <= horizon_ && t + h < table_.buckets() && table_.known_width > 0; ++h) {
      std::copy_n(table_.known.begin() + static_cast<ptrdiff_t>((s * table_.buckets() + t + h) * table_.known_width),
                  table_.known_width, known.begin() + static_cast<ptrdiff_t>(i * known_row + h * table_.known_width));
    }
    rows[i].key = table_.names[s];
    rows[i].key_hash = hashes_[s];
    rows[i].actual = table_.Actual(s, t);
    rows[i].past = std::span(table_.past).subspan((s * table_.buckets() + t) * table_.past_width, table_.past_width);
    rows[i].known = std::span<const float>(known).subspan(i * known_row, known_row);
    states[i] = std::move(states_[s]);
  }
  const auto block_of = [&](auto& all, size_t block) {
    return std::span(all).subspan(block * width, std::min(width, all.size() - block * width));
  };
  const double before = CpuSeconds();
  forecaster_.BeginRound(context, blocks);
  std::vector<BucketScore> scores(alive.size());
  executor_->ParallelFor(blocks, [&](size_t b) {
    forecaster_.ScoreAndLearnBlock(b, block_of(rows, b), block_of(states, b), block_of(scores, b));
  });
  TC_RETURN_IF_ERROR(forecaster_.LearnShared());
  std::vector<ForecastBlock> forecasts(blocks);
  executor_->ParallelFor(blocks, [&](size_t b) {
    const size_t count = block_of(rows, b).size();
    forecasts[b].mean.resize(count * horizon_);
    forecasts[b].quantiles.resize(count * horizon_ * kLevelCount);
    forecasts[b].zero_probability.resize(count * horizon_);
    forecasts[b].age_buckets.resize(count);
    forecaster_.ForecastBlock(b, block_of(rows, b), block_of(states, b), forecasts[b]);
  });
  cpu_seconds_ += CpuSeconds() - before;
  series_buckets_ += alive.size();
  for (size_t i = 0; i < alive.size(); ++i) states_[alive[i]] = std::move(states[i]);
  return IsOrigin(t) ? WriteOrigin(t, alive, forecasts, out) : Status::Ok();
}

Status Run::WriteOrigin(size_t t, std::span<const size_t> alive, std::span<const ForecastBlock> blocks, TextFile* out) {
  const size_t width = options_.forecaster.block_series;
  fmt::memory_buffer text;
  std::string name;
  for (size_t i = 0; i < alive.size(); ++i) {
    name.clear();
    AppendCsv(table_.names[alive[i]], &name);
    const ForecastBlock& block = blocks[i / width];
    const size_t row = i % width;
    for (size_t h = 0; h < horizon_ && t + 1 + h < table_.buckets(); ++h) {
      const size_t at = row * horizon_ + h;
      const std::span<const float> q(block.quantiles.data() + at * kLevelCount, kLevelCount);
      const PredictiveDistribution law(domain_, block.mean[at], block.zero_probability[at], q);
      fmt::format_to(std::back_inserter(text), "{},{},{},{}", name, table_.labels[t + 1 + h],
                     table_.labels[t], block.mean[at]);
      for (const double level : options_.levels) {
        const auto found = std::find_if(kLevels.begin(), kLevels.end(), [&](float l) { return std::fabs(l - level) < 1e-6; });
        const float value = found != kLevels.end() ? q[static_cast<size_t>(found - kLevels.begin())]
                                                   : static_cast<float>(law.Quantile(level));
        fmt::format_to(std::back_inserter(text), ",{}", value);
      }
      text.push_back('\n');
      const float actual = table_.Actual(alive[i], t + 1 + h);
      all_.Add(domain_, actual, block.mean[at], q);
      by_horizon_[h].Add(domain_, actual, block.mean[at], q);
      by_class_[classes_[alive[i]]].Add(domain_, actual, block.mean[at], q);
      ++written_;
    }
  }
  ++origins_;
  out->Write({text.data(), text.size()});
  return out->status();
}

BacktestSummary Run::Summary() const {
  BacktestSummary summary;
  summary.series = table_.names.size();
  summary.buckets = table_.buckets();
  summary.origins = origins_;
  summary.forecasts = written_;
  summary.wql = all_.wql();
  summary.wape = all_.wape();
  summary.cover80 = all_.Coverage(80);
  summary.seconds_models = cpu_seconds_;
  summary.series_buckets_per_second = cpu_seconds_ > 0 ? static_cast<double>(series_buckets_) / cpu_seconds_ : 0;
  summary.stats = forecaster_.Stats();
  return summary;
}

nlohmann::ordered_json Run::Report() const {
  const BacktestSummary summary = Summary();
  nlohmann::ordered_json report = Figures(all_);
  report["origins"] = origins_;
  report["series"] = summary.series;
  report["buckets"] = summary.buckets;
  report["horizon"] = horizon_;
  report["seasons"] = table_.season_lengths;
  report["domain"] = domain_ == ValueDomain::kCount ? "count" : domain_ == ValueDomain::kNonNegative ? "nonneg" : "real";
  for (size_t h = 0; h < horizon_; ++h) report["by_horizon"][std::to_string(h + 1)] = Figures(by_horizon_[h]);
  for (size_t c = 0; c < 4; ++c) {
    if (by_class_[c].count() > 0) report["by_class"][kClassNames[c]] = Figures(by_class_[c]);
  }
  for (const auto& [name, weight] : summary.stats.expert_weights) report["expert_weights"][name] = weight;
  report["net"] = {{"device", summary.stats.device}, {"steps", summary.stats.net_steps}, {"rejected", summary.stats.net_rejected}};
  report["seconds_models"] = summary.seconds_models;
  report["series_buckets_per_second"] = summary.series_buckets_per_second;
  return report;
}

}  // namespace

Result<BacktestSummary> RunBacktest(const BacktestOptions& options) {
  if (options.horizon < 1 || options.warmup < 1 || options.every < 1) {
    return Status(Code::kUsage, "horizon, warm-up and every must be 1 or more", Domain::kInput);
  }
  for (const double level : options.levels) {
    if (!(level > 0 && level < 1)) return Status(Code::kUsage, fmt::format("a level must lie between 0 and 1: {}", level), Domain::kInput);
  }
  TC_ASSIGN_OR_RETURN(const SeriesTable table, SeriesTable::Read(options));
  if (static_cast<size_t>(options.warmup) > table.last_actual + 1) {
    return Status(Code::kData, fmt::format("the warm-up is longer than the file: {} of {} buckets", options.warmup, table.last_actual + 1),
                  Domain::kInput);
  }
  BacktestOptions own = options;
  const ValueDomain domain = options.domain.value_or(InferDomain(table, static_cast<size_t>(options.warmup)));
  own.forecaster.horizon = options.horizon;
  own.forecaster.season_lengths = table.season_lengths;
  own.forecaster.domain = domain;
  own.forecaster.known_covariates = table.known_width;
  own.forecaster.past_covariates = table.past_width;
  own.forecaster.calendar_features = 2 * table.season_lengths.size();
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<Forecaster> forecaster, MakeForecaster(own.forecaster));

  TC_RETURN_IF_ERROR(MakeOutputDirectory(options.out_directory));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<TextFile> forecasts, TextFile::Create(options.out_directory + "/forecasts.csv", false));
  Run run(own, table, *forecaster, domain);
  TC_RETURN_IF_ERROR(run.WriteHeader(forecasts.get()));
  for (size_t t = 0; t <= table.last_actual; ++t) TC_RETURN_IF_ERROR(run.Bucket(t, forecasts.get()));
  TC_RETURN_IF_ERROR(forecasts->Close());
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<TextFile> metrics, TextFile::Create(options.out_directory + "/metrics.json", false));
  metrics->Write(run.Report().dump(2) + "\n");
  TC_RETURN_IF_ERROR(metrics->Close());
  return run.Summary();
}

}  // namespace tidecast
