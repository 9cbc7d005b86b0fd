#include "engine/app/feed_ledger.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "engine/app/feed_pump.h"
#include "state/key_codec.h"

namespace tidecast {
namespace {

TEST(FeedLedgerTest, KnowsWhatWasPutThere) {
  const auto store = MakeMemoryStore();
  EXPECT_EQ(RecordsFed(*store, "shop.orders", 1).value(), 0);
  StateBatch rows;
  PutRecordsFed("shop.orders", 1, 12'000, &rows);
  ASSERT_TRUE(store->Write(rows).ok());
  EXPECT_EQ(RecordsFed(*store, "shop.orders", 1).value(), 12'000);
  EXPECT_EQ(RecordsFed(*store, "shop.orders", 2).value(), 0);
  EXPECT_EQ(RecordsFed(*store, "shop.clicks", 1).value(), 0);
}

TEST(FeedLedgerTest, BytesAreThoseOfTheFormatPage) {
  StateBatch rows;
  PutRecordsFed("a", 1, 12'000, &rows);
  ASSERT_EQ(rows.rows().size(), 1U);
  EXPECT_EQ(rows.rows()[0].key, std::string_view("\xf1"
                                                 "a\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01",
                                                 12));
  EXPECT_EQ(rows.rows()[0].value, std::string_view("\x01\xe0\x2e\x00\x00\x00\x00\x00\x00", 9));
}

TEST(FeedLedgerTest, ANewerFormatIsRefusedByName) {
  const auto store = MakeMemoryStore();
  StateBatch rows;
  rows.Put(Family::kMeta, KeyWriter().U8(0xf1).Text("t").U64(1).view(), ByteWriter().U8(9).I64(1).view());
  ASSERT_TRUE(store->Write(rows).ok());
  EXPECT_EQ(RecordsFed(*store, "t", 1).status().code(), Code::kVersion);
}

class FeedPumpTest : public ::testing::Test {
 protected:
  FeedFile File(const std::string& name, int lines, int first_second) {
    FeedFile file;
    file.path = fmt::format("{}tidecast_pump_{}_{}", ::testing::TempDir(), getpid(), name);
    std::ofstream out(file.path);
    out << "sku,ts,quantity\n";
    for (int i = 0; i < lines; ++i) out << fmt::format("{}{},{},1\n", name[0], i, 1'700'000'000 + first_second + 10 * i);
    file.input.name = "orders";
    return file;
  }
  /// Keys in the order of feeding, from where `fed` stands, at most `records_max`.
  std::vector<std::string> Feed(const std::vector<FeedFile>& files, std::vector<int64_t>* fed, size_t records_max) {
    auto feeder = FileFeeder::Open(files, FileFeeder::Order::kEventTime).value();
    std::vector<std::string> keys;
    auto pump = FeedPump::Make(std::move(feeder), {"a", "b"}, *fed, [&](std::span<const OutputRecord> records, std::span<const int64_t> now) {
      for (const OutputRecord& record : records) keys.push_back(record.key);
      fed->assign(now.begin(), now.end());
      return Status::Ok();
    });
    EXPECT_TRUE(pump.ok());
    EXPECT_TRUE(pump->Pump(records_max, EventTime::Max()).ok());
    return keys;
  }
};

TEST_F(FeedPumpTest, GoesOnBehindWhatWasFedInTheOrderOfAnUndisturbedFeed) {
  const std::vector<FeedFile> files = {File("x", 30, 0), File("y", 20, 55)};
  std::vector<int64_t> all = {0, 0};
  const std::vector<std::string> whole = Feed(files, &all, 1000);
  ASSERT_EQ(whole.size(), 50U);
  EXPECT_EQ(all, (std::vector<int64_t>{30, 20}));
  std::vector<int64_t> fed = {0, 0};
  std::vector<std::string> parts;
  for (int i = 0; i < 8; ++i) {
    const std::vector<std::string> part = Feed(files, &fed, 7);
    parts.insert(parts.end(), part.begin(), part.end());
  }
  EXPECT_EQ(parts, whole);
  EXPECT_EQ(fed, all);
}

TEST_F(FeedPumpTest, AFingerprintIsThatOfTheLinesAndTheirOrder) {
  const auto print = [](const FeedFile& file, FileFeeder::Order order) { return FileFeeder::Open({file}, order).value()->fingerprint(0); };
  const FeedFile file = File("x", 30, 0);
  FeedFile copy = File("x", 30, 0);
  copy.path = file.path;
  EXPECT_EQ(print(file, FileFeeder::Order::kEventTime), print(copy, FileFeeder::Order::kEventTime));
  EXPECT_NE(print(file, FileFeeder::Order::kEventTime), print(file, FileFeeder::Order::kAsIs));
  EXPECT_NE(print(file, FileFeeder::Order::kEventTime), print(File("z", 30, 0), FileFeeder::Order::kEventTime));
}

}  // namespace
}  // namespace tidecast
