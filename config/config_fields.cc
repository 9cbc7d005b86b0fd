#include "config/config_fields.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace tidecast {
namespace {

constexpr double kMs = 1e3, kSecond = 1e6, kHour = 3.6e9, kDay = 8.64e10;
constexpr double kNone = std::numeric_limits<double>::infinity();
constexpr double kKiB = 1024, kMiB = 1024 * 1024, kGiB = kMiB * 1024;

// Order: as in the reference; a section stands before its keys.
constexpr std::array kFields = {
    ConfigField{"namespace", FieldType::kName, "shop", "Prefix of all topics: `<namespace>.orders`, `<namespace>.forecasts` ...", "shop"},
    ConfigField{"instance", FieldType::kName, "i1", "Name of this process in the group (Kafka: `group.instance.id`); each instance needs its own.", "i1"},
    ConfigField{"transport", FieldType::kSection, "", "The log that events come from and results go to.", "", -kNone, kNone, "kind"},
    ConfigField{"transport.kind", FieldType::kChoice, "embedded", "`embedded`: topics in the state directory; `kafka`: a Kafka cluster.", "embedded", -kNone, kNone, "embedded kafka"},
    ConfigField{"transport.partitions", FieldType::kInteger, "4", "Partitions of the topics that Tidecast makes.", "4", 1, 4096},
    ConfigField{"state", FieldType::kSection, "", "Where state is kept and how much memory the process may take.", "", -kNone, kNone, "directory"},
    ConfigField{"state.directory", FieldType::kText, "./tidecast-state", "Directory of the state; bound to this instance.", "./tidecast-state"},
    ConfigField{"state.memory_limit", FieldType::kBytes, "0", "One limit for the process; 0: half of what the machine or the container has.", "512MiB", 64 * kMiB, 16384 * kGiB},
    ConfigField{"kafka", FieldType::kTextMap, "", "librdkafka's own property names, passed through.", "{bootstrap.servers: \"127.0.0.1:9092\"}"},
    ConfigField{"commit", FieldType::kSection, "", "How often results, state and positions are committed together.", "", -kNone, kNone, "interval"},
    ConfigField{"commit.interval", FieldType::kDuration, "1s", "Longest time between two commits; half of it more where a bucket is about to close. Live rows of closed buckets are committed at once.", "1s", 10 * kMs, 60 * kSecond},
    ConfigField{"commit.epoch_bytes_max", FieldType::kBytes, "0", "Most bytes that one commit keeps in memory; a larger one is cut in parts. On Kafka rows of windows are sent on before it is full. 0: a 16th of the memory limit, 32MiB at most.", "32MiB", 64 * kKiB, 1 * kGiB},
    ConfigField{"privacy", FieldType::kSection, "", "Customer ids are replaced by keyed hashes when they are read.", "", -kNone, kNone, "pseudonym_key"},
    ConfigField{"privacy.pseudonym_key", FieldType::kSecret, "tidecast", "Key of that hash. The same customer has the same pseudonym while it stays.", "${file:/run/secrets/pseudonym_key}"},
    ConfigField{"inputs", FieldType::kNamedSections, "", "Topics to read, under names of your own.", "", -kNone, kNone, "", true},
    ConfigField{"inputs.*", FieldType::kSection, "", "One input.", ""},
    ConfigField{"inputs.*.kind", FieldType::kChoice, "", "What its events are. Default: the input's name.", "orders", -kNone, kNone, "orders clicks catalog promotions inventory market"},
    ConfigField{"inputs.*.topic", FieldType::kText, "", "Default: `<namespace>.<input>`.", "shop.orders"},
    ConfigField{"inputs.*.time", FieldType::kSection, "", "Where an event's time stands.", "", -kNone, kNone, "field"},
    ConfigField{"inputs.*.time.field", FieldType::kPointer, "/ts", "JSON pointer of the time.", "/ts"},
    ConfigField{"inputs.*.time.source", FieldType::kChoice, "field", "`ce_time`: the CloudEvents header; `record`: the log's own time of the record.", "field", -kNone, kNone, "field ce_time record"},
    ConfigField{"inputs.*.time.format", FieldType::kChoice, "auto", "`auto` reads RFC 3339 and tells epoch seconds, milliseconds and microseconds apart by size.", "auto", -kNone, kNone, "auto rfc3339 seconds millis micros"},
    ConfigField{"inputs.*.time.zone", FieldType::kZone, "UTC", "Zone of times without an offset.", "Europe/London"},
    ConfigField{"inputs.*.fields", FieldType::kTextMap, "", "Our field name: JSON pointer into the value. Default: `/name`.", "{quantity: /qty}"},
    ConfigField{"inputs.*.columns", FieldType::kTextMap, "", "Our field name: column of a CSV file; `\"#3\"`: the third of a file without header. Default: found by usual names.", "{sku: StockCode}"},
    ConfigField{"inputs.*.out_of_orderness", FieldType::kDuration, "0s", "How far an event may lie behind the newest one of its partition and still be in time.", "0s", 0, 400 * kDay},
    ConfigField{"inputs.*.idle_timeout", FieldType::kDuration, "0s", "A partition without news for so long no longer holds back the others; 0: never.", "1m", 0, 400 * kDay},
    ConfigField{"inputs.*.max_future", FieldType::kDuration, "0s", "An event further ahead of its record's time is a dead letter; 0: no limit.", "1h", 0, 400 * kDay},
    ConfigField{"inputs.*.key_check", FieldType::kBoolean, "true", "Whether the record's key must be the sku and lie in the partition that it belongs to.", "true"},
    ConfigField{"inputs.*.value_bytes_max", FieldType::kBytes, "1MiB", "A larger record is a dead letter.", "1MiB", 1 * kKiB, 64 * kMiB},
    ConfigField{"inputs.*.dedupe", FieldType::kSection, "", "Drops events whose id was seen before.", ""},
    ConfigField{"inputs.*.dedupe.key", FieldType::kTextList, "", "Field names that make the id.", "[order_id, line]", -kNone, kNone, "", true},
    ConfigField{"inputs.*.dedupe.for", FieldType::kDuration, "", "How long an id is remembered, in event time.", "2d", 1 * kSecond, 400 * kDay, "", true},
    ConfigField{"views", FieldType::kNamedSections, "", "How events become series, under names of your own.", "", -kNone, kNone, "", true},
    ConfigField{"views.*", FieldType::kSection, "", "One view.", ""},
    ConfigField{"views.*.group_by", FieldType::kChoice, "key", "What makes a series: the record's `key` (sku or symbol); `category` (of the catalog, as of the bucket's start), `country` of the event, `all`; `customer` (pseudonyms).", "key", -kNone, kNone, "key category country all customer"},
    ConfigField{"views.*.bucket", FieldType::kSection, "", "The steps of a series.", "", -kNone, kNone, "every"},
    ConfigField{"views.*.bucket.every", FieldType::kBucketLength, "1d", "Length of a bucket: 10s, 5m, 1h, 1d, 1w, 1mo.", "1d"},
    ConfigField{"views.*.bucket.zone", FieldType::kZone, "UTC", "Zone whose midnight days begin at.", "Europe/London"},
    ConfigField{"views.*.bucket.open", FieldType::kOpenDays, "all", "Which days exist: `all`, `learned` from the input, or a list as [mon, tue].", "learned"},
    ConfigField{"views.*.bucket.holidays", FieldType::kHolidays, "", "Public holidays: countries by their rules (`tidecast holidays --countries`), days, calendar files (`date,name[,country]` or iCalendar).", "[GB-ENG, 2011-12-27]"},
    ConfigField{"views.*.bucket.on_holidays", FieldType::kChoice, "closed", "`closed`: no bucket on them; `open`: buckets as on other days, and the model hears that it is a holiday.", "open", -kNone, kNone, "closed open"},
    ConfigField{"views.*.bucket.hours", FieldType::kHours, "", "Business hours; buckets outside of them are closed.", "\"09:00-17:30\""},
    ConfigField{"views.*.allowed_lateness", FieldType::kDuration, "0s", "How long after a bucket's end an event may still correct it.", "1d", 0, 400 * kDay},
    ConfigField{"views.*.dormant_after", FieldType::kInteger, "90", "Zero buckets in a row after which a series is forecast from what dormant series do, and published on change only; 0: never.", "90", 0, 100000},
    ConfigField{"views.*.retire_after", FieldType::kDuration, "0s", "Without an event for so long a series is over: its state goes, and a tombstone deletes its forecast; 0: never.", "400d", 0, 4000 * kDay},
    ConfigField{"views.*.features", FieldType::kNamedSections, "", "Columns of the series: aggregates over a bucket's events.", "", -kNone, kNone, "", true},
    ConfigField{"views.*.features.*", FieldType::kSection, "", "One feature: an input and exactly one of count, sum, max, min, mean, last, distinct.", ""},
    ConfigField{"views.*.features.*.input", FieldType::kText, "", "Name of the input.", "orders", -kNone, kNone, "", true},
    ConfigField{"views.*.features.*.count", FieldType::kFlag, "", "Counts events.", "true"},
    ConfigField{"views.*.features.*.sum", FieldType::kText, "", "Sums a number field, e.g. quantity, amount (quantity x unit_price).", "quantity"},
    ConfigField{"views.*.features.*.max", FieldType::kText, "", "Greatest value of a number field.", "unit_price"},
    ConfigField{"views.*.features.*.min", FieldType::kText, "", "Least value of a number field.", "unit_price"},
    ConfigField{"views.*.features.*.mean", FieldType::kText, "", "Mean of a number field.", "unit_price"},
    ConfigField{"views.*.features.*.last", FieldType::kText, "", "Newest value of a number field.", "unit_price"},
    ConfigField{"views.*.features.*.distinct", FieldType::kChoice, "", "Counts different values; exact to 4,096, then a sketch.", "customer", -kNone, kNone, "customer session category country"},
    ConfigField{"views.*.features.*.where", FieldType::kChoice, "all", "Takes events by the sign of their quantity; negative ones are returns.", "positive", -kNone, kNone, "all positive negative"},
    ConfigField{"views.*.features.*.absolute", FieldType::kBoolean, "false", "Drops the sign of each value.", "true"},
    ConfigField{"views.*.features.*.action", FieldType::kChoice, "", "Takes clicks of one kind. Default: all.", "view", -kNone, kNone, "view cart favourite other"},
    ConfigField{"views.*.windows", FieldType::kNamedSections, "", "Further windows over the same features, each published to `<namespace>.features.<window>`.", ""},
    ConfigField{"views.*.windows.*", FieldType::kSection, "", "One window: hopping or session.", ""},
    ConfigField{"views.*.windows.*.hopping", FieldType::kInteger, "", "Covers so many buckets and moves by one.", "60", 2, 100000},
    ConfigField{"views.*.windows.*.session", FieldType::kDuration, "", "Ends after a gap of so long.", "30m", 1 * kSecond, 30 * kDay},
    ConfigField{"views.*.windows.*.rows", FieldType::kSection, "", "How its rows are written.", ""},
    ConfigField{"views.*.windows.*.rows.topic", FieldType::kText, "", "Default: `<namespace>.features.<window>`.", "shop.features.hour"},
    ConfigField{"views.*.windows.*.rows.fields", FieldType::kTextMap, "", "Name in the JSON object: what stands there, one of series, view, window, start, end, last (a session's last event), revision, events, a feature, a number. Default: as in `schemas/features.schema.json`.", "{sku: series, start: start, units: units}"},
    ConfigField{"views.*.windows.*.rows.times", FieldType::kChoice, "text", "`millis`: milliseconds since 1970.", "millis", -kNone, kNone, "text millis"},
    ConfigField{"views.*.windows.*.rows.headers", FieldType::kChoice, "cloudevents", "`id`: the content id alone, by which a consumer can drop copies. `none`: nothing beside the row itself.", "id", -kNone, kNone, "cloudevents id none"},
    ConfigField{"views.*.target", FieldType::kText, "units", "The feature that is forecast.", "units"},
    ConfigField{"views.*.horizon", FieldType::kInteger, "14", "How many buckets ahead.", "14", 1, 1000},
    ConfigField{"views.*.domain", FieldType::kChoice, "auto", "Values of the target; `auto` learns it in the warm-up.", "count", -kNone, kNone, "auto count nonneg real"},
    ConfigField{"views.*.past_covariates", FieldType::kTextList, "", "Features that the model sees beside the target.", "[views, carts]"},
    ConfigField{"views.*.emit_empty", FieldType::kBoolean, "true", "Whether a bucket without events makes a row.", "true"},
    ConfigField{"views.*.publish_features", FieldType::kBoolean, "true", "Whether closed buckets go to `<namespace>.features`.", "true"},
    ConfigField{"views.*.rows", FieldType::kSection, "", "How its rows are written.", ""},
    ConfigField{"views.*.rows.topic", FieldType::kText, "", "Default: `<namespace>.features`.", "shop.features"},
    ConfigField{"views.*.rows.fields", FieldType::kTextMap, "", "Name in the JSON object: what stands there, one of series, view, window, start, end, last (a session's last event), revision, events, a feature, a number. Default: as in `schemas/features.schema.json`.", "{sku: series, start: start, units: units}"},
    ConfigField{"views.*.rows.times", FieldType::kChoice, "text", "`millis`: milliseconds since 1970.", "millis", -kNone, kNone, "text millis"},
    ConfigField{"views.*.rows.headers", FieldType::kChoice, "cloudevents", "`id`: the content id alone, by which a consumer can drop copies. `none`: nothing beside the row itself.", "id", -kNone, kNone, "cloudevents id none"},
    ConfigField{"views.*.forecast", FieldType::kBoolean, "true", "Whether the view is forecast at all.", "true"},
    ConfigField{"model", FieldType::kSection, "", "The forecasting model.", "", -kNone, kNone, "kind"},
    ConfigField{"model.kind", FieldType::kChoice, "lstm", "Experts and an online net of this kind; `experts`: without the net; `none`: windows only.", "lstm", -kNone, kNone, "lstm gru tcn attention mlp experts none"},
    ConfigField{"model.device", FieldType::kChoice, "auto", "Where the net learns; auto: a CUDA device where LibTorch has one (models/torch/README.md).", "auto", -kNone, kNone, "auto cpu cuda"},
    ConfigField{"model.seed", FieldType::kInteger, "7", "Same seed, same results.", "7", 0, 9e18},
    ConfigField{"model.learning", FieldType::kChoice, "online", "`frozen` keeps the net's weights as they are.", "online", -kNone, kNone, "online frozen"},
    ConfigField{"model.module", FieldType::kText, "", "Path of the net's module. Default: beside the binary.", "/usr/lib/tidecast/libtidecast_torch.so"},
    ConfigField{"model.weights", FieldType::kText, "", "Where a new net begins: a file of `tidecast pretrain` or `tidecast model export`. A net that has learned goes on from its own.", "shop.tcnw"},
    ConfigField{"model.block_series", FieldType::kInteger, "256", "Series that are computed together; part of what makes results identical.", "256", 1, 65536},
    ConfigField{"alerts", FieldType::kSection, "", "When a closed bucket is reported as unusual.", "", -kNone, kNone, "enabled"},
    ConfigField{"alerts.enabled", FieldType::kBoolean, "true", "Whether alerts are made.", "true"},
    ConfigField{"alerts.tail_probability", FieldType::kNumber, "0.0001", "Fires when a value as extreme had at most this probability.", "0.0001", 1e-12, 0.5},
    ConfigField{"alerts.exit_factor", FieldType::kNumber, "0.7", "Resolves when the surprise falls below this share of the one that fired.", "0.7", 0.01, 1},
    ConfigField{"alerts.effect_ratio_min", FieldType::kNumber, "2", "Observed over expected (or its inverse) at least.", "2", 1, 1e6},
    ConfigField{"alerts.effect_absolute_min", FieldType::kNumber, "10", "Difference to the expectation at least, in units of the target.", "10", 0, 1e12},
    ConfigField{"alerts.age_buckets_min", FieldType::kInteger, "30", "No alert on a series younger than this.", "30", 0, 100000},
    ConfigField{"alerts.use_case", FieldType::kName, "demand_shift", "Label of the alerts.", "demand_shift"},
    ConfigField{"server", FieldType::kSection, "", "HTTP API, metrics and the page.", ""},
    ConfigField{"server.enabled", FieldType::kBoolean, "true", "Whether it listens.", "true"},
    ConfigField{"server.address", FieldType::kText, "127.0.0.1", "Address to bind.", "127.0.0.1"},
    ConfigField{"server.port", FieldType::kInteger, "8080", "Port; 0: any free one.", "8080", 0, 65535},
    ConfigField{"server.insecure", FieldType::kBoolean, "false", "Allows another address than this machine's own without authentication.", "false"},
    ConfigField{"threads", FieldType::kInteger, "0", "Threads that tasks are stepped on; 0: one a core. Results do not depend on it.", "2", 0, 256},
};

}  // namespace

std::span<const ConfigField> ConfigFields() { return kFields; }

std::vector<const ConfigField*> FieldsBelow(std::string_view path) {
  std::vector<const ConfigField*> rows;
  for (const ConfigField& field : kFields) {
    const size_t dot = field.path.rfind('.');
    const std::string_view parent = dot == std::string_view::npos ? std::string_view() : field.path.substr(0, dot);
    if (parent == path && field.key() != "*") rows.push_back(&field);
  }
  return rows;
}

const ConfigField* FindConfigField(std::string_view path) {
  for (const ConfigField& field : kFields) {
    if (field.path == path) return &field;
  }
  return nullptr;
}

std::vector<std::string> ChoicesOf(const ConfigField& field) {
  std::vector<std::string> words;
  std::string_view rest = field.choices;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(' '), rest.size());
    words.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return words;
}

std::string EnvironmentName(const ConfigField& field) {
  std::string name = "TIDECAST__";
  for (const char c : field.path) {
    if (c == '.') name += "__";
    else if (c == '*') name += "<NAME>";
    else name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

}  // namespace tidecast
