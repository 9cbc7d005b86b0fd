#include "engine/app/backtest_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace tidecast {
namespace {

using Cells = std::vector<std::string>;

/// "-" where there is no figure; else three decimals as tables of the field have them: .682, 1.035, -.02.
std::string Short(double value, int decimals = 3) {
  if (!std::isfinite(value)) return "-";
  std::string text = fmt::format("{:.{}f}", value, decimals);
  const size_t zero = text.starts_with('-') ? 1 : 0;
  if (text.size() > zero + 1 && text[zero] == '0' && text[zero + 1] == '.') text.erase(zero, 1);
  return text;
}

std::string SmallProbability(double p) { return std::isfinite(p) ? (p < .001 ? "<.001" : Short(p)) : "-"; }

/// The first column stands left, all others right.
std::string Aligned(const std::vector<Cells>& rows, bool bold) {
  std::vector<size_t> widths;
  for (const Cells& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (size_t c = 0; c < rows[r].size(); ++c) {
      const size_t gap = widths[c] - rows[r][c].size();
      line += c == 0 ? rows[r][c] + std::string(gap, ' ') : std::string(gap + 2, ' ') + rows[r][c];
    }
    text += r == 0 && bold ? "\033[1m" + line + "\033[0m\n" : line + "\n";
  }
  return text;
}

Cells FigureCells(std::string title, const ScoreFigures& figures) {
  return {std::move(title),           Short(figures.wql),        Short(figures.wape),
          Short(figures.rmsse),       Short(figures.mase),       Short(figures.bias),
          Short(figures.cover[0], 2), Short(figures.cover[1]),   Short(figures.cover[2], 2),
          Short(figures.cover[3], 2), Short(figures.width80, 2), std::to_string(figures.forecasts)};
}

const Cells kHead = {"", "WQL", "WAPE", "RMSSE", "MASE", "bias", "50 %", "80 %", "90 %", "95 %", "width", "forecasts"};

}  // namespace

std::vector<Contestant> ContestantsOf(const BacktestReport& report) {
  std::vector<Contestant> contestants = {{"Tidecast", &report.table, nullptr}};
  for (const BaselineReport& baseline : report.baselines) {
    std::string title;
    if (baseline.best) title = "best single expert";
    if (baseline.seasonal_naive) title += (title.empty() ? "" : ", ") + std::string("seasonal naive");
    if (baseline.smoothing) title += (title.empty() ? "" : ", ") + std::string("smoothing x season");
    if (!title.empty())
      contestants.push_back({fmt::format("{} ({})", title, baseline.expert), &baseline.table, &baseline});
  }
  return contestants;
}

std::vector<ScorePart> PartsOf(const ScoreTable& table) {
  std::vector<ScorePart> parts;
  for (const auto& part : table.by_class) parts.push_back({"class", part.name, &part.figures});
  for (const auto& part : table.by_horizon) parts.push_back({"step", part.name, &part.figures});
  for (const auto& part : table.by_age) parts.push_back({"age", part.name, &part.figures});
  for (const auto& column : table.by_column) {
    parts.push_back({column.name, "on", &column.on});
    parts.push_back({column.name, "off", &column.off});
  }
  return parts;
}

std::string BacktestTable(const BacktestReport& report, bool bold) {
  std::vector<Cells> rows = {kHead};
  const bool compared = !report.baselines.empty();
  if (compared) rows[0].insert(rows[0].end(), {"CPU s", "DM t", "p"});
  for (const Contestant& contestant : ContestantsOf(report)) {
    Cells row = FigureCells(contestant.title, contestant.table->all);
    if (compared) {
      const BaselineReport* baseline = contestant.baseline;
      row.push_back(
          fmt::format("{:.1f}", baseline == nullptr ? report.summary.seconds_models : baseline->seconds_models));
      row.push_back(baseline == nullptr ? "" : Short(baseline->against.t, 2));
      row.push_back(baseline == nullptr ? "" : SmallProbability(baseline->against.p));
    }
    rows.push_back(std::move(row));
  }
  std::string text = Aligned(rows, bold);
  if (compared) {
    double seconds = 0;
    for (const BaselineReport& baseline : report.baselines) seconds += baseline.seconds_models;
    text += fmt::format(
        "DM: Diebold-Mariano, Tidecast against that line, below 0: Tidecast is better. Baselines: each of the {} "
        "experts alone,\n"
        "calibrated alike; together {:.1f} CPU seconds, {:.1f} times the model's own.\n",
        report.baselines.size(), seconds,
        report.summary.seconds_models > 0 ? seconds / report.summary.seconds_models : 0);
  }
  rows = {kHead};
  for (const ScorePart& part : PartsOf(report.table)) {
    rows.push_back(FigureCells(fmt::format("{} {}", part.group, part.name), *part.figures));
  }
  text += "\n" + Aligned(rows, bold);
  if (!report.seeds.empty()) {
    rows = {{"seeds", "median", "least", "most"}};
    for (const SeedSpread& spread : report.seeds) {
      rows.push_back({spread.figure, Short(spread.median, 4), Short(spread.min, 4), Short(spread.max, 4)});
    }
    text += "\n" + Aligned(rows, bold);
  }
  return text;
}

}  // namespace tidecast
