// What an epoch writes, beside a plain copy of the same bytes.
#include <benchmark/benchmark.h>

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/hash.h"
#include "operators/pane_table.h"
#include "operators/series_dictionary.h"
#include "state/state_store.h"
#include "state/task_keyspace.h"

namespace tidecast {
namespace {

constexpr uint32_t kSeries = 6250;

Accumulator Layout() {
  ViewOptions view;
  view.target = "units";
  for (const char* name : {"units", "price"}) {
    FeatureOptions feature;
    feature.name = name;
    feature.input = "orders";
    feature.aggregate = Aggregate::kSum;
    view.features.push_back(feature);
  }
  return Accumulator::Make(view, {"orders"}, {InputKind::kOrders}).value();
}

void Touch(PaneTable& pane) {
  Event event;
  event.Set(NumberField::kQuantity, Decimal{3 * Decimal::kOne});
  for (uint32_t i = 0; i < kSeries / 3; ++i)
    pane.AddEvent(pane.FindOrAdd(static_cast<uint32_t>(Mix64(i) % kSeries)), event);
}

/// Rows of the panes as they go to the changelog and the store: a third of the series was touched.
void ChangelogEncode(benchmark::State& state) {
  const Accumulator layout = Layout();
  PaneTable pane(layout);
  size_t bytes = 0;
  size_t rows = 0;
  for (auto _ : state) {
    state.PauseTiming();
    Touch(pane);
    state.ResumeTiming();
    StateBatch batch;
    TaskDeltaSink sink(batch, {Stage::kSeries, 3});
    pane.Save(0, EventTime::FromSeconds(60), BlockJournal::kNoDeltas, sink);
    bytes = 0;
    for (const StateBatch::Row& row : batch.rows()) bytes += row.key.size() + row.value.size();
    rows = batch.rows().size();
  }
  PaneTable again(layout);
  StateBatch batch;
  TaskDeltaSink sink(batch, {Stage::kSeries, 3});
  Touch(pane);
  pane.Save(0, EventTime::FromSeconds(60), BlockJournal::kNoDeltas, sink);
  for (const StateBatch::Row& row : batch.rows()) {
    uint32_t block = 0;
    for (const char c : row.key.substr(row.key.size() - 4)) block = block << 8 | static_cast<unsigned char>(c);
    if (!again.LoadBlock(block, kSeries, row.value).ok()) state.SkipWithError("a block does not read back");
  }
  if (again.size() != pane.size()) state.SkipWithError("rows are missing");
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * pane.size());
  state.counters["values"] = static_cast<double>(rows);
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(ChangelogEncode);

void ChangelogEncodeLight(benchmark::State& state) {
  const std::vector<int64_t> slots(size_t{kSeries} / 3 * 3, 77);
  std::vector<int64_t> copy(slots.size());
  for (auto _ : state) {
    std::memcpy(copy.data(), slots.data(), slots.size() * sizeof(int64_t));
    benchmark::DoNotOptimize(copy.data());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * (kSeries / 3));
}
BENCHMARK(ChangelogEncodeLight);

/// One epoch's batch into RocksDB: 1,600 values of 250 bytes, sorted, as blocks of panes are.
struct Epoch {
  static constexpr size_t kRows = 1600;
  static std::string Key(size_t minute, size_t i) {
    return KeyWriter()
        .U8(1)
        .U16(0)
        .U8(0x10)
        .U16(0)
        .Time(EventTime::FromSeconds(static_cast<int64_t>(minute) * 60))
        .U32(static_cast<uint32_t>(i))
        .Take();
  }
};

void WriteBatch(benchmark::State& state) {
  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / fmt::format("tidecast-parts-{}", getpid());
  {
    const auto store = OpenRocksStore({directory.string(), 64ULL << 20, false}).value();
    const std::string value(250, 'v');
    size_t epoch = 0;
    for (auto _ : state) {
      StateBatch batch;
      for (size_t i = 0; i < Epoch::kRows; ++i) batch.Put(Family::kPanes, Epoch::Key(epoch, i), value);
      if (!store->Write(batch).ok()) state.SkipWithError("not written");
      ++epoch;
    }
    std::string read;
    if (!store->Get(Family::kPanes, Epoch::Key(epoch - 1, Epoch::kRows - 1), &read).value() || read != value)
      state.SkipWithError("not there");
  }
  std::filesystem::remove_all(directory);
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(Epoch::kRows));
}
BENCHMARK(WriteBatch);

void WriteBatchLight(benchmark::State& state) {
  const std::string value(Epoch::kRows * 276, 'v');
  std::string copy(value.size(), ' ');
  for (auto _ : state) {
    std::memcpy(copy.data(), value.data(), value.size());
    benchmark::DoNotOptimize(copy.data());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(Epoch::kRows));
}
BENCHMARK(WriteBatchLight);

/// A store of its own under the temporary directory.
struct OwnStore {
  OwnStore() : directory(std::filesystem::temp_directory_path() / fmt::format("tidecast-parts-{}", getpid())) {
    store = OpenRocksStore({directory.string(), 64ULL << 20, false}).value();
  }
  ~OwnStore() {
    store.reset();
    std::filesystem::remove_all(directory);
  }
  const std::filesystem::path directory;
  std::unique_ptr<StateStore> store;
};

/// What a start does for each series: its name out of the store.
void DictionaryReload(benchmark::State& state) {
  const auto series = static_cast<uint32_t>(state.range(0));
  const OwnStore own;
  const TaskId task{Stage::kSeries, 3};
  SeriesDictionary names(1);
  for (uint32_t i = 0; i < series;) {
    for (const uint32_t end = std::min(series, i + 10'000); i < end; ++i)
      names.SetBirth(0, names.Intern(fmt::format("SKU-{:07}", Mix64(i) % 10'000'000'000)), EventTime::FromSeconds(60));
    StateBatch batch;
    TaskDeltaSink sink(batch, task);
    names.Save(sink);
    if (!own.store->Write(batch).ok()) state.SkipWithError("not written");
  }
  SeriesDictionary again(1);
  for (auto _ : state) {
    if (!again.Reload(TaskStateReader(*own.store, task)).ok()) state.SkipWithError("not read");
  }
  if (again.size() != names.size() || again.name(series / 2) != names.name(series / 2))
    state.SkipWithError("names are missing");
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * series);
}
BENCHMARK(DictionaryReload)->Arg(125'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

/// The same names into a table that has room for them.
void DictionaryReloadLight(benchmark::State& state) {
  const auto series = static_cast<size_t>(state.range(0));
  std::vector<std::string> names;
  for (size_t i = 0; i < series; ++i) names.push_back(fmt::format("SKU-{:07}", Mix64(i) % 10'000'000'000));
  for (auto _ : state) {
    boost::unordered_flat_map<std::string_view, uint32_t> ids(series);
    for (const std::string& name : names) ids.emplace(name, static_cast<uint32_t>(ids.size()));
    benchmark::DoNotOptimize(ids);
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(series));
}
BENCHMARK(DictionaryReloadLight)->Arg(125'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tidecast
