#include "engine/runtime/model_task.h"

#include <algorithm>

#include "engine/runtime/rekey_records.h"
#include "models/forecaster.h"
#include "state/key_codec.h"
#include "state/task_keyspace.h"

namespace tidecast {
namespace {

constexpr uint8_t kQueueTable = 0xF0;      // in a series task: view, bucket start, series -> row
constexpr uint8_t kOverTable = 0xF4;       // in the model task: view, bucket start -> end, open
constexpr uint8_t kCalendarTable = 0xF5;   // in the model task: view -> done_up_to, OpenBuckets
constexpr uint8_t kSumsTable = 0xF6;       // in the model task: view -> BottomUpSums of the round under way
constexpr uint8_t kSplitTable = 0xF7;      // in a series task: rollup view -> its part of a KeySplit
constexpr uint8_t kPartTable = 0xF8;       // in a series task: rollup view, bucket start, key -> value of the target
constexpr uint8_t kVersion = 1;
constexpr uint8_t kRowVersion = 3;

std::string QueueKey(uint16_t view, EventTime start, std::string_view series) {
  return KeyWriter().U8(kQueueTable).U16(view).Time(start).Raw(series).Take();
}
std::string OverKey(uint16_t view, EventTime start) { return KeyWriter().U8(kOverTable).U16(view).Time(start).Take(); }
std::string SumsKey(uint16_t view) { return KeyWriter().U8(kSumsTable).U16(view).Take(); }
std::string SplitKey(uint16_t view) { return KeyWriter().U8(kSplitTable).U16(view).Take(); }
std::string PartKey(const QueuedPart& part) {
  return KeyWriter().U8(kPartTable).U16(part.view).Time(part.start).Raw(part.key).Take();
}
std::string CalendarKey(uint16_t view) { return KeyWriter().U8(kCalendarTable).U16(view).Take(); }

void PutRow(Stage stage, uint16_t view, EventTime start, EventTime end, ModelRow& row, StateBatch& out) {
  ByteWriter value;
  value.U8(kRowVersion).Time(end).Bool(row.retired).F32(row.target).Varint(row.past.size()).Array<float>(row.past).Varint(row.known.size()).Array<float>(row.known);
  value.Bytes(row.category).Varint(row.bottom_up.size()).Array<float>(row.bottom_up);
  TaskDeltaSink(out, {stage, row.partition}).Put(Family::kSeries, QueueKey(view, start, row.series), value.view());
  row.stored = true;
}

Status ReadRow(std::string_view value, EventTime* end, ModelRow* row) {
  ByteReader bytes(value);
  const uint8_t version = bytes.U8();
  if (version < 1 || version > kRowVersion) {
    return Status(Code::kVersion,
                  fmt::format("a queued row has format {}, this build reads up to {}", version, kRowVersion));
  }
  *end = bytes.Time();
  row->retired = version > 1 && bytes.Bool();
  row->target = bytes.F32();
  row->past.resize(bytes.Count(sizeof(float)));
  bytes.Array<float>(row->past);
  row->known.resize(bytes.Count(sizeof(float)));
  bytes.Array<float>(row->known);
  if (version > 2) {
    row->category = bytes.Bytes();
    row->bottom_up.resize(bytes.Count(sizeof(float)));
    bytes.Array<float>(row->bottom_up);
  }
  row->stored = true;
  return bytes.Finish("queued row");
}

}  // namespace

Result<std::unique_ptr<ModelTask>> ModelTask::Make(const TaskPlan& plan, const StateStore& store, size_t cache_bytes_max) {
  std::unique_ptr<ModelTask> task(new ModelTask(plan, store));
  for (uint16_t v = 0; v < plan.views.size(); ++v) {
    const ViewOptions& options = plan.options.views[v];
    View view;
    view.sums = BottomUpSums(plan.views[v].feeds);
    view.calendar = OpenBuckets::Make(*plan.views[v].calendar, options.calendar);
    if (plan.views[v].forecast) {
      ForecasterOptions model = plan.options.model;
      model.horizon = options.horizon;
      model.load_net_late = true;
      model.season_lengths = plan.views[v].calendar->SeasonLengths();
      model.domain = options.domain.value_or(ValueDomain::kCount);
      model.past_covariates = plan.views[v].past_features.size();
      model.known_covariates = plan.views[v].known_names.size();
      model.known_names = plan.views[v].known_names;
      model.calendar_features = plan.views[v].calendar->FeatureCount();
      const ForecastOperator::Life life{!options.domain, static_cast<uint32_t>(options.dormant_after),
                                        plan.views[v].bottom_up_from.has_value()};
      TC_ASSIGN_OR_RETURN(view.forecast, ForecastOperator::Make(plan.views[v].stage, v, model, life, plan.make_forecaster, AlertOperator(plan.options.alerts, options.name),
                                                                store, cache_bytes_max));
      view.forecast->set_on_round_done([self = task.get(), v](EventTime start, const std::vector<ModelRow>& rows) {
        for (const ModelRow& row : rows) {
          if (row.stored) TaskDeltaSink(self->deletes_, {self->plan_.views[v].stage, row.partition}).Delete(Family::kSeries, QueueKey(v, start, row.series));
        }
      });
    }
    task->views_.push_back(std::move(view));
  }
  return task;
}

void ModelTask::OnRow(QueuedRow&& queued) {
  View& view = views_[queued.view];
  if (queued.start <= view.done_up_to) {
    ++rows_skipped_;
    Miss(view, queued.view, queued.start, queued.end, queued.row);
    return;
  }
  Pending& pending = view.pending[queued.start];
  pending.end = queued.end;
  queued_bytes_ += 100 + queued.row.series.size() + (queued.row.past.size() + queued.row.known.size()) * sizeof(float);
  // Doubling would leave half of the largest array of the stage empty.
  if (pending.rows.size() == pending.rows.capacity()) pending.rows.reserve(pending.rows.size() * 5 / 4 + 64);
  pending.rows.push_back(std::move(queued.row));
  dirty_ = true;
}

void ModelTask::OnBucketOver(const BucketOver& over) {
  View& view = views_[over.view];
  if (over.start <= view.done_up_to) return;
  Pending& pending = view.pending[over.start];
  // A bucket that a rule closes is open all the same where a task had input in it (operators/README.md).
  const bool open = over.open || (pending.over && pending.open);
  if (pending.over && pending.open == open) return;
  pending.end = over.end;
  pending.over = true;
  pending.over_stored = false;
  pending.open = open;
  dirty_ = true;
}

NetKeeper* ModelTask::net_keeper(uint16_t view) {
  if (!views_[view].forecast || plan_.options.model.net == NetKind::kNone) return nullptr;
  return dynamic_cast<NetKeeper*>(&views_[view].forecast->forecaster());
}

const NetKeeper* ModelTask::net_keeper(uint16_t view) const { return const_cast<ModelTask*>(this)->net_keeper(view); }

void ModelTask::OnPart(QueuedPart&& part) {
  queued_bytes_ += 64 + part.key.size();
  dirty_ = true;
  views_[part.view].parts[part.start].push_back(std::move(part));
}

EventTime ModelTask::summed_up_to() const {
  EventTime least = EventTime::Max();
  for (const View& view : views_) {
    if (view.sums.feeds().empty()) continue;
    if (view.forecast->in_round()) least = std::min(least, EventTime{view.forecast->round_end().us - 1});
    if (!view.pending.empty()) least = std::min(least, EventTime{view.pending.begin()->second.end.us - 1});
    if (!view.missed.empty()) least = std::min(least, EventTime{view.missed.begin()->second.end.us - 1});
  }
  return least;
}

void ModelTask::Miss(View& view, uint16_t v, EventTime start, EventTime end, const ModelRow& row) {
  if (view.sums.feeds().empty() || row.retired) return;
  const std::vector<float> nothing(static_cast<size_t>(plan_.options.views[v].horizon));
  const auto at = view.missed.try_emplace(start, View::Missed{end, BottomUpSums(plan_.views[v].feeds)}).first;
  at->second.sums.Add(row.partition, row.category, nothing);
  at->second.first.try_emplace(row.partition, row.series);
  if (!row.stored) return;
  TaskDeltaSink(deletes_, {plan_.views[v].stage, row.partition})
      .Delete(Family::kSeries, QueueKey(v, start, row.series));
  dirty_ = true;
}

void ModelTask::GiveMissed(uint16_t v, Output& out) {
  View& view = views_[v];
  const std::string topic = plan_.RekeyTopic(Stage::kRollup);
  for (const auto& [start, missed] : view.missed) {
    BucketContext context;
    context.now.start = start;
    context.now.end = missed.end;
    context.ahead.resize(static_cast<size_t>(plan_.options.views[v].horizon));
    for (CalendarStep& step : context.ahead) step.end = EventTime{missed.end.us + 1};
    missed.sums.Give(context, splits_, [&](BottomUpShare share) {
      share.micros.clear();
      // Said once of each row, so that the first of them tells it from the sum itself and from what is said of others.
      OutputRecord& record =
          out.records.emplace_back(BottomUpRecord(topic, share, missed.first.at(share.upstream)));
      out.bytes += record.Bytes();
      ++out.rekeyed;
    });
  }
  view.missed.clear();
}

bool ModelTask::idle(const StageTimes& closed_up_to) const {
  for (uint16_t v = 0; v < views_.size(); ++v) {
    const View& view = views_[v];
    if (view.forecast && view.forecast->in_round()) return false;
    if (!view.pending.empty() && view.pending.begin()->second.end <= closed_up_to.of(plan_.views[v].stage)) return false;
  }
  return true;
}

bool ModelTask::between_rounds() const {
  return std::none_of(views_.begin(), views_.end(), [](const View& view) { return view.forecast && view.forecast->in_round(); });
}

size_t ModelTask::dirty_bytes() const {
  size_t bytes = queued_bytes_ + deletes_.bytes();
  for (const View& view : views_) {
    if (view.forecast) bytes += view.forecast->dirty_bytes();
  }
  return bytes;
}

Status ModelTask::BeginNext(uint16_t v, ResultSink* sink) {
  View& view = views_[v];
  const EventTime start = view.pending.begin()->first;
  Pending pending = std::move(view.pending.begin()->second);
  view.pending.erase(view.pending.begin());
  if (pending.over_ever_stored) TaskDeltaSink(deletes_, {Stage::kModel, v}).Delete(Family::kMeta, OverKey(v, start));
  view.calendar->OnBucketEnd(start, pending.open);
  view.done_up_to = start;
  view.calendar_dirty = true;
  dirty_ = true;
  if (sink != nullptr) sink->OnBucketEnd(v, start, pending.end, pending.open);
  if (!pending.open || !view.forecast || pending.rows.empty()) return Status::Ok();
  TC_RETURN_IF_ERROR(view.forecast->BeginRound(view.calendar->Context(plan_.options.views[v].horizon), std::move(pending.rows)));
  if (std::string note = view.forecast->TakeNote(); !note.empty()) notes_.push_back(fmt::format("view {}, bucket {}: {}", plan_.options.views[v].name, plan_.views[v].calendar->Label(start), note));
  return Status::Ok();
}

void ModelTask::Encode(uint16_t v, const BucketContext& context, RoundBlockOutput& block) const {
  if (!plan_.publish) return;
  const BucketCalendar& calendar = *plan_.views[v].calendar;
  for (const Alert& alert : block.alerts) {
    for (OutputRecord& record : plan_.encoder->AlertRecords(alert, calendar)) block.records.push_back(std::move(record));
  }
  if (!block.scores.empty()) return;
  const int64_t version = views_[v].forecast->rounds() + 1;
  for (size_t i = 0; i < block.series.size(); ++i) {
    if (block.publish[i] == Publish::kNothing) continue;
    if (block.publish[i] == Publish::kTombstone) {
      block.records.push_back(plan_.encoder->ForecastTombstone(v, block.series[i], calendar, context));
      block.records.push_back(plan_.encoder->TrendTombstone(v, block.series[i], calendar, context));
      continue;
    }
    block.records.push_back(
        plan_.encoder->Forecast(v, block.ForecastOf(i), calendar, context, version, 1, block.MeansOf(i)));
    if (block.trends[i].is_news) block.records.push_back(plan_.encoder->TrendRecord(v, block.series[i], block.trends[i].trend, calendar, context));
  }
}

void ModelTask::Take(uint16_t v, const BucketContext& context, RoundBlockOutput&& block, ResultSink* sink, Output& out) {
  out.alerts += static_cast<int64_t>(block.alerts.size());
  for (const Alert& alert : block.alerts) {
    if (alert.revision == 1 && alert.firing) ++alerts_firing_;
    if (!alert.firing) --alerts_firing_;
    if (sink != nullptr) sink->OnAlert(alert);
  }
  if (block.scores.empty()) {
    out.forecasts += std::count(block.publish.begin(), block.publish.end(), Publish::kForecast);
    BottomUpSums& sums = views_[v].sums;
    for (size_t i = 0; !sums.feeds().empty() && i < block.series.size(); ++i) {
      if (block.publish[i] == Publish::kTombstone) continue;
      sums.Add(block.rows[i].partition, block.rows[i].category, block.ForecastOf(i).mean);
      views_[v].sums_dirty = true;
    }
    for (size_t i = 0; sink != nullptr && i < block.series.size(); ++i) {
      if (block.publish[i] != Publish::kForecast) continue;
      sink->OnForecast(v, block.ForecastOf(i), block.MeansOf(i), context);
      if (block.trends[i].is_known) sink->OnTrend(v, block.series[i], block.trends[i].trend, context);
    }
  }
  for (OutputRecord& record : block.records) {
    out.bytes += record.Bytes();
    out.records.push_back(std::move(record));
  }
}

Result<bool> ModelTask::StepView(uint16_t v, EventTime closed_up_to, Executor& executor, size_t bytes_max, ResultSink* sink, Output& out) {
  View& view = views_[v];
  bool worked = !view.missed.empty();
  GiveMissed(v, out);
  const size_t dirty_before = dirty_bytes();
  for (;;) {
    // What the model has changed waits for the commit like what it has put out.
    const size_t used = out.bytes + dirty_bytes() - dirty_before;
    if (used >= bytes_max) break;
    if (!view.forecast || !view.forecast->in_round()) {
      if (view.pending.empty() || view.pending.begin()->second.end > closed_up_to) break;
      // Rows that came with a partition from another instance: it was that one's model that was told of the bucket's end.
      // Where there are rows the bucket was open.
      const Pending& next = view.pending.begin()->second;
      TC_CHECK(next.over || !next.rows.empty(), "a bucket that all tasks have closed was never told to be over");
      TC_RETURN_IF_ERROR(BeginNext(v, sink));
      worked = true;
      continue;
    }
    const size_t left = bytes_max - used;
    TC_ASSIGN_OR_RETURN(const bool over,
                        view.forecast->Step(
                            executor, left, [&](const BucketContext& context, RoundBlockOutput& block) { Encode(v, context, block); },
                            [&](const BucketContext& context, RoundBlockOutput&& block) { Take(v, context, std::move(block), sink, out); }));
    worked = true;
    dirty_ = true;
    // A round's end is a good place to stop: the caller looks whether it is time to commit.
    if (over) {
      if (!view.sums.feeds().empty()) GiveSums(v, out);
      break;
    }
  }
  return worked;
}

void ModelTask::GiveSums(uint16_t v, Output& out) {
  View& view = views_[v];
  const EventTime start = view.forecast->round_start();
  for (const BottomUpSums::Feed& feed : view.sums.feeds()) {
    auto& parts = views_[feed.view].parts;
    if (feed.group_by != GroupBy::kCountry) continue;
    KeySplit& split = splits_[feed.view];
    split.Fade();
    for (auto at = parts.begin(); at != parts.end() && at->first <= start; at = parts.erase(at)) {
      for (const QueuedPart& part : at->second) {
        split.Add(part.partition, part.key, part.value);
        if (part.stored)
          TaskDeltaSink(deletes_, {plan_.views[v].stage, part.partition}).Delete(Family::kSeries, PartKey(part));
      }
    }
    splits_dirty_[feed.view] = true;
  }
  const std::string topic = plan_.RekeyTopic(Stage::kRollup);
  view.sums.Give(view.calendar->Context(plan_.options.views[v].horizon), splits_, [&](const BottomUpShare& share) {
    OutputRecord& record = out.records.emplace_back(BottomUpRecord(topic, share));
    out.bytes += record.Bytes();
    ++out.rekeyed;
  });
  view.sums.Clear();
  view.sums_dirty = true;
}

void ModelTask::SaveSums(uint16_t v, StateBatch& out) {
  View& view = views_[v];
  const Stage series_stage = Stage::kSeries;
  for (auto& [start, parts] : view.parts) {
    for (QueuedPart& part : parts) {
      if (part.stored) continue;
      TaskDeltaSink(out, {series_stage, part.partition})
          .Put(Family::kSeries, PartKey(part), ByteWriter().U8(kVersion).F64(part.value).view());
      part.stored = true;
    }
  }
  if (const auto split = splits_.find(v); split != splits_.end() && std::exchange(splits_dirty_[v], false)) {
    for (const auto& [partition, sums] : split->second.sums()) {
      TaskDeltaSink(out, {series_stage, partition}).Put(Family::kSeries, SplitKey(v), split->second.Encode(partition));
    }
  }
  if (!std::exchange(view.sums_dirty, false)) return;
  TaskDeltaSink model(out, {Stage::kModel, v});
  if (!view.sums.empty()) {
    ByteWriter value;
    view.sums.Encode(&value);
    model.Put(Family::kMeta, SumsKey(v), value.view());
    view.sums_stored = true;
  } else if (std::exchange(view.sums_stored, false)) {
    model.Delete(Family::kMeta, SumsKey(v));
  }
}

// Of a round that goes on. `partitions`: whose parts of the splits, and of the buckets that wait for a round, are here.
Status ModelTask::ReloadSums(uint16_t v, std::span<const uint16_t> partitions) {
  View& view = views_[v];
  view.sums.Clear();
  view.sums_dirty = view.sums_stored = false;
  view.parts.clear();
  splits_.erase(v);
  splits_dirty_.erase(v);
  if (!view.sums.feeds().empty()) {
    std::string value;
    TC_ASSIGN_OR_RETURN(view.sums_stored,
                        TaskStateReader(store_, {Stage::kModel, v}).Get(Family::kMeta, SumsKey(v), &value));
    if (view.sums_stored && view.forecast->in_round()) TC_RETURN_IF_ERROR(view.sums.Decode(value));
    view.sums_dirty = view.sums_stored;
  }
  if (plan_.options.views[v].group_by != GroupBy::kCountry || !plan_.views[v].bottom_up_from) return Status::Ok();
  Status inner;
  for (const uint16_t partition : partitions) {
    const TaskStateReader task(store_, {Stage::kSeries, partition});
    std::string value;
    TC_ASSIGN_OR_RETURN(const bool found, task.Get(Family::kSeries, SplitKey(v), &value));
    if (found) TC_RETURN_IF_ERROR(splits_[v].Decode(partition, value));
    const std::string prefix = KeyWriter().U8(kPartTable).U16(v).Take();
    TC_RETURN_IF_ERROR(task.Scan(Family::kSeries, prefix, prefix, [&](std::string_view key, std::string_view row) {
      KeyReader reader(key.substr(prefix.size()));
      QueuedPart part{v, partition, reader.Time(), {}, 0, true};
      part.key = std::string(reader.Rest());
      ByteReader bytes(row);
      bytes.U8();
      part.value = bytes.F64();
      inner = bytes.Finish("part of a rollup's bucket");
      view.parts[part.start].push_back(std::move(part));
      return inner.ok();
    }));
    TC_RETURN_IF_ERROR(std::move(inner));
  }
  return Status::Ok();
}

Result<bool> ModelTask::Step(const StageTimes& closed_up_to, Executor& executor, size_t bytes_max, ResultSink* sink, Output& out) {
  bool worked = false;
  for (uint16_t v = 0; v < views_.size(); ++v) {
    TC_ASSIGN_OR_RETURN(const bool view_worked, StepView(v, closed_up_to.of(plan_.views[v].stage), executor, bytes_max, sink, out));
    worked |= view_worked;
  }
  return worked;
}

void ModelTask::Save(Epoch epoch, StateBatch& out) {
  out.Append(std::move(deletes_));
  deletes_.Clear();
  queued_bytes_ = 0;
  for (uint16_t v = 0; v < views_.size(); ++v) {
    View& view = views_[v];
    TaskDeltaSink model(out, {Stage::kModel, v});
    for (auto& [start, pending] : view.pending) {
      for (ModelRow& row : pending.rows) {
        if (!row.stored) PutRow(plan_.views[v].stage, v, start, pending.end, row, out);
      }
      if (pending.over && !pending.over_stored) {
        model.Put(Family::kMeta, OverKey(v, start), ByteWriter().U8(kVersion).Time(pending.end).Bool(pending.open).view());
        pending.over_stored = pending.over_ever_stored = true;
      }
    }
    if (view.calendar_dirty) {
      std::string calendar;
      view.calendar->Encode(&calendar);
      model.Put(Family::kMeta, CalendarKey(v), ByteWriter().U8(kVersion).Time(view.done_up_to).Bytes(calendar).view());
      view.calendar_dirty = false;
    }
    SaveSums(v, out);
    if (!view.forecast) continue;
    if (view.forecast->in_round()) {
      for (ModelRow& row : view.forecast->round_rows()) {
        if (!row.stored) PutRow(plan_.views[v].stage, v, view.forecast->round_start(), view.forecast->round_end(), row, out);
      }
    }
    view.forecast->Save(epoch, model, out);
  }
  dirty_ = false;
}

void ModelTask::OnCommitted(Epoch epoch) {
  for (View& view : views_) {
    if (view.forecast) view.forecast->OnCommitted(epoch);
  }
}

Status ModelTask::Reload(std::span<const uint16_t> partitions) {
  deletes_.Clear();
  queued_bytes_ = 0;
  dirty_ = false;
  for (uint16_t v = 0; v < views_.size(); ++v) {
    View& view = views_[v];
    view.pending.clear();
    view.missed.clear();
    view.done_up_to = EventTime::Min();
    view.calendar_dirty = false;
    view.calendar = OpenBuckets::Make(*plan_.views[v].calendar, plan_.options.views[v].calendar);
    const TaskStateReader model(store_, {Stage::kModel, v});
    std::string value;
    TC_ASSIGN_OR_RETURN(const bool found, model.Get(Family::kMeta, CalendarKey(v), &value));
    if (found) {
      ByteReader bytes(value);
      const uint8_t version = bytes.U8();
      view.done_up_to = bytes.Time();
      const std::string_view calendar = bytes.Bytes();
      TC_RETURN_IF_ERROR(bytes.Finish("model calendar"));
      if (version != kVersion) return Status(Code::kVersion, fmt::format("the model's calendar has format {}, this build reads {}", version, kVersion));
      TC_RETURN_IF_ERROR(view.calendar->Decode(calendar));
    }
    Status inner;
    TC_RETURN_IF_ERROR(model.Scan(Family::kMeta, KeyWriter().U8(kOverTable).U16(v).view(), {}, [&](std::string_view key, std::string_view row) {
      KeyReader reader(key.substr(3));
      Pending& pending = view.pending[reader.Time()];
      ByteReader bytes(row);
      bytes.U8();
      pending.end = bytes.Time();
      pending.open = bytes.Bool();
      pending.over = pending.over_stored = pending.over_ever_stored = true;
      inner = bytes.Finish("bucket end");
      return inner.ok();
    }));
    TC_RETURN_IF_ERROR(std::move(inner));
    if (view.forecast) TC_RETURN_IF_ERROR(view.forecast->Reload(model));
    const bool resumes = view.forecast && view.forecast->has_stored_round();
    std::vector<ModelRow> round_rows;
    EventTime round_end;
    for (const uint16_t partition : partitions) {
      const TaskStateReader task(store_, {plan_.views[v].stage, partition});
      TC_RETURN_IF_ERROR(task.Scan(Family::kSeries, KeyWriter().U8(kQueueTable).U16(v).view(), {}, [&](std::string_view key, std::string_view row_bytes) {
        KeyReader reader(key.substr(3));
        const EventTime start = reader.Time();
        ModelRow row;
        row.series = std::string(reader.Rest());
        row.partition = partition;
        EventTime end;
        inner = ReadRow(row_bytes, &end, &row);
        if (!inner.ok()) return false;
        if (resumes && start == view.forecast->stored_round_start()) {
          round_end = end;
          round_rows.push_back(std::move(row));
        } else if (start <= view.done_up_to) {
          ++rows_skipped_;
          Miss(view, v, start, end, row);
        } else {
          Pending& pending = view.pending[start];
          pending.end = end;
          pending.rows.push_back(std::move(row));
        }
        return true;
      }));
      TC_RETURN_IF_ERROR(std::move(inner));
    }
    if (resumes && round_rows.size() == view.forecast->stored_round_rows()) {
      view.forecast->ResumeRound(view.calendar->Context(plan_.options.views[v].horizon), std::move(round_rows));
    } else if (resumes) {
      rows_skipped_ += static_cast<int64_t>(round_rows.size());
      for (const ModelRow& row : round_rows) Miss(view, v, view.forecast->stored_round_start(), round_end, row);
      view.forecast->AbandonRound();
    }
    TC_RETURN_IF_ERROR(ReloadSums(v, partitions));
  }
  return Status::Ok();
}

Result<std::vector<Explanation>> ModelTask::Explain(uint16_t v, const std::string& series, std::span<const uint16_t> partitions,
                                                    BucketContext* context) const {
  const View& view = views_[v];
  if (!view.forecast || view.calendar->open_count() == 0) return std::vector<Explanation>{};
  if (view.forecast->in_round()) {
    return Status(Code::kNotReady, fmt::format("the model is at work on a bucket: view {}", plan_.options.views[v].name), Domain::kInternal)
        .WithRemedy("ask again in a moment");
  }
  *context = view.calendar->Context(plan_.options.views[v].horizon);
  return view.forecast->Explain(*context, series, partitions);
}

size_t ModelTask::memory_bytes() const {
  size_t bytes = 0;
  for (const View& view : views_) {
    for (const auto& [start, pending] : view.pending) {
      for (const ModelRow& row : pending.rows) bytes += sizeof(ModelRow) + row.series.size() + (row.past.size() + row.known.size()) * sizeof(float);
    }
    if (view.forecast) bytes += view.forecast->memory_bytes();
  }
  return bytes;
}

}  // namespace tidecast
