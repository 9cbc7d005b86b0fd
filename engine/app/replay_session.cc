#include "engine/app/replay_session.h"

#include <charconv>
#include <filesystem>

#include "engine/app/feed_ledger.h"
#include "engine/app/replay_sink.h"
#include "engine/app/stop_signal.h"
#include "operators/bottom_up.h"

namespace tidecast {
namespace {

constexpr size_t kRecordsPerChunk = 16384;

/// A folder that is gone when we are.
class ScratchDirectory {
 public:
  static Result<ScratchDirectory> Make() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidecast-replay-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      return Status(Code::kIo, fmt::format("no temporary folder can be made: {}", pattern), Domain::kExternal)
          .WithRemedy("set TMPDIR to a folder with room, or give --state DIR");
    }
    return ScratchDirectory(pattern);
  }
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory() {
    std::error_code error;
    if (!path_.empty()) std::filesystem::remove_all(path_, error);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

ResultFiles::Options ResultOptions(const ReplayRequest& request) {
  ResultFiles::Options wanted{request.out, request.gzip, {}, request.write_forecasts};
  for (uint16_t v = 0; v < request.options.views.size(); ++v) {
    const ViewOptions& view = request.options.views[v];
    ResultFiles::View& columns = wanted.views.emplace_back();
    columns.reconciled = request.options.model_enabled && BottomUpSource(request.options.views, v).has_value();
    columns.name = view.name;
    for (const FeatureOptions& feature : view.features) columns.features.push_back(feature.name);
  }
  return wanted;
}

/// Records of each file that an earlier replay has fed into the state directory.
Result<std::vector<int64_t>> FedBefore(const ReplayRequest& request, const FileFeeder& feeder, const StateStore& store, Narrator& narrator) {
  std::vector<int64_t> fed;
  for (size_t file = 0; file < request.files.size(); ++file) {
    TC_ASSIGN_OR_RETURN(const int64_t records, RecordsFed(store, request.files[file].input.topic, feeder.fingerprint(file)));
    fed.push_back(records);
    if (records == 0) continue;
    narrator.Info(fmt::format("{}: {} lines are in the state directory from an earlier replay; going on behind them", request.files[file].path, records));
    if (request.out.empty()) continue;
    return Status(Code::kInvalidArgument,
                  fmt::format("result files would not be whole: an earlier replay has fed {} lines of {} into {}", records, request.files[file].path,
                              request.state_directory),
                  Domain::kInput)
        .WithRemedy("go on without --out and look at the topics (`tidecast tap features`), or replay into an empty --state directory");
  }
  return fed;
}

/// Event time up to which the pace lets us feed.
EventTime AllowedUpTo(const ReplayRequest& request, EventTime first, Duration since_paced) {
  if (request.speed.event_seconds_per_second == 0) return request.until;
  const Duration paced(static_cast<int64_t>(static_cast<double>(since_paced.count()) * request.speed.event_seconds_per_second));
  return std::min(request.until, first + request.history + paced);
}

}  // namespace

Result<Duration> ParseDurationFlag(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  const double seconds = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86400 : 0;
  if (error != std::errc{} || seconds == 0 || number < 0) {
    return Status(Code::kUsage, fmt::format("not a duration: {}", text), Domain::kInput).WithRemedy("write it like 60s, 5m, 2h or 3d");
  }
  return Duration(static_cast<int64_t>(number * seconds * 1e6));
}

Result<std::vector<FeedFile>> FilesForInputs(const EngineOptions& options, const std::vector<std::pair<std::string, std::string>>& paths) {
  std::vector<FeedFile> files;
  for (const auto& [input, path] : paths) {
    if (path.empty()) continue;
    const auto at = std::find_if(options.inputs.begin(), options.inputs.end(), [&](const InputOptions& o) { return o.name == input; });
    if (at == options.inputs.end()) {
      return Status(Code::kUsage, fmt::format("the config has no input for this file: --{} {}", input, path), Domain::kInput)
          .WithRemedy(fmt::format("add inputs.{} to the config, or leave the file out", input));
    }
    files.push_back({path, *at});
  }
  return files;
}

Result<Summary> RunReplay(const ReplayRequest& request, const Clock& clock, MetricRegistry& metrics, Narrator& narrator, Serving* serving,
                          const std::function<void()>& started) {
  TC_ASSIGN_OR_RETURN(auto feeder, FileFeeder::Open(request.files, request.order));
  for (const std::string& note : feeder->Notes()) narrator.Info(note);
  for (const FeedFile& file : request.files) {
    if (feeder->lines_total() == 0) narrator.Say("warning", fmt::format("{} holds no events", file.path));
  }
  std::vector<std::string> topics;
  for (const FeedFile& file : request.files) topics.push_back(file.input.topic);
  const double lines = static_cast<double>(std::max<int64_t>(1, feeder->lines_total()));

  EngineOptions options = request.options;
  options.transport = TransportKind::kEmbedded;
  std::optional<ScratchDirectory> scratch;
  if (request.state_directory.empty()) {
    TC_ASSIGN_OR_RETURN(ScratchDirectory made, ScratchDirectory::Make());
    scratch.emplace(std::move(made));
    options.state_directory = scratch->path();
  } else {
    options.state_directory = request.state_directory;
  }
  // Files end; a silent partition is not an idle one here (EXACTLY_ONCE.md 3).
  for (InputOptions& input : options.inputs) {
    input.watermark.idle_timeout = Duration{};
    input.unfed = std::none_of(request.files.begin(), request.files.end(), [&](const FeedFile& file) { return file.input.name == input.name; });
  }

  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ReplaySink> sink, ReplaySink::Make(options, metrics));
  constexpr size_t kRetentionBytes = 64ULL << 20;
  // A state directory that is kept has its topics to be looked at.
  const bool publish = request.publish || !request.state_directory.empty();
  TC_ASSIGN_OR_RETURN(const auto engine, WiredEngine::Make(options, {publish, serving != nullptr ? serving->observer() : nullptr, sink.get(),
                                                                    publish ? 0 : kRetentionBytes}, clock, metrics));
  const Serving::EngineEnd engine_end(serving);
  TC_ASSIGN_OR_RETURN(std::vector<int64_t> fed_before, FedBefore(request, *feeder, engine->store(), narrator));
  if (!request.out.empty()) {
    TC_ASSIGN_OR_RETURN(auto files, ResultFiles::Create(ResultOptions(request)));
    sink->WriteTo(std::move(files));
  }
  Instance& instance = engine->instance();
  TC_RETURN_IF_ERROR(instance.Start());
  if (serving != nullptr) TC_RETURN_IF_ERROR(serving->Start(*engine));
  started();
  std::vector<uint64_t> fingerprints;
  for (size_t file = 0; file < topics.size(); ++file) fingerprints.push_back(feeder->fingerprint(file));
  TC_ASSIGN_OR_RETURN(FeedPump pump, FeedPump::Make(std::move(feeder), topics, std::move(fed_before),
                                                    [&](std::span<const OutputRecord> records, std::span<const int64_t> fed) {
    StateBatch account;
    for (size_t file = 0; file < fed.size(); ++file) PutRecordsFed(topics[file], fingerprints[file], fed[file], &account);
    return engine->embedded()->Append(records, std::move(account)).status();
  }));

  // The pace of a replay that goes on begins where it does.
  const EventTime first = std::max(pump.feeder().first_time(), pump.feeder().next_time() == EventTime::Max() ? EventTime::Min() : pump.feeder().next_time());
  const ProcessingTime begun = clock.Now();
  std::optional<ProcessingTime> paced_since;
  bool finishing = false;
  bool fed_up = false;
  for (;;) {
    const Duration running = clock.Now() - begun;
    // A stop leaves windows open: whoever goes on from this state finds them so.
    if (StopWasAsked()) instance.Stop();
    fed_up = fed_up || (request.stop_after.count() > 0 && running >= request.stop_after);
    TC_ASSIGN_OR_RETURN(const Instance::Progress progress, instance.Step(0));
    if (progress == Instance::Progress::kFinished) break;
    for (const std::string& note : instance.TakeNotes()) narrator.Say("warning", note);
    if (narrator.ProgressIsDue()) narrator.Progress(instance.Look(), static_cast<double>(pump.appended()) / lines);
    if (progress == Instance::Progress::kWorked || finishing || StopWasAsked()) continue;
    // All that can be done with what was fed is done (a task may wait for what its neighbours will see of a day): the next
    // chunk may come. So what is merged is a function of the files alone.
    const EventTime up_to = AllowedUpTo(request, first, paced_since ? clock.Now() - *paced_since : Duration{});
    size_t fed = 0;
    if (!fed_up && !pump.ended()) {
      TC_ASSIGN_OR_RETURN(fed, pump.Pump(kRecordsPerChunk, up_to));
    }
    if (fed > 0) continue;
    if (!paced_since) paced_since = clock.Now();
    if (fed_up || pump.ended() || up_to >= request.until) {
      TC_RETURN_IF_ERROR(instance.FinishAtEnd());
      finishing = true;
    } else {
      TC_RETURN_IF_ERROR(instance.Step(20).status());  // the pace holds us back
    }
  }
  narrator.EndProgress();
  Summary summary = Summarise(instance);
  summary.interrupted = StopWasAsked();
  const AccuracyFigures figures = sink->Figures();
  summary.wql = figures.wql;
  summary.wql_seasonal_naive = figures.wql_seasonal_naive;
  summary.seconds = static_cast<double>((clock.Now() - begun).count()) / 1e6;
  TC_RETURN_IF_ERROR(sink->Finish(ToJson(summary)));
  return summary;
}

}  // namespace tidecast
