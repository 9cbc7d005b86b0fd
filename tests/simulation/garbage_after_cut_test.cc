// A backlog of all inputs stands in the topics before the engine starts. Whatever in it comes after t is replaced by
// garbage: every forecast, alert and feature row up to t keeps its bytes. Components that peek ahead on purpose must be
// found out.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>
#include <random>

#include "engine/core/hash.h"
#include "tests/simulation/engine_process.h"

namespace tidecast::simulation {
namespace {

constexpr int kDays = 30;
constexpr int kSeries = 8;
constexpr int64_t kDaySeconds = 86'400;
constexpr size_t kStock = 1, kPrice = 2;  // places in past_covariates

int64_t SecondsOf(EventTime time) { return time.us / 1'000'000; }
int64_t DayStart(int day) { return SecondsOf(ShopStart()) + day * kDaySeconds; }
std::string Sku(int s) { return "s" + std::to_string(s); }

OutputRecord Record(const std::string& topic, const std::string& key, int64_t seconds, nlohmann::json value) {
  value["ts"] = seconds;
  value[topic == "shop.market" ? "symbol" : "sku"] = key;
  OutputRecord record;
  record.topic = topic;
  record.key = key;
  record.value = value.dump();
  record.record_time = EventTime::FromSeconds(seconds);
  return record;
}

/// Orders, clicks, catalog, promotions, inventory and market; each record reaches its topic when it happens or is
/// announced.
Shop MakeBacklog() {
  Shop shop =
      MakeShop({.seed = 11, .series = kSeries, .days = kDays, .orders_a_day = 40, .facts = true, .unruly = false});
  InputOptions market = shop.options.inputs[0];
  market.name = "market";
  market.kind = InputKind::kMarket;
  market.topic = "shop.market";
  market.dedupe.reset();
  shop.options.inputs.push_back(market);
  shop.input_topics.push_back(market.topic);
  ViewOptions& view = shop.options.views[0];
  FeatureOptions close;
  close.name = "close";
  close.input = "market";
  close.aggregate = Aggregate::kLast;
  close.field = NumberField::kUnitPrice;
  view.features.push_back(close);
  view.past_covariates = {"views", "stock", "price", "close"};
  shop.options.model.experts.clear();  // all that there are
#ifdef TIDECAST_NET_MODULE
  shop.options.model.net = NetKind::kLstm;
  shop.options.model.device = "cpu";
  shop.options.model.net_module = TIDECAST_NET_MODULE;
#endif
  std::mt19937_64 random(5);
  for (int day = 0; day < kDays; ++day) {
    for (int s = 0; s < kSeries; ++s) {
      shop.records.push_back(Record("shop.market", Sku(s), DayStart(day) + 3600 * 16, {{"close", 100 + random() % 9}}));
    }
    // Told after it began, told long before it begins, and taken back.
    const int64_t now = DayStart(day) + 3600 * 9;
    const std::string name = "q" + std::to_string(day);
    if (day % 3 == 0) {
      shop.records.push_back(
          Record("shop.promotions", Sku(day % kSeries), now,
                 {{"from", now - 2 * kDaySeconds}, {"to", now + 2 * kDaySeconds}, {"depth", .3}, {"promotion", name}}));
    } else if (day % 3 == 1) {
      shop.records.push_back(
          Record("shop.promotions", Sku(day % kSeries), now,
                 {{"from", now + 2 * kDaySeconds}, {"to", now + 4 * kDaySeconds}, {"depth", .5}, {"promotion", name}}));
      shop.records.push_back(Record(
          "shop.promotions", Sku(day % kSeries), now + kDaySeconds,
          {{"from", now + 2 * kDaySeconds}, {"to", now + 2 * kDaySeconds + 60}, {"depth", 0}, {"promotion", name}}));
    }
  }
  std::stable_sort(shop.records.begin(), shop.records.end(),
                   [](const OutputRecord& a, const OutputRecord& b) { return a.record_time < b.record_time; });
  return shop;
}

/// The same until `cut`; from then on other values, fewer events, more events, other facts, facts that hold since long
/// before, events about days before the cut.
std::vector<OutputRecord> GarbageAfter(const std::vector<OutputRecord>& records, int64_t cut) {
  std::vector<OutputRecord> garbage;
  std::mt19937_64 random(77);
  const auto below = [&random](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  for (const OutputRecord& record : records) {
    const int64_t seconds = SecondsOf(record.record_time);
    if (seconds < cut) {
      garbage.push_back(record);
      continue;
    }
    if (below(6) == 0) continue;
    nlohmann::json value = nlohmann::json::parse(*record.value);
    for (auto& [field, number] : value.items()) {
      if (!number.is_number() || field == "ts" || field == "from" || field == "to") continue;
      number = field == "depth" ? .99 : static_cast<double>(1000 + below(100'000));
    }
    if (value.contains("from")) value["from"] = cut - 20 * kDaySeconds;
    value.erase("ts");
    garbage.push_back(Record(record.topic, record.key, seconds, value));
  }
  for (int s = 0; s < kSeries + 3; ++s) {
    for (int day = 0; day < 5; ++day) {
      const int64_t at = cut + 1 + day * kDaySeconds + below(kDaySeconds / 2);
      const std::string id = "g" + std::to_string(s) + "-" + std::to_string(day);
      garbage.push_back(Record("shop.orders", Sku(s), at,
                               {{"quantity", 5000}, {"order_id", id}, {"customer_id", "c1"}, {"unit_price", 1}}));
      garbage.push_back(Record("shop.clicks", Sku(s), at, {{"action", "view"}, {"session_id", id}}));
      garbage.push_back(Record("shop.catalog", Sku(s), at, {{"unit_price", 9999}}));
      garbage.push_back(Record("shop.inventory", Sku(s), at, {{"on_hand", -777}, {"due_in", 0}}));
      garbage.push_back(Record("shop.market", Sku(s), at, {{"close", 1}}));
      garbage.push_back(
          Record("shop.promotions", Sku(s), at,
                 {{"from", cut - 25 * kDaySeconds}, {"to", cut + 25 * kDaySeconds}, {"depth", .9}, {"promotion", id}}));
    }
    // Once the day before the cut has surely closed: it is revised, or too late.
    OutputRecord late =
        Record("shop.orders", Sku(s), cut - 1 - below(2 * kDaySeconds),
               {{"quantity", 4000}, {"order_id", "l" + std::to_string(s)}, {"customer_id", "c1"}, {"unit_price", 1}});
    late.record_time = EventTime::FromSeconds(cut + kDaySeconds);
    garbage.push_back(late);
  }
  std::stable_sort(garbage.begin(), garbage.end(),
                   [](const OutputRecord& a, const OutputRecord& b) { return a.record_time < b.record_time; });
  return garbage;
}

/// What a component could read that does not keep to its place in time: the topics as they stand.
class PeekAhead {
 public:
  explicit PeekAhead(const SimulatedBroker& broker) : broker_(broker) {}
  /// The newest value of a field in all of a topic.
  float Newest(const std::string& topic, std::string_view key, const char* field, float otherwise) const {
    ForEach(topic, key, [&](const nlohmann::json& value) {
      if (value.contains(field)) otherwise = value[field];
    });
    return otherwise;
  }
  float UnitsOn(std::string_view key, EventTime day_start) const {
    const int64_t from = SecondsOf(day_start);
    float units = 0;
    ForEach("shop.orders", key, [&](const nlohmann::json& value) {
      const int64_t at = value["ts"];
      if (at >= from && at < from + kDaySeconds) units += std::max(0.0F, value["quantity"].get<float>());
    });
    return units;
  }

 private:
  void ForEach(const std::string& topic, std::string_view key,
               const std::function<void(const nlohmann::json&)>& visit) const {
    for (int32_t p = 0; const PartitionLog* log = broker_.Find({topic, p}); ++p) {
      for (int64_t at = 0; at < log->last_stable(); ++at) {
        if (log->IsVisible(at, true) && log->slot(at).record.key == key)
          visit(nlohmann::json::parse(*log->slot(at).record.value));
      }
    }
  }
  const SimulatedBroker& broker_;
};

/// A row as the leaky component gives it to the forecaster behind it.
struct LeakyRow {
  float actual;
  std::vector<float> past;
  std::vector<float> known;
};
using Leak =
    std::function<void(const PeekAhead& ahead, const BucketContext& context, std::string_view series, LeakyRow& row)>;

/// Passes everything on to a forecaster, but for what `leak` changes in the rows.
class LeakyForecaster final : public Forecaster {
 public:
  LeakyForecaster(std::unique_ptr<Forecaster> behind, const PeekAhead& ahead, Leak leak)
      : behind_(std::move(behind)), ahead_(ahead), leak_(std::move(leak)) {}
  Status Ready() override { return behind_->Ready(); }
  void BeginRound(const BucketContext& context, size_t blocks) override {
    context_ = context;
    behind_->BeginRound(context, blocks);
  }
  void ResumeRound(const BucketContext& context, size_t blocks) override {
    context_ = context;
    behind_->ResumeRound(context, blocks);
  }
  void ScoreAndLearnBlock(size_t block, std::span<const SeriesRow> rows, std::span<std::string> states,
                          std::span<BucketScore> scores, const OnScored& on_scored) override {
    const Leaked leaked(*this, rows);
    behind_->ScoreAndLearnBlock(block, leaked.rows, states, scores, on_scored);
  }
  Status LearnShared() override { return behind_->LearnShared(); }
  void ForecastBlock(size_t block, std::span<const SeriesRow> rows, std::span<std::string> states,
                     struct ForecastBlock& out) override {
    const Leaked leaked(*this, rows);
    behind_->ForecastBlock(block, leaked.rows, states, out);
  }
  std::vector<Explanation> Explain(const BucketContext& context, const std::string& state) const override {
    return behind_->Explain(context, state);
  }
  void SaveShared(Epoch epoch, DeltaSink& out) override { behind_->SaveShared(epoch, out); }
  void OnCommitted(Epoch epoch) override { behind_->OnCommitted(epoch); }
  Status ReloadShared(const StateReader& store) override { return behind_->ReloadShared(store); }
  ForecasterStats Stats() const override { return behind_->Stats(); }

 private:
  struct Leaked {
    Leaked(const LeakyForecaster& owner, std::span<const SeriesRow> from) : rows(from.begin(), from.end()) {
      for (SeriesRow& row : rows) {
        LeakyRow& changed = changes.emplace_back(
            LeakyRow{row.actual, {row.past.begin(), row.past.end()}, {row.known.begin(), row.known.end()}});
        owner.leak_(owner.ahead_, owner.context_, row.key, changed);
        row.actual = changed.actual;
        row.past = changed.past;
        row.known = changed.known;
      }
    }
    std::vector<SeriesRow> rows;
    std::deque<LeakyRow> changes;
  };
  std::unique_ptr<Forecaster> behind_;
  const PeekAhead& ahead_;
  Leak leak_;
  BucketContext context_;
};

/// What was published about times up to the cut, and how much about later ones. By topic and partition, in order.
struct Published {
  std::vector<std::string> forecasts, alerts, rows, windows;
  std::vector<std::string> forecasts_after;
};

Published RunBacklog(const Shop& shop, const std::vector<OutputRecord>& records, int64_t cut, const Leak& leak) {
  ManualClock clock{ProcessingTime{ShopStart().us}};
  SimulatedBroker broker(clock);
  CreateInputTopics(shop, broker);
  broker.Feed(records);
  Wire wire;
  const PeekAhead ahead(broker);
  EngineProcess::Parts parts{broker, clock, wire, std::make_shared<Disk>(), {}, nullptr};
  if (leak) {
    parts.make_forecaster = [&](const ForecasterOptions& options) -> Result<std::unique_ptr<Forecaster>> {
      TC_ASSIGN_OR_RETURN(auto forecaster, MakeForecaster(options));
      return std::unique_ptr<Forecaster>(std::make_unique<LeakyForecaster>(std::move(forecaster), ahead, leak));
    };
  }
  EngineProcess engine(shop.options, parts);
  EXPECT_TRUE(engine.Start().ok());
  bool bounded = false;
  for (int steps = 0; steps < 1'000'000; ++steps) {
    if (!bounded && engine.instance().running()) {
      EXPECT_TRUE(engine.instance().FinishAtEnd().ok());
      bounded = true;
    }
    const auto progress = engine.Step();
    if (!progress.ok()) {
      ADD_FAILURE() << progress.status().message();
      break;
    }
    clock.Advance(std::chrono::milliseconds(1));
    if (*progress == Instance::Progress::kFinished) break;
  }
  const std::chrono::year_month_day date{
      std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(cut)))};
  const std::string first_after = fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                                              static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  Published published;
  for (const auto& [tp, found] : ReadCommitted(broker, shop.input_topics)) {
    for (const OutputRecord& record : found) {
      if (!record.value) continue;
      if (tp.topic == "shop.forecasts" || tp.topic == "shop.trends") {
        const nlohmann::json value = nlohmann::json::parse(*record.value);
        (value["cutoff"] < first_after ? published.forecasts : published.forecasts_after).push_back(TextOf(record));
      } else if (tp.topic == "shop.alerts") {
        const nlohmann::json value = nlohmann::json::parse(*record.value);
        if (value["time"].get<std::string>().substr(0, 10) <= first_after) published.alerts.push_back(TextOf(record));
      } else if (tp.topic == "shop.features" || tp.topic == "shop.features.three_days") {
        const nlohmann::json value = nlohmann::json::parse(*record.value);
        // Revisions after the close tell of what came after the cut, and say so.
        if (value["revision"] > 1 || value["end"].get<std::string>().substr(0, 10) > first_after) continue;
        (tp.topic == "shop.features" ? published.rows : published.windows).push_back(TextOf(record));
      }
    }
  }
  return published;
}

/// The comparison that finds a leak: what differs up to the cut between a backlog and the same one with garbage after
/// it.
struct Differences {
  size_t forecasts = 0, alerts = 0, rows = 0, windows = 0;
  size_t any() const { return forecasts + alerts + rows + windows; }
};

size_t Unequal(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  size_t unequal = std::max(a.size(), b.size()) - std::min(a.size(), b.size());
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) unequal += a[i] != b[i];
  return unequal;
}

Differences CompareUpTo(int cut_day, const Leak& leak = {}) {
  const Shop shop = MakeBacklog();
  const int64_t cut = DayStart(cut_day);
  const Published clean = RunBacklog(shop, shop.records, cut, leak);
  const Published garbage = RunBacklog(shop, GarbageAfter(shop.records, cut), cut, leak);
  EXPECT_GE(clean.forecasts.size(), static_cast<size_t>(kSeries * (cut_day - 2)));
  EXPECT_GE(clean.rows.size(), static_cast<size_t>(kSeries * (cut_day - 2)));
  EXPECT_GT(clean.windows.size(), 0U);
  if (cut_day > 20) {
    EXPECT_GT(clean.alerts.size(), 0U);
  }
  EXPECT_GT(Unequal(clean.forecasts_after, garbage.forecasts_after), clean.forecasts_after.size() / 2)
      << "the garbage changed nothing";
  return {Unequal(clean.forecasts, garbage.forecasts), Unequal(clean.alerts, garbage.alerts),
          Unequal(clean.rows, garbage.rows), Unequal(clean.windows, garbage.windows)};
}

TEST(GarbageAfterCut, ChangesNoByteOfWhatWasPublishedUpToIt) {
  for (const int cut_day : {9, 24}) {
    const Differences differences = CompareUpTo(cut_day);
    EXPECT_EQ(differences.forecasts, 0U) << cut_day;
    EXPECT_EQ(differences.alerts, 0U) << cut_day;
    EXPECT_EQ(differences.rows, 0U) << cut_day;
    EXPECT_EQ(differences.windows, 0U) << cut_day;
  }
}

TEST(GarbageAfterCut, FindsALabelThatIsUsedBeforeItsBucketHasClosed) {
  const Differences differences =
      CompareUpTo(24, [](const PeekAhead& ahead, const BucketContext& context, std::string_view series, LeakyRow& row) {
        row.actual = ahead.UnitsOn(series, context.ahead[0].start);
      });
  EXPECT_GT(differences.forecasts, 0U);
}

#ifdef TIDECAST_NET_MODULE
TEST(GarbageAfterCut, FindsAStockOrAPriceThatIsReadByNewestInsteadOfAsOf) {
  for (const size_t place : {kStock, kPrice}) {
    const Differences differences =
        CompareUpTo(24, [place](const PeekAhead& ahead, const BucketContext&, std::string_view series, LeakyRow& row) {
          row.past[place] = place == kStock ? ahead.Newest("shop.inventory", series, "on_hand", row.past[place])
                                            : ahead.Newest("shop.catalog", series, "unit_price", row.past[place]);
        });
    EXPECT_GT(differences.forecasts, 0U) << place;
  }
}

TEST(GarbageAfterCut, FindsAPromotionThatIsReadByNewestInsteadOfAsOf) {
  const Differences differences =
      CompareUpTo(24, [](const PeekAhead& ahead, const BucketContext&, std::string_view series, LeakyRow& row) {
        for (size_t step = 0; step < row.known.size(); step += 2)
          row.known[step] = ahead.Newest("shop.promotions", series, "depth", row.known[step]);
      });
  EXPECT_GT(differences.forecasts, 0U);
}
#endif

}  // namespace
}  // namespace tidecast::simulation
