#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/clock.h"
#include "engine/core/executor.h"
#include "engine/core/metrics.h"
#include "engine/io/log_transport.h"
#include "engine/runtime/activity_exchange.h"
#include "engine/runtime/activity_table.h"
#include "engine/runtime/changelog_repair.h"
#include "engine/runtime/changelog_restorer.h"
#include "engine/runtime/changelog_watch.h"
#include "engine/runtime/cut_pace.h"
#include "engine/runtime/epoch_committer.h"
#include "engine/runtime/fault_points.h"
#include "engine/runtime/input_ids.h"
#include "engine/runtime/live_status.h"
#include "engine/runtime/model_exchange.h"
#include "engine/runtime/model_task.h"
#include "engine/runtime/rekey_trim.h"
#include "engine/runtime/rekey_watermarks.h"
#include "engine/runtime/result_sink.h"
#include "engine/runtime/stage_task.h"
#include "engine/runtime/task_plan.h"

namespace tidecast {

/// Help of tidecast_memory_bytes{part}, which several write.
inline constexpr const char* kMemoryHelp = "Memory by part, of what the limit is shared out to";

/// One process of the engine: the series tasks of its partitions, the model task, and the commit of their epochs.
/// A state machine: Step does a bounded piece of work and says how it went; it owns no thread and never sleeps (but for
/// `wait_ms` inside the transport when there was nothing to do). The loops that call it are in
/// engine/app/engine_loop.cc.
///
/// A step: take what the transport has to tell -> move the commit on -> poll inputs -> run tasks side by side (decode,
/// watermark, windows) -> hand closed rows to the model -> run rounds -> cut an epoch when it is time.
/// Thread: confined to the thread that steps it.
class Instance {
 public:
  struct Parts {
    LogTransport& transport;
    StateStore& store;
    Executor& executor;
    const Clock& clock;
    MetricRegistry& metrics;
    FaultPoints& faults;
    CommitObserver* observer = nullptr;               ///< may be null
    ResultSink* sink = nullptr;                       ///< may be null
    Duration changelog_lag = std::chrono::hours(24);  ///< min.compaction.lag.ms and delete.retention.ms of changelogs
    Duration rekey_kept = std::chrono::hours(24);     ///< so long internal records stay once they were read for good
    size_t readers = 1;                               ///< threads that tasks are read on when they begin
  };
  enum class Progress : uint8_t { kWorked, kIdle, kFinished };

  Instance(std::unique_ptr<TaskPlan> plan, Parts parts);

  /// Looks at the topics, makes those that are ours, joins the group.
  /// Errors: kConfig (partition counts differ: both named; an input topic is missing), kUnavailable, kFenced.
  Status Start();
  /// Errors end the instance; nothing that was not committed has become visible.
  Result<Progress> Step(int wait_ms);

  /// Bounded run: read up to what the inputs hold now, close all windows, commit, and be finished.
  Status FinishAtEnd();
  /// Finish what is under way, commit, leave the group; then Step returns kFinished.
  void Stop() { stopping_ = true; }

  /// Tasks are restored and read.
  bool running() const { return state_ == State::kRunning; }
  /// An epoch is on its way to its commit.
  bool committing() const { return committer_ != nullptr && committer_->busy(); }
  LiveStatus Look() const;
  const std::vector<std::unique_ptr<StageTask>>& tasks() const { return tasks_; }
  const ModelTask& model() const { return *model_; }
  /// What whoever runs the engine should be told, in words, since the last call.
  std::vector<std::string> TakeNotes();
  /// How tasks that have just begun to run came to their state, in words; empty when none have since the last call.
  std::string TakeBeginning() { return std::exchange(beginning_, {}); }
  EventCounts counts() const;
  int64_t forecasts() const { return forecasts_; }
  int64_t alerts() const { return alerts_; }
  Epoch committed_epochs() const { return committed_epochs_; }
  /// The newest things that exactly-once came upon and an operator should know of: torn transactions, gaps ...
  const std::vector<std::string>& alarms() const { return alarms_; }

 private:
  enum class State : uint8_t { kJoining, kRestoring, kRunning, kFinished };
  static constexpr uint8_t kInstanceRecordVersion = 1;
  static constexpr std::string_view kPositionNote = "tidecast ";  ///< positions that an instance commits begin so
  /// Of a broker that does not answer now: asked again, however long it takes.
  static bool PassesBy(const Status& status) { return status.retry() == Retry::kBackoff; }

  Status PrepareTopics();
  Status OnEvent(const TransportEvent& event);
  Result<bool> StepCommit();
  Status OnCommitted(EpochCut cut);
  Status OnCommitFailed();
  /// A new producer; asked for again while no broker answers.
  Status Renew();
  /// No broker answers: says so once, and that it ended.
  void Wait(const Status& why);
  void GoOn();
  Status BeginRestore(std::vector<uint16_t> partitions);
  /// True once the group's positions are known and all streams are restored or stopped.
  Result<bool> RestoreStreams(int wait_ms);
  /// Compares the inputs with what the group and the topics say. Errors: kConfig (refused, the input named).
  Status CheckInputs();
  Status LearnEnds();
  Status StepWatch();
  /// State of partitions that were given away is kept for a while: who takes them back need not restore.
  void Park(const std::vector<uint16_t>& partitions);
  Status DropParked();
  /// Something that an operator must see: counted, and shown with the status.
  void Alarm(const char* kind, std::string text);
  /// Alarms once when a restore has not come further for long.
  void TellIfStuck();
  void TellBeginning();
  /// Has no partitions any more: what is uncommitted is the next owner's to do again.
  void LetGo();
  /// Drops everything uncommitted: all tasks, the model and the positions stand where the store stands.
  Status RollBack();
  Result<bool> StepRestore(int wait_ms);
  Result<bool> Work();
  Result<bool> Poll();
  Result<bool> RefreshActivity();
  /// Steps the tasks side by side; whether any got on.
  Result<bool> RunTasks();
  /// Whether buckets were over.
  bool JoinOutputs(std::vector<TaskStepOutput>& outputs);
  bool CutIsDue() const;
  /// Rows of what closed in live input go out while the rest of their cut is awaited.
  void SendAhead();
  void HandOverRows();
  /// Rows that were handed over are shown to who observes, and their memory goes back to the tasks.
  void ReuseRows();
  /// No more may be put into the epoch being filled.
  bool IsFull() const;
  /// Looks where the tasks stand after a step of work. `closed`: buckets closed in it.
  void TellPace(bool closed);
  /// Something is on its way to a further stage and not yet committed.
  bool RekeyingOpen() const;
  /// In a replay the order of what comes out must not depend on when epochs were cut: a further stage goes on only when
  /// all that was put in is worked off before it, and has reached it.
  bool in_lockstep() const { return plan_->collect && rekey_watermarks_ != nullptr; }
  bool RekeyingInFlight() const { return rekeyed_in_flight_ && committer_->busy(); }
  size_t OpenBytes() const;  ///< of the epoch being filled: outputs and changed state, about
  bool Dirty() const;
  /// `tell`: the further stages are told how far the series tasks have come.
  Status Cut(bool tell);
  StageTimes ClosedUpTo() const;
  bool AllEnded() const;
  void PublishStatus(bool force);
  void PublishMemory();

  std::unique_ptr<TaskPlan> plan_;
  Parts parts_;
  std::vector<int32_t> input_partitions_;  ///< by input
  InputIds input_ids_;
  std::string writer_;
  std::vector<std::string> joined_;  ///< topics that tasks read: the inputs, and those of further stages
  ChangelogLayout layout_;
  std::unique_ptr<ModelTask> model_;
  std::unique_ptr<ActivityTable> activity_;
  std::unique_ptr<ActivityExchange> exchange_;     ///< null where this instance has all partitions by nature (embedded)
  std::unique_ptr<ModelExchange> model_exchange_;  ///< null likewise, and without a net
  bool restores_anew_ = false;                     ///< the restore before led to positions that the log no longer has
  std::optional<RekeyTrim> rekey_trim_;            ///< where there is the next
  std::unique_ptr<RekeyWatermarks> rekey_watermarks_;  ///< null where no view belongs to a further stage
  std::unique_ptr<EpochCommitter> committer_;
  std::unique_ptr<ChangelogRestorer> restorer_;
  std::unique_ptr<ChangelogRepair> repair_;
  std::unique_ptr<ChangelogWatch> watch_;

  State state_ = State::kJoining;
  bool revoked_ = false;  ///< partitions must be released once all is committed
  bool lost_ = false;
  std::optional<std::vector<uint16_t>> assigned_;  ///< partitions to take over once the epoch in flight has ended
  bool renewing_ = false;
  bool stopping_ = false;
  bool bounded_ = false;
  bool ends_known_ = false;           ///< of a bounded run
  std::vector<uint16_t> assignment_;  ///< partitions of the current assignment
  std::vector<uint16_t> partitions_;  ///< those of them whose tasks run
  std::map<uint16_t, ProcessingTime>
      parked_;  ///< partitions that are not ours any more, and until when their state is kept
  std::optional<std::vector<Position>> group_positions_;  ///< as they were before the restore
  std::string restore_place_;                             ///< how far the restore has come
  ProcessingTime restore_stands_since_;                   ///< of restore_place_
  bool restore_told_ = false;                             ///< that it stands there
  std::vector<std::unique_ptr<StageTask>> tasks_;
  std::vector<uint32_t> first_handle_;  ///< of each task's sources in the last StartAt

  Epoch epoch_ = 1;
  uint64_t next_seq_ = 1;
  Epoch committed_epochs_ = 0;
  std::vector<OutputRecord> open_outputs_;
  size_t open_bytes_ = 0;
  size_t open_rekeyed_ = 0;  ///< of the outputs: to rekey topics
  bool rekeyed_in_flight_ = false;
  CutPace pace_;
  ProcessingTime last_status_;
  int64_t events_at_last_status_ = 0;
  double events_per_second_ = 0;
  int64_t forecasts_ = 0;
  int64_t alerts_ = 0;
  ProcessingTime rolled_back_told_;
  ProcessingTime running_since_;
  ProcessingTime joining_since_;  ///< and what followed, step by step
  ProcessingTime assigned_since_;
  ProcessingTime reading_since_;  ///< changelogs: the group's positions are known
  ProcessingTime restored_since_;
  std::string beginning_;
  bool unreachable_ = false;                   ///< says the transport
  std::optional<ProcessingTime> waits_since_;  ///< for brokers: unreachable, or a new producer is not to be had
  std::vector<std::string> alarms_;            ///< the newest few
  bool windows_told_ = false;                  ///< that they are too large for the limit
  std::vector<std::string> notes_;
};

}  // namespace tidecast
