#pragma once

#include <string>

#include "operators/backtest.h"

namespace tidecast {

/// The contestants of a comparison that people ask for, the whole model first: (title, figures, baseline or null).
struct Contestant {
  std::string title;
  const ScoreTable* table = nullptr;
  const BaselineReport* baseline = nullptr;  ///< null: the whole model
};
std::vector<Contestant> ContestantsOf(const BacktestReport& report);

/// The parts of a report that a table shows, in order: (title of the group, name, figures).
struct ScorePart {
  std::string group;
  std::string name;
  const ScoreFigures* figures = nullptr;
};
std::vector<ScorePart> PartsOf(const ScoreTable& table);

/// The figures of a backtest as aligned text: the model beside its baselines, then by class, horizon, age and column.
/// `bold`: heads stand out (for a terminal).
std::string BacktestTable(const BacktestReport& report, bool bold);

}  // namespace tidecast
