#include "engine/runtime/changelog_restorer.h"

#include "state/key_codec.h"
#include "state/task_keyspace.h"

namespace tidecast {
namespace {

constexpr int64_t kBeginning = -2;
constexpr size_t kRecordsPerStep = 16384;

// Local only, never in a changelog: how far a changelog partition was known to be read.
std::string HintKey(const TopicPartition& source) {
  return TaskPrefix({Stage::kInstance, 0}) + KeyWriter().U8(0xF7).U32(static_cast<uint32_t>(source.partition)).Raw(source.topic).Take();
}

}  // namespace

std::vector<ChangelogRestorer::Stream> ChangelogRestorer::MakeStreams(const std::vector<uint16_t>& partitions) const {
  std::vector<Stream> streams;
  for (const Stage stage : {Stage::kSeries, Stage::kRollup, Stage::kActor}) {
    if (layout_.TopicOf(stage)->empty()) continue;
    for (const uint16_t partition : partitions) {
      Stream& stream = streams.emplace_back();
      stream.source = {*layout_.TopicOf(stage), partition};
      stream.task = {stage, partition};
    }
  }
  Stream& model = streams.emplace_back();
  model.source = {layout_.model_topic, layout_.model_partition};
  model.task = {Stage::kInstance, 0};
  return streams;
}

void ChangelogRestorer::Start(const std::vector<uint16_t>& partitions) {
  streams_ = MakeStreams(partitions);
  next_stream_ = 0;
}

Result<uint64_t> ChangelogRestorer::LocalSeq(const Stream& stream) const {
  const TaskStateReader reader(store_, stream.task);
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, reader.Get(Family::kMeta, "commit", &value));
  if (!found) return uint64_t{0};
  ByteReader bytes(value);
  bytes.U8();
  return bytes.U64();
}

Status ChangelogRestorer::Open(Stream& stream) {
  TC_ASSIGN_OR_RETURN(stream.local_seq, LocalSeq(stream));
  int64_t from = kBeginning;
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool has_hint, store_.Get(Family::kMeta, HintKey(stream.source), &value));
  if (has_hint && stream.local_seq > 0) from = ByteReader(value).I64();
  TC_ASSIGN_OR_RETURN(stream.reader, transport_.OpenReader(stream.source, from, true));
  if (from != kBeginning && from < stream.reader->begin_offset()) {
    from = kBeginning;
    TC_ASSIGN_OR_RETURN(stream.reader, transport_.OpenReader(stream.source, from, true));
  }
  stream.whole = from == kBeginning;
  stream.batch = stream.reader->MakeBatch();
  return Status::Ok();
}

Status ChangelogRestorer::Apply(Stream& stream, const InputRecord& record) {
  ChangelogRow row;
  if (!ParseChangelogRow(record, &row)) return Status::Ok();
  if (!IsKeyed(stream.task.stage)) {
    for (const HeaderView& header : record.headers) {
      if (header.name == "instance" && header.value != instance_) return Status::Ok();
    }
  }
  if (row.seq <= stream.local_seq) return Status::Ok();
  if (!row.is_commit) {
    SeqRows& rows = stream.waiting[row.seq];
    ++rows.count;
    rows.hash = FoldRowHash(rows.hash, row.family, row.key, record.value, record.is_null);
    if (record.is_null) {
      rows.batch.Delete(row.family, row.key);
    } else {
      rows.batch.Put(row.family, row.key, record.value);
    }
    return Status::Ok();
  }
  const SeqRows& own = stream.waiting[row.seq];
  const bool matches = own.count == row.rows && own.hash == row.hash;
  if (!matches && !(stream.whole && own.count < row.rows)) {
    return Status(Code::kCorruption,
                  fmt::format("a changelog does not match its commit record: {}[{}] seq {}: {} rows of {}", stream.source.topic,
                              stream.source.partition, row.seq, own.count, row.rows),
                  Domain::kExternal)
        .WithRemedy("the task stops and its state is kept; restore a savepoint or reset its state");
  }
  StateBatch batch;
  for (auto at = stream.waiting.begin(); at != stream.waiting.end() && at->first <= row.seq; at = stream.waiting.erase(at)) {
    rows_applied_ += static_cast<int64_t>(at->second.count);
    batch.Append(std::move(at->second.batch));
  }
  batch.Put(row.family, row.key, record.value);
  stream.local_seq = row.seq;
  return store_.Write(batch);
}

Result<bool> ChangelogRestorer::Step(int wait_ms) {
  if (next_stream_ == streams_.size()) return true;
  Stream& stream = streams_[next_stream_];
  if (!stream.reader) TC_RETURN_IF_ERROR(Open(stream));
  stream.batch->Clear();
  TC_ASSIGN_OR_RETURN(const PollResult polled, stream.reader->Read(*stream.batch, kRecordsPerStep, wait_ms));
  for (const InputRecord& record : stream.batch->records()) TC_RETURN_IF_ERROR(Apply(stream, record));
  if (!polled.at_end) return false;
  for (const auto& [seq, rows] : stream.waiting) orphan_rows_ += static_cast<int64_t>(rows.count);
  StateBatch hint;
  hint.Put(Family::kMeta, HintKey(stream.source), ByteWriter().I64(stream.reader->end_offset()).view());
  TC_RETURN_IF_ERROR(store_.Write(hint));
  stream.batch.reset();
  stream.reader.reset();
  stream.waiting.clear();
  return ++next_stream_ == streams_.size();
}

Status ChangelogRestorer::RememberEnds(const std::vector<uint16_t>& partitions) {
  StateBatch hints;
  for (const Stream& stream : MakeStreams(partitions)) {
    TC_ASSIGN_OR_RETURN(const int64_t end, transport_.EndOffset(stream.source));
    hints.Put(Family::kMeta, HintKey(stream.source), ByteWriter().I64(end).view());
  }
  return store_.Write(hints);
}

}  // namespace tidecast
