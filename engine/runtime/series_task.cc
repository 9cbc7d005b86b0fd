#include "engine/runtime/series_task.h"

#include <algorithm>

#include "engine/runtime/rekey_records.h"
#include "engine/runtime/stored_task.h"
#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr size_t kRowsPerWalk = 4096;

}  // namespace

EventCounts& EventCounts::operator+=(const EventCounts& other) {
  events_read += other.events_read;
  events_accepted += other.events_accepted;
  returns += other.returns;
  late_revised += other.late_revised;
  too_late += other.too_late;
  dead_lettered += other.dead_lettered;
  duplicates += other.duplicates;
  return *this;
}

Result<std::unique_ptr<SeriesTask>> SeriesTask::Make(uint16_t partition, const TaskPlan& plan, std::span<const Input> inputs) {
  std::unique_ptr<SeriesTask> task(new SeriesTask(partition, plan));
  std::vector<WatermarkTracker::Source> watermark_sources;
  for (const Input& input : inputs) {
    const InputOptions& options = plan.options.inputs[input.index];
    Source source;
    source.input = input.index;
    source.tp = {options.topic, partition};
    source.partitions = input.partitions;
    source.is_clock = IsClock(options.kind) && !options.unfed;
    TC_ASSIGN_OR_RETURN(source.decoder, EventDecoder::Make(options, input.index, plan.options.pseudonym_key));
    task->sources_.push_back(std::move(source));
    watermark_sources.push_back({options.watermark, task->sources_.back().is_clock});
  }
  task->watermarks_ = std::make_unique<WatermarkTracker>(std::move(watermark_sources));
  TC_ASSIGN_OR_RETURN(task->windows_, WindowAggregator::Make(plan.WindowsOf(Stage::kSeries)));
  return task;
}

Status SeriesTask::Reload(const StateStore& store) {
  state_.emplace(store, id());
  for (Source& source : sources_) {
    if (source.batch) source.batch->Clear();
    source.records = {};
    source.events.Clear();
    source.next_event = source.next_dead = source.next_record = 0;
    source.loaded = source.at_end = source.ended = false;
    source.position = source.next_offset = -2;
  }
  rows_.Clear();
  counts_ = {};
  rejects_ = {};
  stored_seq_ = 0;
  waiting_ = false;
  dirty_ = false;
  saved_watermark_ = EventTime::Min();
  std::vector<WatermarkTracker::Source> watermark_sources;
  for (const Source& source : sources_) watermark_sources.push_back({plan_.options.inputs[source.input].watermark, source.is_clock});
  watermarks_ = std::make_unique<WatermarkTracker>(std::move(watermark_sources));
  TC_RETURN_IF_ERROR(windows_->Reload(*state_));
  dirty_bytes_ = windows_->dirty_bytes();

  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, state_->Get(Family::kMeta, kCommitRecordKey, &value));
  if (!found) return Status::Ok();
  ByteReader bytes(value);
  TC_ASSIGN_OR_RETURN(const StoredTask stored, ReadCommitRecordHead(id(), bytes));
  stored_seq_ = stored.seq;
  for (const Position& position : stored.positions) {
    for (Source& source : sources_) {
      if (source.tp == position.source) source.position = source.next_offset = position.next_offset;
    }
  }
  const std::string watermarks(bytes.Bytes());
  for (int64_t* counter : {&counts_.events_read, &counts_.events_accepted, &counts_.returns, &counts_.late_revised, &counts_.too_late,
                           &counts_.dead_lettered, &counts_.duplicates}) {
    *counter = bytes.I64();
  }
  for (int64_t& reject : rejects_) reject = static_cast<int64_t>(bytes.Varint());
  TC_RETURN_IF_ERROR(bytes.Finish("commit record"));
  TC_RETURN_IF_ERROR(watermarks_->Decode(watermarks));
  saved_watermark_ = watermark();
  return Status::Ok();
}

void SeriesTask::Save(Epoch epoch, uint64_t seq, StateBatch& out) {
  TaskDeltaSink sink(out, id());
  windows_->Save(epoch, sink);
  dirty_bytes_ = windows_->dirty_bytes();
  ByteWriter value;
  value.U8(kCommitRecordVersion).U64(seq).Varint(sources_.size());
  for (const Source& source : sources_) value.Bytes(source.tp.topic).I64(source.position);
  std::string watermarks;
  watermarks_->Encode(&watermarks);
  value.Bytes(watermarks);
  for (const int64_t counter : {counts_.events_read, counts_.events_accepted, counts_.returns, counts_.late_revised, counts_.too_late,
                                counts_.dead_lettered, counts_.duplicates}) {
    value.I64(counter);
  }
  for (const int64_t reject : rejects_) value.Varint(static_cast<uint64_t>(reject));
  sink.Put(Family::kMeta, kCommitRecordKey, value.view());
  stored_seq_ = seq;
  dirty_ = false;
  saved_watermark_ = watermark();
}

Position SeriesTask::position(size_t source) const { return {sources_[source].tp, sources_[source].position}; }

bool SeriesTask::WantsRecords(size_t source) const { return !sources_[source].loaded && !sources_[source].ended; }

RecordBatch& SeriesTask::PrepareBatch(size_t source, LogTransport& transport) {
  Source& s = sources_[source];
  if (!s.batch) {
    s.batch = transport.MakeBatch();
    if (!s.decoder->reads_headers()) s.batch->LeaveOutHeaders();
  }
  s.batch->Clear();
  s.records = {};
  s.events.Clear();
  s.next_event = s.next_dead = s.next_record = 0;
  return *s.batch;
}

void SeriesTask::OnPolled(size_t source, const PollResult& result, ProcessingTime now) {
  Source& s = sources_[source];
  s.records = s.batch->records();
  const bool got = !s.records.empty();
  s.loaded = got;
  s.at_end = result.at_end;
  s.next_offset = result.next_offset;
  if (!got) s.position = std::max(s.position, result.next_offset);
  if (s.end_offset >= 0 && s.position >= s.end_offset && !got) {
    s.ended = true;
    watermarks_->OnEnd(source);
  }
  watermarks_->OnPoll(source, got, result.at_end, result.blocked, now);
}

void SeriesTask::SetEnd(size_t source, int64_t end_offset) {
  Source& s = sources_[source];
  s.end_offset = end_offset;
  if (!s.loaded && (s.position >= end_offset || end_offset == 0)) {
    s.ended = true;
    watermarks_->OnEnd(source);
  }
}

bool SeriesTask::ended() const {
  return std::all_of(sources_.begin(), sources_.end(), [](const Source& s) { return s.ended; });
}

bool SeriesTask::drained() const {
  return !waiting_ && !closing_is_due() && !windows_->has_revisions() &&
         std::all_of(sources_.begin(), sources_.end(), [](const Source& s) { return !s.loaded && (s.at_end || s.ended); });
}

bool SeriesTask::idle() const {
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].is_clock && !watermarks_->idle(i)) return false;
  }
  return true;
}

EventTime SeriesTask::closed_up_to() const {
  const EventTime w = watermark();
  return closing_is_due() ? EventTime{windows_->next_close().us - 1} : w;
}

int SeriesTask::PickSource() const {
  int best = -1;
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = sources_[i];
    if (source.loaded && source.next_event < source.events.events.size()) {
      const EventTime head = source.events.events[source.next_event].time;
      if (best < 0 || head < sources_[static_cast<size_t>(best)].events.events[sources_[static_cast<size_t>(best)].next_event].time) {
        best = static_cast<int>(i);
      }
    } else if (!source.ended && !source.at_end && !watermarks_->idle(i)) {
      return -1;  // its next event may be earlier than all heads: poll it first
    }
  }
  return best;
}

EventTime SeriesTask::HeadOfOthers(size_t index) const {
  EventTime least = EventTime::Max();
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = sources_[i];
    if (i == index || !source.loaded || source.next_event == source.events.events.size()) continue;
    least = std::min(least, source.events.events[source.next_event].time);
  }
  return least;
}

void SeriesTask::UseRecordsBefore(Source& source, int64_t offset, TaskStepOutput& out) {
  const auto records = source.records;
  while (source.next_record < records.size() && records[source.next_record].offset < offset) {
    ++source.next_record;
    ++counts_.events_read;
  }
  while (source.next_dead < source.events.dead_letters.size() && source.events.dead_letters[source.next_dead].offset < offset) {
    const DeadLetter& letter = source.events.dead_letters[source.next_dead++];
    ++counts_.dead_lettered;
    ++rejects_[static_cast<size_t>(letter.reason)];
    OutputRecord record = plan_.encoder->Dead(letter);
    out.bytes += record.Bytes();
    if (plan_.collect) out.dead.push_back(record);
    if (plan_.publish) out.records.push_back(std::move(record));
  }
  source.position = std::max(source.position, offset);
}

void SeriesTask::FinishBatch(size_t index, TaskStepOutput& out) {
  Source& source = sources_[index];
  UseRecordsBefore(source, source.next_offset, out);
  source.position = source.next_offset;
  source.loaded = false;
  out.progressed = true;
  if (source.end_offset >= 0 && source.position >= source.end_offset) {
    source.ended = true;
    watermarks_->OnEnd(index);
  }
}

void SeriesTask::UseEvent(size_t index, TaskStepOutput& out) {
  Source& source = sources_[index];
  out.progressed = true;
  const Event& event = source.events.events[source.next_event++];
  UseRecordsBefore(source, event.offset + 1, out);
  const EventTime judged_by = watermarks_->OnEvent(index, event.time);
  const Verdict verdict = windows_->OnEvent(event, judged_by);
  switch (verdict) {
    case Verdict::kAccepted:
    case Verdict::kLate:
      ++counts_.events_accepted;
      counts_.late_revised += verdict == Verdict::kLate;
      counts_.returns += event.kind == InputKind::kOrders && event.Number(NumberField::kQuantity).micros < 0;
      if (windows_->forwards() != 0) [[unlikely]]
        Forward(event, judged_by, source.tp, out);
      break;
    case Verdict::kDuplicate:
      ++counts_.duplicates;
      break;
    case Verdict::kTooLate: {
      ++counts_.too_late;
      OutputRecord record =
          plan_.encoder->Late(source.tp.topic, source.tp.partition, source.records[event.record], event.time, judged_by);
      out.bytes += record.Bytes();
      if (plan_.collect) out.late.push_back(record);
      if (plan_.publish) out.records.push_back(std::move(record));
      break;
    }
    case Verdict::kOverflow: {
      const InputRecord& raw = source.records[event.record];
      DeadLetter letter{source.tp.topic, source.tp.partition, raw.offset, raw.record_time, RejectReason::kOverflow,
                        fmt::format("a sum of series {} passes the range of a 64-bit decimal", event.key), std::string(raw.key),
                        std::string(raw.value)};
      ++counts_.dead_lettered;
      ++rejects_[static_cast<size_t>(RejectReason::kOverflow)];
      OutputRecord record = plan_.encoder->Dead(letter);
      out.bytes += record.Bytes();
      if (plan_.collect) out.dead.push_back(record);
      if (plan_.publish) out.records.push_back(std::move(record));
      break;
    }
  }
}

void SeriesTask::Forward(const Event& event, EventTime judged_by, const TopicPartition& source, TaskStepOutput& out) {
  OutputRecord record = ForwardedEventRecord(plan_.RekeyTopic(Stage::kActor), event, judged_by, source);
  out.bytes += record.Bytes();
  out.records.push_back(std::move(record));
  ++out.rekeyed;
}

void SeriesTask::Process(const ActivityBoard& activity, size_t bytes_max, TaskStepOutput& out) {
  RowSink sink(id(), plan_, rows_, out);
  Run(activity, bytes_max, sink, out);
  out.progressed |= sink.calls() > 0;
  dirty_ |= out.progressed;
  if (out.progressed) dirty_bytes_ = windows_->dirty_bytes();
}

void SeriesTask::Run(const ActivityBoard& activity, size_t bytes_max, RowSink& sink, TaskStepOutput& out) {
  for (size_t i = 0; i < sources_.size(); ++i) {
    Source& source = sources_[i];
    if (!source.loaded || source.next_record != 0 || !source.events.events.empty() || !source.events.dead_letters.empty()) continue;
    source.events.records = 0;
    auto records = source.records;
    if (source.end_offset >= 0) {
      size_t keep = records.size();
      while (keep > 0 && records[keep - 1].offset >= source.end_offset) --keep;
      records = records.first(keep);
      if (keep < source.records.size()) source.next_offset = source.end_offset;
    }
    source.decoder->Decode(records, source.tp, source.partitions, 0, source.events);
    if (source.events.events.empty()) FinishBatch(i, out);
  }
  for (;;) {
    if (closing_is_due()) {
      const int64_t before = sink.calls();
      waiting_ = !windows_->OnWatermark(watermarks_->task_watermark(), activity, sink, kRowsPerWalk);
      if (waiting_ && sink.calls() == before) return;  // the calendar waits for what the other tasks have seen
      if (out.bytes >= bytes_max) return;
      continue;
    }
    waiting_ = false;
    const int pick = PickSource();
    if (pick < 0) break;
    const size_t index = static_cast<size_t>(pick);
    Source& source = sources_[index];
    // While its events come before those of all others, no other source needs to be looked at.
    const EventTime others = HeadOfOthers(index);
    do {
      UseEvent(index, out);
      if (source.next_event == source.events.events.size()) {
        FinishBatch(index, out);
        break;
      }
    } while (source.events.events[source.next_event].time < others && out.bytes < bytes_max && !closing_is_due());
    if (out.bytes >= bytes_max) return;
  }
  if (windows_->has_revisions()) windows_->OnWatermark(watermarks_->task_watermark(), activity, sink, kRowsPerWalk);
}

}  // namespace tidecast
