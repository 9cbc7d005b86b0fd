#include "models/season_profile.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidecast {
namespace {

/// A pool of 200 series, round after round.
class Pool {
 public:
  explicit Pool(std::vector<int> seasons, ValueDomain domain = ValueDomain::kCount)
      : profile_(domain, NestedSeasons(seasons)),
        pooled_(profile_.pooled_size()),
        factors_(profile_.seasons().phases()) {
    profile_.StartPooled(pooled_);
  }
  void Round(size_t phase, double ratio) {
    const std::vector<double> sums = {200 * ratio, 200, 0, 0};
    profile_.Fold(phase, sums, pooled_);
  }
  float Factor(size_t phase) {
    profile_.Factors(pooled_, factors_);
    return factors_.at(phase);
  }

 private:
  SeasonProfile profile_;
  std::vector<double> pooled_;
  std::vector<float> factors_;
};

double Sold(size_t phase) { return (phase % 24 < 12 ? .5 : 1.5) * (phase / 24 == 6 ? .2 : 1); }

TEST(SeasonProfileTest, APartOfTheWeekAddsToWhatItsHourSays) {
  Pool pool({24, 168});
  EXPECT_EQ(pool.Factor(3), 1) << "nothing is known yet";
  for (size_t t = 0; t < 10 * 168; ++t) pool.Round(t % 168, Sold(t % 168));
  EXPECT_NEAR(pool.Factor(24 + 18) / pool.Factor(24 + 6), 3, .2);
  EXPECT_NEAR(pool.Factor(6 * 24 + 18) / pool.Factor(5 * 24 + 18), .3, .08) << "the seventh day, drawn to the others";
  double mean = 0;
  for (size_t phase = 0; phase < 168; ++phase) mean += static_cast<double>(pool.Factor(phase)) / 168;
  EXPECT_NEAR(mean, 1, .15);
}

TEST(SeasonProfileTest, PartsOfManyPhasesLearnAsFast) {
  Pool hours({24, 168}), minutes({288, 2016});
  for (size_t t = 0; t < 4 * 168; ++t) hours.Round(t % 168, Sold(t % 168));
  for (size_t t = 0; t < 4 * 2016; ++t) minutes.Round(t % 2016, Sold(t % 2016 / 12));
  for (const size_t hour : {6U, 18U, 150U, 160U})
    EXPECT_NEAR(minutes.Factor(12 * hour), hours.Factor(hour), .04) << hour;
}

TEST(SeasonProfileTest, OneSeasonHasNoParts) {
  Pool pool({7});
  for (size_t t = 0; t < 140; ++t) pool.Round(t % 7, t % 7 == 6 ? .1 : 1.15);
  EXPECT_NEAR(pool.Factor(6), .2, .05);
  Pool reals({24, 168}, ValueDomain::kReal);
  for (size_t t = 0; t < 500; ++t) reals.Round(t % 168, Sold(t % 168));
  EXPECT_EQ(reals.Factor(160), 1) << "reals have no factor";
}

}  // namespace
}  // namespace tidecast
