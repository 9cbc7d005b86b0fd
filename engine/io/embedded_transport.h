#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/io/embedded_log.h"
#include "engine/io/log_transport.h"

namespace tidecast {

/// LogTransport on the state store itself: outputs, positions and the epoch's state go down in one StateStore::Write.
/// One member owns all partitions; nothing is asynchronous beneath, but outcomes come as events all the same.
/// A failed Commit leaves the transaction open for Abort (kAbortable: full disk, failed disk) or ends this client
/// (kFatal); nothing of it was applied.
/// Thread: the LogTransport part as there; Append, OpenReader, Latest, ScanLatest, CreateTopic, DeleteTopic,
/// DescribeTopic and ListTopics from any thread once Open has returned. Readers must not outlive the transport.
class EmbeddedTransport final : public LogTransport {
 public:
  /// `store` and `clock` must outlive the transport.
  EmbeddedTransport(StateStore& store, const Clock& clock, EmbeddedLogOptions options = {});
  ~EmbeddedTransport() override;

  Status Open() override;
  Result<TopicInfo> DescribeTopic(const std::string& topic) override;
  Result<std::vector<TopicInfo>> ListTopics() override;
  /// `spec.partitions` <= 0: the default of the options.
  Status CreateTopic(const TopicSpec& spec) override;
  Status DeleteTopic(const std::string& topic);

  Status Join(const std::vector<std::string>& topics) override;
  Status StartAt(std::span<const Position> positions) override;
  void ReleaseRevoked() override {}
  void Leave() override;
  Result<int64_t> EndOffset(const TopicPartition& source) override;
  Result<std::vector<Position>> CommittedPositions(std::span<const TopicPartition> sources) override;
  std::unique_ptr<RecordBatch> MakeBatch() override;
  Result<PollResult> Poll(uint32_t handle, size_t records_max, size_t bytes_max, RecordBatch& out) override;
  void Step(int wait_ms, std::vector<TransportEvent>* events) override;

  Status Begin() override;
  Status Produce(const OutputRecord& record) override;
  Status ProduceView(const RecordView& record) override;
  Status SendOffsets(std::span<const Position> positions) override;
  void Commit(StateBatch&& state) override;
  void Abort() override;
  bool needs_changelog() const override { return false; }
  void DiscardBelow(std::span<const Position> positions) override { log_.DiscardBelow(positions); }
  Result<std::unique_ptr<LogReader>> OpenReader(const TopicPartition& source, int64_t from_offset,
                                                bool read_committed) override;
  Status RenewProducer() override;

  /// Appends outside of the transaction, as another producer would: all records or none, readable when it returns, and
  /// safe from a killed process (with `sync` from a power loss too). The topics must exist.
  /// Returns for each touched partition the position behind its last record.
  /// Errors: kNotFound (topic), kInvalidArgument (partition), kNoSpace, kIo.
  Result<std::vector<Position>> Append(std::span<const OutputRecord> records, bool sync = false) { return Append(records, {}, sync); }
  /// The same, with rows of the store that go down in the same write.
  Result<std::vector<Position>> Append(std::span<const OutputRecord> records, StateBatch&& rows, bool sync = false);

  /// The group's committed position; nullopt when there is none.
  Result<std::optional<int64_t>> CommittedPosition(const TopicPartition& source) const {
    return log_.CommittedPosition(source);
  }
  /// The newest record of a key of a compacted topic into `out`; false when there is none. Errors: kNotFound (topic).
  Result<bool> Latest(const std::string& topic, std::string_view key, EmbeddedBatch& out) const {
    return log_.Latest(topic, key, out);
  }
  Status ScanLatest(const std::string& topic, const std::function<bool(const InputRecord&)>& visit) const {
    return log_.ScanLatest(topic, visit);
  }

 private:
  void End(Outcome outcome, bool state_written, Status status);

  EmbeddedLog log_;
  bool is_open_ = false;
  bool is_member_ = false;
  bool in_transaction_ = false;
  std::vector<std::unique_ptr<EmbeddedCursor>> started_;
  std::vector<EmbeddedLog::Pending> produced_;
  std::vector<Position> positions_;
  std::vector<TransportEvent> events_;
  uint64_t appends_seen_ = 0;
};

}  // namespace tidecast
