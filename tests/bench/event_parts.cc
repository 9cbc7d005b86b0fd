// The way of an event in parts, each beside a loop that does no more than touch the same bytes.
#include <benchmark/benchmark.h>

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "engine/core/hash.h"
#include "engine/io/event_decoder.h"
#include "operators/hopping_window.h"
#include "operators/pane_table.h"
#include "operators/series_dictionary.h"

namespace tidecast {
namespace {

constexpr size_t kEvents = 4096;
constexpr size_t kSeries = 6250;  // of one partition of eight

std::string Sku(size_t i) { return fmt::format("SKU-{:05}", i); }
size_t SeriesOf(size_t i) { return Mix64(i) % kSeries; }

/// Clicks of about 210 bytes, as the retail workload has them.
struct Clicks {
  Clicks() {
    for (size_t i = 0; i < kEvents; ++i) {
      keys.push_back(Sku(SeriesOf(i)));
      values.push_back(fmt::format(
          R"({{"event_id":"E-{:012}","session_id":"S-{}","sku":"{}","ts":{},"action":"{}","customer_id":"C-{}",)"
          R"("referrer":"https://search.example/q","device":"mobile","page":"/p/{:05}"}})",
          i, 10000000 + i, keys.back(), 1795219200000 + i, i % 8 == 0 ? "cart" : "view", 1000000 + i, i));
      bytes += values.back().size();
    }
    for (size_t i = 0; i < kEvents; ++i) {
      InputRecord record;
      record.offset = static_cast<int64_t>(i);
      record.has_key = true;
      record.key = keys[i];
      record.value = values[i];
      records.push_back(record);
    }
  }
  std::vector<std::string> keys;
  std::vector<std::string> values;
  std::vector<InputRecord> records;
  size_t bytes = 0;
};

void CountEvents(benchmark::State& state, size_t each) {
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(each));
}

void Decode(benchmark::State& state) {
  const Clicks clicks;
  InputOptions options;
  options.name = "clicks";
  options.kind = InputKind::kClicks;
  const auto decoder = EventDecoder::Make(options, 0, "key").value();
  EventBatch batch;
  for (auto _ : state) {
    batch.Clear();
    decoder->Decode(clicks.records, {"clicks", 0}, 1, 0, batch);
    benchmark::DoNotOptimize(batch.events.data());
  }
  if (batch.events.size() != kEvents || batch.events[8].action != ClickAction::kCart ||
      batch.events[9].key != clicks.keys[9]) {
    state.SkipWithError("not decoded as written");
  }
  CountEvents(state, kEvents);
}
BENCHMARK(Decode);

void DecodeLight(benchmark::State& state) {
  const Clicks clicks;
  uint64_t sum = 0;
  for (auto _ : state) {
    for (const std::string& value : clicks.values) {
      uint64_t word = 0;
      for (size_t at = 0; at + 8 <= value.size(); at += 8) {
        std::memcpy(&word, value.data() + at, 8);
        sum += word;
      }
    }
    benchmark::DoNotOptimize(sum);
  }
  CountEvents(state, kEvents);
}
BENCHMARK(DecodeLight);

void Intern(benchmark::State& state) {
  const Clicks clicks;
  SeriesDictionary dictionary(1);
  uint64_t sum = 0;
  for (auto _ : state) {
    for (const std::string& key : clicks.keys) sum += dictionary.Intern(key);
    benchmark::DoNotOptimize(sum);
  }
  for (size_t i = 0; i < kEvents; ++i) {
    const auto id = dictionary.Find(clicks.keys[i]);
    if (!id || dictionary.name(*id) != clicks.keys[i]) state.SkipWithError("a name does not come back");
  }
  CountEvents(state, kEvents);
}
BENCHMARK(Intern);

void InternLight(benchmark::State& state) {
  const Clicks clicks;
  uint64_t sum = 0;
  for (auto _ : state) {
    for (const std::string& key : clicks.keys) sum += Hash64(key);
    benchmark::DoNotOptimize(sum);
  }
  CountEvents(state, kEvents);
}
BENCHMARK(InternLight);

/// views, carts, quantity, revenue, greatest price.
Accumulator Layout() {
  ViewOptions view;
  view.target = "quantity";
  const auto add = [&view](const char* name, const char* input, Aggregate aggregate, NumberField field) {
    FeatureOptions feature;
    feature.name = name;
    feature.input = input;
    feature.aggregate = aggregate;
    feature.field = field;
    view.features.push_back(feature);
  };
  add("views", "clicks", Aggregate::kCount, NumberField::kQuantity);
  view.features.back().action = ClickAction::kView;
  add("carts", "clicks", Aggregate::kCount, NumberField::kQuantity);
  view.features.back().action = ClickAction::kCart;
  add("quantity", "orders", Aggregate::kSum, NumberField::kQuantity);
  add("revenue", "orders", Aggregate::kSum, NumberField::kAmount);
  add("max_price", "orders", Aggregate::kMax, NumberField::kUnitPrice);
  return Accumulator::Make(view, {"orders", "clicks"}, {InputKind::kOrders, InputKind::kClicks}).value();
}

Event Order(size_t i) {
  Event event;
  event.kind = InputKind::kOrders;
  event.input = 0;
  event.time = EventTime::FromMillis(static_cast<int64_t>(i));
  event.Set(NumberField::kQuantity, Decimal{2 * Decimal::kOne});
  event.Set(NumberField::kUnitPrice, Decimal{static_cast<int64_t>(1 + i % 7) * Decimal::kOne});
  event.Set(NumberField::kAmount, Decimal{static_cast<int64_t>(2 + i % 7) * Decimal::kOne});
  return event;
}

void PaneUpdate(benchmark::State& state) {
  const Accumulator layout = Layout();
  PaneTable pane(layout);
  std::vector<Event> events;
  for (size_t i = 0; i < kEvents; ++i) events.push_back(Order(i));
  for (auto _ : state) {
    for (size_t i = 0; i < kEvents; ++i) {
      pane.AddEvent(pane.FindOrAdd(static_cast<uint32_t>(SeriesOf(i))), events[i]);
    }
    benchmark::DoNotOptimize(pane.size());
  }
  double counted = 0;
  double sold = 0;
  for (uint32_t row = 0; row < pane.size(); ++row) {
    counted += static_cast<double>(pane.slots(row)[0]);
    sold += pane.Value(2, row);
  }
  if (counted != static_cast<double>(state.iterations()) * kEvents || sold != 2 * counted)
    state.SkipWithError("lost events");
  CountEvents(state, kEvents);
}
BENCHMARK(PaneUpdate);

void PaneUpdateLight(benchmark::State& state) {
  std::vector<int64_t> sums(kSeries * 6);
  for (auto _ : state) {
    for (size_t i = 0; i < kEvents; ++i) {
      int64_t* row = sums.data() + SeriesOf(i) * 6;
      row[0] += 1;
      row[3] += 2;
      row[4] += static_cast<int64_t>(i % 7);
      row[5] = std::max(row[5], static_cast<int64_t>(i % 7));
    }
    benchmark::DoNotOptimize(sums.data());
  }
  CountEvents(state, kEvents);
}
BENCHMARK(PaneUpdateLight);

/// One close of a window of 60 panes over all series: the newest pane comes in, the oldest leaves.
void PaneCombine(benchmark::State& state) {
  constexpr size_t kPanes = 61;
  const Accumulator layout = Layout();
  std::vector<PaneTable> panes;
  for (size_t p = 0; p < kPanes; ++p) panes.emplace_back(layout);
  for (size_t p = 0; p < kPanes; ++p) {
    for (size_t i = 0; i < kSeries / 3; ++i) {
      panes[p].AddEvent(panes[p].FindOrAdd(static_cast<uint32_t>(Mix64(p * kSeries + i) % kSeries)), Order(p + i));
    }
    panes[p].Seal(true);
  }
  HoppingWindow window(layout, 0, 0, kPanes - 1);
  std::vector<double> values;
  int64_t minute = 0;
  int64_t events = 0;
  std::vector<const PaneTable*> at(kPanes);
  const auto at_minute = [&](int64_t m) {
    for (size_t i = 0; i < kPanes; ++i)
      at[i] = &panes[static_cast<size_t>(m + static_cast<int64_t>(kPanes - i)) % kPanes];
  };
  for (auto _ : state) {
    at_minute(minute);
    events = 0;
    for (uint32_t id = 0; id < kSeries; ++id) {
      events += window.Advance(id, EventTime::FromSeconds(minute * 60), EventTime::FromSeconds(minute * 60 + 60), at,
                               &values);
    }
    ++minute;
  }
  int64_t expected = 0;
  at_minute(minute - 1);
  for (uint32_t id = 0; id < kSeries; ++id) expected += window.Combine(id, std::span(at).first(kPanes - 1), &values);
  if (events != expected) state.SkipWithError("the running sums are not those of the panes");
  CountEvents(state, kSeries);
}
BENCHMARK(PaneCombine);

void PaneCombineLight(benchmark::State& state) {
  std::vector<int64_t> running(kSeries * 6), comes(kSeries * 6, 2), leaves(kSeries * 6, 1);
  for (auto _ : state) {
    for (size_t i = 0; i < running.size(); ++i) running[i] += comes[i] - leaves[i];
    benchmark::DoNotOptimize(running.data());
  }
  CountEvents(state, kSeries);
}
BENCHMARK(PaneCombineLight);

}  // namespace
}  // namespace tidecast
