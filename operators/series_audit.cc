// The audit in steps: 1. the calendar of the file (steps, gaps, closed weekdays); 2. dense values by series, rows that
// come twice told; 3. each series by itself (series_finding.cc); 4. the columns beside the target (covariate_audit.cc).
#include "operators/series_audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "operators/pool_choice.h"
#include "operators/series_seasons.h"

namespace tidecast {
namespace {

bool IsOpen(const std::vector<int32_t>& weekdays, int32_t day) {
  return std::find(weekdays.begin(), weekdays.end(), day) != weekdays.end();
}

/// Seasons beside the natural ones: a month and a year of days, a month of weeks, a quarter of months.
std::vector<int> FurtherSeasons(SeriesFrequency frequency, int week) {
  if (frequency == SeriesFrequency::kDay) return {week * 52 / 12, week * 52};
  if (frequency == SeriesFrequency::kWeek) return {4};
  if (frequency == SeriesFrequency::kMonth) return {3};
  return {};
}

void LookAtCalendar(const std::vector<int64_t>& seconds, const std::vector<std::string>& labels, SeriesAudit* audit) {
  audit->buckets = seconds.size();
  audit->first = labels.front();
  audit->last = labels.back();
  std::vector<int32_t> weekdays;
  if (audit->frequency == SeriesFrequency::kDay) {
    weekdays = OpenWeekdays(seconds);
    constexpr std::array<const char*, 7> kNames = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                   "Friday", "Saturday", "Sunday"};
    for (int32_t day = 0; day < 7; ++day) {
      if (!IsOpen(weekdays, day) && seconds.size() > 7)
        audit->closed_weekdays.emplace_back(kNames[static_cast<size_t>(day)]);
    }
  }
  const std::set<int64_t> there(seconds.begin(), seconds.end());
  size_t on_step = 0;
  constexpr int64_t kSteps = 20'000'000;
  for (int64_t k = 0; k < kSteps; ++k) {
    const int64_t at = StepsAfter(seconds.front(), k, audit->frequency);
    if (at > seconds.back()) break;
    const bool closed = !audit->closed_weekdays.empty() && !IsOpen(weekdays, WeekdayOf(at));
    if (there.contains(at)) {
      ++on_step;
    } else if (!closed) {
      if (audit->calendar_gaps++ == 0) audit->gap_example = TimeLabel(at, labels.front());
    }
  }
  audit->off_step = seconds.size() - on_step;
  const std::vector<int> natural = NaturalSeasons(audit->frequency, weekdays.size());
  std::vector<int> candidates = natural;
  for (const int more : FurtherSeasons(audit->frequency, static_cast<int>(weekdays.size()))) candidates.push_back(more);
  std::sort(candidates.begin(), candidates.end());
  for (const int season : candidates) {
    if (season < 2) continue;
    audit->seasons.push_back({season, std::find(natural.begin(), natural.end(), season) != natural.end(),
                              SeasonPhases(audit->frequency, seconds, weekdays, season)});
  }
}

SeriesTotals TotalsOf(const SeriesAudit& audit) {
  constexpr size_t kYoung = 14;
  constexpr size_t kLongZeros = 15;  // a run that chance does not explain
  SeriesTotals totals;
  double volume = 0;
  std::vector<std::vector<double>> strengths(audit.seasons.size());
  double step_sum = 0;
  size_t stepping = 0;
  for (const SeriesFinding& finding : audit.findings) {
    totals.cells += finding.buckets;
    totals.missing += finding.missing;
    totals.zeros += finding.zeros;
    totals.negatives += finding.negatives;
    totals.outliers += finding.outliers.size();
    totals.with_outliers += finding.outliers.empty() ? 0 : 1;
    totals.with_leading_zeros += finding.leading_zeros >= kLongZeros ? 1 : 0;
    totals.young += finding.buckets <= kYoung ? 1 : 0;
    ++totals.levels[static_cast<size_t>(finding.level())];
    ++totals.classes[finding.demand_class];
    const double sold = std::isfinite(finding.mean)
                            ? std::fabs(finding.mean) * static_cast<double>(finding.buckets - finding.missing)
                            : 0;
    totals.volume[finding.demand_class] += sold;
    volume += sold;
    if (finding.buckets - finding.missing > kLoadStepsMin && std::isfinite(finding.step)) {
      step_sum += finding.step;
      ++stepping;
    }
    for (size_t p = 0; p < strengths.size(); ++p) {
      if (std::isfinite(finding.seasonality[p])) strengths[p].push_back(finding.seasonality[p]);
    }
  }
  for (double& share : totals.volume) share = volume > 0 ? share / volume : 0;
  const size_t values = totals.cells - totals.missing;
  const bool loads = audit.frequency == SeriesFrequency::kHour && totals.negatives == 0 && values > 0 &&
                     AreLoads(static_cast<double>(totals.zeros) / static_cast<double>(values), step_sum, stepping);
  totals.load_step = loads ? step_sum / static_cast<double>(stepping) : std::numeric_limits<double>::quiet_NaN();
  for (std::vector<double>& of : strengths) totals.seasonality.push_back(MedianOf(std::move(of)));
  return totals;
}

}  // namespace

Result<SeriesAudit> AuditSeries(const SeriesRows& rows, const std::string& frequency) {
  SeriesAudit audit;
  audit.rows = rows.rows.size();
  audit.series = rows.names.size();
  std::map<int64_t, std::string> calendar;
  for (size_t i = 0; i < rows.times.size(); ++i) calendar.emplace(rows.seconds[i], rows.times[i]);
  if (calendar.empty()) return Status(Code::kData, "there is no row to look at", Domain::kInput);
  std::vector<int64_t> seconds;
  std::vector<std::string> labels;
  for (const auto& [at, label] : calendar) {
    seconds.push_back(at);
    labels.push_back(label);
  }
  TC_ASSIGN_OR_RETURN(
      audit.frequency,
      FrequencyOf(frequency == "auto" && !rows.frequency.empty() ? rows.frequency : frequency, seconds));
  LookAtCalendar(seconds, labels, &audit);

  const size_t buckets = seconds.size();
  std::vector<float> values(rows.names.size() * buckets, std::numeric_limits<float>::quiet_NaN());
  std::vector<size_t> row_at(values.size(), SIZE_MAX);
  size_t last = 0;
  bool any = false;
  for (size_t r = 0; r < rows.rows.size(); ++r) {
    const SeriesRows::Row& row = rows.rows[r];
    const auto t =
        static_cast<size_t>(std::lower_bound(seconds.begin(), seconds.end(), rows.seconds[row.time]) - seconds.begin());
    const size_t at = row.name * buckets + t;
    if (row_at[at] != SIZE_MAX) {
      if (audit.duplicates++ == 0)
        audit.duplicate_example =
            fmt::format("line {}: {} at {}", row.line, rows.names[row.name], rows.times[row.time]);
      const float first = values[at];
      if (!(row.value == first || (std::isnan(row.value) && std::isnan(first)))) ++audit.conflicting;
      continue;
    }
    row_at[at] = r;
    values[at] = row.value;
    if (std::isfinite(row.value)) {
      last = any ? std::max(last, t) : t;
      any = true;
    }
  }
  if (!any) return Status(Code::kData, "no row has a value", Domain::kInput);

  std::vector<size_t> order(rows.names.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rows.names[a] < rows.names[b]; });
  std::vector<Season> seasons = audit.seasons;
  for (Season& season : seasons) season.phases.resize(last + 1);
  for (const size_t s : order) {
    size_t first = 0;
    while (first < buckets && row_at[s * buckets + first] == SIZE_MAX) ++first;
    const size_t length = first > last ? 0 : last + 1 - first;
    audit.findings.push_back(LookAtSeries(rows.names[s], std::span(values).subspan(s * buckets + first, length),
                                          std::span(labels).subspan(first, length), seasons));
  }
  audit.totals = TotalsOf(audit);
  audit.covariates = AuditCovariates(rows, values, row_at, buckets,
                                     audit.seasons.empty() ? 1 : static_cast<size_t>(audit.seasons[0].buckets));
  return audit;
}

}  // namespace tidecast
