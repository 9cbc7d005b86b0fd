// The net's side of the stream forecaster:
//   mature   a window recorded h = horizon buckets ago gets its labels from the series's own history
//   advance  the newest bucket goes into the ring of inputs and moves the carried state; every kRefreshBuckets buckets
//            (each bucket, of a net that carries none) a series's state is made anew from its window
//   correct  base -> net, for a block at once; the outer mixture of both is what is published, and the mean
//            of counts and amounts goes along; a sample of the windows is recorded with the base they were made with
//   keep     its weights leave, come and go back (NetKeeper)
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/hash.h"
#include "models/forecaster_work.h"

namespace tidecast {
namespace {

constexpr uint64_t kRefreshBuckets = 16;

uint32_t VolumeStratum(float scale) { return scale < 1 ? 0 : scale < 5 ? 1 : scale < 25 ? 2 : 3; }

/// What the quantiles' way adds to the mean: levels from .1 to .9, each for what lies next to it. The tails have no
/// word: theirs is a matter of coverage, and learned from few.
float MeanShift(std::span<const float> from, std::span<const float> to) {
  float shift = 0;
  for (size_t l = 0; l < kLevelCount; ++l) {
    if (kLevels[l] < .1F || kLevels[l] > .9F) continue;
    shift += (kLevels[l + 1] - kLevels[l - 1]) / 2 * (to[l] - from[l]);
  }
  return shift;
}

void ToHalves(const std::vector<float>& from, size_t at, std::vector<Half>& to) {
  for (size_t i = 0; i < to.size(); ++i) to[i] = ToHalf(from[at + i]);
}

}  // namespace

std::span<char> StreamForecaster::NetPart(Work& work, size_t series) const {
  return std::span(work.columns.extra).subspan(series * shape_.extra_bytes, shape_.extra_bytes);
}
std::span<const char> StreamForecaster::NetPart(const Work& work, size_t series) const {
  return std::span(work.columns.extra).subspan(series * shape_.extra_bytes, shape_.extra_bytes);
}

void StreamForecaster::ReadSharedRow(int64_t index, std::span<float> row) const {
  const int64_t window = trainer_->shape().window;
  const size_t slot = static_cast<size_t>(((index % window) + window) % window);
  const std::span<const double> from = pool_.pooled(shared_inputs_part_).subspan(slot * row.size(), row.size());
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(from[i]);
}

void StreamForecaster::TakeExpertWords(Work& work, size_t horizon) const {
  constexpr size_t kWidth = NetSeries::kExpertSlots * NetSeries::kExpertNumbers;
  constexpr size_t kHigh = 10;  // level .9
  const size_t count = work.block.series;
  const size_t horizons = static_cast<size_t>(options_.horizon);
  if (horizon == 0) work.expert_words.assign(count * horizons * kWidth, std::numeric_limits<float>::quiet_NaN());
  for (size_t k = 0; k < experts_.size(); ++k) {
    if (expert_slot_[k] < 0) continue;
    for (size_t i = 0; i < count; ++i) {
      if (work.awake[k][i] == 0) continue;
      float* words = work.expert_words.data() + (i * horizons + horizon) * kWidth +
                     static_cast<size_t>(expert_slot_[k]) * NetSeries::kExpertNumbers;
      words[0] = work.quantiles[k][i * kLevelCount + kMedian];
      words[1] = work.quantiles[k][i * kLevelCount + kHigh];
    }
  }
}

void StreamForecaster::ReadWindow(std::span<const char> part, const NetSeries::CovariateScale& scale,
                                  std::span<float> inputs, std::span<float> mask) const {
  const size_t window = mask.size();
  const size_t width = inputs.size() / window;
  std::vector<float> shared(net_series_->shared_width()), own_means(net_series_->covariates());
  net_series_->OwnMeans(part, own_means);
  for (size_t step = 0; step < window; ++step) {
    const int64_t index = context_.now.index - static_cast<int64_t>(window - 1 - step);
    ReadSharedRow(index, shared);
    net_series_->ReadInput(part, index, shared, scale, own_means, inputs.subspan(step * width, width), &mask[step]);
  }
}

void StreamForecaster::MatureWindows(const Work& work, std::span<const SeriesRow> rows) const {
  const int64_t origin = context_.now.index - options_.horizon;
  std::vector<float> actuals(static_cast<size_t>(options_.horizon));
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!trainer_->Waits(origin, rows[i].key_hash)) continue;
    for (size_t h = 0; h < actuals.size(); ++h) {
      actuals[h] = work.columns.history[i * kHistory + HistorySlot(origin + 1 + static_cast<int64_t>(h))];
    }
    trainer_->Mature(origin, rows[i].key_hash, actuals);
  }
}

void StreamForecaster::AdvanceNet(Work& work, std::span<const SeriesRow> rows) const {
  const size_t count = rows.size();
  ResidualNet& net = trainer_->net();
  const NetShape& shape = trainer_->shape();
  const size_t inputs_width = static_cast<size_t>(shape.inputs);
  const size_t window = static_cast<size_t>(shape.window);
  const size_t state_floats = net.state_floats();
  const bool carries = CarriesState(shape);
  std::vector<float> shared(net_series_->shared_width());
  ReadSharedRow(context_.now.index, shared);
  const NetSeries::CovariateScale scale = CovariateScale();
  std::vector<float> own_means(net_series_->covariates());
  std::vector<float> inputs(count * inputs_width), mask(count), states(count * state_floats);
  std::vector<size_t> refreshed;
  for (size_t i = 0; i < count; ++i) {
    const SeriesCore& core = work.columns.core[i];
    const float effect = effect_.Published(EffectPart(work, i));
    const bool scored = effect > 0 && core.has_published != 0 && core.published_index == context_.now.index;
    const float residual = scored ? (work.actual[i] - core.published[kMedian] / effect) / work.scale[i] : 0;
    net_series_->TakeInput(NetPart(work, i), context_.now.index, work.actual[i], work.scale[i], residual, rows[i].past,
                           rows[i].known);
    net_series_->OwnMeans(NetPart(std::as_const(work), i), own_means);
    net_series_->ReadInput(NetPart(std::as_const(work), i), context_.now.index, shared, scale, own_means,
                           std::span(inputs).subspan(i * inputs_width, inputs_width), &mask[i]);
    net_series_->ReadState(NetPart(std::as_const(work), i), std::span(states).subspan(i * state_floats, state_floats));
    if (!carries || (rows[i].key_hash + static_cast<uint64_t>(context_.now.index)) % kRefreshBuckets == 0)
      refreshed.push_back(i);
  }
  if (carries) net.Advance(static_cast<int>(count), inputs, mask, states);
  std::vector<float> again_inputs(refreshed.size() * window * inputs_width), again_mask(refreshed.size() * window);
  std::vector<float> again_states(refreshed.size() * state_floats);
  for (size_t r = 0; r < refreshed.size(); ++r) {
    ReadWindow(NetPart(std::as_const(work), refreshed[r]), scale,
               std::span(again_inputs).subspan(r * window * inputs_width, window * inputs_width),
               std::span(again_mask).subspan(r * window, window));
  }
  if (!refreshed.empty()) net.Rerun(static_cast<int>(refreshed.size()), again_inputs, again_mask, again_states);
  for (size_t r = 0; r < refreshed.size(); ++r) {
    std::copy_n(again_states.begin() + static_cast<ptrdiff_t>(r * state_floats), state_floats,
                states.begin() + static_cast<ptrdiff_t>(refreshed[r] * state_floats));
  }
  for (size_t i = 0; i < count; ++i) {
    net_series_->WriteState(NetPart(work, i), std::span<const float>(states).subspan(i * state_floats, state_floats));
  }
}

void StreamForecaster::CorrectByNet(Work& work, std::span<const SeriesRow> rows, struct ForecastBlock& out) const {
  const size_t count = rows.size();
  const size_t horizon = static_cast<size_t>(options_.horizon);
  ResidualNet& net = trainer_->net();
  const NetShape& shape = trainer_->shape();
  const size_t statics_width = static_cast<size_t>(shape.statics);
  const size_t known_width = static_cast<size_t>(shape.known);
  const size_t state_floats = net.state_floats();
  std::vector<float> states(count * state_floats), statics(count * statics_width), known(count * horizon * known_width);
  std::vector<float> base(out.quantiles.size()), corrected(out.quantiles.size());
  std::vector<uint32_t> ids(count);
  constexpr size_t words_width = NetSeries::kExpertSlots * NetSeries::kExpertNumbers;
  const NetSeries::CovariateScale scale = CovariateScale();
  std::vector<float> own_means(net_series_->covariates()), factor(horizon);
  for (size_t h = 0; h < horizon; ++h) {
    const int steps = static_cast<int>(h) + 1;
    factor[h] = TargetOf(context_.now.index, DayOf(context_), steps, context_.ahead[h]).factor;
  }
  for (size_t i = 0; i < count; ++i) {
    net_series_->ReadState(NetPart(std::as_const(work), i), std::span(states).subspan(i * state_floats, state_floats));
    const auto history = std::span<const float>(work.columns.history).subspan(i * kHistory, kHistory);
    net_series_->Statics(work.columns.core[i], work.scale[i], history, context_.now.index,
                         std::span(statics).subspan(i * statics_width, statics_width));
    net_series_->OwnMeans(NetPart(std::as_const(work), i), own_means);
    if (shape.id_buckets > 1)
      ids[i] = 1 + static_cast<uint32_t>(rows[i].key_hash % static_cast<uint64_t>(shape.id_buckets - 1));
    for (size_t h = 0; h < horizon; ++h) {
      const auto covariates =
          options_.known_covariates == 0
              ? std::span<const float>()
              : rows[i].known.subspan((h + 1) * options_.known_covariates, options_.known_covariates);
      const size_t at = i * horizon + h;
      const NetSeries::Ahead ahead{context_.ahead[h],
                                   factor[h],
                                   covariates,
                                   history,
                                   context_.now.index,
                                   static_cast<int>(h) + 1,
                                   work.scale[i],
                                   std::span<const float>(work.expert_words).subspan(at * words_width, words_width),
                                   std::span<const float>(out.quantiles).subspan(at * kLevelCount, kLevelCount)};
      net_series_->Known(ahead, scale, own_means, std::span(known).subspan(at * known_width, known_width));
    }
    for (size_t k = 0; k < horizon * kLevelCount; ++k) {
      base[i * horizon * kLevelCount + k] = out.quantiles[i * horizon * kLevelCount + k] / work.scale[i];
    }
  }
  net.Correct(static_cast<int>(count), states, statics, ids, known, base, corrected);
  const float mean_ratio = MeanRatio();
  for (size_t i = 0; i < count; ++i) {
    if (trainer_->Samples(rows[i].key_hash, context_.now.index) && work.observed[i] >= 8) {
      NetOrigin origin = NetOrigin::Of(shape, trainer_->Closes(rows[i].key_hash, context_.now.index));
      origin.origin = context_.now.index;
      origin.key_hash = rows[i].key_hash;
      origin.scale = work.scale[i];
      origin.id = UniformAt(options_.seed, rows[i].key_hash, context_.now.index, 0x6964) < .1 ? 0 : ids[i];
      origin.stratum = VolumeStratum(work.scale[i]) * 4 + std::min(work.demand_class[i], uint8_t{3});
      if (origin.closes()) {
        std::vector<float> inputs(origin.inputs.size()), input_mask(origin.input_mask.size());
        ReadWindow(NetPart(std::as_const(work), i), scale, inputs, input_mask);
        ToHalves(inputs, 0, origin.inputs);
        ToHalves(input_mask, 0, origin.input_mask);
      }
      ToHalves(statics, i * statics_width, origin.statics);
      ToHalves(known, i * horizon * known_width, origin.known);
      ToHalves(base, i * horizon * kLevelCount, origin.base);
      trainer_->Record(std::move(origin));
    }
    for (size_t h = 0; h < horizon; ++h) {
      const size_t at = (i * horizon + h) * kLevelCount;
      const std::span<float> q(out.quantiles.data() + at, kLevelCount);
      std::array<float, kLevelCount> from_net;
      bool finite = true;
      for (size_t l = 0; l < kLevelCount; ++l) {
        from_net[l] = corrected[at + l] * work.scale[i];
        if (options_.domain != ValueDomain::kReal) from_net[l] = std::max(from_net[l], 0.0F);
        finite = finite && std::isfinite(from_net[l]);
      }
      if (!finite) std::copy(q.begin(), q.end(), from_net.begin());
      const auto outer = std::find(net_series_->outer_horizons().begin(), net_series_->outer_horizons().end(),
                                   static_cast<int>(h) + 1);
      if (outer != net_series_->outer_horizons().end()) {
        net_series_->WriteCorrection(NetPart(work, i),
                                     static_cast<size_t>(outer - net_series_->outer_horizons().begin()),
                                     context_.now.index, from_net, q, work.scale[i]);
      }
      const size_t group = plan_.GroupOf(static_cast<int>(h) + 1);
      std::array<float, kLevelCount> before;
      std::copy(q.begin(), q.end(), before.begin());
      MixOuter(work.demand_class[i], group, work.scale[i], from_net, q);
      float& mean = out.mean[i * horizon + h];
      if (options_.domain == ValueDomain::kReal) continue;  // its mean is fit by squares, the net by pinball
      const float shift = std::max(mean_ratio * MeanShift(before, q), -mean);
      mean += shift;
      net_series_->WriteMeanShift(NetPart(work, i), h, shift, work.scale[i]);
    }
  }
}

void StreamForecaster::MixOuter(size_t demand_class, size_t group, float scale, std::span<const float> net,
                                std::span<float> quantiles) const {
  if (!outer_.Heard(group)) return;
  outer_.Mix(group, net, quantiles);
  if (!options_.calibrate) return;
  calibrator_.Apply(demand_class, group, scale, {}, std::as_const(pool_).pooled(outer_calibrator_part_), quantiles);
}

Result<std::string> StreamForecaster::ExportNet(const std::string& provenance) const {
  if (trainer_ == nullptr) return Forecaster::ExportNet(provenance);
  NetWeights weights;
  weights.names = NetSeries::NamesOf(options_);
  weights.provenance = provenance;
  trainer_->net().Save(&weights.blob);
  return weights.Encode();
}

NetHistory StreamForecaster::NetVersions() const { return trainer_ == nullptr ? NetHistory() : trainer_->history(); }

Status StreamForecaster::ImportNet(std::string_view bytes, std::string provenance) {
  if (trainer_ == nullptr) return Forecaster::ExportNet({}).status();
  TC_ASSIGN_OR_RETURN(const NetWeights weights, NetWeights::Decode(bytes));
  if (!weights.provenance.empty()) provenance += fmt::format(" ({})", weights.provenance);
  return trainer_->Import(weights.blob, weights.RowsFor(NetSeries::NamesOf(options_)), std::move(provenance));
}

Result<bool> StreamForecaster::MeetNet(std::string_view bytes) {
  if (trainer_ == nullptr) return Forecaster::ExportNet({}).status();
  TC_ASSIGN_OR_RETURN(const NetWeights weights, NetWeights::Decode(bytes));
  return trainer_->Meet(weights.blob, weights.RowsFor(NetSeries::NamesOf(options_)), weights.provenance);
}

Status StreamForecaster::RollBackNet(std::optional<int64_t> version, const StateReader& store) {
  if (trainer_ == nullptr) return Forecaster::ExportNet({}).status();
  return trainer_->RollBack(version, store);
}

}  // namespace tidecast
