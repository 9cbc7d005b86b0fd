#include "config/config_binder.h"

#include <array>

#include "config/config_values.h"
#include "engine/io/input_fields.h"
#include "operators/holiday_sources.h"

namespace tidecast {
namespace {

// Reads the keys of one section; what is missing or wrong leaves the target as it is.
class Section {
 public:
  explicit Section(const ConfigNode* node) : node_(node) {}
  Section(const ConfigNode& node, std::string_view key) : node_(node.Find(key)) {}

  const std::string* Text(std::string_view key) const {
    const ConfigNode* value = node_ == nullptr ? nullptr : node_->Find(key);
    return value != nullptr && value->kind == ConfigNode::Kind::kScalar ? &value->text : nullptr;
  }
  Section Below(std::string_view key) const { return Section(node_ == nullptr ? nullptr : node_->Find(key)); }
  const ConfigNode* node() const { return node_; }

  void Read(std::string_view key, std::string* to) const {
    if (const std::string* text = Text(key)) *to = *text;
  }
  void Read(std::string_view key, bool* to) const { Take(key, to, ParseBoolean); }
  void Read(std::string_view key, double* to) const { Take(key, to, ParseNumber); }
  void Read(std::string_view key, Duration* to) const { Take(key, to, ParseDuration); }
  template <typename Integer>
  void ReadInteger(std::string_view key, Integer* to) const { Take(key, to, ParseInteger); }
  void ReadBytes(std::string_view key, size_t* to) const { Take(key, to, ParseBytes); }
  template <typename Enum, size_t kSize>
  void ReadWord(std::string_view key, const std::array<std::pair<std::string_view, Enum>, kSize>& words, Enum* to) const {
    const std::string* text = Text(key);
    if (text == nullptr) return;
    for (const auto& [word, value] : words) {
      if (word == *text) *to = value;
    }
  }
  void ReadList(std::string_view key, std::vector<std::string>* to) const {
    const ConfigNode* list = node_ == nullptr ? nullptr : node_->Find(key);
    if (list == nullptr || list->kind != ConfigNode::Kind::kList) return;
    to->clear();
    for (const ConfigNode& item : list->items) to->push_back(item.text);
  }
  void ReadMap(std::string_view key, std::map<std::string, std::string>* to) const {
    const ConfigNode* map = node_ == nullptr ? nullptr : node_->Find(key);
    if (map == nullptr) return;
    for (const ConfigEntry& entry : map->entries) {
      if (entry.value.kind == ConfigNode::Kind::kScalar) (*to)[entry.key] = entry.value.text;
    }
  }
  /// As they stand in the file.
  void ReadPairs(std::string_view key, std::vector<std::pair<std::string, std::string>>* to) const {
    const ConfigNode* map = node_ == nullptr ? nullptr : node_->Find(key);
    if (map == nullptr) return;
    for (const ConfigEntry& entry : map->entries) {
      if (entry.value.kind == ConfigNode::Kind::kScalar) to->emplace_back(entry.key, entry.value.text);
    }
  }

 private:
  template <typename T, typename Parse>
  void Take(std::string_view key, T* to, Parse parse) const {
    const std::string* text = Text(key);
    if (text == nullptr) return;
    if (const auto value = parse(*text)) *to = static_cast<T>(*value);
  }
  const ConfigNode* node_;
};

template <typename Enum>
using Word = std::pair<std::string_view, Enum>;

constexpr std::array kKinds = {Word<InputKind>{"orders", InputKind::kOrders},         Word<InputKind>{"clicks", InputKind::kClicks},
                               Word<InputKind>{"catalog", InputKind::kCatalog},       Word<InputKind>{"promotions", InputKind::kPromotions},
                               Word<InputKind>{"inventory", InputKind::kInventory},   Word<InputKind>{"market", InputKind::kMarket}};

InputOptions BindInput(const std::string& name, const std::string& name_space, const ConfigNode& node) {
  InputOptions input;
  const Section section(&node);
  input.name = name;
  input.topic = name_space + "." + name;
  for (const auto& [word, kind] : kKinds) {
    if (word == name) input.kind = kind;
  }
  section.ReadWord("kind", kKinds, &input.kind);
  section.Read("topic", &input.topic);
  section.ReadMap("fields", &input.fields);
  section.ReadMap("columns", &input.columns);
  const Section time = section.Below("time");
  if (const std::string* pointer = time.Text("field")) input.fields["ts"] = *pointer;
  time.ReadWord("source", std::array{Word<TimeSource>{"field", TimeSource::kField}, Word<TimeSource>{"ce_time", TimeSource::kCeTime},
                                     Word<TimeSource>{"record", TimeSource::kRecord}}, &input.time_source);
  time.ReadWord("format", std::array{Word<TimeFormat>{"auto", TimeFormat::kAuto}, Word<TimeFormat>{"rfc3339", TimeFormat::kRfc3339},
                                     Word<TimeFormat>{"seconds", TimeFormat::kSeconds}, Word<TimeFormat>{"millis", TimeFormat::kMillis},
                                     Word<TimeFormat>{"micros", TimeFormat::kMicros}}, &input.time_format);
  time.Read("zone", &input.zone);
  section.Read("out_of_orderness", &input.watermark.bound);
  section.Read("idle_timeout", &input.watermark.idle_timeout);
  section.Read("max_future", &input.max_future);
  section.Read("key_check", &input.key_check);
  section.ReadBytes("value_bytes_max", &input.value_bytes_max);
  if (const ConfigNode* dedupe = node.Find("dedupe")) {
    input.dedupe.emplace();
    Section(dedupe).ReadList("key", &input.dedupe->fields);
    Section(dedupe).Read("for", &input.dedupe->keep);
  }
  return input;
}

FeatureOptions BindFeature(const std::string& name, const ConfigNode& node, const std::vector<InputOptions>& inputs) {
  FeatureOptions feature;
  const Section section(&node);
  feature.name = name;
  section.Read("input", &feature.input);
  InputKind kind = InputKind::kOrders;
  for (const InputOptions& input : inputs) {
    if (input.name == feature.input) kind = input.kind;
  }
  for (const auto& [word, aggregate] : {Word<Aggregate>{"sum", Aggregate::kSum}, Word<Aggregate>{"max", Aggregate::kMax},
                                        Word<Aggregate>{"min", Aggregate::kMin}, Word<Aggregate>{"mean", Aggregate::kMean},
                                        Word<Aggregate>{"last", Aggregate::kLast}}) {
    if (const std::string* field = section.Text(word)) {
      feature.aggregate = aggregate;
      feature.field = NumberFieldOf(kind, *field).value_or(feature.field);
    }
  }
  if (section.Text("distinct") != nullptr) feature.aggregate = Aggregate::kDistinct;
  section.ReadWord("distinct", std::array{Word<DistinctOf>{"customer", DistinctOf::kCustomer}, Word<DistinctOf>{"session", DistinctOf::kSession},
                                          Word<DistinctOf>{"category", DistinctOf::kCategory}, Word<DistinctOf>{"country", DistinctOf::kCountry}},
                   &feature.distinct);
  section.ReadWord("where", std::array{Word<SignFilter>{"all", SignFilter::kAll}, Word<SignFilter>{"positive", SignFilter::kPositive},
                                       Word<SignFilter>{"negative", SignFilter::kNegative}}, &feature.sign);
  section.Read("absolute", &feature.absolute);
  if (section.Text("action") != nullptr) {
    ClickAction action = ClickAction::kOther;
    section.ReadWord("action", std::array{Word<ClickAction>{"view", ClickAction::kView}, Word<ClickAction>{"cart", ClickAction::kCart},
                                          Word<ClickAction>{"favourite", ClickAction::kFavourite}}, &action);
    feature.action = action;
  }
  return feature;
}

CalendarOptions BindCalendar(const Section& section) {
  CalendarOptions calendar;
  if (const std::string* every = section.Text("every")) {
    if (const auto length = ParseBucketLength(*every)) {
      calendar.unit = length->unit;
      calendar.count = length->count;
    }
  }
  section.Read("zone", &calendar.zone);
  section.ReadWord("open", std::array{Word<OpenRule>{"all", OpenRule::kAll}, Word<OpenRule>{"learned", OpenRule::kLearned}}, &calendar.open);
  std::vector<std::string> days;
  section.ReadList("open", &days);
  for (const std::string& day : days) {
    calendar.open = OpenRule::kWeekdays;
    if (const auto number = ParseWeekday(day)) calendar.weekdays.push_back(*number);
  }
  std::vector<std::string> sources;
  section.ReadList("holidays", &sources);
  if (const auto holidays = ReadHolidays(sources); holidays.ok()) {  // the checker has told what is wrong
    for (const auto& [day, name] : *holidays) calendar.holidays.push_back(DateText(day));
  }
  section.ReadWord("on_holidays", std::array{Word<bool>{"closed", true}, Word<bool>{"open", false}}, &calendar.closed_on_holidays);
  if (const std::string* text = section.Text("hours")) {
    if (const auto hours = ParseBusinessHours(*text)) {
      calendar.open_minute = hours->open_minute;
      calendar.close_minute = hours->close_minute;
    }
  }
  return calendar;
}

RowOptions BindRows(const Section& section) {
  RowOptions rows;
  section.Read("topic", &rows.topic);
  section.ReadPairs("fields", &rows.fields);
  section.ReadWord("times", std::array{Word<RowTimes>{"text", RowTimes::kText}, Word<RowTimes>{"millis", RowTimes::kMillis}}, &rows.times);
  section.ReadWord("headers", std::array{Word<RowHeaders>{"cloudevents", RowHeaders::kCloudEvents}, Word<RowHeaders>{"id", RowHeaders::kId},
                                         Word<RowHeaders>{"none", RowHeaders::kNone}},
                   &rows.headers);
  return rows;
}

ViewOptions BindView(const std::string& name, const ConfigNode& node, const std::vector<InputOptions>& inputs) {
  ViewOptions view;
  const Section section(&node);
  view.name = name;
  section.ReadWord("group_by", std::array{Word<GroupBy>{"key", GroupBy::kKey}, Word<GroupBy>{"category", GroupBy::kCategory},
                                          Word<GroupBy>{"country", GroupBy::kCountry}, Word<GroupBy>{"all", GroupBy::kAll},
                                          Word<GroupBy>{"customer", GroupBy::kCustomer}}, &view.group_by);
  view.calendar = BindCalendar(section.Below("bucket"));
  section.Read("allowed_lateness", &view.allowed_lateness);
  section.ReadInteger("dormant_after", &view.dormant_after);
  section.Read("retire_after", &view.retire_after);
  if (const ConfigNode* features = node.Find("features")) {
    for (const ConfigEntry& entry : features->entries) view.features.push_back(BindFeature(entry.key, entry.value, inputs));
  }
  if (const ConfigNode* windows = node.Find("windows")) {
    for (const ConfigEntry& entry : windows->entries) {
      WindowOptions window;
      window.name = entry.key;
      const Section row(&entry.value);
      row.ReadInteger("hopping", &window.size_buckets);
      row.Read("session", &window.gap);
      window.kind = row.Text("session") != nullptr ? WindowKind::kSession : WindowKind::kHopping;
      window.rows = BindRows(row.Below("rows"));
      view.windows.push_back(window);
    }
  }
  section.Read("target", &view.target);
  section.ReadInteger("horizon", &view.horizon);
  if (const std::string* domain = section.Text("domain"); domain != nullptr && *domain != "auto") {
    view.domain = *domain == "real" ? ValueDomain::kReal : *domain == "nonneg" ? ValueDomain::kNonNegative : ValueDomain::kCount;
  }
  section.ReadList("past_covariates", &view.past_covariates);
  section.Read("emit_empty", &view.emit_empty);
  section.Read("publish_features", &view.publish_features);
  view.rows = BindRows(section.Below("rows"));
  section.Read("forecast", &view.forecast);
  return view;
}

}  // namespace

std::optional<NumberField> NumberFieldOf(InputKind kind, std::string_view name) {
  if (kind == InputKind::kOrders && name == "amount") return NumberField::kAmount;
  const InputField* field = FindField(kind, name);
  if (field == nullptr || field->role != FieldRole::kNumber) return std::nullopt;
  return static_cast<NumberField>(field->index);
}

std::vector<std::string> NumberFieldNames(InputKind kind) {
  std::vector<std::string> names;
  for (const InputField& field : FieldsOf(kind)) {
    if (field.role == FieldRole::kNumber) names.emplace_back(field.name);
  }
  if (kind == InputKind::kOrders) names.emplace_back("amount");
  return names;
}

EngineOptions BindConfig(const ConfigNode& root) {
  EngineOptions options;
  const Section top(&root);
  top.Read("namespace", &options.name_space);
  top.Read("instance", &options.instance);
  top.ReadInteger("threads", &options.threads);
  const Section transport(root, "transport");
  transport.ReadWord("kind", std::array{Word<TransportKind>{"embedded", TransportKind::kEmbedded}, Word<TransportKind>{"kafka", TransportKind::kKafka}},
                     &options.transport);
  transport.ReadInteger("partitions", &options.partitions);
  const Section state(root, "state");
  state.Read("directory", &options.state_directory);
  state.ReadBytes("memory_limit", &options.memory_limit_bytes);
  top.ReadMap("kafka", &options.kafka);
  const Section commit(root, "commit");
  commit.Read("interval", &options.commit_interval);
  options.epoch_bytes_max = 0;
  commit.ReadBytes("epoch_bytes_max", &options.epoch_bytes_max);
  Section(root, "privacy").Read("pseudonym_key", &options.pseudonym_key);
  if (const ConfigNode* inputs = root.Find("inputs")) {
    for (const ConfigEntry& entry : inputs->entries) options.inputs.push_back(BindInput(entry.key, options.name_space, entry.value));
  }
  if (const ConfigNode* views = root.Find("views")) {
    for (const ConfigEntry& entry : views->entries) options.views.push_back(BindView(entry.key, entry.value, options.inputs));
  }
  const Section model(root, "model");
  if (const std::string* kind = model.Text("kind")) {
    options.model_enabled = *kind != "none";
    options.model.net = NetKindOf(*kind).value_or(NetKind::kNone);
  }
  model.Read("device", &options.model.device);
  model.ReadInteger("seed", &options.model.seed);
  model.ReadWord("learning", std::array{Word<NetLearning>{"online", NetLearning::kOnline}, Word<NetLearning>{"frozen", NetLearning::kFrozen}},
                 &options.model.net_learning);
  model.Read("module", &options.model.net_module);
  model.Read("weights", &options.weights_path);
  model.ReadInteger("block_series", &options.model.block_series);
  const Section alerts(root, "alerts");
  alerts.Read("enabled", &options.alerts.enabled);
  alerts.Read("tail_probability", &options.alerts.tail_probability);
  alerts.Read("exit_factor", &options.alerts.exit_factor);
  alerts.Read("effect_ratio_min", &options.alerts.effect_ratio_min);
  alerts.Read("effect_absolute_min", &options.alerts.effect_absolute_min);
  alerts.ReadInteger("age_buckets_min", &options.alerts.age_buckets_min);
  alerts.Read("use_case", &options.alerts.use_case);
  const Section server(root, "server");
  server.Read("enabled", &options.server.enabled);
  server.Read("address", &options.server.address);
  server.ReadInteger("port", &options.server.port);
  server.Read("insecure", &options.server.insecure);
  return options;
}

}  // namespace tidecast
