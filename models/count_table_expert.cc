#include "models/count_table_expert.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "models/negative_binomial.h"

namespace tidecast {
namespace {

constexpr float kPriorBuckets = 4;  ///< weight of the slow mean in the fast one
constexpr float kPoolBuckets = 1;   ///< weight of the pool's mean in the slow one
constexpr float kSlowDecay = .99F;
constexpr double kTableDecay = .98;  ///< a round
constexpr double kPriorRows = 20;    ///< values' worth of a negative binomial in every row
constexpr double kPriorDispersion = 1.5;
constexpr double kCellGrowth = 1.2;
constexpr float kLeastMean = .02F;
constexpr float kTrendStep = .8F;
constexpr float kRowStep = .4F;   ///< of log mean
constexpr float kActualMax = 20;  ///< an actual beyond so many times 1 + expected counts as this much in the mean

}  // namespace

const CountTableExpert::Cells& CountTableExpert::SharedCells() {
  static const Cells cells = [] {
    Cells made;
    for (size_t c = 0; c <= kCells; ++c) {
      made.first.push_back(c <= kSingleCounts ? static_cast<float>(c)
                                              : std::floor(made.first.back() * static_cast<float>(kCellGrowth)));
    }
    std::array<float, kCells> last;
    for (size_t c = 0; c < kCells; ++c) last[c] = made.first[c + 1] - 1;
    std::array<double, kCells> upto;
    made.prior.resize(kRows * kNumbers);
    for (size_t row = 0; row < kRows; ++row) {
      const double mean = kLeastMean * std::exp(kRowStep * static_cast<double>(row));
      const NegativeBinomial law{mean, kPriorDispersion};
      law.Cdf(last, upto);
      for (size_t c = 0; c < kCells; ++c) {
        made.prior[row * kNumbers + c] = (c + 1 < kCells ? upto[c] : 1) - (c > 0 ? upto[c - 1] : 0);
      }
      made.prior[row * kNumbers + kCells] = made.prior[row * kNumbers + kCells + 1] = mean;
    }
    return made;
  }();
  return cells;
}

CountTableExpert::CountTableExpert(std::string name, float decay, float fast_decay, bool of_launches)
    : name_(std::move(name)),
      decay_(decay),
      fast_decay_(fast_decay),
      of_launches_(of_launches),
      first_(SharedCells().first),
      prior_(SharedCells().prior) {}

bool CountTableExpert::Find(float mean, float trend, Place* place) const {
  const float at = (std::log(std::max(mean, kLeastMean)) - std::log(kLeastMean)) / kRowStep;
  place->row = std::min(static_cast<size_t>(at), kRows - 2);
  place->right = std::min(at - static_cast<float>(place->row), 1.0F);
  if (of_launches_) {
    place->trend = place->above = trend > 0 ? std::min(static_cast<size_t>(trend), kAges) - 1 : 0;
    place->up = 0;
    return trend > 0 && at < static_cast<float>(kRows);
  }
  const float way =
      std::clamp(trend / kTrendStep + static_cast<float>(kTrends / 2), 0.0F, static_cast<float>(kTrends - 1));
  place->trend = std::min(static_cast<size_t>(way), kTrends - 2);
  place->above = place->trend + 1;
  place->up = way - static_cast<float>(place->trend);
  return at < static_cast<float>(kRows);
}

size_t CountTableExpert::CellOf(float actual) const {
  const float count = std::round(actual);
  if (count < static_cast<float>(kSingleCounts)) return static_cast<size_t>(std::max(count, 0.0F));
  const auto after = std::upper_bound(first_.begin(), first_.end(), count);
  return std::min(static_cast<size_t>(after - first_.begin()) - 1, kCells - 1);
}

void CountTableExpert::StartPooled(std::span<double> pooled) const {
  for (size_t i = 0; i < pooled.size(); ++i) pooled[i] = kPriorRows * prior_[i % prior_.size()];
}

void CountTableExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  const float inverse = block.inverse_factor[HistorySlot(block.index)];
  for (size_t i = 0; i < block.series; ++i) {
    if (!std::isfinite(block.actual[i])) continue;
    float* state = states.data() + 6 * i;
    const float value = block.actual[i] * inverse;
    state[0] = decay_ * state[0] + value;
    state[1] = decay_ * state[1] + 1;
    state[2] = kSlowDecay * state[2] + value;
    state[3] = kSlowDecay * state[3] + 1;
    state[4] = fast_decay_ * state[4] + value;
    state[5] = fast_decay_ * state[5] + 1;
  }
}

void CountTableExpert::Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double>,
                                 std::span<float> summaries) const {
  for (size_t i = 0; i < block.series; ++i) {
    const float* state = states.data() + 6 * i;
    const float slow = (state[2] + kPoolBuckets * block.prior_mean[i]) / (state[3] + kPoolBuckets);
    const float mean = (state[0] + kPriorBuckets * slow) / (state[1] + kPriorBuckets);
    const float fast = (state[4] + slow) / (state[5] + 1);
    summaries[2 * i] = mean / block.scale[i];
    if (of_launches_) {
      summaries[2 * i + 1] = block.launch.empty() ? 0 : static_cast<float>(block.launch[i]);
    } else {
      summaries[2 * i + 1] = std::log((fast + .05F) / (mean + .05F));
    }
  }
}

const double* CountTableExpert::NumbersOf(std::span<const double> pooled, size_t group, size_t row,
                                          double* total) const {
  const double* numbers = pooled.data() + At(group, row);
  *total = 0;
  for (size_t c = 0; c < kCells; ++c) *total += std::max(numbers[c], 0.0);
  if (*total > 0 && *total < 1e30) return numbers;
  *total = 1;  // bytes that nobody wrote
  return prior_.data() + row % kRows * kNumbers;
}

float CountTableExpert::RatioOf(const double* numbers) {
  const double expected = numbers[kCells + 1];
  return static_cast<float>(expected > 0 ? std::clamp(numbers[kCells] / expected, .05, 20.0) : 1);
}

float CountTableExpert::PresentLevel(const OneForecast& one) const {
  const float mean = one.summary[0] * one.block.scale[0];
  Place place{};
  if (!Find(mean * one.target.EffectOf(0), one.summary[1], &place)) return one.mean / one.target.factor;
  float ratio = 0;
  for (size_t corner = 0; corner < 4; ++corner) {
    double total = 0;
    ratio += place.Weights()[corner] * RatioOf(NumbersOf(one.pooled, one.target.group, place.Rows()[corner], &total));
  }
  return mean * ratio;
}

void CountTableExpert::Expand(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
                              std::span<const uint8_t> rows, std::span<const float> summaries,
                              std::span<const double> pooled, const ExpertOutput& out) const {
  // The group's rows as distributions, those that a series of the block needs.
  std::array<std::array<float, kCells>, kTrends * kRows> below;  // P(Y < first count of the next cell)
  std::array<float, kTrends * kRows> ratio;                      // actual over expected mean
  std::array<bool, kTrends * kRows> made{};
  const auto row_of = [&](size_t row) {
    if (made[row]) return below[row].data();
    made[row] = true;
    double total = 0;
    const double* numbers = NumbersOf(pooled, target.group, row, &total);
    double sum = 0;
    for (size_t c = 0; c < kCells; ++c) {
      sum += std::max(numbers[c], 0.0);
      below[row][c] = static_cast<float>(sum / total);
    }
    ratio[row] = RatioOf(numbers);
    return below[row].data();
  };
  for (size_t i = 0; i < block.series; ++i) {
    Place place{};
    const float effect = target.EffectOf(i);
    const float mean = summaries[2 * i] * scale[i] * target.factor * effect;
    out.awake[i] = rows[i] != 0 && Find(mean, summaries[2 * i + 1], &place) ? 1 : 0;
    if (out.awake[i] == 0) continue;
    const auto at = place.Rows();
    const float *r00 = row_of(at[0]), *r01 = row_of(at[1]), *r10 = row_of(at[2]), *r11 = row_of(at[3]);
    const auto [w00, w01, w10, w11] = place.Weights();
    const auto cdf = [&, w00 = w00, w01 = w01, w10 = w10, w11 = w11](size_t c) {
      return w00 * r00[c] + w01 * r01[c] + w10 * r10[c] + w11 * r11[c];
    };
    float* q = out.quantiles.data() + i * kLevelCount;
    size_t c = 0;
    float before = 0, upto = cdf(0);
    for (size_t l = 0; l < kLevelCount; ++l) {
      while (c + 1 < kCells && upto < kLevels[l] - 1e-6F) {
        before = upto;
        upto = cdf(++c);
      }
      const float least = first_[c];
      const float width = first_[c + 1] - least;
      const float inside = upto > before ? (kLevels[l] - before) / (upto - before) : 1;
      q[l] = (width > 1 ? least + std::clamp(inside, 0.0F, 1.0F) * (width - 1) : least) / effect;
    }
    out.mean[i] = mean / effect * (w00 * ratio[at[0]] + w01 * ratio[at[1]] + w10 * ratio[at[2]] + w11 * ratio[at[3]]);
    out.zero_probability[i] = effect == 1 ? cdf(0) : std::pow(cdf(0), 1 / effect);
  }
}

void CountTableExpert::Gather(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
                              std::span<const uint8_t> rows, std::span<const float> summaries, std::span<const double>,
                              std::span<double> sums) const {
  for (size_t i = 0; i < block.series; ++i) {
    Place place{};
    const float effect = target.EffectOf(i);
    const float mean = summaries[2 * i] * scale[i] * target.factor * effect;
    if (rows[i] == 0 || !Find(mean, summaries[2 * i + 1], &place)) continue;
    const float actual = block.actual[i] * effect;  // a count again
    const size_t cell = CellOf(actual);
    const double counted = std::min(actual, kActualMax * (1 + mean));
    for (size_t corner = 0; corner < 4; ++corner) {
      const double share = static_cast<double>(place.Weights()[corner]);
      double* numbers = sums.data() + At(target.group, place.Rows()[corner]);
      numbers[cell] += share;
      numbers[kCells] += share * counted;
      numbers[kCells + 1] += share * static_cast<double>(mean);
    }
  }
}

void CountTableExpert::Fold(std::span<const double> sums, std::span<double> pooled) const {
  for (size_t plane = 0; plane < pooled.size(); plane += prior_.size()) {
    for (size_t i = 0; i < prior_.size(); ++i) {
      double& number = pooled[plane + i];
      number = kTableDecay * number + (1 - kTableDecay) * kPriorRows * prior_[i] + sums[plane + i];
    }
  }
}

}  // namespace tidecast
