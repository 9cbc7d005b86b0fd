#include "operators/pretrain_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

/// Draws of one series, in order.
class Draws {
 public:
  Draws(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}
  double Uniform() { return UniformAt(seed_, stream_, next_++); }
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  double Normal() {
    const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
    return radius * std::cos(2 * std::numbers::pi * Uniform());
  }
  bool Chance(double probability) { return Uniform() < probability; }
  /// Poisson, by its distribution below 30 and as a rounded normal above.
  double Count(double rate) {
    if (rate > 30) return std::max(0.0, std::round(rate + std::sqrt(rate) * Normal()));
    double probability = std::exp(-rate), below = probability;
    const double u = Uniform();
    double count = 0;
    for (; u > below && count < 200; below += probability) probability *= rate / ++count;
    return count;
  }

 private:
  uint64_t seed_, stream_;
  int64_t next_ = 0;
};

constexpr uint64_t kGeneratePurpose = 0x67656e;
constexpr uint64_t kAugmentPurpose = 0x617567;

void GenerateOne(Draws draws, const std::vector<int32_t>& phase, int season, float* row) {
  const double level = std::exp(draws.Uniform(-1.5, 4));
  const double trend = draws.Chance(.5) ? draws.Normal() * .003 : 0;
  const double noise = draws.Uniform(.05, .9);
  const double persistence = draws.Uniform(0, .95);
  const double active = draws.Chance(.4) ? draws.Uniform(.1, .8) : 1;
  const double promoted = draws.Chance(.4) ? draws.Uniform(.01, .06) : 0;
  const double lift = draws.Uniform(1.3, 4);
  const double shift = draws.Chance(.3) ? std::exp(draws.Normal() * .6) : 1;
  const auto shift_at = static_cast<size_t>(draws.Uniform() * static_cast<double>(phase.size()));
  std::vector<double> week(static_cast<size_t>(season));
  const double spread = draws.Uniform(0, .6);
  for (double& factor : week) factor = std::exp(spread * draws.Normal());
  double drift = 0, promotion = 0;
  for (size_t t = 0; t < phase.size(); ++t) {
    drift = persistence * drift + std::sqrt(1 - persistence * persistence) * draws.Normal();
    promotion = promotion > 0 ? promotion - 1 : draws.Chance(promoted) ? std::floor(draws.Uniform(2, 8)) : 0;
    double rate = level * week[static_cast<size_t>(phase[t])] *
                  std::exp(trend * static_cast<double>(t) + noise * (drift - noise / 2));
    if (promotion > 0) rate *= lift;
    if (t >= shift_at) rate *= shift;
    row[t] = static_cast<float>(draws.Chance(active) ? draws.Count(std::min(rate, 1e5)) : 0);
  }
}

}  // namespace

PretrainSeries GenerateSeries(uint64_t seed, int series, int buckets) {
  PretrainSeries made;
  made.season = UniformAt(seed, 0, 0, kGeneratePurpose) < .5 ? 7 : 6;
  for (int t = 0; t < buckets; ++t) made.phase.push_back(t % made.season);
  made.actual.resize(static_cast<size_t>(series) * made.buckets());
  for (size_t s = 0; s < static_cast<size_t>(series); ++s) {
    made.names.push_back(fmt::format("generated-{:05}", s));
    GenerateOne(Draws(Mix64(seed ^ kGeneratePurpose), s), made.phase, made.season, made.row(s));
  }
  return made;
}

void AugmentSeries(uint64_t seed, PretrainSeries* series) {
  const size_t buckets = series->buckets();
  const std::vector<float> before = series->actual;
  for (size_t s = 0; s < series->names.size(); ++s) {
    Draws draws(Mix64(seed ^ kAugmentPurpose), s);
    float* row = series->row(s);
    const bool whole = std::all_of(row, row + buckets, [](float y) { return !std::isfinite(y) || y == std::floor(y); });
    const auto keep = [&](double value) {
      return static_cast<float>(whole ? std::floor(value + draws.Uniform()) : value);
    };
    switch (static_cast<int>(draws.Uniform() * 6)) {
      case 0: {
        const double scale = std::exp(draws.Uniform(-1.2, 1.2));
        for (size_t t = 0; t < buckets; ++t) row[t] = std::isfinite(row[t]) ? keep(row[t] * scale) : row[t];
        break;
      }
      case 1: {
        const double kept = draws.Uniform(.2, .9);
        for (size_t t = 0; t < buckets; ++t) {
          if (!std::isfinite(row[t]) || !(row[t] > 0)) continue;
          const double mean = kept * row[t];
          const double thinned = std::round(mean + std::sqrt(mean * (1 - kept)) * draws.Normal());
          row[t] = whole ? static_cast<float>(std::clamp<double>(thinned, 0, row[t])) : static_cast<float>(mean);
        }
        break;
      }
      case 2: {
        const auto from = static_cast<size_t>(draws.Uniform() * static_cast<double>(buckets));
        const auto length = static_cast<size_t>(draws.Uniform(5, 30));
        for (size_t t = from; t < std::min(buckets, from + length); ++t)
          row[t] = std::numeric_limits<float>::quiet_NaN();
        break;
      }
      case 3: {
        const double share = draws.Uniform(.2, .8);
        const float* other = before.data() + (s + 1) % series->names.size() * buckets;
        for (size_t t = 0; t < buckets; ++t) {
          if (std::isfinite(row[t]) && std::isfinite(other[t])) row[t] = keep(share * row[t] + (1 - share) * other[t]);
        }
        break;
      }
      case 4: {
        const auto born = static_cast<size_t>(draws.Uniform(0, .7) * static_cast<double>(buckets));
        std::fill_n(row, born, std::numeric_limits<float>::quiet_NaN());
        break;
      }
      default:
        break;  // as it is
    }
  }
}

}  // namespace tidecast
