// What goes from the series stage to the further stages, and the tasks that read it.
#include <gtest/gtest.h>

#include <deque>

#include "engine/runtime/rekey_records.h"
#include "engine/runtime/rekey_watermarks.h"
#include "engine/runtime/rekeyed_task.h"
#include "state/state_store.h"

namespace tidecast {
namespace {

constexpr int64_t kDay = 86'400;
EventTime S(int64_t seconds) { return EventTime::FromSeconds(seconds); }

/// Records in memory as a partition's batch.
class ListBatch final : public RecordBatch {
 public:
  std::span<const InputRecord> records() const override { return records_; }
  void Clear() override {
    records_.clear();
    owned_.clear();
    headers_.clear();
  }
  void Add(const OutputRecord& record, int64_t offset) {
    const OutputRecord& kept = owned_.emplace_back(record);
    InputRecord& in = records_.emplace_back();
    in.offset = offset;
    in.has_key = true;
    in.key = kept.key;
    in.value = *kept.value;
    std::vector<HeaderView>& headers = headers_.emplace_back();
    for (const Header& header : kept.headers) headers.push_back({header.name, header.value});
    in.headers = headers;
  }

 private:
  std::deque<OutputRecord> owned_;
  std::deque<std::vector<HeaderView>> headers_;
  std::vector<InputRecord> records_;
};

InputRecord AsInput(const OutputRecord& record) {
  InputRecord in;
  in.has_key = true;
  in.key = record.key;
  in.value = *record.value;
  return in;
}

TEST(RekeyRecordsTest, AContributionReadsBackAsItWasWritten) {
  const Contribution c{3, 7, "Eire", S(kDay), S(2 * kDay), 4, true, "some row"};
  const OutputRecord record = ContributionRecord("shop.rekey.rollup", c);
  EXPECT_EQ(record.key, "Eire");
  EXPECT_EQ(record.headers.at(0).value, "contribution/3/Eire/86400000000/7/4");
  RekeyRecord back;
  ASSERT_TRUE(ParseRekeyRecord(AsInput(record), &back).ok());
  EXPECT_EQ(back.kind, RekeyKind::kContribution);
  EXPECT_EQ(std::tuple(back.contribution.view, back.contribution.upstream, back.contribution.key,
                       back.contribution.start, back.contribution.end),
            std::tuple(c.view, c.upstream, c.key, c.start, c.end));
  EXPECT_EQ(std::tuple(back.contribution.revision, back.contribution.target_active, back.contribution.row),
            std::tuple(4U, true, c.row));
}

TEST(RekeyRecordsTest, AnEventReadsBackAsItWasWritten) {
  Event event;
  event.time = S(100);
  event.offset = 12;
  event.input = 1;
  event.kind = InputKind::kClicks;
  event.action = ClickAction::kCart;
  event.key = "sku";
  event.customer = 0xABC;
  event.session = 5;
  event.Set(NumberField::kQuantity, Decimal{-2'500'000});
  event.Set(NumberField::kAmount, Decimal{7});
  event.texts[static_cast<size_t>(TextField::kCountry)] = "Norway";
  const OutputRecord record = ForwardedEventRecord("shop.rekey.actor", event, S(90), {"shop.clicks", 2});
  EXPECT_EQ(record.key, "0000000000000abc");
  EXPECT_EQ(record.headers.at(0).value, "event/shop.clicks/2/12");
  const std::vector<HeaderView> headers = {{"task", "1"}, {record.headers[0].name, record.headers[0].value}};
  InputRecord in = AsInput(record);
  in.headers = headers;
  RekeyRecord back;
  ASSERT_TRUE(ParseRekeyRecord(in, &back).ok());
  EXPECT_EQ(std::tuple(back.source_topic, back.source_partition, back.event.offset), std::tuple("shop.clicks", 2, 12));
  EXPECT_EQ(back.kind, RekeyKind::kEvent);
  EXPECT_EQ(back.judged_by, S(90));
  EXPECT_EQ(back.event.key, record.key);
  EXPECT_EQ(std::tuple(back.event.time, back.event.input, back.event.kind, back.event.action, back.event.customer,
                       back.event.session),
            std::tuple(event.time, event.input, event.kind, event.action, event.customer, event.session));
  EXPECT_EQ(back.event.has, event.has);
  EXPECT_EQ(back.event.Number(NumberField::kQuantity).micros, -2'500'000);
  EXPECT_EQ(back.event.Number(NumberField::kAmount).micros, 7);
  EXPECT_EQ(back.event.texts[static_cast<size_t>(TextField::kCountry)], "Norway");
}

TEST(RekeyRecordsTest, SumsOfForecastsReadBackAsTheyWereWritten) {
  const BottomUpShare share{3, 7, "Eire", S(kDay), S(2 * kDay), S(5 * kDay), {1'500'000, -2, INT64_MAX}};
  const OutputRecord record = BottomUpRecord("shop.rekey.rollup", share);
  EXPECT_EQ(record.key, "Eire");
  EXPECT_EQ(record.headers.at(0).value, "bottom-up/3/Eire/86400000000/7");
  RekeyRecord back;
  ASSERT_TRUE(ParseRekeyRecord(AsInput(record), &back).ok());
  EXPECT_EQ(back.kind, RekeyKind::kBottomUp);
  EXPECT_EQ(std::tuple(back.bottom_up.view, back.bottom_up.upstream, back.bottom_up.key, back.bottom_up.start,
                       back.bottom_up.end, back.bottom_up.until),
            std::tuple(share.view, share.upstream, share.key, share.start, share.end, share.until));
  EXPECT_EQ(back.bottom_up.micros, share.micros);
}

TEST(RekeyRecordsTest, TheExampleOfTheFormatPage) {
  const std::vector<UpstreamWatermark> told = {{2, EventTime{1}, false, EventTime::Min()}};
  const OutputRecord record = WatermarksRecord("t", 3, told);
  EXPECT_EQ(record.partition, 3);
  EXPECT_EQ(
      *record.value,
      std::string("\x01\x02\x01\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80", 22));
  RekeyRecord back;
  ASSERT_TRUE(ParseRekeyRecord(AsInput(record), &back).ok());
  EXPECT_EQ(back.watermarks, told);
}

TEST(RekeyRecordsTest, RefusesWhatItDoesNotKnow) {
  RekeyRecord back;
  OutputRecord record = WatermarksRecord("t", 0, {});
  (*record.value)[0] = 2;
  EXPECT_EQ(ParseRekeyRecord(AsInput(record), &back).code(), Code::kVersion);
  (*record.value)[0] = 1;
  (*record.value)[1] = 9;
  EXPECT_EQ(ParseRekeyRecord(AsInput(record), &back).code(), Code::kCorruption);
  record = ContributionRecord("t", {0, 0, "k", S(0), S(1), 1, false, "row"});
  record.value->pop_back();
  EXPECT_EQ(ParseRekeyRecord(AsInput(record), &back).code(), Code::kCorruption);
  Event event;
  event.time = S(1);
  record = ForwardedEventRecord("t", event, S(0), {"shop.orders", 0});
  for (const char* id : {"event/shop.orders/0/", "event/shop.orders/0/x", "event/shop.orders/-1/3",
                         "event/shop.orders/70000/3", "event//3", "event/3", "contribution/shop.orders/0/3"}) {
    const std::vector<HeaderView> headers = {{"tidecast_content_id", id}};
    InputRecord in = AsInput(record);
    in.headers = headers;
    EXPECT_EQ(ParseRekeyRecord(in, &back).code(), Code::kCorruption) << id;
  }
}

class Quiet final : public ActivityBoard {
 public:
  Answer Ask(uint16_t, EventTime, EventTime) const override { return Answer::kActive; }
};

class RekeyedTaskTest : public ::testing::Test {
 protected:
  RekeyedTaskTest() {
    EngineOptions options;
    InputOptions orders;
    orders.name = "orders";
    orders.topic = "shop.orders";
    options.inputs = {orders};
    ViewOptions view;
    view.name = "total";
    view.group_by = GroupBy::kAll;
    view.features = {{.name = "units", .input = "orders", .aggregate = Aggregate::kSum}};
    view.forecast = false;
    options.views = {view};
    plan_ = TaskPlan::Make(std::move(options), true, true).value();
    store_ = MakeMemoryStore();
    task_ = RekeyedTask::Make(Stage::kRollup, 1, *plan_, 2).value();
    TC_CHECK(task_->Reload(*store_).ok());
  }

  /// The share of an upstream task; each revision of one event more, if not told otherwise.
  void Give(uint16_t upstream, int64_t day, int64_t units, uint32_t revision = 1, int64_t events = 0) {
    ByteWriter row;
    row.Varint(2).SignedVarint(events > 0 ? events : revision).SignedVarint(units * 1'000'000);
    Put(ContributionRecord("t", {0, upstream, "all", S(day * kDay), S((day + 1) * kDay), revision, true, row.view()}));
  }
  void Tell(uint16_t upstream, EventTime watermark, bool idle = false, EventTime newest_event = EventTime::Min()) {
    const std::vector<UpstreamWatermark> told = {{upstream, watermark, idle, newest_event}};
    Put(WatermarksRecord("t", 1, told));
  }
  void Put(const OutputRecord& record) { batch_.push_back(record); }

  void Run() {
    auto& batch = static_cast<ListBatch&>(task_->PrepareBatch(0, transport_));
    for (const OutputRecord& record : batch_) batch.Add(record, offset_++);
    batch_.clear();
    task_->OnPolled(0, {.at_end = true, .next_offset = offset_}, {});
    out_ = {};
    task_->Process(quiet_, 1 << 20, out_);
  }
  void Commit() {
    StateBatch batch;
    task_->Save(1, ++seq_, batch);
    TC_CHECK(store_->Write(batch).ok());
  }

  /// Gives batches, and nothing else.
  class BatchTransport final : public LogTransport {
   public:
    Status Open() override { return Status::Ok(); }
    Result<TopicInfo> DescribeTopic(const std::string&) override { return TopicInfo{}; }
    Result<std::vector<TopicInfo>> ListTopics() override { return std::vector<TopicInfo>{}; }
    Status CreateTopic(const TopicSpec&) override { return Status::Ok(); }
    Status Join(const std::vector<std::string>&) override { return Status::Ok(); }
    Status StartAt(std::span<const Position>) override { return Status::Ok(); }
    void ReleaseRevoked() override {}
    void Leave() override {}
    Result<int64_t> EndOffset(const TopicPartition&) override { return int64_t{0}; }
    Result<std::vector<Position>> CommittedPositions(std::span<const TopicPartition>) override {
      return std::vector<Position>{};
    }
    std::unique_ptr<RecordBatch> MakeBatch() override { return std::make_unique<ListBatch>(); }
    Result<PollResult> Poll(uint32_t, size_t, size_t, RecordBatch&) override { return PollResult{}; }
    void Step(int, std::vector<TransportEvent>*) override {}
    Status Begin() override { return Status::Ok(); }
    Status Produce(const OutputRecord&) override { return Status::Ok(); }
    Status SendOffsets(std::span<const Position>) override { return Status::Ok(); }
    void Commit(StateBatch&&) override {}
    void Abort() override {}
    bool needs_changelog() const override { return true; }
    Result<std::unique_ptr<LogReader>> OpenReader(const TopicPartition&, int64_t, bool) override {
      return std::unique_ptr<LogReader>();
    }
    Status RenewProducer() override { return Status::Ok(); }
  };

  std::unique_ptr<TaskPlan> plan_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<RekeyedTask> task_;
  BatchTransport transport_;
  Quiet quiet_;
  std::vector<OutputRecord> batch_;
  int64_t offset_ = 0;
  uint64_t seq_ = 0;
  TaskStepOutput out_;
};

TEST_F(RekeyedTaskTest, ClosesABucketOnceEveryUpstreamTaskHasPassedIt) {
  Give(0, 0, 5);
  Tell(0, S(kDay));
  Run();
  EXPECT_EQ(task_->watermark(), EventTime::Min());
  EXPECT_TRUE(out_.buckets.empty());
  Give(1, 0, 2);
  Tell(1, EventTime{S(kDay).us - 1});
  Run();
  EXPECT_TRUE(out_.buckets.empty());
  Tell(1, S(3 * kDay));
  Run();
  ASSERT_EQ(out_.buckets.size(), 1U);
  EXPECT_EQ(out_.buckets[0].series, "all");
  EXPECT_EQ(out_.buckets[0].features, std::vector<double>{7});
  EXPECT_EQ(task_->closed_up_to(), S(kDay));
  EXPECT_EQ(task_->position(0).next_offset, offset_);
}

TEST_F(RekeyedTaskTest, AnIdleUpstreamTaskHoldsNobodyBack) {
  Give(0, 0, 5);
  Tell(0, S(kDay));
  Tell(1, EventTime::Min(), true);
  Run();
  ASSERT_EQ(out_.buckets.size(), 1U);
  EXPECT_FALSE(task_->idle());
  Tell(0, S(kDay), true);
  Run();
  EXPECT_TRUE(task_->idle());
}

TEST_F(RekeyedTaskTest, EndsWhenAllUpstreamTasksHaveEndedAndOnlyInABoundedRun) {
  Give(0, 0, 5);
  Tell(0, EventTime::Max());
  Tell(1, S(10));
  Tell(1, EventTime::Max());
  Run();
  EXPECT_TRUE(out_.buckets.empty());
  EXPECT_FALSE(task_->ended());
  Commit();
  ASSERT_TRUE(task_->Reload(*store_).ok());
  task_->SetEnd(0, 0);
  EXPECT_TRUE(task_->ended());
  Run();
  EXPECT_EQ(out_.buckets.size(), 1U);
  EXPECT_TRUE(task_->drained());
  // A longer log: the upstream task has not ended after all.
  Tell(1, S(20));
  Run();
  EXPECT_FALSE(task_->ended());
}

TEST_F(RekeyedTaskTest, ClosesUpToTheNewestEventAnywhereAtTheEnd) {
  task_->SetEnd(0, 0);
  Give(0, 0, 5);
  Tell(0, EventTime::Max(), false, S(10));
  Tell(1, EventTime::Max(), false, S(2 * kDay + 5));
  Run();
  ASSERT_EQ(out_.buckets.size(), 3U);
  EXPECT_EQ(out_.buckets[2].start, S(2 * kDay));
  EXPECT_EQ(out_.buckets[2].features, std::vector<double>{0});
  EXPECT_TRUE(task_->drained());
}

TEST_F(RekeyedTaskTest, StandsWhereItsCommitRecordStands) {
  Give(0, 0, 5);
  Tell(0, S(100));
  Run();
  Commit();
  Give(1, 0, 2);
  Tell(1, S(3 * kDay));
  Run();
  ASSERT_TRUE(task_->Reload(*store_).ok());
  EXPECT_EQ(task_->position(0).next_offset, 2);
  EXPECT_EQ(task_->stored_seq(), 1U);
  EXPECT_EQ(task_->counts().events_accepted, 1);
  offset_ = 2;
  Give(1, 0, 2);
  Give(1, 0, 3, 2);
  Tell(1, S(3 * kDay));
  Tell(0, S(3 * kDay));
  Run();
  ASSERT_EQ(out_.buckets.size(), 3U);
  EXPECT_EQ(out_.buckets[0].features, std::vector<double>{8});
}

TEST_F(RekeyedTaskTest, SetsAsideWhatItCannotReadAndWhatCameTooLate) {
  OutputRecord bad = ContributionRecord("t", {0, 0, "all", S(0), S(kDay), 1, false, "no row"});
  Put(bad);
  Tell(0, S(3 * kDay));
  Tell(1, S(3 * kDay));
  Run();
  EXPECT_EQ(out_.dead.size(), 1U);
  EXPECT_EQ(task_->counts().dead_lettered, 1);
  Give(0, 3, 1);
  Tell(0, S(9 * kDay));
  Tell(1, S(9 * kDay));
  Run();
  Give(1, 3, 1);
  Run();
  EXPECT_EQ(task_->counts().too_late, 0) << "task 1 has said that this is over: it was set back, and says it again";
  EXPECT_EQ(task_->counts().duplicates, 1);
}

TEST_F(RekeyedTaskTest, WhatAnIdleUpstreamTaskSendsAfterTheOthersHavePassedItIsTooLate) {
  Give(0, 3, 1);
  Tell(0, S(9 * kDay));
  Tell(1, S(2 * kDay), true);
  Run();
  Commit();
  ASSERT_TRUE(task_->Reload(*store_).ok());
  ASSERT_EQ(task_->watermark(), S(9 * kDay));
  Give(1, 3, 1);
  Run();
  EXPECT_EQ(out_.late.size(), 1U);
  EXPECT_EQ(task_->counts().too_late, 1);
  Tell(1, S(9 * kDay));
  Run();
  Commit();
  ASSERT_TRUE(task_->Reload(*store_).ok());
  Give(1, 3, 1);
  Run();
  EXPECT_EQ(task_->counts().too_late, 1);
  EXPECT_EQ(task_->counts().duplicates, 1) << "what was told is state";
}

// An upstream task that was set back reads its late events in other batches, so that they come in fewer revisions.
TEST_F(RekeyedTaskTest, AShareThatHoldsMoreReplacesAnOlderOneOfAHigherRevision) {
  Give(0, 0, 5, 1);
  Give(0, 0, 6, 2, 2);
  Give(0, 0, 7, 3, 3);
  Run();
  Commit();
  ASSERT_TRUE(task_->Reload(*store_).ok());
  Give(0, 0, 5, 1);
  Give(0, 0, 9, 2, 5);
  Tell(0, S(kDay));
  Tell(1, S(kDay));
  Run();
  ASSERT_EQ(out_.buckets.size(), 1U);
  EXPECT_EQ(out_.buckets[0].features, std::vector<double>{9});
  EXPECT_EQ(task_->counts().duplicates, 1);
}

/// The same for views by customer: the events themselves are sent.
class ActorTaskTest : public RekeyedTaskTest {
 protected:
  ActorTaskTest() {
    EngineOptions options = plan_->options;
    options.views[0].name = "customer";
    options.views[0].group_by = GroupBy::kCustomer;
    plan_ = TaskPlan::Make(std::move(options), true, true).value();
    task_ = RekeyedTask::Make(Stage::kActor, 1, *plan_, 2).value();
    TC_CHECK(task_->Reload(*store_).ok());
  }
  void Order(int32_t partition, int64_t offset, int64_t seconds) {
    Event event;
    event.time = S(seconds);
    event.offset = offset;
    event.kind = InputKind::kOrders;
    event.customer = 0xABC;
    event.Set(NumberField::kQuantity, Decimal{1'000'000});
    Put(ForwardedEventRecord("t", event, EventTime::Min(), {"shop.orders", partition}));
  }
};

TEST_F(ActorTaskTest, AnEventThatItsTaskSendsAgainCountsOnce) {
  Order(0, 3, 10);
  Order(0, 7, 20);
  Order(1, 7, 30);
  Run();
  Commit();
  ASSERT_TRUE(task_->Reload(*store_).ok());
  // Task 0 was set back behind what it had sent; it goes on with what is new.
  Order(0, 3, 10);
  Order(0, 7, 20);
  Order(0, 8, 40);
  Order(1, 8, 50);
  Tell(0, S(9 * kDay));
  Tell(1, S(9 * kDay));
  Run();
  ASSERT_FALSE(out_.buckets.empty());
  EXPECT_EQ(out_.buckets[0].features, std::vector<double>{5});
  EXPECT_EQ(task_->counts().events_accepted, 5);
  EXPECT_EQ(task_->counts().duplicates, 2);
  Order(0, 8, 40);
  Run();
  EXPECT_EQ(task_->counts().duplicates, 3) << "one that its bucket's end has passed is a double, not late";
  EXPECT_TRUE(out_.late.empty());
  Order(0, 9, 60);
  Run();
  EXPECT_EQ(out_.late.size(), 1U);
}

TEST_F(ActorTaskTest, SetsAsideAnEventOfASourceThatIsNotThere) {
  Order(2, 3, 10);
  Run();
  EXPECT_EQ(out_.dead.size(), 1U);
}

TEST_F(ActorTaskTest, ReadsACommitRecordOfVersion1) {
  Order(0, 3, 10);
  Run();
  Commit();
  std::string value;
  const TaskStateReader reader(*store_, task_->id());
  ASSERT_TRUE(*reader.Get(Family::kMeta, "commit", &value));
  value[0] = 1;
  value.resize(value.size() - (2 * 8 + 1 + 1 + 11 + 1 + 1));  // told twice; one topic of 11 letters, one offset
  StateBatch batch;
  TaskDeltaSink(batch, task_->id()).Put(Family::kMeta, "commit", value);
  ASSERT_TRUE(store_->Write(batch).ok());
  ASSERT_TRUE(task_->Reload(*store_).ok());
  EXPECT_EQ(task_->stored_seq(), 1U);
  EXPECT_EQ(task_->position(0).next_offset, 1);
  Order(0, 3, 10);  // what came before is not known
  Run();
  EXPECT_EQ(task_->counts().events_accepted, 2);
}

/// A series task of which only its windows are real.
class UpstreamTask final : public StageTask {
 public:
  UpstreamTask() {
    WindowAggregator::Options options;
    options.input_names = {"orders"};
    options.input_kinds = {InputKind::kOrders};
    options.dedupe_keep = {Duration{}};
    ViewOptions view;
    view.group_by = GroupBy::kAll;
    view.allowed_lateness = std::chrono::hours(48);
    view.features = {{.name = "units", .input = "orders", .aggregate = Aggregate::kSum}};
    options.views = {view};
    options.roles = {WindowRole::kPartial};
    windows_ = WindowAggregator::Make(options).value();
  }
  WindowAggregator& real_windows() { return *windows_; }

  TaskId id() const override { return {Stage::kSeries, 2}; }
  size_t source_count() const override { return 0; }
  const TopicPartition& topic_partition(size_t) const override { return none_; }
  Status Reload(const StateStore&) override { return Status::Ok(); }
  Position position(size_t) const override { return {}; }
  bool WantsRecords(size_t) const override { return false; }
  RecordBatch& PrepareBatch(size_t, LogTransport&) override { return batch_; }
  void OnPolled(size_t, const PollResult&, ProcessingTime) override {}
  void SetEnd(size_t, int64_t) override {}
  bool ended() const override { return false; }
  bool drained() const override { return true; }
  void Process(const ActivityBoard&, size_t, TaskStepOutput&) override {}
  EventTime closed_up_to() const override { return closed; }
  EventTime watermark() const override { return closed; }
  EventTime newest_event() const override { return S(7); }
  bool idle() const override { return false; }
  const WindowAggregator& windows() const override { return *windows_; }
  const EventCounts& counts() const override { return counts_; }
  const std::array<int64_t, 16>& rejects() const override { return rejects_; }
  void Save(Epoch, uint64_t, StateBatch&) override {}
  void OnCommitted(Epoch) override {}
  size_t dirty_bytes() const override { return 0; }
  bool dirty() const override { return false; }
  uint64_t stored_seq() const override { return 0; }
  EventTime closed;

 private:
  std::unique_ptr<WindowAggregator> windows_;
  TopicPartition none_;
  ListBatch batch_;
  EventCounts counts_;
  std::array<int64_t, 16> rejects_{};
};

class ShareSink final : public WindowSink {
 public:
  void OnBucket(const ClosedBucket&) override {}
  void OnWindow(const ClosedBucket&, uint16_t) override {}
  void OnBucketEnd(uint16_t, EventTime, EventTime, bool) override {}
  void OnContribution(const Contribution&) override {}
};

class RekeyWatermarksTest : public ::testing::Test {
 protected:
  RekeyWatermarksTest() {
    auto task = std::make_unique<UpstreamTask>();
    task_ = task.get();
    tasks_.push_back(std::move(task));
  }
  /// What is told now, as it stands in the record to the first partition; every partition gets the same.
  std::vector<UpstreamWatermark> Told() {
    std::vector<OutputRecord> outputs;
    watermarks_.Tell(tasks_, up_to_, outputs);
    if (outputs.empty()) return {};
    EXPECT_EQ(outputs.size(), 3U);
    RekeyRecord record;
    EXPECT_TRUE(ParseRekeyRecord(AsInput(outputs[0]), &record).ok());
    return record.watermarks;
  }
  void Order(int64_t seconds, EventTime judged_by) {
    Event event;
    event.key = "a";
    event.time = S(seconds);
    event.Set(NumberField::kQuantity, Decimal{1'000'000});
    task_->real_windows().OnEvent(event, judged_by);
  }

  RekeyWatermarks watermarks_{{"t"}, 3};
  UpstreamTask* task_ = nullptr;
  std::vector<std::unique_ptr<StageTask>> tasks_;
  EventTime up_to_ = EventTime::Max();
};

TEST_F(RekeyWatermarksTest, TellsOnceWhatHasMovedAndAgainWhatWasNotCommitted) {
  EXPECT_FALSE(watermarks_.HasNews(tasks_, up_to_));
  task_->closed = S(10);
  EXPECT_EQ(Told().at(0), (UpstreamWatermark{2, S(10), false, EventTime::Min()}));
  EXPECT_TRUE(Told().empty());
  watermarks_.RollBack();
  EXPECT_EQ(Told().size(), 1U);
  watermarks_.OnCommitted();
  watermarks_.RollBack();
  EXPECT_TRUE(Told().empty());
  watermarks_.Reset();
  EXPECT_EQ(Told().size(), 1U);
  task_->closed = EventTime::Max();
  EXPECT_EQ(Told().at(0), (UpstreamWatermark{2, EventTime::Max(), false, S(7)}));
}

TEST_F(RekeyWatermarksTest, SumsThatAreNotYetOutHoldBackWhatIsTold) {
  task_->closed = S(10);
  EXPECT_EQ(Told().at(0).watermark, S(10));
  up_to_ = S(kDay);
  task_->closed = EventTime::Max();
  EXPECT_EQ(Told().at(0), (UpstreamWatermark{2, S(kDay), false, EventTime::Min()}));
  EXPECT_FALSE(watermarks_.HasNews(tasks_, up_to_));
  up_to_ = EventTime::Max();
  EXPECT_EQ(Told().at(0), (UpstreamWatermark{2, EventTime::Max(), false, S(7)}));
}

TEST_F(RekeyWatermarksTest, ARevisionThatWaitsHoldsBackWhatIsTold) {
  ShareSink sink;
  Quiet quiet;
  Order(100, EventTime::Min());
  task_->real_windows().OnWatermark(S(kDay), quiet, sink, 100);
  task_->closed = S(kDay);
  EXPECT_EQ(Told().at(0).watermark, S(kDay));
  Order(200, S(kDay));
  task_->closed = S(9 * kDay);
  EXPECT_TRUE(Told().empty());
  task_->real_windows().OnWatermark(S(9 * kDay), quiet, sink, 100);
  EXPECT_EQ(Told().at(0).watermark, S(9 * kDay));
}

}  // namespace
}  // namespace tidecast
