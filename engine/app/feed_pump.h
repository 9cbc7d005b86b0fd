#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/core/record.h"
#include "engine/io/file_feeder.h"

namespace tidecast {

/// How fast files are replayed: event seconds a second; 0 = as fast as it goes.
struct ReplaySpeed {
  double event_seconds_per_second = 0;
};
/// Reads "max", "60x", "2d/s", "6h/s". Errors: kUsage.
Result<ReplaySpeed> ParseReplaySpeed(std::string_view text);

/// Moves the records of a FileFeeder into the input topics.
/// Thread: confined.
class FeedPump {
 public:
  using Append = std::function<Status(std::span<const OutputRecord>)>;
  /// `topics`: by FeedRecord::input.
  FeedPump(std::unique_ptr<FileFeeder> feeder, std::vector<std::string> topics, Append append)
      : feeder_(std::move(feeder)), topics_(std::move(topics)), append_(std::move(append)) {}

  /// Appends up to `records_max` records whose event time is not after `up_to`. Returns how many.
  Result<size_t> Pump(size_t records_max, EventTime up_to);
  /// All files are used up.
  bool ended() const { return ended_ && waiting_.empty(); }
  /// Event time of the newest record that was appended.
  EventTime newest() const { return newest_; }
  const FileFeeder& feeder() const { return *feeder_; }
  int64_t appended() const { return appended_; }

 private:
  std::unique_ptr<FileFeeder> feeder_;
  std::vector<std::string> topics_;
  Append append_;
  std::vector<std::pair<EventTime, OutputRecord>> waiting_;  ///< read, but later than `up_to`; in order
  std::vector<OutputRecord> batch_;
  bool ended_ = false;
  EventTime newest_;
  int64_t appended_ = 0;
};

}  // namespace tidecast
