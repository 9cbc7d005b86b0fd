#pragma once

#include <functional>
#include <memory>
#include <numeric>
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
  /// `fed`: records of each file that are in its topic once these are, those from before included.
  using Append = std::function<Status(std::span<const OutputRecord>, std::span<const int64_t> fed)>;
  /// `topics`, `fed`: by file. `fed` records of each file are there already and are passed over.
  static Result<FeedPump> Make(std::unique_ptr<FileFeeder> feeder, std::vector<std::string> topics, std::vector<int64_t> fed, Append append);

  /// Appends up to `records_max` records whose event time is not after `up_to`. Returns how many.
  Result<size_t> Pump(size_t records_max, EventTime up_to);
  /// All files are used up.
  bool ended() const { return ended_ && waiting_.empty(); }
  /// Event time of the newest record that was appended.
  EventTime newest() const { return newest_; }
  const FileFeeder& feeder() const { return *feeder_; }
  /// Records of all files that are in their topics.
  int64_t appended() const { return std::accumulate(fed_.begin(), fed_.end(), int64_t{0}); }

 private:
  struct Waiting {
    EventTime time;
    size_t file = 0;
    OutputRecord record;
  };
  FeedPump(std::unique_ptr<FileFeeder> feeder, std::vector<std::string> topics, std::vector<int64_t> fed, Append append)
      : feeder_(std::move(feeder)), topics_(std::move(topics)), fed_(std::move(fed)), append_(std::move(append)) {}
  std::unique_ptr<FileFeeder> feeder_;
  std::vector<std::string> topics_;
  std::vector<int64_t> fed_;
  Append append_;
  std::vector<Waiting> waiting_;  ///< read, but later than `up_to`; in order
  std::vector<OutputRecord> batch_;
  bool ended_ = false;
  EventTime newest_;
};

}  // namespace tidecast
