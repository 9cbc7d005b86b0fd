// Stored rows of a task's windows: they are refused in words, or loaded, gone on with, and saved.
#include "engine/core/check.h"
#include "operators/window_aggregator.h"
#include "tests/fuzz/row_input.h"

namespace tidecast {
namespace {

constexpr int kStepsMax = 64;  // a cursor may stand an age before the watermark

WindowAggregator::Options AllTables() {
  WindowAggregator::Options options;
  ViewOptions view;
  view.calendar.unit = BucketUnit::kHour;
  view.allowed_lateness = std::chrono::hours(3);
  view.forecast = false;
  for (const Aggregate aggregate : {Aggregate::kSum, Aggregate::kMean, Aggregate::kMax, Aggregate::kLast,
                                    Aggregate::kCount, Aggregate::kDistinct}) {
    FeatureOptions feature;
    feature.name = "f" + std::to_string(static_cast<int>(aggregate));
    feature.input = "orders";
    feature.aggregate = aggregate;
    view.features.push_back(feature);
  }
  view.windows = {{WindowKind::kHopping, "day", 24, {}}, {WindowKind::kSession, "visit", 0, std::chrono::minutes(30)}};
  options.views = {view};
  options.input_names = {"orders", "catalog"};
  options.input_kinds = {InputKind::kOrders, InputKind::kCatalog};
  options.dedupe_keep = {std::chrono::hours(2), Duration{}};
  options.delta_blocks = 1;
  return options;
}

class Ignored final : public WindowSink {
 public:
  void OnBucket(const ClosedBucket&) override {}
  void OnWindow(const ClosedBucket&, uint16_t) override {}
  void OnBucketEnd(uint16_t, EventTime, EventTime, bool) override {}
};

class AlwaysActive final : public ActivityBoard {
 public:
  Answer Ask(uint16_t, EventTime, EventTime) const override { return Answer::kActive; }
};

void Fuzz(FuzzInput input) {
  Result<std::unique_ptr<WindowAggregator>> windows = WindowAggregator::Make(AllTables());
  TC_CHECK(windows.ok(), "{}", windows.status().message());
  const auto ahead = static_cast<int64_t>(input.U8());
  FuzzRows rows;
  rows.Read(input);
  if (const Status loaded = (*windows)->Reload(rows); !loaded.ok()) {
    TC_CHECK(!loaded.message().empty());
    return;
  }
  Ignored sink;
  if ((*windows)->next_close() != EventTime::Max()) {
    const EventTime watermark = (*windows)->next_close() + std::chrono::hours(ahead % 8);
    for (int i = 0; i < kStepsMax && !(*windows)->OnWatermark(watermark, AlwaysActive(), sink, 256); ++i) {
    }
  }
  (*windows)->Save(1, rows);
  const Status again = (*windows)->Reload(rows);
  TC_CHECK(again.ok(), "what was saved is not read: {}", again.message());
}

Event OrderAt(int64_t minute, std::string_view key, int64_t quantity, uint64_t customer) {
  Event event;
  event.key = key;
  event.time = EventTime::FromSeconds(minute * 60);
  event.customer = customer;
  event.dedupe = customer * 31 + static_cast<uint64_t>(minute);
  event.Set(NumberField::kQuantity, Decimal{quantity * 1'000'000});
  return event;
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (const int64_t hours : {1, 5, 30}) {
    const std::unique_ptr<WindowAggregator> windows = std::move(WindowAggregator::Make(AllTables())).value();
    Ignored sink;
    for (int64_t hour = 0; hour < hours; ++hour) {
      for (uint64_t k = 0; k < 3; ++k) {
        windows->OnEvent(OrderAt(hour * 60 + static_cast<int64_t>(k) * 7, k % 2 == 0 ? "a" : "b", 2, k + 1),
                         EventTime::Min());
      }
      if (hour == 2) {
        Event fact;
        fact.input = 1;
        fact.kind = InputKind::kCatalog;
        fact.key = "a";
        fact.time = fact.valid_from = EventTime::FromSeconds(hour * 3600);
        fact.Set(NumberField::kUnitPrice, Decimal{5'000'000});
        windows->OnEvent(fact, EventTime::Min());
      }
      const EventTime watermark = EventTime::FromSeconds(hour * 3600);
      while (!windows->OnWatermark(watermark, AlwaysActive(), sink, 64)) {
      }
    }
    FuzzRows rows;
    windows->Save(1, rows);
    seeds.push_back(std::string(1, '\1') + rows.Encode());
  }
  {  // rows that changed alone
    const std::unique_ptr<WindowAggregator> windows = std::move(WindowAggregator::Make(AllTables())).value();
    FuzzRows rows;
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 48; i += 1 + 15 * round)
        windows->OnEvent(OrderAt(i % 50, std::to_string(i), 1, static_cast<uint64_t>(i % 2)), EventTime::Min());
      windows->Save(static_cast<Epoch>(round) + 1, rows);
    }
    seeds.push_back(std::string(1, '\1') + rows.Encode());
  }
  FuzzRows old_names;  // a block of names in rows of their own, and one of the format of today
  for (uint32_t id = 0; id < 33; ++id) {
    ByteWriter row;
    row.U8(id % 2 == 0 ? 1 : 2);
    if (id == 32) row.Clear(), row.U8(3).Varint(1).Varint(1).Varint(1).Raw("z").SignedVarint(60).SignedVarint(0);
    if (id < 32) row.Bytes(std::to_string(id)).Varint(1).Time(EventTime{60});
    if (id < 32 && id % 2 != 0) row.Time(EventTime{60});
    old_names.Put(Family::kPanes, KeyWriter().U8(1).U32(id).view(), row.view());
  }
  seeds.push_back(std::string(1, '\1') + old_names.Encode());
  return seeds;
}

}  // namespace tidecast

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidecast::Fuzz({data, size});
  return 0;
}
