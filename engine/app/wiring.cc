#include "engine/app/wiring.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "config/config_loader.h"
#include "config/config_printer.h"
#include "engine/app/weights_file.h"
#include "engine/io/embedded_appender.h"
#include "engine/io/kafka_event_producer.h"
#include "engine/io/kafka_transport.h"
#include "state/state_owner.h"

namespace tidecast {
namespace {

constexpr size_t kMemoryLeast = 64ULL << 20;
// An epoch's bytes are held up to six times: being filled, in flight, in the store's batch, in the client's queue, and as
// they are read back.
constexpr size_t kEpochShare = 16;
constexpr size_t kEpochLeast = 1ULL << 20;
constexpr size_t kEpochMost = 32ULL << 20;
constexpr size_t kSendQueueLeast = 8ULL << 20;
constexpr size_t kFetchShare = 32;  // of the limit, for the payload of what is read ahead; with librdkafka's own it is about thrice as much
constexpr size_t kTorchBytes = 256ULL << 20;  // measured: what LibTorch, the net and its samples take beside the rest

std::vector<std::string> Environment() {
  std::vector<std::string> variables;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) variables.emplace_back(*at);
  return variables;
}

size_t CgroupLimit() {
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    size_t bytes = 0;
    if (file >> bytes && bytes < (1ULL << 50)) return bytes;
  }
  return 0;
}

KafkaTransportOptions KafkaOptions(const EngineOptions& options, const std::string& instance) {
  KafkaTransportOptions kafka;
  kafka.properties = options.kafka;
  kafka.name_space = options.name_space;
  kafka.instance = instance;
  // A full queue makes an epoch wait, it loses nothing: half an epoch keeps the client busy.
  kafka.send_queue_bytes_max = std::max(kSendQueueLeast, EpochBytesMax(options) / 2);
  kafka.fetch_bytes_total = MemoryLimit(options) / kFetchShare;
  return kafka;
}

StateStoreOptions StoreOptions(const EngineOptions& options, bool read_only) {
  StateStoreOptions store;
  store.directory = options.state_directory;
  const size_t limit = MemoryLimit(options);
  const size_t torch = options.model.net == NetKind::kNone ? 0 : std::min(kTorchBytes, limit / 2);
  store.memory_bytes_max = std::max(kMemoryLeast, (limit - torch) / 7);
  store.read_only = read_only;
  return store;
}

}  // namespace

size_t EpochBytesMax(const EngineOptions& options) {
  if (options.epoch_bytes_max > 0) return options.epoch_bytes_max;
  return std::clamp(MemoryLimit(options) / kEpochShare, kEpochLeast, kEpochMost);
}

size_t MemoryLimit(const EngineOptions& options) {
  if (options.memory_limit_bytes > 0) return options.memory_limit_bytes;
  if (const size_t cgroup = CgroupLimit(); cgroup > 0) return cgroup / 2;
  struct sysinfo info {};
  return sysinfo(&info) == 0 ? static_cast<size_t>(info.totalram) * info.mem_unit / 2 : 1ULL << 30;
}

Result<EngineOptions> LoadOptions(const std::string& config_path) {
  TC_ASSIGN_OR_RETURN(ConfigReport report, CheckConfig(config_path, OverridesFromEnvironment(Environment())));
  if (report.ok()) {
    TC_RETURN_IF_ERROR(BeginWithWeights(report.options.weights_path, &report.options.model));
    return std::move(report.options);
  }
  fmt::print(stderr, "{}", PrintProblems(report));
  return Status(Code::kConfig, fmt::format("the config has {} problem{}: {}", report.problems.size(), report.problems.size() == 1 ? "" : "s", config_path),
                Domain::kInput);
}

KafkaTransportOptions KafkaOptionsOf(const EngineOptions& options) { return KafkaOptions(options, options.instance); }

Result<std::unique_ptr<StateStore>> OpenState(const EngineOptions& options, StateUse use) {
  if (!std::filesystem::exists(options.state_directory)) {
    return Status(Code::kNoInput, fmt::format("there is no state directory: {}", options.state_directory), Domain::kInput)
        .WithRemedy("run `tidecast run` or `tidecast demo` with this config first, or correct state.directory");
  }
  TC_ASSIGN_OR_RETURN(auto store, OpenRocksStore(StoreOptions(options, use == StateUse::kRead)));
  TC_ASSIGN_OR_RETURN(const std::optional<StateOwner> owner, ReadStateOwner(*store));
  TC_RETURN_IF_ERROR(CheckStateOwner(owner, {options.name_space, options.instance}, options.state_directory));
  return store;
}

Result<std::unique_ptr<WiredEngine>> WiredEngine::Make(EngineOptions options, const Wishes& wishes, const Clock& clock, MetricRegistry& metrics) {
  auto engine = std::make_unique<WiredEngine>();
  options.memory_limit_bytes = MemoryLimit(options);
  options.epoch_bytes_max = EpochBytesMax(options);
  engine->options_ = options;
  FaultPoints::ArmFromEnvironment(engine->faults_);
  const size_t cores = UsableCores();
  engine->executor_ = MakeExecutor(options.threads > 0 ? static_cast<size_t>(options.threads) : cores);
  TC_ASSIGN_OR_RETURN(engine->store_, OpenRocksStore(StoreOptions(options, false)));
  TC_RETURN_IF_ERROR(BindStateOwner(*engine->store_, {options.name_space, options.instance}));
  if (options.transport == TransportKind::kEmbedded) {
    EmbeddedLogOptions log;
    log.partitions = options.partitions;
    log.retention_bytes = wishes.embedded_retention_bytes;
    auto embedded = std::make_unique<EmbeddedTransport>(*engine->store_, clock, log);
    engine->embedded_ = embedded.get();
    engine->transport_ = std::move(embedded);
  } else {
    KafkaTransportOptions kafka = KafkaOptions(options, options.instance);
    const auto part = [&](const char* name) { return &metrics.Gauge("tidecast_memory_bytes", kMemoryHelp, {{"part", name}}); };
    kafka.send_queue_bytes = part("send_queue");
    kafka.fetch_queue_bytes = part("fetch_queue");
    TC_ASSIGN_OR_RETURN(engine->transport_, MakeKafkaTransport(std::move(kafka)));
  }
  TC_ASSIGN_OR_RETURN(auto plan, TaskPlan::Make(std::move(options), wishes.publish, wishes.sink != nullptr && wishes.sink->WantsAll()));
  if (wishes.sink != nullptr && !plan->collect) {
    plan->follows = [sink = wishes.sink](uint16_t view, std::string_view series) { return sink->Follows(view, series); };
  }
  engine->instance_ = std::make_unique<Instance>(
      std::move(plan), Instance::Parts{.transport = *engine->transport_,
                                       .store = *engine->store_,
                                       .executor = *engine->executor_,
                                       .clock = clock,
                                       .metrics = metrics,
                                       .faults = engine->faults_,
                                       .observer = wishes.observer,
                                       .sink = wishes.sink,
                                       .readers = std::max(cores, engine->executor_->threads())});
  return engine;
}

Result<std::unique_ptr<EventAppender>> WiredEngine::MakeEventAppender() {
  if (embedded_ != nullptr) return std::unique_ptr<EventAppender>(std::make_unique<EmbeddedAppender>(*embedded_));
  TC_ASSIGN_OR_RETURN(auto producer, KafkaEventProducer::Make(KafkaOptions(options_, options_.instance)));
  return std::unique_ptr<EventAppender>(std::move(producer));
}

Result<std::unique_ptr<ReadOnlyLog>> OpenReadOnlyLog(const EngineOptions& options) {
  static const SystemClock clock;
  auto log = std::make_unique<ReadOnlyLog>();
  if (options.transport == TransportKind::kEmbedded) {
    TC_ASSIGN_OR_RETURN(log->store_, OpenState(options, StateUse::kRead));
    log->transport_ = std::make_unique<EmbeddedTransport>(*log->store_, clock);
  } else {
    // A transactional id of its own: the running engine's must not be fenced.
    TC_ASSIGN_OR_RETURN(log->transport_, MakeKafkaTransport(KafkaOptions(options, fmt::format("reader-{}", getpid()))));
  }
  TC_RETURN_IF_ERROR(log->transport_->Open());
  return log;
}

}  // namespace tidecast
