#include "engine/runtime/row_sink.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "tests/unit/runtime/units_a_day.h"

namespace tidecast {
namespace {

class RowSinkTest : public ::testing::Test {
 protected:
  RowSinkTest() {
    EngineOptions options = testing::UnitsADay();
    options.model.net = NetKind::kNone;
    plan_ = testing::MakePlan(std::move(options));
  }

  /// What the model is told of a day with `units` sold.
  float Target(double units, bool out_of_stock) {
    PackedRecords rows;
    TaskStepOutput out;
    RowSink sink({Stage::kSeries, 0}, *plan_, rows, out);
    const std::vector<double> features{units};
    ClosedBucket bucket;
    bucket.series = "apple";
    bucket.end = EventTime::FromSeconds(86'400);
    bucket.start = EventTime::FromSeconds(0);
    bucket.features = features;
    bucket.out_of_stock = out_of_stock;
    sink.OnBucket(bucket);
    EXPECT_GT(rows.bytes(), 0U);
    TC_CHECK_EQ(out.rows.size(), 1U);
    return out.rows[0].row.target;
  }

  std::unique_ptr<TaskPlan> plan_;
};

TEST_F(RowSinkTest, NothingSoldWithoutStockIsMissingForTheModel) {
  EXPECT_TRUE(std::isnan(Target(0, true)));
  EXPECT_EQ(Target(0, false), 0);
  EXPECT_EQ(Target(3, true), 3);  // sold, so there was some
}

}  // namespace
}  // namespace tidecast
