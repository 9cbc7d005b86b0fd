#include "engine/runtime/epoch_committer.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>

namespace tidecast {
namespace {

Outcome OutcomeOf(const Status& status) {
  if (status.code() == Code::kFenced) return Outcome::kFenced;
  return status.code() == Code::kFatal ? Outcome::kFatal : Outcome::kAbortable;
}

}  // namespace

void EpochCommitter::Begin() {
  next_output_ = next_packed_ = next_packed_row_ = next_row_ = next_commit_record_ = 0;
  commit_records_.clear();
  streams_in_cut_.clear();
  outputs_reported_ = false;
  outcome_ = Outcome::kOk;
  status_ = Status::Ok();
  store_failed_ = false;
  if (Status begun = transport_.Begin(); !begun.ok()) {
    const Outcome outcome = OutcomeOf(begun);
    Fail(outcome, std::move(begun));
  }
}

size_t EpochCommitter::rows_bytes() const {
  size_t bytes = 0;
  for (const PackedRecords& rows : cut_.rows) bytes += rows.bytes();
  return bytes;
}

size_t EpochCommitter::ahead_bytes() const { return state_ == State::kAhead ? rows_bytes() : 0; }

void EpochCommitter::SendAhead(PackedRecords rows) {
  TC_CHECK(ready());
  const bool is_first = state_ == State::kIdle;
  if (is_first) cut_ = {};
  cut_.rows.push_back(std::move(rows));
  if (is_first) {
    ahead_since_ = clock_.Now();
    state_ = State::kAhead;
    Begin();
  }
  if (state_ == State::kAhead) ProducePacked();
}

void EpochCommitter::Start(EpochCut cut) {
  TC_CHECK(state_ != State::kProducing && state_ != State::kCommitting && state_ != State::kCommitted);
  faults_.Reach(CommitStep::kCut);
  if (state_ != State::kIdle) {
    cut_.rows.insert(cut_.rows.end(), std::make_move_iterator(cut.rows.begin()),
                     std::make_move_iterator(cut.rows.end()));
    cut.rows = std::move(cut_.rows);
  }
  cut_ = std::move(cut);
  const State before = state_;
  if (before == State::kIdle || before == State::kAhead) state_ = State::kProducing;
  if (before == State::kIdle) Begin();
}

ChangelogRow EpochCommitter::RowOf(size_t index) const {
  const StateBatch::Row& row = cut_.state.rows()[index];
  return {.family = row.family,
          .key = row.key,
          .value = row.value,
          .is_delete = row.is_delete,
          .seq = cut_.seq,
          .ordinal = index,
          .writer = writer_,
          .is_commit = IsCommitRecordKey(row.family, row.key)};
}

Status EpochCommitter::MakeCommitRecords() {
  recorded_at_ = clock_.Now();
  const auto& rows = cut_.state.rows();
  // Count and hash of each stream's rows of this seq, in their order: a restore believes nothing less.
  std::map<TaskId, std::pair<uint64_t, uint64_t>> sums;
  for (const StateBatch::Row& row : rows) {
    if (IsCommitRecordKey(row.family, row.key)) continue;
    auto& [count, hash] = sums[StreamOf(row.key)];
    ++count;
    hash = FoldRowHash(hash, row.family, row.key, row.value, row.is_delete);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    ChangelogRow record = RowOf(i);
    if (!record.is_commit) continue;
    const TaskId stream = StreamOf(record.key);
    // The store stands at what was committed last.
    TC_ASSIGN_OR_RETURN(record.prev_seq, StoredSeq(store_, stream));
    if (const auto at = committed_at_.find(stream); at != committed_at_.end()) {
      const int64_t age_us = (recorded_at_ - at->second).count();  // below 0: the clock was set
      record.prev_age_us = age_us < 0 ? 0 : static_cast<uint64_t>(std::max<int64_t>(age_us, 1));
    }
    streams_in_cut_.push_back(stream);
    const auto new_base = cut_.bases.find(stream);
    if (new_base != cut_.bases.end()) {
      record.base = new_base->second;
    } else {
      TC_ASSIGN_OR_RETURN(record.base, StoredBase(store_, stream));
    }
    const auto sum = sums.find(stream);
    if (sum != sums.end()) std::tie(record.rows, record.hash) = sum->second;
    TC_CHECK(record.prev_seq < cut_.seq, "a seq is used again: {} after {}", cut_.seq, record.prev_seq);
    commit_records_.push_back(MakeChangelogRecord(layout_, record));
    sums.erase(stream);
  }
  TC_CHECK(sums.empty(), "rows of a cut have no commit record");
  return Status::Ok();
}

bool EpochCommitter::Produced(Status status) {
  if (status.ok()) return true;
  if (status.code() != Code::kWouldBlock) {
    const Outcome outcome = OutcomeOf(status);
    Fail(outcome, std::move(status));
  }
  return false;
}

bool EpochCommitter::ProducePacked() {
  for (; next_packed_ < cut_.rows.size(); ++next_packed_, next_packed_row_ = 0) {
    if (!Produced(transport_.ProduceMany(cut_.rows[next_packed_], &next_packed_row_))) return false;
    spent_.push_back(std::move(cut_.rows[next_packed_]));
  }
  return true;
}

bool EpochCommitter::ProduceMore() {
  const auto produce = [&](const OutputRecord& record) { return Produced(transport_.Produce(record)); };
  for (; next_output_ < cut_.outputs.size(); ++next_output_) {
    if (!produce(cut_.outputs[next_output_])) return false;
  }
  if (!ProducePacked()) return false;
  if (!outputs_reported_) {
    outputs_reported_ = true;
    faults_.Reach(CommitStep::kOutputsProduced);
  }
  if (!transport_.needs_changelog()) return true;
  const size_t rows = cut_.state.rows().size();
  for (; next_row_ < rows; ++next_row_) {
    const ChangelogRow row = RowOf(next_row_);
    if (!row.is_commit && !produce(MakeChangelogRecord(layout_, row))) return false;
  }
  if (commit_records_.empty() && rows > 0) {
    if (Status made = MakeCommitRecords(); !made.ok()) {
      store_failed_ = true;
      Fail(Outcome::kAbortable, std::move(made));
      return false;
    }
  }
  for (; next_commit_record_ < commit_records_.size(); ++next_commit_record_) {
    if (!produce(commit_records_[next_commit_record_])) return false;
  }
  return true;
}

void EpochCommitter::Step() {
  if (state_ == State::kAhead) ProducePacked();
  if (state_ != State::kProducing || !ProduceMore()) return;
  faults_.Reach(CommitStep::kChangelogProduced);
  if (Status sent = transport_.SendOffsets(cut_.positions); !sent.ok()) {
    const Outcome outcome = OutcomeOf(sent);
    return Fail(outcome, std::move(sent));
  }
  faults_.Reach(CommitStep::kOffsetsSent);
  state_ = State::kCommitting;
  transport_.Commit(std::move(cut_.state));  // still ours unless the transport writes it
}

void EpochCommitter::OnTransaction(const TransportEvent& event) {
  if (state_ == State::kAborting) {
    // An abort that cannot be brought to its end leaves a client that is of no more use.
    if (event.outcome == Outcome::kFatal || event.outcome == Outcome::kFenced || event.outcome == Outcome::kUnknown)
      outcome_ = event.outcome;
    state_ = State::kFailed;
    return;
  }
  if ((state_ == State::kAhead || state_ == State::kProducing) && event.outcome != Outcome::kOk)
    return Fail(event.outcome, event.status);
  TC_CHECK(state_ == State::kCommitting, "a transaction ended that nobody had ended");
  if (event.outcome != Outcome::kOk) return Fail(event.outcome, event.status);
  faults_.Reach(CommitStep::kCommitted);
  if (!event.state_written) {
    if (Status written = store_.Write(cut_.state); !written.ok()) {
      store_failed_ = true;
      outcome_ = Outcome::kFatal;
      status_ = std::move(written).In("the epoch is committed, but its state could not be written to the local store");
      state_ = State::kFailed;
      return;
    }
  }
  for (const TaskId stream : streams_in_cut_) committed_at_[stream] = recorded_at_;
  faults_.Reach(CommitStep::kStateWritten);
  state_ = State::kCommitted;
}

void EpochCommitter::Fail(Outcome outcome, Status status) {
  outcome_ = outcome;
  status_ = std::move(status);
  if (outcome == Outcome::kAbortable) {
    state_ = State::kAborting;
    transport_.Abort();
    return;
  }
  state_ = State::kFailed;
}

void EpochCommitter::Abort() {
  if (state_ == State::kAhead || state_ == State::kProducing)
    Fail(Outcome::kAbortable, Status(Code::kAborted, "the epoch was given up"));
}

EpochCut EpochCommitter::Take() {
  TC_CHECK(state_ == State::kCommitted || state_ == State::kFailed);
  state_ = State::kIdle;
  return std::move(cut_);
}

}  // namespace tidecast
