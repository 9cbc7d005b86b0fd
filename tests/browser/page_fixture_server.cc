// Serves the real page from a real server over a view that was fed through its observer's side, with generated daily
// series or with those of a CSV file (unique_id,ds,y; sorted by ds within a series). The last days are kept back and
// come live.
//
//   page_fixture_server [--series FILE] [--port N] [--ui-dir DIR] [--empty]
//
// Prints "port N", then obeys lines on stdin: "advance" closes the next day, "open VALUE" fills the open bucket of the
// first series, "alert" raises one on the first series, "status STATE" reports, "quit" ends. Answers each with "done".
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "engine/core/hash.h"
#include "engine/server/http_server.h"

namespace tidecast {
namespace {

constexpr int kHorizon = 14;
constexpr int kLiveDays = 30;      // kept back
constexpr int kForecastDays = 40;  // before those: with forecasts
constexpr int64_t kDaySeconds = 86'400;
constexpr double kLevels[] = {.025, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .975, .99};
constexpr double kNormal[] = {-1.96, -1.645, -1.282, -.842, -.524, -.253, 0,
                              .253,  .524,   .842,   1.282, 1.645, 1.96,  2.326};

struct Day {
  std::string ds;
  double value = 0;
};
using Table = std::map<std::string, std::vector<Day>>;

std::string DayText(int64_t day) { return UtcText(EventTime::FromSeconds(day * kDaySeconds)).substr(0, 10); }
int64_t DayOf(const std::string& ds) {
  std::tm parts{};
  strptime(ds.c_str(), "%Y-%m-%d", &parts);
  return timegm(&parts) / kDaySeconds;
}

Table Generated() {
  Table table;
  for (int s = 0; s < 24; ++s) {
    const std::string name = s == 0 ? "85123A" : fmt::format("SKU {:03}/a", s);
    const double level = 60.0 + 7 * s;
    for (int64_t day = 14'700; day < 14'700 + 200; ++day) {
      const double week = 1 + .35 * std::sin(static_cast<double>(day % 7) * 6.283 / 7);
      const double noise = .75 + .5 * UniformAt(7, static_cast<uint64_t>(s), day);
      table[name].push_back({DayText(day), std::round(level * week * noise)});
    }
  }
  return table;
}

Table FromFile(const std::string& path) {
  Table table;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream row(line);
    std::string id, ds, y;
    std::getline(row, id, ',');
    std::getline(row, ds, ',');
    std::getline(row, y, ',');
    table[id].push_back({DayText(DayOf(ds)), std::atof(y.c_str())});
  }
  return table;
}

// A plain forecaster, good enough to look at: decayed mean of log(1 + y) a weekday, and the spread around it.
struct Model {
  double mean[7] = {}, spread = .6;
  int seen[7] = {};
  double level = 0;
  int days = 0;

  void Learn(int weekday, double value) {
    const double x = std::log1p(std::max(0.0, value));
    if (days++ == 0) level = x;
    const double fitted = level + (seen[weekday] > 0 ? mean[weekday] : 0);
    if (days > 14) spread += .06 * (std::abs(x - fitted) * 1.25 - spread);
    level += .12 * (x - fitted);
    mean[weekday] += (x - level - mean[weekday]) / std::min(8, ++seen[weekday]);
  }
  double Quantile(int weekday, int step, double z) const {
    const double x = level + mean[weekday] + z * spread * (1 + .02 * step);
    return std::max(0.0, std::expm1(x));
  }
};

/// Every third series rises, every third fades.
std::string TrendValue(size_t number) {
  const double rise = number % 3 == 0 ? .8 : number % 3 == 1 ? .2 : .5;
  return fmt::format(R"({{"phase":"{}","p_rise":{},"last":80,"expected":{},"horizon":7}})",
                     rise > .5 ? "rising" : rise < .5 ? "fading" : "steady", rise, 160 * rise);
}

class Feeder {
 public:
  Feeder(Table table, bool made_up, LiveView& view) : table_(std::move(table)), made_up_(made_up), view_(view) {
    for (const auto& [name, days] : table_) length_ = std::max(length_, days.size());
  }

  void History() {
    while (next_ + kLiveDays < length_) Advance();
  }

  bool Advance() {
    if (next_ >= length_) return false;
    std::vector<OutputRecord> records;
    EventTime end;
    size_t index = 0;
    for (const auto& [name, days] : table_) {
      ++index;
      if (next_ >= days.size()) continue;
      const Day& day = days[next_];
      const int64_t number = DayOf(day.ds);
      Model& model = models_[name];
      const int weekday = static_cast<int>(number % 7);
      end = EventTime::FromSeconds((number + 1) * kDaySeconds);
      records.push_back(Record(
          "shop.features", name,
          fmt::format(R"({{"unique_id":"{}","view":"sku","ds":"{}","end":"{}","revision":1,"units":{},"orders":3}})",
                      name, day.ds, DayText(number + 1), day.value)));
      if (next_ + kLiveDays + kForecastDays >= length_ && model.days > 30)
        MaybeAlert(name, day, number, model, &records);
      model.Learn(weekday, day.value);
      if (next_ + kLiveDays + kForecastDays >= length_) {
        records.push_back(Record("shop.forecasts", name, ForecastValue(name, days, model)));
        ++status_.forecasts;
        records.push_back(Record("shop.trends", name, TrendValue(index)));
      }
      status_.events_read += static_cast<int64_t>(day.value / 5) + 1;
    }
    ++next_;
    status_.events_accepted = status_.events_read;
    status_.watermark = end;
    view_.OnCommitted(records);
    Report("running");
    return true;
  }

  void Open(double value) {
    const auto& [name, days] = *table_.begin();
    if (next_ < days.size())
      view_.OnOpenBucket(name, EventTime::FromSeconds(DayOf(days[next_].ds) * kDaySeconds), value);
  }

  void OpenAll(double share) {
    for (const auto& [name, days] : table_) {
      if (next_ < days.size()) {
        view_.OnOpenBucket(name, EventTime::FromSeconds(DayOf(days[next_].ds) * kDaySeconds),
                           std::round(days[next_].value * share));
      }
    }
  }

  void RaiseOne() {
    const auto& [name, days] = *table_.begin();
    std::vector<OutputRecord> records;
    Push(name, days[next_ - 1], DayOf(days[next_ - 1].ds), models_[name], &records);
    view_.OnCommitted(records);
    Report("running");
  }

  void Report(const std::string& state) {
    status_.state = state;
    status_.ready = state == "running";
    status_.series = static_cast<int64_t>(table_.size());
    // Made-up figures only beside made-up series: a picture of real ones must not claim an accuracy.
    if (made_up_) status_.events_per_second = state == "running" ? 1'240 : 0;
    status_.alerts = alerts_;
    status_.alerts_firing = alerts_;
    if (made_up_) status_.figures = {{"wql", .412}, {"wql_seasonal_naive", .586}, {"coverage_80", .803}};
    view_.OnStatus(status_);
  }

 private:
  static OutputRecord Record(const std::string& topic, const std::string& key, std::string value) {
    OutputRecord record;
    record.topic = topic;
    record.key = key;
    record.value = std::move(value);
    return record;
  }

  // The next horizon of days that exist in the series, or calendar days after its end.
  std::string ForecastValue(const std::string& name, const std::vector<Day>& days, const Model& model) const {
    std::string ds, mean, quantiles;
    std::vector<int64_t> numbers;
    int64_t day = DayOf(days[next_].ds);
    const int64_t cutoff = day;  // the label of the last closed bucket
    for (int h = 1; h <= kHorizon; ++h) {
      const size_t at = next_ + static_cast<size_t>(h);
      day = at < days.size() ? DayOf(days[at].ds) : day + 1;
      numbers.push_back(day);
      ds += fmt::format("{}\"{}\"", h > 1 ? "," : "", DayText(day));
      mean += fmt::format("{}{:.3f}", h > 1 ? "," : "", model.Quantile(static_cast<int>(day % 7), h, .15));
    }
    for (size_t q = 0; q < std::size(kLevels); ++q) {
      quantiles += fmt::format("{}\"{:g}\":[", q > 0 ? "," : "", kLevels[q]);
      for (size_t h = 0; h < numbers.size(); ++h) {
        quantiles += fmt::format("{}{:.3f}", h > 0 ? "," : "",
                                 model.Quantile(static_cast<int>(numbers[h] % 7), static_cast<int>(h), kNormal[q]));
      }
      quantiles += "]";
    }
    return fmt::format(
        R"({{"unique_id":"{}","view":"sku","cutoff":"{}","ds":[{}],"mean":[{}],"quantiles":{{{}}},"model":"fixture","model_version":1,"revision":1}})",
        name, DayText(cutoff), ds, mean, quantiles);
  }

  void MaybeAlert(const std::string& name, const Day& day, int64_t number, const Model& model,
                  std::vector<OutputRecord>* records) {
    const int weekday = static_cast<int>(number % 7);
    const double expected = model.Quantile(weekday, 0, .15);
    if (day.value > model.Quantile(weekday, 0, 3.2) && day.value > 2 * expected && day.value - expected > 60)
      Push(name, day, number, model, records);
  }

  void Push(const std::string& name, const Day& day, int64_t number, const Model& model,
            std::vector<OutputRecord>* records) {
    const int weekday = static_cast<int>(number % 7);
    const double expected = model.Quantile(weekday, 0, .15);
    const std::string fingerprint = fmt::format("{:016x}", Hash64(name));
    std::string quantiles;
    for (size_t q = 0; q < std::size(kLevels); ++q) {
      quantiles +=
          fmt::format("{}\"{:g}\":{:.2f}", q > 0 ? "," : "", kLevels[q], model.Quantile(weekday, 0, kNormal[q]));
    }
    const std::string id = fmt::format("{}/{}/1", fingerprint, ++alerts_);
    records->push_back(Record(
        "shop.alerts", name,
        fmt::format(
            R"({{"specversion":"1.0","id":"{}","type":"tidecast.alert.firing.v1","subject":"{}","data":{{)"
            R"("id":"{}","fingerprint":"{}","episode":{},"revision":1,"status":"firing","labels":{{)"
            R"("alertname":"DemandAboveForecast","use_case":"demand_shift","unique_id":"{}","view":"sku",)"
            R"("direction":"high","severity":"warning"}},"annotations":{{"summary":"above its forecast"}},)"
            R"("startsAt":"{}T00:00:00Z","endsAt":null,"ds":"{}","observed":{},"expected":{:.2f},"quantiles":{{{}}},)"
            R"("effect":{{"ratio":{:.2f},"absolute":{:.2f}}},"evidence":{{"p":1e-6}},"explanation":{{"component":"tail","level":{:.2f},)"
            R"("recent":0,"season":{:.2f},"known":{{"promotion":{:.2f}}},"experts":[]}}}}}})",
            id, name, id, fingerprint, alerts_, name, DayText(number + 1), DayText(number), day.value, expected,
            quantiles, day.value / std::max(expected, 1.0), day.value - expected, expected, -expected / 4, expected / 4)));
  }

  Table table_;
  bool made_up_;
  LiveView& view_;
  std::map<std::string, Model> models_;
  LiveStatus status_;
  size_t length_ = 0;
  size_t next_ = 0;
  int64_t alerts_ = 0;
};

int Main(int argc, char** argv) {
  std::map<std::string, std::string> flags;
  for (int i = 1; i < argc; ++i) {
    const std::string name(argv[i]);
    std::string& value = flags[name];
    if (name != "--empty" && i + 1 < argc) value.assign(argv[++i]);
  }
  SystemClock clock;
  LiveViewOptions view_options;
  view_options.targets["sku"] = "units";
  LiveView view(view_options, clock);
  MetricRegistry metrics;
  HttpServerOptions options;
  options.port = static_cast<uint16_t>(std::atoi(flags["--port"].c_str()));
  options.ui_directory = flags["--ui-dir"];
  options.heartbeat = std::chrono::milliseconds(500);
  HttpServer server(options, view, metrics,
                    [](const std::string& input, const std::string&, bool) -> Result<std::string> {
                      if (std::string_view(input) != std::string_view("orders"))
                        return Status(Code::kNotFound, "There is no such input: " + input, Domain::kInput);
                      return std::string(R"({"accepted":1})");
                    });
  if (const Status started = server.Start(); !started.ok()) {
    std::cerr << started.message() << "\n= try: " << started.remedy() << "\n";
    return ExitCode(started.code());
  }
  Feeder feeder(flags.contains("--empty")   ? Table()
                : flags["--series"].empty() ? Generated()
                                            : FromFile(flags["--series"]),
                flags["--series"].empty(), view);
  if (flags.contains("--empty")) {
    feeder.Report("running");
  } else {
    feeder.History();
    feeder.OpenAll(.4);
  }
  std::cout << "port " << server.port() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string verb, argument;
    words >> verb >> argument;
    if (verb == "quit") break;
    if (verb == "advance") feeder.Advance();
    if (verb == "open") feeder.Open(std::atof(argument.c_str()));
    if (verb == "openall") feeder.OpenAll(std::atof(argument.c_str()));
    if (verb == "alert") feeder.RaiseOne();
    if (verb == "status") feeder.Report(argument);
    std::cout << "done" << std::endl;
  }
  server.Stop();
  return 0;
}

}  // namespace
}  // namespace tidecast

int main(int argc, char** argv) { return tidecast::Main(argc, argv); }
