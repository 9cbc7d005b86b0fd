#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/expert.h"
#include "models/half_float.h"

namespace tidecast {

/// What every series's blob begins with. Plain bytes, little-endian (FORMAT.md 1).
struct SeriesCore {
  static constexpr uint32_t kFormat = 3;
  uint32_t format = kFormat;
  uint32_t shape = 0;           ///< fingerprint of the layout: another pool or horizon is another shape
  int64_t last_index = 0;       ///< newest bucket seen
  int64_t published_index = 0;  ///< bucket that the published one-step forecast is for
  uint32_t age = 0;             ///< buckets since birth
  uint32_t observed = 0;        ///< of which had a value
  uint32_t resolved = 0;        ///< buckets in which forecasts were compared with their actuals
  uint32_t has_published = 0;
  uint32_t launched = 0;  ///< born when the pool was not (LaunchPrior)
  float prior_mean = 0;   ///< as the newest forecast was made with
  float scale_sum = 0;    ///< discounted |value| (reals: |step|)
  float scale_weight = 0;
  float nonzero_sum = 0;  ///< discounted number of non-zero values
  float nonzero_weight = 0;
  float size_sum = 0;  ///< discounted sum and squares of non-zero values
  float size_square = 0;
  float last_value = 0;
  float published_mean = 0;
  float published_zero = 0;
  float published_scale = 0;
  float published[kLevelCount] = {};
};
static_assert(sizeof(SeriesCore) % 4 == 0);

/// Sizes of what a pool keeps for a series.
struct SeriesShape {
  int horizon = 1;
  std::vector<size_t> state_floats;    ///< by expert
  std::vector<size_t> summary_floats;  ///< by expert
  size_t mixer_floats = 0;
  size_t calibrator_floats = 0;
  size_t known_floats = 0;   ///< of the newest forecast's columns known ahead
  size_t effect_floats = 0;  ///< of what they do (KnownEffect)
  size_t extra_bytes = 0;    ///< of the net's part, opaque here
  size_t newer_bytes = 0;    ///< of which blobs of before lack these, at the end: 0 there

  size_t states() const;
  size_t summaries() const;
  uint32_t Fingerprint() const;
  size_t BlobBytes() const;
};

/// An origin whose forecasts still wait for their labels: the scale it was made with and the experts' summaries as
/// halves.
struct OriginHead {
  int64_t index = INT64_MIN;
  float scale = 1;
  float next_factor = 0;  ///< pooled seasonal factor that its one-step forecast was made with
};

/// The states of a block's series, taken apart into columns and put together again.
/// Thread: confined to the block's worker.
class SeriesColumns {
 public:
  SeriesColumns(const SeriesShape& shape, size_t series);
  /// An empty blob is a new series. REQUIRES: a blob that Store wrote under the same shape.
  void Load(size_t series, std::string_view blob);
  void Store(size_t series, std::string* blob) const;

  size_t series() const { return core.size(); }
  std::vector<SeriesCore> core;
  std::vector<float> history;              ///< [series, kHistory]
  std::vector<std::vector<float>> states;  ///< by expert: [series, state_floats]
  std::vector<float> mixer;                ///< [series, mixer_floats]
  std::vector<float> calibrator;           ///< [series, calibrator_floats]
  std::vector<OriginHead> origins;         ///< [series, horizon] by slot = index mod horizon
  std::vector<Half> summaries;             ///< [series, horizon, summaries]
  std::vector<float> known;                ///< [series, horizon, known columns] of the newest forecast
  std::vector<float> effect;               ///< [series, effect_floats]
  std::vector<char> extra;                 ///< [series, extra_bytes]

  size_t OriginSlot(int64_t index) const;
  /// The waiting origin of a series, or nullptr.
  const OriginHead* Origin(size_t series, int64_t index) const;
  /// Summaries of one expert at a waiting origin, widened to floats.
  void ReadSummaries(size_t series, int64_t index, size_t expert, std::span<float> out) const;
  void WriteSummaries(size_t series, int64_t index, size_t expert, std::span<const float> in);

 private:
  template <typename Visit>
  void ForEachPart(size_t series, Visit visit);
  SeriesShape shape_;
  std::vector<size_t> summary_offset_;
};

}  // namespace tidecast
