#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "engine/core/event.h"
#include "operators/window_aggregator.h"
#include "state/state_store.h"
#include "state/task_keyspace.h"

namespace tidecast::testing {

inline constexpr int64_t kHour = 3600;
inline constexpr int64_t kDay = 24 * kHour;
inline EventTime At(int64_t seconds) { return EventTime::FromSeconds(seconds); }

/// A row as a sink has seen it.
struct SeenRow {
  uint16_t view = 0;
  int window = -1;  ///< -1: a bucket
  std::string series;
  EventTime start;
  EventTime end;
  uint32_t revision = 1;
  EventTime revised_at;
  std::vector<double> features;
  std::vector<float> known;
  std::string category;
  std::string Text() const {
    std::string text =
        fmt::format("v{} w{} {} [{},{}) r{} @{}", view, window, series, start.us, end.us, revision, revised_at.us);
    for (const double f : features) text += fmt::format(" {}", f);
    for (const float k : known) text += fmt::format(" k{}", k);
    return text;
  }
};

class RecordingSink final : public WindowSink {
 public:
  void OnBucket(const ClosedBucket& bucket) override { Keep(bucket, -1); }
  void OnWindow(const ClosedBucket& window, uint16_t index) override { Keep(window, index); }
  void OnBucketEnd(uint16_t view, EventTime start, EventTime end, bool open) override {
    over.emplace_back(view, start, open);
    log.push_back(fmt::format("over v{} [{},{}) {}", view, start.us, end.us, open));
  }
  void Clear() {
    rows.clear();
    over.clear();
    log.clear();
  }
  std::vector<SeenRow> rows;
  std::vector<std::tuple<uint16_t, EventTime, bool>> over;
  std::vector<std::string> log;  ///< everything, in order

 private:
  void Keep(const ClosedBucket& b, int window) {
    rows.push_back({b.view, window, std::string(b.series), b.start, b.end, b.revision, b.revised_at,
                    std::vector<double>(b.features.begin(), b.features.end()),
                    std::vector<float>(b.known.begin(), b.known.end()), std::string(b.category)});
    log.push_back(rows.back().Text());
  }
};

/// Says what a test set; kActive for all that it did not.
class FixedActivity final : public ActivityBoard {
 public:
  Answer Ask(uint16_t, EventTime start, EventTime) const override {
    const auto at = answers.find(start);
    return at == answers.end() ? other : at->second;
  }
  std::map<EventTime, Answer> answers;
  Answer other = Answer::kActive;
};

inline FeatureOptions Feature(std::string name, Aggregate aggregate, NumberField field = NumberField::kQuantity,
                              std::string input = "orders") {
  FeatureOptions feature;
  feature.name = std::move(name);
  feature.input = std::move(input);
  feature.aggregate = aggregate;
  feature.field = field;
  return feature;
}

inline Event Order(std::string_view key, int64_t seconds, double quantity = 1, uint64_t customer = 0) {
  Event event;
  event.key = key;
  event.time = At(seconds);
  event.customer = customer;
  event.Set(NumberField::kQuantity, Decimal{static_cast<int64_t>(std::llround(quantity * 1e6))});
  return event;
}

/// Hour buckets in UTC of the sum of quantities, one input.
inline WindowAggregator::Options HourlyUnits(int64_t lateness_seconds = 0) {
  WindowAggregator::Options options;
  ViewOptions view;
  view.calendar.unit = BucketUnit::kHour;
  view.features = {Feature("units", Aggregate::kSum)};
  view.allowed_lateness = std::chrono::seconds(lateness_seconds);
  view.forecast = false;
  options.views = {view};
  options.input_names = {"orders"};
  options.input_kinds = {InputKind::kOrders};
  options.dedupe_keep = {Duration{}};
  return options;
}

/// A store in memory and the task that the windows of a test are in.
class Committer {
 public:
  Committer() : store_(MakeMemoryStore()), reader_(*store_, {Stage::kSeries, 3}) {}
  void Commit(WindowAggregator& windows) {
    StateBatch batch;
    TaskDeltaSink sink(batch, {Stage::kSeries, 3});
    windows.Save(++epoch_, sink);
    TC_CHECK(store_->Write(batch).ok());
    windows.OnCommitted(epoch_);
  }
  const StateReader& reader() const { return reader_; }
  void Rewrite(std::string_view key, std::string_view value) {
    StateBatch batch;
    TaskDeltaSink(batch, {Stage::kSeries, 3}).Put(Family::kPanes, key, value);
    TC_CHECK(store_->Write(batch).ok());
  }
  std::map<std::string, std::string> Contents() const {
    std::map<std::string, std::string> all;
    TC_CHECK(reader_
                 .Scan(Family::kPanes, "", "",
                       [&all](std::string_view key, std::string_view value) {
                         all.emplace(key, value);
                         return true;
                       })
                 .ok());
    return all;
  }

 private:
  std::unique_ptr<StateStore> store_;
  TaskStateReader reader_;
  Epoch epoch_ = 0;
};

inline std::unique_ptr<WindowAggregator> MakeWindows(const WindowAggregator::Options& options) {
  auto made = WindowAggregator::Make(options);
  TC_CHECK(made.ok(), "{}", made.status().message());
  return std::move(made).value();
}

/// Closes all that is due, `rows_max` rows a call.
inline void Drain(WindowAggregator& windows, EventTime watermark, WindowSink& sink, const ActivityBoard& activity,
                  size_t rows_max = 4096) {
  while (!windows.OnWatermark(watermark, activity, sink, rows_max)) {
  }
}

}  // namespace tidecast::testing
