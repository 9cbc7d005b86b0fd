#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace tidecast {

struct StationarityTest {
  double statistic = 0;
  double p = 1;
  size_t lags = 0;
};

/// Augmented Dickey-Fuller test with a constant; a small p speaks against a unit root. Lags by AIC, at most
/// 12 (n / 100)^(1/4). Nothing for a constant series or one that is too short.
/// Source: Said & Dickey 1984; p-values: MacKinnon 1994, Table 3 and 4 (constant, one variable).
std::optional<StationarityTest> AugmentedDickeyFuller(std::span<const double> y);

/// KPSS test about a constant level; a small p speaks against stationarity. p lies in [.01, .1], as far as the table of
/// critical values goes. Lags by Hobijn, Franses & Ooms 1998. Nothing for a constant series or one that is too short.
/// Source: Kwiatkowski, Phillips, Schmidt & Shin 1992.
std::optional<StationarityTest> Kpss(std::span<const double> y);

}  // namespace tidecast
