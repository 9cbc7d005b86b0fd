// A backtest is the rounds of FORECASTING.md 3 over a table in memory: bucket by bucket, the series born so far in name
// order, in blocks; score and learn, learn the shared part, forecast. Figures come from what was written, afterwards.
#include "operators/backtest.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numbers>

#include "engine/core/executor.h"
#include "engine/core/hash.h"
#include "engine/io/csv_reader.h"
#include "engine/io/text_file.h"
#include "models/expert.h"
#include "models/predictive_distribution.h"
#include "operators/backtest_metrics.h"
#include "operators/pool_choice.h"
#include "operators/series_table.h"

namespace tidecast {
namespace {

constexpr size_t kFans = 6;
constexpr size_t kFanHistoryMin =
    28;  ///< buckets shown before a fan chart's forecasts: five horizons, within these bounds
constexpr size_t kFanHistoryMax = 120;

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/// The narrowest domain that holds the values of buckets `from` to `to` - 1.
ValueDomain InferDomain(const SeriesTable& table, size_t from, size_t to) {
  ValueDomain domain = ValueDomain::kCount;
  for (size_t s = 0; s < table.names.size(); ++s) {
    for (size_t t = from; t < std::min(to, table.buckets()); ++t) {
      const float y = table.Actual(s, t);
      if (!std::isfinite(y)) continue;
      if (y < 0) return ValueDomain::kReal;
      if (y != std::floor(y)) domain = ValueDomain::kNonNegative;
    }
  }
  return domain;
}

/// What is forecast, and how. `as_reals`: by the pool of reals, never below 0 (AreForecastAsReals).
struct Target {
  ValueDomain domain = ValueDomain::kCount;
  bool as_reals = false;
  ValueDomain pool() const { return as_reals ? ValueDomain::kReal : domain; }
};

/// The rounds of one forecaster over one table. Where the options name no domain it widens at the first value outside
/// of it (SEMANTICS.md 1): a new forecaster learns what has come so far, and goes on from there. `out`: where forecasts
/// are written; null: nowhere.
class Run {
 public:
  Run(const BacktestOptions& options, const SeriesTable& table, const ScoreConstants& constants, Target target,
      TextFile* out)
      : options_(options),
        table_(table),
        target_(target),
        out_(out),
        executor_(MakeExecutor(options.threads)),
        horizon_(static_cast<size_t>(options.horizon)),
        states_(table.names.size()),
        card_(table, constants, target.domain, horizon_) {
    for (const std::string& name : table.names) hashes_.push_back(Hash64(name));
  }

  /// All rounds, in order. Errors: as MakeForecaster; those of the file.
  Status Rounds();
  const Target& target() const { return target_; }
  BacktestSummary Summary() const;
  const ScoreCard& card() const { return card_; }
  /// The forecasts made at the last origin with a whole horizon, by series; empty when there was none.
  struct LastForecasts {
    size_t cutoff = 0;
    std::vector<std::vector<float>> mean, quantiles;
  };
  const LastForecasts& last() const { return last_; }

 private:
  Status Start();
  Status Widen(size_t t);
  Status Bucket(size_t t, bool write);
  bool IsOrigin(size_t t) const {
    const size_t first = static_cast<size_t>(options_.warmup) - 1;
    if (t < first || (t - first) % static_cast<size_t>(options_.every) != 0) return false;
    return options_.full_windows ? t + horizon_ < table_.buckets() : t + 1 < table_.buckets();
  }
  bool IsLastWhole(size_t t) const {
    const size_t step = static_cast<size_t>(options_.every);
    return t + horizon_ <= table_.last_actual && t + step + horizon_ > table_.last_actual;
  }
  CalendarStep StepAt(size_t t) const;
  Status WriteOrigin(size_t t, std::span<const size_t> alive, std::span<const ForecastBlock> blocks);
  void AppendRow(size_t series, size_t cutoff, size_t step, std::string_view name, float mean, float zero_probability,
                 std::span<const float> quantiles, fmt::memory_buffer* text) const;

  const BacktestOptions& options_;
  const SeriesTable& table_;
  std::unique_ptr<Forecaster> forecaster_;
  Target target_;
  TextFile* out_;
  std::unique_ptr<Executor> executor_;
  size_t horizon_;
  std::vector<std::string> states_;
  std::vector<uint64_t> hashes_;
  ScoreCard card_;
  LastForecasts last_;
  size_t origins_ = 0, written_ = 0, series_buckets_ = 0;
  double cpu_seconds_ = 0;
};

/// Pairs of levels that lie symmetrically about the median, widest first: (percent of the band, lower, upper).
struct LevelPair {
  double percent, lower, upper;
};
std::vector<LevelPair> LevelPairs(const std::vector<double>& levels) {
  std::vector<LevelPair> pairs;
  for (const double lower : levels) {
    const auto upper =
        std::find_if(levels.begin(), levels.end(), [&](double l) { return std::fabs(l - (1 - lower)) < 1e-9; });
    if (lower < .5 - 1e-9 && upper != levels.end())
      pairs.push_back({std::round(1e6 * (1 - 2 * lower)) / 1e4, lower, *upper});
  }
  return pairs;
}

float QuantileAt(double level, const PredictiveDistribution& law) {
  const auto found = std::find_if(kLevels.begin(), kLevels.end(), [&](float l) { return std::fabs(l - level) < 1e-6; });
  return found != kLevels.end() ? law.quantiles()[static_cast<size_t>(found - kLevels.begin())]
                                : static_cast<float>(law.Quantile(level));
}

std::string HeaderOf(const BacktestOptions& options) {
  if (options.format == ForecastFormat::kQuantiles) {
    std::string line = "unique_id,ds,cutoff,mean";
    for (const double level : options.levels) line += fmt::format(",q{:g}", level);
    return line + "\n";
  }
  std::string line = "unique_id,ds,cutoff,y,mean";
  if (!options.levels.empty()) line += ",median";
  for (const LevelPair& pair : LevelPairs(options.levels)) line += fmt::format(",lo-{0:g},hi-{0:g}", pair.percent);
  return line + "\n";
}

CalendarStep Run::StepAt(size_t t) const {
  CalendarStep step;
  step.index = static_cast<int64_t>(t);
  const size_t last = table_.buckets() - 1;
  step.start = EventTime::FromSeconds(table_.seconds[std::min(t, last)]);
  step.end = step.start + std::chrono::seconds(1);
  for (size_t k = 0; k < table_.season_lengths.size(); ++k) {
    // Past the file's end the season simply goes on; those horizons are never written.
    const int season = table_.season_lengths[k];
    const int32_t phase =
        t <= last ? table_.phases[t][k]
                  : static_cast<int32_t>((table_.phases[last][k] + static_cast<int64_t>(t - last)) % season);
    step.season_phase.push_back(phase);
    const double angle = 2 * std::numbers::pi * phase / season;
    step.features.push_back(static_cast<float>(std::sin(angle)));
    step.features.push_back(static_cast<float>(std::cos(angle)));
  }
  return step;
}

Status Run::Start() {
  ForecasterOptions options = options_.forecaster;
  options.domain = target_.pool();
  options.at_least_zero = target_.as_reals;
  TC_ASSIGN_OR_RETURN(forecaster_, MakeForecaster(options));
  states_.assign(table_.names.size(), {});
  return Status::Ok();
}

Status Run::Rounds() {
  TC_RETURN_IF_ERROR(Start());
  for (size_t t = 0; t <= table_.last_actual; ++t) {
    if (!options_.domain) TC_RETURN_IF_ERROR(Widen(t));
    TC_RETURN_IF_ERROR(Bucket(t, true));
  }
  return Status::Ok();
}

Status Run::Widen(size_t t) {
  const ValueDomain needed = InferDomain(table_, t, t + 1);
  if (needed <= target_.domain) return Status::Ok();
  const bool same_forecaster = target_.as_reals && needed != ValueDomain::kReal;
  target_ = {needed, same_forecaster};
  card_.set_domain(needed);
  if (same_forecaster) return Status::Ok();
  TC_RETURN_IF_ERROR(Start());
  for (size_t before = 0; before < t; ++before) TC_RETURN_IF_ERROR(Bucket(before, false));
  return Status::Ok();
}

Status Run::Bucket(size_t t, bool write) {
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
    if (!table_.categories.empty() && !table_.categories[s].empty()) {
      rows[i].category_hash = Hash64(table_.categories[s]);
    }
    rows[i].known = std::span<const float>(known).subspan(i * known_row, known_row);
    states[i] = std::move(states_[s]);
  }
  const auto block_of = [&](auto& all, size_t block) {
    return std::span(all).subspan(block * width, std::min(width, all.size() - block * width));
  };
  const double before = CpuSeconds();
  forecaster_->BeginRound(context, blocks);
  std::vector<BucketScore> scores(alive.size());
  executor_->ParallelFor(blocks, [&](size_t b) {
    forecaster_->ScoreAndLearnBlock(b, block_of(rows, b), block_of(states, b), block_of(scores, b), {});
  });
  TC_RETURN_IF_ERROR(forecaster_->LearnShared());
  std::vector<ForecastBlock> forecasts(blocks);
  executor_->ParallelFor(blocks, [&](size_t b) {
    const size_t count = block_of(rows, b).size();
    forecasts[b].mean.resize(count * horizon_);
    forecasts[b].quantiles.resize(count * horizon_ * kLevelCount);
    forecasts[b].zero_probability.resize(count * horizon_);
    forecasts[b].age_buckets.resize(count);
    forecaster_->ForecastBlock(b, block_of(rows, b), block_of(states, b), forecasts[b]);
  });
  cpu_seconds_ += CpuSeconds() - before;
  series_buckets_ += alive.size();
  for (size_t i = 0; i < alive.size(); ++i) states_[alive[i]] = std::move(states[i]);
  return write && IsOrigin(t) ? WriteOrigin(t, alive, forecasts) : Status::Ok();
}

void Run::AppendRow(size_t series, size_t cutoff, size_t step, std::string_view name, float mean,
                    float zero_probability, std::span<const float> quantiles, fmt::memory_buffer* text) const {
  const PredictiveDistribution law(target_.pool(), mean, zero_probability, quantiles);
  const auto quantile_at = [&](double level) {
    const float quantile = QuantileAt(level, law);
    return target_.as_reals ? std::max(quantile, 0.0F) : quantile;
  };
  const auto to = std::back_inserter(*text);
  fmt::format_to(to, "{},{},{}", name, table_.labels[cutoff + step], table_.labels[cutoff]);
  if (options_.format == ForecastFormat::kQuantiles) {
    fmt::format_to(to, ",{}", mean);
    for (const double level : options_.levels) fmt::format_to(to, ",{}", quantile_at(level));
  } else {
    const float actual = table_.Actual(series, cutoff + step);
    text->push_back(',');
    if (std::isfinite(actual)) fmt::format_to(to, "{}", actual);
    fmt::format_to(to, ",{}", mean);
    if (!options_.levels.empty()) fmt::format_to(to, ",{}", quantiles[kMedian]);
    for (const LevelPair& pair : LevelPairs(options_.levels)) {
      fmt::format_to(to, ",{},{}", quantile_at(pair.lower), quantile_at(pair.upper));
    }
  }
  text->push_back('\n');
}

Status Run::WriteOrigin(size_t t, std::span<const size_t> alive, std::span<const ForecastBlock> blocks) {
  const size_t width = options_.forecaster.block_series;
  const bool keep = IsLastWhole(t);
  if (keep)
    last_ = {t, std::vector<std::vector<float>>(table_.names.size()),
             std::vector<std::vector<float>>(table_.names.size())};
  fmt::memory_buffer text;
  std::string name;
  card_.BeginOrigin();
  for (size_t i = 0; i < alive.size(); ++i) {
    name.clear();
    AppendCsv(table_.names[alive[i]], &name);
    const ForecastBlock& block = blocks[i / width];
    const size_t row = i % width;
    const std::span<const float> mean = std::span(block.mean).subspan(row * horizon_, horizon_);
    const std::span<const float> quantiles =
        std::span(block.quantiles).subspan(row * horizon_ * kLevelCount, horizon_ * kLevelCount);
    for (size_t h = 0; h < horizon_ && t + 1 + h < table_.buckets(); ++h) {
      const std::span<const float> q = quantiles.subspan(h * kLevelCount, kLevelCount);
      if (out_ != nullptr)
        AppendRow(alive[i], t, 1 + h, name, mean[h], block.zero_probability[row * horizon_ + h], q, &text);
      card_.Add(alive[i], t, 1 + h, mean[h], q);
      ++written_;
    }
    if (keep) {
      last_.mean[alive[i]].assign(mean.begin(), mean.end());
      last_.quantiles[alive[i]].assign(quantiles.begin(), quantiles.end());
    }
  }
  ++origins_;
  if (out_ == nullptr) return Status::Ok();
  out_->Write({text.data(), text.size()});
  return out_->status();
}

BacktestSummary Run::Summary() const {
  BacktestSummary summary;
  summary.series = table_.names.size();
  summary.buckets = table_.buckets();
  summary.origins = origins_;
  summary.forecasts = written_;
  summary.seconds_models = cpu_seconds_;
  summary.series_buckets_per_second = cpu_seconds_ > 0 ? static_cast<double>(series_buckets_) / cpu_seconds_ : 0;
  summary.stats = forecaster_->Stats();
  return summary;
}

/// The series that sell most, one of each demand class first.
std::vector<FanChart> FansOf(const SeriesTable& table, const ScoreConstants& constants,
                             const Run::LastForecasts& last) {
  std::vector<std::pair<double, size_t>> by_volume;
  for (size_t s = 0; s < last.mean.size(); ++s) {
    if (last.mean[s].empty()) continue;
    double volume = 0;
    for (size_t t = table.first_row[s]; t <= table.last_actual; ++t) {
      const float y = table.Actual(s, t);
      if (std::isfinite(y)) volume += std::fabs(y);
    }
    by_volume.emplace_back(-volume, s);
  }
  std::sort(by_volume.begin(), by_volume.end());
  std::vector<size_t> chosen;
  std::array<bool, kDemandClassNames.size()> seen{};
  for (const bool first_of_class : {true, false}) {
    for (const auto& [volume, s] : by_volume) {
      bool& known = seen[constants.demand_class[s]];
      if (chosen.size() >= kFans || (first_of_class && known) ||
          std::find(chosen.begin(), chosen.end(), s) != chosen.end())
        continue;
      known = true;
      chosen.push_back(s);
    }
  }
  std::vector<FanChart> fans;
  for (const size_t s : chosen) {
    FanChart fan;
    fan.series = table.names[s];
    fan.demand_class = kDemandClassNames[constants.demand_class[s]];
    const size_t history =
        std::min(last.cutoff + 1, std::clamp(5 * last.mean[s].size(), kFanHistoryMin, kFanHistoryMax));
    const size_t from = std::max(table.first_row[s], last.cutoff + 1 - history);
    for (size_t t = from; t < last.cutoff + 1 + last.mean[s].size(); ++t) {
      fan.labels.push_back(table.labels[t]);
      fan.actual.push_back(table.Actual(s, t));
    }
    fan.forecast_from = last.cutoff + 1 - from;
    fan.mean = last.mean[s];
    fan.quantiles = last.quantiles[s];
    fans.push_back(std::move(fan));
  }
  return fans;
}

/// Each expert alone, best first. What a single one says is calibrated as the mixture is. All know from their first
/// bucket on the target that the model's run ended in.
Result<std::vector<BaselineReport>> Compare(const BacktestOptions& options, const SeriesTable& table,
                                            const ScoreConstants& constants, const Target& target,
                                            std::span<const double> losses) {
  std::vector<BaselineReport> baselines;
  for (const auto& expert :
       MakeExperts({target.pool(), table.season_lengths}, options.forecaster.experts)) {
    BacktestOptions alone = options;
    alone.forecaster.experts = {std::string(expert->name())};
    alone.forecaster.net = NetKind::kNone;
    Run run(alone, table, constants, target, nullptr);
    TC_RETURN_IF_ERROR(run.Rounds());
    BaselineReport report;
    report.expert = expert->name();
    report.table = run.card().Table();
    report.seconds_models = run.Summary().seconds_models;
    report.against = CompareLosses(losses, run.card().origin_losses(), static_cast<size_t>(options.horizon));
    baselines.push_back(std::move(report));
  }
  const auto by_loss = [](const BaselineReport& a, const BaselineReport& b) {
    return a.table.all.wql < b.table.all.wql;
  };
  std::stable_sort(baselines.begin(), baselines.end(), by_loss);
  const std::string naive = fmt::format("seasonal_naive_{}", constants.season);
  const auto mark = [&](auto&& is, bool BaselineReport::*flag) {
    const auto found = std::find_if(baselines.begin(), baselines.end(), is);
    if (found != baselines.end()) (*found).*flag = true;
    return found != baselines.end();
  };
  mark([](const BaselineReport&) { return true; }, &BaselineReport::best);
  if (!mark([&](const BaselineReport& b) { return b.expert == naive; }, &BaselineReport::seasonal_naive)) {
    mark([](const BaselineReport& b) { return b.expert == "persistence"; }, &BaselineReport::seasonal_naive);
  }
  mark([](const BaselineReport& b) { return b.expert.starts_with("smoothing"); }, &BaselineReport::smoothing);
  return baselines;
}

std::vector<SeedSpread> SpreadOf(const std::vector<ScoreTable>& tables) {
  std::vector<SeedSpread> spreads;
  const auto add = [&](const char* figure, auto&& of) {
    std::vector<double> values;
    for (const ScoreTable& table : tables) values.push_back(of(table.all));
    std::sort(values.begin(), values.end());
    const size_t n = values.size();
    spreads.push_back({figure, (values[(n - 1) / 2] + values[n / 2]) / 2, values.front(), values.back()});
  };
  add("wql", [](const ScoreFigures& f) { return f.wql; });
  add("wape", [](const ScoreFigures& f) { return f.wape; });
  add("rmsse", [](const ScoreFigures& f) { return f.rmsse; });
  add("mase", [](const ScoreFigures& f) { return f.mase; });
  add("bias", [](const ScoreFigures& f) { return f.bias; });
  add("cover80", [](const ScoreFigures& f) { return f.cover[1]; });
  return spreads;
}

}  // namespace

Result<BacktestReport> RunBacktest(const BacktestOptions& options) {
  if (options.horizon < 1 || options.warmup < 1 || options.every < 1 || options.seeds < 1) {
    return Status(Code::kUsage, "horizon, warm-up, every and seeds must be 1 or more", Domain::kInput);
  }
  for (const double level : options.levels) {
    if (!(level > 0 && level < 1))
      return Status(Code::kUsage, fmt::format("a level must lie between 0 and 1: {}", level), Domain::kInput);
  }
  TC_ASSIGN_OR_RETURN(const SeriesTable table, SeriesTable::Read(options));
  if (static_cast<size_t>(options.warmup) > table.last_actual + 1) {
    return Status(
        Code::kData,
        fmt::format("the warm-up is longer than the file: {} of {} buckets", options.warmup, table.last_actual + 1),
        Domain::kInput);
  }
  const size_t needed = static_cast<size_t>(options.full_windows ? options.horizon : 1);
  if (static_cast<size_t>(options.warmup) + needed > table.buckets()) {
    return Status(
               Code::kData,
               fmt::format(
                   "no forecast fits between the warm-up and the end: a warm-up of {} and {} {} ahead, of {} buckets",
                   options.warmup, needed, needed == 1 ? "step" : "steps", table.buckets()),
               Domain::kInput)
        .WithRemedy(options.full_windows ? "a shorter --warmup or --horizon, or no --full-windows"
                                         : "a shorter --warmup, or --until a later ds");
  }
  const ScoreConstants constants = ScoreConstants::Of(table);
  BacktestOptions own = options;
  BacktestReport report;
  const size_t warmup = static_cast<size_t>(options.warmup);
  Target first{options.domain.value_or(InferDomain(table, 0, warmup))};
  first.as_reals = !options.domain && AreForecastAsReals(table, first.domain, options.horizon, 0, warmup);
  report.horizon = options.horizon;
  report.season_lengths = table.season_lengths;
  report.mase_season = constants.season;
  own.forecaster.horizon = options.horizon;
  own.forecaster.season_lengths = table.season_lengths;
  own.forecaster.known_covariates = table.known_width;
  own.forecaster.past_covariates = table.past_width;
  own.forecaster.calendar_features = 2 * table.season_lengths.size();
  TC_RETURN_IF_ERROR(MakeOutputDirectory(options.out_directory));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<TextFile> forecasts,
                      TextFile::Create(options.out_directory + "/forecasts.csv", false));
  forecasts->Write(HeaderOf(options));
  TC_RETURN_IF_ERROR(forecasts->status());

  std::vector<ScoreTable> tables;
  std::vector<double> losses;
  Target target;
  for (int seed = 0; seed < options.seeds; ++seed) {
    own.forecaster.seed = options.forecaster.seed + static_cast<uint64_t>(seed);
    Run run(own, table, constants, first, seed == 0 ? forecasts.get() : nullptr);
    TC_RETURN_IF_ERROR(run.Rounds());
    target = run.target();
    report.domain = target.domain;
    report.pool = target.pool();
    tables.push_back(run.card().Table());
    if (seed > 0) continue;
    TC_RETURN_IF_ERROR(forecasts->Close());
    report.summary = run.Summary();
    report.table = tables[0];
    report.fans = FansOf(table, constants, run.last());
    losses.assign(run.card().origin_losses().begin(), run.card().origin_losses().end());
  }
  if (options.seeds > 1) report.seeds = SpreadOf(tables);
  own.forecaster.seed = options.forecaster.seed;
  if (options.compare) {
    TC_ASSIGN_OR_RETURN(report.baselines, Compare(own, table, constants, target, losses));
  }
  TC_RETURN_IF_ERROR(WriteMetrics(report, options.out_directory + "/metrics.json"));
  return report;
}

}  // namespace tidecast
