#include "operators/audit_advice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace tidecast {
namespace {

constexpr double kSeasonal = .1;   ///< strength of a season worth naming
constexpr double kStronger = .05;  ///< by which a longer season must be stronger

/// Gathers advice on one audit.
class Adviser {
 public:
  Adviser(const SeriesAudit& audit, AuditSource source) : audit_(audit), orders_(source == AuditSource::kOrders) {}

  std::vector<Advice> Gather() {
    AdviseOnRows();
    AdviseOnCalendar();
    AdviseOnValues();
    AdviseOnShape();
    AdviseOnSeasons();
    AdviseOnColumns(audit_.covariates, &advice_);
    SortByWeight(&advice_);
    return std::move(advice_);
  }

 private:
  void Add(AdviceWeight weight, std::string finding, std::string remedy) {
    advice_.push_back({weight, std::move(finding), std::move(remedy)});
  }

  void AdviseOnRows() {
    if (audit_.duplicates == 0) return;
    Add(AdviceWeight::kFix,
        fmt::format("{} a second time, {} of them with another value ({})",
                    Many(audit_.duplicates, "row stands", "rows stand"), audit_.conflicting, audit_.duplicate_example),
        "keep one row a series and time, or add them up; `tidecast backtest` refuses the file as it is");
  }

  void AdviseOnCalendar() {
    if (audit_.off_step > 0) {
      Add(AdviceWeight::kLook,
          fmt::format("{} not lie on the steps from {}", Many(audit_.off_step, "time does", "times do"), audit_.first),
          "name the right step with --freq, or add the rows up to it");
    }
    if (audit_.calendar_gaps > 0) {
      Add(AdviceWeight::kLook,
          fmt::format("{} no row of any series, e.g. {}", Many(audit_.calendar_gaps, "step has", "steps have"),
                      audit_.gap_example),
          orders_
              ? "if the shop was closed, name these days in bucket.holidays of the view; if data are lost, get them: "
                "they would be learned as days without sales"
              : "if the shop was closed, keep --calendar observed; if data are lost, take --calendar regular");
    }
    if (!audit_.closed_weekdays.empty()) {
      Add(AdviceWeight::kNote, fmt::format("no row on any {}", fmt::join(audit_.closed_weekdays, " or ")),
          orders_ ? "set bucket.open: learned in the view, so that such days do not count as days without sales"
                  : "keep --calendar observed: a week then has its open days only");
    }
  }

  void AdviseOnValues() {
    const SeriesTotals& totals = audit_.totals;
    if (totals.missing > 0) {
      Add(AdviceWeight::kLook,
          fmt::format("{:.1f} % of the values are missing inside the series ({})",
                      100 * static_cast<double>(totals.missing) / static_cast<double>(totals.cells), totals.missing),
          "if no row means no sales, take --fill zero; else leave them out: a missing value teaches nothing wrong");
    }
    if (totals.negatives > 0) {
      Add(AdviceWeight::kLook, fmt::format("{} below 0", Many(totals.negatives, "value is", "values are")),
          "if they are returns, give demand without them: with a single one forecasts may fall below 0, too");
    }
    if (totals.with_leading_zeros > 0) {
      Add(AdviceWeight::kLook,
          fmt::format("{} with a long run of zeros", Many(totals.with_leading_zeros, "series begins", "series begin")),
          "leave out rows from before a product's launch: they are learned as days without demand");
    }
    if (totals.outliers > 0) {
      Add(AdviceWeight::kLook,
          fmt::format("{} of {} series far outside of the usual (robust z beyond {})",
                      Many(totals.outliers, "value", "values"), totals.with_outliers, SeriesFinding::kOutlierZ),
          orders_
              ? "see that the largest are no slips of a key; give promotions as inputs.promotions, so that they are "
                "known ahead"
              : "see that the largest are no slips of a key; give a cause that is known ahead (promotion, contract) "
                "as a column, with --known");
    }
    if (totals.young > 0) {
      Add(AdviceWeight::kNote, fmt::format("{} 14 buckets or fewer", Many(totals.young, "series has", "series have")),
          "their first forecasts lean on what all series share");
    }
  }

  void AdviseOnShape() {
    const SeriesTotals& totals = audit_.totals;
    const size_t sparse = totals.classes[2] + totals.classes[3];
    if (sparse > 0 && totals.negatives == 0) {
      Add(AdviceWeight::kNote,
          fmt::format("{} of {} series sell rarely (intermittent or lumpy)", sparse, audit_.series),
          "judge by WQL, RMSSE and bias: by MAE, MAPE, WAPE or MASE alone a forecast of zero wins");
    }
    if (std::isfinite(totals.load_step)) {
      Add(AdviceWeight::kNote,
          fmt::format("the series are next to never 0 and move by {:.0f} % of themselves an hour: loads, not sales",
                      100 * totals.load_step),
          "`tidecast backtest` takes the experts of reals by itself; for `run` set domain: real in the view (more "
          "state a series, and forecasts may then fall below 0)");
    }
    const size_t steady = totals.levels[0], wandering = totals.levels[1], unclear = totals.levels[2];
    if (wandering > steady + unclear) {
      Add(AdviceWeight::kNote,
          fmt::format("the level wanders in {} of {} series (ADF finds a unit root, KPSS no fixed level)", wandering,
                      steady + wandering + unclear),
          "old history tells little: a short one is enough");
    }
  }

  void AdviseOnSeasons() {
    const std::vector<double>& strength = audit_.totals.seasonality;
    size_t best = strength.size();
    double natural = 0;
    for (size_t s = 0; s < strength.size(); ++s) {
      if (!std::isfinite(strength[s])) continue;
      if (best == strength.size() || strength[s] > strength[best]) best = s;
      if (audit_.seasons[s].natural) natural = std::max(natural, strength[s]);
    }
    if (best == strength.size()) {
      Add(AdviceWeight::kNote, "the series are too short to tell a season", "gather two of each at the least");
    } else if (strength[best] < kSeasonal) {
      Add(AdviceWeight::kNote,
          fmt::format("no season is strong in the median series (that of {} buckets: {:.2f} of 1)",
                      audit_.seasons[best].buckets, strength[best]),
          "levels and columns will tell more than the calendar");
    } else if (!audit_.seasons[best].natural && strength[best] > natural + kStronger && !orders_) {
      std::string all;
      for (const Season& season : audit_.seasons) {
        if (season.natural) all += fmt::format("{} ", season.buckets);
      }
      Add(AdviceWeight::kLook,
          fmt::format("a season of {} buckets tells more than those taken by themselves ({:.2f} against {:.2f} of 1)",
                      audit_.seasons[best].buckets, strength[best], natural),
          fmt::format("--season {}{}", all, audit_.seasons[best].buckets));
    }
  }

  const SeriesAudit& audit_;
  const bool orders_;
  std::vector<Advice> advice_;
};

}  // namespace

std::vector<Advice> AdviceOf(const SeriesAudit& audit, AuditSource source) { return Adviser(audit, source).Gather(); }

std::string Many(size_t count, std::string_view one, std::string_view more) {
  return fmt::format("{} {}", count, count == 1 ? one : more);
}

void SortByWeight(std::vector<Advice>* advice) {
  std::stable_sort(advice->begin(), advice->end(),
                   [](const Advice& a, const Advice& b) { return a.weight < b.weight; });
}

}  // namespace tidecast
