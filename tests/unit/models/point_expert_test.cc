#include "models/point_expert.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace tidecast {
namespace {

/// One series whose newest value is 5, and what persistence says of it.
class OldPersistence {
 public:
  OldPersistence() : pooled_(expert_.pooled_size()) {
    expert_.StartPooled(pooled_);
    history_[0] = 5;
    block_.series = 1;
    block_.history = history_;
    block_.scale = scale_;
    block_.actual = actual_;
    block_.demand_class = demand_class_;
    block_.observed = observed_;
  }
  /// Rounds in which the horizon at this knot was missed by `error`.
  void Learn(int rounds, size_t knot, float error) {
    actual_[0] = 5 + error;
    for (int round = 0; round < rounds; ++round) {
      std::vector<double> sums(expert_.sums_size(), 0.0);
      expert_.Gather(block_, Target(knot), scale_, rows_, summary_, pooled_, sums);
      expert_.Fold(sums, pooled_);
    }
  }
  /// Rounds without any label.
  void Sleep(int rounds) {
    const std::vector<double> sums(expert_.sums_size(), 0.0);
    for (int round = 0; round < rounds; ++round) expert_.Fold(sums, pooled_);
  }
  std::array<float, kLevelCount> Quantiles(size_t knot) const {
    std::array<float, kLevelCount> quantiles;
    float mean = 0, zero = 0;
    uint8_t awake = 0;
    expert_.Expand(block_, Target(knot), scale_, rows_, summary_, pooled_,
                   {quantiles, {&mean, 1}, {&zero, 1}, {&awake, 1}});
    EXPECT_EQ(awake, 1);
    return quantiles;
  }

 private:
  static ForecastTarget Target(size_t knot) {
    ForecastTarget target;
    target.knot.below = knot;
    return target;
  }
  PersistenceExpert expert_{ValueDomain::kReal};
  std::vector<double> pooled_;
  std::vector<float> history_ = std::vector<float>(kHistory, std::nanf(""));
  std::array<float, 1> scale_ = {1}, actual_ = {5}, summary_ = {5};
  std::array<uint8_t, 1> demand_class_ = {0}, rows_ = {1};
  std::array<uint32_t, 1> observed_ = {100};
  ExpertBlock block_;
};

TEST(PointExpertTest, AnExpertThatSleptForVeryLongKnowsWhatItKnew) {
  OldPersistence expert;
  expert.Learn(300, 0, .5F);
  expert.Learn(300, 1, 2);
  const auto near = expert.Quantiles(0), far = expert.Quantiles(1);
  EXPECT_GT(far[10] - far[2], 1.5F * (near[10] - near[2]));
  expert.Sleep(200000);
  EXPECT_EQ(expert.Quantiles(0), near);
  EXPECT_EQ(expert.Quantiles(1), far);
}

TEST(PointExpertTest, ASeriesThatNeverMovesIsForecastAsThatForEver) {
  OldPersistence expert;
  expert.Learn(200000, 0, 0);
  for (const float quantile : expert.Quantiles(0)) EXPECT_NEAR(quantile, 5, 1);
}

}  // namespace
}  // namespace tidecast
