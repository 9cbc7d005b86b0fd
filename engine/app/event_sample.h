#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/event_decoder.h"
#include "engine/io/file_feeder.h"

namespace tidecast {

/// What a run would make of a sample of an input's real events: how many decode, why the others do not, how far they lie
/// behind one another in time. The decoder is the engine's own.
/// Thread: confined.
class EventSample {
 public:
  /// One reason with an example and its place ("shop.orders[3]@120" or "orders.csv:17").
  struct Rejects {
    int64_t count = 0;
    std::string place;
    std::string detail;
    std::string value;
  };

  /// Errors: those of the decoder (kConfig).
  static Result<EventSample> Make(const InputOptions& input, const std::string& pseudonym_key);

  /// `partitions`: of the topic, for the key check. `place`: how a person finds the record again.
  void Add(const InputRecord& record, const TopicPartition& source, int32_t partitions, const std::string& place);

  int64_t records() const { return records_; }
  int64_t decoded() const { return decoded_; }
  const std::map<RejectReason, Rejects>& rejects() const { return rejects_; }
  EventTime first() const { return first_; }
  EventTime last() const { return last_; }
  /// Events that lie behind one that came before them in their partition.
  int64_t out_of_order() const { return static_cast<int64_t>(lags_.size()); }
  /// Events that lie further behind than `bound`.
  int64_t BehindMoreThan(Duration bound) const;
  Duration lag_max() const;
  /// The least round bound that leaves at most one event in a thousand behind it; 0 when all are in order.
  Duration SuggestedOutOfOrderness() const;
  /// Decoded events that name a time after their record's own.
  int64_t ahead_of_record() const { return ahead_of_record_; }

 private:
  EventSample(std::unique_ptr<EventDecoder> decoder) : decoder_(std::move(decoder)) {}

  std::unique_ptr<EventDecoder> decoder_;
  EventBatch batch_;
  int64_t records_ = 0;
  int64_t decoded_ = 0;
  int64_t ahead_of_record_ = 0;
  std::map<RejectReason, Rejects> rejects_;
  std::map<TopicPartition, EventTime> newest_;
  EventTime first_ = EventTime::Max();
  EventTime last_ = EventTime::Min();
  std::vector<Duration> lags_;
};

}  // namespace tidecast
