#pragma once

#include <string>
#include <vector>

namespace tidecast {

/// Why the mean of a forecast is what it is: parts that add up to it, each the difference that one more thing makes
/// (README.md, "Explanations"), and which experts said so. The calibrators move quantiles and not the mean, so no part
/// is theirs.
struct Explanation {
  struct Column {
    std::string name;
    float part = 0;
  };
  struct Voice {
    std::string expert;
    float weight = 0;
    float mean = 0;  ///< what it forecasts alone
  };
  float mean = 0;              ///< as published
  float level = 0;             ///< discounted mean of the values that the series has kept, without their season
  float recent = 0;            ///< what the newest values add
  float season = 0;            ///< what the target's place in the season adds
  std::vector<Column> known;   ///< what each column known ahead adds by not being as it usually is
  float net = 0;               ///< what the net adds; 0 without one, and of reals
  std::vector<Voice> experts;  ///< those with a weight; weights sum to 1, weight x mean to `mean` less the net's part

  double Sum() const {
    double sum = static_cast<double>(level) + recent + season + net;
    for (const Column& column : known) sum += static_cast<double>(column.part);
    return sum;
  }
};

}  // namespace tidecast
