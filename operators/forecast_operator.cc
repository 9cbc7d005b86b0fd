// A round, in four steps that never change their order:
//   1. score    every stored forecast whose bucket has now closed            (RunBlock, phase kScore)
//   2. alert    on the closed bucket, against the forecast made before it, and explain that forecast from the state
//               that made it                                                 (RunBlock, phase kScore)
//   3. learn    each series's own state, then once the shared part           (RunBlock, then LearnShared)
//   4. forecast the next horizon with what was learned                       (RunBlock, phase kForecast)
#include "operators/forecast_operator.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/hash.h"
#include "operators/mean_reconciler.h"
#include "operators/series_trend.h"
#include "state/key_codec.h"
#include "state/task_keyspace.h"

namespace tidecast {
namespace {

constexpr uint8_t kCursorVersion = 3;  // reads 2 too: without trends
std::string CursorKey(uint16_t view) { return KeyWriter().U8(0xF3).U16(view).Take(); }

std::string_view NameOf(ValueDomain domain) {
  return domain == ValueDomain::kCount ? "count" : domain == ValueDomain::kNonNegative ? "nonneg" : "real";
}

/// The narrowest domain that holds the values of a round.
ValueDomain DomainOf(std::span<const ModelRow> rows) {
  ValueDomain domain = ValueDomain::kCount;
  for (const ModelRow& row : rows) {
    if (row.retired || !std::isfinite(row.target)) continue;
    if (row.target < 0) return ValueDomain::kReal;
    if (row.target != std::floor(row.target)) domain = ValueDomain::kNonNegative;
  }
  return domain;
}

/// What is dormant or over is as expected: an alert that still fires ends.
BucketScore AsExpected(std::string_view series) {
  BucketScore score;
  score.series = series;
  score.has_forecast = true;
  score.tail_low = score.tail_high = .5F;
  return score;
}

}  // namespace

ForecastOperator::ForecastOperator(Stage stage, uint16_t view, const ForecasterOptions& options, const Life& life,
                                   MakeFn make, AlertOperator alerts, const StateStore& store, size_t cache_bytes_max)
    : view_(view),
      options_(options),
      life_(life),
      first_domain_(options.domain),
      first_prefix_(options.state_prefix),
      make_(std::move(make)),
      store_(store),
      alerts_(std::move(alerts)),
      cache_(store, stage, view, cache_bytes_max) {}

Result<std::unique_ptr<ForecastOperator>> ForecastOperator::Make(Stage stage, uint16_t view,
                                                                 const ForecasterOptions& options, const Life& life,
                                                                 MakeFn make, AlertOperator alerts,
                                                                 const StateStore& store, size_t cache_bytes_max) {
  std::unique_ptr<ForecastOperator> made(
      new ForecastOperator(stage, view, options, life, std::move(make), std::move(alerts), store, cache_bytes_max));
  TC_RETURN_IF_ERROR(made->TakeDomain(options.domain));
  return made;
}

Status ForecastOperator::TakeDomain(ValueDomain domain) {
  options_.domain = domain;
  options_.state_prefix = domain == first_domain_ ? first_prefix_ : fmt::format("{}{}/", first_prefix_, NameOf(domain));
  TC_ASSIGN_OR_RETURN(forecaster_, make_(options_));
  return Status::Ok();
}

void ForecastOperator::Arrange(BucketContext context, std::vector<ModelRow> rows) {
  context_ = std::move(context);
  rows_ = std::move(rows);
  std::sort(rows_.begin(), rows_.end(), [](const ModelRow& a, const ModelRow& b) { return a.series < b.series; });
}

Status ForecastOperator::BeginRound(BucketContext context, std::vector<ModelRow> rows) {
  TC_CHECK(!in_round());
  if (const ValueDomain needed = DomainOf(rows); life_.infers_domain && needed > options_.domain) {
    note_ = fmt::format("the target's values are {}, no longer {}: the model begins anew", NameOf(needed),
                        NameOf(options_.domain));
    TC_RETURN_IF_ERROR(TakeDomain(needed));
    // What was cut before this round, or is in flight, may still write rows of the old one.
    sweeps_ = 3;
  }
  Arrange(std::move(context), std::move(rows));
  phase_ = Phase::kScore;
  next_block_ = 0;
  cursor_dirty_ = true;
  forecaster_->BeginRound(context_, block_count());
  return Status::Ok();
}

void ForecastOperator::ResumeRound(BucketContext context, std::vector<ModelRow> rows) {
  TC_CHECK(has_stored_round());
  Arrange(std::move(context), std::move(rows));
  phase_ = static_cast<Phase>(stored_phase_);
  next_block_ = stored_block_;
  TC_CHECK_LE(next_block_, block_count(), "a stored round has fewer rows than its cursor");
  forecaster_->ResumeRound(context_, block_count());
  stored_phase_ = 0;
}

void ForecastOperator::ScoreBlock(size_t block, std::span<const ModelRow> rows, std::span<const SeriesRow> series,
                                  Entries& entries, RoundBlockOutput& out) const {
  std::vector<size_t> awake;
  for (size_t i = 0; i < rows.size(); ++i) {
    SeriesStateCache::Entry& entry = entries[i];
    out.scores.push_back(AsExpected(out.series[i]));
    if (rows[i].retired) continue;
    const bool is_zero = rows[i].target == 0;
    const bool was_dormant = IsDormant(entry);
    const bool wakes = was_dormant && !is_zero && std::isfinite(rows[i].target);
    if (was_dormant) {
      out.dormant.Add({1, wakes ? 1.0 : 0.0, wakes ? std::fabs(static_cast<double>(rows[i].target)) : 0.0});
    }
    if (!was_dormant || wakes) awake.push_back(i);
    if (is_zero) {
      ++entry.zero_run;
    } else if (std::isfinite(rows[i].target)) {
      entry.zero_run = 0;
      entry.dormant_mean = -1;
    }
  }
  std::vector<SeriesRow> awake_rows;
  std::vector<std::string> states;
  std::vector<BucketScore> scores(awake.size());
  for (const size_t i : awake) {
    awake_rows.push_back(series[i]);
    states.push_back(std::move(entries[i].forecaster));
  }
  forecaster_->ScoreAndLearnBlock(block, awake_rows, states, scores, [&](const ExplainRow& explain) {
    for (size_t k = 0; k < awake.size(); ++k) {
      out.scores[awake[k]] = scores[k];
      out.scores[awake[k]].series = out.series[awake[k]];
    }
    AlertOnBlock(awake, explain, entries, out);
  });
  for (size_t k = 0; k < awake.size(); ++k) entries[awake[k]].forecaster = std::move(states[k]);
}

void ForecastOperator::AlertOnBlock(std::span<const size_t> awake, const ExplainRow& explain, Entries& entries,
                                    RoundBlockOutput& out) const {
  std::vector<uint32_t> ages(entries.size());
  std::vector<std::string> alert_states(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    ages[i] = ++entries[i].age_buckets;
    alert_states[i] = std::move(entries[i].alert);
  }
  alerts_.OnScores(context_.now.start, context_.now.end, out.scores, ages, alert_states, &out.alerts);
  for (size_t i = 0; i < entries.size(); ++i) entries[i].alert = std::move(alert_states[i]);
  size_t row = 0;  // alerts are in the order of the rows
  for (Alert& alert : out.alerts) {
    while (out.series[row] != alert.series) ++row;
    const auto at = std::lower_bound(awake.begin(), awake.end(), row);
    if (at != awake.end() && *at == row) {
      alert.explanation = explain(static_cast<size_t>(at - awake.begin()));
    } else {  // of a dormant or retired series nothing is expected, and no expert is asked
      alert.explanation.mean = alert.explanation.level = static_cast<float>(alert.expected);
    }
  }
}

void ForecastOperator::ForecastBlockOf(size_t block, std::span<const ModelRow> rows, std::span<const SeriesRow> series,
                                       Entries& entries, RoundBlockOutput& out) const {
  const size_t horizon = static_cast<size_t>(options_.horizon);
  const size_t width = horizon * kLevelCount;
  const auto sized = [horizon, width](size_t count) {
    ForecastBlock forecasts;
    forecasts.mean.resize(count * horizon);
    forecasts.quantiles.resize(count * width);
    forecasts.zero_probability.resize(count * horizon);
    forecasts.age_buckets.resize(count);
    return forecasts;
  };
  std::vector<size_t> awake;
  std::vector<SeriesRow> awake_rows;
  std::vector<std::string> states;
  out.publish.assign(rows.size(), Publish::kForecast);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].retired) {
      out.publish[i] = Publish::kTombstone;
      entries[i] = {};
      entries[i].gone = true;
    } else if (!IsDormant(entries[i])) {
      awake.push_back(i);
      awake_rows.push_back(series[i]);
      states.push_back(std::move(entries[i].forecaster));
    }
  }
  ForecastBlock forecasts = sized(awake.size());
  if (!awake.empty()) forecaster_->ForecastBlock(block, awake_rows, states, forecasts);
  for (size_t k = 0; k < awake.size(); ++k) entries[awake[k]].forecaster = std::move(states[k]);
  if (awake.size() == rows.size()) {
    out.forecasts = std::move(forecasts);
  } else {
    out.forecasts = sized(rows.size());
    for (size_t k = 0; k < awake.size(); ++k) {
      const auto move = [&](const std::vector<float>& from, std::vector<float>& to, size_t n) {
        std::copy_n(from.begin() + static_cast<ptrdiff_t>(k * n), n, to.begin() + static_cast<ptrdiff_t>(awake[k] * n));
      };
      move(forecasts.mean, out.forecasts.mean, horizon);
      move(forecasts.quantiles, out.forecasts.quantiles, width);
      move(forecasts.zero_probability, out.forecasts.zero_probability, horizon);
    }
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    out.forecasts.age_buckets[i] = entries[i].age_buckets;
    if (rows[i].retired || !IsDormant(entries[i])) continue;
    const auto mean = static_cast<float>(prior_.Mean());
    if (entries[i].dormant_mean >= 0 && std::fabs(mean - entries[i].dormant_mean) <= .1F * entries[i].dormant_mean) {
      out.publish[i] = Publish::kNothing;
      std::fill_n(out.forecasts.mean.begin() + static_cast<ptrdiff_t>(i * horizon), horizon, entries[i].dormant_mean);
      continue;
    }
    entries[i].dormant_mean = mean;
    prior_.Fill(std::span(out.forecasts.mean).subspan(i * horizon, horizon),
                std::span(out.forecasts.quantiles).subspan(i * width, width),
                std::span(out.forecasts.zero_probability).subspan(i * horizon, horizon));
  }
}

Status ForecastOperator::ScoreTrends(std::span<const ModelRow> rows, Entries& entries, RoundBlockOutput& out) const {
  for (size_t i = 0; i < rows.size(); ++i) {
    // Nothing is kept of the zeros of a dormant series; the one that wakes it had them before.
    const bool was_dormant = IsDormant(entries[i]);
    if (rows[i].retired || (was_dormant && rows[i].target == 0)) continue;
    TC_ASSIGN_OR_RETURN(SeriesTrend trend, SeriesTrend::Decode(entries[i].trend, options_.horizon));
    const float between = was_dormant ? 0 : std::numeric_limits<float>::quiet_NaN();
    if (const auto matured = trend.OnActual(context_.now.index, rows[i].target, between))
      trends_.Gather(*matured, &out.trend_sums);
    entries[i].trend = trend.Encode();
  }
  return Status::Ok();
}

Status ForecastOperator::MakeTrends(std::span<const ModelRow> rows, std::span<const SeriesRow> series, Entries& entries,
                                    RoundBlockOutput& out) const {
  const size_t horizon = static_cast<size_t>(options_.horizon);
  out.trends.resize(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].retired || IsDormant(entries[i])) continue;
    TC_ASSIGN_OR_RETURN(SeriesTrend trend, SeriesTrend::Decode(entries[i].trend, options_.horizon));
    const SumMoments moments =
        SumOf(std::span(out.forecasts.mean).subspan(i * horizon, horizon),
              std::span(out.forecasts.quantiles).subspan(i * horizon * kLevelCount, horizon * kLevelCount),
              std::span(out.forecasts.zero_probability).subspan(i * horizon, horizon));
    const std::optional<Trend> next = trend.Next(options_.domain, moments, trends_, series[i].key_hash);
    if (!next) continue;
    out.trends[i] = {*next, true, trend.IsNews(*next)};
    entries[i].trend = trend.Encode();
  }
  return Status::Ok();
}

Status ForecastOperator::ScoreMeans(std::span<const ModelRow> rows, Entries& entries) const {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].retired || entries[i].reconciler.empty()) continue;
    TC_ASSIGN_OR_RETURN(MeanReconciler reconciler,
                        MeanReconciler::Decode(entries[i].reconciler, static_cast<size_t>(options_.horizon)));
    reconciler.OnActual(context_.now.index, rows[i].target);
    entries[i].reconciler = reconciler.Encode();
  }
  return Status::Ok();
}

Status ForecastOperator::ReconcileMeans(std::span<const ModelRow> rows, Entries& entries, RoundBlockOutput& out) const {
  const size_t horizon = static_cast<size_t>(options_.horizon);
  out.mean_bottom_up.assign(rows.size() * horizon, std::numeric_limits<float>::quiet_NaN());
  out.mean_reconciled = out.forecasts.mean;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].retired || rows[i].bottom_up.size() != horizon) continue;
    std::copy(rows[i].bottom_up.begin(), rows[i].bottom_up.end(),
              out.mean_bottom_up.begin() + static_cast<ptrdiff_t>(i * horizon));
    TC_ASSIGN_OR_RETURN(MeanReconciler reconciler, MeanReconciler::Decode(entries[i].reconciler, horizon));
    reconciler.Forecast(context_.now.index, std::span(out.forecasts.mean).subspan(i * horizon, horizon),
                        rows[i].bottom_up, std::span(out.mean_reconciled).subspan(i * horizon, horizon));
    entries[i].reconciler = reconciler.Encode();
  }
  return Status::Ok();
}

SeriesForecast RoundBlockOutput::ForecastOf(size_t i) const {
  const size_t horizon = forecasts.mean.size() / series.size();
  return {series[i], std::span(forecasts.mean).subspan(i * horizon, horizon),
          std::span(forecasts.quantiles).subspan(i * horizon * kLevelCount, horizon * kLevelCount),
          std::span(forecasts.zero_probability).subspan(i * horizon, horizon), forecasts.age_buckets[i]};
}

RollupMeans RoundBlockOutput::MeansOf(size_t i) const {
  if (mean_bottom_up.empty()) return {};
  const size_t horizon = forecasts.mean.size() / series.size();
  return {std::span(mean_bottom_up).subspan(i * horizon, horizon),
          std::span(mean_reconciled).subspan(i * horizon, horizon)};
}

Status ForecastOperator::RunBlock(size_t block, const EncodeBlock& encode, RoundBlockOutput& out,
                                  Entries& entries) const {
  const size_t begin = block * options_.block_series;
  const std::span rows = std::span(rows_).subspan(begin, std::min(options_.block_series, rows_.size() - begin));
  std::vector<SeriesRow> series;
  out.rows = rows;
  out.series.reserve(rows.size());
  TC_RETURN_IF_ERROR(cache_.Load(rows, &entries));
  for (size_t i = 0; i < rows.size(); ++i) {
    const ModelRow& row = rows[i];
    TC_CHECK(row.retired || row.known.size() == (1 + static_cast<size_t>(options_.horizon)) * options_.known_covariates,
             "known covariates of a row");
    out.series.push_back(row.series);
    series.push_back({row.series, Hash64(row.series), row.target, row.past, row.known,
                      row.category.empty() ? 0 : Hash64(row.category)});
    if (entries[i].domain != options_.domain) entries[i].forecaster.clear();
    entries[i].domain = options_.domain;
  }
  if (phase_ == Phase::kScore) {
    TC_RETURN_IF_ERROR(ScoreTrends(rows, entries, out));
    if (life_.reconciles) TC_RETURN_IF_ERROR(ScoreMeans(rows, entries));
    ScoreBlock(block, rows, series, entries, out);
  } else {
    ForecastBlockOf(block, rows, series, entries, out);
    TC_RETURN_IF_ERROR(MakeTrends(rows, series, entries, out));
    if (life_.reconciles) TC_RETURN_IF_ERROR(ReconcileMeans(rows, entries, out));
  }
  for (size_t i = 0; i < rows.size(); ++i) entries[i].partition = rows[i].partition;
  encode(context_, out);
  return Status::Ok();
}

Result<bool> ForecastOperator::Step(Executor& executor, size_t bytes_max, const EncodeBlock& encode,
                                    const TakeBlock& take) {
  TC_CHECK(in_round());
  TC_RETURN_IF_ERROR(forecaster_->Ready());
  const size_t blocks = block_count();
  // A constant number of blocks side by side: the result does not depend on it, the memory does.
  const size_t side_by_side = std::max<size_t>(4, executor.threads() * 2);
  size_t bytes = 0;
  while (next_block_ < blocks && bytes < bytes_max) {
    const size_t batch = std::min(side_by_side, blocks - next_block_);
    std::vector<RoundBlockOutput> outputs(batch);
    std::vector<std::vector<SeriesStateCache::Entry>> entries(batch);
    std::vector<Status> statuses(batch);
    executor.ParallelFor(batch,
                         [&](size_t i) { statuses[i] = RunBlock(next_block_ + i, encode, outputs[i], entries[i]); });
    for (size_t i = 0; i < batch; ++i) {
      TC_RETURN_IF_ERROR(std::move(statuses[i]));
      const size_t begin = (next_block_ + i) * options_.block_series;
      for (size_t s = 0; s < entries[i].size(); ++s) {
        bytes += entries[i][s].forecaster.size() + 64;
        cache_.Store(rows_[begin + s].series, std::move(entries[i][s]));
      }
      for (const OutputRecord& record : outputs[i].records) bytes += record.Bytes();
      prior_.Add(outputs[i].dormant);
      trend_sums_.Add(outputs[i].trend_sums);
      take(context_, std::move(outputs[i]));
    }
    next_block_ += batch;
    cursor_dirty_ = true;
  }
  if (next_block_ < blocks) return false;
  if (phase_ == Phase::kScore) {
    TC_RETURN_IF_ERROR(forecaster_->LearnShared());
    trends_.Fold(std::exchange(trend_sums_, {}));
    phase_ = Phase::kForecast;
    next_block_ = 0;
    cursor_dirty_ = true;
    return false;
  }
  phase_ = Phase::kIdle;
  if (on_round_done_) on_round_done_(context_.now.start, rows_);
  rows_.clear();
  rows_.shrink_to_fit();
  ++rounds_;
  cursor_dirty_ = true;
  return true;
}

void ForecastOperator::Save(Epoch epoch, DeltaSink& model, StateBatch& tasks) {
  cache_.Save(epoch, tasks);
  if (sweeps_ > 0) {
    --sweeps_;
    SweepShared(model);
  }
  forecaster_->SaveShared(epoch, model);
  if (!cursor_dirty_) return;
  ByteWriter value;
  value.U8(kCursorVersion)
      .U8(static_cast<uint8_t>(phase_))
      .U64(next_block_)
      .U64(rows_.size())
      .Time(context_.now.start)
      .I64(rounds_);
  value.U8(static_cast<uint8_t>(options_.domain)).F64(prior_.buckets).F64(prior_.wakes).F64(prior_.units);
  trends_.Encode(&value);
  trend_sums_.Encode(&value);
  model.Put(Family::kMeta, CursorKey(view_), value.view());
  cursor_dirty_ = false;
}

void ForecastOperator::OnCommitted(Epoch epoch) {
  cache_.OnCommitted(epoch);
  forecaster_->OnCommitted(epoch);
}

// Rows that a narrower domain's forecaster has left.
void ForecastOperator::SweepShared(DeltaSink& model) const {
  if (options_.domain == first_domain_) return;
  const TaskStateReader reader(store_, {Stage::kModel, view_});
  const Status status =
      reader.Scan(Family::kModels, first_prefix_, first_prefix_, [&](std::string_view key, std::string_view) {
        if (!key.starts_with(options_.state_prefix)) model.Delete(Family::kModels, key);
        return true;
      });
  status.IgnoreWithReason("rows that nobody reads stay a while longer");
}

Status ForecastOperator::Reload(const StateReader& model) {
  cache_.Forget();
  phase_ = Phase::kIdle;
  next_block_ = 0;
  rows_.clear();
  cursor_dirty_ = false;
  stored_phase_ = 0;
  stored_block_ = 0;
  rounds_ = 0;
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, model.Get(Family::kMeta, CursorKey(view_), &value));
  prior_ = {};
  trends_ = {};
  trend_sums_ = {};
  ValueDomain domain = first_domain_;
  if (found) {
    ByteReader reader(value);
    const uint8_t version = reader.U8();
    if (version != kCursorVersion && version != 2) {
      return Status(Code::kVersion,
                    fmt::format("the round cursor has format {}, this build reads {}", version, kCursorVersion));
    }
    stored_phase_ = reader.U8();
    stored_block_ = reader.U64();
    stored_rows_ = reader.U64();
    stored_start_ = reader.Time();
    rounds_ = reader.I64();
    domain = static_cast<ValueDomain>(reader.U8());
    prior_.buckets = reader.F64();
    prior_.wakes = reader.F64();
    prior_.units = reader.F64();
    if (version > 2) {
      trends_.Decode(&reader);
      trend_sums_.Decode(&reader);
    }
    TC_RETURN_IF_ERROR(reader.Finish("round cursor"));
  }
  if (domain != options_.domain) TC_RETURN_IF_ERROR(TakeDomain(domain));
  sweeps_ = 1;
  return forecaster_->ReloadShared(model);
}

Result<std::vector<Explanation>> ForecastOperator::Explain(const BucketContext& context, const std::string& series,
                                                           std::span<const uint16_t> partitions) const {
  TC_CHECK(!in_round() && !has_stored_round());
  std::vector<SeriesStateCache::Entry> entries;
  ModelRow row;
  row.series = series;
  for (const uint16_t partition : partitions) {
    row.partition = partition;
    TC_RETURN_IF_ERROR(cache_.Load({&row, 1}, &entries));
    const SeriesStateCache::Entry& entry = entries[0];
    if (entry.forecaster.empty()) continue;
    if (entry.domain != options_.domain || IsDormant(entry)) break;
    return forecaster_->Explain(context, entry.forecaster);
  }
  return std::vector<Explanation>{};
}

size_t ForecastOperator::memory_bytes() const {
  size_t bytes = cache_.bytes();
  for (const ModelRow& row : rows_)
    bytes += sizeof(ModelRow) + row.series.size() + (row.past.size() + row.known.size()) * sizeof(float);
  return bytes;
}

}  // namespace tidecast
