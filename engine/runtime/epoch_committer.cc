#include "engine/runtime/epoch_committer.h"

#include <cstring>
#include <map>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr size_t kPrefixBytes = 3;
constexpr std::string_view kCommitKey = "commit";

// Rows of one changelog partition's commit record: a keyed task's own, or all of the instance's and the model's.
std::string StreamOf(std::string_view key) {
  return IsKeyed(static_cast<Stage>(key[0])) ? std::string(key.substr(0, kPrefixBytes)) : std::string();
}

Outcome OutcomeOf(const Status& status) {
  if (status.code() == Code::kFenced) return Outcome::kFenced;
  return status.code() == Code::kFatal ? Outcome::kFatal : Outcome::kAbortable;
}

std::string NumberText(uint64_t n) { return fmt::format("{}", n); }

bool ReadNumber(std::string_view text, uint64_t* n) {
  *n = 0;
  if (text.empty()) return false;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    *n = *n * 10 + static_cast<uint64_t>(c - '0');
  }
  return true;
}

}  // namespace

const std::string* ChangelogLayout::TopicOf(Stage stage) const {
  switch (stage) {
    case Stage::kSeries:
      return &series_topic;
    case Stage::kRollup:
      return &rollup_topic;
    case Stage::kActor:
      return &actor_topic;
    default:
      return nullptr;
  }
}

bool IsCommitRecordKey(Family family, std::string_view key) {
  return family == Family::kMeta && key.size() == kPrefixBytes + kCommitKey.size() && key.substr(kPrefixBytes) == kCommitKey;
}

uint64_t FoldRowHash(uint64_t hash, Family family, std::string_view key, std::string_view value, bool is_delete) {
  hash = Hash64(key, hash ^ static_cast<uint64_t>(family) ^ (is_delete ? 0x80 : 0));
  return Hash64(value, hash);
}

bool ParseChangelogRow(const InputRecord& record, ChangelogRow* row) {
  if (record.key.size() < 1 + kPrefixBytes) return false;
  const auto family = static_cast<uint8_t>(record.key[0]);
  if (family >= kFamilies) return false;
  row->family = static_cast<Family>(family);
  row->key = record.key.substr(1);
  row->is_commit = IsCommitRecordKey(row->family, row->key);
  bool has_seq = false;
  for (const HeaderView& header : record.headers) {
    if (header.name == "seq") has_seq = ReadNumber(header.value, &row->seq);
    if (header.name == "rows" && !ReadNumber(header.value, &row->rows)) return false;
    if (header.name == "hash" && !ReadNumber(header.value, &row->hash)) return false;
  }
  return has_seq;
}

void EpochCommitter::Start(EpochCut cut) {
  TC_CHECK(state_ == State::kIdle);
  cut_ = std::move(cut);
  next_output_ = next_row_ = next_commit_row_ = 0;
  commit_rows_.clear();
  outputs_reported_ = false;
  outcome_ = Outcome::kOk;
  status_ = Status::Ok();
  faults_.Reach(CommitStep::kCut);
  const Status begun = transport_.Begin();
  state_ = State::kProducing;
  if (!begun.ok()) Fail(OutcomeOf(begun), begun);
}

OutputRecord EpochCommitter::ChangelogRecord(const StateBatch::Row& row, uint64_t ordinal) const {
  OutputRecord record;
  const auto stage = static_cast<Stage>(row.key[0]);
  const std::string* own = layout_.TopicOf(stage);
  if (own != nullptr) {
    record.topic = *own;
    record.partition = (static_cast<unsigned char>(row.key[1]) << 8) | static_cast<unsigned char>(row.key[2]);
  } else {
    record.topic = layout_.model_topic;
    record.partition = layout_.model_partition;
  }
  record.key.reserve(row.key.size() + 1);
  record.key.push_back(static_cast<char>(row.family));
  record.key.append(row.key);
  if (!row.is_delete) record.value.emplace(row.value);
  record.headers.push_back({"seq", NumberText(cut_.seq)});
  record.headers.push_back({"ordinal", NumberText(ordinal)});
  if (own == nullptr) record.headers.push_back({"instance", instance_});
  return record;
}

bool EpochCommitter::ProduceMore() {
  const auto produce = [&](const OutputRecord& record) {
    Status status = transport_.Produce(record);
    if (status.ok()) return true;
    if (status.code() != Code::kWouldBlock) {
      const Outcome outcome = OutcomeOf(status);
      Fail(outcome, std::move(status));
    }
    return false;
  };
  while (next_output_ < cut_.outputs.size()) {
    if (!produce(cut_.outputs[next_output_])) return false;
    ++next_output_;
  }
  if (!outputs_reported_) {
    outputs_reported_ = true;
    faults_.Reach(CommitStep::kOutputsProduced);
  }
  if (!transport_.needs_changelog()) return true;
  const auto& rows = cut_.state.rows();
  for (; next_row_ < rows.size(); ++next_row_) {
    if (IsCommitRecordKey(rows[next_row_].family, rows[next_row_].key)) {
      commit_rows_.push_back(next_row_);
      continue;
    }
    if (!produce(ChangelogRecord(rows[next_row_], next_row_))) return false;
  }
  if (next_commit_row_ < commit_rows_.size()) {
    // Count and hash of each stream's rows of this seq, in their order: a restore believes nothing less.
    std::map<std::string, std::pair<uint64_t, uint64_t>> sums;
    for (const StateBatch::Row& row : rows) {
      if (IsCommitRecordKey(row.family, row.key)) continue;
      auto& [count, hash] = sums[StreamOf(row.key)];
      ++count;
      hash = FoldRowHash(hash, row.family, row.key, row.value, row.is_delete);
    }
    for (; next_commit_row_ < commit_rows_.size(); ++next_commit_row_) {
      const StateBatch::Row& row = rows[commit_rows_[next_commit_row_]];
      OutputRecord record = ChangelogRecord(row, commit_rows_[next_commit_row_]);
      const auto& [count, hash] = sums[StreamOf(row.key)];
      record.headers.push_back({"rows", NumberText(count)});
      record.headers.push_back({"hash", NumberText(hash)});
      if (!produce(record)) return false;
    }
  }
  return true;
}

void EpochCommitter::Step() {
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
    if (event.outcome == Outcome::kFatal || event.outcome == Outcome::kFenced || event.outcome == Outcome::kUnknown) outcome_ = event.outcome;
    state_ = State::kFailed;
    return;
  }
  if (state_ == State::kProducing && event.outcome != Outcome::kOk) return Fail(event.outcome, event.status);
  TC_CHECK(state_ == State::kCommitting, "a transaction ended that nobody had ended");
  if (event.outcome != Outcome::kOk) return Fail(event.outcome, event.status);
  faults_.Reach(CommitStep::kCommitted);
  if (!event.state_written) {
    if (Status written = store_.Write(cut_.state); !written.ok()) {
      outcome_ = Outcome::kFatal;
      status_ = std::move(written).In("the epoch is committed, but its state could not be written to the local store");
      state_ = State::kFailed;
      return;
    }
  }
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
  if (state_ == State::kProducing) Fail(Outcome::kAbortable, Status(Code::kAborted, "the epoch was given up"));
}

EpochCut EpochCommitter::Take() {
  TC_CHECK(state_ == State::kCommitted || state_ == State::kFailed);
  state_ = State::kIdle;
  return std::move(cut_);
}

}  // namespace tidecast
