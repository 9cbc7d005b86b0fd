#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/calibrator.h"
#include "models/expert.h"
#include "models/forecaster.h"
#include "models/horizon_plan.h"
#include "models/mixer.h"
#include "models/pooled_state.h"
#include "models/round_sums.h"
#include "models/season_profile.h"
#include "models/series_columns.h"

namespace tidecast {

/// The forecaster of MakeForecaster: a pool of experts, a mixer over them, a calibrator over the mixture.
/// Thread: as Forecaster.
class StreamForecaster final : public Forecaster {
 public:
  explicit StreamForecaster(const ForecasterOptions& options);

  void BeginRound(const BucketContext& context, size_t blocks) override;
  void ResumeRound(const BucketContext& context, size_t blocks) override;
  void ScoreAndLearnBlock(size_t block, std::span<const SeriesRow> rows, std::span<std::string> states,
                          std::span<BucketScore> scores) override;
  Status LearnShared() override;
  void ForecastBlock(size_t block, std::span<const SeriesRow> rows, std::span<std::string> states,
                     struct ForecastBlock& out) override;
  void SaveShared(Epoch epoch, DeltaSink& out) override;
  void OnCommitted(Epoch epoch) override;
  Status ReloadShared(const StateReader& store) override;
  ForecasterStats Stats() const override;

  const SeriesShape& shape() const { return shape_; }

 private:
  struct Work;  ///< columns of a block at work
  void StartParts();
  void TakeContext(const BucketContext& context);
  float FactorOf(int32_t phase) const;
  int32_t PhaseOf(const CalendarStep& step) const { return step.season_phase.empty() ? 0 : step.season_phase[0]; }
  void Load(Work& work, std::span<const SeriesRow> rows, std::span<const std::string> states) const;
  void Describe(Work& work) const;
  void Score(Work& work, std::span<BucketScore> scores) const;
  void Resolve(Work& work, std::span<const SeriesRow> rows, std::span<double> sums) const;
  void ResolveHorizon(Work& work, int horizon, std::span<const SeriesRow> rows, std::span<double> sums) const;
  void TakeActuals(Work& work, std::span<double> sums) const;
  uint64_t Fingerprint() const;

  ForecasterOptions options_;
  std::vector<std::unique_ptr<Expert>> experts_;
  HorizonPlan plan_;
  Mixer mixer_;
  Calibrator calibrator_;
  SeasonProfile profile_;
  SeriesShape shape_;

  PooledState pool_;
  std::vector<size_t> expert_part_;
  size_t mixer_part_ = 0;
  size_t calibrator_part_ = 0;
  size_t profile_part_ = 0;

  RoundSums sums_;
  bool gathering_ = false;      ///< between BeginRound and LearnShared
  bool pool_dirty_ = false;
  bool round_dirty_ = false;
  bool has_stored_round_ = false;
  bool stored_gathering_ = false;
  size_t stored_next_ = 0;
  std::vector<double> stored_total_;

  BucketContext context_;
  std::vector<float> inverse_factor_;  ///< [kHistory] by slot
  std::vector<float> age_;             ///< [kHistory] by slot
  double prior_mean_ = 1;
};

}  // namespace tidecast
