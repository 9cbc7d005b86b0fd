#include <gtest/gtest.h>

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

}  // namespace
}  // namespace tidecast
