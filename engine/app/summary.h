#pragma once

#include <string>

#include "engine/runtime/instance.h"

namespace tidecast {

/// What a bounded run has done (SEMANTICS.md 2 and 8). Figures without a value are NaN and printed as null.
struct Summary {
  EventCounts events;
  int64_t forecasts = 0;
  int64_t alerts = 0;
  double wql;
  double wql_seasonal_naive;
  double seconds = 0;
  bool interrupted = false;  ///< a signal cut it short: said in the JSON only then
};

Summary Summarise(const Instance& instance);
std::string ToJson(const Summary& summary);
/// Three lines for a person: events, forecasts, alerts with their counts.
std::string ToWords(const Summary& summary);

}  // namespace tidecast
