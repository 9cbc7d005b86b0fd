// How an instance comes to its state: from the changelog when partitions are assigned, again after a rollback, and when
// a torn transaction is seen; what it had is parked when they are taken away.
#include <algorithm>
#include <set>

#include "engine/runtime/instance.h"
#include "engine/runtime/owed_rows.h"
#include "engine/runtime/rekeyed_task.h"
#include "engine/runtime/series_task.h"
#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr size_t kAlarmsKept = 8;
constexpr std::chrono::minutes kParkedFor{10};
// Long enough for the first fetches to bring more than a record or two.
constexpr Duration kFirstCutAfter = std::chrono::milliseconds(20);

}  // namespace

Status Instance::BeginRestore(std::vector<uint16_t> partitions) {
  TC_CHECK(!committer_->busy());
  assigned_since_ = parts_.clock.Now();
  assignment_ = std::move(partitions);
  for (const uint16_t partition : assignment_) parked_.erase(partition);
  partitions_.clear();
  tasks_.clear();
  open_outputs_.clear();
  open_bytes_ = open_rekeyed_ = 0;
  revoked_ = lost_ = false;
  if (rekey_watermarks_) rekey_watermarks_->Reset();
  if (rekey_trim_) rekey_trim_->Reset();
  state_ = State::kRestoring;
  group_positions_.reset();
  committer_->Forget();
  watch_->Stop();
  return Status::Ok();
}

void Instance::Park(const std::vector<uint16_t>& partitions) {
  if (!parts_.transport.needs_changelog()) return;
  for (const uint16_t partition : partitions) parked_[partition] = parts_.clock.Now() + kParkedFor;
}

Status Instance::DropParked() {
  for (auto at = parked_.begin(); at != parked_.end();) {
    if (parts_.clock.Now() < at->second) {
      ++at;
      continue;
    }
    StateBatch batch;
    for (const TaskId stream : StreamsOf(layout_, {at->first})) {
      if (!IsKeyed(stream.stage)) continue;
      DropStream(stream, batch);
      DeleteHint(layout_.SourceOf(stream), batch);
      PutDebt(stream, {}, batch);
    }
    TC_RETURN_IF_ERROR(parts_.store.Write(batch));
    parts_.metrics
        .Counter("tidecast_parked_dropped_total",
                 "Partitions whose state was dropped some time after they were given away")
        .Add(1);
    at = parked_.erase(at);
  }
  return Status::Ok();
}

void Instance::LetGo() {
  Park(assignment_);
  tasks_.clear();
  watch_->Stop();
  state_ = State::kJoining;
  joining_since_ = parts_.clock.Now();
  lost_ = false;
  if (!revoked_) return;
  revoked_ = false;
  parts_.transport.ReleaseRevoked();
}

// No transaction of a live producer is open for that long.
void Instance::TellIfStuck() {
  constexpr std::chrono::seconds kStuck{30};
  std::string place = group_positions_ ? restorer_->place() : std::string("the group's committed positions");
  const ProcessingTime now = parts_.clock.Now();
  if (place != restore_place_) {
    restore_place_ = std::move(place);
    restore_stands_since_ = now;
    restore_told_ = false;
  } else if (!restore_told_ && now - restore_stands_since_ > kStuck) {
    restore_told_ = true;
    Alarm("blocked", fmt::format("the restore waits for {}: a transaction that nobody ends may hide the rest "
                                 "(kafka-transactions.sh find-hanging)",
                                 restore_place_));
  }
}

// In this order (EXACTLY_ONCE.md 2): once the group's positions are stable, no earlier owner has a commit on its way,
// so that the ends which the restorer takes afterwards hold all that was committed.
Result<bool> Instance::RestoreStreams(int wait_ms) {
  if (unreachable_) {
    restore_place_.clear();
    return false;
  }
  TellIfStuck();
  if (!group_positions_) {
    std::vector<TopicPartition> sources;
    for (const uint16_t partition : assignment_) {
      for (const std::string& topic : joined_) sources.push_back({topic, partition});
    }
    Result<std::vector<Position>> positions = parts_.transport.CommittedPositions(sources);
    if (PassesBy(positions.status())) return false;
    TC_RETURN_IF_ERROR(std::move(positions).status());
    group_positions_ = std::move(positions).value();
    reading_since_ = parts_.clock.Now();
    restorer_->Start(assignment_);
  }
  const Result<bool> restored = restorer_->Step(wait_ms);
  if (PassesBy(restored.status())) return false;
  TC_RETURN_IF_ERROR(restored.status());
  if (!*restored) return false;
  restore_place_.clear();
  next_seq_ = std::max(next_seq_, restorer_->highest_seq() + 1);
  partitions_ = assignment_;
  // What an earlier life has left of partitions that are others' now.
  std::vector<uint16_t> others;
  for (uint16_t p = 0; !input_partitions_.empty() && p < input_partitions_.front(); ++p) {
    TC_ASSIGN_OR_RETURN(const uint64_t seq, StoredSeq(parts_.store, {Stage::kSeries, p}));
    const bool is_ours = std::find(assignment_.begin(), assignment_.end(), p) != assignment_.end();
    if (seq > 0 && !is_ours && !parked_.contains(p)) others.push_back(p);
  }
  Park(others);
  for (const ChangelogRestorer::Finding& finding : restorer_->findings()) {
    const TopicPartition source = layout_.SourceOf(finding.stream);
    if (!finding.stopped.ok()) {
      // Nobody else's rows can stand in for the model's.
      if (!IsKeyed(finding.stream.stage)) return finding.stopped;
      std::erase(partitions_, finding.stream.partition);
      Alarm("gap", finding.stopped.message());
    }
    if (finding.ahead) {
      Alarm("torn", fmt::format("{}[{}] is written anew: {}", source.topic, source.partition, finding.why));
      committer_->NoteCommittedAt(finding.stream, parts_.clock.Now());  // what is missing was not taken by compaction
    }
    if (finding.unproven) {
      Alarm("unproven", fmt::format("{}[{}] is written anew, since compaction may have hidden a gap: {}", source.topic,
                                    source.partition, finding.why));
    }
    if (finding.dropped)
      Alarm("dropped", fmt::format("local state of {}[{}] was restored from the beginning: {}", source.topic,
                                   source.partition, finding.why));
    if (finding.orphan_rows > 0)
      Alarm("orphans", fmt::format("{}[{}] has {} rows of torn transactions", source.topic, source.partition,
                                   finding.orphan_rows));
  }
  parts_.metrics.Gauge("tidecast_tasks_stopped", "Partitions whose tasks do not run since their changelog has a gap")
      .Set(static_cast<double>(assignment_.size() - partitions_.size()));
  parts_.metrics.Counter("tidecast_restore_rows_total", "Changelog rows applied by restores")
      .Set(static_cast<double>(restorer_->rows_applied()));
  parts_.metrics.Counter("tidecast_restore_orphan_rows_total", "Rows of torn transactions that restores left out")
      .Set(static_cast<double>(restorer_->orphan_rows()));
  return true;
}

// The newest commit record wins over the group's position: a torn transaction may have moved one of them only. A
// position without our note was set by hand: somebody wants to read again or to skip, which state does not allow.
Status Instance::CheckInputs() {
  std::map<TopicPartition, Position> committed;
  for (const Position& position : *group_positions_) committed[position.source] = position;
  for (const auto& task : tasks_) {
    for (size_t s = 0; s < task->source_count(); ++s) {
      const Position own = task->position(s);
      const Position& group = committed[own.source];
      if (group.next_offset < 0 || group.next_offset == std::max<int64_t>(own.next_offset, 0)) continue;
      if (!group.note.starts_with(kPositionNote)) {
        if (own.next_offset < 0) continue;  // there is no state that it could contradict
        return Status(Code::kConfig,
                      fmt::format("the group's position was changed by hand: {}[{}] stands at {}, the state at {}",
                                  own.source.topic, own.source.partition, group.next_offset, own.next_offset),
                      Domain::kExternal)
            .WithRemedy("`tidecast state reset` starts anew from what the topic holds; or set the position back");
      }
      Alarm("torn",
            fmt::format("the group's position and the commit record differ: {}[{}] stands at {} ({}), the state at {}",
                        own.source.topic, own.source.partition, group.next_offset, group.note, own.next_offset));
    }
  }
  return Status::Ok();
}

Status Instance::StepWatch() {
  if (waits_since_) return Status::Ok();
  Result<std::optional<ChangelogWatch::Finding>> look = watch_->Step();
  if (PassesBy(look.status())) return Status::Ok();
  TC_RETURN_IF_ERROR(look.status());
  std::optional<ChangelogWatch::Finding> finding = std::move(look).value();
  if (!finding) return Status::Ok();
  const TopicPartition source = layout_.SourceOf(finding->stream);
  if (finding->torn) {
    Alarm(finding->unproven ? "unproven" : "torn",
          fmt::format("a committed epoch is missing in {}[{}], which is written anew: {}", source.topic,
                      source.partition, finding->why));
    TC_RETURN_IF_ERROR(repair_->OweSnapshot(finding->stream));
  }
  if (!finding->orphans.empty()) {
    Alarm("orphans", fmt::format("{}[{}] has {} rows of torn transactions", source.topic, source.partition,
                                 finding->orphans.size()));
    TC_RETURN_IF_ERROR(repair_->Owe(finding->stream, std::move(finding->orphans)));
  }
  next_seq_ = std::max(next_seq_, watch_->highest_seq() + 1);
  return Status::Ok();
}

void Instance::Alarm(const char* kind, std::string text) {
  parts_.metrics
      .Counter("tidecast_alarms_total", "What exactly-once came upon and an operator should know of, by kind",
               {{"kind", kind}})
      .Add(1);
  alarms_.push_back(fmt::format("{}: {}", kind, text));
  notes_.push_back("alarm, " + alarms_.back());
  if (alarms_.size() > kAlarmsKept) alarms_.erase(alarms_.begin());
}

Result<bool> Instance::StepRestore(int wait_ms) {
  const bool has_changelog = parts_.transport.needs_changelog();
  if (has_changelog) {
    const int64_t done_before = restorer_->work_done();
    TC_ASSIGN_OR_RETURN(const bool restored, RestoreStreams(wait_ms));
    if (!restored) return restorer_->work_done() > done_before;
    restored_since_ = parts_.clock.Now();
  } else {
    partitions_ = assignment_;
  }
  std::vector<SeriesTask::Input> inputs;
  for (uint16_t i = 0; i < plan_->options.inputs.size(); ++i) inputs.push_back({i, input_partitions_[i]});
  tasks_.clear();
  for (const uint16_t partition : partitions_) {
    TC_ASSIGN_OR_RETURN(auto task, SeriesTask::Make(partition, *plan_, inputs));
    tasks_.push_back(std::move(task));
    TC_RETURN_IF_ERROR(CheckInputIds(parts_.store, tasks_.back()->id(), input_ids_));
  }
  if (has_changelog) {
    TC_ASSIGN_OR_RETURN(const OwedRows owed, TakeOwedRows(parts_.store, {Stage::kInstance, 0}));
    if (owed == OwedRows::kUndone) {
      Alarm("undone",
            "weights that were imported or rolled back here while nobody ran are not taken: the changelog of this "
            "instance had gone on elsewhere; do it again");
    }
    const std::vector<TaskId> streams = StreamsOf(layout_, partitions_);
    TC_RETURN_IF_ERROR(repair_->Load(streams));
    TC_RETURN_IF_ERROR(watch_->Start(streams));
  }
  for (const Stage stage : plan_->further_stages) {
    for (const uint16_t partition : partitions_) {
      TC_ASSIGN_OR_RETURN(auto task, RekeyedTask::Make(stage, partition, *plan_, input_partitions_.front()));
      tasks_.push_back(std::move(task));
    }
  }
  TC_RETURN_IF_ERROR(RollBack());
  if (restores_anew_) return true;
  if (has_changelog) TC_RETURN_IF_ERROR(CheckInputs());
  state_ = State::kRunning;
  running_since_ = parts_.clock.Now();
  if (has_changelog) TellBeginning();
  // What waited while nobody ran is not to wait for a whole interval more.
  pace_.StartAt(parts_.clock.Now() + std::min(kFirstCutAfter - plan_->options.commit_interval, Duration{}));
  PublishStatus(true);
  return true;
}

void Instance::TellBeginning() {
  const auto ms = [](ProcessingTime from, ProcessingTime to) { return (to - from).count() / 1000; };
  beginning_ = fmt::format(
      "{} of {} partitions run: joined the group in {} ms, its positions {} ms, changelogs {} ms "
      "({} records, {} rows new), state {} ms",
      partitions_.size(), input_partitions_.empty() ? 0 : input_partitions_.front(),
      ms(joining_since_, assigned_since_), ms(assigned_since_, reading_since_), ms(reading_since_, restored_since_),
      restorer_->work_done(), restorer_->rows_applied(), ms(restored_since_, running_since_));
}

Status Instance::RollBack() {
  repair_->OnRolledBack();
  if (exchange_) exchange_->Reset();
  if (rekey_watermarks_) rekey_watermarks_->RollBack();
  open_outputs_.clear();
  open_bytes_ = open_rekeyed_ = 0;
  TC_RETURN_IF_ERROR(activity_->Reload(TaskStateReader(parts_.store, {Stage::kInstance, 0})));
  std::vector<Position> positions;
  first_handle_.clear();
  // Most of a start with very many series is this: each task reads its own, on all cores whatever it runs on later.
  std::vector<Status> reloaded(tasks_.size());
  MakeExecutor(std::min(parts_.readers, tasks_.size()))->ParallelFor(tasks_.size(), [&](size_t t) {
    reloaded[t] = tasks_[t]->Reload(parts_.store);
  });
  for (const Status& status : reloaded) TC_RETURN_IF_ERROR(status);
  for (const auto& task : tasks_) {
    next_seq_ = std::max(next_seq_, task->stored_seq() + 1);
    first_handle_.push_back(static_cast<uint32_t>(positions.size()));
    for (size_t s = 0; s < task->source_count(); ++s) positions.push_back(task->position(s));
  }
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found,
                      TaskStateReader(parts_.store, {Stage::kInstance, 0}).Get(Family::kMeta, "commit", &value));
  if (found) {
    ByteReader bytes(value);
    if (const uint8_t version = bytes.U8(); version != kInstanceRecordVersion) {
      return Status(Code::kVersion, fmt::format("the instance's commit record has format {}, this build reads {}",
                                                version, kInstanceRecordVersion));
    }
    next_seq_ = std::max(next_seq_, bytes.U64() + 1);
    forecasts_ = bytes.I64();
    alerts_ = bytes.I64();
    model_->set_alerts_firing(bytes.I64());
    TC_RETURN_IF_ERROR(bytes.Finish("the instance's commit record"));
  }
  TC_RETURN_IF_ERROR(model_->Reload(partitions_));
  if (model_exchange_)
    TC_RETURN_IF_ERROR(model_exchange_->Reload(TaskStateReader(parts_.store, {Stage::kInstance, 0}), *model_));
  const Status started = parts_.transport.StartAt(positions);
  // Somebody else may have gone on with our partitions while we stood still: how far they are stands in the changelogs.
  if (started.code() == Code::kNotFound && parts_.transport.needs_changelog() && !restores_anew_) {
    restores_anew_ = true;
    return BeginRestore(assignment_);
  }
  restores_anew_ = false;
  TC_RETURN_IF_ERROR(started);
  if (bounded_) return FinishAtEnd();
  return Status::Ok();
}

}  // namespace tidecast
