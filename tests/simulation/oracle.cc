#include "tests/simulation/oracle.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/core/hash.h"
#include "engine/runtime/changelog_notes.h"
#include "engine/runtime/changelog_restorer.h"

namespace tidecast::simulation {
namespace {

std::string HeaderOf(const OutputRecord& record, std::string_view name) {
  for (const Header& header : record.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

/// "view/series" of a row; without several views the topics name the series alone.
std::string SeriesOf(const nlohmann::json& row) {
  const std::string view = row["view"];
  const std::string id = row["unique_id"];
  return id.starts_with(view + "/") ? id : view + "/" + id;
}

using Outputs = std::map<TopicPartition, std::vector<OutputRecord>>;

/// Takes out records whose content id comes again later; says which that was unless `doubles` are allowed.
std::string CheckContentIds(Outputs& outputs, bool doubles) {
  std::set<std::string> seen;
  for (auto& [tp, records] : outputs) {
    if (tp.topic == "shop.alerts.state" || tp.topic == "shop.activity") continue;  // states, told again
    const bool is_rekey = tp.topic.find(".rekey.") != std::string::npos;
    std::vector<OutputRecord> kept;
    for (auto record = records.rbegin(); record != records.rend(); ++record) {
      const std::string id = HeaderOf(*record, "tidecast_content_id");
      if (is_rekey && id.empty() && record->key == "watermarks") continue;  // told again
      const std::string named = id.empty() ? HeaderOf(*record, "ce_id") : id;
      if (named.empty()) return "an output has no content id: " + TextOf(*record);
      const bool is_new = seen.insert(tp.topic + " " + named).second;
      if (!is_new && !doubles) return "an output came twice: " + TextOf(*record);
      if (is_new) kept.push_back(std::move(*record));
    }
    std::reverse(kept.begin(), kept.end());
    records = std::move(kept);
  }
  return {};
}

std::string CheckWindows(const ShopTruth& truth, const Outputs& outputs, bool doubles) {
  struct Newest {
    int64_t revision = 0;
    ShopTruth::Row row;
  };
  std::map<std::pair<std::string, std::string>, Newest> found;
  for (const auto& [tp, records] : outputs) {
    if (tp.topic != "shop.features") continue;
    for (const OutputRecord& record : records) {
      const auto value = nlohmann::json::parse(*record.value);
      Newest& newest = found[{SeriesOf(value), value["ds"]}];
      // A row that first appears after its bucket has closed begins with 2.
      const int64_t revision = value["revision"];
      if (!doubles && revision != newest.revision + 1 && !(newest.revision == 0 && revision == 2)) {
        return fmt::format("a revision is missing after {}: {}", newest.revision, *record.value);
      }
      newest.revision = revision;
      newest.row = {value["units"], value["returns"], value["views"], value["customers"]};
    }
  }
  const auto text = [](const ShopTruth::Row& row) {
    return fmt::format("{} units, {} returns, {} views, {} customers", row.units, row.returns, row.views,
                       row.customers);
  };
  for (const auto& [place, row] : truth.rows) {
    const auto at = found.find(place);
    if (at == found.end()) return fmt::format("no row of {} on {}, which had {}", place.first, place.second, text(row));
    if (!(at->second.row == row))
      return fmt::format("the row of {} on {} says {}, the events say {}", place.first, place.second,
                         text(at->second.row), text(row));
  }
  std::map<std::string, std::pair<ShopTruth::Row, ShopTruth::Row>> by_day;  // sums over skus and over categories
  bool has_categories = false;
  for (const auto& [place, newest] : found) {
    const bool is_category = place.first.starts_with("category/");
    has_categories |= is_category;
    if (!is_category && !place.first.starts_with("sku/")) continue;
    auto& [skus, categories] = by_day[place.second];
    ShopTruth::Row& sum = is_category ? categories : skus;
    sum.units += newest.row.units;
    sum.returns += newest.row.returns;
    sum.views += newest.row.views;
  }
  for (const auto& [day, sums] : by_day) {
    if (has_categories && !(sums.first == sums.second))
      return fmt::format("on {} the categories sum up to {}, the skus to {}", day, text(sums.second), text(sums.first));
  }
  for (const auto& [place, newest] : found) {
    if (place.first.starts_with("category/")) continue;
    if (!truth.rows.contains(place) && !(newest.row == ShopTruth::Row{})) {
      return fmt::format("the row of {} on {} says {}, there were no events", place.first, place.second,
                         text(newest.row));
    }
  }
  return {};
}

/// What a rollup says its parts expect against the forecasts of the parts, at each cutoff: of all in sum, of countries
/// and categories (which may not be born yet, or not know of a task that is silent) no more.
std::string CheckBottomUp(const Outputs& outputs) {
  std::map<std::string, std::vector<double>> parts;                            // by cutoff
  std::map<std::pair<std::string, std::string>, std::vector<double>> rollups;  // by view, cutoff
  for (const auto& [tp, records] : outputs) {
    if (tp.topic != "shop.forecasts") continue;
    for (const OutputRecord& record : records) {
      if (!record.value) continue;
      const auto value = nlohmann::json::parse(*record.value);
      const std::string view = value["view"];
      const auto& means = view == "sku" ? value["mean"] : value["mean_bottom_up"];
      std::vector<double>& sum = view == "sku" ? parts[value["cutoff"]] : rollups[{view, value["cutoff"]}];
      sum.resize(means.size());
      for (size_t h = 0; h < means.size(); ++h) sum[h] += means[h].is_null() ? 0 : means[h].get<double>();
      if (view == "total" && means[0].is_null()) rollups.erase({view, value["cutoff"]});
    }
  }
  for (const auto& [place, sum] : rollups) {
    const std::vector<double>& of_parts = parts[place.second];
    for (size_t h = 0; h < sum.size(); ++h) {
      const double expected = h < of_parts.size() ? of_parts[h] : 0;
      const double slack = 1e-4 * std::max(1.0, expected);
      if (sum[h] <= expected + slack && (place.first != "total" || sum[h] >= expected - slack)) continue;
      return fmt::format("{} at cutoff {}, step {}: its parts expect {}, the forecasts of the skus sum up to {}",
                         place.first, place.second, h + 1, sum[h], expected);
    }
  }
  return {};
}

/// What of a record's value survives when customer ids become pseudonyms.
std::string Identity(const std::string& value) {
  const auto json = nlohmann::json::parse(value, nullptr, false);
  if (json.is_discarded() || !json.contains("ts")) return value;
  return fmt::format("{} {} {}", json["sku"].dump(), json["ts"].dump(),
                     json.contains("order_id") ? json["order_id"].dump() : "click");
}

std::string CheckRejected(const std::multiset<std::string>& expected, const std::string& topic,
                          const std::map<TopicPartition, std::vector<OutputRecord>>& outputs) {
  std::multiset<std::string> due;
  for (const std::string& value : expected) due.insert(Identity(value));
  std::multiset<std::string> found;
  for (const auto& [tp, records] : outputs) {
    if (tp.topic != topic) continue;
    for (const OutputRecord& record : records) found.insert(Identity(record.value.value_or("")));
  }
  if (found == due) return {};
  return fmt::format("{} has {} records, not the {} that were due", topic, found.size(), due.size());
}

}  // namespace

std::vector<std::string> InternalTopics() {
  return {"shop.changelog.series", "shop.changelog.rollup", "shop.changelog.actor",
          "shop.changelog.model",  "shop.rekey.rollup",     "shop.rekey.actor"};
}

std::string CheckOutputs(const Shop& shop, const SimulatedBroker& broker, bool doubles) {
  std::vector<std::string> except = shop.input_topics;
  for (const std::string& topic : InternalTopics()) {
    if (topic.find(".rekey.") == std::string::npos) except.push_back(topic);
  }
  Outputs outputs = ReadCommitted(broker, except);
  const ShopTruth truth = ComputeTruth(shop);
  if (std::string wrong = CheckContentIds(outputs, doubles); !wrong.empty()) return wrong;
  if (std::string wrong = CheckWindows(truth, outputs, doubles); !wrong.empty()) return wrong;
  if (std::string wrong = doubles ? std::string() : CheckBottomUp(outputs); !wrong.empty()) return wrong;
  if (std::string wrong = CheckRejected(truth.late, "shop.late", outputs); !wrong.empty()) return wrong;
  return CheckRejected(truth.dead, "shop.dlq", outputs);
}

std::string CheckChangelog(SimulatedBroker& broker, ManualClock& clock, const Disk& disk, const std::string& instance,
                           const std::vector<uint16_t>& partitions) {
  Wire wire;
  SimulatedTransport transport(broker, clock, wire, "shop.oracle", "oracle");
  TC_CHECK(transport.Open().ok());
  const std::unique_ptr<StateStore> store = MakeMemoryStore();
  constexpr int32_t kModelPartitions = 16;
  ChangelogLayout layout{"shop.changelog.series", "shop.changelog.model", PartitionOf(instance, kModelPartitions),
                         instance};
  if (broker.DescribeTopic("shop.changelog.rollup").ok()) layout.rollup_topic = "shop.changelog.rollup";
  if (broker.DescribeTopic("shop.changelog.actor").ok()) layout.actor_topic = "shop.changelog.actor";
  layout.compaction_lag = {};  // any of it may have been thinned
  ChangelogRestorer restorer(transport, *store, layout, clock);
  restorer.Start(partitions);
  for (int steps = 0;; ++steps) {
    if (steps > 1'000) return "a restore does not come to its end";
    const Result<bool> restored = restorer.Step(1000);
    if (!restored.ok()) return "a restore fails: " + restored.status().message();
    if (*restored) break;
  }
  const auto skip = [&](Family family, std::string_view key) {
    if (IsLocalNote(family, key)) return true;
    if (!IsKeyed(static_cast<Stage>(key[0]))) return false;
    const auto partition =
        static_cast<uint16_t>((static_cast<unsigned char>(key[1]) << 8) | static_cast<unsigned char>(key[2]));
    return std::find(partitions.begin(), partitions.end(), partition) == partitions.end();
  };
  const std::string restored = DumpRows(*store, skip);
  const std::string local = DumpRows(disk.rows(), skip);
  if (restored == local) return {};
  size_t at = 0;
  while (at < restored.size() && at < local.size() && restored[at] == local[at]) ++at;
  const auto line = [&](const std::string& text) {
    const size_t begin = at == 0 ? 0 : text.rfind('\n', std::min(at - 1, text.size() - 1)) + 1;
    return text.substr(begin, 300);
  };
  return fmt::format("the state of {} is not what its changelogs say:\n  local    {}\n  restored {}", instance,
                     local.empty() ? "" : line(local), restored.empty() ? "" : line(restored));
}

std::vector<std::string> ForecastsAndAlerts(const SimulatedBroker& broker) {
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> by_key;
  std::set<std::pair<std::string, std::string>> left_out;  // with the tombstone of an alert, which does not say of what it was
  for (const char* topic : {"shop.forecasts", "shop.trends", "shop.alerts", "shop.alerts.state"}) {
    const auto info = broker.DescribeTopic(topic);
    for (int32_t p = 0; info.ok() && p < info->partitions; ++p) {
      const PartitionLog& log = *broker.Find({topic, p});
      for (int64_t at = 0; at < log.last_stable(); ++at) {
        const OutputRecord& record = log.slot(at).record;
        const std::string text = TextOf(record);
        const auto is_of = [&text](std::string_view view) { return text.find(view) != std::string::npos; };
        if (!log.IsVisible(at, true)) continue;
        if (is_of("total/") || is_of("country/") || is_of("category/")) left_out.insert({topic, record.key});
        by_key[{topic, record.key}].push_back(text);
      }
    }
  }
  std::vector<std::string> texts;
  for (auto& [key, of_key] : by_key) {
    if (left_out.contains(key)) continue;
    for (std::string& one : of_key) texts.push_back(std::move(one));
  }
  return texts;
}

}  // namespace tidecast::simulation
