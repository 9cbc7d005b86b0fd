#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "operators/audit_advice.h"

namespace tidecast {
namespace {

constexpr double kAlike = .95;      ///< correlation from which two columns say the same
constexpr double kTelling = 3;      ///< |t| from which a column is worth its place
constexpr double kIdle = 2;         ///< |t| below which it is not
constexpr double kPrincipal = .95;  ///< of the variance, for components
constexpr size_t kPairsShown = 5;

void Add(std::vector<Advice>* advice, AdviceWeight weight, std::string finding, std::string remedy) {
  advice->push_back({weight, std::move(finding), std::move(remedy)});
}

void AdviseOnAlikes(const CovariateAudit& columns, std::vector<Advice>* advice) {
  const size_t used = columns.used.size();
  size_t pairs = 0;
  std::string text;
  for (size_t a = 0; a < used; ++a) {
    for (size_t b = a + 1; b < used; ++b) {
      const double r = columns.correlations[a * used + b];
      if (std::fabs(r) < kAlike || pairs++ >= kPairsShown) continue;
      text += fmt::format("{}{} and {} ({:.3f})", text.empty() ? "" : ", ", columns.columns[columns.used[a]].name,
                          columns.columns[columns.used[b]].name, r);
    }
  }
  if (pairs == 0) return;
  if (pairs > kPairsShown) text += fmt::format(" and {} more pairs", pairs - kPairsShown);
  Add(advice, AdviceWeight::kLook, fmt::format("the same is said by {}, by their correlation", text),
      "keep one of each");
}

}  // namespace

void AdviseOnColumns(const CovariateAudit& columns, std::vector<Advice>* advice) {
  std::vector<std::string> telling, idle, constant;
  bool fitted = false;
  for (const auto& column : columns.columns) {
    if (column.constant) constant.push_back(column.name);
    if (!std::isfinite(column.t)) continue;
    fitted = true;
    if (std::fabs(column.t) >= kTelling) telling.push_back(column.name);
    if (std::fabs(column.t) < kIdle) idle.push_back(column.name);
  }
  if (!telling.empty()) {
    Add(advice, AdviceWeight::kLook,
        fmt::format("more than the past is told by {} (|t| of {} or more)", fmt::join(telling, ", "), kTelling),
        fmt::format("--known {} where it is known ahead, else --past", fmt::join(telling, ",")));
  }
  AdviseOnAlikes(columns, advice);
  if (columns.used.size() > 0 && !fitted) {
    Add(advice, AdviceWeight::kLook,
        "no column could be tested: they depend on one another exactly, or too few rows have all",
        "leave out columns that follow from others, or are mostly empty");
  }
  if (!idle.empty()) {
    Add(advice, AdviceWeight::kNote,
        fmt::format("nothing is added to the past by {} (|t| below {})", fmt::join(idle, ", "), kIdle), "leave it out");
  }
  if (!constant.empty()) {
    Add(advice, AdviceWeight::kNote, fmt::format("never changing within a series: {}", fmt::join(constant, ", ")),
        fmt::format("--static {}, if at all", fmt::join(constant, ",")));
  }
  if (columns.used.size() < 3) return;
  double share = 0;
  size_t count = 0;
  while (count < columns.components.shares.size() && share < kPrincipal) share += columns.components.shares[count++];
  if (count < columns.used.size()) {
    Add(advice, AdviceWeight::kNote,
        fmt::format("{} hold {:.0f} % of what {} columns say",
                    Many(count, "principal component", "principal components"), 100 * share, columns.used.size()),
        "fewer columns would do");
  }
}

}  // namespace tidecast
