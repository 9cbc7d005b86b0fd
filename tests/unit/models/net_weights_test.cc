#include "models/net_weights.h"

#include <gtest/gtest.h>

namespace tidecast {
namespace {

NetWeights Example() { return {{{"level", "zero"}, {"a", "b", "c"}, {}}, "where from", std::string("\0blob", 5)}; }

TEST(NetWeightsTest, DecodesWhatItEncoded) {
  const Result<NetWeights> decoded = NetWeights::Decode(Example().Encode());
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded.value().names.inputs, Example().names.inputs);
  EXPECT_EQ(decoded.value().names.known, Example().names.known);
  EXPECT_TRUE(decoded.value().names.statics.empty());
  EXPECT_EQ(decoded.value().provenance, "where from");
  EXPECT_EQ(decoded.value().blob, Example().blob);
  EXPECT_EQ(decoded.value().Encode(), Example().Encode());
}

TEST(NetWeightsTest, BeginsAsItsPageSays) {
  EXPECT_EQ(Example().Encode().substr(0, 8), std::string("TCNW\1\0\0\0", 8));
}

TEST(NetWeightsTest, RefusesEveryPrefixAnotherFormatAndATail) {
  const std::string bytes = Example().Encode();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(NetWeights::Decode(std::string_view(bytes).substr(0, size)).status().code(), Code::kCorruption) << size;
  }
  EXPECT_EQ(NetWeights::Decode(bytes + "x").status().code(), Code::kCorruption);
  std::string other = bytes;
  other[4] = 2;
  EXPECT_EQ(NetWeights::Decode(other).status().code(), Code::kVersion);
}

TEST(NetWeightsTest, FindsRowsByName) {
  const NetRows rows = Example().RowsFor({{"new", "zero"}, {"c", "a"}, {"lonely"}});
  EXPECT_EQ(rows.inputs, (std::vector<int>{-1, 1}));
  EXPECT_EQ(rows.known, (std::vector<int>{2, 0}));
  EXPECT_EQ(rows.statics, std::vector<int>{-1});
}

}  // namespace
}  // namespace tidecast
