#pragma once

#include <memory>
#include <string>

#include "engine/core/clock.h"
#include "engine/core/executor.h"
#include "engine/core/metrics.h"
#include "engine/io/embedded_transport.h"
#include "engine/io/event_appender.h"
#include "engine/io/kafka_transport.h"
#include "engine/io/log_transport.h"
#include "engine/runtime/engine_options.h"
#include "engine/runtime/fault_points.h"
#include "engine/runtime/instance.h"
#include "state/state_store.h"

namespace tidecast {

/// Loads a config; prints its problems to stderr in words. Errors: kConfig, kNoInput.
Result<EngineOptions> LoadOptions(const std::string& config_path);

/// What somebody wants of a state directory that is there already.
enum class StateUse : uint8_t { kRead, kWrite };
/// Opens the state of a config, of this instance alone.  Errors: kNoInput (none is there), kConfig (another instance's),
/// kFenced (kWrite while an engine runs on it), as OpenRocksStore.
Result<std::unique_ptr<StateStore>> OpenState(const EngineOptions& options, StateUse use);

/// The Kafka side of a config.
KafkaTransportOptions KafkaOptionsOf(const EngineOptions& options);

/// An instance with everything beneath it, in the order of its destruction.
/// Thread: confined, but for `metrics` and `embedded()->Append`.
class WiredEngine {
 public:
  struct Wishes {
    bool publish = true;                ///< write output topics
    CommitObserver* observer = nullptr;
    ResultSink* sink = nullptr;
    size_t embedded_retention_bytes = 0;
  };
  /// Opens the state directory and the transport of `options`. Errors: as theirs.
  static Result<std::unique_ptr<WiredEngine>> Make(EngineOptions options, const Wishes& wishes, const Clock& clock, MetricRegistry& metrics);

  Instance& instance() { return *instance_; }
  StateStore& store() { return *store_; }
  LogTransport& transport() { return *transport_; }
  /// For events that come over HTTP. Errors: kConfig.
  Result<std::unique_ptr<EventAppender>> MakeEventAppender();
  /// Null unless the transport is the embedded log.
  EmbeddedTransport* embedded() { return embedded_; }
  const EngineOptions& options() const { return options_; }

 private:
  EngineOptions options_;
  FaultPoints faults_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<LogTransport> transport_;
  EmbeddedTransport* embedded_ = nullptr;
  std::unique_ptr<Instance> instance_;
};

/// A log opened for looking only: fences nobody, joins no group, takes no lock that a running engine needs.
class ReadOnlyLog {
 public:
  LogTransport& transport() { return *transport_; }

 private:
  friend Result<std::unique_ptr<ReadOnlyLog>> OpenReadOnlyLog(const EngineOptions& options);
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<LogTransport> transport_;
};
Result<std::unique_ptr<ReadOnlyLog>> OpenReadOnlyLog(const EngineOptions& options);

/// Bytes of memory that the process may use: `memory_limit`, or half of the cgroup's or the machine's.
size_t MemoryLimit(const EngineOptions& options);
/// Most bytes that one commit keeps in memory: `commit.epoch_bytes_max`, or a 16th of the memory limit, from 1 to 32 MiB.
size_t EpochBytesMax(const EngineOptions& options);

}  // namespace tidecast
