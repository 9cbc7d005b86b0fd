#include "operators/feature_builder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/operators/windows_fixture.h"

namespace tidecast {
namespace {

class FeatureBuilderTest : public ::testing::Test {
 protected:
  FeatureBuilderTest() : store_(MakeMemoryStore()), reader_(*store_, {Stage::kSeries, 1}) {}
  void Commit(FeatureBuilder& builder) {
    StateBatch batch;
    TaskDeltaSink sink(batch, {Stage::kSeries, 1});
    builder.Save(++epoch_, sink);
    ASSERT_TRUE(store_->Write(batch).ok());
    builder.OnCommitted(epoch_);
  }
  std::string Column(const FeatureBuilder& builder, std::string_view series, int64_t last) {
    const std::vector<std::string_view> names{series};
    std::vector<float> memory;
    const FeatureTensor tensor = builder.Tensor(names, last, reader_, memory);
    std::string text;
    for (size_t t = 0; t < tensor.time; ++t) text += fmt::format("{} ", tensor.At(0, t, 1));
    return text;
  }
  static void Row(FeatureBuilder& builder, std::string_view series, int64_t step, double value) {
    const std::vector<double> row{1, value};
    builder.OnRow(series, step, row);
  }
  std::unique_ptr<StateStore> store_;
  TaskStateReader reader_;
  Epoch epoch_ = 0;
};

TEST_F(FeatureBuilderTest, HandsOutTheLastStepsWithNanBeforeBirth) {
  FeatureBuilder builder(2, 4, 1 << 20);
  Row(builder, "a", 10, 5);
  Row(builder, "a", 11, 6);
  EXPECT_EQ(Column(builder, "a", 11), "nan nan 5 6 ");
  Row(builder, "a", 13, 8);
  EXPECT_EQ(Column(builder, "a", 13), "5 6 nan 8 ");
  EXPECT_EQ(Column(builder, "b", 13), "nan nan nan nan ");
}

TEST_F(FeatureBuilderTest, ARevisionRewritesItsRow) {
  FeatureBuilder builder(2, 3, 1 << 20);
  for (int64_t step = 0; step < 4; ++step) Row(builder, "a", step, static_cast<double>(step));
  Row(builder, "a", 2, 99);
  Row(builder, "a", 0, 77);  // out of reach
  EXPECT_EQ(Column(builder, "a", 3), "1 99 3 ");
}

TEST_F(FeatureBuilderTest, RowsComeBackFromTheStoreAfterReloadAndEviction) {
  for (const size_t memory : {size_t{1} << 20, size_t{1}}) {
    FeatureBuilder builder(2, 3, memory);
    const std::string name = std::string(memory == 1 ? "tight" : "roomy");
    for (int64_t step = 0; step < 6; ++step) {
      Row(builder, name, step, static_cast<double>(step));
      Commit(builder);
    }
    EXPECT_EQ(Column(builder, name, 5), "3 4 5 ");
    Row(builder, name, 6, 6);
    EXPECT_EQ(Column(builder, name, 6), "4 5 6 ");
    ASSERT_TRUE(builder.Reload(reader_).ok());
    EXPECT_EQ(Column(builder, name, 6), "4 5 nan ");  // the row of 6 was never committed
    Row(builder, name, 6, 60);
    Commit(builder);
    EXPECT_EQ(Column(builder, name, 6), "4 5 60 ");
    size_t rows = 0;
    ASSERT_TRUE(reader_
                    .Scan(Family::kPanes, "", "",
                          [&rows, &name](std::string_view key, std::string_view) {
                            rows += key.find(name) != std::string_view::npos;
                            return true;
                          })
                    .ok());
    EXPECT_EQ(rows, 3U);
  }
}

}  // namespace
}  // namespace tidecast
