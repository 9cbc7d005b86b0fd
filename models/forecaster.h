#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/forecast.h"
#include "engine/core/stateful.h"
#include "engine/core/status.h"
#include "models/bucket_context.h"
#include "models/explanation.h"
#include "models/net_kind.h"

namespace tidecast {

/// How the net behaves online. kFrozen keeps the weights it has (for comparisons).
enum class NetLearning : uint8_t { kOnline, kFrozen };

struct ForecasterOptions {
  int horizon = 14;
  std::vector<int> season_lengths;  ///< steps of each season, in the order of CalendarStep::season_phase
  ValueDomain domain = ValueDomain::kCount;
  bool at_least_zero = false;   ///< of reals: none is forecast below 0 (counts and amounts that move as reals do)
  size_t past_covariates = 0;   ///< width of SeriesRow::past (clicks, price as seen: never known ahead)
  size_t known_covariates = 0;  ///< width of one step of SeriesRow::known (price, promotion: known ahead)
  size_t calendar_features = 0;
  NetKind net = NetKind::kLstm;
  NetLearning net_learning = NetLearning::kOnline;
  std::string device = "auto";  ///< auto | cpu | cuda
  std::string net_module;       ///< path of the torch module; empty: beside the binary
  bool load_net_late = false;   ///< by a thread of its own: Ready() then waits for it
  uint64_t seed = 7;
  size_t block_series = 256;            ///< rows of a block; part of the result's identity
  std::vector<std::string> experts;     ///< names (models/expert.h); empty: all that fit the domain
  bool calibrate = true;                ///< false: quantiles as mixed, for comparisons
  int net_steps_per_round = 4;          ///< optimiser steps of the net a round; twice as many while it is young
  int64_t net_freeze_after_rounds = 0;  ///< kFrozen: rounds in which the net still learns (a warm-up)
  std::string net_weights;              ///< bytes that ExportNet gave: where a new net begins; empty: at its base
  int64_t net_warm_steps = 0;           ///< steps made before: the learning rate goes on from there
  bool net_ids = true;  ///< false: the net learns nothing of single series (for weights that move elsewhere)
  std::vector<std::string> known_names;  ///< of the known covariates, for explanations; those beyond have numbers
  std::string state_prefix;              ///< of the shared rows' keys, where several views share one store
};

/// What a series brings to a round. Views are valid during the call.
struct SeriesRow {
  std::string_view key;
  uint64_t key_hash = 0;
  float actual = 0;  ///< target of the closed bucket; NaN = missing (no score, no update, states step with mask 0)
  std::span<const float> past;   ///< [past_covariates] of the closed bucket
  std::span<const float> known;  ///< [1 + horizon, known_covariates], first row = the closed bucket
  uint64_t category_hash = 0;    ///< of the category as of the closed bucket; 0: none told
};

/// Forecasts of a block, made by ForecastBlock. Memory is the caller's, sized by it; see SeriesForecast for shapes.
struct ForecastBlock {
  std::vector<float> mean;              ///< [series, horizon]
  std::vector<float> quantiles;         ///< [series, horizon, kLevelCount]
  std::vector<float> zero_probability;  ///< [series, horizon]
  std::vector<uint32_t> age_buckets;    ///< [series]
};

/// Explains the forecast that a scored row of the block was scored against, from the state that made it.
using ExplainRow = std::function<Explanation(size_t row)>;
/// Called once a block between scoring and learning. `explain`: valid during the call, for rows that had a forecast.
using OnScored = std::function<void(const ExplainRow& explain)>;

/// Counters and figures of the model, for metrics and the page.
struct ForecasterStats {
  int64_t rounds = 0;
  int64_t net_steps = 0;
  int64_t net_rejected = 0;
  double net_loss = 0;  ///< last mean pinball on the newest windows, scaled units
  double net_gradient_norm = 0;
  std::vector<std::pair<std::string, double>> expert_weights;  ///< pooled mean weight by expert name
  std::string device;                                          ///< where the net runs, or why it does not
};

/// The whole model of one view: experts, mixer, calibrator and the online net. The same object serves run, replay and
/// backtest.
///
/// A round over the series in canonical (name) order, in blocks of `block_series`:
///   BeginRound(context)
///   ScoreAndLearnBlock for each block   score what matured, then update the series' own state
///   LearnShared()                       pooled statistics and net weights: once, after the last block
///   ForecastBlock for each block        quantiles for the next `horizon` buckets
/// A series's state is an opaque, versioned blob that the caller keeps; an empty blob is a series never seen before.
/// What blocks add to the shared part is gathered by block and folded in block order, so that neither the number of
/// threads nor their timing can change a bit of the result.
/// No datum of a later bucket is ever handed in: the type has no place for it.
/// Thread: ScoreAndLearnBlock and ForecastBlock may run side by side for different blocks; all else is confined.
class Forecaster {
 public:
  virtual ~Forecaster() = default;
  /// Waits for what is loaded behind the start; before the first block of a round.
  /// Errors: kNotFound when the net's module cannot be loaded, kVersion, kCorruption of its weights.
  virtual Status Ready() { return Status::Ok(); }
  virtual void BeginRound(const BucketContext& context, size_t blocks) = 0;
  /// Goes on with a round after ReloadShared: as BeginRound, but keeps what the blocks so far have gathered.
  virtual void ResumeRound(const BucketContext& context, size_t blocks) = 0;
  /// rows, states, scores: one entry a series of the block. Scores are of the one-step-ahead forecast stored in the
  /// state.
  virtual void ScoreAndLearnBlock(size_t block, std::span<const SeriesRow> rows, std::span<std::string> states,
                                  std::span<BucketScore> scores, const OnScored& on_scored) = 0;
  virtual Status LearnShared() = 0;
  virtual void ForecastBlock(size_t block, std::span<const SeriesRow> rows, std::span<std::string> states,
                             struct ForecastBlock& out) = 0;
  /// Explains the newest forecast of a series, step by step; [horizon], empty where the bucket `context.now` left none.
  /// REQUIRES: the state and the shared part as that round left them.
  virtual std::vector<Explanation> Explain(const BucketContext& context, const std::string& state) const = 0;

  /// Shared state: rows under keys of the forecaster's own in Family::kModels. Between BeginRound and LearnShared the
  /// gathered sums are part of it, so that a round can go on after a crash with the block that was next.
  virtual void SaveShared(Epoch epoch, DeltaSink& out) = 0;
  virtual void OnCommitted(Epoch epoch) = 0;
  virtual Status ReloadShared(const StateReader& store) = 0;

  virtual ForecasterStats Stats() const = 0;
  /// The net's weights with the names of what they read (net_weights.h).  Errors: kNotFound without a net.
  virtual Result<std::string> ExportNet(const std::string& /*provenance*/) const {
    return Status(Code::kNotFound, "there is no net to export").WithRemedy("choose a model with a net");
  }
};

/// Errors: kNotFound when the net is wanted and its module cannot be loaded (with `load_net_late`: is not there).
Result<std::unique_ptr<Forecaster>> MakeForecaster(const ForecasterOptions& options);

}  // namespace tidecast
