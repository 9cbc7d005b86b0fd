#include "operators/series_trend.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kFormat = 1;
constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();
constexpr double kLogOddsMax = 4;
constexpr double kTenth = 1.2815515655446004;  // normal quantile at .9
constexpr double kNews = .1;
// Into a phase and out of it: what is said once does not flicker.
constexpr double kRisingFrom = .75, kRisingTo = .6;
constexpr double kPeakOf = .9;       // of the greatest horizon
constexpr double kPeakGrowth = 1.2;  // over the horizon before

size_t Slot(int64_t index, size_t size) {
  const auto length = static_cast<int64_t>(size);
  return static_cast<size_t>(((index % length) + length) % length);
}

}  // namespace

SeriesTrend::SeriesTrend(int horizon) : values_(static_cast<size_t>(2 * horizon), kMissing) {}

Result<SeriesTrend> SeriesTrend::Decode(std::string_view state, int horizon) {
  SeriesTrend trend(horizon);
  if (state.empty()) return trend;
  ByteReader in(state);
  if (const uint8_t format = in.U8(); format != kFormat) {
    return Status(Code::kVersion, fmt::format("a series's trend has format {}, this build reads {}", format, kFormat));
  }
  const uint64_t made_for = in.Varint();
  if (made_for != 0 && made_for != static_cast<uint64_t>(horizon)) return trend;
  trend.newest_ = in.I64();
  trend.top_ = in.F32();
  const size_t seen = in.Count(sizeof(float));
  trend.seen_ = static_cast<uint32_t>(std::min(seen, trend.values_.size()));
  for (size_t back = seen; back-- > 0;) {
    const float value = in.F32();
    if (back < trend.seen_)
      trend.values_[Slot(trend.newest_ - static_cast<int64_t>(back), trend.values_.size())] = value;
  }
  const uint8_t has = in.U8();
  if ((has & 1) != 0) {
    Waiting waiting;
    waiting.from = in.I64();
    for (float* value : {&waiting.log_odds, &waiting.rise, &waiting.expected, &waiting.variance, &waiting.last})
      *value = in.F32();
    waiting.growth = static_cast<int8_t>(in.U8());
    waiting.cell = in.U8();
    trend.waiting_ = waiting;
  }
  trend.has_said_ = (has & 2) != 0;
  if (trend.has_said_) {
    trend.said_phase_ = static_cast<TrendPhase>(std::min<uint8_t>(in.U8(), static_cast<uint8_t>(TrendPhase::kFading)));
    trend.said_rise_ = in.F32();
    trend.said_at_ = in.I64();
  }
  TC_RETURN_IF_ERROR(in.Finish("a series's trend"));
  if (trend.waiting_ &&
      (trend.waiting_->growth < -1 || trend.waiting_->growth > 1 || trend.waiting_->cell >= TrendCalibration::kCells)) {
    return Status(Code::kCorruption, "a series's trend has a growth or a cell that is none");
  }
  return trend;
}

std::string SeriesTrend::Encode() const {
  ByteWriter out;
  out.U8(kFormat).Varint(static_cast<uint64_t>(horizon())).I64(newest_).F32(top_).Varint(seen_);
  // Only what there is: most series of a large shop that just opened are young.
  for (int64_t index = newest_ - seen_ + 1; index <= newest_; ++index) out.F32(values_[Slot(index, values_.size())]);
  out.U8(static_cast<uint8_t>((waiting_ ? 1 : 0) | (has_said_ ? 2 : 0)));
  if (waiting_) {
    out.I64(waiting_->from);
    for (const float value :
         {waiting_->log_odds, waiting_->rise, waiting_->expected, waiting_->variance, waiting_->last})
      out.F32(value);
    out.U8(static_cast<uint8_t>(waiting_->growth)).U8(waiting_->cell);
  }
  if (has_said_) out.U8(static_cast<uint8_t>(said_phase_)).F32(said_rise_).I64(said_at_);
  return out.Take();
}

double SeriesTrend::Sum(int back) const {
  double sum = 0;
  for (int i = 0; i < horizon(); ++i) {
    sum += static_cast<double>(values_[Slot(newest_ - back * horizon() - i, values_.size())]);
  }
  return sum;
}

std::optional<MaturedTrend> SeriesTrend::OnActual(int64_t index, float value, float between) {
  const auto length = static_cast<int64_t>(values_.size());
  if (seen_ > 0 && index <= newest_) *this = SeriesTrend(horizon());
  if (seen_ == 0) {
    seen_ = 1;
  } else {
    for (int64_t i = std::max(newest_ + 1, index - length + 1); i < index; ++i)
      values_[Slot(i, values_.size())] = between;
    seen_ = static_cast<uint32_t>(std::min(length, static_cast<int64_t>(seen_) + index - newest_));
  }
  newest_ = index;
  values_[Slot(index, values_.size())] = std::isfinite(value) ? value : kMissing;
  const double last = Sum(0);
  top_ *= static_cast<float>(std::exp2(-1 / (8.0 * horizon())));
  if (std::isfinite(last)) top_ = std::max(top_, static_cast<float>(last));
  if (!waiting_ || index < waiting_->from + horizon()) return std::nullopt;
  const Waiting said = *waiting_;
  waiting_.reset();
  if (index > said.from + horizon() || !std::isfinite(last)) return std::nullopt;
  MaturedTrend matured;
  matured.log_odds = said.log_odds;
  matured.rise = said.rise;
  matured.error = static_cast<float>(last) - said.expected;
  matured.variance = said.variance;
  matured.growth = said.growth;
  matured.cell = said.cell;
  matured.rose = last > static_cast<double>(said.last);
  return matured;
}

TrendPhase SeriesTrend::PhaseOf(const Trend& trend) const {
  if (!std::isfinite(trend.before)) return TrendPhase::kNew;
  const auto goes_on = [&](TrendPhase phase, double probability) {
    return probability >= kRisingFrom || (has_said_ && said_phase_ == phase && probability >= kRisingTo);
  };
  if (goes_on(TrendPhase::kRising, trend.rise)) return TrendPhase::kRising;
  if (!(trend.last > 0)) return TrendPhase::kSteady;
  const double fall = 1 - trend.rise;
  const bool is_high = trend.last >= kPeakOf * static_cast<double>(top_) && trend.last > kPeakGrowth * trend.before;
  if (is_high && goes_on(TrendPhase::kPeak, fall)) return TrendPhase::kPeak;
  return goes_on(TrendPhase::kFading, fall) ? TrendPhase::kFading : TrendPhase::kSteady;
}

std::optional<Trend> SeriesTrend::Next(ValueDomain domain, const SumMoments& moments,
                                       const TrendCalibration& calibration, uint64_t turn) {
  Trend trend;
  trend.last = Sum(0);
  trend.before = Sum(1);
  trend.expected = moments.mean;
  if (!std::isfinite(trend.last) || !std::isfinite(moments.mean) || !std::isfinite(moments.variance))
    return std::nullopt;
  const uint8_t cell = TrendCalibration::CellOf(trend.last, moments.mean, moments.variance);
  const SumLaw law(domain, moments, calibration.Inflation(cell));
  const double above = std::clamp(law.Above(trend.last), 1e-9, 1 - 1e-9);
  const double log_odds = std::clamp(std::log(above / (1 - above)), -kLogOddsMax, kLogOddsMax);
  trend.rise = calibration.Calibrated(cell, log_odds);
  trend.next = {law.Quantile(-kTenth), law.Quantile(0), law.Quantile(kTenth)};
  trend.acceleration = domain == ValueDomain::kReal
                           ? std::numeric_limits<double>::quiet_NaN()
                           : std::log1p(std::max(0.0, trend.expected)) - 2 * std::log1p(std::max(0.0, trend.last)) +
                                 std::log1p(std::max(0.0, trend.before));
  trend.phase = PhaseOf(trend);
  if (!waiting_ && Slot(newest_, values_.size() / 2) == turn % static_cast<uint64_t>(horizon())) {
    Waiting waiting;
    waiting.from = newest_;
    waiting.log_odds = static_cast<float>(log_odds);
    waiting.rise = static_cast<float>(trend.rise);
    waiting.expected = static_cast<float>(moments.mean);
    waiting.variance = static_cast<float>(moments.variance);
    waiting.last = static_cast<float>(trend.last);
    waiting.growth = static_cast<int8_t>(trend.last > trend.before ? 1 : trend.last < trend.before ? -1 : 0);
    waiting.cell = cell;
    waiting_ = waiting;
  }
  return trend;
}

bool SeriesTrend::IsNews(const Trend& trend) {
  const auto rise = static_cast<float>(trend.rise);
  if (has_said_ && trend.phase == said_phase_ && std::fabs(rise - said_rise_) < static_cast<float>(kNews) &&
      newest_ - said_at_ < horizon())
    return false;
  has_said_ = true;
  said_phase_ = trend.phase;
  said_rise_ = rise;
  said_at_ = newest_;
  return true;
}

}  // namespace tidecast
