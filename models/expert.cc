#include "models/expert.h"

#include <array>

namespace tidecast {

float Expert::PresentLevel(const OneForecast& one) const {
  ForecastTarget plain = one.target;
  plain.factor = 1;
  std::array<float, kLevelCount> quantiles;
  float mean = 0, zero = 0;
  uint8_t awake = 0;
  const uint8_t row = 1;
  Expand(one.block, plain, one.block.scale, {&row, 1}, one.summary, one.pooled,
         {quantiles, {&mean, 1}, {&zero, 1}, {&awake, 1}});
  return awake != 0 ? mean : one.mean / one.target.factor;
}

}  // namespace tidecast
