#include "tests/simulation/shop.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "engine/core/hash.h"

namespace tidecast::simulation {
namespace {

constexpr int64_t kStartSeconds = 1'704'067'200;  // 2024-01-01T00:00:00Z, a Monday
constexpr int64_t kDaySeconds = 86'400;
constexpr int64_t kBoundSeconds = 2 * 3600;
constexpr int64_t kLatenessSeconds = 24 * 3600;
constexpr std::string_view kNamespace = "shop";

std::string Topic(std::string_view input) { return fmt::format("{}.{}", kNamespace, input); }

std::string DayOf(int64_t seconds) {
  const std::chrono::sys_days day =
      std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
  const std::chrono::year_month_day date{day};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

InputOptions Input(const std::string& name, InputKind kind) {
  InputOptions input;
  input.name = name;
  input.kind = kind;
  input.topic = Topic(name);
  input.time_format = TimeFormat::kSeconds;
  input.watermark.bound = std::chrono::seconds(kBoundSeconds);
  return input;
}

FeatureOptions Feature(const std::string& name, const std::string& input, Aggregate aggregate,
                       SignFilter sign = SignFilter::kAll) {
  FeatureOptions feature;
  feature.name = name;
  feature.input = input;
  feature.aggregate = aggregate;
  feature.sign = sign;
  return feature;
}

EngineOptions MakeOptions(const ShopSpec& spec) {
  EngineOptions options;
  options.name_space = kNamespace;
  options.transport = TransportKind::kKafka;
  options.partitions = spec.partitions;
  options.memory_limit_bytes = 64 << 20;
  options.commit_interval = std::chrono::milliseconds(20);
  InputOptions orders = Input("orders", InputKind::kOrders);
  orders.dedupe = DedupeOptions{{"order_id"}, std::chrono::hours(24 * 30)};
  options.inputs = {orders, Input("clicks", InputKind::kClicks)};
  for (InputOptions& input : options.inputs) input.watermark.idle_timeout = spec.idle_timeout;
  if (spec.facts) {
    options.inputs.push_back(Input("catalog", InputKind::kCatalog));
    options.inputs.push_back(Input("promotions", InputKind::kPromotions));
    options.inputs.push_back(Input("inventory", InputKind::kInventory));
  }
  ViewOptions view;
  view.calendar.open = spec.open;
  view.allowed_lateness = std::chrono::seconds(kLatenessSeconds);
  view.horizon = 3;
  view.domain = ValueDomain::kCount;
  view.features = {Feature("units", "orders", Aggregate::kSum, SignFilter::kPositive),
                   Feature("returns", "orders", Aggregate::kSum, SignFilter::kNegative),
                   Feature("views", "clicks", Aggregate::kCount),
                   Feature("customers", "orders", Aggregate::kDistinct, SignFilter::kPositive)};
  view.features[1].absolute = true;
  view.past_covariates = {"views"};
  if (spec.facts) {
    view.features.push_back(Feature("stock", "inventory", Aggregate::kLast));
    view.features.back().field = NumberField::kOnHand;
    view.features.push_back(Feature("price", "catalog", Aggregate::kLast));
    view.features.back().field = NumberField::kUnitPrice;
  }
  WindowOptions three_days;
  three_days.name = "three_days";
  three_days.size_buckets = 3;
  WindowOptions visit;
  visit.kind = WindowKind::kSession;
  visit.name = "visit";
  visit.gap = std::chrono::hours(4);
  view.windows = {three_days, visit};
  options.views = {view};
  if (spec.grouped) {
    view.features.resize(4);  // facts are of one sku
    const auto add = [&](std::string name, GroupBy group_by, bool forecast) {
      view.name = std::move(name);
      view.group_by = group_by;
      view.forecast = forecast;
      options.views.push_back(view);
    };
    view.windows = {three_days};
    add("total", GroupBy::kAll, true);
    view.windows.clear();
    add("country", GroupBy::kCountry, true);
    if (spec.facts) add("category", GroupBy::kCategory, true);
    if (spec.open == OpenRule::kLearned) view.calendar.open = OpenRule::kAll;
    add("customer", GroupBy::kCustomer, false);
  }
  options.model.net = NetKind::kNone;
  options.model.experts = {"smoothing_20", "negative_binomial_900"};
  options.model.block_series = 4;
  options.alerts.age_buckets_min = 4;
  options.alerts.tail_probability = .02;
  options.alerts.effect_absolute_min = 2;
  return options;
}

OutputRecord MakeRecord(std::string_view input, const std::string& sku, int64_t seconds, const nlohmann::json& value) {
  OutputRecord record;
  record.topic = Topic(input);
  record.key = sku;
  record.value = value.dump();
  record.record_time = EventTime::FromSeconds(seconds);
  return record;
}

/// A record with the time at which it reaches its topic.
struct Arrival {
  int64_t seconds = 0;
  OutputRecord record;
};

class Generator {
 public:
  explicit Generator(const ShopSpec& spec) : spec_(spec), random_(spec.seed) {}

  std::vector<OutputRecord> Run() {
    for (int s = 0; s < spec_.series; ++s) {
      if (spec_.facts) {
        Add("catalog", Sku(s), kStartSeconds, {{"unit_price", 2.0 + s}, {"category", "c" + std::to_string(s % 2)}});
        Add("inventory", Sku(s), kStartSeconds, {{"on_hand", 50 + s}, {"due_in", 3}});
      }
    }
    for (int day = 0; day < spec_.days; ++day) {
      if (spec_.open == OpenRule::kLearned && day % 7 == 6) continue;
      for (int i = 0; i < spec_.orders_a_day; ++i) AddOrder(day);
      for (int i = 0; i < spec_.orders_a_day / 2; ++i) {
        Add("clicks", AnySku(), TimeOn(day), {{"action", "view"}, {"session_id", "v" + std::to_string(Below(20))}});
      }
      if (spec_.facts) AddFacts(day);
    }
    std::stable_sort(arrivals_.begin(), arrivals_.end(),
                     [](const Arrival& a, const Arrival& b) { return a.seconds < b.seconds; });
    std::vector<OutputRecord> records;
    for (Arrival& arrival : arrivals_) records.push_back(std::move(arrival.record));
    return records;
  }

 private:
  int64_t Below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  std::string Sku(int s) const { return "s" + std::to_string(s); }
  std::string AnySku() { return Sku(static_cast<int>(std::min(Below(spec_.series), Below(spec_.series)))); }
  int64_t TimeOn(int day) { return kStartSeconds + day * kDaySeconds + Below(kDaySeconds); }
  // Mostly soon, at times a good deal late: by hours (a revision) or by days (too late).
  int64_t Delay() {
    if (!spec_.unruly) return 0;
    const int64_t kind = spec_.late ? Below(40) : 40;
    if (kind == 0) return 3600 * (24 + Below(72));
    return kind < 4 ? 3600 * (2 + Below(20)) : Below(kBoundSeconds);
  }
  void Add(std::string_view input, const std::string& sku, int64_t seconds, nlohmann::json value) {
    value["sku"] = sku;
    value["ts"] = seconds;
    const int64_t arrives = seconds + Delay();
    arrivals_.push_back({arrives, MakeRecord(input, sku, arrives, value)});
  }
  void AddOrder(int day) {
    const std::string id = "o" + std::to_string(next_order_++);
    const int64_t quantity = Below(12) == 0 ? -1 - Below(3) : 1 + Below(4) * Below(3);
    const std::string sku = AnySku();
    const int64_t time = TimeOn(day);
    nlohmann::json order = {
        {"quantity", quantity}, {"order_id", id}, {"customer_id", "c" + std::to_string(Below(9))}, {"unit_price", 1.5}};
    if (spec_.grouped && next_order_ % 5 != 0) order["country"] = next_order_ % 3 == 0 ? "Eire" : "Norway";
    Add("orders", sku, time, std::move(order));
    if (!spec_.unruly) return;
    if (Below(25) == 0) {
      Arrival again = arrivals_.back();
      again.seconds += 1 + Below(3 * 3600);
      arrivals_.push_back(std::move(again));
    }
    if (Below(40) == 0) {
      OutputRecord bad = MakeRecord("orders", sku, time, {});
      bad.value = fmt::format("{{\"sku\":\"{}\",\"quantity\":\"many\",\"n\":{}}}", sku, next_order_);
      arrivals_.push_back({time, std::move(bad)});
    }
  }
  void AddFacts(int day) {
    const int64_t time = TimeOn(day);
    if (Below(3) == 0) {
      nlohmann::json fact = {{"unit_price", 1 + Below(9)}};
      if (spec_.grouped) fact["category"] = "c" + std::to_string(day % 3);
      Add("catalog", AnySku(), time, std::move(fact));
    }
    if (Below(3) == 0) {
      Add("promotions", AnySku(), time,
          {{"from", time + Below(kDaySeconds)},
           {"to", time + (1 + Below(4)) * kDaySeconds},
           {"depth", .1},
           {"promotion", "p" + std::to_string(day)}});
    }
    for (int s = 0; s < spec_.series; ++s)
      Add("inventory", Sku(s), TimeOn(day), {{"on_hand", Below(90)}, {"due_in", Below(5)}});
  }

  const ShopSpec spec_;
  std::mt19937_64 random_;
  std::vector<Arrival> arrivals_;
  int64_t next_order_ = 1;
};

// As the decoder makes it with the config's default key.
std::string PseudonymOf(const std::string& customer) {
  return fmt::format("{:016x}", Hash64(customer, Hash64("tidecast", 0x70736575646F6E79ULL)));
}

/// What decides about the events of one partition of one input.
struct PartitionTruth {
  std::optional<int64_t> newest;  ///< seconds
  std::set<std::string> ids;
};

}  // namespace

EventTime ShopStart() { return EventTime::FromSeconds(kStartSeconds); }

Shop MakeShop(const ShopSpec& spec) {
  Shop shop{spec, MakeOptions(spec), Generator(spec).Run(), {}};
  for (const InputOptions& input : shop.options.inputs) shop.input_topics.push_back(input.topic);
  return shop;
}

OutputRecord MakeOrder(const std::string& sku, EventTime time, int quantity, const std::string& order_id,
                       const std::string& customer) {
  const int64_t seconds = time.us / 1'000'000;
  return MakeRecord(
      "orders", sku, seconds,
      {{"sku", sku}, {"ts", seconds}, {"quantity", quantity}, {"order_id", order_id}, {"customer_id", customer}});
}

ShopTruth ComputeTruth(const Shop& shop) {
  ShopTruth truth;
  std::map<std::pair<std::string, int32_t>, PartitionTruth> partitions;
  std::map<std::pair<std::string, std::string>, std::set<std::string>> customers;
  const auto count = [&](const std::string& series, int64_t time, const nlohmann::json& event, bool is_order) {
    const std::pair<std::string, std::string> place{series, DayOf(time)};
    ShopTruth::Row& row = truth.rows[place];
    if (!is_order) {
      ++row.views;
      return;
    }
    const int64_t quantity = event["quantity"];
    if (quantity > 0) {
      row.units += quantity;
      customers[place].insert(event["customer_id"]);
      row.customers = static_cast<int64_t>(customers[place].size());
    } else {
      row.returns -= quantity;
    }
  };
  for (const OutputRecord& record : shop.records) {
    ++truth.read;
    const auto value = nlohmann::json::parse(*record.value);
    if (!value.contains("ts")) {
      truth.dead.insert(*record.value);
      continue;
    }
    const bool is_order = record.topic == Topic("orders");
    if (!is_order && record.topic != Topic("clicks")) {
      ++truth.accepted;
      continue;
    }
    PartitionTruth& partition = partitions[{record.topic, PartitionOf(record.key, shop.spec.partitions)}];
    const int64_t time = value["ts"];
    const bool too_late = partition.newest && (time / kDaySeconds + 1) * kDaySeconds + kLatenessSeconds <=
                                                  *partition.newest - kBoundSeconds;
    partition.newest = std::max(partition.newest.value_or(time), time);
    if (is_order && partition.ids.contains(value["order_id"])) {
      ++truth.duplicates;
      continue;
    }
    if (too_late) {
      truth.late.insert(*record.value);
      continue;
    }
    ++truth.accepted;
    if (is_order) partition.ids.insert(value["order_id"]);
    count("sku/" + record.key, time, value, is_order);
    if (!shop.spec.grouped) continue;
    count("total/all", time, value, is_order);
    count("country/" + value.value("country", std::string("unknown")), time, value, is_order);
    if (is_order) count("customer/" + PseudonymOf(value["customer_id"]), time, value, is_order);
  }
  return truth;
}

}  // namespace tidecast::simulation
