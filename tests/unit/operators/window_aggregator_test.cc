#include "operators/window_aggregator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "operators/window_keys.h"
#include "tests/unit/operators/windows_fixture.h"

namespace tidecast {
namespace {

using namespace testing;  // NOLINT

class WindowAggregatorTest : public ::testing::Test {
 protected:
  void Use(const WindowAggregator::Options& options) { windows_ = MakeWindows(options); }
  Verdict Send(const Event& event, EventTime judged_by = EventTime::Min()) {
    return windows_->OnEvent(event, judged_by);
  }
  void Close(int64_t seconds, size_t rows_max = 4096) { Drain(*windows_, At(seconds), sink_, activity_, rows_max); }

  std::unique_ptr<WindowAggregator> windows_;
  RecordingSink sink_;
  FixedActivity activity_;
};

class CatalogBirthTest : public ::testing::Test {
 protected:
  CatalogBirthTest() {
    options_ = HourlyUnits();
    options_.input_names.push_back("catalog");
    options_.input_kinds.push_back(InputKind::kCatalog);
    options_.dedupe_keep.push_back(Duration{});
    windows_ = WindowAggregator::Make(options_).value();
  }
  void Order_(std::string_view key, int64_t seconds) {
    ASSERT_EQ(windows_->OnEvent(Order(key, seconds, 3), EventTime::Min()), Verdict::kAccepted);
  }
  void Catalog(std::string_view key, int64_t seconds) {
    Event event = Order(key, seconds);
    event.kind = InputKind::kCatalog;
    event.input = 1;
    event.valid_from = event.time;
    ASSERT_EQ(windows_->OnEvent(event, EventTime::Min()), Verdict::kAccepted);
  }
  /// Rows that the watermark brings, "name:units" in order.
  std::string Close(int64_t seconds) {
    RecordingSink sink;
    while (!windows_->OnWatermark(At(seconds), FixedActivity(), sink, 2)) {
    }
    std::string text;
    for (const SeenRow& row : sink.rows)
      text += fmt::format("{}{}:{}", text.empty() ? "" : " ", row.series, row.features[0]);
    return text;
  }

  WindowAggregator::Options options_;
  std::unique_ptr<WindowAggregator> windows_;
};

TEST_F(WindowAggregatorTest, ClosesOnceWhenWatermarkReachesEnd) {
  Use(HourlyUnits());
  EXPECT_EQ(windows_->next_close(), EventTime::Max());
  Send(Order("a", 10, 2));
  Send(Order("a", 3599, 3));
  EXPECT_EQ(windows_->next_close(), At(kHour));
  EXPECT_TRUE(windows_->OnWatermark(EventTime{At(kHour).us - 1}, activity_, sink_, 10));
  EXPECT_TRUE(sink_.log.empty());
  Close(kHour);
  ASSERT_EQ(sink_.rows.size(), 1U);
  EXPECT_EQ(sink_.rows[0].series, "a");
  EXPECT_EQ(sink_.rows[0].features[0], 5);
  EXPECT_EQ(sink_.rows[0].revision, 1U);
  EXPECT_EQ(sink_.over.size(), 1U);
  Close(kHour);
  EXPECT_EQ(sink_.rows.size(), 1U);
  EXPECT_EQ(windows_->next_close(), At(2 * kHour));
}

TEST_F(WindowAggregatorTest, JudgesLateAtTheEdges) {
  Use(HourlyUnits(600));
  Send(Order("a", 2 * kHour));
  const EventTime end = At(kHour);
  EXPECT_EQ(Send(Order("a", 100), EventTime{end.us - 1}), Verdict::kAccepted);
  EXPECT_EQ(Send(Order("a", 100), end), Verdict::kLate);
  EXPECT_EQ(Send(Order("a", 100), EventTime{At(kHour + 600).us - 1}), Verdict::kLate);
  EXPECT_EQ(Send(Order("a", 100), At(kHour + 600)), Verdict::kTooLate);
  Close(kHour);
  ASSERT_EQ(sink_.rows.size(), 1U);
  EXPECT_EQ(sink_.rows[0].features[0], 3);
}

TEST_F(WindowAggregatorTest, ZeroRowsFromTheFirstEventOn) {
  Use(HourlyUnits());
  Send(Order("b", 10));
  Send(Order("a", kHour + 10));
  Send(Order("b", 3 * kHour));
  Close(3 * kHour);
  std::vector<std::string> seen;
  for (const SeenRow& row : sink_.rows)
    seen.push_back(fmt::format("{}@{}={}", row.series, row.start.us / 3'600'000'000, row.features[0]));
  EXPECT_EQ(seen, (std::vector<std::string>{"b@0=1", "a@1=1", "b@1=0", "a@2=0", "b@2=0"}));
}

TEST_F(WindowAggregatorTest, WithoutEmptyRowsOnlyTouchedSeriesAppear) {
  auto options = HourlyUnits();
  options.views[0].emit_empty = false;
  Use(options);
  Send(Order("b", 10));
  Send(Order("a", 2 * kHour + 10));
  Close(3 * kHour);
  ASSERT_EQ(sink_.rows.size(), 2U);
  EXPECT_EQ(sink_.over.size(), 3U);
}

TEST_F(WindowAggregatorTest, ClosingIsResumableAfterAnySeries) {
  Use(HourlyUnits());
  for (const char* name : {"c", "a", "d", "b"}) Send(Order(name, 10));
  for (size_t i = 1; i <= 4; ++i) {
    EXPECT_FALSE(windows_->OnWatermark(At(kHour), activity_, sink_, 1));
    EXPECT_EQ(sink_.rows.size(), i);
    EXPECT_TRUE(sink_.over.empty());
  }
  EXPECT_TRUE(windows_->OnWatermark(At(kHour), activity_, sink_, 2));
  EXPECT_EQ(sink_.over.size(), 1U);
  std::string names;
  for (const SeenRow& row : sink_.rows) names += row.series;
  EXPECT_EQ(names, "abcd");
}

TEST_F(WindowAggregatorTest, ALateEventRevisesItsBucket) {
  Use(HourlyUnits(2 * kHour));
  Send(Order("a", 10, 2));
  Close(kHour);
  EXPECT_FALSE(windows_->has_revisions());
  EXPECT_EQ(Send(Order("a", 20, 5), At(kHour)), Verdict::kLate);
  EXPECT_TRUE(windows_->has_revisions());
  Close(kHour + 60);
  EXPECT_FALSE(windows_->has_revisions());
  ASSERT_EQ(sink_.rows.size(), 2U);
  EXPECT_EQ(sink_.rows[1].revision, 2U);
  EXPECT_EQ(sink_.rows[1].features[0], 7);
  EXPECT_EQ(sink_.rows[1].revised_at, At(kHour + 60));
  Send(Order("a", 30, 1), At(kHour + 60));
  Close(kHour + 60);
  EXPECT_EQ(sink_.rows.back().revision, 3U);
  EXPECT_EQ(sink_.rows.back().features[0], 8);
  EXPECT_EQ(sink_.over.size(), 1U);
}

TEST_F(WindowAggregatorTest, ASeriesBornLateGetsTheRowsInBetween) {
  Use(HourlyUnits(10 * kHour));
  Send(Order("a", 10));
  Send(Order("a", 3 * kHour));
  Close(3 * kHour);
  sink_.Clear();
  EXPECT_EQ(Send(Order("b", kHour + 5, 4), At(3 * kHour)), Verdict::kLate);
  Close(3 * kHour);
  ASSERT_EQ(sink_.rows.size(), 2U);
  EXPECT_EQ(sink_.rows[0].start, At(kHour));
  EXPECT_EQ(sink_.rows[0].features[0], 4);
  EXPECT_EQ(sink_.rows[0].revision, 2U);
  EXPECT_EQ(sink_.rows[1].start, At(2 * kHour));
  EXPECT_EQ(sink_.rows[1].features[0], 0);
  Close(4 * kHour);
  EXPECT_EQ(sink_.rows.size(), 4U);
}

TEST_F(WindowAggregatorTest, ALateEventBeforeTheFirstBucketCounts) {
  Use(HourlyUnits(10 * kHour));
  Send(Order("a", 3 * kHour));
  Close(4 * kHour);
  sink_.Clear();
  EXPECT_EQ(Send(Order("a", kHour, 2), At(4 * kHour)), Verdict::kLate);
  Close(4 * kHour);
  std::string seen;
  for (const SeenRow& row : sink_.rows) seen += fmt::format("{}={} ", row.start.us / 3'600'000'000, row.features[0]);
  EXPECT_EQ(seen, "1=2 2=0 ");
  EXPECT_TRUE(sink_.over.empty());
}

TEST_F(WindowAggregatorTest, EarlierFirstEventsMoveTheBeginningBack) {
  Use(HourlyUnits());
  Send(Order("a", 5 * kHour));
  Send(Order("b", 2 * kHour));
  EXPECT_EQ(windows_->next_close(), At(3 * kHour));
}

TEST_F(WindowAggregatorTest, EndOfInputClosesUpToTheLastEventAndNoFurther) {
  Use(HourlyUnits());
  Send(Order("a", 10));
  Send(Order("a", 5 * kHour));
  Drain(*windows_, EventTime::Max(), sink_, activity_);
  EXPECT_EQ(sink_.rows.size(), 6U);
  EXPECT_EQ(windows_->next_close(), EventTime::Max());
}

TEST_F(WindowAggregatorTest, ALongerLogMayGoOnAfterTheEndOfInput) {
  Use(HourlyUnits());
  Committer committer;
  Send(Order("a", 10, 2));
  Drain(*windows_, EventTime::Max(), sink_, activity_);
  committer.Commit(*windows_);
  ASSERT_TRUE(windows_->Reload(committer.reader()).ok());
  EXPECT_EQ(Send(Order("a", 20, 3), At(15)), Verdict::kAccepted);
  Send(Order("a", kHour + 1, 1), At(20));
  Close(2 * kHour);
  ASSERT_EQ(sink_.rows.size(), 3U);
  EXPECT_EQ(sink_.rows[1].features[0], 5);
  EXPECT_EQ(sink_.rows[1].revision, 2U);
  EXPECT_EQ(sink_.rows[2].features[0], 1);
}

TEST_F(WindowAggregatorTest, LearnedCalendarWaitsThenClosesQuietDays) {
  auto options = HourlyUnits();
  options.views[0].calendar.unit = BucketUnit::kDay;
  options.views[0].calendar.open = OpenRule::kLearned;
  Use(options);
  activity_.other = ActivityBoard::Answer::kUnknown;
  Send(Order("a", 10));
  Send(Order("a", 2 * kDay));
  EXPECT_FALSE(windows_->OnWatermark(At(2 * kDay), activity_, sink_, 100));
  EXPECT_EQ(sink_.rows.size(), 1U);  // the first day was active here: nobody needs to be asked
  const size_t calls = sink_.log.size();
  EXPECT_FALSE(windows_->OnWatermark(At(2 * kDay), activity_, sink_, 100));
  EXPECT_EQ(sink_.log.size(), calls);
  activity_.answers[At(kDay)] = ActivityBoard::Answer::kQuiet;
  EXPECT_TRUE(windows_->OnWatermark(At(2 * kDay), activity_, sink_, 100));
  EXPECT_EQ(sink_.rows.size(), 1U);
  EXPECT_FALSE(std::get<2>(sink_.over[1]));
  std::vector<EventTime> active;
  windows_->ActiveBuckets(0, &active);
  EXPECT_EQ(active, std::vector<EventTime>{At(2 * kDay)});
}

TEST_F(WindowAggregatorTest, ABucketClosedByRuleHasRowsOnlyForSeriesWithEvents) {
  auto options = HourlyUnits();
  options.views[0].calendar.unit = BucketUnit::kDay;
  options.views[0].calendar.open = OpenRule::kWeekdays;
  options.views[0].calendar.weekdays = {1, 2, 3, 4, 5};
  Use(options);
  // 1970-01-01 is a Thursday; 3 and 4 are the weekend.
  Send(Order("a", 10));
  Send(Order("b", 20));
  Send(Order("b", 2 * kDay + 5, 9));
  Close(4 * kDay);
  ASSERT_EQ(sink_.over.size(), 4U);
  EXPECT_TRUE(std::get<2>(sink_.over[2]));
  EXPECT_FALSE(std::get<2>(sink_.over[3]));
  ASSERT_EQ(sink_.rows.size(), 5U);
  EXPECT_EQ(sink_.rows[4].series, "b");
  EXPECT_EQ(sink_.rows[4].features[0], 9);
}

TEST_F(WindowAggregatorTest, EveryAggregateOverItsEvents) {
  auto options = HourlyUnits();
  auto& f = options.views[0].features;
  f.clear();
  f.push_back(Feature("units", Aggregate::kSum));
  f.back().sign = SignFilter::kPositive;
  f.push_back(Feature("returns", Aggregate::kSum));
  f.back().sign = SignFilter::kNegative;
  f.back().absolute = true;
  f.push_back(Feature("lines", Aggregate::kCount));
  f.back().sign = SignFilter::kPositive;
  f.push_back(Feature("price", Aggregate::kMean, NumberField::kUnitPrice));
  f.push_back(Feature("top", Aggregate::kMax));
  f.push_back(Feature("low", Aggregate::kMin));
  f.push_back(Feature("last", Aggregate::kLast));
  f.push_back(Feature("customers", Aggregate::kDistinct));
  Use(options);
  const auto priced = [](Event event, double price) {
    event.Set(NumberField::kUnitPrice, Decimal{static_cast<int64_t>(price * 1e6)});
    return event;
  };
  Send(priced(Order("a", 10, 2, 77), 1));
  Send(priced(Order("a", 30, 4, 78), 2));
  Send(Order("a", 20, -3, 77));
  Send(Order("a", 15, 1, 0));
  Close(2 * kHour);
  ASSERT_EQ(sink_.rows.size(), 2U);
  EXPECT_EQ(sink_.rows[0].features, (std::vector<double>{7, 3, 3, 1.5, 4, -3, 4, 2}));
  const std::vector<double>& zero = sink_.rows[1].features;
  for (const size_t i : {0U, 1U, 2U, 7U}) EXPECT_EQ(zero[i], 0) << i;
  for (const size_t i : {3U, 4U, 5U, 6U}) EXPECT_TRUE(std::isnan(zero[i])) << i;
}

TEST_F(WindowAggregatorTest, AnOverflowingSumIsRefusedAndCountsNowhere) {
  Use(HourlyUnits());
  Event big = Order("a", 10);
  big.Set(NumberField::kQuantity, Decimal{INT64_MAX - 5});
  EXPECT_EQ(Send(big), Verdict::kAccepted);
  EXPECT_EQ(Send(Order("a", 20, 1)), Verdict::kOverflow);
  Close(kHour);
  EXPECT_EQ(sink_.rows[0].features[0], Decimal{INT64_MAX - 5}.ToDouble());
}

TEST_F(WindowAggregatorTest, TooLateOnlyWhenTooLateInEveryView) {
  auto options = HourlyUnits();
  options.views.push_back(options.views[0]);
  options.views[1].calendar.unit = BucketUnit::kDay;
  Use(options);
  Send(Order("a", 10));
  EXPECT_EQ(Send(Order("a", 20), At(2 * kHour)), Verdict::kAccepted);
  EXPECT_EQ(Send(Order("a", 20), At(kDay)), Verdict::kTooLate);
  Close(kHour);
  EXPECT_EQ(sink_.rows[0].features[0], 1);
  Close(kDay);
  EXPECT_EQ(sink_.rows.back().view, 1);
  EXPECT_EQ(sink_.rows.back().features[0], 2);
}

TEST_F(WindowAggregatorTest, OpenValueFollowsTheOpenBucket) {
  Use(HourlyUnits());
  EXPECT_TRUE(std::isnan(windows_->OpenValue(0, "a", 0)));
  Send(Order("a", 10, 2));
  Send(Order("b", 11));
  EXPECT_EQ(windows_->OpenValue(0, "a", 0), 2);
  EXPECT_EQ(windows_->OpenValue(0, "nobody", 0), 0);
  EXPECT_EQ(windows_->series_count(0), 2U);
  Close(kHour);
  EXPECT_TRUE(std::isnan(windows_->OpenValue(0, "a", 0)));
}

TEST_F(WindowAggregatorTest, HoppingWindowsAreCombinedFromPanesAndRevised) {
  auto options = HourlyUnits(5 * kHour);
  options.views[0].features.push_back(Feature("top", Aggregate::kMax));
  WindowOptions hopping;
  hopping.name = "three";
  hopping.size_buckets = 3;
  options.views[0].windows = {hopping};
  Use(options);
  Send(Order("a", 10, 5));
  Send(Order("a", kHour, 1));
  Send(Order("a", 3 * kHour, 2));
  Close(7 * kHour);
  std::vector<std::string> seen;
  const auto windows = [&] {
    seen.clear();
    for (const SeenRow& row : sink_.rows) {
      if (row.window == 0) {
        seen.push_back(fmt::format("[{},{}) {} {} r{}", row.start.us / 3'600'000'000, row.end.us / 3'600'000'000,
                                   row.features[0], row.features[1], row.revision));
      }
    }
  };
  windows();
  EXPECT_EQ(seen, (std::vector<std::string>{"[-2,1) 5 5 r1", "[-1,2) 6 5 r1", "[0,3) 6 5 r1", "[1,4) 3 2 r1",
                                            "[2,5) 2 2 r1", "[3,6) 2 2 r1"}));
  sink_.Clear();
  EXPECT_EQ(Send(Order("a", 4 * kHour, 7), At(7 * kHour)), Verdict::kLate);
  Close(7 * kHour);
  windows();
  EXPECT_EQ(seen, (std::vector<std::string>{"[2,5) 9 7 r2", "[3,6) 9 7 r2", "[4,7) 7 7 r2"}));
  sink_.Clear();
  Close(8 * kHour);
  windows();
  EXPECT_TRUE(seen.empty());
}

TEST_F(WindowAggregatorTest, StateIsTombstonedOnceNothingCanReviseIt) {
  auto options = HourlyUnits(kHour);
  options.views[0].features.push_back(Feature("customers", Aggregate::kDistinct));
  Use(options);
  Committer committer;
  Send(Order("a", 10, 1, 5));
  committer.Commit(*windows_);
  EXPECT_EQ(committer.Contents().size(), 5U);  // series, pane, distinct, bucket, cursor
  Close(kHour);
  committer.Commit(*windows_);
  EXPECT_EQ(committer.Contents().size(), 5U);
  Close(2 * kHour);
  committer.Commit(*windows_);
  EXPECT_EQ(committer.Contents().size(), 3U);  // series, the empty second bucket, cursor
}

TEST_F(WindowAggregatorTest, ClosedPanesAreLetGoOnceCommittedAndComeBackForALateEvent) {
  Use(HourlyUnits(30 * kHour));
  Committer committer;
  ASSERT_TRUE(windows_->Reload(committer.reader()).ok());
  std::deque<std::string> names;
  for (int i = 0; i < 2000; ++i) names.push_back(fmt::format("s{:04}", i));
  size_t one = 0;
  for (int64_t hour = 0; hour < 20; ++hour) {
    for (const std::string& name : names) Send(Order(name, hour * kHour + 10));
    committer.Commit(*windows_);
    if (hour == 0) one = windows_->memory_bytes();
    Close((hour + 1) * kHour);
    committer.Commit(*windows_);
  }
  EXPECT_LT(windows_->memory_bytes(), 2 * one);
  Use(HourlyUnits(30 * kHour));
  ASSERT_TRUE(windows_->Reload(committer.reader()).ok());
  EXPECT_LT(windows_->memory_bytes(), one);
  sink_.Clear();
  Send(Order("s0042", 20, 4));
  Close(20 * kHour);
  ASSERT_EQ(sink_.rows.size(), 1U);
  EXPECT_EQ(sink_.rows[0].revision, 2U);
  EXPECT_EQ(sink_.rows[0].features[0], 5);
  EXPECT_TRUE(windows_->failure().ok());
}

TEST_F(WindowAggregatorTest, ARevisionThatWaitsKeepsItsPane) {
  Use(HourlyUnits(10 * kHour));
  Committer committer;
  ASSERT_TRUE(windows_->Reload(committer.reader()).ok());
  for (const char* name : {"a", "b", "c"}) Send(Order(name, 10));
  Close(kHour);
  committer.Commit(*windows_);
  for (const char* name : {"a", "b", "c"}) Send(Order(name, 20, 4));
  sink_.Clear();
  EXPECT_FALSE(windows_->OnWatermark(At(kHour), activity_, sink_, 1));
  committer.Commit(*windows_);
  EXPECT_FALSE(windows_->OnWatermark(At(kHour), activity_, sink_, 1));
  committer.Commit(*windows_);
  Use(HourlyUnits(10 * kHour));
  ASSERT_TRUE(windows_->Reload(committer.reader()).ok());
  Close(kHour);
  ASSERT_EQ(sink_.rows.size(), 3U);
  EXPECT_EQ(sink_.rows[2].series, "c");
  EXPECT_EQ(sink_.rows[2].features[0], 5);
}

TEST_F(WindowAggregatorTest, APaneThatCannotBeReadBackIsToldAsAFailure) {
  Use(HourlyUnits(10 * kHour));
  Committer committer;
  ASSERT_TRUE(windows_->Reload(committer.reader()).ok());
  Send(Order("a", 10));
  Close(kHour);
  committer.Commit(*windows_);
  for (const auto& [key, value] : committer.Contents()) {
    if (static_cast<WindowTable>(key[0]) == WindowTable::kPaneBlock) committer.Rewrite(key, "\x7f");
  }
  Send(Order("a", 20));
  EXPECT_EQ(windows_->failure().code(), Code::kVersion) << windows_->failure().message();
  ASSERT_TRUE(windows_->Reload(committer.reader()).ok());
  EXPECT_TRUE(windows_->failure().ok());
}

TEST_F(WindowAggregatorTest, BucketsOfAnOlderFormatAreReadWithAllTheirPanes) {
  Use(HourlyUnits(10 * kHour));
  Committer committer;
  ASSERT_TRUE(windows_->Reload(committer.reader()).ok());
  for (const char* name : {"a", "b"}) Send(Order(name, 10));
  Close(kHour);
  committer.Commit(*windows_);
  int rewritten = 0;
  for (auto& [key, value] : committer.Contents()) {
    if (static_cast<WindowTable>(key[0]) != WindowTable::kBucket) continue;
    std::string old = value.substr(0, value.size() - 1);  // ends after the openness
    old[0] = 1;
    committer.Rewrite(key, old);
    ++rewritten;
  }
  ASSERT_EQ(rewritten, 1);
  Use(HourlyUnits(10 * kHour));
  ASSERT_TRUE(windows_->Reload(committer.reader()).ok());
  sink_.Clear();
  Send(Order("b", 20, 4));
  Close(kHour);
  committer.Commit(*windows_);
  ASSERT_EQ(sink_.rows.size(), 1U);
  EXPECT_EQ(sink_.rows[0].revision, 2U);
  EXPECT_EQ(sink_.rows[0].features[0], 5);
  for (auto& [key, value] : committer.Contents()) {
    if (static_cast<WindowTable>(key[0]) == WindowTable::kBucket) {
      EXPECT_EQ(value[0], 2) << "written anew";
    }
  }
}

TEST_F(WindowAggregatorTest, NamesOfOlderFormatsAreGoneOnWith) {
  const auto run = [this](int old_version) {
    Use(HourlyUnits(10 * kHour));
    Committer committer;
    TC_CHECK(windows_->Reload(committer.reader()).ok());
    for (const char* name : {"b", "a"}) Send(Order(name, 10));
    Close(kHour);
    committer.Commit(*windows_);
    for (uint32_t id = 0; id < 2 && old_version > 0; ++id) {
      ByteWriter row;
      row.U8(static_cast<uint8_t>(old_version)).Bytes(id == 0 ? "b" : "a").Varint(1).Time(At(0));
      if (old_version > 1) row.Time(EventTime::Min());
      committer.Rewrite(KeyWriter().U8(static_cast<uint8_t>(WindowTable::kSeries)).U32(id).view(), row.view());
    }
    Use(HourlyUnits(10 * kHour));
    EXPECT_TRUE(windows_->Reload(committer.reader()).ok());
    sink_.Clear();
    for (const char* name : {"a", "c"}) Send(Order(name, kHour + 20));
    Close(2 * kHour);
    committer.Commit(*windows_);
    return std::pair(sink_.log, committer.Contents());
  };
  const auto [log, contents] = run(0);
  EXPECT_FALSE(log.empty());
  for (const int version : {1, 2}) {
    const auto [log_then, contents_then] = run(version);
    EXPECT_EQ(log_then, log) << version;
    // A name of the first format has its birth for a sign of life.
    if (version == 2) {
      EXPECT_EQ(contents_then, contents);
    }
    EXPECT_EQ(contents_then.size(), contents.size()) << version;
  }
}

TEST_F(WindowAggregatorTest, ABucketWithoutStockSaysSo) {
  auto options = HourlyUnits();
  options.views[0].forecast = true;
  options.input_names.push_back("inventory");
  options.input_kinds.push_back(InputKind::kInventory);
  options.dedupe_keep.push_back(Duration{});
  Use(options);
  const auto stock = [this](std::string_view key, int64_t seconds, int64_t pieces) {
    Event event = Order(key, seconds);
    event.kind = InputKind::kInventory;
    event.input = 1;
    event.valid_from = event.time;
    event.Set(NumberField::kOnHand, Decimal{pieces * Decimal::kOne});
    ASSERT_EQ(Send(event), Verdict::kAccepted);
  };
  struct Stocks final : WindowSink {
    void OnBucket(const ClosedBucket& bucket) override {
      said += fmt::format("{}{}:{} ", bucket.series, bucket.start.us / 1'000'000 / kHour, bucket.out_of_stock);
    }
    void OnWindow(const ClosedBucket&, uint16_t) override {}
    void OnBucketEnd(uint16_t, EventTime, EventTime, bool) override {}
    std::string said;
  } sink;
  for (const char* name : {"a", "b", "c"}) Send(Order(name, 10));
  stock("a", 100, 0);
  stock("b", 100, 5);
  stock("a", 2 * kHour + 100, 7);
  stock("a", 3 * kHour + 100, 0);
  Send(Order("a", 4 * kHour + 10));
  Drain(*windows_, At(5 * kHour), sink, activity_);
  EXPECT_EQ(sink.said,
            "a0:false b0:false c0:false a1:true b1:false c1:false a2:false b2:false c2:false a3:false b3:false "
            "c3:false a4:true b4:false c4:false ");
}

TEST_F(WindowAggregatorTest, RefusesOptionsThatMakeNoSense) {
  auto options = HourlyUnits();
  options.views[0].features[0].input = "nowhere";
  EXPECT_EQ(WindowAggregator::Make(options).status().code(), Code::kConfig);
  options = HourlyUnits();
  options.views[0].calendar.zone = "Mars/Olympus";
  const Status status = WindowAggregator::Make(options).status();
  EXPECT_EQ(status.code(), Code::kConfig);
  EXPECT_FALSE(status.remedy().empty());
}

TEST_F(WindowAggregatorTest, RefusesStoredPanesOfOtherFeatures) {
  Use(HourlyUnits());
  Committer committer;
  Send(Order("a", 10));
  committer.Commit(*windows_);
  auto options = HourlyUnits();
  options.views[0].features.push_back(Feature("lines", Aggregate::kCount));
  Use(options);
  EXPECT_EQ(windows_->Reload(committer.reader()).code(), Code::kConfig);
}

TEST_F(WindowAggregatorTest, RefusesStoredRowsWithoutABucket) {
  Use(HourlyUnits(2 * kHour));
  Committer sound;
  for (int64_t hour = 0; hour < 8; ++hour) {  // the first ones are gone by now, with their rows
    Send(Order("a", hour * kHour));
    Close(hour * kHour);
    sound.Commit(*windows_);
  }
  Send(Order("a", 12 * kHour));
  sound.Commit(*windows_);
  Use(HourlyUnits(2 * kHour));
  ASSERT_TRUE(windows_->Reload(sound.reader()).ok());
  for (const int64_t hour : {4, 10, 30}) {  // before the oldest one, between two, behind the last
    SCOPED_TRACE(hour);
    for (const std::string& orphan :
         {PaneBlockKey(0, At(hour * kHour + 1), 0), DistinctKey(0, At(hour * kHour + 1), 0, 0)}) {
      Committer damaged;
      for (const auto& [key, value] : sound.Contents()) damaged.Rewrite(key, value);
      damaged.Rewrite(orphan, "anything");
      Use(HourlyUnits(2 * kHour));
      const Status read = windows_->Reload(damaged.reader());
      EXPECT_EQ(read.code(), Code::kCorruption);
      EXPECT_THAT(read.message(), ::testing::HasSubstr("have no bucket"));
    }
  }
}

TEST_F(CatalogBirthTest, ACatalogRowBringsRowsOfZerosFromTheNextCloseOn) {
  Order_("apple", 10 * kHour);
  Catalog("pear", 10 * kHour + 60);
  Catalog("old", 2 * kHour);         // of a bucket that is not kept: born in the one that closes next
  Catalog("later", 12 * kHour + 5);  // two buckets on
  EXPECT_EQ(Close(11 * kHour), "apple:3 old:0 pear:0");
  EXPECT_EQ(Close(12 * kHour), "apple:0 old:0 pear:0");
  Order_("pear", 12 * kHour + 100);
  EXPECT_EQ(Close(13 * kHour), "apple:0 later:0 old:0 pear:3");
  EXPECT_EQ(windows_->series_count(0), 4U);
}

TEST_F(CatalogBirthTest, AKnownSeriesIsNotBornAgain) {
  Order_("apple", 10 * kHour);
  Close(11 * kHour);
  Catalog("apple", 14 * kHour);
  EXPECT_EQ(Close(12 * kHour), "apple:0");
}

TEST_F(CatalogBirthTest, ComesBackFromTheStore) {
  Order_("apple", 10 * kHour);
  Catalog("pear", 10 * kHour);
  Committer committer;
  committer.Commit(*windows_);
  windows_ = WindowAggregator::Make(options_).value();
  ASSERT_TRUE(windows_->Reload(committer.reader()).ok());
  EXPECT_EQ(Close(11 * kHour), "apple:3 pear:0");
}

}  // namespace
}  // namespace tidecast
