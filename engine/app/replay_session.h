#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/app/feed_pump.h"
#include "engine/app/narrator.h"
#include "engine/app/serving.h"
#include "engine/app/summary.h"
#include "engine/io/file_feeder.h"

namespace tidecast {

/// Files replayed through the engine on the embedded log: the same operators as `run`, the same order of work.
struct ReplayRequest {
  EngineOptions options;
  std::vector<FeedFile> files;
  FileFeeder::Order order = FileFeeder::Order::kEventTime;
  ReplaySpeed speed;
  Duration history{};                ///< event time at the start that is replayed at full speed before the pace begins
  EventTime until = EventTime::Max();///< later events are not fed
  Duration stop_after{};             ///< processing time after which the replay ends by itself; 0: at the end of the files
  std::string out;                   ///< folder for result files; empty: none
  std::string state_directory;       ///< empty: a temporary one, removed at the end
  bool publish = false;              ///< write the output topics too
  bool gzip = false;                 ///< result files as .csv.gz
  bool write_forecasts = true;       ///< forecasts.csv and trends.csv among them
};

/// Runs the replay to its end, or until a stop is asked: then what is under way is committed, windows stay open, and the
/// summary says so. Files that `state_directory` has in part are gone on with. `serving` may be null. `started` is called once events can flow.
/// Errors: as the feeder's, the store's and the files'; kInvalidArgument when result files are wanted of files that were fed
/// in part before. Nothing half-written is left without being told.
Result<Summary> RunReplay(const ReplayRequest& request, const Clock& clock, MetricRegistry& metrics, Narrator& narrator, Serving* serving,
                          const std::function<void()>& started);

/// Files named on the command line, by input. Errors: kUsage for an input that the config does not have.
Result<std::vector<FeedFile>> FilesForInputs(const EngineOptions& options, const std::vector<std::pair<std::string, std::string>>& paths);

/// "60s", "5m", "2h", "3d". Errors: kUsage.
Result<Duration> ParseDurationFlag(std::string_view text);

}  // namespace tidecast
