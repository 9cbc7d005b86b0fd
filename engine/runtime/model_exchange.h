#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/stateful.h"
#include "engine/io/log_transport.h"
#include "engine/runtime/model_task.h"

namespace tidecast {

/// Lets the nets of several instances meet (SEMANTICS.md 7) through the compacted topic <ns>.models:
///   "<instance>/<view>/<n>" -> piece n of the net's weights (models/weights/FORMAT.md): version, pieces, hash of all, bytes
/// They are told, in the epoch's transaction, whenever the net has kept a version of itself. Then, and where a net has not
/// learnt anything yet, those of others that are new are read, and met between two rounds (NetTrainer::Meet). They are an
/// input: how far they were read is state of the instance, in the same epoch as what became of them.
/// Thread: confined.
class ModelExchange {
 public:
  ModelExchange(LogTransport& transport, std::string topic, std::string instance)
      : transport_(transport), topic_(std::move(topic)), instance_(std::move(instance)) {}

  const std::string& topic() const { return topic_; }
  /// Stands where the store stands. REQUIRES: the model does, too. Errors: kVersion, kCorruption.
  Status Reload(const StateReader& instance, const ModelTask& model);
  /// Adds what there is to tell to an epoch's outputs. Errors: of Forecaster::ExportNet.
  Status Tell(const ModelTask& model, std::vector<OutputRecord>& outputs);
  /// Reads on, or lets the nets meet what was read. Adds what became of it to `notes`, in words. Returns whether anything
  /// was done. Errors: of LogTransport::OpenReader, LogReader::Read, Forecaster::Ready.
  Result<bool> Step(ModelTask& model, std::vector<std::string>* notes);
  void Save(DeltaSink& instance);
  bool dirty() const { return dirty_; }

 private:
  Status Read(bool* any);
  void Hear(const InputRecord& record);
  Status Meet(ModelTask& model, std::vector<std::string>* notes);

  LogTransport& transport_;
  const std::string topic_;
  const std::string instance_;
  std::map<uint16_t, int64_t> told_;  ///< newest learned version, by view
  int64_t offset_ = -2;               ///< of the topic, up to where others were read; -2: its beginning
  bool due_ = false;                  ///< to look for what is new
  bool read_ = false;                 ///< up to the end
  bool dirty_ = false;
  std::unique_ptr<LogReader> reader_;
  std::unique_ptr<RecordBatch> batch_;
  using From = std::pair<std::string, std::string>;  ///< instance and view
  std::map<From, std::string> coming_;               ///< pieces so far
  std::map<From, std::string> heard_;                ///< weights that are not met yet
};

}  // namespace tidecast
