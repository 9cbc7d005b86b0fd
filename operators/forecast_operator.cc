// A round, in four steps that never change their order:
//   1. score    every stored forecast whose bucket has now closed            (RunBlock, phase kScore)
//   2. alert    on the closed bucket, against the forecast made before it    (RunBlock, phase kScore)
//   3. learn    each series's own state, then once the shared part           (RunBlock, then LearnShared)
//   4. forecast the next horizon with what was learned                       (RunBlock, phase kForecast)
#include "operators/forecast_operator.h"

#include <algorithm>
#include <cmath>

#include "engine/core/hash.h"
#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kCursorVersion = 1;
std::string CursorKey(uint16_t view) { return KeyWriter().U8(0xF3).U16(view).Take(); }

}  // namespace

ForecastOperator::ForecastOperator(uint16_t view, const ForecasterOptions& options, std::unique_ptr<Forecaster> forecaster,
                                   AlertOperator alerts, const StateStore& store, size_t cache_bytes_max)
    : view_(view),
      options_(options),
      forecaster_(std::move(forecaster)),
      alerts_(std::move(alerts)),
      cache_(store, view, cache_bytes_max) {}

void ForecastOperator::Arrange(BucketContext context, std::vector<ModelRow> rows) {
  context_ = std::move(context);
  rows_ = std::move(rows);
  std::sort(rows_.begin(), rows_.end(), [](const ModelRow& a, const ModelRow& b) { return a.series < b.series; });
}

void ForecastOperator::BeginRound(BucketContext context, std::vector<ModelRow> rows) {
  TC_CHECK(!in_round());
  Arrange(std::move(context), std::move(rows));
  phase_ = Phase::kScore;
  next_block_ = 0;
  cursor_dirty_ = true;
  forecaster_->BeginRound(context_, block_count());
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

Status ForecastOperator::RunBlock(size_t block, const EncodeBlock& encode, RoundBlockOutput& out,
                                  std::vector<SeriesStateCache::Entry>& entries) const {
  const size_t begin = block * options_.block_series;
  const size_t end = std::min(rows_.size(), begin + options_.block_series);
  const size_t count = end - begin;
  std::vector<SeriesRow> rows(count);
  std::vector<std::string> states(count);
  out.series.resize(count);
  TC_RETURN_IF_ERROR(cache_.Load(std::span(rows_).subspan(begin, count), &entries));
  for (size_t i = 0; i < count; ++i) {
    const ModelRow& row = rows_[begin + i];
    out.series[i] = row.series;
    states[i] = std::move(entries[i].forecaster);
    TC_CHECK_EQ(row.known.size(), (1 + static_cast<size_t>(options_.horizon)) * options_.known_covariates, "known covariates of a row");
    rows[i] = {row.series, Hash64(row.series), row.target, row.past, row.known};
  }
  if (phase_ == Phase::kScore) {
    out.scores.resize(count);
    forecaster_->ScoreAndLearnBlock(block, rows, states, out.scores);
    std::vector<uint32_t> ages(count);
    std::vector<std::string> alert_states(count);
    for (size_t i = 0; i < count; ++i) {
      out.scores[i].series = out.series[i];
      ages[i] = ++entries[i].age_buckets;
      alert_states[i] = std::move(entries[i].alert);
    }
    alerts_.OnScores(context_.now.start, context_.now.end, out.scores, ages, alert_states, &out.alerts);
    for (size_t i = 0; i < count; ++i) entries[i].alert = std::move(alert_states[i]);
  } else {
    ForecastBlock& forecasts = out.forecasts;
    const size_t horizon = static_cast<size_t>(options_.horizon);
    forecasts.mean.resize(count * horizon);
    forecasts.quantiles.resize(count * horizon * kLevelCount);
    forecasts.zero_probability.resize(count * horizon);
    forecasts.age_buckets.resize(count);
    forecaster_->ForecastBlock(block, rows, states, forecasts);
    for (size_t i = 0; i < count; ++i) forecasts.age_buckets[i] = entries[i].age_buckets;
  }
  for (size_t i = 0; i < count; ++i) {
    entries[i].partition = rows_[begin + i].partition;
    entries[i].forecaster = std::move(states[i]);
  }
  encode(context_, out);
  return Status::Ok();
}

Result<bool> ForecastOperator::Step(Executor& executor, size_t bytes_max, const EncodeBlock& encode, const TakeBlock& take) {
  TC_CHECK(in_round());
  const size_t blocks = block_count();
  // A constant number of blocks side by side: the result does not depend on it, the memory does.
  const size_t side_by_side = std::max<size_t>(4, executor.threads() * 2);
  size_t bytes = 0;
  while (next_block_ < blocks && bytes < bytes_max) {
    const size_t batch = std::min(side_by_side, blocks - next_block_);
    std::vector<RoundBlockOutput> outputs(batch);
    std::vector<std::vector<SeriesStateCache::Entry>> entries(batch);
    std::vector<Status> statuses(batch);
    executor.ParallelFor(batch, [&](size_t i) { statuses[i] = RunBlock(next_block_ + i, encode, outputs[i], entries[i]); });
    for (size_t i = 0; i < batch; ++i) {
      TC_RETURN_IF_ERROR(std::move(statuses[i]));
      const size_t begin = (next_block_ + i) * options_.block_series;
      for (size_t s = 0; s < entries[i].size(); ++s) {
        bytes += entries[i][s].forecaster.size() + 64;
        cache_.Store(rows_[begin + s].series, std::move(entries[i][s]));
      }
      for (const OutputRecord& record : outputs[i].records) bytes += record.Bytes();
      take(context_, std::move(outputs[i]));
    }
    next_block_ += batch;
    cursor_dirty_ = true;
  }
  if (next_block_ < blocks) return false;
  if (phase_ == Phase::kScore) {
    TC_RETURN_IF_ERROR(forecaster_->LearnShared());
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
  forecaster_->SaveShared(epoch, model);
  if (!cursor_dirty_) return;
  ByteWriter value;
  value.U8(kCursorVersion).U8(static_cast<uint8_t>(phase_)).U64(next_block_).U64(rows_.size()).Time(context_.now.start).I64(rounds_);
  model.Put(Family::kMeta, CursorKey(view_), value.view());
  cursor_dirty_ = false;
}

void ForecastOperator::OnCommitted(Epoch epoch) {
  cache_.OnCommitted(epoch);
  forecaster_->OnCommitted(epoch);
}

Status ForecastOperator::Reload(const StateReader& model) {
  cache_.Forget();
  TC_RETURN_IF_ERROR(forecaster_->ReloadShared(model));
  phase_ = Phase::kIdle;
  next_block_ = 0;
  rows_.clear();
  cursor_dirty_ = false;
  stored_phase_ = 0;
  stored_block_ = 0;
  rounds_ = 0;
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, model.Get(Family::kMeta, CursorKey(view_), &value));
  if (!found) return Status::Ok();
  ByteReader reader(value);
  const uint8_t version = reader.U8();
  stored_phase_ = reader.U8();
  stored_block_ = reader.U64();
  stored_rows_ = reader.U64();
  stored_start_ = reader.Time();
  rounds_ = reader.I64();
  if (version != kCursorVersion) {
    return Status(Code::kVersion, fmt::format("the round cursor has format {}, this build reads {}", version, kCursorVersion));
  }
  return reader.Finish("round cursor");
}

size_t ForecastOperator::memory_bytes() const {
  size_t bytes = cache_.bytes();
  for (const ModelRow& row : rows_) bytes += sizeof(ModelRow) + row.series.size() + (row.past.size() + row.known.size()) * sizeof(float);
  return bytes;
}

}  // namespace tidecast
