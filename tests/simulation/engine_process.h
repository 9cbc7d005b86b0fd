#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/clock.h"
#include "engine/core/executor.h"
#include "engine/core/metrics.h"
#include "engine/runtime/fault_points.h"
#include "engine/runtime/instance.h"
#include "state/state_store.h"
#include "tests/simulation/shop.h"
#include "tests/simulation/simulated_broker.h"
#include "tests/simulation/simulated_transport.h"
#include "tests/simulation/wire.h"

namespace tidecast::simulation {

/// The local state of a machine: outlives the processes on it, and may lose what was written last.
/// Thread: confined.
class Disk {
 public:
  Disk() : rows_(MakeMemoryStore()) {}
  Status Write(const StateBatch& batch);
  const StateStore& rows() const { return *rows_; }
  /// Power loss: the newest `batches` writes are gone.
  void LoseTail(size_t batches);
  void Wipe();
  size_t writes() const { return journal_.size(); }
  /// Another disk with the same rows.
  std::shared_ptr<Disk> Copy() const;

 private:
  std::unique_ptr<StateStore> rows_;
  std::vector<StateBatch> journal_;
};

/// All rows of a store as text; those of which `skip` says so are left out.
std::string DumpRows(const StateStore& store, const std::function<bool(Family, std::string_view key)>& skip);

/// One process of the engine on a disk and a wire: everything that `tidecast run` puts together, on the caller's
/// thread. Destroying it is kill -9. Thread: confined.
class EngineProcess {
 public:
  /// `decorate` may put something between the engine and its transport or store, as mutants do.
  struct Parts {
    SimulatedBroker& broker;
    ManualClock& clock;
    Wire& wire;
    std::shared_ptr<Disk> disk;
    std::function<std::unique_ptr<LogTransport>(std::unique_ptr<LogTransport>)> decorate_transport = {};
    ResultSink* sink = nullptr;
    /// In place of MakeForecaster, when it is set.
    std::function<Result<std::unique_ptr<Forecaster>>(const ForecasterOptions&)> make_forecaster = {};
    Duration changelog_lag = std::chrono::hours(24);
    Duration rekey_kept = std::chrono::hours(24);
    std::function<Duration()> clock_offset = {};  ///< of the machine's clock
  };
  EngineProcess(EngineOptions options, const Parts& parts);

  Status Start() { return instance_->Start(); }
  Result<Instance::Progress> Step(int wait_ms = 0) { return instance_->Step(wait_ms); }
  Instance& instance() { return *instance_; }
  const SimulatedTransport& transport() const { return *simulated_; }
  const MetricRegistry& metrics() const { return metrics_; }

 private:
  class Store;
  class MachineClock;
  MetricRegistry metrics_;
  std::unique_ptr<Clock> clock_;
  FaultPoints faults_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<StateStore> store_;
  SimulatedTransport* simulated_ = nullptr;
  std::unique_ptr<LogTransport> transport_;
  std::unique_ptr<Instance> instance_;
};

/// What a read_committed reader finds: by topic and partition, the records in order.
std::map<TopicPartition, std::vector<OutputRecord>> ReadCommitted(const SimulatedBroker& broker,
                                                                  const std::vector<std::string>& except_topics);
/// One record with all its bytes, as text.
std::string TextOf(const OutputRecord& record);

/// Makes the input topics of the shop.
void CreateInputTopics(const Shop& shop, SimulatedBroker& broker);

}  // namespace tidecast::simulation
