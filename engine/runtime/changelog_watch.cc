#include "engine/runtime/changelog_watch.h"

#include <algorithm>

namespace tidecast {
namespace {

constexpr size_t kRecordsPerRead = 256;
// A share of the time since the step before. Long rounds of a model write much and make long steps: looks that do not
// keep pace with them leave it all to the next restart to read.
constexpr int kShareOfTime = 16;
constexpr Duration kLong = std::chrono::milliseconds(100);
constexpr int kShareOfLong = 4;
constexpr Duration kStepLeast = std::chrono::milliseconds(2);
constexpr Duration kStepMost = std::chrono::milliseconds(250);
// Where steps are rare, what is being fetched is waited for: a reader's queue holds less than is written meanwhile.
constexpr Duration kWaitsFrom = std::chrono::milliseconds(10);
constexpr int kWaitMs = 2;
constexpr int kWaits = 32;
// A task that rests is looked at, too, so that its notes do not grow too old to go on from.
constexpr int kLooksALag = 16;

}  // namespace

Status ChangelogWatch::Start(const std::vector<TaskId>& streams) {
  Stop();
  for (const TaskId id : streams) {
    TC_ASSIGN_OR_RETURN(const std::optional<ChangelogHint> hint, ReadHint(store_, layout_.SourceOf(id)));
    if (!hint) continue;  // a stream that was not restored
    ChangelogFold::Options options{.stream = id, .tip = hint->tip, .keep_values = false};
    streams_.push_back(std::make_unique<Stream>(
        Stream{id, ChangelogFold(layout_, options), hint->offset, hint->noted, {}, false, {}, false, false}));
  }
  next_ = 0;
  next_look_ = clock_.Now() + interval;
  return Status::Ok();
}

Status ChangelogWatch::BeginLook() {
  for (size_t tried = 0; tried < streams_.size(); ++tried, next_ = (next_ + 1) % streams_.size()) {
    Stream& stream = *streams_[next_];
    TC_ASSIGN_OR_RETURN(expected_seq_, StoredSeq(store_, stream.id));
    const bool rests = expected_seq_ <= stream.fold.tip();
    if (rests && clock_.Now() - stream.noted < layout_.compaction_lag / kLooksALag) continue;
    // Opened after the seq was looked up: its commit record lies below the end that the reader takes now.
    TC_ASSIGN_OR_RETURN(reader_, transport_.OpenReader(layout_.SourceOf(stream.id), stream.position, true));
    batch_ = reader_->MakeBatch();
    may_be_thinned_ = clock_.Now() - stream.noted > layout_.compaction_lag / 2;
    return Status::Ok();
  }
  return Status::Ok();
}

void ChangelogWatch::Take(Stream& stream, const InputRecord& record) {
  using Found = ChangelogFold::Found;
  ChangelogFold& fold = stream.fold;
  const auto torn = [&](std::string why) {
    if (!stream.torn) stream.why = std::move(why);
    stream.torn = true;
  };
  switch (fold.Add(record)) {
    case Found::kNothing:
    case Found::kOtherFormat:  // of somebody who is not the owner any more: the restore would have refused it
      return;
    case Found::kGap:
    case Found::kFork:
      torn(fold.gap());
      break;
    case Found::kNewBase:  // our own repair: what was wrong before it no longer counts
      stream.torn = stream.told = false;
      if (fold.Add(record) != Found::kCommitted) torn(fold.gap());
      break;
    case Found::kCommitted:
      break;
  }
  // Somebody else's: the task is not ours any more, and we are about to hear of it; if it is, our next commit makes a
  // fork of it.
  stream.foreign = InstanceOf(fold.committed_by()) != layout_.instance;
  if (stream.foreign || stream.torn || stream.told) {
    stream.proven.reset();
  } else if (fold.first_waiting() < 0 && fold.tip() <= expected_seq_) {
    stream.proven = ChangelogHint{record.offset + 1, {}, fold.tip()};
  }
}

// What was read last may be an epoch of ours whose outcome we have not heard yet, or a part of one under way: nothing
// is noted that the store does not have.
Status ChangelogWatch::Note(Stream& stream) {
  if (!stream.proven) return Status::Ok();
  StateBatch notes;
  stream.proven->noted = stream.noted = clock_.Now();
  PutHint(layout_.SourceOf(stream.id), *stream.proven, notes);
  stream.proven.reset();
  return store_.Write(notes);
}

Result<std::optional<ChangelogWatch::Finding>> ChangelogWatch::EndLook(Stream& stream) {
  ++looks_;
  highest_seq_ = std::max(highest_seq_, stream.fold.highest_seq());
  if (!stream.torn && stream.fold.tip() < expected_seq_) {
    stream.torn = true;
    stream.why = fmt::format("seq {} was committed, the changelog ends with {}", expected_seq_, stream.fold.tip());
  }
  Finding finding{stream.id, stream.torn, stream.torn && may_be_thinned_, std::move(stream.why),
                  stream.fold.TakeOrphans()};
  stream.why.clear();
  stream.torn = false;
  // Nothing new at its end is news, too: it makes the note younger.
  TC_ASSIGN_OR_RETURN(const uint64_t stored, StoredSeq(store_, stream.id));
  const bool has_all = stream.fold.first_waiting() < 0 && stream.fold.tip() <= stored && !stream.foreign;
  if (has_all && !stream.told) stream.proven = ChangelogHint{stream.position, {}, stream.fold.tip()};
  if (!finding.torn && finding.orphans.empty()) TC_RETURN_IF_ERROR(Note(stream));
  if (stream.told) finding.torn = false;
  stream.told |= finding.torn;
  if (!finding.torn && finding.orphans.empty()) return std::optional<Finding>();
  return std::optional<Finding>(std::move(finding));
}

Result<std::optional<ChangelogWatch::Finding>> ChangelogWatch::Step() {
  if (streams_.empty()) return std::optional<Finding>();
  const ProcessingTime begun = clock_.Now();
  const Duration since = begun - stepped_;
  const Duration allowed = std::clamp(since / (since < kLong ? kShareOfTime : kShareOfLong), kStepLeast, kStepMost);
  stepped_ = begun;
  if (!reader_) {
    if (begun < next_look_) return std::optional<Finding>();
    next_look_ = begun + interval;
    TC_RETURN_IF_ERROR(BeginLook());
    if (!reader_) return std::optional<Finding>();
  }
  Stream& stream = *streams_[next_];
  PollResult polled;
  int waits_left = allowed < kWaitsFrom ? 0 : kWaits;
  do {
    batch_->Clear();
    TC_ASSIGN_OR_RETURN(polled, reader_->Read(*batch_, kRecordsPerRead, waits_left > 0 ? kWaitMs : 0));
    for (const InputRecord& record : batch_->records()) Take(stream, record);
    stream.position = std::max(stream.position, polled.next_offset);
    if (batch_->records().empty() && --waits_left < 0) break;
  } while (!polled.at_end && clock_.Now() - begun < allowed);
  if (stream.fold.orphan_rows() == 0) TC_RETURN_IF_ERROR(Note(stream));
  if (!polled.at_end) return std::optional<Finding>();
  batch_.reset();
  reader_.reset();
  next_ = (next_ + 1) % streams_.size();
  return EndLook(stream);
}

}  // namespace tidecast
