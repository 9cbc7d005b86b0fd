#include "engine/io/embedded_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "engine/core/hash.h"
#include "engine/io/embedded_log_keys.h"
#include "state/key_codec.h"

// A write, under write_mutex_:
//   1. give each record the next offset of its partition and put it into the batch (kLog; compacted topics: kLatest);
//   2. put the group's positions, the partitions' new ends and the segments that begin;
//   3. move the begin of partitions whose oldest segments nobody needs, and put the deletion of their range;
//   4. one StateStore::Write;
//   5. only when it is ok: let the new ends be seen and wake who waits. When not, take step 3's begins back.

namespace tidecast {
namespace {

using embedded::MetaKind;

constexpr uint8_t kRowFormat = 1;
constexpr int32_t kPartitionsMax = 4096;
constexpr size_t kNameBytesMax = 249;

bool IsTopicName(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

Status NoSuchTopic(std::string_view name) {
  return Status(Code::kNotFound, fmt::format("no such topic: {}", name), Domain::kExternal)
      .WithRemedy("look at `tidecast topics`, or create it first");
}

/// Reads "retention.ms" and "retention.bytes": -1 means no limit.
Result<int64_t> ReadLimit(std::string_view topic, std::string_view name, std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < -1) {
    return Status(Code::kConfig, fmt::format("a topic setting is no number: topic {}, {} = \"{}\"", topic, name, text));
  }
  return std::max<int64_t>(value, 0);
}

Status ApplyConfig(EmbeddedLog::Topic& topic) {
  for (const auto& [name, value] : topic.config) {
    if (name == "cleanup.policy") topic.compacted = value.find("compact") != std::string::npos;
    if (name == "retention.ms") {
      TC_ASSIGN_OR_RETURN(const int64_t ms, ReadLimit(topic.name, name, value));
      topic.retention_age = std::chrono::milliseconds(std::min(ms, INT64_MAX / 1000));
    }
    if (name == "retention.bytes") {
      TC_ASSIGN_OR_RETURN(const int64_t bytes, ReadLimit(topic.name, name, value));
      topic.retention_bytes = static_cast<uint64_t>(bytes);
    }
  }
  return Status::Ok();
}

}  // namespace

TopicInfo EmbeddedLog::Topic::Info() const {
  return {name, fmt::format("embedded-{}", number), static_cast<int32_t>(partitions.size())};
}

EmbeddedLog::EmbeddedLog(StateStore& store, const Clock& clock, EmbeddedLogOptions options)
    : store_(store), clock_(clock), options_(options) {}

EmbeddedLog::~EmbeddedLog() {
  for (const auto& [name, topic] : topics_) {
    for (const Partition& partition : topic->partitions) {
      TC_CHECK(partition.cursors.empty(), "a cursor outlives its log: {}", name);
    }
  }
}

Status EmbeddedLog::Load() {
  const std::lock_guard write(write_mutex_);
  std::string counter;
  const KeyWriter counter_key = embedded::MetaKey(MetaKind::kTopicCounter);
  TC_ASSIGN_OR_RETURN(const bool counted, store_.Get(Family::kMeta, counter_key.view(), &counter));
  if (counted) {
    ByteReader reader(counter);
    next_number_ = reader.U32();
    TC_RETURN_IF_ERROR(reader.Finish("counter of topics"));
  }
  Status found;
  const std::string prefix = embedded::TopicKey({});
  TC_RETURN_IF_ERROR(
      store_.Scan(Family::kMeta, prefix, PrefixEnd(prefix), [&](std::string_view key, std::string_view row) {
        found = LoadTopic(key.substr(prefix.size()), row);
        return found.ok();
      }));
  TC_RETURN_IF_ERROR(found);
  for (const auto& [name, topic] : topics_) TC_RETURN_IF_ERROR(LoadPartitions(*topic));
  return Status::Ok();
}

Status EmbeddedLog::LoadTopic(std::string_view name, std::string_view row) {
  ByteReader in(row);
  const uint8_t format = in.U8();
  if (format != kRowFormat) {
    return Status(Code::kVersion, fmt::format("a topic is stored in a format that this program does not read: {}, "
                                              "format {}, read: {}",
                                              name, format, kRowFormat));
  }
  auto topic = std::make_shared<Topic>();
  topic->name = name;
  topic->number = in.U32();
  const auto partitions = static_cast<int32_t>(in.U16());
  topic->retention_age = options_.retention_age;
  topic->retention_bytes = options_.retention_bytes;
  const size_t settings = in.Count(2);
  for (size_t i = 0; i < settings; ++i) {
    std::string setting(in.Bytes());
    topic->config.emplace_back(std::move(setting), in.Bytes());
  }
  TC_RETURN_IF_ERROR(in.Finish("topic " + topic->name));
  TC_RETURN_IF_ERROR(ApplyConfig(*topic));
  topic->partitions.resize(static_cast<size_t>(partitions));
  const std::lock_guard lock(topics_mutex_);
  topics_[topic->name] = std::move(topic);
  return Status::Ok();
}

Status EmbeddedLog::LoadPartitions(Topic& topic) {
  for (int32_t p = 0; p < static_cast<int32_t>(topic.partitions.size()); ++p) {
    Partition& partition = topic.partitions[static_cast<size_t>(p)];
    std::string row;
    TC_ASSIGN_OR_RETURN(const bool any,
                        store_.Get(Family::kMeta, embedded::PartitionKey(MetaKind::kPartition, topic.number, p), &row));
    uint64_t last_bytes = 0;
    if (any) {
      ByteReader in(row);
      partition.begin = in.I64();
      partition.end = in.I64();
      last_bytes = in.U64();
      TC_RETURN_IF_ERROR(in.Finish("partition of topic " + topic.name));
    }
    TC_ASSIGN_OR_RETURN(const bool read,
                        store_.Get(Family::kMeta, embedded::PartitionKey(MetaKind::kPosition, topic.number, p), &row));
    if (read) {
      ByteReader in(row);
      partition.position = in.I64();
      TC_RETURN_IF_ERROR(in.Finish("position in topic " + topic.name));
    }
    Status status;
    const std::string prefix = embedded::PartitionKey(MetaKind::kSegment, topic.number, p);
    TC_RETURN_IF_ERROR(
        store_.Scan(Family::kMeta, prefix, PrefixEnd(prefix), [&](std::string_view key, std::string_view value) {
          ByteReader in(value);
          Segment segment{static_cast<int64_t>(KeyReader(key.substr(prefix.size())).U64()), {in.I64()}, in.U64()};
          partition.segments.push_back(segment);
          status = in.Finish("segment of topic " + topic.name);
          return status.ok();
        }));
    TC_RETURN_IF_ERROR(status);
    if (!partition.segments.empty()) partition.segments.back().bytes = last_bytes;
  }
  return Status::Ok();
}

Status EmbeddedLog::CreateTopic(const TopicSpec& spec) {
  const std::lock_guard write(write_mutex_);
  if (!IsTopicName(spec.name)) {
    return Status(Code::kConfig, fmt::format("not a topic name: \"{}\"", spec.name), Domain::kInput)
        .WithRemedy("use letters, digits, '.', '_' and '-', 249 at most");
  }
  const int32_t partitions = spec.partitions > 0 ? spec.partitions : options_.partitions;
  if (partitions > kPartitionsMax) {
    return Status(
        Code::kConfig,
        fmt::format("too many partitions: topic {}, {} asked, {} at most", spec.name, partitions, kPartitionsMax),
        Domain::kInput);
  }
  auto topic = std::make_shared<Topic>();
  topic->name = spec.name;
  topic->config = spec.config;
  topic->retention_age = options_.retention_age;
  topic->retention_bytes = options_.retention_bytes;
  TC_RETURN_IF_ERROR(ApplyConfig(*topic));
  if (const auto found = Find(spec.name); found.ok()) {
    const Topic& old = **found;
    if (static_cast<int32_t>(old.partitions.size()) != partitions && spec.partitions > 0) {
      return Status(Code::kConfig,
                    fmt::format("a topic has another number of partitions: {} has {}, {} asked", spec.name,
                                old.partitions.size(), partitions),
                    Domain::kInput)
          .WithRemedy("set the config to the number that is there, or use another topic");
    }
    const bool asks = std::any_of(spec.config.begin(), spec.config.end(),
                                  [](const auto& setting) { return setting.first == "cleanup.policy"; });
    if (asks && old.compacted != topic->compacted) {
      return Status(Code::kConfig,
                    fmt::format("a topic has another cleanup.policy: {} is {}compacted, {}compacted "
                                "asked",
                                spec.name, old.compacted ? "" : "not ", topic->compacted ? "" : "not "),
                    Domain::kInput)
          .WithRemedy("use another topic, or delete this one");
    }
    return Status::Ok();
  }
  topic->number = next_number_;
  topic->partitions.resize(static_cast<size_t>(partitions));
  ByteWriter row;
  row.U8(kRowFormat).U32(topic->number).U16(static_cast<uint16_t>(partitions)).Varint(spec.config.size());
  for (const auto& [name, value] : spec.config) row.Bytes(name).Bytes(value);
  StateBatch batch;
  batch.Put(Family::kMeta, embedded::TopicKey(spec.name), row.view());
  batch.Put(Family::kMeta, embedded::MetaKey(MetaKind::kTopicCounter).view(),
            ByteWriter().U32(next_number_ + 1).view());
  TC_RETURN_IF_ERROR(store_.Write(batch).In("cannot create topic " + spec.name));
  ++next_number_;
  const std::lock_guard lock(topics_mutex_);
  topics_[spec.name] = std::move(topic);
  return Status::Ok();
}

Status EmbeddedLog::DeleteTopic(const std::string& name) {
  const std::lock_guard write(write_mutex_);
  TC_ASSIGN_OR_RETURN(const std::shared_ptr<Topic> topic, Find(name));
  StateBatch batch;
  const auto drop = [&](Family family, const std::string& prefix) {
    batch.DeleteRange(family, prefix, PrefixEnd(prefix));
  };
  const std::string stem = KeyWriter().U32(topic->number).Take();
  drop(Family::kLog, stem);
  drop(Family::kLatest, stem);
  for (const MetaKind kind : {MetaKind::kPartition, MetaKind::kSegment, MetaKind::kPosition}) {
    drop(Family::kMeta, embedded::MetaKey(kind).U32(topic->number).Take());
  }
  batch.Delete(Family::kMeta, embedded::TopicKey(name));
  TC_RETURN_IF_ERROR(store_.Write(batch).In("cannot delete topic " + name));
  topic->deleted.store(true, std::memory_order_release);
  const std::lock_guard lock(topics_mutex_);
  topics_.erase(name);
  return Status::Ok();
}

Result<std::shared_ptr<EmbeddedLog::Topic>> EmbeddedLog::Find(const std::string& name) const {
  const std::lock_guard lock(topics_mutex_);
  const auto found = topics_.find(name);
  if (found == topics_.end()) return NoSuchTopic(name);
  return found->second;
}

std::vector<TopicInfo> EmbeddedLog::List() const {
  const std::lock_guard lock(topics_mutex_);
  std::vector<TopicInfo> all;
  for (const auto& [name, topic] : topics_) all.push_back(topic->Info());
  return all;
}

Result<EmbeddedLog::Pending> EmbeddedLog::Prepare(const RecordView& record,
                                                  const std::shared_ptr<Topic>& likely) const {
  std::shared_ptr<Topic> topic = likely;
  if (topic == nullptr || topic->name != record.topic || topic->deleted) {
    TC_ASSIGN_OR_RETURN(topic, Find(std::string(record.topic)));
  }
  const auto partitions = static_cast<int32_t>(topic->partitions.size());
  const int32_t partition = record.partition == -1 ? PartitionOf(record.key, partitions) : record.partition;
  if (partition < 0 || partition >= partitions) {
    return Status(Code::kInvalidArgument,
                  fmt::format("no such partition: topic {}, partition {} of {}", record.topic, partition, partitions));
  }
  const EventTime time = record.record_time == EventTime::Min() ? EventTime{clock_.Now().us} : record.record_time;
  const bool compacted = topic->compacted;
  return Pending{std::move(topic), partition, std::string(compacted ? record.key : std::string_view()), record.is_null,
                 EncodeLogRecord(record, time)};
}

void EmbeddedLog::Place(std::span<Pending> records, StateBatch& batch, Change& change) {
  const ProcessingTime now = clock_.Now();
  std::map<std::pair<uint32_t, int32_t>, size_t> index;
  size_t last = 0;
  for (Pending& record : records) {
    const bool same = !change.touched.empty() && change.touched[last].topic == record.topic &&
                      change.touched[last].partition == record.partition;
    if (!same) {
      const auto [at, is_new] = index.try_emplace({record.topic->number, record.partition}, change.touched.size());
      last = at->second;
      if (is_new) {
        const Partition& partition = record.topic->partitions[static_cast<size_t>(record.partition)];
        Touched touched{record.topic, record.partition, partition.end.load(std::memory_order_relaxed), 0, {}};
        const bool full = partition.segments.empty() || partition.segments.back().bytes >= options_.segment_bytes ||
                          now - partition.segments.back().first_append >= options_.segment_age;
        if (full) touched.new_segment = Segment{touched.end, now, 0};
        change.touched.push_back(std::move(touched));
      }
    }
    Touched& touched = change.touched[last];
    const uint32_t number = record.topic->number;
    touched.bytes += record.encoded.size() + record.key.size();
    if (record.topic->compacted && !record.key.empty()) {
      std::string latest = embedded::LatestKey(number, record.partition, record.key);
      if (record.is_null) {
        batch.Delete(Family::kLatest, latest);
      } else {
        ByteWriter row;
        row.Reserve(record.encoded.size() + 8);
        row.I64(touched.end).Raw(record.encoded);
        batch.Put(Family::kLatest, latest, row.view());
      }
    }
    batch.PutOwned(Family::kLog, embedded::RecordKey(number, record.partition, touched.end), std::move(record.encoded));
    ++touched.end;
  }
}

void EmbeddedLog::PutSegments(const Touched& touched, StateBatch& batch) {
  const Partition& partition = touched.topic->partitions[static_cast<size_t>(touched.partition)];
  const auto put = [&](const Segment& segment) {
    batch.Put(Family::kMeta, embedded::SegmentKey(touched.topic->number, touched.partition, segment.base_offset),
              ByteWriter().I64(segment.first_append.us).U64(segment.bytes).view());
  };
  if (!partition.segments.empty()) put(partition.segments.back());  // is closed by the new one: its size is final
  put(*touched.new_segment);
}

Status EmbeddedLog::Write(std::span<Pending> records, std::span<const Position> positions, StateBatch&& state,
                          std::vector<Position>* ends) {
  const std::lock_guard write(write_mutex_);
  StateBatch batch = std::move(state);
  for (const Pending& record : records) {
    if (record.topic->deleted.load(std::memory_order_acquire)) return NoSuchTopic(record.topic->name);
  }
  std::vector<std::pair<Partition*, int64_t>> moved;
  for (const Position& position : positions) {
    TC_ASSIGN_OR_RETURN(const std::shared_ptr<Topic> topic, Find(position.source.topic));
    const int32_t p = position.source.partition;
    TC_CHECK(p >= 0 && static_cast<size_t>(p) < topic->partitions.size(), "{} of {}", p, position.source.topic);
    batch.Put(Family::kMeta, embedded::PartitionKey(MetaKind::kPosition, topic->number, p),
              ByteWriter().I64(position.next_offset).view());
    moved.emplace_back(&topic->partitions[static_cast<size_t>(p)], position.next_offset);
  }
  Change change;
  Place(records, batch, change);
  for (const Touched& touched : change.touched) {
    if (touched.new_segment) PutSegments(touched, batch);
  }
  Trim(batch, change);
  for (const Touched& touched : change.touched) {
    const Partition& partition = touched.topic->partitions[static_cast<size_t>(touched.partition)];
    const uint64_t before = touched.new_segment ? 0 : partition.segments.back().bytes;
    batch.Put(Family::kMeta, embedded::PartitionKey(MetaKind::kPartition, touched.topic->number, touched.partition),
              ByteWriter().I64(partition.begin).I64(touched.end).U64(before + touched.bytes).view());
  }
  if (batch.empty()) return Status::Ok();
  if (Status status = store_.Write(batch); !status.ok()) {
    const std::lock_guard readers(readers_mutex_);
    for (const Trimmed& trimmed : change.trimmed) trimmed.partition->begin = trimmed.old_begin;
    return status;
  }
  for (const Trimmed& trimmed : change.trimmed) {
    auto& segments = trimmed.partition->segments;
    segments.erase(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(trimmed.segments));
  }
  for (const auto& [partition, next_offset] : moved) partition->position = next_offset;
  for (const Touched& touched : change.touched) {
    Partition& partition = touched.topic->partitions[static_cast<size_t>(touched.partition)];
    if (touched.new_segment) partition.segments.push_back(*touched.new_segment);
    partition.segments.back().bytes += touched.bytes;
    partition.end.store(touched.end, std::memory_order_release);
    if (ends != nullptr) ends->push_back({{touched.topic->name, touched.partition}, touched.end});
  }
  if (!change.touched.empty()) {
    const std::lock_guard signal(signal_mutex_);
    appends_.fetch_add(1, std::memory_order_release);
    signal_.notify_all();
  }
  return Status::Ok();
}

int64_t EmbeddedLog::SlowestReader(const Partition& partition) const {
  int64_t slowest = partition.position.value_or(INT64_MAX);
  for (const EmbeddedCursor* cursor : partition.cursors) slowest = std::min(slowest, cursor->position());
  return slowest;
}

void EmbeddedLog::Trim(StateBatch& batch, Change& change) {
  const ProcessingTime now = clock_.Now();
  for (const Touched& touched : change.touched) {
    if (!touched.new_segment) continue;  // looked at once a segment
    Topic& topic = *touched.topic;
    Partition& partition = topic.partitions[static_cast<size_t>(touched.partition)];
    uint64_t bytes = 0;
    for (const Segment& segment : partition.segments) bytes += segment.bytes;
    const std::lock_guard readers(readers_mutex_);
    const int64_t slowest = SlowestReader(partition);
    size_t drop = 0;
    int64_t begin = partition.begin;
    for (; drop < partition.segments.size(); ++drop) {
      const bool is_last = drop + 1 == partition.segments.size();
      const Segment& next = is_last ? *touched.new_segment : partition.segments[drop + 1];
      const bool old = topic.retention_age.count() > 0 && now - next.first_append >= topic.retention_age;
      const bool large = topic.retention_bytes > 0 && bytes > topic.retention_bytes;
      const bool discarded = next.base_offset <= partition.discard_below;
      if (next.base_offset > slowest || !(old || large || discarded)) break;
      bytes -= partition.segments[drop].bytes;
      batch.Delete(Family::kMeta,
                   embedded::SegmentKey(topic.number, touched.partition, partition.segments[drop].base_offset));
      begin = next.base_offset;
    }
    if (drop == 0) continue;
    batch.DeleteRange(Family::kLog, embedded::RecordKey(topic.number, touched.partition, partition.begin),
                      embedded::RecordKey(topic.number, touched.partition, begin));
    change.trimmed.push_back({&partition, partition.begin, drop});
    partition.begin = begin;
  }
}

void EmbeddedLog::DiscardBelow(std::span<const Position> positions) {
  const std::lock_guard write(write_mutex_);
  for (const auto& [source, next_offset, note] : positions) {
    const Result<std::shared_ptr<Topic>> topic = Find(source.topic);
    if (!topic.ok() || source.partition < 0 || static_cast<size_t>(source.partition) >= (*topic)->partitions.size())
      continue;
    Partition& partition = (*topic)->partitions[static_cast<size_t>(source.partition)];
    partition.discard_below = std::max(partition.discard_below, next_offset);
  }
}

Result<std::optional<int64_t>> EmbeddedLog::CommittedPosition(const TopicPartition& source) const {
  const std::lock_guard write(write_mutex_);
  TC_ASSIGN_OR_RETURN(const std::shared_ptr<Topic> topic, Find(source.topic));
  if (source.partition < 0 || static_cast<size_t>(source.partition) >= topic->partitions.size()) {
    return Status(Code::kNotFound, fmt::format("no such partition: topic {}, partition {} of {}", source.topic,
                                               source.partition, topic->partitions.size()));
  }
  return topic->partitions[static_cast<size_t>(source.partition)].position;
}

Status EmbeddedLog::Subscribe(const std::vector<std::string>& topics) {
  const std::lock_guard write(write_mutex_);
  StateBatch batch;
  std::vector<std::pair<Partition*, int64_t>> first;
  for (const std::string& name : topics) {
    TC_ASSIGN_OR_RETURN(const std::shared_ptr<Topic> topic, Find(name));
    for (int32_t p = 0; p < static_cast<int32_t>(topic->partitions.size()); ++p) {
      Partition& partition = topic->partitions[static_cast<size_t>(p)];
      if (partition.position) continue;
      batch.Put(Family::kMeta, embedded::PartitionKey(MetaKind::kPosition, topic->number, p),
                ByteWriter().I64(partition.begin).view());
      first.emplace_back(&partition, partition.begin);
    }
  }
  if (batch.empty()) return Status::Ok();
  TC_RETURN_IF_ERROR(store_.Write(batch).In("cannot join topics"));
  for (const auto& [partition, begin] : first) partition->position = begin;
  return Status::Ok();
}

void EmbeddedLog::WaitForAppend(uint64_t seen, int wait_ms) const {
  std::unique_lock lock(signal_mutex_);
  signal_.wait_for(lock, std::chrono::milliseconds(wait_ms), [&] { return appends() != seen; });
}

}  // namespace tidecast
