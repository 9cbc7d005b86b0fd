#pragma once

#include <cstdint>
#include <vector>

#include "models/mixer.h"
#include "models/sorted_history.h"
#include "models/stream_forecaster.h"

namespace tidecast {

/// The columns of a block while it is worked on.
/// Thread: confined to the block's worker.
struct StreamForecaster::Work {
  Work(const SeriesShape& shape, size_t series, size_t experts, size_t known_covariates)
      : columns(shape, series),
        actual(series),
        scale(series),
        prior_mean(series),
        launch(series),
        category(series),
        heap(series),
        demand_class(series),
        observed(series),
        rows(series),
        quantiles(experts, std::vector<float>(series * kLevelCount)),
        mean(experts, std::vector<float>(series)),
        zero(experts, std::vector<float>(series)),
        awake(experts, std::vector<uint8_t>(series)),
        summaries(experts),
        origin_scale(series),
        resolved(series),
        weighed_for(series, kForNothing),
        mean_weighed_for(series, kForNothing),
        weights(series * (kLevelCount + 1) * experts),
        known(series * known_covariates),
        effect(known_covariates > 0 ? series : 0, 1.0F) {
    for (size_t k = 0; k < experts; ++k) summaries[k].resize(series * shape.summary_floats[k]);
  }
  float EffectOf(size_t series) const { return effect.empty() ? 1 : effect[series]; }
  ExpertOutput Output(size_t expert) { return {quantiles[expert], mean[expert], zero[expert], awake[expert]}; }

  SeriesColumns columns;
  ExpertBlock block;
  SortedHistory sorted;  ///< filled where experts summarise
  std::vector<float> actual, scale, prior_mean;
  std::vector<uint8_t> launch;     ///< [series] ExpertBlock::launch
  std::vector<uint64_t> category;  ///< [series] hash, 0 = none told
  std::vector<float> heap;         ///< [series] a quantile up to here stands for 0
  std::vector<uint8_t> demand_class;
  std::vector<uint32_t> observed;
  std::vector<uint8_t> rows;
  std::vector<std::vector<float>> quantiles, mean, zero;
  std::vector<std::vector<uint8_t>> awake;
  std::vector<std::vector<float>> summaries;
  std::vector<float> regrets;  ///< [series, Mixer::regret_floats()] while labels are resolved
  std::vector<float> origin_scale;
  std::vector<uint8_t> resolved;
  static constexpr uint64_t kForNothing = ~uint64_t{0};
  std::vector<uint64_t> weighed_for;       ///< [series] horizon group and who was awake when `weights` were made
  std::vector<uint64_t> mean_weighed_for;  ///< [series] and the mean's place, of their last row
  std::vector<float> weights,
      toward;  ///< [series, kLevelCount + 1, experts] of Mixer::WeightsOf; `toward` for learning
  std::vector<float>
      expert_words;           ///< [series, horizon, NetSeries::kExpertSlots, kExpertNumbers] for the net; NaN = silent
  std::vector<float> known;   ///< [series, known covariates] of the bucket in question
  std::vector<float> effect;  ///< [series] what they do to it; 1 of a closed one, which is left out
};

}  // namespace tidecast
