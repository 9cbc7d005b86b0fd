#include "engine/runtime/instance.h"

#include <algorithm>
#include <set>

#include "engine/core/hash.h"
#include "engine/runtime/rekeyed_task.h"
#include "engine/runtime/series_task.h"
#include "state/key_codec.h"
#include "state/rocks_store.h"

namespace tidecast {
namespace {

constexpr Duration kTellRollbacksEvery = std::chrono::seconds(10);
constexpr Duration kExchangeBehindStart = std::chrono::seconds(2);
constexpr size_t kRecordsPerPoll = 8192;
constexpr size_t kBytesPerPoll = 4 << 20;
constexpr size_t kBytesPerPollLeast = 64 << 10;
// What has been polled and not worked off, of all inputs together.
constexpr size_t kPollShare = 32;
// A round touches each series once a phase: what was written longest ago is needed first, and a large cache gains
// little.
constexpr size_t kCacheShare = 16;
constexpr size_t kBytesPerTurn = 8 << 20;
constexpr int kSendQueueWaitMs = 2;
// Rows that are ahead of their cut for this long do not wait for a round under way: their transaction would time out.
constexpr Duration kAheadAtMost = std::chrono::seconds(3);
constexpr const char* kReachableMetric = "tidecast_broker_reachable";
constexpr const char* kReachableHelp = "1 while the brokers answer, 0 while they are waited for";

}  // namespace

Instance::Instance(std::unique_ptr<TaskPlan> plan, Parts parts)
    : plan_(std::move(plan)), parts_(parts), pace_(plan_->options.commit_interval) {
  layout_.series_topic = plan_->options.name_space + ".changelog.series";
  layout_.model_topic = plan_->options.name_space + ".changelog.model";
  layout_.instance = plan_->options.instance;
  layout_.compaction_lag = parts_.changelog_lag;
  committer_ = nullptr;
}

Status Instance::Start() {
  TC_RETURN_IF_ERROR(parts_.transport.Open());
  if (parts_.transport.needs_changelog()) parts_.metrics.Gauge(kReachableMetric, kReachableHelp).Set(1);
  TC_RETURN_IF_ERROR(PrepareTopics());
  const size_t memory = plan_->options.memory_limit_bytes;
  TC_ASSIGN_OR_RETURN(model_, ModelTask::Make(*plan_, parts_.store, memory == 0 ? 256ULL << 20 : memory / kCacheShare));
  activity_ = std::make_unique<ActivityTable>(plan_->views.size());
  // Two processes of one instance, or two lives of one, are told apart by when they began.
  writer_ = fmt::format("{}/{}", plan_->options.instance, parts_.clock.Now().us);
  committer_ =
      std::make_unique<EpochCommitter>(parts_.transport, parts_.store, layout_, writer_, parts_.faults, parts_.clock);
  restorer_ = std::make_unique<ChangelogRestorer>(parts_.transport, parts_.store, layout_, parts_.clock);
  repair_ = std::make_unique<ChangelogRepair>(parts_.store);
  watch_ = std::make_unique<ChangelogWatch>(parts_.transport, parts_.store, layout_, parts_.clock);
  std::vector<std::string> topics;
  for (const InputOptions& input : plan_->options.inputs) topics.push_back(input.topic);
  for (const Stage stage : plan_->further_stages) topics.push_back(plan_->RekeyTopic(stage));
  joined_ = topics;
  joining_since_ = parts_.clock.Now();
  TC_RETURN_IF_ERROR(parts_.transport.Join(topics));
  PublishStatus(true);  // whoever looks finds every measure from the start on
  return Status::Ok();
}

Status Instance::PrepareTopics() {
  const EngineOptions& options = plan_->options;
  const bool is_kafka = options.transport == TransportKind::kKafka;
  for (const InputOptions& input : options.inputs) {
    Result<TopicInfo> info = parts_.transport.DescribeTopic(input.topic);
    if (!info.ok() && info.status().code() == Code::kNotFound && !is_kafka) {
      TC_RETURN_IF_ERROR(parts_.transport.CreateTopic({input.topic, options.partitions, {}}));
      info = parts_.transport.DescribeTopic(input.topic);
    }
    if (!info.ok() && info.status().code() == Code::kNotFound) {
      return Status(Code::kNoInput, fmt::format("an input topic does not exist: {}", input.topic), Domain::kExternal)
          .WithRemedy(fmt::format("create it, e.g. with {} partitions, or correct inputs.{}.topic", options.partitions,
                                  input.name));
    }
    TC_RETURN_IF_ERROR(std::move(info).status());
    input_partitions_.push_back(info->partitions);
    input_ids_[input.topic] = info->id;
    if (info->partitions != input_partitions_.front()) {
      return Status(Code::kConfig,
                    fmt::format("inputs of one stage must have equal partition counts: {} has {}, {} has {}",
                                options.inputs.front().topic, input_partitions_.front(), input.topic, info->partitions),
                    Domain::kExternal)
          .WithRemedy("recreate one of the topics; the same SKU must be in the same partition of each");
    }
  }
  const int32_t partitions = input_partitions_.empty() ? options.partitions : input_partitions_.front();
  const std::vector<std::pair<std::string, std::string>> compact = {{"cleanup.policy", "compact"}};
  std::vector<TopicSpec> specs = {{options.name_space + ".forecasts", partitions, compact},
                                  {options.name_space + ".alerts", partitions, {}},
                                  {options.name_space + ".alerts.state", partitions, compact},
                                  {options.name_space + ".trends", partitions, compact},
                                  {options.name_space + ".late", partitions, {}},
                                  {options.name_space + ".dlq", partitions, {}}};
  bool features = false;
  std::set<std::string> row_topics;
  for (const ViewOptions& view : options.views) {
    features |= view.publish_features && view.rows.topic.empty();
    if (!view.rows.topic.empty()) row_topics.insert(view.rows.topic);
    for (const WindowOptions& window : view.windows) {
      row_topics.insert(window.rows.topic.empty() ? options.name_space + ".features." + window.name
                                                  : window.rows.topic);
    }
  }
  if (features) row_topics.insert(options.name_space + ".features");
  for (const std::string& topic : row_topics) specs.push_back({topic, partitions, {}});
  const bool learned = std::any_of(options.views.begin(), options.views.end(),
                                   [](const ViewOptions& view) { return view.calendar.open == OpenRule::kLearned; });
  if (learned && parts_.transport.needs_changelog() && !options.inputs.empty()) {
    exchange_ = std::make_unique<ActivityExchange>(parts_.transport, options.name_space + ".activity");
    specs.push_back({exchange_->topic(), 1, compact});
  }
  const bool has_net =
      options.model.net != NetKind::kNone &&
      std::any_of(plan_->views.begin(), plan_->views.end(), [](const auto& view) { return view.forecast; });
  if (has_net && parts_.transport.needs_changelog()) {
    model_exchange_ =
        std::make_unique<ModelExchange>(parts_.transport, options.name_space + ".models", options.instance);
    specs.push_back({model_exchange_->topic(), 1, compact});
  }
  if (parts_.transport.needs_changelog()) {
    constexpr int32_t kModelPartitions = 16;
    layout_.model_partition = PartitionOf(options.instance, kModelPartitions);
    const std::string lag_ms = fmt::format("{}", layout_.compaction_lag.count() / 1000);
    const std::vector<std::pair<std::string, std::string>> changelog = {
        {"cleanup.policy", "compact"}, {"min.compaction.lag.ms", lag_ms}, {"delete.retention.ms", lag_ms}};
    specs.push_back({layout_.series_topic, partitions, changelog});
    specs.push_back({layout_.model_topic, kModelPartitions, changelog});
    for (const Stage stage : plan_->further_stages) {
      std::string& topic = stage == Stage::kRollup ? layout_.rollup_topic : layout_.actor_topic;
      topic = options.name_space + (stage == Stage::kRollup ? ".changelog.rollup" : ".changelog.actor");
      specs.push_back({topic, partitions, changelog});
    }
  }
  if (!plan_->further_stages.empty()) {
    // As many partitions as the inputs, so that partition p of all stages belongs to one instance. What was read is
    // needed no more, what was not must wait for its reader however long.
    std::vector<std::string> topics;
    for (const Stage stage : plan_->further_stages) {
      topics.push_back(plan_->RekeyTopic(stage));
      specs.push_back({topics.back(), partitions, {{"cleanup.policy", "delete"}, {"retention.ms", "-1"}}});
    }
    rekey_watermarks_ = std::make_unique<RekeyWatermarks>(std::move(topics), partitions);
    rekey_trim_.emplace(parts_.transport, parts_.rekey_kept);
  }
  for (const TopicSpec& spec : specs) TC_RETURN_IF_ERROR(parts_.transport.CreateTopic(spec));
  for (const Stage stage : plan_->further_stages) {
    TC_ASSIGN_OR_RETURN(const TopicInfo info, parts_.transport.DescribeTopic(plan_->RekeyTopic(stage)));
    input_ids_[info.name] = info.id;
  }
  return Status::Ok();
}

Status Instance::OnEvent(const TransportEvent& event) {
  switch (event.kind) {
    case TransportEvent::Kind::kAssigned: {
      std::set<uint16_t> partitions;
      for (const TopicPartition& tp : event.partitions) partitions.insert(static_cast<uint16_t>(tp.partition));
      assigned_.emplace(partitions.begin(), partitions.end());
      return Status::Ok();
    }
    case TransportEvent::Kind::kRevoked:
      assigned_.reset();
      revoked_ = true;
      return Status::Ok();
    case TransportEvent::Kind::kLost:
      assigned_.reset();
      lost_ = true;
      committer_->Abort();
      return Status::Ok();
    case TransportEvent::Kind::kTransaction:
      committer_->OnTransaction(event);
      return Status::Ok();
    case TransportEvent::Kind::kUnreachable:
      unreachable_ = true;
      Wait(event.status);
      return Status::Ok();
    case TransportEvent::Kind::kReachable:
      unreachable_ = false;
      GoOn();
      return Status::Ok();
    case TransportEvent::Kind::kFailed:
      return event.status;
  }
  return Status::Ok();
}

void Instance::Wait(const Status& why) {
  if (waits_since_) return;
  waits_since_ = parts_.clock.Now();
  notes_.push_back("the engine waits for the brokers and goes on by itself once they answer: " + why.message());
  parts_.metrics.Gauge(kReachableMetric, kReachableHelp).Set(0);
  PublishStatus(true);
}

void Instance::GoOn() {
  if (!waits_since_ || unreachable_ || renewing_) return;
  const double seconds = static_cast<double>((parts_.clock.Now() - *waits_since_).count()) / 1e6;
  notes_.push_back(fmt::format("the brokers answer again, after {:.1f} s", seconds));
  parts_.metrics.Counter("tidecast_broker_outage_seconds_total", "Time spent waiting for brokers").Add(seconds);
  parts_.metrics.Gauge(kReachableMetric, kReachableHelp).Set(1);
  waits_since_.reset();
}

Status Instance::FinishAtEnd() {
  bounded_ = true;
  ends_known_ = false;
  return LearnEnds();
}

Status Instance::LearnEnds() {
  if (waits_since_) return Status::Ok();  // asked for by a later step
  for (const auto& task : tasks_) {
    for (size_t s = 0; s < task->source_count(); ++s) {
      const Result<int64_t> end = parts_.transport.EndOffset(task->topic_partition(s));
      if (PassesBy(end.status())) return Status::Ok();
      TC_RETURN_IF_ERROR(end.status());
      task->SetEnd(s, *end);
    }
  }
  ends_known_ = true;
  return Status::Ok();
}

Result<bool> Instance::StepCommit() {
  const EpochCommitter::State before = committer_->state();
  committer_->Step();
  ReuseRows();
  if (committer_->state() == EpochCommitter::State::kCommitted) {
    TC_RETURN_IF_ERROR(OnCommitted(committer_->Take()));
    return true;
  }
  if (committer_->state() == EpochCommitter::State::kFailed) {
    TC_RETURN_IF_ERROR(OnCommitFailed());
    return true;
  }
  return committer_->state() != before;
}

Status Instance::OnCommitted(EpochCut cut) {
  for (const auto& task : tasks_) task->OnCommitted(cut.epoch);
  model_->OnCommitted(cut.epoch);
  activity_->OnCommitted(cut.epoch);
  if (rekey_watermarks_) {
    rekey_watermarks_->OnCommitted();
    for (const Position& position : cut.positions) {
      if (rekey_watermarks_->HasTopic(position.source.topic)) rekey_trim_->OnCommitted(position);
    }
    rekey_trim_->Step(parts_.clock.Now());
  }
  ++committed_epochs_;
  pace_.OnCommitted(parts_.clock.Now());
  parts_.metrics.Counter("tidecast_epochs_total", "Committed epochs").Add(1);
  parts_.metrics.Gauge("tidecast_last_commit_timestamp_seconds", "When the newest epoch was committed")
      .Set(static_cast<double>(parts_.clock.Now().us) / 1e6);
  if (parts_.observer != nullptr) parts_.observer->OnCommitted(cut.outputs);
  return repair_->OnCommitted();
}

Status Instance::OnCommitFailed() {
  const Outcome outcome = committer_->outcome();
  Status why = committer_->status();
  const bool store_failed = committer_->store_failed();
  committer_->Take();
  if (parts_.observer != nullptr) parts_.observer->OnRolledBack();
  parts_.metrics
      .Counter("tidecast_epoch_failures_total", "Epochs that were rolled back, by outcome",
               {{"outcome", outcome == Outcome::kAbortable ? "aborted"
                            : outcome == Outcome::kUnknown ? "unknown"
                                                           : "fatal"}})
      .Add(1);
  // Such a record would be refused again and again.
  if (why.code() == Code::kInvalidArgument) return why;
  if (const ProcessingTime now = parts_.clock.Now(); now - rolled_back_told_ > kTellRollbacksEvery) {
    notes_.push_back(fmt::format("an epoch is rolled back and done again: {}", why.message()));
    rolled_back_told_ = now;
  }
  if (outcome == Outcome::kFenced || store_failed || why.code() == Code::kPermission) return why;
  // The embedded log is the local store; what a broker says under these codes passes.
  const bool is_disk = why.code() == Code::kNoSpace || why.code() == Code::kIo || why.code() == Code::kCorruption;
  if (is_disk && !parts_.transport.needs_changelog()) return why;
  if (outcome == Outcome::kAbortable) {
    if (!lost_ && !revoked_) return RollBack();
    LetGo();  // without its partitions nothing can be started again here
    return Status::Ok();
  }
  renewing_ = true;
  return Renew();
}

// Nobody knows what became of the epoch: a new producer fences the old one, then the changelog's tail decides.
Status Instance::Renew() {
  Status renewed = parts_.transport.RenewProducer();
  if (PassesBy(renewed)) {
    Wait(renewed);
    return Status::Ok();  // asked again
  }
  TC_RETURN_IF_ERROR(std::move(renewed));
  renewing_ = false;
  GoOn();
  if (!lost_ && !revoked_) return BeginRestore(assignment_);
  LetGo();
  return Status::Ok();
}

// Idle tasks hold nobody of their stage back; where all are idle, what they have closed is due all the same.
StageTimes Instance::ClosedUpTo() const {
  StageTimes awake(EventTime::Min());
  StageTimes all(EventTime::Min());
  std::set<Stage> seen_awake;
  std::set<Stage> seen;
  const auto take = [](StageTimes& times, std::set<Stage>& known, const StageTask& task) {
    const Stage stage = task.id().stage;
    const bool is_first = known.insert(stage).second;
    times.set(stage, is_first ? task.closed_up_to() : std::min(times.of(stage), task.closed_up_to()));
  };
  for (const auto& task : tasks_) {
    take(all, seen, *task);
    if (!task->idle()) take(awake, seen_awake, *task);
  }
  for (const Stage stage : seen_awake) all.set(stage, awake.of(stage));
  return all;
}

bool Instance::AllEnded() const {
  return std::all_of(tasks_.begin(), tasks_.end(), [](const auto& task) { return task->ended() && task->drained(); });
}

Result<bool> Instance::Poll() {
  bool any = false;
  const ProcessingTime now = parts_.clock.Now();
  const size_t memory = plan_->options.memory_limit_bytes;
  const size_t sources = std::max<size_t>(1, tasks_.size() * plan_->options.inputs.size());
  const size_t bytes_max =
      memory == 0 ? kBytesPerPoll : std::clamp(memory / kPollShare / sources, kBytesPerPollLeast, kBytesPerPoll);
  for (size_t t = 0; t < tasks_.size(); ++t) {
    StageTask& task = *tasks_[t];
    for (size_t s = 0; s < task.source_count(); ++s) {
      if (!task.WantsRecords(s)) continue;
      RecordBatch& batch = task.PrepareBatch(s, parts_.transport);
      TC_ASSIGN_OR_RETURN(const PollResult result, parts_.transport.Poll(first_handle_[t] + static_cast<uint32_t>(s),
                                                                         kRecordsPerPoll, bytes_max, batch));
      if (!batch.records().empty()) pace_.OnRecords(batch.records().back().record_time);
      any |= !batch.records().empty();
      task.OnPolled(s, result, now);
    }
  }
  return any;
}

Result<bool> Instance::RefreshActivity() {
  std::vector<EventTime> starts;
  EventTime passed = tasks_.empty() ? EventTime::Min() : EventTime::Max();
  for (const auto& task : tasks_) {
    if (task->id().stage != Stage::kSeries) continue;  // a day is open by what the inputs hold
    for (uint16_t v = 0; v < plan_->views.size(); ++v) {
      if (plan_->options.views[v].calendar.open != OpenRule::kLearned) continue;
      starts.clear();
      task->windows().ActiveBuckets(v, &starts);
      for (const EventTime start : starts) activity_->Report(v, start);
    }
    if (!task->idle()) passed = std::min(passed, task->watermark());
  }
  bool heard = false;
  if (exchange_ && partitions_.size() < static_cast<size_t>(input_partitions_.front())) {
    const Result<bool> read = waits_since_ ? Result<bool>(false) : exchange_->Read(*activity_);
    if (!read.ok() && !PassesBy(read.status())) return read.status();
    heard = read.ok() && *read;
    passed = std::min(passed, exchange_->LeastForeign(input_partitions_.front(), partitions_));
  }
  activity_->SetPassed(passed);
  return heard;
}

bool Instance::JoinOutputs(std::vector<TaskStepOutput>& outputs) {
  bool closed = false;
  for (TaskStepOutput& output : outputs) {
    open_rekeyed_ += output.rekeyed;
    for (OutputRecord& record : output.records) {
      open_bytes_ += record.Bytes();
      open_outputs_.push_back(std::move(record));
    }
    if (parts_.sink != nullptr) {
      for (const OwnedBucket& bucket : output.buckets) {
        parts_.sink->OnBucket({bucket.view,
                               bucket.series,
                               bucket.start,
                               bucket.end,
                               bucket.revision,
                               EventTime::Min(),
                               bucket.features,
                               {}});
      }
      for (const OutputRecord& record : output.late) parts_.sink->OnLate(record);
      for (const OutputRecord& record : output.dead) parts_.sink->OnDeadLetter(record);
    }
    for (QueuedRow& row : output.rows) model_->OnRow(std::move(row));
    for (QueuedPart& part : output.parts) model_->OnPart(std::move(part));
    for (const auto& [view, start] : output.active) {
      if (plan_->options.views[view].calendar.open == OpenRule::kLearned) activity_->Report(view, start);
    }
    closed |= !output.over.empty();
    for (const BucketOver& over : output.over) {
      // A bucket that came and closed within one step was never seen among the open ones.
      if (over.open && plan_->options.views[over.view].calendar.open == OpenRule::kLearned)
        activity_->Report(over.view, over.start);
      model_->OnBucketOver(over);
    }
  }
  return closed;
}

Result<bool> Instance::RunTasks() {
  std::vector<TaskStepOutput> outputs(tasks_.size());
  const size_t side_by_side = in_lockstep() ? partitions_.size() : tasks_.size();
  parts_.executor.ParallelFor(side_by_side,
                              [&](size_t t) { tasks_[t]->Process(*activity_, kBytesPerTurn, outputs[t]); });
  const auto any = [&] {
    return std::any_of(outputs.begin(), outputs.end(), [](const TaskStepOutput& output) { return output.progressed; });
  };
  if (in_lockstep() && !any() && !RekeyingOpen() && !RekeyingInFlight()) {
    parts_.executor.ParallelFor(tasks_.size() - side_by_side, [&](size_t t) {
      tasks_[side_by_side + t]->Process(*activity_, kBytesPerTurn, outputs[side_by_side + t]);
    });
  }
  for (const auto& task : tasks_) TC_RETURN_IF_ERROR(task->windows().failure());
  TellPace(JoinOutputs(outputs));
  return any();
}

void Instance::TellPace(bool closed) {
  CutPace::Step step{.now = parts_.clock.Now(), .closed = closed, .watermark = EventTime::Max()};
  for (const auto& task : tasks_) {
    if (task->idle()) continue;
    const EventTime watermark = task->watermark();
    const EventTime end = task->windows().next_bucket_end();
    step.watermark = std::min(step.watermark, watermark);
    // One that is due already is worked off, or waits for others.
    if (watermark.IsFinite() && end.IsFinite() && end > watermark)
      step.to_close = std::min(step.to_close, end - watermark);
  }
  pace_.OnStep(step);
}

bool Instance::RekeyingOpen() const {
  return open_rekeyed_ > 0 ||
         (rekey_watermarks_ != nullptr && rekey_watermarks_->HasNews(tasks_, model_->summed_up_to()));
}

Result<bool> Instance::Work() {
  const size_t bytes_max = plan_->options.epoch_bytes_max;
  // Backpressure: the epoch in flight must end first. What was changed counts as what was put out.
  if (IsFull()) return false;
  bool worked = false;
  // The model goes first: tasks do not run ahead of rounds that are due, so that what waits is bounded.
  if (model_->idle(ClosedUpTo()) && !revoked_ && !stopping_ && !pace_.HoldsInput(parts_.clock.Now())) {
    TC_ASSIGN_OR_RETURN(worked, Poll());
    TC_ASSIGN_OR_RETURN(const bool heard, RefreshActivity());
    worked |= heard;
    TC_ASSIGN_OR_RETURN(const bool ran, RunTasks());
    worked |= ran;
  }
  // A reader takes half a second to connect: first commits do not wait for it.
  const bool has_begun = committed_epochs_ > 0 || parts_.clock.Now() - running_since_ > kExchangeBehindStart;
  if (model_exchange_ && has_begun && !waits_since_ && !revoked_ && !stopping_) {
    const Result<bool> met = model_exchange_->Step(*model_, &notes_);
    if (!met.ok() && !PassesBy(met.status())) return met.status();
    worked |= met.ok() && *met;
  }
  ModelTask::Output output;
  TC_ASSIGN_OR_RETURN(const bool learned,
                      model_->Step(ClosedUpTo(), parts_.executor, bytes_max - std::min(bytes_max - 1, OpenBytes()),
                                   parts_.sink, output));
  forecasts_ += output.forecasts;
  alerts_ += output.alerts;
  open_bytes_ += output.bytes;
  open_rekeyed_ += output.rekeyed;
  for (OutputRecord& record : output.records) open_outputs_.push_back(std::move(record));
  return worked || learned;
}

size_t Instance::OpenBytes() const {
  size_t bytes = open_bytes_ + model_->dirty_bytes() + (committer_ ? committer_->ahead_bytes() : 0);
  for (const auto& task : tasks_) bytes += task->rows_bytes() + task->dirty_bytes();
  return bytes;
}

bool Instance::Dirty() const {
  return repair_->due() || !open_outputs_.empty() ||
         (committer_ && committer_->state() == EpochCommitter::State::kAhead) ||
         (rekey_watermarks_ && rekey_watermarks_->HasNews(tasks_, model_->summed_up_to())) || model_->dirty() ||
         activity_->dirty() || (model_exchange_ && model_exchange_->dirty()) ||
         std::any_of(tasks_.begin(), tasks_.end(), [](const auto& task) { return task->dirty(); });
}

bool Instance::IsFull() const {
  // What closes within moments belongs together: cut in two, the rest would wait for a whole commit.
  const size_t bytes_max = plan_->options.epoch_bytes_max;
  return OpenBytes() >= (pace_.WaitsForOthers(parts_.clock.Now()) ? 2 * bytes_max : bytes_max);
}

bool Instance::CutIsDue() const {
  if (!committer_->ready() || !Dirty()) return false;
  if (committer_->state() == EpochCommitter::State::kAhead &&
      parts_.clock.Now() - committer_->ahead_since() >= kAheadAtMost)
    return true;
  return IsFull() || pace_.Due(parts_.clock.Now(), model_->idle(ClosedUpTo()));
}

void Instance::SendAhead() {
  // In a replay what comes out must not depend on the clock; the embedded log takes an epoch in one write.
  if (!parts_.transport.needs_changelog() || plan_->collect || revoked_ || stopping_ || !committer_->ready()) return;
  // An epoch that would be full of rows goes on for as long as its interval lets it: each cut writes all touched state.
  const bool fills = OpenBytes() >= plan_->options.epoch_bytes_max / 2;
  if (fills || pace_.IsImminent(parts_.clock.Now(), model_->idle(ClosedUpTo()))) HandOverRows();
  ReuseRows();
}

void Instance::ReuseRows() {
  std::vector<PackedRecords> spent = committer_->TakeSpent();
  if (parts_.observer != nullptr) {
    for (const PackedRecords& rows : spent) parts_.observer->OnRows(rows);
  }
  for (size_t i = 0; i < std::min(spent.size(), tasks_.size()); ++i) tasks_[i]->ReuseRows(std::move(spent[i]));
}

void Instance::HandOverRows() {
  for (const auto& task : tasks_) {
    if (committer_->ready() && task->rows_bytes() > 0) committer_->SendAhead(task->TakeRows());
  }
}

Status Instance::Cut(bool tell) {
  EpochCut cut;
  cut.epoch = epoch_++;
  cut.seq = next_seq_++;
  rekeyed_in_flight_ = tell ? RekeyingOpen() : open_rekeyed_ > 0;
  cut.outputs = std::move(open_outputs_);
  open_outputs_.clear();
  open_bytes_ = open_rekeyed_ = 0;
  TC_RETURN_IF_ERROR(repair_->Save(cut.seq, plan_->options.epoch_bytes_max, cut.state, cut.bases));
  model_->Save(cut.epoch, cut.state);
  // The model writes into the key ranges of keyed tasks: those must have a commit record of this seq, too.
  std::set<TaskId> touched;
  for (const StateBatch::Row& row : cut.state.rows()) {
    const auto stage = static_cast<Stage>(row.key[0]);
    if (!IsKeyed(stage)) continue;
    touched.insert({stage, static_cast<uint16_t>((static_cast<unsigned char>(row.key[1]) << 8) |
                                                 static_cast<unsigned char>(row.key[2]))});
  }
  std::vector<StageTask*> changed;
  for (const auto& task : tasks_) {
    if (task->dirty() || touched.contains(task->id())) changed.push_back(task.get());
  }
  // Rows are on their way while the state is cut: somebody waits for them.
  std::vector<StateBatch> saved(changed.size());
  std::vector<Status> put(changed.size());
  parts_.executor.ParallelFor(1 + changed.size(), [&](size_t piece) {
    if (piece == 0) {
      if (parts_.transport.needs_changelog()) HandOverRows();
      return;
    }
    const size_t t = piece - 1;
    changed[t]->Save(cut.epoch, cut.seq, saved[t]);
    put[t] = PutInputIds(parts_.store, changed[t]->id(), input_ids_, saved[t]);
  });
  for (const auto& task : tasks_) {
    if (task->rows_bytes() > 0) cut.rows.push_back(task->TakeRows());
  }
  for (size_t t = 0; t < changed.size(); ++t) {
    StageTask* const task = changed[t];
    TC_RETURN_IF_ERROR(std::move(put[t]));
    cut.state.Append(std::move(saved[t]));
    for (size_t s = 0; s < task->source_count(); ++s) {
      if (task->position(s).next_offset < 0) continue;
      cut.positions.push_back(task->position(s));
      cut.positions.back().note = fmt::format("{}{} seq {}", kPositionNote, writer_, cut.seq);
    }
  }
  if (rekey_watermarks_ && tell) rekey_watermarks_->Tell(tasks_, model_->summed_up_to(), cut.outputs);
  if (exchange_) {
    for (const auto& task : tasks_) {
      if (task->id().stage == Stage::kSeries) exchange_->Tell(task->id().partition, task->watermark(), cut.outputs);
    }
    for (uint16_t v = 0; v < plan_->views.size(); ++v) {
      for (const EventTime start : activity_->active(v)) exchange_->TellActive(v, start, cut.outputs);
    }
  }
  TaskDeltaSink instance(cut.state, {Stage::kInstance, 0});
  if (model_exchange_) {
    TC_RETURN_IF_ERROR(model_exchange_->Tell(*model_, cut.outputs));
    model_exchange_->Save(instance);
  }
  activity_->Save(cut.epoch, instance);
  instance.Put(Family::kMeta, "commit",
               ByteWriter()
                   .U8(kInstanceRecordVersion)
                   .U64(cut.seq)
                   .I64(forecasts_)
                   .I64(alerts_)
                   .I64(model_->alerts_firing())
                   .view());
  pace_.OnCut(parts_.clock.Now());
  committer_->Start(std::move(cut));
  return Status::Ok();
}

Result<Instance::Progress> Instance::Step(int wait_ms) {
  std::vector<TransportEvent> events;
  // Nobody tells when there is room for the rest of an epoch.
  if (committer_ && (committer_->state() == EpochCommitter::State::kAhead ||
                     committer_->state() == EpochCommitter::State::kProducing))
    wait_ms = std::min(wait_ms, kSendQueueWaitMs);
  // A restore waits where its records come from.
  parts_.transport.Step(state_ == State::kRestoring && group_positions_ && !unreachable_ ? 0 : wait_ms, &events);
  for (const TransportEvent& event : events) TC_RETURN_IF_ERROR(OnEvent(event));
  const Epoch committed_before = committed_epochs_;
  TC_ASSIGN_OR_RETURN(bool worked, StepCommit());
  worked |= !events.empty();
  if (renewing_ && !stopping_) {
    TC_RETURN_IF_ERROR(Renew());
    PublishStatus(false);
    if (renewing_) return Progress::kIdle;
  }
  // What was not committed is redone by the next start.
  if (renewing_) state_ = State::kFinished;
  if (assigned_ && !committer_->busy()) {
    std::vector<uint16_t> partitions = std::move(*assigned_);
    assigned_.reset();
    TC_RETURN_IF_ERROR(BeginRestore(std::move(partitions)));
  }
  switch (state_) {
    case State::kJoining:
      if ((lost_ || revoked_) && !committer_->busy()) LetGo();
      break;
    case State::kRestoring: {
      if (lost_ || revoked_) {
        LetGo();
        break;
      }
      TC_ASSIGN_OR_RETURN(const bool restored, StepRestore(wait_ms));
      worked |= restored;
      break;
    }
    case State::kRunning: {
      if (lost_) {
        if (!committer_->busy()) LetGo();
        break;
      }
      TC_RETURN_IF_ERROR(StepWatch());
      TC_RETURN_IF_ERROR(DropParked());
      if (bounded_ && !ends_known_) TC_RETURN_IF_ERROR(LearnEnds());
      // What came while an epoch was committed goes first, so that its commit and the work that follows overlap.
      if (IsFull()) SendAhead();
      if (committed_epochs_ > committed_before && CutIsDue()) {
        TC_RETURN_IF_ERROR(Cut(!in_lockstep()));
        TC_RETURN_IF_ERROR(StepCommit().status());
        worked = true;
      }
      // A revocation or a stop lets the round under way end, so that no round is left to somebody who has not all its
      // rows.
      const bool winding_down = revoked_ || stopping_;
      if (!winding_down || !model_->between_rounds()) {
        TC_ASSIGN_OR_RETURN(const bool done, Work());
        worked |= done;
      }
      const bool ended = bounded_ && ends_known_ && AllEnded() && model_->idle(StageTimes(EventTime::Max()));
      // A replay does not wait for the clock: the further stages go on as soon as nothing else is to be done.
      const bool hurry =
          in_lockstep() && !worked && RekeyingOpen() && committer_->state() == EpochCommitter::State::kIdle;
      const bool settle = ended || (winding_down && model_->between_rounds());
      if (IsFull()) SendAhead();
      if (CutIsDue() || hurry || (settle && Dirty() && committer_->ready())) {
        TC_RETURN_IF_ERROR(Cut(!in_lockstep() || hurry || settle));
        TC_RETURN_IF_ERROR(StepCommit().status());
        worked = true;
      } else {
        SendAhead();
      }
      if (settle && !Dirty() && committer_->state() == EpochCommitter::State::kIdle) {
        if (revoked_) {
          LetGo();
        } else {
          state_ = State::kFinished;
          parts_.transport.Leave();
        }
        worked = true;
      }
      break;
    }
    case State::kFinished:
      PublishStatus(true);
      return Progress::kFinished;
  }
  if (stopping_ && (state_ == State::kJoining || state_ == State::kRestoring)) {
    state_ = State::kFinished;
    parts_.transport.Leave();
  }
  PublishStatus(false);
  return worked ? Progress::kWorked : Progress::kIdle;
}

}  // namespace tidecast
