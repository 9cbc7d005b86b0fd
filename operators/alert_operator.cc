// One closed bucket of one series:
//   1. measure   surprise of the tail in each direction, effect as ratio and absolute
//   2. go on     an alert that fires stays (hysteresis: exit_factor of each entry), is published again, or resolves
//   3. fire      an idle series (or one that has just resolved in the other direction) whose bucket passes every entry
#include "operators/alert_operator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/hash.h"
#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kStateVersion = 1;
constexpr double kSurpriseMax = 300;

/// What is kept of a series: FORMAT 1, little-endian, 39 bytes:
/// u8 version, u8 flags (1 firing, 2 high), u32 episodes high, u32 episodes low, u32 revision, u8 severity,
/// f64 published effect, i64 starts_at, i64 end of the last bucket that was seen firing.
struct SeriesAlertState {
  bool firing = false;
  bool high = false;
  uint32_t episodes_high = 0;
  uint32_t episodes_low = 0;
  uint32_t revision = 0;
  uint8_t severity = 0;
  double published_effect = 0;
  EventTime starts_at;
  EventTime last_end;

  uint32_t& episodes() { return high ? episodes_high : episodes_low; }
};

std::string Encode(const SeriesAlertState& state) {
  ByteWriter out;
  out.U8(kStateVersion).U8(static_cast<uint8_t>((state.firing ? 1 : 0) | (state.high ? 2 : 0)));
  out.U32(state.episodes_high).U32(state.episodes_low).U32(state.revision).U8(state.severity);
  out.F64(state.published_effect).Time(state.starts_at).Time(state.last_end);
  return out.Take();
}

SeriesAlertState Decode(std::string_view bytes) {
  SeriesAlertState state;
  if (bytes.empty()) return state;
  ByteReader in(bytes);
  TC_CHECK_EQ(in.U8(), kStateVersion, "an alert state of another version");
  const uint8_t flags = in.U8();
  state.firing = (flags & 1) != 0;
  state.high = (flags & 2) != 0;
  state.episodes_high = in.U32();
  state.episodes_low = in.U32();
  state.revision = in.U32();
  state.severity = in.U8();
  state.published_effect = in.F64();
  state.starts_at = in.Time();
  state.last_end = in.Time();
  TC_CHECK(in.AtEnd(), "an alert state of {} bytes", bytes.size());
  return state;
}

std::string_view NameOf(bool high) { return high ? "DemandAboveForecast" : "DemandBelowForecast"; }

/// A closed bucket against its forecast, in one direction.
struct Measure {
  double tail = 1;
  double surprise = 0;
  double effect_absolute = 0;  ///< in the direction: negative when the bucket went the other way
  double ratio = 1;  ///< in the direction, at least 1 when it went this way; infinite where it cannot be formed
};

Measure MeasureTowards(const BucketScore& score, bool high) {
  Measure m;
  const double observed = score.actual;
  const double expected = score.expected;
  m.tail = high ? score.tail_high : score.tail_low;
  m.surprise = AlertOperator::Surprise(m.tail);
  m.effect_absolute = high ? observed - expected : expected - observed;
  const double above = high ? observed : expected;
  const double below = high ? expected : observed;
  m.ratio = below > 0 ? above / below : std::numeric_limits<double>::infinity();
  return m;
}

bool Passes(const AlertOptions& options, const Measure& m, double factor) {
  const double ratio_min = 1 + (options.effect_ratio_min - 1) * factor;
  return m.surprise >= AlertOperator::Surprise(options.tail_probability) * factor && m.effect_absolute > 0 &&
         m.effect_absolute >= options.effect_absolute_min * factor && m.ratio >= ratio_min;
}

/// Two steps for surprise, one for the effect: info 9, warning 13, error 17, critical 21.
uint8_t Severity(const AlertOptions& options, const Measure& m) {
  const double entry = AlertOperator::Surprise(options.tail_probability);
  int step = 0;
  if (m.surprise >= 1.5 * entry) ++step;
  if (m.surprise >= 2.5 * entry) ++step;
  if (m.effect_absolute >= 5 * options.effect_absolute_min) ++step;
  return static_cast<uint8_t>(9 + 4 * step);
}

}  // namespace

AlertOperator::StateView AlertOperator::Look(std::string_view state) {
  const SeriesAlertState s = Decode(state);
  return {s.firing, s.high, s.episodes_high, s.episodes_low, s.revision, s.starts_at};
}

double AlertOperator::Surprise(double tail_probability) {
  if (!(tail_probability > 0)) return kSurpriseMax;
  return std::clamp(-std::log10(tail_probability), 0.0, kSurpriseMax);
}

void AlertOperator::OnScores(EventTime bucket_start, EventTime bucket_end, std::span<const BucketScore> scores,
                             std::span<const uint32_t> age_buckets, std::span<std::string> states,
                             std::vector<Alert>* out) const {
  TC_CHECK_EQ(scores.size(), age_buckets.size());
  TC_CHECK_EQ(scores.size(), states.size());
  if (!options_.enabled) return;
  for (size_t i = 0; i < scores.size(); ++i) {
    const BucketScore& score = scores[i];
    if (!score.has_forecast || !std::isfinite(score.actual) || !std::isfinite(score.expected)) continue;
    if (states[i].empty() && age_buckets[i] < static_cast<uint32_t>(std::max(0, options_.age_buckets_min))) continue;
    // 1. measure
    const Measure up = MeasureTowards(score, true);
    const Measure down = MeasureTowards(score, false);
    const bool fires_up = Passes(options_, up, 1);
    const bool fires_down = Passes(options_, down, 1);
    if (states[i].empty() && !fires_up && !fires_down) continue;

    SeriesAlertState state = Decode(states[i]);
    const auto publish = [&](const Measure& m, bool firing) {
      Alert alert;
      alert.name = NameOf(state.high);
      alert.use_case = options_.use_case;
      alert.series = score.series;
      alert.view = view_;
      alert.high = state.high;
      alert.firing = firing;
      alert.fingerprint =
          fmt::format("{:016x}", Hash64(fmt::format("{}\x1f{}\x1f{}\x1f{}\x1f{}", alert.name, alert.use_case,
                                                    alert.view, alert.series, state.high ? "high" : "low")));
      alert.episode = state.episodes();
      alert.revision = state.revision;
      alert.id = fmt::format("{}/{}/{}", alert.fingerprint, alert.episode, alert.revision);
      alert.severity_number = state.severity;
      alert.bucket_start = bucket_start;
      alert.bucket_end = bucket_end;
      alert.starts_at = state.starts_at;
      alert.ends_at = firing ? EventTime::Min() : state.last_end;
      alert.observed = score.actual;
      alert.expected = score.expected;
      alert.quantiles.assign(score.quantiles.begin(), score.quantiles.end());
      alert.tail_probability = m.tail;
      alert.effect_ratio = score.expected > 0 ? static_cast<double>(score.actual) / static_cast<double>(score.expected)
                                              : std::numeric_limits<double>::quiet_NaN();
      alert.effect_absolute = static_cast<double>(score.actual) - static_cast<double>(score.expected);
      out->push_back(std::move(alert));
    };

    // 2. go on
    if (state.firing) {
      const Measure& m = state.high ? up : down;
      if (Passes(options_, m, options_.exit_factor)) {
        state.last_end = bucket_end;
        const uint8_t severity = Severity(options_, m);
        if (severity > state.severity || m.effect_absolute >= 2 * state.published_effect) {
          state.severity = std::max(state.severity, severity);
          state.published_effect = m.effect_absolute;
          ++state.revision;
          publish(m, true);
        }
        states[i] = Encode(state);
        continue;
      }
      ++state.revision;
      publish(m, false);
      state.firing = false;
    }
    // 3. fire
    if ((fires_up || fires_down) && age_buckets[i] >= static_cast<uint32_t>(std::max(0, options_.age_buckets_min))) {
      state.high = fires_up;
      const Measure& m = state.high ? up : down;
      state.firing = true;
      ++state.episodes();
      state.revision = 1;
      state.severity = Severity(options_, m);
      state.published_effect = m.effect_absolute;
      state.starts_at = bucket_start;
      state.last_end = bucket_end;
      publish(m, true);
    }
    states[i] = Encode(state);
  }
}

}  // namespace tidecast
