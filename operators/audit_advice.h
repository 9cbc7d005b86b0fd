#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "operators/series_audit.h"

namespace tidecast {

/// What it costs to leave it: forecasts are refused or wrong; forecasts are worse, or a figure misleads; nothing.
enum class AdviceWeight : uint8_t { kFix, kLook, kNote };

struct Advice {
  AdviceWeight weight = AdviceWeight::kNote;
  std::string finding;
  std::string remedy;
};

/// What the rows came from: the remedies are flags of `tidecast backtest`, or keys of a config.
enum class AuditSource : uint8_t { kSeriesFile, kOrders };

/// What an audit's figures mean for who wants to forecast, the weightiest first.
std::vector<Advice> AdviceOf(const SeriesAudit& audit, AuditSource source);

/// The part of it on the columns beside the target, added as it comes.
void AdviseOnColumns(const CovariateAudit& columns, std::vector<Advice>* advice);

/// "1 row has", "2 rows have".
std::string Many(size_t count, std::string_view one, std::string_view more);

/// By weight; among equals as they came.
void SortByWeight(std::vector<Advice>* advice);

}  // namespace tidecast
