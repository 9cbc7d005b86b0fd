// The codecs below every stored row: what is read from any bytes stays within them, and what was written is read back.
#include <array>
#include <string>

#include "engine/core/check.h"
#include "engine/io/embedded_record.h"
#include "operators/distinct_sketch.h"
#include "operators/watermark_tracker.h"
#include "state/key_codec.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidecast {
namespace {

void ReadAnything(FuzzInput input) {
  const std::string plan(input.Text());
  const std::string bytes(input.Rest());
  KeyReader keys(bytes);
  ByteReader values(bytes);
  for (const char c : plan) {
    switch (static_cast<unsigned char>(c) % 8) {
      case 0:
        keys.U16();
        values.U16();
        break;
      case 1:
        keys.U64();
        values.U64();
        break;
      case 2:
        keys.Time();
        values.F64();
        break;
      case 3:
        keys.Text();
        values.Bytes();
        break;
      case 4:
        values.Varint();
        break;
      case 5:
        values.SignedVarint();
        break;
      case 6:
        TC_CHECK_LE(values.Count(3), bytes.size() / 3);
        break;
      default:
        keys.Raw(static_cast<unsigned char>(c));
        values.U8();
        break;
    }
  }
  TC_CHECK_EQ(keys.Finish("key").ok(), keys.AtEnd());
}

// Order of keys is the order of their parts.
void KeysSortAsTheirParts(FuzzInput input) {
  struct Parts {
    std::string text;
    int64_t number;
    auto operator<=>(const Parts&) const = default;
  };
  std::array<Parts, 2> parts;
  std::array<std::string, 2> keys;
  for (size_t i = 0; i < 2; ++i) {
    parts[i].text = input.Text();
    uint64_t bits = 0;
    for (int k = 0; k < 8; ++k) bits = bits << 8 | input.U8();
    parts[i].number = static_cast<int64_t>(bits);
    keys[i] = KeyWriter().Text(parts[i].text).I64(parts[i].number).Take();
    KeyReader reader(keys[i]);
    TC_CHECK_EQ(reader.Text(), parts[i].text);
    TC_CHECK_EQ(reader.I64(), parts[i].number);
    TC_CHECK(reader.AtEnd());
  }
  TC_CHECK_EQ(parts[0] < parts[1], keys[0] < keys[1], "keys sort otherwise than their parts");
}

void DecodeParts(FuzzInput input) {
  const uint8_t which = input.U8();
  const std::string bytes(input.Rest());
  if (which % 2 == 0) {
    WatermarkTracker tracker({{{}, true}, {{}, false}});
    if (!tracker.Decode(bytes).ok()) return;
    std::string stored;
    tracker.Encode(&stored);
    TC_CHECK(tracker.Decode(stored).ok(), "watermarks that were stored are not read");
    std::string again;
    tracker.Encode(&again);
    TC_CHECK(again == stored, "watermarks change by being stored");
  } else {
    DistinctSketch sketch;
    ByteReader reader(bytes);
    if (!sketch.Decode(reader).ok() || !reader.ok()) return;
    ByteWriter again;
    sketch.Encode(again);
    DistinctSketch copy;
    ByteReader second(again.view());
    TC_CHECK(copy.Decode(second).ok(), "a sketch that was stored is not read");
    TC_CHECK_EQ(copy.Count(), sketch.Count());
  }
}

// The embedded log's records: any bytes are a record or none, and a record is written as it was read.
void DecodeRecord(FuzzInput input) {
  const std::string bytes(input.Rest());
  EmbeddedBatch batch;
  if (!batch.Add(7, bytes)) {
    TC_CHECK(batch.records().empty(), "a record that was refused is there");
    return;
  }
  TC_CHECK_EQ(batch.records().size(), size_t{1});
  const InputRecord& record = batch.records()[0];
  RecordView copy;
  copy.key = record.key;
  copy.value = record.value;
  copy.is_null = record.is_null;
  copy.headers = record.headers;
  const std::string encoded = EncodeLogRecord(copy, record.record_time);
  EmbeddedBatch again;
  TC_CHECK(again.Add(7, encoded), "a record that was written is not read");
  TC_CHECK_EQ(again.records()[0].value, record.value);
  TC_CHECK_EQ(again.records()[0].key, record.key);
}

void Fuzz(FuzzInput input) {
  switch (input.Below(4)) {
    case 0:
      return ReadAnything(input);
    case 1:
      return KeysSortAsTheirParts(input);
    case 2:
      return DecodeRecord(input);
    default:
      return DecodeParts(input);
  }
}

}  // namespace
}  // namespace tidecast

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidecast::Fuzz({data, size});
  return 0;
}
