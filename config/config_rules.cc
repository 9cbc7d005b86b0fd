#include "config/config_rules.h"

#include <algorithm>

#include "config/config_binder.h"
#include "config/config_checker.h"
#include "config/config_values.h"
#include "engine/io/input_fields.h"
#include "engine/io/json_pointer_path.h"
#include "engine/io/nearest_name.h"

namespace tidecast {
namespace {

using Path = std::vector<std::string>;

class Rules {
 public:
  Rules(const ConfigNode& root, const EngineOptions& options, std::vector<ConfigProblem>* problems)
      : root_(root), options_(options), problems_(*problems) {}

  void Check() {
    for (const InputOptions& input : options_.inputs) Input(input);
    const bool any_clock = std::any_of(options_.inputs.begin(), options_.inputs.end(), [](const InputOptions& input) { return IsClock(input.kind); });
    if (!options_.inputs.empty() && !any_clock) {
      Add("TC0112", "no input drives time", {"inputs"}, "catalog, promotions and inventory are facts: they are read as of a bucket's end, but close none",
          "add an input of kind orders, clicks or market");
    }
    for (const ViewOptions& view : options_.views) View(view);
    Process();
  }

 private:
  void Add(std::string code, std::string what, const Path& path, std::string why, std::string remedy) {
    problems_.push_back({std::move(code), std::move(what), PlaceAt(root_, path), {}, std::move(why), std::move(remedy)});
  }
  // A name that is none of those that exist.
  void Unknown(const std::string& what, const std::string& name, const std::vector<std::string>& names, const Path& path) {
    const std::string nearest = NearestName(name, names);
    Add("TC0111", fmt::format("{}: \"{}\"", what, name), path, fmt::format("there are: {}", fmt::join(names, ", ")),
        nearest.empty() ? "take one of these" : fmt::format("did you mean \"{}\"?", nearest));
  }
  const ConfigNode* NodeAt(const Path& path) const {
    const ConfigNode* node = &root_;
    for (const std::string& step : path) {
      node = node->Find(step);
      if (node == nullptr) return nullptr;
    }
    return node;
  }

  void Input(const InputOptions& input) {
    const Path at = {"inputs", input.name};
    const ConfigNode* node = NodeAt(at);
    const std::vector<std::string> names = FieldNames(input.kind);
    const bool known_kind = node->Find("kind") != nullptr ||
                            InputKindName(input.kind) == input.name;  // else the default, orders, was nobody's word
    if (!known_kind) {
      Add("TC0108", fmt::format("inputs.{}.kind is missing", input.name), at, "the name is none of the kinds, so it cannot be the default",
          "add kind: orders, clicks, catalog, promotions, inventory or market");
      return;
    }
    for (const auto& [map, what] : {std::pair<const std::map<std::string, std::string>&, std::string>{input.fields, "fields"}, {input.columns, "columns"}}) {
      for (const auto& [name, value] : map) {
        const Path place = {"inputs", input.name, what, name};
        if (FindField(input.kind, name) == nullptr) {
          if (name == "ts" || NodeAt(place) == nullptr) continue;
          Unknown(fmt::format("inputs.{}.{}: {} have no such field", input.name, what, InputKindName(input.kind)), name, names, place);
        } else if (what == "fields" && NodeAt(place) != nullptr) {
          if (auto path = JsonPointerPath::Parse(value); !path.ok()) {
            Add("TC0110", fmt::format("inputs.{}.fields.{}: {}", input.name, name, path.status().message()), place, "", path.status().remedy());
          }
        }
      }
    }
    const ConfigNode* by_field = NodeAt({"inputs", input.name, "fields", "ts"});
    const ConfigNode* by_time = NodeAt({"inputs", input.name, "time", "field"});
    if (by_field != nullptr && by_time != nullptr && by_field->text != by_time->text) {
      Add("TC0112", fmt::format("inputs.{}: time.field is {}, but fields.ts is {}", input.name, by_time->text, by_field->text),
          {"inputs", input.name, "time", "field"}, "both say where the time stands", "leave one of the two out");
    }
    if (by_time != nullptr && input.time_source != TimeSource::kField) {
      Add("TC0112", fmt::format("inputs.{}: time.field is {}, but time.source does not read a field", input.name, by_time->text),
          {"inputs", input.name, "time", "field"}, "", "leave one of the two out");
    }
    for (const InputOptions& other : options_.inputs) {
      if (&other == &input) break;
      if (other.topic != input.topic) continue;
      Add("TC0112", fmt::format("inputs.{} and inputs.{} read the same topic: {}", other.name, input.name, input.topic), {"inputs", input.name, "topic"},
          "every record would be decoded twice, once in the wrong shape", "give each input its own topic");
    }
    if (input.dedupe) Dedupe(input, names);
  }

  void Dedupe(const InputOptions& input, const std::vector<std::string>& names) {
    for (const std::string& name : input.dedupe->fields) {
      if (FindField(input.kind, name) == nullptr) {
        Unknown(fmt::format("inputs.{}.dedupe.key: {} have no such field", input.name, InputKindName(input.kind)), name, names, {"inputs", input.name, "dedupe", "key"});
      }
    }
    if (NodeAt({"inputs", input.name, "dedupe", "for"}) == nullptr || input.dedupe->keep <= Duration::zero()) return;
    for (const ViewOptions& view : options_.views) {
      const bool reads = std::any_of(view.features.begin(), view.features.end(), [&](const FeatureOptions& feature) { return feature.input == input.name; });
      if (!reads || view.allowed_lateness <= input.dedupe->keep) continue;
      Add("TC0112", fmt::format("views.{}.allowed_lateness {} is longer than inputs.{}.dedupe.for {}", view.name, ShowDuration(view.allowed_lateness),
                                input.name, ShowDuration(input.dedupe->keep)),
          {"inputs", input.name, "dedupe", "for"}, "a late copy would be counted although its id was forgotten",
          fmt::format("set dedupe.for to {} at least, or allowed_lateness to {} at most", ShowDuration(view.allowed_lateness), ShowDuration(input.dedupe->keep)));
    }
  }

  void View(const ViewOptions& view) {
    std::vector<std::string> names;
    for (const FeatureOptions& feature : view.features) {
      names.push_back(feature.name);
      Feature(view, feature);
    }
    const Path at = {"views", view.name};
    if (!view.features.empty() && view.forecast && std::find(names.begin(), names.end(), view.target) == names.end()) {
      Unknown(fmt::format("views.{}.target is none of its features", view.name), view.target, names, {"views", view.name, "target"});
    }
    std::vector<std::string> seen;
    for (const std::string& name : view.past_covariates) {
      const Path place = {"views", view.name, "past_covariates"};
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        Unknown(fmt::format("views.{}.past_covariates names none of its features", view.name), name, names, place);
      } else if (name == view.target) {
        Add("TC0112", fmt::format("views.{}: {} is the target and a past covariate", view.name, name), place, "the model sees the target anyway", "leave it out of past_covariates");
      } else if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
        Add("TC0112", fmt::format("views.{}: {} stands twice in past_covariates", view.name, name), place, "", "keep one of the two");
      }
      seen.push_back(name);
    }
    if (view.group_by != GroupBy::kKey) GroupedView(view);
    const CalendarOptions& calendar = view.calendar;
    const bool within_days = calendar.unit < BucketUnit::kDay;
    if (NodeAt({"views", view.name, "bucket", "hours"}) != nullptr && !within_days) {
      Add("TC0112", fmt::format("views.{}: bucket.hours are set, but buckets are a day or longer", view.name), {"views", view.name, "bucket", "hours"},
          "business hours close buckets within a day", "leave hours out, or set bucket.every below 1d");
    }
    const bool whole_days = calendar.unit == BucketUnit::kDay && calendar.count == 1;
    if (calendar.open == OpenRule::kLearned && !whole_days && !within_days) {
      Add("TC0112", fmt::format("views.{}: bucket.open is learned, but buckets are longer than a day", view.name), {"views", view.name, "bucket", "open"},
          "weekdays are what is learned", "set open: all, or bucket.every to 1d");
    }
    Rows(view, names, view.rows, {"views", view.name, "rows", "fields"}, false, false);
    for (const WindowOptions& window : view.windows) {
      Rows(view, names, window.rows, {"views", view.name, "windows", window.name, "rows", "fields"}, true, window.kind == WindowKind::kSession);
    }
    if (const ConfigNode* windows = NodeAt({"views", view.name, "windows"})) {
      for (const ConfigEntry& entry : windows->entries) {
        const int kinds = (entry.value.Find("hopping") != nullptr) + (entry.value.Find("session") != nullptr);
        if (kinds == 1) continue;
        Add(kinds == 0 ? "TC0108" : "TC0112", fmt::format("views.{}.windows.{} needs one of hopping and session", view.name, entry.key),
            {"views", view.name, "windows", entry.key}, kinds == 0 ? "it has neither" : "it has both", "write e.g. {hopping: 60} or {session: 30m}");
      }
    }
  }

  // Views whose series are not the inputs' keys.
  void GroupedView(const ViewOptions& view) {
    const Path at = {"views", view.name, "group_by"};
    const std::string& word = NodeAt(at)->text;
    const std::string needed = view.group_by == GroupBy::kCustomer ? "customer_id" : view.group_by == GroupBy::kAll ? "" : word;
    const bool has_catalog = std::any_of(options_.inputs.begin(), options_.inputs.end(), [](const InputOptions& input) { return input.kind == InputKind::kCatalog; });
    for (const FeatureOptions& feature : view.features) {
      const auto input = std::find_if(options_.inputs.begin(), options_.inputs.end(), [&](const InputOptions& row) { return row.name == feature.input; });
      if (input == options_.inputs.end()) continue;
      const Path place = {"views", view.name, "features", feature.name};
      if (!IsClock(input->kind)) {
        Add("TC0112", fmt::format("views.{}.features.{} is a fact, but the view is grouped by {}", view.name, feature.name, word), place,
            "a fact is a value of one key", "leave it out, or group the view by key");
        continue;
      }
      const std::vector<std::string> fields = FieldNames(input->kind);
      const bool has_field = needed.empty() || std::find(fields.begin(), fields.end(), needed) != fields.end();
      if (has_field || (view.group_by == GroupBy::kCategory && has_catalog)) continue;
      Add("TC0112", fmt::format("views.{} is grouped by {}, but {} have no {}", view.name, word, InputKindName(input->kind), needed), place,
          fmt::format("fields: {}", fmt::join(fields, ", ")),
          view.group_by == GroupBy::kCategory ? "add an input of kind catalog, or leave the feature out" : "leave the feature out, or group the view by something else");
    }
    const bool is_rollup = view.group_by != GroupBy::kCustomer;
    for (const WindowOptions& window : view.windows) {
      if (window.kind != WindowKind::kSession || !is_rollup) continue;
      Add("TC0112", fmt::format("views.{}.windows.{} is a session, but the view is grouped by {}", view.name, window.name, word), {"views", view.name, "windows", window.name},
          "such a view is made from its keys' sums, not from the events", "take a hopping window, or group the view by key or customer");
    }
    if (view.calendar.open == OpenRule::kLearned && !is_rollup) {
      Add("TC0112", fmt::format("views.{}: bucket.open is learned, but the view is grouped by customer", view.name), {"views", view.name, "bucket", "open"},
          "open days are learned from the inputs' keys", "set open: all, or name the weekdays");
    }
  }

  void Rows(const ViewOptions& view, const std::vector<std::string>& features, const RowOptions& rows, const Path& at, bool of_window, bool of_session) {
    std::vector<std::string> known = {"series", "view", "start", "end", "revision", "events"};
    if (of_window) known.push_back("window");
    if (of_session) known.push_back("last");
    known.insert(known.end(), features.begin(), features.end());
    for (const auto& [name, what] : rows.fields) {
      if (std::find(known.begin(), known.end(), what) != known.end() || ParseNumber(what)) continue;
      Path place = at;
      place.push_back(name);
      Unknown(fmt::format("views.{}: a row's field {} holds nothing that there is", view.name, name), what, known, place);
    }
  }

  void Feature(const ViewOptions& view, const FeatureOptions& feature) {
    const Path at = {"views", view.name, "features", feature.name};
    const std::string shown = fmt::format("views.{}.features.{}", view.name, feature.name);
    const ConfigNode* node = NodeAt(at);
    const auto below = [&](std::string key) { Path path = at; path.push_back(std::move(key)); return path; };
    static const std::vector<std::string> kAggregates = {"count", "sum", "max", "min", "mean", "last", "distinct"};
    std::vector<std::string> used;
    for (const std::string& name : kAggregates) {
      if (node->Find(name) != nullptr) used.push_back(name);
    }
    if (used.empty()) {
      Add("TC0108", fmt::format("{} says nothing to compute", shown), at, fmt::format("it needs one of: {}", fmt::join(kAggregates, ", ")), "write e.g. sum: quantity, or count: true");
    } else if (used.size() > 1) {
      Add("TC0112", fmt::format("{} has both {} and {}", shown, used[0], used[1]), below(used[1]), "a feature is one number a bucket", "make two features of it");
    }
    if (feature.input.empty()) return;  // the table's check has named it
    const auto input = std::find_if(options_.inputs.begin(), options_.inputs.end(), [&](const InputOptions& row) { return row.name == feature.input; });
    if (input == options_.inputs.end()) {
      std::vector<std::string> names;
      for (const InputOptions& row : options_.inputs) names.push_back(row.name);
      Unknown(fmt::format("{}.input is none of the inputs", shown), feature.input, names, below("input"));
      return;
    }
    const std::string_view kind = InputKindName(input->kind);
    for (const std::string& name : used) {
      if (name == "count") continue;
      const std::string& field = node->Find(name)->text;
      if (name == "distinct") {
        const std::vector<std::string> fields = FieldNames(input->kind);
        const std::string needed = field == "customer" ? "customer_id" : field == "session" ? "session_id" : field;
        if (std::find(fields.begin(), fields.end(), needed) == fields.end()) {
          Add("TC0112", fmt::format("{}: distinct {} of {}, which have no {}", shown, field, kind, needed), below(name), fmt::format("fields: {}", fmt::join(fields, ", ")),
              "count something that the input has");
        }
      } else if (!field.empty() && !NumberFieldOf(input->kind, field)) {
        Unknown(fmt::format("{}: {} have no such number", shown, kind), field, NumberFieldNames(input->kind), below(name));
      }
    }
    if (feature.sign != SignFilter::kAll && input->kind != InputKind::kOrders) {
      Add("TC0112", fmt::format("{}: where: {} on {}, which have no quantity", shown, node->Find("where")->text, kind), below("where"),
          "`where` goes by the sign of the quantity", feature.action || input->kind == InputKind::kClicks ? "leave it out; clicks are told apart by `action`" : "leave it out");
    }
    if (node->Find("action") != nullptr && input->kind != InputKind::kClicks) {
      Add("TC0112", fmt::format("{}: action: {} on {}, which have no action", shown, node->Find("action")->text, kind), below("action"), "only clicks have actions", "leave it out, or take an input of kind clicks");
    }
    if (feature.absolute && (feature.aggregate == Aggregate::kCount || feature.aggregate == Aggregate::kDistinct)) {
      Add("TC0112", fmt::format("{}: absolute with {}", shown, used.empty() ? "nothing" : used[0]), below("absolute"), "there is no sign to drop", "leave absolute out");
    }
  }

  void Process() {
    constexpr size_t kMemoryLeast = size_t{64} << 20;  // below, the field table has refused it
    if (options_.memory_limit_bytes >= kMemoryLeast && options_.epoch_bytes_max * 4 > options_.memory_limit_bytes) {
      Add("TC0112", fmt::format("commit.epoch_bytes_max {} is more than a quarter of state.memory_limit {}", ShowBytes(options_.epoch_bytes_max), ShowBytes(options_.memory_limit_bytes)),
          {"commit", "epoch_bytes_max"}, "two epochs are held in memory while one commits",
          fmt::format("leave it out, set it to {} at most, or memory_limit to {} at least", ShowBytes(options_.memory_limit_bytes / 4), ShowBytes(options_.epoch_bytes_max * 4)));
    }
    if (options_.transport == TransportKind::kKafka) Kafka();
    const std::string& address = options_.server.address;
    const bool loopback = address == "localhost" || address == "::1" || address.starts_with("127.");
    if (options_.server.enabled && !loopback && !options_.server.insecure) {
      Add("TC0117", fmt::format("server.address {} is open to other machines, and there is no authentication", address), {"server", "address"},
          "anybody who reaches it could read forecasts and send events", "bind 127.0.0.1 behind a proxy, or set server.insecure: true if you mean it");
    }
    const ConfigNode* alerts = NodeAt({"alerts", "enabled"});
    if (!options_.model_enabled && options_.alerts.enabled && alerts != nullptr) {
      Add("TC0112", "alerts.enabled is true, but model.kind is none", {"alerts", "enabled"}, "alerts hold a bucket against its forecast", "set alerts.enabled: false, or model.kind: experts");
    }
  }

  void Kafka() {
    if (!options_.kafka.contains("bootstrap.servers") && !options_.kafka.contains("metadata.broker.list")) {
      Add("TC0108", "kafka.bootstrap.servers is missing", {"kafka"}, "transport.kind is kafka, so a broker must be named",
          "add kafka: {bootstrap.servers: \"127.0.0.1:9092\"}");
    }
    const auto timeout = options_.kafka.find("transaction.timeout.ms");
    if (timeout == options_.kafka.end()) return;
    const auto ms = ParseInteger(timeout->second);
    if (!ms) {
      Add("TC0104", fmt::format("kafka.transaction.timeout.ms: not a whole number: \"{}\"", timeout->second), {"kafka", "transaction.timeout.ms"}, "", "write milliseconds, e.g. 15000");
    } else if (std::chrono::milliseconds(*ms) < 2 * options_.commit_interval) {
      Add("TC0112", fmt::format("kafka.transaction.timeout.ms {} is less than twice commit.interval {}", *ms, ShowDuration(options_.commit_interval)),
          {"kafka", "transaction.timeout.ms"}, "the broker would abort transactions that are on their way", "raise the timeout (10000 to 15000) or lower commit.interval");
    }
  }

  const ConfigNode& root_;
  const EngineOptions& options_;
  std::vector<ConfigProblem>& problems_;
};

}  // namespace

void CheckRules(const ConfigNode& root, const EngineOptions& options, std::vector<ConfigProblem>* problems) {
  Rules(root, options, problems).Check();
}

}  // namespace tidecast
