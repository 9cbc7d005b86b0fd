#include "engine/io/nearest_name.h"

#include <gtest/gtest.h>

namespace tidecast {
namespace {

TEST(NearestNameTest, CountsEdits) {
  EXPECT_EQ(EditDistance("", "abc"), 3U);
  EXPECT_EQ(EditDistance("horizon", "horizn"), 1U);
  EXPECT_EQ(EditDistance("sevrers", "servers"), 1U) << "neighbours swapped";
  EXPECT_EQ(EditDistance("ABC", "abc"), 0U);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3U);
}

TEST(NearestNameTest, NamesOnlyWhatIsNear) {
  EXPECT_EQ(NearestName("quantty", {"unit_price", "quantity"}), "quantity");
  EXPECT_EQ(NearestName("zebra", {"unit_price", "quantity"}), "");
  EXPECT_EQ(NearestName("ab", {"cd"}), "");
  EXPECT_EQ(NearestName("x", {}), "");
}

}  // namespace
}  // namespace tidecast
