#include "models/net_history.h"

#include <gtest/gtest.h>

namespace tidecast {
namespace {

NetVersion At(int64_t steps) {
  NetVersion version;
  version.origin = steps % 2 == 0 ? NetVersion::Origin::kLearned : NetVersion::Origin::kImported;
  version.rounds = steps / 4;
  version.steps = steps;
  version.windows = 128;
  version.loss = .25 * static_cast<double>(steps);
  version.base_loss = .5;
  version.provenance = steps % 2 == 0 ? "" : "shop.tcnw";
  return version;
}

TEST(NetHistoryTest, KeepsTheNewestAndSaysWhichIsNoLonger) {
  NetHistory history;
  for (int64_t i = 1; i <= 8; ++i) EXPECT_EQ(history.Add(At(i), i), 0);
  EXPECT_EQ(history.Add(At(9), 9), 1);
  EXPECT_EQ(history.Add(At(10), 10, 2), 3) << "2 was to be spared";
  ASSERT_EQ(history.kept().size(), NetHistory::kKept);
  EXPECT_EQ(history.kept().front().number, 2);
  EXPECT_EQ(history.kept().back().number, 10);
  EXPECT_EQ(history.current(), 10);
}

TEST(NetHistoryTest, GoesBackToWhatTheNetIsNotNow) {
  NetHistory history;
  EXPECT_EQ(history.Find({}, 0).status().code(), Code::kNotFound);
  history.Add(At(2), 100);
  EXPECT_FALSE(history.moved(100));
  EXPECT_EQ(history.Find({}, 100).status().code(), Code::kNotFound) << "it is there already";
  EXPECT_EQ(*history.Find({}, 101), 1) << "what was learned since is given up";
  history.Add(At(4), 200);
  EXPECT_EQ(*history.Find({}, 200), 1);
  EXPECT_EQ(*history.Find({}, 201), 2);
  history.GoBackTo(1, 250);
  EXPECT_EQ(history.Find({}, 250).status().code(), Code::kNotFound);
  EXPECT_EQ(*history.Find(2, 250), 2) << "forward again";
  const Status unknown = history.Find(7, 250).status();
  EXPECT_EQ(unknown.code(), Code::kNotFound);
  EXPECT_NE(unknown.remedy().find("1, 2"), std::string::npos) << unknown.remedy();
}

TEST(NetHistoryTest, DecodesWhatItEncodedAndRefusesEveryPrefixAndAnotherFormat) {
  NetHistory history, again;
  for (int64_t i = 1; i <= 3; ++i) history.Add(At(i), 10 * i);
  history.GoBackTo(2, 33);
  const std::string bytes = history.Encode();
  ASSERT_TRUE(again.Decode(bytes).ok());
  EXPECT_EQ(again.Encode(), bytes);
  EXPECT_EQ(again.current(), 2);
  EXPECT_FALSE(again.moved(33));
  EXPECT_EQ(again.kept()[0].provenance, "shop.tcnw");
  EXPECT_EQ(again.kept()[0].loss, .25);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(again.Decode(std::string_view(bytes).substr(0, size)).code(), Code::kCorruption) << size;
  }
  EXPECT_EQ(again.Decode(bytes + "x").code(), Code::kCorruption);
  std::string other = bytes;
  other[0] = 2;
  EXPECT_EQ(again.Decode(other).code(), Code::kVersion);
  EXPECT_EQ(again.Encode(), bytes) << "a refusal changes nothing";
}

}  // namespace
}  // namespace tidecast
