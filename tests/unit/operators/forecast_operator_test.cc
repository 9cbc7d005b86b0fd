#include "operators/forecast_operator.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/core/hash.h"
#include "state/state_store.h"

namespace tidecast {
namespace {

constexpr int kHorizon = 3;
constexpr int64_t kDay = 86'400'000'000;

/// Some series of one view, day after day; the last one sells much until day 60, and then nothing.
class ForecastOperatorTest : public ::testing::Test {
 protected:
  static constexpr size_t kSeries = 11;
  static CalendarStep Step(int64_t index) {
    CalendarStep step;
    step.index = index;
    step.start = EventTime{index * kDay};
    step.end = EventTime{(index + 1) * kDay};
    step.season_phase = {static_cast<int32_t>(index % 7)};
    return step;
  }
  ForecastOperatorTest() : store_(MakeMemoryStore()), executor_(MakeExecutor(1)) {
    ForecasterOptions options;
    options.horizon = kHorizon;
    options.season_lengths = {7};
    options.block_series = 4;
    options.known_covariates = 2;
    options.known_names = {"promotion", "price"};
    options.net = NetKind::kNone;
    auto made =
        ForecastOperator::Make(Stage::kSeries, 0, options, {.infers_domain = false, .dormant_after = 1}, MakeForecaster,
                               AlertOperator({.tail_probability = .01}, "sku"), *store_, 1 << 24);
    EXPECT_TRUE(made.ok());
    operator_ = std::move(made).value();
  }
  float Demand(size_t s, int64_t day) const {
    if (s + 1 == kSeries) return day >= 60 ? 0 : 100;
    if (s < 4 && day == 50) return 300;
    return std::floor(5 + 10 * static_cast<float>(UniformAt(1, s, day)));
  }
  std::vector<Alert> Round(int64_t day) {
    BucketContext context;
    context.now = Step(day);
    for (int h = 1; h <= kHorizon; ++h) context.ahead.push_back(Step(day + h));
    std::vector<ModelRow> rows;
    for (size_t s = 0; s < kSeries; ++s) {
      ModelRow row;
      row.series = "sku" + std::to_string(100 + s);
      row.target = Demand(s, day);
      for (int h = 0; h <= kHorizon; ++h) {
        row.known.push_back((day + h + static_cast<int64_t>(s)) % 5 == 0 ? 1.0F : 0.0F);
        row.known.push_back(1);
      }
      rows.push_back(std::move(row));
    }
    EXPECT_TRUE(operator_->BeginRound(context, std::move(rows)).ok());
    std::vector<Alert> alerts;
    for (;;) {
      const Result<bool> over = operator_->Step(
          *executor_, 1 << 20, [](const BucketContext&, RoundBlockOutput&) {},
          [&](const BucketContext&, RoundBlockOutput&& block) {
            for (Alert& alert : block.alerts) alerts.push_back(std::move(alert));
          });
      EXPECT_TRUE(over.ok());
      if (!over.ok() || *over) break;
    }
    return alerts;
  }

  std::unique_ptr<StateStore> store_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<ForecastOperator> operator_;
};

TEST_F(ForecastOperatorTest, EveryAlertCarriesTheExplanationOfWhatWasExpected) {
  size_t fired = 0, resolved = 0, dormant = 0;
  for (int64_t day = 0; day < 64; ++day) {
    for (const Alert& alert : Round(day)) {
      alert.firing ? ++fired : ++resolved;
      EXPECT_NEAR(alert.explanation.Sum(), alert.expected, .01 * std::max(1.0, alert.expected))
          << alert.series << " on " << day;
      EXPECT_EQ(static_cast<double>(alert.explanation.mean), alert.expected);
      if (alert.explanation.experts.empty()) {
        ++dormant;
        EXPECT_EQ(alert.expected, 0);
        continue;
      }
      // Of its own series, from before the bucket: none of what it sold then is in.
      EXPECT_LT(alert.explanation.level, alert.series == "sku110" ? 110 : 40) << alert.series << " on " << day;
      EXPECT_GT(alert.explanation.level, 4) << alert.series << " on " << day;
      ASSERT_EQ(alert.explanation.known.size(), 2U);
      EXPECT_EQ(alert.explanation.known[0].name, "promotion");
    }
  }
  EXPECT_GE(fired, 5U);
  EXPECT_GE(resolved, 4U);
  EXPECT_GE(dormant, 1U) << "no alert ended by its series's going dormant";
}

}  // namespace
}  // namespace tidecast
