#include "engine/app/replay_session.h"

#include <charconv>
#include <filesystem>

#include "engine/app/replay_sink.h"
#include "engine/app/stop_signal.h"

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
  std::vector<std::string> topics;
  for (const FeedFile& file : request.files) topics.push_back(file.input.topic);
  const EventTime first = feeder->first_time();
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

  std::unique_ptr<ResultFiles> files;
  if (!request.out.empty()) {
    ResultFiles::Options wanted{request.out, request.gzip, {}};
    for (const ViewOptions& view : options.views) {
      ResultFiles::View& columns = wanted.views.emplace_back();
      columns.name = view.name;
      for (const FeatureOptions& feature : view.features) columns.features.push_back(feature.name);
    }
    TC_ASSIGN_OR_RETURN(files, ResultFiles::Create(std::move(wanted)));
  }
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ReplaySink> sink, ReplaySink::Make(options, std::move(files)));
  constexpr size_t kRetentionBytes = 64ULL << 20;
  TC_ASSIGN_OR_RETURN(const auto engine, WiredEngine::Make(options, {request.publish, serving != nullptr ? serving->observer() : nullptr, sink.get(),
                                                                    request.publish ? 0 : kRetentionBytes}, clock, metrics));
  Instance& instance = engine->instance();
  TC_RETURN_IF_ERROR(instance.Start());
  if (serving != nullptr) TC_RETURN_IF_ERROR(serving->Start(*engine));
  started();
  FeedPump pump(std::move(feeder), std::move(topics), [&](std::span<const OutputRecord> records) {
    return engine->embedded()->Append(records).status();
  });

  const ProcessingTime begun = clock.Now();
  std::optional<ProcessingTime> paced_since;
  bool finishing = false;
  bool fed_up = false;
  for (;;) {
    const Duration running = clock.Now() - begun;
    fed_up = fed_up || StopWasAsked() || (request.stop_after.count() > 0 && running >= request.stop_after);
    TC_ASSIGN_OR_RETURN(const Instance::Progress progress, instance.Step(0));
    if (progress == Instance::Progress::kFinished) break;
    for (const std::string& note : instance.TakeNotes()) narrator.Say("warning", note);
    const LiveStatus look = instance.Look();
    narrator.Progress(look, static_cast<double>(pump.appended()) / lines);
    if (progress == Instance::Progress::kWorked || finishing) continue;
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
  const AccuracyFigures figures = sink->Figures();
  summary.wql = figures.wql;
  summary.wql_seasonal_naive = figures.wql_seasonal_naive;
  summary.seconds = static_cast<double>((clock.Now() - begun).count()) / 1e6;
  TC_RETURN_IF_ERROR(sink->Finish(ToJson(summary)));
  return summary;
}

}  // namespace tidecast
