#include "engine/runtime/changelog_format.h"

#include <charconv>

#include "engine/core/hash.h"
#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr size_t kPrefixBytes = 3;
constexpr std::string_view kCommitKey = "commit";
constexpr std::string_view kBaseKey = "base";
constexpr uint8_t kBaseVersion = 1;

Header NumberHeader(std::string_view name, uint64_t n) { return {std::string(name), fmt::format("{}", n)}; }

bool ReadNumber(std::string_view text, uint64_t* n) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *n);
  return error == std::errc{} && end == text.data() + text.size();
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

TopicPartition ChangelogLayout::SourceOf(TaskId stream) const {
  const std::string* const own = TopicOf(stream.stage);
  return own != nullptr ? TopicPartition{*own, stream.partition} : TopicPartition{model_topic, model_partition};
}

TaskId StreamOf(std::string_view key) {
  TC_CHECK(key.size() >= kPrefixBytes);
  const auto stage = static_cast<Stage>(key[0]);
  if (!IsKeyed(stage)) return {Stage::kInstance, 0};
  return {stage, KeyReader(key.substr(1)).U16()};
}

std::string CommitRecordKey(TaskId stream) { return TaskPrefix(stream).append(kCommitKey); }

bool IsCommitRecordKey(Family family, std::string_view key) {
  return family == Family::kMeta && key.size() == kPrefixBytes + kCommitKey.size() && key.ends_with(kCommitKey);
}

Result<uint64_t> StoredSeq(const StateStore& store, TaskId stream) {
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, store.Get(Family::kMeta, CommitRecordKey(stream), &value));
  if (!found) return uint64_t{0};
  ByteReader bytes(value);
  bytes.U8();
  return bytes.U64();
}

Result<uint64_t> StoredBase(const StateStore& store, TaskId stream) {
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, store.Get(Family::kMeta, TaskPrefix(stream).append(kBaseKey), &value));
  if (!found) return uint64_t{0};
  ByteReader bytes(value);
  const uint8_t version = bytes.U8();
  const uint64_t base = bytes.U64();
  TC_RETURN_IF_ERROR(bytes.Finish("changelog base"));
  if (version != kBaseVersion)
    return Status(Code::kVersion,
                  fmt::format("a changelog base has format {}, this build reads {}", version, kBaseVersion));
  return base;
}

void PutBase(TaskId stream, uint64_t base, StateBatch& out) {
  out.Put(Family::kMeta, TaskPrefix(stream).append(kBaseKey), ByteWriter().U8(kBaseVersion).U64(base).view());
}

uint64_t FoldRowHash(uint64_t hash, Family family, std::string_view key, std::string_view value, bool is_delete) {
  hash = Hash64(key, hash ^ static_cast<uint64_t>(family) ^ (is_delete ? 0x80 : 0));
  return Hash64(value, hash);
}

OutputRecord MakeChangelogRecord(const ChangelogLayout& layout, const ChangelogRow& row) {
  OutputRecord record;
  const TaskId stream = StreamOf(row.key);
  TopicPartition source = layout.SourceOf(stream);
  record.topic = std::move(source.topic);
  record.partition = source.partition;
  KeyWriter key;
  key.U8(static_cast<uint8_t>(row.family));
  // Instances share the partition: without their names compaction would let one's rows take the place of another's.
  if (!IsKeyed(stream.stage)) key.Text(layout.instance);
  record.key = key.Raw(row.key).Take();
  if (!row.is_delete) record.value.emplace(row.value);
  record.headers.reserve(row.is_commit ? 9 : 3);
  record.headers.push_back(NumberHeader("seq", row.seq));
  record.headers.push_back(NumberHeader("ordinal", row.ordinal));
  record.headers.push_back({"by", std::string(row.writer)});
  if (row.is_commit) {
    record.headers.push_back(NumberHeader("format", kChangelogFormat));
    record.headers.push_back(NumberHeader("prev", row.prev_seq));
    record.headers.push_back(NumberHeader("prev_age", row.prev_age_us));
    record.headers.push_back(NumberHeader("base", row.base));
    record.headers.push_back(NumberHeader("rows", row.rows));
    record.headers.push_back(NumberHeader("hash", row.hash));
  }
  return record;
}

bool ParseChangelogRow(const InputRecord& record, const ChangelogLayout& layout, TaskId stream, ChangelogRow* row) {
  KeyReader key(record.key);
  const uint8_t family = key.U8();
  if (!key.ok() || family >= kFamilies) return false;
  if (!IsKeyed(stream.stage) && key.Text() != layout.instance) return false;
  row->family = static_cast<Family>(family);
  row->key = key.Rest();
  if (row->key.size() < kPrefixBytes || StreamOf(row->key) != stream) return false;
  row->value = record.value;
  row->is_delete = record.is_null;
  row->is_commit = IsCommitRecordKey(row->family, row->key);
  bool has_seq = false;
  int commit_parts = 0;
  for (const HeaderView& header : record.headers) {
    if (header.name == "seq") has_seq = ReadNumber(header.value, &row->seq);
    if (header.name == "by") row->writer = header.value;
    if (header.name == "ordinal" && !ReadNumber(header.value, &row->ordinal)) return false;
    for (const auto& [name, to] : {std::pair<std::string_view, uint64_t*>{"format", &row->format},
                                   {"prev", &row->prev_seq},
                                   {"prev_age", &row->prev_age_us},
                                   {"base", &row->base},
                                   {"rows", &row->rows},
                                   {"hash", &row->hash}}) {
      if (header.name != name) continue;
      if (!ReadNumber(header.value, to)) return false;
      ++commit_parts;
    }
  }
  return has_seq && (!row->is_commit || row->format != kChangelogFormat || commit_parts == 6);
}

std::string_view InstanceOf(std::string_view writer) { return writer.substr(0, writer.rfind('/')); }

}  // namespace tidecast
