#include "operators/backtest.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <sstream>
#include <string>

#include "engine/core/hash.h"
#include "operators/series_table.h"

namespace tidecast {
namespace {

class BacktestTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* source = std::getenv("TIDECAST_SOURCE_DIR");
    options_.series_path =
        std::string(source == nullptr ? "." : source) + "/tests/unit/operators/data/online_retail_8.csv";
    options_.out_directory = testing::TempDir() + "backtest_" + std::to_string(getpid());
    options_.frequency = "1d";
    options_.horizon = 3;
    options_.warmup = 100;
    options_.full_windows = true;
    options_.forecaster.net = NetKind::kNone;
  }
  void TearDown() override { std::filesystem::remove_all(options_.out_directory); }
  BacktestReport Run() {
    Result<BacktestReport> report = RunBacktest(options_);
    EXPECT_TRUE(report.ok()) << report.status().message();
    return report.ok() ? std::move(report).value() : BacktestReport();
  }
  std::string File(const std::string& name) const {
    std::ifstream file(options_.out_directory + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  BacktestOptions options_;
};

TEST_F(BacktestTest, RefusesWhatLeavesNoOriginAndTakesWhatLeavesOne) {
  const SeriesTable table = SeriesTable::Read(options_).value();
  const int buckets = static_cast<int>(table.buckets());
  options_.horizon = 14;
  options_.warmup = buckets - 13;
  const Result<BacktestReport> none = RunBacktest(options_);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.status().code(), Code::kData);
  EXPECT_NE(none.status().message().find(std::to_string(buckets) + " buckets"), std::string::npos);
  EXPECT_FALSE(none.status().remedy().empty());
  options_.warmup = buckets - 14;
  EXPECT_EQ(Run().summary.origins, 1U);
  options_.full_windows = false;
  options_.warmup = buckets;
  EXPECT_EQ(RunBacktest(options_).status().code(), Code::kData);
  options_.warmup = buckets - 1;
  EXPECT_EQ(Run().summary.origins, 1U);
}

TEST_F(BacktestTest, RunsEachExpertAloneBesideTheModel) {
  options_.compare = true;
  const BacktestReport report = Run();
  ASSERT_GE(report.baselines.size(), 8U);
  EXPECT_TRUE(std::is_sorted(report.baselines.begin(), report.baselines.end(),
                             [](const auto& a, const auto& b) { return a.table.all.wql < b.table.all.wql; }));
  const auto count = [&](bool BaselineReport::*role) {
    return std::count_if(report.baselines.begin(), report.baselines.end(), [&](const auto& b) { return b.*role; });
  };
  EXPECT_EQ(count(&BaselineReport::best), 1);
  EXPECT_EQ(count(&BaselineReport::seasonal_naive), 1);
  EXPECT_EQ(count(&BaselineReport::smoothing), 1);
  for (const BaselineReport& baseline : report.baselines) {
    EXPECT_EQ(baseline.table.all.forecasts, report.table.all.forecasts) << "the same set for both";
    EXPECT_NEAR(baseline.against.relative, report.table.all.wql / baseline.table.all.wql, 1e-9) << baseline.expert;
    // An expert alone, asked for by name, says the same.
    if (baseline.best) {
      options_.compare = false;
      options_.forecaster.experts = {baseline.expert};
      EXPECT_DOUBLE_EQ(Run().table.all.wql, baseline.table.all.wql);
    }
  }
}

TEST_F(BacktestTest, WidensTheDomainAtTheFirstValueOutsideAndNotBefore) {
  constexpr int kTurn = 40;
  options_.warmup = 20;
  const std::string path = testing::TempDir() + "backtest_widens_" + std::to_string(getpid()) + ".csv";
  std::ofstream file(path);
  file << "unique_id,ds,y\n";
  for (int day = 0; day < 60; ++day) {
    for (int series = 0; series < 4; ++series) {
      const int value = series == 0 && day >= kTurn ? -30 : (day * 7 + series * 5) % 11;
      file << "s" << series << ",2024-" << (day < 31 ? "01-" : "02-") << (day % 31 < 9 ? "0" : "") << day % 31 + 1
           << "," << value << "\n";
    }
  }
  file.close();
  options_.series_path = path;
  const auto rows_by_cutoff = [&] {
    std::stringstream text(File("forecasts.csv"));
    std::map<std::string, std::string> rows;
    std::string line;
    std::getline(text, line);
    while (std::getline(text, line)) {
      std::stringstream fields(line);
      std::string id, ds, cutoff;
      std::getline(fields, id, ',');
      std::getline(fields, ds, ',');
      std::getline(fields, cutoff, ',');
      rows[cutoff] += line + "\n";
    }
    return rows;
  };
  const BacktestReport inferred = Run();
  const auto widened = rows_by_cutoff();
  options_.domain = ValueDomain::kCount;
  Run();
  const auto counts = rows_by_cutoff();
  options_.domain = ValueDomain::kReal;
  Run();
  const auto reals = rows_by_cutoff();
  std::filesystem::remove(path);
  EXPECT_EQ(inferred.domain, ValueDomain::kReal);
  ASSERT_EQ(widened.size(), counts.size());
  const std::string turn = "2024-02-10";  // day 40
  for (const auto& [cutoff, rows] : widened) {
    EXPECT_EQ(rows, cutoff < turn ? counts.at(cutoff) : reals.at(cutoff)) << cutoff;
  }
  EXPECT_NE(counts.rbegin()->second, reals.rbegin()->second);
  EXPECT_NE(counts.begin()->second, reals.begin()->second);
}

TEST_F(BacktestTest, AmountsThatMoveBySmallStepsAreForecastAsReals) {
  options_.warmup = 40;
  const std::string path = testing::TempDir() + "backtest_levels_" + std::to_string(getpid()) + ".csv";
  const auto pool_of = [&](const auto& value) {
    std::ofstream file(path);
    file << "unique_id,ds,y\n";
    for (int day = 0; day < 60; ++day) {
      for (int series = 0; series < 2; ++series) {
        file << "s" << series << ",2024-" << (day < 31 ? "01-" : "02-") << (day % 31 < 9 ? "0" : "") << day % 31 + 1
             << "," << value(day, series) << "\n";
      }
    }
    file.close();
    options_.series_path = path;
    const BacktestReport report = Run();
    EXPECT_EQ(report.domain, options_.domain.value_or(report.pool == ValueDomain::kCount ? ValueDomain::kCount
                                                                                         : ValueDomain::kNonNegative));
    return report.pool;
  };
  const auto price = [](int day, int) { return 10.25 + (day * 7 % 11) * .1; };
  EXPECT_EQ(pool_of(price), ValueDomain::kReal);
  const auto one_sells = [&](int day, int series) { return series == 0 ? price(day, series) : .5 + (day * 7) % 11; };
  EXPECT_EQ(pool_of(one_sells), ValueDomain::kNonNegative);
  const auto closed = [&](int day, int series) { return day == 30 ? 0 : price(day, series); };
  EXPECT_EQ(pool_of(closed), ValueDomain::kNonNegative);
  const auto later = [&](int day, int series) { return day == 50 ? 0 : price(day, series); };
  EXPECT_EQ(pool_of(later), ValueDomain::kReal) << "only the warm-up tells";
  const auto whole = [](int day, int) { return 1000 + day * 7 % 11; };
  EXPECT_EQ(pool_of(whole), ValueDomain::kCount);
  options_.domain = ValueDomain::kNonNegative;
  EXPECT_EQ(pool_of(price), ValueDomain::kNonNegative);
  std::filesystem::remove(path);
}

/// A load by the hour of two meters, from a Monday on; `value(hour, meter)`.
std::string WriteHours(const std::string& path, int hours, const auto& value) {
  std::ofstream file(path);
  file << "unique_id,ds,y\n";
  for (int meter = 0; meter < 2; ++meter) {
    for (int hour = 0; hour < hours; ++hour) {
      file << fmt::format("m{},2024-01-{:02}T{:02}:00:00,{}\n", meter, 1 + hour / 24, hour % 24, value(hour, meter));
    }
  }
  return path;
}

TEST_F(BacktestTest, LoadsByTheHourAreForecastAsRealsAndNotBelowZero) {
  constexpr int kHours = 480, kWarmup = 400;
  options_.frequency = "1h";
  options_.calendar = BacktestCalendar::kRegular;
  options_.horizon = 24;
  options_.warmup = kWarmup;
  options_.levels = {.001, .1, .5, .9};
  options_.forecaster.seed = 7;
  const std::string path = testing::TempDir() + "backtest_hours_" + std::to_string(getpid()) + ".csv";
  const auto load = [](int hour, int meter) {
    const double day = 10 + 5 * std::sin(2 * std::numbers::pi * hour / 24) + UniformAt(3, meter, hour);
    return hour < kWarmup ? day : std::max(.01, day - .4 * (hour - kWarmup));
  };
  const auto least = [&] {
    std::stringstream text(File("forecasts.csv"));
    std::string line, field;
    std::getline(text, line);
    double found = 1e9;
    while (std::getline(text, line)) {
      std::stringstream fields(line);
      for (int column = 0; std::getline(fields, field, ','); ++column) {
        if (column >= 3) found = std::min(found, std::stod(field));
      }
    }
    return found;
  };
  options_.series_path = WriteHours(path, kHours, load);
  const BacktestReport chosen = Run();
  EXPECT_EQ(chosen.domain, ValueDomain::kNonNegative);
  EXPECT_EQ(chosen.pool, ValueDomain::kReal);
  EXPECT_EQ(least(), 0);
  EXPECT_NE(File("metrics.json").find("\"pool\": \"real\""), std::string::npos);
  options_.domain = ValueDomain::kReal;
  EXPECT_EQ(Run().table.all.forecasts, chosen.table.all.forecasts);
  EXPECT_LT(least(), 0) << "the test would not see a cut";
  options_.domain = ValueDomain::kNonNegative;
  EXPECT_EQ(Run().pool, ValueDomain::kNonNegative) << "what is told is not overruled";
  options_.domain.reset();

  // Counts that reach no further than the warm-up's end; then amounts, which need no new forecaster.
  options_.series_path = WriteHours(path, kHours, [&](int hour, int meter) {
    return hour < kWarmup ? std::round(10 * load(hour, meter)) : 10 * load(hour, meter);
  });
  const BacktestReport widened = Run();
  EXPECT_EQ(widened.domain, ValueDomain::kNonNegative);
  EXPECT_EQ(widened.pool, ValueDomain::kReal);
  EXPECT_EQ(least(), 0);
  // A value below 0 after it: from there on they are reals.
  options_.series_path =
      WriteHours(path, kHours, [&](int hour, int meter) { return hour == kWarmup + 40 ? -1 : load(hour, meter); });
  const BacktestReport real = Run();
  EXPECT_EQ(real.domain, ValueDomain::kReal);
  EXPECT_EQ(real.pool, ValueDomain::kReal);
  EXPECT_LT(least(), 0);
  std::filesystem::remove(path);
}

TEST_F(BacktestTest, WhatComesAfterTheWarmupDoesNotChooseThePool) {
  options_.frequency = "1h";
  options_.calendar = BacktestCalendar::kRegular;
  options_.horizon = 6;
  options_.warmup = 60;
  options_.every = 1000;
  const std::string path = testing::TempDir() + "backtest_choice_" + std::to_string(getpid()) + ".csv";
  const auto written = [&](bool steady_before, bool steady_after) {
    options_.series_path = WriteHours(path, 240, [&](int hour, int meter) {
      const double swing = (hour < 60 ? steady_before : steady_after) ? 1.0 : 9.0;
      return 5.5 + swing * (UniformAt(3, meter, hour) - .5);
    });
    const BacktestReport report = Run();
    EXPECT_EQ(report.pool, steady_before ? ValueDomain::kReal : ValueDomain::kNonNegative);
    return File("forecasts.csv");
  };
  for (const bool steady : {false, true}) EXPECT_EQ(written(steady, false), written(steady, true));
  EXPECT_NE(written(false, true), written(true, true));
  std::filesystem::remove(path);
}

TEST_F(BacktestTest, TellsTheSpreadOverSeeds) {
  options_.seeds = 2;
  const BacktestReport two = Run();
  const std::string first = File("forecasts.csv");
  options_.seeds = 1;
  const BacktestReport one = Run();
  EXPECT_TRUE(one.seeds.empty());
  EXPECT_EQ(File("forecasts.csv"), first) << "the forecasts written are those of the first seed";
  ASSERT_EQ(two.seeds.size(), 6U);
  options_.forecaster.seed += 1;
  const double other = Run().table.all.wql;
  EXPECT_EQ(two.seeds[0].figure, "wql");
  EXPECT_DOUBLE_EQ(two.seeds[0].min, std::min(one.table.all.wql, other));
  EXPECT_DOUBLE_EQ(two.seeds[0].max, std::max(one.table.all.wql, other));
  EXPECT_DOUBLE_EQ(two.seeds[0].median, (one.table.all.wql + other) / 2);
}

TEST_F(BacktestTest, WritesFiguresAndFans) {
  const BacktestReport report = Run();
  const auto json = nlohmann::json::parse(File("metrics.json"));
  EXPECT_DOUBLE_EQ(json["wql"], report.table.all.wql);
  EXPECT_EQ(json["by_horizon"].size(), 3U);
  EXPECT_EQ(json["forecasts"], 8 * 3 * 18);
  EXPECT_FALSE(json.contains("baselines"));
  ASSERT_EQ(report.fans.size(), 6U);
  const FanChart& fan = report.fans[0];
  EXPECT_EQ(fan.labels.size(), fan.forecast_from + 3);
  EXPECT_EQ(fan.actual.size(), fan.labels.size());
  EXPECT_EQ(fan.quantiles.size(), 3 * kLevelCount);
  const std::string csv = File("forecasts.csv");
  EXPECT_NE(csv.find(fan.series + "," + fan.labels.back() + "," + fan.labels[fan.forecast_from - 1] + ","),
            std::string::npos)
      << "of the last origin";
}

TEST_F(BacktestTest, WritesNixtlasColumns) {
  options_.levels = {.1, .5, .9, .025, .975, .3};
  Run();
  std::istringstream own(File("forecasts.csv"));
  options_.format = ForecastFormat::kNixtla;
  Run();
  std::istringstream nixtla(File("forecasts.csv"));
  std::string line;
  std::getline(own, line);
  std::getline(nixtla, line);
  EXPECT_EQ(line, "unique_id,ds,cutoff,y,mean,median,lo-80,hi-80,lo-95,hi-95") << ".3 has no counterpart";
  const auto cells = [](const std::string& text) {
    std::vector<std::string> found;
    std::istringstream parts(text);
    for (std::string cell; std::getline(parts, cell, ',');) found.push_back(cell);
    return found;
  };
  std::string other;
  size_t rows = 0;
  while (std::getline(own, line) && std::getline(nixtla, other)) {
    const auto a = cells(line);  // id, ds, cutoff, mean, q0.1, q0.5, q0.9, q0.025, q0.975, q0.3
    const auto b = cells(other);
    ASSERT_EQ(b.size(), 10U);
    EXPECT_EQ((std::vector<std::string>{a[0], a[1], a[2], a[3], a[5], a[4], a[6], a[7], a[8]}),
              (std::vector<std::string>{b[0], b[1], b[2], b[4], b[5], b[6], b[7], b[8], b[9]}));
    ++rows;
  }
  EXPECT_EQ(rows, 8U * 3 * 18);
}

}  // namespace
}  // namespace tidecast
