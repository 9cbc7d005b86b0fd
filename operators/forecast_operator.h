#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/executor.h"
#include "engine/core/forecast.h"
#include "engine/core/record.h"
#include "engine/core/rollup_means.h"
#include "models/forecaster.h"
#include "operators/alert_operator.h"
#include "operators/bucket_calendar.h"
#include "operators/dormant_prior.h"
#include "operators/model_row.h"
#include "operators/series_state_cache.h"
#include "operators/trend.h"
#include "operators/trend_calibration.h"

namespace tidecast {

/// What becomes of a series in the forecasting half of a round.
enum class Publish : uint8_t {
  kForecast,
  kNothing,    ///< dormant, and its forecast is what was published before
  kTombstone,  ///< retired
};

struct SeriesTrendOutput {
  Trend trend;
  bool is_known = false;
  bool is_news = false;  ///< to be published
};

/// What a block of a round produced, in the order of its series.
struct RoundBlockOutput {
  std::vector<std::string> series;
  std::vector<Publish> publish;          ///< after forecasting
  std::vector<SeriesTrendOutput> trends; ///< after forecasting
  DormantPrior dormant;                  ///< counted while scoring
  TrendCalibration::Sums trend_sums;     ///< as `dormant`
  std::vector<BucketScore> scores;       ///< views into `series`; after scoring
  std::vector<Alert> alerts;             ///< after scoring
  ForecastBlock forecasts;               ///< after forecasting; of a series that publishes nothing the mean in force
  std::span<const ModelRow> rows;        ///< until the round ends
  std::vector<float> mean_bottom_up;     ///< after forecasting, where means are reconciled: as ForecastBlock::mean
  std::vector<float> mean_reconciled;
  SeriesForecast ForecastOf(size_t series) const;
  RollupMeans MeansOf(size_t series) const;
  std::vector<OutputRecord> records;     ///< what `encode` made, in order
};

/// Turns a finished block into records on a worker thread. Exactly one of scores and forecasts is filled.
using EncodeBlock = std::function<void(const BucketContext& context, RoundBlockOutput& block)>;
/// Takes a finished block on the instance's thread, in block order.
using TakeBlock = std::function<void(const BucketContext& context, RoundBlockOutput&& block)>;

/// The model plane of one view. A round of one closed bucket, over all its series in name order, in blocks of fixed size:
///   1. score matured forecasts, 2. alert on the closed bucket, 3. learn: per series, then once the shared part,
///   4. forecast. In this order, in Step, and nowhere else.
/// A series that was zero for `dormant_after` buckets is neither taught nor asked: it is forecast from what dormant
/// series do (DormantPrior), published when it becomes dormant and whenever that changes by a tenth. The first value
/// wakes it: its forecaster goes on where it was, the buckets in between are missing. A retired row takes the state away.
/// Where no domain is given it is what the first round's values need, and widens (count, nonneg, real) at the first
/// value outside of it: the forecaster starts anew then, and a note says so.
/// A round is resumable: it may be cut after any block; the cursor, the blocks' state and their outputs commit together,
/// the shared part with the last block of the phase.
/// Thread: confined; blocks of one phase run side by side on the executor.
class ForecastOperator {
 public:
  using MakeFn = std::function<Result<std::unique_ptr<Forecaster>>(const ForecasterOptions&)>;
  struct Life {
    bool infers_domain = false;   ///< options.domain is the narrowest one, to begin with
    uint32_t dormant_after = 90;  ///< 0: never
    bool reconciles = false;      ///< its rows say what their parts expect
  };
  /// `stage`: whose tasks own the series of the view. Errors: as `make`.
  static Result<std::unique_ptr<ForecastOperator>> Make(Stage stage, uint16_t view, const ForecasterOptions& options, const Life& life, MakeFn make,
                                                        AlertOperator alerts, const StateStore& store, size_t cache_bytes_max);

  bool in_round() const { return phase_ != Phase::kIdle; }
  EventTime round_start() const { return context_.now.start; }
  EventTime round_end() const { return context_.now.end; }
  /// Begins a round. Rows of one bucket, any order. REQUIRES: !in_round(). Errors: as `make`, when the domain widens.
  Status BeginRound(BucketContext context, std::vector<ModelRow> rows);
  /// Works off some blocks; at most about `bytes_max` bytes of dirty state and output. Returns true when the round is over.
  Result<bool> Step(Executor& executor, size_t bytes_max, const EncodeBlock& encode, const TakeBlock& take);
  /// Rows of the round under way, by series name, from its begin to its end: its owner stores them, since a resumed round
  /// needs them all. `on_round_done` gets them when the round is over.
  std::vector<ModelRow>& round_rows() { return rows_; }
  void set_on_round_done(std::function<void(EventTime start, const std::vector<ModelRow>& rows)> done) { on_round_done_ = std::move(done); }

  void Save(Epoch epoch, DeltaSink& model, StateBatch& tasks);
  void OnCommitted(Epoch epoch);
  /// After a rollback or at a start. `rows` of the round that the stored cursor names are handed in again by ResumeRound.
  Status Reload(const StateReader& model);
  /// Whether the stored cursor stands inside a round, and in which bucket.
  bool has_stored_round() const { return stored_phase_ != 0; }
  EventTime stored_round_start() const { return stored_start_; }
  size_t stored_round_rows() const { return stored_rows_; }
  /// Gives up the stored round: its rows are not all here any more (partitions were lost in its middle).
  void AbandonRound() { stored_phase_ = 0; }
  void ResumeRound(BucketContext context, std::vector<ModelRow> rows);

  const Forecaster& forecaster() const { return *forecaster_; }
  Forecaster& forecaster() { return *forecaster_; }
  Status Ready() { return forecaster_->Ready(); }  ///< Forecaster::Ready
  /// Explains the newest forecast of a series, step by step: that of the round of `context.now`. Empty where that round did
  /// not ask the model: the series is dormant, or not there. `partitions`: whose key ranges may hold it.
  /// REQUIRES: the round is over. Errors: kIo, kCorruption, kVersion.
  Result<std::vector<Explanation>> Explain(const BucketContext& context, const std::string& series, std::span<const uint16_t> partitions) const;
  TrendCalibration::Score trend_score() const { return trends_.score(); }
  ValueDomain domain() const { return options_.domain; }
  /// What an operator of the engine should be told, in words; empty when there is nothing new.
  std::string TakeNote() { return std::exchange(note_, {}); }
  size_t memory_bytes() const;
  size_t dirty_bytes() const { return cache_.dirty_bytes(); }
  int64_t rounds() const { return rounds_; }

 private:
  enum class Phase : uint8_t { kIdle = 0, kScore = 1, kForecast = 2 };
  ForecastOperator(Stage stage, uint16_t view, const ForecasterOptions& options, const Life& life, MakeFn make, AlertOperator alerts,
                   const StateStore& store, size_t cache_bytes_max);
  using Entries = std::vector<SeriesStateCache::Entry>;
  bool IsDormant(const SeriesStateCache::Entry& entry) const {
    return options_.domain != ValueDomain::kReal && life_.dormant_after > 0 && entry.zero_run >= life_.dormant_after;
  }
  /// Makes the forecaster of a domain; its shared rows have a prefix of their own.
  Status TakeDomain(ValueDomain domain);
  void ScoreBlock(size_t block, std::span<const ModelRow> rows, std::span<const SeriesRow> series, Entries& entries, RoundBlockOutput& out) const;
  /// `awake`: ascending, the rows that the forecaster was asked to score; `explain` goes by their place in it.
  void AlertOnBlock(std::span<const size_t> awake, const ExplainRow& explain, Entries& entries, RoundBlockOutput& out) const;
  void ForecastBlockOf(size_t block, std::span<const ModelRow> rows, std::span<const SeriesRow> series, Entries& entries,
                       RoundBlockOutput& out) const;
  size_t block_count() const { return (rows_.size() + options_.block_series - 1) / options_.block_series; }
  /// The trends of a block's series: outcomes before scoring, new ones after forecasting.
  Status ScoreTrends(std::span<const ModelRow> rows, Entries& entries, RoundBlockOutput& out) const;
  Status MakeTrends(std::span<const ModelRow> rows, std::span<const SeriesRow> series, Entries& entries, RoundBlockOutput& out) const;
  /// Means of a rollup: scored before, combined after forecasting.
  Status ScoreMeans(std::span<const ModelRow> rows, Entries& entries) const;
  Status ReconcileMeans(std::span<const ModelRow> rows, Entries& entries, RoundBlockOutput& out) const;
  Status RunBlock(size_t block, const EncodeBlock& encode, RoundBlockOutput& out, Entries& entries) const;
  void Arrange(BucketContext context, std::vector<ModelRow> rows);
  void SweepShared(DeltaSink& model) const;

  uint16_t view_;
  ForecasterOptions options_;   ///< domain and state_prefix follow the domain
  Life life_;
  ValueDomain first_domain_;
  std::string first_prefix_;
  MakeFn make_;
  const StateStore& store_;
  std::unique_ptr<Forecaster> forecaster_;
  DormantPrior prior_;
  TrendCalibration trends_;
  TrendCalibration::Sums trend_sums_;  ///< of the round's blocks so far
  std::string note_;
  int sweeps_ = 0;              ///< so many more Saves look for shared rows of narrower domains
  AlertOperator alerts_;
  SeriesStateCache cache_;
  std::function<void(EventTime, const std::vector<ModelRow>&)> on_round_done_;

  Phase phase_ = Phase::kIdle;
  size_t next_block_ = 0;
  BucketContext context_;
  std::vector<ModelRow> rows_;      ///< of the round, by series name
  int64_t rounds_ = 0;
  bool cursor_dirty_ = false;
  uint8_t stored_phase_ = 0;
  uint64_t stored_block_ = 0;
  uint64_t stored_rows_ = 0;
  EventTime stored_start_;
};

}  // namespace tidecast
