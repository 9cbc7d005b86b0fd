#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/executor.h"
#include "engine/runtime/result_sink.h"
#include "engine/runtime/stage_task.h"
#include "engine/runtime/task_plan.h"
#include "models/net_keeper.h"
#include "operators/forecast_operator.h"

namespace tidecast {

/// A time for each stage. A round of a view waits for the tasks of the view's own stage alone.
class StageTimes {
 public:
  explicit StageTimes(EventTime of_all) { times_.fill(of_all); }
  EventTime of(Stage stage) const { return times_[static_cast<size_t>(stage)]; }
  void set(Stage stage, EventTime time) { times_[static_cast<size_t>(stage)] = time; }

 private:
  std::array<EventTime, 5> times_{};
};

/// The model stage: one task an instance. Takes closed rows of all its keyed tasks and runs rounds, bucket by bucket, in
/// order of time (SEMANTICS.md 3). A round of bucket B begins when every task of the view's stage has closed everything up to B's end; what
/// waits for it is state, kept in the key range of the partition it came from.
/// Thread: confined; blocks of a round run on the executor.
class ModelTask {
 public:
  /// Errors: as MakeForecaster.
  static Result<std::unique_ptr<ModelTask>> Make(const TaskPlan& plan, const StateStore& store, size_t cache_bytes_max);

  void OnRow(QueuedRow&& row);
  void OnBucketOver(const BucketOver& over);
  void OnPart(QueuedPart&& part);

  struct Output {
    std::vector<OutputRecord> records;
    size_t bytes = 0;
    size_t rekeyed = 0;  ///< of the records: to a rekey topic
    int64_t forecasts = 0;
    int64_t alerts = 0;
  };
  /// Works on rounds up to `closed_up_to`, about `bytes_max` bytes of them. Returns whether anything was done.
  Result<bool> Step(const StageTimes& closed_up_to, Executor& executor, size_t bytes_max, ResultSink* sink, Output& out);
  /// What the rollups are to have of rounds over buckets that end by then has been put out: no series task is told to
  /// be further.
  EventTime summed_up_to() const;
  /// Nothing to do up to that time.
  bool idle(const StageTimes& closed_up_to) const;

  void Save(Epoch epoch, StateBatch& out);
  void OnCommitted(Epoch epoch);
  /// `partitions`: that this instance has now, of each keyed stage.
  Status Reload(std::span<const uint16_t> partitions);

  bool dirty() const { return dirty_; }
  /// Bytes that the next Save would write, about.
  size_t dirty_bytes() const;
  /// No round is under way in any view.
  bool between_rounds() const;
  size_t memory_bytes() const;
  /// Rows that came for a bucket whose round was over (a partition taken over late); they are not learned from.
  int64_t rows_skipped() const { return rows_skipped_; }
  int64_t alerts_firing() const { return alerts_firing_; }
  /// What whoever runs the engine should be told, since the last call.
  std::vector<std::string> TakeNotes() { return std::exchange(notes_, {}); }
  void set_alerts_firing(int64_t firing) { alerts_firing_ = firing; }
  /// Explains the newest forecast of a series of a view, as ForecastOperator::Explain; `context`: of the round that made it.
  /// Errors: kNotReady while a round is under way.
  Result<std::vector<Explanation>> Explain(uint16_t view, const std::string& series, std::span<const uint16_t> partitions,
                                           BucketContext* context) const;
  /// Waits for the net of a view that is forecast. Errors: Forecaster::Ready.
  Status Ready(uint16_t view) { return views_[view].forecast->Ready(); }
  const ForecastOperator* forecast_operator(uint16_t view) const { return views_[view].forecast.get(); }
  uint16_t views() const { return static_cast<uint16_t>(views_.size()); }
  const std::string& view_name(uint16_t view) const { return plan_.options.views[view].name; }
  /// Of a view with a net; null for others.
  NetKeeper* net_keeper(uint16_t view);
  const NetKeeper* net_keeper(uint16_t view) const;
  /// The model was changed from outside: the next Save has something to write.
  void MarkDirty() { dirty_ = true; }

 private:
  struct Pending {
    EventTime end;
    bool over = false;            ///< its end was told
    bool over_stored = false;     ///< as it is now
    bool over_ever_stored = false;
    bool open = true;
    std::vector<ModelRow> rows;
  };
  struct View {
    std::unique_ptr<ForecastOperator> forecast;   ///< null: this view is not forecast
    std::unique_ptr<OpenBuckets> calendar;
    std::map<EventTime, Pending> pending;         ///< by bucket start
    EventTime done_up_to = EventTime::Min();      ///< start of the last bucket whose round began
    bool calendar_dirty = false;
    BottomUpSums sums{{}};                        ///< of the round under way, for the rollups
    bool sums_dirty = false;
    bool sums_stored = false;
    /// Rows of rounds that are over without them: their tasks have no sum at that cutoff, and the rollups are told so.
    struct Missed {
      EventTime end;
      BottomUpSums sums;
      std::map<uint16_t, std::string> first;  ///< by task: series of its first row
    };
    std::map<EventTime, Missed> missed;           ///< by bucket start, until the next step
    std::map<EventTime, std::vector<QueuedPart>> parts;  ///< of a rollup whose sums are split, by bucket start
  };

  Result<bool> StepView(uint16_t view, EventTime closed_up_to, Executor& executor, size_t bytes_max, ResultSink* sink, Output& out);
  Status BeginNext(uint16_t view, ResultSink* sink);
  void Encode(uint16_t view, const BucketContext& context, RoundBlockOutput& block) const;
  /// A round over series that a rollup sums up is over.
  void GiveSums(uint16_t view, Output& out);
  void Miss(View& view, uint16_t v, EventTime start, EventTime end, const ModelRow& row);
  void GiveMissed(uint16_t view, Output& out);
  void SaveSums(uint16_t view, StateBatch& out);
  Status ReloadSums(uint16_t view, std::span<const uint16_t> partitions);
  void Take(uint16_t view, const BucketContext& context, RoundBlockOutput&& block, ResultSink* sink, Output& out);

  ModelTask(const TaskPlan& plan, const StateStore& store) : plan_(plan), store_(store) {}

  const TaskPlan& plan_;
  const StateStore& store_;
  std::vector<View> views_;
  std::map<uint16_t, KeySplit> splits_;  ///< of the rollups whose sums are split, by view
  std::map<uint16_t, bool> splits_dirty_;
  StateBatch deletes_;            ///< queue rows used up since the last Save
  size_t queued_bytes_ = 0;       ///< of rows that came since the last Save, about
  bool dirty_ = false;
  std::vector<std::string> notes_;
  int64_t rows_skipped_ = 0;
  int64_t alerts_firing_ = 0;
};

}  // namespace tidecast
