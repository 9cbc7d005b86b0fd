#include "engine/app/order_series.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "engine/app/wiring.h"
#include "engine/core/hash.h"
#include "engine/io/event_decoder.h"
#include "engine/io/file_rows.h"
#include "operators/bucket_calendar.h"

namespace tidecast {

Result<SeriesRows> ReadOrderSeries(const std::string& path, const std::string& config, OrderFindings* findings) {
  FeedFile file{path, {}};
  file.input.name = "orders";
  std::string pseudonym_key = "check";
  if (!config.empty()) {
    TC_ASSIGN_OR_RETURN(const EngineOptions options, LoadOptions(config));
    const auto found = std::find_if(options.inputs.begin(), options.inputs.end(),
                                    [](const InputOptions& input) { return input.kind == InputKind::kOrders; });
    if (found == options.inputs.end())
      return Status(Code::kConfig, "the config has no input of orders", Domain::kInput);
    file.input = *found;
    pseudonym_key = options.pseudonym_key;
  }
  CalendarOptions days;
  days.zone = file.input.zone;
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<BucketCalendar> calendar, BucketCalendar::Make(days));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<FileRows> reader, FileRows::Open(file));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<EventDecoder> decoder, EventDecoder::Make(file.input, 0, pseudonym_key));
  std::map<std::string, std::map<int32_t, double>, std::less<>> units;
  std::map<int32_t, std::string> labels;
  std::unordered_set<uint64_t> seen;
  EventBatch batch;
  FileRow row;
  BucketCalendar::Span span;
  int32_t day = 0;
  for (;;) {
    TC_ASSIGN_OR_RETURN(const bool more, reader->Next(&row));
    if (!more) break;
    ++findings->lines;
    if (!seen.insert(Hash64(row.text)).second) ++findings->repeated;
    InputRecord record;
    reader->MakeRecord(row.text, row.line, &record.key, &record.value);
    record.has_key = !record.key.empty();
    record.offset = row.line;
    batch.Clear();
    decoder->Decode({&record, 1}, {path, 0}, 1, 0, batch);
    for (const Event& event : batch.events) {
      ++findings->decoded;
      const double quantity = event.Number(NumberField::kQuantity).ToDouble();
      if (quantity < 0) ++findings->returns;
      if (quantity <= 0) continue;
      if (!(span.start <= event.time && event.time < span.end)) {
        span = calendar->BucketOf(event.time);
        day = calendar->LocalDay(span.start);
        labels.try_emplace(day, calendar->Label(span.start));
      }
      const auto at = units.find(event.key);
      (at != units.end() ? at->second : units[std::string(event.key)])[day] += quantity;
    }
  }
  if (units.empty()) {
    return Status(Code::kData, fmt::format("no order of the file can be read: {}", path), Domain::kInput)
        .WithRemedy("name a config whose orders input fits: --config tidecast.yaml; series are unique_id,ds,y");
  }
  SeriesRows rows;
  rows.frequency = "1d";
  std::map<int32_t, uint32_t> index;
  for (const auto& [local, label] : labels) {
    index.emplace(local, static_cast<uint32_t>(rows.times.size()));
    rows.times.push_back(label);
    rows.seconds.push_back(int64_t{local} * 86400);
  }
  for (const auto& [sku, by_day] : units) {
    const auto name = static_cast<uint32_t>(rows.names.size());
    rows.names.push_back(sku);
    for (auto at = labels.lower_bound(by_day.begin()->first); at != labels.end(); ++at) {
      const auto sold = by_day.find(at->first);
      rows.rows.push_back(
          {name, index.at(at->first), sold == by_day.end() ? 0.F : static_cast<float>(sold->second), 0});
    }
  }
  return rows;
}

void AdviseOnOrders(const std::string& path, const std::string& config, const OrderFindings& findings,
                    std::vector<Advice>* advice) {
  const auto share = [&](int64_t count) {
    return 100 * static_cast<double>(count) / static_cast<double>(std::max<int64_t>(1, findings.lines));
  };
  const int64_t rejected = findings.lines - findings.decoded;
  if (rejected > 0) {
    advice->push_back(
        {AdviceWeight::kLook, fmt::format("{} of {} lines cannot be read as orders", rejected, findings.lines),
         fmt::format("tidecast check {} --orders {} tells why", config.empty() ? "tidecast.yaml" : config, path)});
  }
  if (findings.repeated > 0) {
    advice->push_back(
        {AdviceWeight::kLook,
         fmt::format("{} lines ({:.2f} %) stand in the file more than once", findings.repeated,
                     share(findings.repeated)),
         "if they are copies, give each line an id and name it in inputs.orders.dedupe; as it is, both count"});
  }
  if (findings.returns > 0) {
    advice->push_back(
        {AdviceWeight::kNote,
         fmt::format("{} lines ({:.2f} %) are returns: they are left out here", findings.returns,
                     share(findings.returns)),
         "let the target count where: positive, and returns be a feature of their own (where: negative)"});
  }
}

}  // namespace tidecast
