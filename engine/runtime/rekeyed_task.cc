#include "engine/runtime/rekeyed_task.h"

#include <algorithm>

#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kRecordVersion = 2;
constexpr std::string_view kRecordKey = "commit";
constexpr size_t kRowsPerWalk = 4096;

}  // namespace

RekeyedTask::RekeyedTask(TaskId id, const TaskPlan& plan, int32_t upstream_tasks)
    : id_(id),
      plan_(plan),
      source_{plan.RekeyTopic(id.stage), id.partition},
      upstream_ended_(static_cast<size_t>(upstream_tasks)),
      told_(static_cast<size_t>(upstream_tasks), EventTime::Min()) {}

Result<std::unique_ptr<RekeyedTask>> RekeyedTask::Make(Stage stage, uint16_t partition, const TaskPlan& plan,
                                                       int32_t upstream_tasks) {
  std::unique_ptr<RekeyedTask> task(new RekeyedTask({stage, partition}, plan, upstream_tasks));
  task->MakeWatermarks();
  TC_ASSIGN_OR_RETURN(task->windows_, WindowAggregator::Make(plan.WindowsOf(stage)));
  return task;
}

void RekeyedTask::MakeWatermarks() {
  watermarks_ = std::make_unique<WatermarkTracker>(std::vector<WatermarkTracker::Source>(upstream_ended_.size()));
}

Status RekeyedTask::Reload(const StateStore& store) {
  state_.emplace(store, id_);
  if (batch_) batch_->Clear();
  next_record_ = 0;
  rows_.Clear();
  loaded_ = at_end_ = bounded_ = waiting_ = dirty_ = false;
  position_ = next_offset_ = -2;
  counts_ = {};
  rejects_ = {};
  stored_seq_ = 0;
  upstream_ended_.assign(upstream_ended_.size(), false);
  told_.assign(told_.size(), EventTime::Min());
  forwarded_.clear();
  newest_event_ = EventTime::Min();
  MakeWatermarks();
  TC_RETURN_IF_ERROR(windows_->Reload(*state_));
  TC_RETURN_IF_ERROR(bottom_up_.Reload(*state_));
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, state_->Get(Family::kMeta, kRecordKey, &value));
  return found ? ReadRecord(value) : Status::Ok();
}

Status RekeyedTask::ReadRecord(std::string_view value) {
  ByteReader bytes(value);
  const uint8_t version = bytes.U8();
  if (version == 0 || version > kRecordVersion) {
    return Status(Code::kVersion, fmt::format("a commit record of stage {} has format {}, this build reads up to {}",
                                              static_cast<int>(id_.stage), version, kRecordVersion));
  }
  stored_seq_ = bytes.U64();
  position_ = next_offset_ = bytes.I64();
  const std::string watermarks(bytes.Bytes());
  const size_t ended = bytes.Count();
  if (ended != upstream_ended_.size()) {
    return Status(Code::kCorruption,
                  fmt::format("a commit record is of {} upstream tasks, there are {}", ended, upstream_ended_.size()));
  }
  for (size_t i = 0; i < ended; ++i) upstream_ended_[i] = bytes.Bool();
  newest_event_ = bytes.Time();
  for (int64_t* counter : {&counts_.events_read, &counts_.events_accepted, &counts_.late_revised, &counts_.too_late,
                           &counts_.dead_lettered, &counts_.duplicates}) {
    *counter = bytes.I64();
  }
  for (int64_t& reject : rejects_) reject = static_cast<int64_t>(bytes.Varint());
  if (version >= 2) {
    for (EventTime& told : told_) told = bytes.Time();
    forwarded_.resize(bytes.Count(2));
    for (ForwardedFrom& from : forwarded_) {
      from.topic = bytes.Bytes();
      from.next_offsets.resize(bytes.Count());
      for (int64_t& next : from.next_offsets) next = static_cast<int64_t>(bytes.Varint());
    }
  }
  TC_RETURN_IF_ERROR(bytes.Finish("commit record"));
  return watermarks_->Decode(watermarks);
}

void RekeyedTask::Save(Epoch epoch, uint64_t seq, StateBatch& out) {
  TaskDeltaSink sink(out, id_);
  windows_->Save(epoch, sink);
  bottom_up_.Save(sink);
  std::string watermarks;
  watermarks_->Encode(&watermarks);
  ByteWriter value;
  value.U8(kRecordVersion).U64(seq).I64(position_).Bytes(watermarks).Varint(upstream_ended_.size());
  for (const bool ended : upstream_ended_) value.Bool(ended);
  value.Time(newest_event_);
  for (const int64_t counter : {counts_.events_read, counts_.events_accepted, counts_.late_revised, counts_.too_late,
                                counts_.dead_lettered, counts_.duplicates}) {
    value.I64(counter);
  }
  for (const int64_t reject : rejects_) value.Varint(static_cast<uint64_t>(reject));
  for (const EventTime told : told_) value.Time(told);
  value.Varint(forwarded_.size());
  for (const ForwardedFrom& from : forwarded_) {
    value.Bytes(from.topic).Varint(from.next_offsets.size());
    for (const int64_t next : from.next_offsets) value.Varint(static_cast<uint64_t>(next));
  }
  sink.Put(Family::kMeta, kRecordKey, value.view());
  stored_seq_ = seq;
  dirty_ = false;
}

RecordBatch& RekeyedTask::PrepareBatch(size_t, LogTransport& transport) {
  if (!batch_) batch_ = transport.MakeBatch();
  batch_->Clear();
  next_record_ = 0;
  return *batch_;
}

void RekeyedTask::OnPolled(size_t, const PollResult& result, ProcessingTime) {
  loaded_ = !batch_->records().empty();
  at_end_ = result.at_end;
  next_offset_ = result.next_offset;
  if (!loaded_) position_ = std::max(position_, result.next_offset);
}

void RekeyedTask::SetEnd(size_t, int64_t) {
  bounded_ = true;
  for (size_t u = 0; u < upstream_ended_.size(); ++u) {
    if (upstream_ended_[u]) watermarks_->OnEnd(u);
  }
  ExtendAtEnd();
}

// The last day is closed here though none of our keys had anything on it.
void RekeyedTask::ExtendAtEnd() {
  if (ended() && newest_event_.IsFinite()) windows_->ExtendTo(newest_event_);
}

bool RekeyedTask::ended() const {
  return bounded_ && std::all_of(upstream_ended_.begin(), upstream_ended_.end(), [](bool ended) { return ended; });
}

bool RekeyedTask::drained() const {
  return !waiting_ && !closing_is_due() && !windows_->has_revisions() && !loaded_ && at_end_;
}

bool RekeyedTask::idle() const {
  for (size_t u = 0; u < upstream_ended_.size(); ++u) {
    if (!watermarks_->idle(u)) return false;
  }
  return true;
}

EventTime RekeyedTask::closed_up_to() const {
  return closing_is_due() ? EventTime{windows_->next_close().us - 1} : watermark();
}

void RekeyedTask::Hear(const UpstreamWatermark& told) {
  if (told.upstream >= upstream_ended_.size()) return;
  upstream_ended_[told.upstream] = told.watermark == EventTime::Max();
  newest_event_ = std::max(newest_event_, told.newest_event);
  if (told.watermark != EventTime::Max()) {
    told_[told.upstream] = std::max(told_[told.upstream], told.watermark);
    watermarks_->OnCarried(told.upstream, told.watermark, told.idle);
  } else if (bounded_) {
    watermarks_->OnEnd(told.upstream);
    ExtendAtEnd();
  }
}

void RekeyedTask::SetAside(const InputRecord& record, RejectReason reason, const std::string& why,
                           TaskStepOutput& out) {
  ++counts_.dead_lettered;
  ++rejects_[static_cast<size_t>(reason)];
  OutputRecord dead = plan_.encoder->Dead({source_.topic, source_.partition, record.offset, record.record_time, reason,
                                           why, std::string(record.key), std::string(record.value)});
  out.bytes += dead.Bytes();
  if (plan_.collect) out.dead.push_back(dead);
  if (plan_.publish) out.records.push_back(std::move(dead));
}

int64_t& RekeyedTask::NextOf(const RekeyRecord& event) {
  auto from = std::find_if(forwarded_.begin(), forwarded_.end(),
                           [&](const ForwardedFrom& one) { return one.topic == event.source_topic; });
  if (from == forwarded_.end()) from = forwarded_.insert(from, {std::string(event.source_topic), {}});
  if (from->next_offsets.size() <= event.source_partition) from->next_offsets.resize(event.source_partition + 1U);
  return from->next_offsets[event.source_partition];
}

Verdict RekeyedTask::Take(const RekeyRecord& record) {
  int64_t& next = NextOf(record);
  if (record.event.offset < next) return Verdict::kDuplicate;
  next = record.event.offset + 1;
  // An upstream task that comes back from idle may have been passed; else its own word is never behind ours.
  return windows_->OnEvent(record.event, std::max(record.judged_by, watermarks_->newest_finite_watermark()));
}

Result<Verdict> RekeyedTask::Take(const Contribution& contribution) {
  TC_ASSIGN_OR_RETURN(const Verdict verdict,
                      windows_->OnContribution(contribution, watermarks_->newest_finite_watermark()));
  if (verdict != Verdict::kTooLate || contribution.upstream >= told_.size()) return verdict;
  // What its own task has told to be over has come before: the task was set back. Else others have passed it.
  const Duration lateness = plan_.options.views[contribution.view].allowed_lateness;
  return contribution.end + lateness <= told_[contribution.upstream] ? Verdict::kDuplicate : Verdict::kTooLate;
}

void RekeyedTask::Use(const InputRecord& record, TaskStepOutput& out) {
  if (const Status parsed = ParseRekeyRecord(record, &parsed_); !parsed.ok()) {
    return SetAside(record, RejectReason::kUndecodable, std::string(parsed.message()), out);
  }
  if (parsed_.kind == RekeyKind::kWatermarks) {
    for (const UpstreamWatermark& told : parsed_.watermarks) Hear(told);
    return;
  }
  if (parsed_.kind == RekeyKind::kBottomUp) {
    const bool is_ours =
        parsed_.bottom_up.view < plan_.views.size() && plan_.views[parsed_.bottom_up.view].bottom_up_from;
    if (is_ours) bottom_up_.Put(parsed_.bottom_up, watermark());  // else of a view that is forecast no more
    return;
  }
  ++counts_.events_read;
  Verdict verdict = Verdict::kAccepted;
  EventTime time = parsed_.event.time;
  if (parsed_.kind == RekeyKind::kEvent) {
    if (parsed_.event.input >= plan_.options.inputs.size() || !IsClock(parsed_.event.kind) || !time.IsFinite() ||
        parsed_.source_topic != plan_.options.inputs[parsed_.event.input].topic ||
        parsed_.source_partition >= told_.size()) {
      return SetAside(record, RejectReason::kUndecodable, "an event of an input that is not there", out);
    }
    verdict = Take(parsed_);
  } else {
    time = parsed_.contribution.start;
    const Result<Verdict> taken = Take(parsed_.contribution);
    if (!taken.ok()) return SetAside(record, RejectReason::kUndecodable, std::string(taken.status().message()), out);
    verdict = *taken;
  }
  switch (verdict) {
    case Verdict::kAccepted:
    case Verdict::kLate:
      ++counts_.events_accepted;
      counts_.late_revised += verdict == Verdict::kLate;
      break;
    case Verdict::kDuplicate:
      ++counts_.duplicates;
      break;
    case Verdict::kTooLate: {
      ++counts_.too_late;
      OutputRecord late = plan_.encoder->Late(source_.topic, source_.partition, record, time, watermark());
      out.bytes += late.Bytes();
      if (plan_.collect) out.late.push_back(late);
      if (plan_.publish) out.records.push_back(std::move(late));
      break;
    }
    case Verdict::kOverflow:
      return SetAside(record, RejectReason::kOverflow, "a sum passes the range of a 64-bit decimal", out);
  }
}

void RekeyedTask::Process(const ActivityBoard& activity, size_t bytes_max, TaskStepOutput& out) {
  RowSink sink(id_, plan_, rows_, out, &bottom_up_);
  const EventTime watermark_before = watermark();
  Run(activity, bytes_max, sink, out);
  out.progressed |= sink.calls() > 0;
  dirty_ |= out.progressed || watermark() != watermark_before;
}

void RekeyedTask::Run(const ActivityBoard& activity, size_t bytes_max, RowSink& sink, TaskStepOutput& out) {
  for (;;) {
    if (closing_is_due()) {
      const int64_t before = sink.calls();
      waiting_ = !windows_->OnWatermark(watermark(), activity, sink, kRowsPerWalk);
      if (waiting_ && sink.calls() == before) return;
      if (out.bytes >= bytes_max) return;
      continue;
    }
    waiting_ = false;
    if (!loaded_) break;
    out.progressed = true;
    if (next_record_ == batch_->records().size()) {
      position_ = next_offset_;
      loaded_ = false;
      break;
    }
    const InputRecord& record = batch_->records()[next_record_++];
    Use(record, out);
    position_ = record.offset + 1;
    if (out.bytes >= bytes_max) return;
  }
  if (windows_->has_revisions()) windows_->OnWatermark(watermark(), activity, sink, kRowsPerWalk);
}

}  // namespace tidecast
