#include "engine/app/summary.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace tidecast {

Summary Summarise(const Instance& instance) {
  Summary summary;
  summary.events = instance.counts();
  summary.forecasts = instance.forecasts();
  summary.alerts = instance.alerts();
  summary.wql = summary.wql_seasonal_naive = std::numeric_limits<double>::quiet_NaN();
  return summary;
}

std::string ToJson(const Summary& summary) {
  const auto figure = [](double value) { return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr); };
  nlohmann::ordered_json json = {{"events_read", summary.events.events_read},
                                       {"events_accepted", summary.events.events_accepted},
                                       {"returns", summary.events.returns},
                                       {"late_revised", summary.events.late_revised},
                                       {"too_late", summary.events.too_late},
                                       {"dead_lettered", summary.events.dead_lettered},
                                       {"duplicates", summary.events.duplicates},
                                       {"forecasts", summary.forecasts},
                                       {"alerts", summary.alerts},
                                       {"wql", figure(summary.wql)},
                                       {"wql_seasonal_naive", figure(summary.wql_seasonal_naive)},
                                       {"seconds", summary.seconds}};
  if (summary.interrupted) json["interrupted"] = true;
  return json.dump();
}

std::string ToWords(const Summary& summary) {
  std::string accuracy;
  if (std::isfinite(summary.wql)) {
    accuracy = fmt::format(", WQL {:.4f} (seasonal naive {:.4f})", summary.wql, summary.wql_seasonal_naive);
  }
  return fmt::format("events: {} read, {} accepted ({} returns, {} late), {} too late, {} dead letters, {} duplicates\nforecasts: {}{}\nalerts: {}\n",
                     summary.events.events_read, summary.events.events_accepted, summary.events.returns, summary.events.late_revised,
                     summary.events.too_late, summary.events.dead_lettered, summary.events.duplicates, summary.forecasts, accuracy, summary.alerts);
}

}  // namespace tidecast
