#include "models/sorted_history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tidecast {
namespace {

struct Table {
  explicit Table(size_t n) : series(n), history(n * kHistory, std::numeric_limits<float>::quiet_NaN()) {}
  ExpertBlock Block() const {
    ExpertBlock block;
    block.series = series;
    block.history = history;
    block.inverse_factor = inverse;
    return block;
  }
  size_t series;
  std::vector<float> history;
  std::vector<float> inverse = std::vector<float>(kHistory, 1.0F);
};

TEST(SortedHistoryTest, OrdersByValueWithoutSeasonThenBySlotAndLeavesMissingOut) {
  Table table(2);
  float* row = table.history.data() + kHistory;  // the second series
  row[3] = 8;
  row[5] = -2;
  row[6] = 0;
  row[7] = 4;
  row[8] = 4;
  row[9] = std::numeric_limits<float>::infinity();
  table.inverse[3] = .25F;
  SortedHistory sorted;
  sorted.Take(table.Block(), false);
  EXPECT_TRUE(sorted.Of(0).empty());
  const auto entries = sorted.Of(1);
  ASSERT_EQ(entries.size(), 5U);
  const float values[] = {-2, 0, 2, 4, 4};
  const uint32_t slots[] = {5, 6, 3, 7, 8};
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].value, values[i]);
    EXPECT_EQ(entries[i].slot, slots[i]);
  }
  EXPECT_TRUE(sorted.ZerosOf(1).empty());
}

TEST(SortedHistoryTest, KeepsZerosApartWhereAsked) {
  Table table(1);
  for (size_t slot = 0; slot < kHistory; ++slot)
    table.history[slot] = slot % 3 == 0 ? 0 : static_cast<float>(kHistory - slot);
  SortedHistory sorted;
  sorted.Take(table.Block(), true);
  EXPECT_EQ(sorted.ZerosOf(0).size(), static_cast<size_t>(kHistory) / 3);
  EXPECT_EQ(sorted.Of(0).size(), static_cast<size_t>(kHistory) * 2 / 3);
  EXPECT_EQ(sorted.Of(0).front().slot, static_cast<uint32_t>(kHistory) - 1);
  EXPECT_EQ(sorted.ZerosOf(0).back(), kHistory - 3);
}

}  // namespace
}  // namespace tidecast
