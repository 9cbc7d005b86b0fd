#include "engine/runtime/epoch_committer.h"

#include <cstring>
#include <map>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr size_t kPrefixBytes = 3;
constexpr std::string_view kCommitKey = "commit";

// Rows of one changelog partition's commit record: a keyed task's own, or all of the instance's and the model's.
std::string_view StreamOf(std::string_view key) {
  return IsKeyed(static_cast<Stage>(key[0])) ? key.substr(0, kPrefixBytes) : std::string_view();
}

Outcome OutcomeOf(const Status& status) {
  if (status.code() == Code::kFenced) return Outcome::kFenced;
  return status.code() == Code::kFatal ? Outcome::kFatal : Outcome::kAbortable;
}

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
  next_output_ = next_packed_ = next_packed_row_ = next_row_ = next_commit_row_ = 0;
  commit_rows_.clear();
  outputs_reported_ = false;
  outcome_ = Outcome::kOk;
  status_ = Status::Ok();
  faults_.Reach(CommitStep::kCut);
  const Status begun = transport_.Begin();
  state_ = State::kProducing;
  if (!begun.ok()) Fail(OutcomeOf(begun), begun);
}

/// What a commit record says of its stream's rows of this seq.
struct EpochCommitter::CommitSums {
  uint64_t count = 0;
  uint64_t hash = 0;
};

bool EpochCommitter::Produced(Status status) {
  if (status.ok()) return true;
  if (status.code() != Code::kWouldBlock) {
    const Outcome outcome = OutcomeOf(status);
    Fail(outcome, std::move(status));
  }
  return false;
}

bool EpochCommitter::ProduceRow(const StateBatch::Row& row, uint64_t ordinal, const CommitSums* sums) {
  RecordView record;
  const auto stage = static_cast<Stage>(row.key[0]);
  const std::string* own = layout_.TopicOf(stage);
  if (own != nullptr) {
    record.topic = *own;
    record.partition = (static_cast<unsigned char>(row.key[1]) << 8) | static_cast<unsigned char>(row.key[2]);
  } else {
    record.topic = layout_.model_topic;
    record.partition = layout_.model_partition;
  }
  key_.assign(1, static_cast<char>(row.family)).append(row.key);
  record.key = key_;
  record.value = row.value;
  record.is_null = row.is_delete;
  const fmt::format_int seq(cut_.seq);
  const fmt::format_int place(ordinal);
  headers_.assign({{"seq", {seq.data(), seq.size()}}, {"ordinal", {place.data(), place.size()}}});
  if (own == nullptr) headers_.push_back({"instance", instance_});
  const fmt::format_int count(sums == nullptr ? 0 : sums->count);
  const fmt::format_int hash(sums == nullptr ? 0 : sums->hash);
  if (sums != nullptr) {
    headers_.push_back({"rows", {count.data(), count.size()}});
    headers_.push_back({"hash", {hash.data(), hash.size()}});
  }
  record.headers = headers_;
  return Produced(transport_.ProduceView(record));
}

bool EpochCommitter::ProducePacked() {
  for (; next_packed_ < cut_.rows.size(); ++next_packed_, next_packed_row_ = 0) {
    const PackedRecords& rows = cut_.rows[next_packed_];
    for (; next_packed_row_ < rows.size(); ++next_packed_row_) {
      if (!Produced(transport_.ProduceView(rows.View(next_packed_row_, &headers_)))) return false;
    }
  }
  return true;
}

bool EpochCommitter::ProduceMore() {
  for (; next_output_ < cut_.outputs.size(); ++next_output_) {
    if (!Produced(transport_.Produce(cut_.outputs[next_output_]))) return false;
  }
  if (!ProducePacked()) return false;
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
    if (!ProduceRow(rows[next_row_], next_row_, nullptr)) return false;
  }
  if (next_commit_row_ < commit_rows_.size()) {
    // Count and hash of each stream's rows of this seq, in their order: a restore believes nothing less.
    std::map<std::string, CommitSums, std::less<>> sums;
    CommitSums* last = nullptr;
    std::string_view last_stream = " ";
    for (const StateBatch::Row& row : rows) {
      if (IsCommitRecordKey(row.family, row.key)) continue;
      const std::string_view stream = StreamOf(row.key);
      if (stream != last_stream) {
        last = &sums[std::string(stream)];
        last_stream = stream;
      }
      ++last->count;
      last->hash = FoldRowHash(last->hash, row.family, row.key, row.value, row.is_delete);
    }
    for (; next_commit_row_ < commit_rows_.size(); ++next_commit_row_) {
      const StateBatch::Row& row = rows[commit_rows_[next_commit_row_]];
      if (!ProduceRow(row, commit_rows_[next_commit_row_], &sums[std::string(StreamOf(row.key))])) return false;
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
