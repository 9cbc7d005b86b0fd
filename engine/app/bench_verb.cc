#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/app/bench_workload.h"
#include "engine/app/error_report.h"
#include "engine/app/replay_session.h"
#include "engine/app/verbs.h"
#include "engine/app/wiring.h"
#include "engine/io/event_decoder.h"

#include <sys/resource.h>

namespace tidecast {
namespace {

struct BenchFlags {
  int64_t events = 2'000'000;
  uint32_t skus = 50'000;
  int rounds = 3;
  std::string state;
};

/// Of this thread, or of the whole process with the store's background threads.
double CpuSeconds(int who = RUSAGE_THREAD) {
  rusage usage{};
  getrusage(who, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double PeakMegabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

InputOptions Input(std::string name, InputKind kind) {
  InputOptions input;
  input.name = name;
  input.kind = kind;
  input.topic = "bench." + std::move(name);
  input.watermark.bound = std::chrono::seconds(10);
  return input;
}

FeatureOptions Feature(std::string name, std::string input, Aggregate aggregate, NumberField field = NumberField::kQuantity) {
  FeatureOptions feature;
  feature.name = std::move(name);
  feature.input = std::move(input);
  feature.aggregate = aggregate;
  feature.field = field;
  return feature;
}

/// One-minute windows of five features a SKU, exactly once, state in RocksDB; no model.
EngineOptions BenchOptions(const std::string& directory) {
  EngineOptions options;
  options.name_space = "bench";
  options.partitions = 8;
  options.state_directory = directory;
  options.memory_limit_bytes = 1ULL << 30;
  options.model_enabled = false;
  options.inputs = {Input("orders", InputKind::kOrders), Input("clicks", InputKind::kClicks)};
  ViewOptions view;
  view.calendar.unit = BucketUnit::kMinute;
  view.emit_empty = false;
  FeatureOptions views = Feature("views", "clicks", Aggregate::kCount);
  views.action = ClickAction::kView;
  FeatureOptions carts = Feature("carts", "clicks", Aggregate::kCount);
  carts.action = ClickAction::kCart;
  view.features = {views, carts, Feature("units", "orders", Aggregate::kSum), Feature("revenue", "orders", Aggregate::kSum, NumberField::kAmount),
                   Feature("max_price", "orders", Aggregate::kMax, NumberField::kUnitPrice)};
  view.target = "units";
  view.forecast = false;
  options.views = {view};
  return options;
}

struct Cost {
  double cpu_seconds = 0;          ///< of the thread that does the work
  double process_seconds = 0;      ///< with the store's background threads
  int64_t events = 0;
};

/// Reads all input partitions to their ends; decodes what it reads when `decode`.
Result<Cost> ReadOnlyPass(WiredEngine& engine, bool decode) {
  const EngineOptions& options = engine.options();
  std::vector<Position> positions;
  std::vector<std::unique_ptr<EventDecoder>> decoders;
  std::vector<size_t> inputs;
  for (size_t i = 0; i < options.inputs.size(); ++i) {
    TC_ASSIGN_OR_RETURN(auto decoder, EventDecoder::Make(options.inputs[i], static_cast<uint16_t>(i), options.pseudonym_key));
    decoders.push_back(std::move(decoder));
    for (int32_t p = 0; p < options.partitions; ++p) {
      positions.push_back({{options.inputs[i].topic, p}, -2});
      inputs.push_back(i);
    }
  }
  TC_RETURN_IF_ERROR(engine.transport().StartAt(positions));
  const std::unique_ptr<RecordBatch> batch = engine.transport().MakeBatch();
  EventBatch events;
  Cost cost;
  const double begun = CpuSeconds();
  for (uint32_t handle = 0; handle < positions.size(); ++handle) {
    for (;;) {
      batch->Clear();
      TC_ASSIGN_OR_RETURN(const PollResult polled, engine.transport().Poll(handle, 8192, 4 << 20, *batch));
      cost.events += static_cast<int64_t>(batch->records().size());
      if (decode) {
        events.Clear();
        decoders[inputs[handle]]->Decode(batch->records(), positions[handle].source, options.partitions, 0, events);
        if (!events.dead_letters.empty()) return Status(Code::kInternal, fmt::format("the bench's own events do not decode: {}", events.dead_letters[0].detail));
      }
      if (polled.at_end && batch->records().empty()) break;
    }
  }
  cost.cpu_seconds = CpuSeconds() - begun;
  return cost;
}

Result<Cost> EnginePass(const std::string& log_directory, bool publish, const Clock& clock) {
  MetricRegistry metrics;
  TC_ASSIGN_OR_RETURN(const auto engine, WiredEngine::Make(BenchOptions(log_directory), {publish, nullptr, nullptr, 0}, clock, metrics));
  Instance& instance = engine->instance();
  TC_RETURN_IF_ERROR(instance.Start());
  while (!instance.running()) TC_RETURN_IF_ERROR(instance.Step(0).status());
  TC_RETURN_IF_ERROR(instance.FinishAtEnd());
  const double begun = CpuSeconds();
  const double process_begun = CpuSeconds(RUSAGE_SELF);
  for (;;) {
    TC_ASSIGN_OR_RETURN(const Instance::Progress progress, instance.Step(0));
    if (progress == Instance::Progress::kFinished) break;
  }
  Cost cost{CpuSeconds() - begun, CpuSeconds(RUSAGE_SELF) - process_begun, instance.counts().events_read};
  if (instance.counts().events_accepted + instance.counts().too_late != cost.events) {
    return Status(Code::kInternal, "the bench lost events");
  }
  return cost;
}

/// A fresh log with the workload in it; each pass starts from its own copy of nothing but this.
Result<Cost> Fill(const std::string& directory, const BenchFlags& flags, const Clock& clock) {
  MetricRegistry metrics;
  TC_ASSIGN_OR_RETURN(const auto engine, WiredEngine::Make(BenchOptions(directory), {}, clock, metrics));
  TC_RETURN_IF_ERROR(engine->transport().Open());
  for (const InputOptions& input : engine->options().inputs) {
    TC_RETURN_IF_ERROR(engine->transport().CreateTopic({input.topic, engine->options().partitions, {}}));
  }
  BenchWorkload::Options options;
  options.events = flags.events;
  options.skus = flags.skus;
  BenchWorkload workload(options);
  std::vector<OutputRecord> records;
  const double begun = CpuSeconds();
  Cost cost;
  while (workload.Next(16384, &records)) {
    TC_RETURN_IF_ERROR(engine->embedded()->Append(records).status());
    cost.events += static_cast<int64_t>(records.size());
  }
  cost.cpu_seconds = CpuSeconds() - begun;
  return cost;
}

Status Bench(const BenchFlags& flags) {
  const SystemClock clock;
  const std::filesystem::path root = flags.state.empty() ? std::filesystem::temp_directory_path() / fmt::format("tidecast-bench-{}", getpid())
                                                         : std::filesystem::path(flags.state);
  std::filesystem::create_directories(root);
  nlohmann::ordered_json out = {{"events", flags.events}, {"skus", flags.skus}, {"rounds", nlohmann::ordered_json::array()}};
  const auto per_event = [](const Cost& cost) { return cost.cpu_seconds * 1e6 / static_cast<double>(cost.events); };
  fmt::print(stderr, "CPU microseconds an event, by stage\n{:<7} {:>9} {:>9} {:>9} {:>9} {:>11} {:>14}\n", "round", "read", "decode", "windows", "output",
             "background", "events/s/core");
  for (int round = 0; round < flags.rounds; ++round) {
    std::array<Cost, 4> costs;
    for (int pass = 0; pass < 2; ++pass) {
      const std::string directory = (root / fmt::format("{}-{}", round, pass)).string();
      TC_RETURN_IF_ERROR(Fill(directory, flags, clock).status());
      if (pass == 0) {
        MetricRegistry metrics;
        TC_ASSIGN_OR_RETURN(const auto engine, WiredEngine::Make(BenchOptions(directory), {}, clock, metrics));
        TC_RETURN_IF_ERROR(engine->transport().Open());
        TC_RETURN_IF_ERROR(engine->transport().Join({"bench.orders", "bench.clicks"}));
        TC_ASSIGN_OR_RETURN(costs[0], ReadOnlyPass(*engine, false));
        TC_ASSIGN_OR_RETURN(costs[1], ReadOnlyPass(*engine, true));
      }
      TC_ASSIGN_OR_RETURN(costs[static_cast<size_t>(2 + pass)], EnginePass(directory, pass == 1, clock));
      std::filesystem::remove_all(directory);
    }
    const double whole = costs[3].process_seconds * 1e6 / static_cast<double>(costs[3].events);
    const std::array<double, 5> stage = {per_event(costs[0]), per_event(costs[1]) - per_event(costs[0]), per_event(costs[2]) - per_event(costs[1]),
                                         per_event(costs[3]) - per_event(costs[2]), whole - per_event(costs[3])};
    fmt::print(stderr, "{:<7} {:>9.3f} {:>9.3f} {:>9.3f} {:>9.3f} {:>11.3f} {:>14.0f}\n", round + 1, stage[0], stage[1], stage[2], stage[3], stage[4],
               1e6 / whole);
    out["rounds"].push_back({{"events_per_second_per_core", 1e6 / whole},
                             {"cpu_us_per_event", {{"read", stage[0]}, {"decode", stage[1]}, {"windows_state_commit", stage[2]}, {"output", stage[3]},
                                                   {"store_background", stage[4]}}}});
  }
  out["peak_rss_mb"] = PeakMegabytes();
  if (flags.state.empty()) std::filesystem::remove_all(root);
  fmt::print("{}\n", out.dump());
  return Status::Ok();
}

}  // namespace

void AddBenchVerb(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* verb = app.add_subcommand("bench", "Events a second on one core: embedded log, one-minute windows, state in RocksDB, no model");
  verb->add_option("--events", flags->events, "events of a round")->capture_default_str();
  verb->add_option("--skus", flags->skus, "series")->capture_default_str();
  verb->add_option("--rounds", flags->rounds, "repetitions; quote the median")->capture_default_str();
  verb->add_option("--state", flags->state, "folder for the log and the state (default: a temporary one)");
  verb->callback([flags, exit_code] {
    if (Status status = Bench(*flags); !status.ok()) *exit_code = ReportError(status);
  });
}

}  // namespace tidecast
