#include <gtest/gtest.h>

#include <map>

#include "operators/session_windows.h"
#include "operators/window_keys.h"
#include "tests/unit/operators/windows_fixture.h"

namespace tidecast {
namespace {

using namespace testing;  // NOLINT

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    auto options = HourlyUnits(kDay);
    options.views[0].calendar.unit = BucketUnit::kDay;
    WindowOptions session;
    session.kind = WindowKind::kSession;
    session.name = "visit";
    session.gap = std::chrono::seconds(100);
    options.views[0].windows = {session};
    windows_ = MakeWindows(options);
  }
  void Send(int64_t seconds, const char* key = "a") { windows_->OnEvent(Order(key, seconds), EventTime::Min()); }
  std::string Close(int64_t seconds) {
    sink_.Clear();
    Drain(*windows_, At(seconds), sink_, activity_, 1);
    std::string text;
    for (const SeenRow& row : sink_.rows) {
      if (row.window == 0)
        text += fmt::format("{}[{},{})={}r{} ", row.series, row.start.us / 1000000, row.end.us / 1000000,
                            row.features[0], row.revision);
    }
    return text;
  }
  std::unique_ptr<WindowAggregator> windows_;
  RecordingSink sink_;
  FixedActivity activity_;
};

TEST_F(SessionTest, ClosesAGapAfterItsLastEvent) {
  Send(10);
  Send(109);
  Send(50, "b");
  EXPECT_EQ(windows_->next_close(), At(150));
  EXPECT_EQ(Close(149), "");
  EXPECT_EQ(Close(150), "b[50,150)=1r1 ");
  EXPECT_EQ(Close(208), "");
  EXPECT_EQ(Close(209), "a[10,209)=2r1 ");
  EXPECT_EQ(Close(209), "");
}

TEST_F(SessionTest, AGapApartIsTwoSessions) {
  Send(10);
  Send(110);
  EXPECT_EQ(Close(500), "a[10,110)=1r1 a[110,210)=1r1 ");
}

TEST_F(SessionTest, AnEventInBetweenTiesTwoOpenSessions) {
  Send(10);
  Send(160);
  Send(85);
  EXPECT_EQ(Close(500), "a[10,260)=3r1 ");
}

TEST_F(SessionTest, ALateEventRevisesAClosedSession) {
  Send(10);
  EXPECT_EQ(Close(300), "a[10,110)=1r1 ");
  Send(60);
  EXPECT_EQ(Close(300), "a[10,160)=2r2 ");
}

TEST_F(SessionTest, ClosedSessionsThatAreTiedOrBeginEarlierAreWithdrawn) {
  Send(10);
  Send(160);
  EXPECT_EQ(Close(500), "a[10,110)=1r1 a[160,260)=1r1 ");
  Send(85);
  EXPECT_EQ(Close(500), "a[10,260)=3r2 a[160,260)=0r2 ");
  Send(0);
  EXPECT_EQ(Close(500), "a[0,260)=4r1 a[10,260)=0r3 ");
}

class SessionBlocksTest : public ::testing::Test {
 protected:
  static Accumulator Layout() {
    const auto options = HourlyUnits(kDay);
    return Accumulator::Make(options.views[0], options.input_names, options.input_kinds).value();
  }
  SessionWindows Make() const { return {layout_, 0, 0, std::chrono::seconds(100), Duration{}}; }
  std::string CloseAll(SessionWindows& sessions) {
    std::string text;
    std::vector<double> values;
    for (const SessionWindows::Due& due : sessions.TakeDue(At(100'000), dictionary_)) {
      const int64_t events = sessions.Publish(due, &values);
      text +=
          fmt::format("{}[{},{})={}r{} ", due.id, due.start.us / 1000000, due.end.us / 1000000, events, due.revision);
    }
    return text;
  }
  const Accumulator layout_ = Layout();
  SeriesDictionary dictionary_{1};
};

TEST_F(SessionBlocksTest, AreReadBackWithWhatIsDueNext) {
  SessionWindows sessions = Make();
  std::map<std::string, std::string> store;
  class Sink final : public DeltaSink {
   public:
    explicit Sink(std::map<std::string, std::string>& rows) : rows_(rows) {}
    void Put(Family, std::string_view key, std::string_view value) override {
      rows_[std::string(key)] = std::string(value);
    }
    void Delete(Family, std::string_view key) override { EXPECT_EQ(rows_.erase(std::string(key)), 1U); }
    std::map<std::string, std::string>& rows_;
  } sink(store);
  for (uint32_t id = 0; id < 70; ++id) {
    dictionary_.Intern(fmt::format("{:02}", id));
    sessions.Add(id, Order("x", 1000 + id), EventTime::Min());
    sessions.Add(id, Order("x", 1000 + id + (id % 3) * 150), EventTime::Min());
    sessions.Add(id, Order("x", 1000 + id + 20), EventTime::Min());
  }
  sessions.Save(BlockJournal::kDeltaBlocks, sink);
  EXPECT_EQ(store.size(), 3U);
  SessionWindows again = Make();
  for (const auto& [key, value] : store)
    ASSERT_TRUE(again.LoadBlock(static_cast<unsigned char>(key.back()), 70, value).ok());
  EXPECT_EQ(again.next_close(), sessions.next_close());
  EXPECT_EQ(again.size(), sessions.size());
  EXPECT_FALSE(Make().LoadBlock(0, 3, store.begin()->second).ok());  // more series than there are
  const std::string closed = CloseAll(sessions);
  EXPECT_EQ(CloseAll(again), closed);
  EXPECT_TRUE(closed.starts_with("0[1000,1120)=3r1 1[1001,1121)=2r1 2[1002,1122)=2r1 ")) << closed;
  EXPECT_NE(closed.find(" 69[1069,1189)=3r1 1[1151,1251)=1r1 4[1154,"), std::string::npos) << closed;
  sessions.Prune(At(200'000));
  sessions.Save(BlockJournal::kDeltaBlocks, sink);
  EXPECT_TRUE(store.empty());
}

TEST_F(SessionBlocksTest, AFewChangesAreReadBackFromTheirDeltas) {
  SessionWindows sessions = Make();
  std::map<std::string, std::string> store;
  class Sink final : public DeltaSink {
   public:
    explicit Sink(std::map<std::string, std::string>& rows) : rows_(rows) {}
    void Put(Family, std::string_view key, std::string_view value) override { rows_[std::string(key)] = value; }
    void Delete(Family, std::string_view key) override { rows_.erase(std::string(key)); }
    std::map<std::string, std::string>& rows_;
  } sink(store);
  constexpr uint32_t kIds = 320;
  for (uint32_t id = 0; id < kIds; ++id) {
    dictionary_.Intern(fmt::format("{:03}", id));
    sessions.Add(id, Order("x", id % 50 == 7 ? 100 : 1000 + id), EventTime::Min());
  }
  sessions.Save(BlockJournal::kDeltaBlocks, sink);
  // Some go on, some get a second session, some close and are forgotten.
  for (uint32_t id = 3; id < kIds; id += 40) sessions.Add(id, Order("x", 1050 + id), EventTime::Min());
  for (uint32_t id = 4; id < kIds; id += 40) sessions.Add(id, Order("x", 1900 + id), EventTime::Min());
  std::vector<double> values;
  for (const SessionWindows::Due& due : sessions.TakeDue(At(500), dictionary_)) sessions.Publish(due, &values);
  sessions.Prune(At(500));
  sessions.Save(BlockJournal::kDeltaBlocks, sink);
  size_t deltas = 0;
  for (const auto& [key, value] : store) deltas += static_cast<WindowTable>(key[0]) == WindowTable::kSessionDelta;
  EXPECT_EQ(deltas, 1U);

  SessionWindows again = Make();
  for (const auto& [key, value] : store) {
    KeyReader at(std::string_view(key).substr(5));
    ASSERT_TRUE((static_cast<WindowTable>(key[0]) == WindowTable::kSessionBlock
                     ? again.LoadBlock(at.U32(), kIds, value)
                     : again.LoadDelta(at.U64(), kIds, value))
                    .ok());
  }
  EXPECT_EQ(again.size(), sessions.size());
  EXPECT_EQ(again.size(), kIds - 7 + 8);
  EXPECT_EQ(again.next_close(), sessions.next_close());
  const std::string closed = CloseAll(sessions);
  EXPECT_EQ(CloseAll(again), closed);
  EXPECT_NE(closed.find(" 43[1043,1193)=2r1 "), std::string::npos) << closed;
  EXPECT_EQ(closed.find(" 7["), std::string::npos) << closed;
  EXPECT_FALSE(Make().LoadDelta(1, 3, store.rbegin()->second).ok());  // more series than there are
}

TEST_F(SessionBlocksTest, ARowOfAnOlderBuildThatEndsBeforeItBeginsIsRefused) {
  const auto load = [this](EventTime start, EventTime last) {
    ByteWriter row;
    row.U8(1).U8(0).Time(last).Varint(0).Varint(layout_.slots());
    for (size_t i = 0; i < layout_.slots(); ++i) row.SignedVarint(0);
    return Make().LoadRow(0, start, row.view());
  };
  EXPECT_TRUE(load(At(1000), At(1000)).ok());
  EXPECT_EQ(load(At(1000), At(999)).code(), Code::kCorruption);
  EXPECT_EQ(load({-9'000'000'000'000'000'000}, {9'000'000'000'000'000'000}).code(), Code::kCorruption);
}

}  // namespace
}  // namespace tidecast
