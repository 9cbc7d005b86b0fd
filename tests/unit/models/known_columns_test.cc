// What columns known ahead do to the forecasts of the whole forecaster; known_effect_test.cc has the regression alone.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "models/month_profile.h"
#include "tests/unit/models/forecaster_fixture.h"

namespace tidecast {
namespace {

ForecasterOptions WithAColumn(ValueDomain domain, std::vector<std::string> experts = {}) {
  ForecasterOptions options;
  options.domain = domain;
  options.known_covariates = 1;
  options.experts = std::move(experts);
  return options;
}

TEST(KnownColumnsTest, AClosedBucketIsForecastAsNothingAndTeachesNothing) {
  for (const ValueDomain domain : {ValueDomain::kCount, ValueDomain::kNonNegative}) {
    Shop shop(WithAColumn(domain), 30);
    shop.covariate_ = [](size_t, int64_t t) { return t % 5 == 0 ? 0.0F : 1.0F; };  // open; no place of the season's
    shop.change_ = [](size_t s, int64_t t, float) {
      return t % 5 == 0 ? 0.0F : 40 + std::floor(10 * static_cast<float>(UniformAt(3, s, t)));
    };
    for (int64_t t = 0; t <= 120; ++t) shop.Round(t);
    const size_t horizon = static_cast<size_t>(shop.options_.horizon);
    for (size_t s = 0; s < 30; ++s) {
      const auto& block = shop.out_[s / shop.options_.block_series];
      for (size_t h = 0; h < horizon; ++h) {
        const size_t at = s % shop.options_.block_series * horizon + h;
        const bool closed = (121 + h) % 5 == 0;
        EXPECT_NEAR(block.mean[at], closed ? 0 : 44.5, closed ? 0 : 3) << s << " " << h;
        EXPECT_EQ(block.zero_probability[at] > .5F, closed);
        EXPECT_EQ(block.quantiles[at * kLevelCount + kLevelCount - 1] == 0, closed);
        EXPECT_TRUE(closed || block.quantiles[at * kLevelCount] > 30) << block.quantiles[at * kLevelCount];
      }
    }
  }
}

TEST(KnownColumnsTest, EachExpertHearsAPromotion) {
  for (const std::string expert : {"persistence", "seasonal_naive_6", "profile_6", "smoothing_20", "empirical_960",
                                   "count_table_970", "holt_winters_6"}) {
    Shop shop(WithAColumn(ValueDomain::kCount, {expert}), 30);
    shop.covariate_ = [](size_t, int64_t t) { return t % 7 < 2 ? 1.0F : 0.0F; };
    shop.change_ = [](size_t s, int64_t t, float) {
      return std::floor((t % 7 < 2 ? 60 : 20) + 4 * static_cast<float>(UniformAt(3, s, t)));
    };
    for (int64_t t = 0; t <= 139; ++t) shop.Round(t);
    for (size_t h = 0; h < 7; ++h) {  // buckets 140 and 141 are promoted
      const float median = shop.out_[0].quantiles[h * kLevelCount + kMedian];
      EXPECT_NEAR(median, h < 2 ? 62 : 22, h < 2 ? 6 : 3) << expert << " " << h;
    }
  }
}

/// Mean of the first series, by step, after 500 days of demand 20, thrice as much on the days of the month 9 to 11; the
/// columns tell of those days where `told`.
std::vector<float> AfterPayDays(bool told) {
  ForecasterOptions options = WithAColumn(ValueDomain::kCount);
  options.season_lengths = {7};
  options.horizon = 31;
  Shop shop(options, 30);
  const auto is_pay_day = [](int64_t t) {
    const size_t day = MonthProfile::DayOfMonth(t);
    return day >= 8 && day <= 10;
  };
  shop.covariate_ = [=](size_t, int64_t t) { return told && is_pay_day(t) ? 1.0F : 0.0F; };
  shop.change_ = [=](size_t s, int64_t t, float) {
    return std::floor((is_pay_day(t) ? 60 : 20) + 4 * static_cast<float>(UniformAt(3, s, t)));
  };
  for (int64_t t = 0; t < 500; ++t) shop.Round(t);
  return {shop.out_[0].mean.begin(), shop.out_[0].mean.begin() + 31};
}

TEST(KnownColumnsTest, PayDaysAreExpectedAndColumnsThatTellOfThemAreNotCountedTwice) {
  for (const bool told : {false, true}) {
    const std::vector<float> means = AfterPayDays(told);
    for (int64_t h = 0; h < 31; ++h) {
      const size_t day = MonthProfile::DayOfMonth(500 + h);
      const float mean = means[static_cast<size_t>(h)];
      if (day == 9) {
        EXPECT_GT(mean, told ? 50 : 30) << told;
        EXPECT_LT(mean, 75) << told;
      } else if (day >= 16 || day <= 3) {
        EXPECT_NEAR(mean, 21.5, 4) << told << " " << day;
      }
    }
  }
}

TEST(KnownColumnsTest, APromotionMakesADayWithoutASaleLessLikely) {
  for (const std::string expert : {"empirical_985", "count_table_970"}) {
    Shop shop(WithAColumn(ValueDomain::kCount, {expert}), 40);
    shop.covariate_ = [](size_t, int64_t t) { return t % 7 < 2 ? 1.0F : 0.0F; };
    shop.change_ = [](size_t s, int64_t t, float) {
      return static_cast<float>(UniformAt(3, s, t)) < (t % 7 < 2 ? .6F : .2F) ? 1.0F : 0.0F;
    };
    for (int64_t t = 0; t <= 279; ++t) shop.Round(t);
    float promoted = 0, usual = 0;
    for (size_t s = 0; s < 40; ++s) {
      const auto& block = shop.out_[s / shop.options_.block_series];
      const size_t at = s % shop.options_.block_series * 14;
      promoted += block.zero_probability[at] / 40;
      usual += block.zero_probability[at + 3] / 40;
    }
    EXPECT_LT(promoted, usual - .15F) << expert;
    if (expert == "count_table_970") {
      EXPECT_NEAR(promoted, .42, .1);
      EXPECT_NEAR(usual, .8, .06);
    }
  }
}

TEST(KnownColumnsTest, ATableOfCountsForecastsCountsUnderAPromotion) {
  ForecasterOptions options = WithAColumn(ValueDomain::kCount, {"count_table_970"});
  options.calibrate = false;
  Shop shop(options, 40);
  shop.covariate_ = [](size_t, int64_t t) { return t % 7 < 2 ? 1.0F : 0.0F; };
  shop.change_ = [](size_t s, int64_t t, float) {
    return static_cast<float>(UniformAt(3, s, t)) < (t % 7 < 2 ? .6F : .2F) ? 1.0F : 0.0F;
  };
  for (int64_t t = 0; t <= 279; ++t) shop.Round(t);
  float promoted = 0, usual = 0;
  for (size_t s = 0; s < shop.options_.block_series && s < 40; ++s) {
    promoted += shop.out_[0].mean[s * 14];
    usual += shop.out_[0].mean[s * 14 + 3];
    for (size_t l = 0; kLevels[l] <= .9F; ++l) {
      EXPECT_LE(shop.out_[0].quantiles[s * 14 * kLevelCount + l], 1) << "a second one was never sold";
    }
  }
  EXPECT_NEAR(promoted / usual, 3, .8);
}

}  // namespace
}  // namespace tidecast
