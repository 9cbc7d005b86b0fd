#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/autoregression_expert.h"
#include "models/calendar_experts.h"
#include "models/count_table_expert.h"
#include "models/empirical_expert.h"
#include "models/expert.h"
#include "models/holt_winters_expert.h"
#include "models/intermittent_expert.h"
#include "models/negative_binomial_expert.h"
#include "models/point_expert.h"
#include "models/rls_expert.h"

namespace tidecast {
namespace {

bool HasSeason(const PoolShape& shape, int season) {
  return std::find(shape.season_lengths.begin(), shape.season_lengths.end(), season) != shape.season_lengths.end();
}

/// Direct regressions on the newest values: of hourly series with the mean day or the hour, of finer ones too on the
/// last 48, of coarser ones on the last eight.
void AddRls(const PoolShape& shape, std::vector<std::unique_ptr<Expert>>* all) {
  const auto add = [&](std::string_view name, RlsExpert::Shape rls) {
    rls.horizon = shape.horizon;
    if (!RlsExpert::Fits(rls)) return;
    all->push_back(std::make_unique<RlsExpert>(fmt::format("{}_{}_{}", name, rls.lags, std::lround(rls.memory * 10000)),
                                               shape.domain, rls));
  };
  const int day = HasSeason(shape, 24) ? 24 : 0;
  const NestedSeasons seasons(shape.season_lengths);
  const int lags = day > 0 || (seasons.cycles() > 1 && seasons.first() > 24) ? 48 : 8;
  for (const double memory : {1.0, .9995, .998}) add("rls", {.memory = memory, .lags = lags, .day = day});
  if (day == 0) return;
  add("rls_hour", {.memory = 1, .lags = 24, .day = day, .season = RlsExpert::Season::kHour});
  add("rls_hour", {.memory = .998, .lags = 12, .day = day, .season = RlsExpert::Season::kHour, .week = true});
}

/// Experts that do not earn their place beside the table of counts, of reals beside the regressions (README.md), but
/// may be asked for.
bool OnlyByName(const PoolShape& shape, std::string_view name) {
  if (shape.domain == ValueDomain::kReal) {
    const bool shorter = name == "rls_48_9995" || name == "rls_48_9980";
    return name == "autoregression" || (name.starts_with("holt_winters_") && name != "holt_winters_24") ||
           (shorter && HasSeason(shape, 24));
  }
  if (CalendarExpert::Fits(NestedSeasons(shape.season_lengths), shape.horizon) &&
      name == fmt::format("profile_{}", shape.season_lengths[0])) {
    return true;
  }
  return name == "smoothing_5" || name == "tsb" || name == "sba" || name == "negative_binomial_900" ||
         name == "negative_binomial_970";
}

}  // namespace

std::vector<std::unique_ptr<Expert>> MakeExperts(const PoolShape& shape, const std::vector<std::string>& names) {
  const ValueDomain domain = shape.domain;
  std::vector<std::unique_ptr<Expert>> all;
  all.push_back(std::make_unique<PersistenceExpert>(domain));
  for (const int season : shape.season_lengths) {
    if (season > 1 && season < kHistory) all.push_back(std::make_unique<SeasonalNaiveExpert>(domain, season));
  }
  for (const int season : shape.season_lengths) {
    if (season > 1 && season <= kHistory / 4) all.push_back(std::make_unique<ProfileExpert>(domain, season));
  }
  if (const NestedSeasons seasons(shape.season_lengths); CalendarExpert::Fits(seasons, shape.horizon)) {
    if (domain == ValueDomain::kReal) {
      all.push_back(std::make_unique<CalendarOffsetExpert>(seasons, shape.horizon));
    } else {
      all.push_back(std::make_unique<CalendarProfileExpert>(domain, seasons, shape.horizon));
    }
  }
  all.push_back(std::make_unique<SmoothingExpert>("smoothing_5", domain, .05F));
  all.push_back(std::make_unique<SmoothingExpert>("smoothing_20", domain, .2F));
  all.push_back(std::make_unique<EmpiricalExpert>("empirical_930", domain, .93F));
  all.push_back(std::make_unique<EmpiricalExpert>("empirical_960", domain, .96F));
  all.push_back(std::make_unique<EmpiricalExpert>("empirical_985", domain, .985F));
  if (domain != ValueDomain::kReal) {
    all.push_back(std::make_unique<IntermittentExpert>(domain, IntermittentExpert::Rule::kTsb));
    all.push_back(std::make_unique<IntermittentExpert>(domain, IntermittentExpert::Rule::kSba));
    all.push_back(std::make_unique<NegativeBinomialExpert>("negative_binomial_900", .9F));
    all.push_back(std::make_unique<NegativeBinomialExpert>("negative_binomial_970", .97F));
    all.push_back(std::make_unique<CountTableExpert>("count_table_800", .8F, .5F));
    all.push_back(std::make_unique<CountTableExpert>("count_table_970", .97F, .8F));
    all.push_back(CountTableExpert::OfLaunches("launch_table", .97F));
  }
  bool seasonal = false;
  for (const int season : shape.season_lengths) {
    if (season < 2 || season > HoltWintersExpert::kSeasonMax) continue;
    all.push_back(std::make_unique<HoltWintersExpert>(domain, season, shape.horizon));
    seasonal = true;
  }
  if (!seasonal) all.push_back(std::make_unique<HoltWintersExpert>(domain, 1, shape.horizon));
  if (domain == ValueDomain::kReal) {
    all.push_back(std::make_unique<AutoregressionExpert>(domain));
    AddRls(shape, &all);
  }
  std::erase_if(all, [&](const std::unique_ptr<Expert>& expert) {
    if (names.empty()) return OnlyByName(shape, expert->name());
    return std::find(names.begin(), names.end(), expert->name()) == names.end();
  });
  return all;
}

}  // namespace tidecast
