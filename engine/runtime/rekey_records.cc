#include "engine/runtime/rekey_records.h"

#include <bit>
#include <charconv>

#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::string_view kContentId = "tidecast_content_id";
constexpr std::string_view kEventId = "event/";

OutputRecord Record(const std::string& topic, std::string key, ByteWriter& value, std::string content_id) {
  OutputRecord record;
  record.topic = topic;
  record.key = std::move(key);
  record.value = value.Take();
  if (!content_id.empty()) record.headers.push_back({std::string(kContentId), std::move(content_id)});
  return record;
}

template <typename Number>
bool ReadNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc{} && end == text.data() + text.size();
}

/// Where an event was read: `event/topic/partition/offset`.
bool ReadSource(const InputRecord& record, RekeyRecord* out) {
  for (const HeaderView& header : record.headers) {
    if (header.name != kContentId || !header.value.starts_with(kEventId)) continue;
    const std::string_view source = header.value.substr(kEventId.size());
    const size_t offset = source.rfind('/');
    const size_t partition = source.substr(0, offset).rfind('/');
    if (offset == std::string_view::npos || partition == std::string_view::npos || partition == 0) return false;
    out->source_topic = source.substr(0, partition);
    return ReadNumber(source.substr(partition + 1, offset - partition - 1), &out->source_partition) &&
           ReadNumber(source.substr(offset + 1), &out->event.offset) && out->event.offset >= 0;
  }
  return false;
}

void ReadEvent(ByteReader& in, const InputRecord& record, RekeyRecord* out) {
  Event& event = out->event;
  event = {};
  event.key = record.key;
  out->judged_by = in.Time();
  event.input = in.U16();
  event.kind = static_cast<InputKind>(in.U8());
  event.action = static_cast<ClickAction>(in.U8());
  event.time = in.Time();
  event.customer = in.U64();
  event.session = in.U64();
  event.has = in.U16();
  for (size_t f = 0; f < kNumberFields; ++f) {
    if (event.Has(static_cast<NumberField>(f))) event.numbers[f].micros = in.SignedVarint();
  }
  for (const TextField field : {TextField::kCategory, TextField::kCountry})
    event.texts[static_cast<size_t>(field)] = in.Bytes();
}

}  // namespace

OutputRecord ContributionRecord(const std::string& topic, const Contribution& c) {
  ByteWriter value;
  value.U8(kVersion)
      .U8(static_cast<uint8_t>(RekeyKind::kContribution))
      .U16(c.view)
      .U16(c.upstream)
      .Time(c.start)
      .Time(c.end);
  value.Varint(c.revision).Bool(c.target_active).Bytes(c.row);
  return Record(topic, std::string(c.key), value,
                fmt::format("contribution/{}/{}/{}/{}/{}", c.view, c.key, c.start.us, c.upstream, c.revision));
}

OutputRecord BottomUpRecord(const std::string& topic, const BottomUpShare& share, std::string_view missed) {
  ByteWriter value;
  value.U8(kVersion).U8(static_cast<uint8_t>(RekeyKind::kBottomUp)).U16(share.view).U16(share.upstream);
  value.Time(share.start).Time(share.end).Time(share.until).Varint(share.micros.size());
  for (const int64_t micros : share.micros) value.SignedVarint(micros);
  return Record(topic, std::string(share.key), value,
                fmt::format("bottom-up/{}/{}/{}/{}{}{}", share.view, share.key, share.start.us, share.upstream,
                            missed.empty() ? "" : "/", missed));
}

OutputRecord ForwardedEventRecord(const std::string& topic, const Event& event, EventTime judged_by,
                                  const TopicPartition& source) {
  ByteWriter value;
  value.U8(kVersion)
      .U8(static_cast<uint8_t>(RekeyKind::kEvent))
      .Time(judged_by)
      .U16(event.input)
      .U8(static_cast<uint8_t>(event.kind));
  value.U8(static_cast<uint8_t>(event.action)).Time(event.time).U64(event.customer).U64(event.session).U16(event.has);
  for (size_t f = 0; f < kNumberFields; ++f) {
    if (event.Has(static_cast<NumberField>(f))) value.SignedVarint(event.numbers[f].micros);
  }
  for (const TextField field : {TextField::kCategory, TextField::kCountry})
    value.Bytes(event.texts[static_cast<size_t>(field)]);
  return Record(topic, fmt::format("{:016x}", event.customer), value,
                fmt::format("{}{}/{}/{}", kEventId, source.topic, source.partition, event.offset));
}

OutputRecord WatermarksRecord(const std::string& topic, int32_t partition,
                              std::span<const UpstreamWatermark> watermarks) {
  ByteWriter value;
  value.U8(kVersion).U8(static_cast<uint8_t>(RekeyKind::kWatermarks)).Varint(watermarks.size());
  for (const UpstreamWatermark& told : watermarks)
    value.U16(told.upstream).Time(told.watermark).Bool(told.idle).Time(told.newest_event);
  OutputRecord record = Record(topic, "watermarks", value, {});
  record.partition = partition;
  return record;
}

Status ParseRekeyRecord(const InputRecord& record, RekeyRecord* out) {
  ByteReader in(record.value);
  if (const uint8_t version = in.U8(); version != kVersion) {
    return Status(Code::kVersion,
                  fmt::format("a record of a rekey topic has format {}, this build reads {}", version, kVersion));
  }
  const uint8_t kind = in.U8();
  out->kind = static_cast<RekeyKind>(kind);
  switch (out->kind) {
    case RekeyKind::kContribution: {
      Contribution& c = out->contribution;
      c.key = record.key;
      c.view = in.U16();
      c.upstream = in.U16();
      c.start = in.Time();
      c.end = in.Time();
      c.revision = static_cast<uint32_t>(in.Varint());
      c.target_active = in.Bool();
      c.row = in.Bytes();
      break;
    }
    case RekeyKind::kEvent:
      ReadEvent(in, record, out);
      if (!ReadSource(record, out))
        return Status(Code::kCorruption, "an event of a rekey topic does not say where it was read");
      break;
    case RekeyKind::kBottomUp: {
      BottomUpShare& share = out->bottom_up;
      share.key = record.key;
      share.view = in.U16();
      share.upstream = in.U16();
      share.start = in.Time();
      share.end = in.Time();
      share.until = in.Time();
      share.micros.resize(in.Count());
      for (int64_t& micros : share.micros) micros = in.SignedVarint();
      break;
    }
    case RekeyKind::kWatermarks: {
      out->watermarks.clear();
      const size_t count = in.Count(19);
      for (size_t i = 0; i < count; ++i) {
        UpstreamWatermark& told = out->watermarks.emplace_back();
        told.upstream = in.U16();
        told.watermark = in.Time();
        told.idle = in.Bool();
        told.newest_event = in.Time();
      }
      break;
    }
    default:
      return Status(Code::kCorruption, fmt::format("a record of a rekey topic has an unknown kind: {}", kind));
  }
  return in.Finish("record of a rekey topic");
}

}  // namespace tidecast
