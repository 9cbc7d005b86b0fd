#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/status.h"
#include "models/forecaster.h"

namespace tidecast {

struct PretrainOptions {
  std::vector<std::string> series_paths;  ///< CSV as of backtest; each is a world of its own
  std::string frequency = "auto";         ///< of all files
  int horizon = 14;
  int passes = 4;       ///< over everything, at most
  int generated = 200;  ///< invented series a pass (trends, seasons, promotions, intermittent counts)
  int generated_buckets = 240;
  bool augment = true;     ///< scaling, thinning, time masks, mixtures, late births
  std::string provenance;  ///< words that go into the file
  std::string out_path;
  ForecasterOptions forecaster;  ///< net, device, module, seed; the rest is set here
};

struct PretrainSummary {
  int passes = 0;
  int best_pass = 0;  ///< 0: the start, when no pass was better
  int64_t steps = 0;
  std::vector<double>
      validation;  ///< [passes + 1] one-step pinball of held-out series per unit, frozen net; first: without a net
};

/// Trains a net on series that are not the user's, for a warm start: some passes over all series as streams, in the
/// same rounds as online (score, learn, forecast), each beginning with the weights of the last. One series in five is
/// held out; after each pass the frozen net forecasts those, and when that does not get better it ends. The best
/// weights are written (models/weights/FORMAT.md). Errors: as RunBacktest's.  Thread: confined.
Result<PretrainSummary> Pretrain(const PretrainOptions& options);

}  // namespace tidecast
