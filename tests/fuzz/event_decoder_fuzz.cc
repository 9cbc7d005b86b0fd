// Records of every kind of input, from valid JSON to noise: each is an event or a dead letter with its bytes, never
// both.
#include <array>
#include <memory>
#include <vector>

#include "engine/core/check.h"
#include "engine/io/event_decoder.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidecast {
namespace {

constexpr std::array kKinds = {InputKind::kOrders,     InputKind::kClicks,    InputKind::kCatalog,
                               InputKind::kPromotions, InputKind::kInventory, InputKind::kMarket};
constexpr std::array kFormats = {TimeFormat::kAuto, TimeFormat::kRfc3339, TimeFormat::kSeconds, TimeFormat::kMillis,
                                 TimeFormat::kMicros};
constexpr std::array kSources = {TimeSource::kField, TimeSource::kCeTime, TimeSource::kRecord};

std::unique_ptr<EventDecoder> MakeDecoder(FuzzInput& input) {
  InputOptions options;
  options.name = "fuzzed";
  options.topic = "shop.fuzzed";
  options.kind = kKinds[input.Below(kKinds.size())];
  options.time_format = kFormats[input.Below(kFormats.size())];
  options.time_source = kSources[input.Below(kSources.size())];
  const uint8_t bits = input.U8();
  options.key_check = (bits & 1) != 0;
  if ((bits & 2) != 0) options.max_future = std::chrono::hours(1);
  if ((bits & 4) != 0) options.zone = "Europe/London";
  if ((bits & 8) != 0) options.value_bytes_max = 64;
  if ((bits & 16) != 0) options.fields[options.kind == InputKind::kMarket ? "symbol" : "sku"] = "/nested/0/sku";
  if ((bits & 32) != 0 && options.kind == InputKind::kOrders)
    options.dedupe = DedupeOptions{{"order_id", "line"}, std::chrono::hours(1)};
  Result<std::unique_ptr<EventDecoder>> decoder = EventDecoder::Make(options, 3, "key");
  TC_CHECK(decoder.ok(), "{}", decoder.status().message());
  return std::move(decoder).value();
}

void Fuzz(FuzzInput input) {
  const std::unique_ptr<EventDecoder> decoder = MakeDecoder(input);
  std::vector<InputRecord> records;
  std::vector<HeaderView> headers = {{"ce_time", input.Text()}, {"ce_type", "x"}};
  // One value a line, so that the scanner's memory of the record before is met too.
  while (!input.empty() && records.size() < 64) {
    InputRecord& record = records.emplace_back();
    record.offset = static_cast<int64_t>(records.size());
    record.record_time = {1'700'000'000'000'000};
    record.key = input.Text();
    record.has_key = !record.key.empty();
    record.value = input.Line();
    record.headers = headers;
  }
  EventBatch batch;
  decoder->Decode(records, {"shop.fuzzed", 1}, 4, 0, batch);
  TC_CHECK_EQ(batch.events.size() + batch.dead_letters.size(), records.size(), "a record was lost or counted twice");
  for (const Event& event : batch.events) {
    TC_CHECK(!event.key.empty(), "an event without key");
    TC_CHECK(event.time.IsFinite(), "an event without time");
  }
}

}  // namespace
}  // namespace tidecast

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidecast::Fuzz({data, size});
  return 0;
}
