#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/calibrator.h"
#include "models/expert.h"
#include "models/forecaster.h"
#include "models/horizon_plan.h"
#include "models/known_effect.h"
#include "models/late_net.h"
#include "models/launch_prior.h"
#include "models/mixer.h"
#include "models/month_profile.h"
#include "models/net_keeper.h"
#include "models/net_series.h"
#include "models/net_trainer.h"
#include "models/outer_mixer.h"
#include "models/pooled_state.h"
#include "models/round_sums.h"
#include "models/season_profile.h"
#include "models/series_columns.h"
#include "models/year_index.h"

namespace tidecast {

/// The forecaster of MakeForecaster: a pool of experts, a mixer over them, a calibrator over the mixture; and over that
/// base the net, when there is one, in an outer mixture.
/// Thread: as Forecaster.
class StreamForecaster final : public Forecaster, public NetKeeper {
 public:
  /// `net` may be null: experts alone. `late`: the same, when it is still loaded.
  StreamForecaster(const ForecasterOptions& options, std::unique_ptr<ResidualNet> net, LateNet* late);

  Status Ready() override;
  void BeginRound(const BucketContext& context, size_t blocks) override;
  void ResumeRound(const BucketContext& context, size_t blocks) override;
  void ScoreAndLearnBlock(size_t block, std::span<const SeriesRow> rows, std::span<std::string> states,
                          std::span<BucketScore> scores, const OnScored& on_scored) override;
  Status LearnShared() override;
  void ForecastBlock(size_t block, std::span<const SeriesRow> rows, std::span<std::string> states,
                     struct ForecastBlock& out) override;
  std::vector<Explanation> Explain(const BucketContext& context, const std::string& state) const override;
  void SaveShared(Epoch epoch, DeltaSink& out) override;
  void OnCommitted(Epoch epoch) override;
  Status ReloadShared(const StateReader& store) override;
  ForecasterStats Stats() const override;
  Result<std::string> ExportNet(const std::string& provenance) const override;
  NetHistory NetVersions() const override;
  Status ImportNet(std::string_view weights, std::string provenance) override;
  Result<bool> MeetNet(std::string_view weights) override;
  Status RollBackNet(std::optional<int64_t> version, const StateReader& store) override;

  const SeriesShape& shape() const { return shape_; }

 private:
  struct Work;  ///< columns of a block at work
  void StartParts();
  void TakeContext(const BucketContext& context);
  /// By slot of the history, as of the bucket `index`: 1 / pooled factor of the season and the day of the month, and
  /// buckets since. `day` of that bucket.
  void FillSlots(int64_t index, std::optional<int64_t> day, std::span<float> inverse_factor,
                 std::span<float> age) const;
  float MeanRatio() const;
  bool KeepsAboveZero() const { return options_.at_least_zero && options_.domain == ValueDomain::kReal; }
  /// A bucket as the target of an origin. `origin_day`: nothing where buckets are neither days nor weeks.
  ForecastTarget TargetOf(int64_t origin, std::optional<int64_t> origin_day, int horizon,
                          const CalendarStep& step) const;
  /// The day that a context's newest bucket begins on; nothing where buckets are neither days nor weeks.
  std::optional<int64_t> DayOf(const BucketContext& context) const {
    return YearIndex::DayOf(bucket_days_, context.now, context.ahead[0]);
  }
  /// Of a bucket before the present one.
  std::optional<int64_t> DayOfBucket(int64_t index) const {
    if (context_.now.index - index >= kHistory) return std::nullopt;
    return YearIndex::DayOfBucket(pool_.pooled(year_part_), index);
  }
  bool HasMonths() const { return bucket_days_ == 1 && options_.domain != ValueDomain::kReal; }
  float MonthFactor(int64_t day) const { return months_[MonthProfile::DayOfMonth(day)]; }
  /// After the pool has moved.
  void RefreshFactors();
  void Load(Work& work, std::span<const SeriesRow> rows, std::span<const std::string> states) const;
  void TakeKnown(std::span<const SeriesRow> rows, size_t step, Work& work) const;
  /// What the columns in `work.known` do to a series's demand; 0: it is closed.
  float EffectOf(const Work& work, size_t series) const;
  std::span<float> EffectPart(Work& work, size_t series) const;
  /// Scale, class and the like of each series. `prior_mean` is asked for apart: explanations have it from the state.
  void Describe(Work& work) const;
  void TakePriors(Work& work) const;
  void Score(Work& work, std::span<BucketScore> scores) const;
  struct KnownTarget {
    ForecastTarget target;
    std::span<const float> known;  ///< [known columns]
  };
  /// Forecasts of one series at one origin, taken apart. `work`: the series as that origin left it, described.
  std::vector<Explanation> ExplainTargets(const Work& work, size_t series, const BucketContext& calendar,
                                          std::span<const KnownTarget> targets) const;
  /// `out` in the units that all learn in -> as published, with the columns' parts. `state`: the series's KnownEffect;
  /// `effect`: the factor of the columns in `known`.
  void ApplyEffect(std::span<const float> state, std::span<const float> known, float effect, Explanation* out) const;
  Explanation ExplainScored(const Work& work, size_t series) const;
  void Resolve(Work& work, std::span<const SeriesRow> rows, std::span<double> sums) const;
  /// The mixer's weights of one series for a target; valid until it is asked for another horizon.
  std::span<const float> Weigh(Work& work, size_t i, const ForecastTarget& target,
                               std::span<const uint8_t> awake) const;
  void ResolveHorizon(Work& work, int horizon, std::span<const SeriesRow> rows, std::span<double> sums) const;
  void TakeActuals(Work& work, std::span<double> sums) const;
  /// The newest values divided by what the columns do; NaN where a series was closed.
  void TakeEffects(Work& work, std::span<double> sums) const;
  void LearnEffects(Work& work) const;
  struct OuterLabel {
    size_t outer;            ///< which of the outer horizons
    float zero_probability;  ///< as mixed from the experts
    double chance;           ///< the series's and bucket's own random number
  };
  void LearnOuter(const Work& work, size_t series, const ForecastTarget& target, const OuterLabel& label,
                  std::span<const float> mixed, std::span<double> sums) const;
  /// base -> outer mixture of base and net, shifted to its levels, where the net has a word.
  void MixOuter(size_t demand_class, size_t group, float scale, std::span<const float> net,
                std::span<float> quantiles) const;
  void MatureWindows(const Work& work, std::span<const SeriesRow> rows) const;
  /// What the experts say of `ahead` steps, for the net, before it is mixed.
  void TakeExpertWords(Work& work, size_t horizon) const;
  void AdvanceNet(Work& work, std::span<const SeriesRow> rows) const;
  void CorrectByNet(Work& work, std::span<const SeriesRow> rows, struct ForecastBlock& out) const;
  void ReadSharedRow(int64_t index, std::span<float> row) const;
  void ReadWindow(std::span<const char> part, const NetSeries::CovariateScale& scale, std::span<float> inputs,
                  std::span<float> mask) const;
  NetSeries::CovariateScale CovariateScale() const { return net_series_->ScaleOf(pool_.pooled(covariate_part_)); }
  std::span<char> NetPart(Work& work, size_t series) const;
  std::span<const char> NetPart(const Work& work, size_t series) const;
  uint64_t Fingerprint() const;

  ForecasterOptions options_;
  std::vector<std::unique_ptr<Expert>> experts_;
  HorizonPlan plan_;
  Mixer mixer_;
  Calibrator calibrator_;
  SeasonProfile profile_;
  int64_t bucket_days_;  ///< YearIndex::UnitOf the seasons
  KnownEffect effect_;
  SeriesShape shape_;
  std::unique_ptr<NetTrainer> trainer_;    ///< null: experts alone
  LateNet* late_ = nullptr;                ///< the trainer's net, when that is still loaded
  std::unique_ptr<NetSeries> net_series_;  ///< as trainer_
  OuterMixer outer_;
  std::vector<int> expert_slot_;  ///< by expert: where the net hears it, or -1

  PooledState pool_;
  std::vector<size_t> expert_part_;
  size_t mixer_part_ = 0;
  size_t calibrator_part_ = 0;
  size_t profile_part_ = 0;
  size_t launch_part_ = 0;
  size_t mean_part_ = 0;
  size_t year_part_ = 0;
  size_t effect_part_ = 0;
  size_t month_part_ = 0;
  size_t outer_part_ = 0;
  size_t outer_calibrator_part_ = 0;
  size_t shared_inputs_part_ = 0;  ///< [window, shared_width] by slot: what all series' inputs have in common
  size_t covariate_part_ = 0;
  size_t series_part_ = 0;  ///< number of series, sum and count of y/s of the newest round

  RoundSums sums_;
  bool gathering_ = false;  ///< between BeginRound and LearnShared
  bool pool_dirty_ = false;
  std::atomic<bool> round_dirty_ = false;  ///< blocks set it side by side
  bool has_stored_round_ = false;
  bool stored_gathering_ = false;
  size_t stored_next_ = 0;
  std::vector<double> stored_total_;

  BucketContext context_;
  MonthProfile::Factors months_;       ///< as of now
  uint32_t closing_ = 0;               ///< KnownEffect::ClosingFlags as of now
  std::vector<double> coefficients_;   ///< KnownEffect::PooledCoefficients as of now
  std::vector<float> factors_;         ///< [phases] pooled seasonal factors as of now
  std::vector<float> inverse_factor_;  ///< [kHistory] by slot
  std::vector<float> age_;             ///< [kHistory] by slot
  double prior_mean_ = 1;
};

}  // namespace tidecast
