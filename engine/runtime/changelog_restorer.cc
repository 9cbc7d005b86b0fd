#include "engine/runtime/changelog_restorer.h"

#include <algorithm>

#include "engine/runtime/changelog_notes.h"

namespace tidecast {
namespace {

constexpr int64_t kBeginning = -2;
constexpr size_t kRecordsPerStep = 16384;
constexpr size_t kOpenAhead = 6;
// Clocks differ: what is older than half of the lag is taken for something that compaction may have touched.
constexpr int kLagShare = 2;

}  // namespace

std::vector<TaskId> StreamsOf(const ChangelogLayout& layout, const std::vector<uint16_t>& partitions) {
  std::vector<TaskId> streams;
  for (const Stage stage : {Stage::kSeries, Stage::kRollup, Stage::kActor}) {
    if (layout.TopicOf(stage)->empty()) continue;
    for (const uint16_t partition : partitions) streams.push_back({stage, partition});
  }
  streams.push_back({Stage::kInstance, 0});
  return streams;
}

void ChangelogRestorer::Start(const std::vector<uint16_t>& partitions) {
  streams_.clear();
  for (const TaskId id : StreamsOf(layout_, partitions)) {
    Stream& stream = streams_.emplace_back();
    stream.id = stream.finding.stream = id;
    stream.source = layout_.SourceOf(id);
  }
  next_stream_ = 0;
  findings_.clear();
  highest_seq_ = 0;
}

Status ChangelogRestorer::BeginAgain(Stream& stream, uint64_t base, std::string why) {
  StateBatch batch;
  DropStream(stream.id, batch);
  DeleteHint(stream.source, batch);
  PutDebt(stream.id, {}, batch);
  TC_RETURN_IF_ERROR(store_.Write(batch));
  stream.finding.dropped |= stream.local_seq > 0;
  if (stream.local_seq > 0) stream.finding.why = std::move(why);
  stream.reader.reset();
  stream.fold.reset();
  stream.base = base;
  stream.gap_is_open = false;
  stream.probing.clear();
  stream.finding.ahead = stream.finding.unproven = false;
  return Status::Ok();
}

Status ChangelogRestorer::Open(Stream& stream) {
  TC_ASSIGN_OR_RETURN(stream.local_seq, StoredSeq(store_, stream.id));
  TC_ASSIGN_OR_RETURN(const std::optional<ChangelogHint> hint, ReadHint(store_, stream.source));
  const ProcessingTime now = clock_.Now();
  const Duration patience = layout_.compaction_lag / kLagShare;
  int64_t from = kBeginning;
  if (!hint || hint->tip > stream.local_seq) {
    // A restore that did not come to its end, or a store of an older build.
    if (stream.local_seq > 0) TC_RETURN_IF_ERROR(BeginAgain(stream, stream.base, "how far it was read is not known"));
  } else {
    from = hint->offset;
    TC_ASSIGN_OR_RETURN(stream.reader, transport_.OpenReader(stream.source, from, true));
    if (now - hint->noted > patience || hint->noted - now > patience) {
      stream.probing = "it is older than what the changelog keeps unthinned";
    } else if (from < stream.reader->begin_offset()) {
      stream.probing = "its changelog begins after the place where it stood";
    }
  }
  const bool whole = from == kBeginning;
  if (whole) {
    TC_ASSIGN_OR_RETURN(stream.reader, transport_.OpenReader(stream.source, from, true));
    TC_ASSIGN_OR_RETURN(stream.local_seq, StoredSeq(store_, stream.id));
  } else {
    TC_ASSIGN_OR_RETURN(stream.base, StoredBase(store_, stream.id));
  }
  stream.batch = stream.reader->MakeBatch();
  stream.fold.emplace(layout_, ChangelogFold::Options{.stream = stream.id,
                                                      .tip = whole ? 0 : hint->tip,
                                                      .base = stream.base,
                                                      .whole = whole,
                                                      .thinned_before = EventTime{now.us - patience.count()},
                                                      .keep_values = stream.probing.empty()});
  return Status::Ok();
}

Status ChangelogRestorer::Apply(Stream& stream, ChangelogFold::Found found) {
  using Found = ChangelogFold::Found;
  if (found == Found::kNothing) return Status::Ok();
  if (found == Found::kOtherFormat) {
    return Status(Code::kVersion, fmt::format("a changelog has another format than this build's {}: {}[{}]",
                                              kChangelogFormat, stream.source.topic, stream.source.partition))
        .WithRemedy("run the build that wrote it, or begin anew by `tidecast state reset`");
  }
  ChangelogFold& fold = *stream.fold;
  if (found == Found::kNewBase) return BeginAgain(stream, fold.base(), "the task was written anew by its owner");
  const uint64_t seq = fold.committed_seq();
  const bool is_ours = InstanceOf(fold.committed_by()) == layout_.instance;
  if (seq <= stream.local_seq) {
    // Behind the noted place there can be nothing of others that we have.
    if (!is_ours) {
      return BeginAgain(stream, stream.base,
                        fmt::format("{} has committed seq {} without knowing ours up to {}", fold.committed_by(), seq,
                                    stream.local_seq));
    }
    if (found == Found::kCommitted) return Status::Ok();
    // What compaction may have thinned cannot be told from a gap: local state is whole either way.
    (stream.probing.empty() ? stream.finding.ahead : stream.finding.unproven) = true;
    stream.finding.why = fold.gap();
    return Status::Ok();
  }
  if (!stream.probing.empty()) return BeginAgain(stream, stream.base, stream.probing);
  // A torn seq of ours that somebody went on without. Forks within the log itself are none that beginning again mends.
  if (found != Found::kFork && fold.committed_on() < stream.local_seq) {
    return BeginAgain(stream, stream.base,
                      fmt::format("{} has built seq {} on {} without knowing ours up to {}", fold.committed_by(), seq,
                                  fold.committed_on(), stream.local_seq));
  }
  if (found == Found::kFork || (found == Found::kGap && fold.missing() > stream.local_seq)) {
    stream.gap_is_open = true;
    stream.finding.why = fold.gap();
  } else if (found == Found::kGap) {
    stream.finding.ahead = true;
    stream.finding.why = fold.gap();
  }
  if (stream.gap_is_open) return Status::Ok();
  rows_applied_ += static_cast<int64_t>(fold.committed_rows());
  stream.local_seq = seq;
  return store_.Write(fold.TakeCommitted());
}

Status ChangelogRestorer::Finish(Stream& stream) {
  ChangelogFold& fold = *stream.fold;
  fold.End();
  highest_seq_ = std::max({highest_seq_, fold.highest_seq(), stream.local_seq});
  Finding& finding = stream.finding;
  if (stream.gap_is_open) {
    finding.stopped = Status(Code::kCorruption,
                             fmt::format("a changelog has a gap: {}[{}]: {}", stream.source.topic,
                                         stream.source.partition, finding.why),
                             Domain::kExternal)
                          .WithRemedy("the task stops and its state is kept; restore a savepoint or reset its state");
  } else {
    finding.orphan_rows = fold.orphan_rows();
    orphan_rows_ += finding.orphan_rows;
    if (stream.local_seq > fold.tip()) {
      finding.ahead = true;
      finding.why = fmt::format("local state is at seq {}, the changelog ends with {}", stream.local_seq, fold.tip());
    }
    StateBatch notes;
    TC_ASSIGN_OR_RETURN(ChangelogDebt debt, ReadDebt(store_, stream.id));
    debt.snapshot |= finding.ahead || finding.unproven;
    for (ChangelogFold::Orphan& orphan : fold.TakeOrphans()) debt.orphans.insert(std::move(orphan));
    PutDebt(stream.id, debt, notes);
    PutHint(stream.source, {stream.reader->end_offset(), clock_.Now(), std::max(fold.tip(), stream.local_seq)}, notes);
    TC_RETURN_IF_ERROR(store_.Write(notes));
  }
  findings_.push_back(std::move(finding));
  ++work_done_;
  stream.batch.reset();
  stream.reader.reset();
  stream.fold.reset();
  return Status::Ok();
}

std::string ChangelogRestorer::place() const {
  if (next_stream_ == streams_.size()) return {};
  const Stream& stream = streams_[next_stream_];
  return fmt::format("{}[{}], read up to {}{}", stream.source.topic, stream.source.partition, stream.read_to,
                     stream.reader ? fmt::format(" of {}", stream.reader->end_offset()) : std::string());
}

Result<bool> ChangelogRestorer::Step(int wait_ms) {
  if (next_stream_ == streams_.size()) return true;
  // The next ones connect while this one is read: each takes some round trips to the brokers before its first record.
  const size_t ahead = std::min(streams_.size(), next_stream_ + kOpenAhead);
  for (size_t i = next_stream_; i < ahead; ++i) {
    if (!streams_[i].reader) TC_RETURN_IF_ERROR(Open(streams_[i]));
  }
  Stream& stream = streams_[next_stream_];
  stream.batch->Clear();
  TC_ASSIGN_OR_RETURN(const PollResult polled, stream.reader->Read(*stream.batch, kRecordsPerStep, wait_ms));
  work_done_ += static_cast<int64_t>(stream.batch->records().size());
  for (const InputRecord& record : stream.batch->records()) {
    TC_RETURN_IF_ERROR(Apply(stream, stream.fold->Add(record)));
    if (!stream.fold) return false;  // begins again
  }
  stream.read_to = polled.next_offset;
  if (!polled.at_end) return false;
  TC_RETURN_IF_ERROR(Finish(stream));
  return ++next_stream_ == streams_.size();
}

}  // namespace tidecast
