#include "engine/app/serving.h"

#include "engine/runtime/savepoint.h"
#include "engine/runtime/series_explainer.h"

namespace tidecast {
namespace {

constexpr size_t kExplainBytes = 64ULL << 20;  // what its store may take at most, beside the engine's limit

}  // namespace

Serving::Serving(const EngineOptions& options, const Clock& clock, MetricRegistry& metrics)
    : options_(options), clock_(clock), metrics_(metrics) {
  if (!options_.server.enabled) return;
  LiveViewOptions view;
  view.name_space = options_.name_space;
  for (const ViewOptions& v : options_.views) view.targets[v.name] = v.target;
  view_ = std::make_unique<LiveView>(std::move(view), clock_);
}

Status Serving::Start(WiredEngine& engine) {
  if (!view_) return Status::Ok();
  TC_ASSIGN_OR_RETURN(appender_, engine.MakeEventAppender());
  poster_ = std::make_unique<EventPoster>(*appender_, options_.inputs, clock_);
  const EventSink sink = [poster = poster_.get()](const std::string& input, const std::string& body, bool durable) {
    return poster->Post(input, body, durable);
  };
  {
    const std::lock_guard lock(store_mutex_);
    store_ = &engine.store();
    options_ = engine.options();
  }
  const EngineRequests requests{[this](const std::string& name) { return MakeSavepoint(name); },
                                [this](const std::string& series) { return Explain(series); }};
  HttpServerOptions http;
  http.address = options_.server.address;
  http.port = options_.server.port;
  http.insecure = options_.server.insecure;
  server_ = std::make_unique<HttpServer>(http, *view_, metrics_, sink, requests);
  Status started = server_->Start();
  if (started.code() != Code::kUnavailable || !another_port_) return started;
  note_ = started.message();
  http.port = 0;
  server_ = std::make_unique<HttpServer>(http, *view_, metrics_, sink, requests);
  return server_->Start();
}

void Serving::Detach() {
  if (poster_) poster_->Close();
  const std::lock_guard lock(store_mutex_);
  store_ = nullptr;
}

Result<std::string> Serving::MakeSavepoint(const std::string& name) {
  const std::lock_guard lock(store_mutex_);
  if (store_ == nullptr) return Status(Code::kNotReady, "the engine has ended");
  const ProcessingTime now = clock_.Now();
  TC_ASSIGN_OR_RETURN(const SavepointHead head, CreateSavepoint(*store_, SavepointsBeside(options_.state_directory),
                                                                name.empty() ? SavepointNameOf(now) : name, now));
  return SavepointJson(head);
}

// From the state as it was committed last, opened once more to be read; the running model is not asked.
Result<std::string> Serving::Explain(const std::string& series) {
  const std::lock_guard lock(explain_mutex_);
  EngineOptions options;
  {
    const std::lock_guard there(store_mutex_);
    if (store_ == nullptr) return Status(Code::kNotReady, "the engine has ended");
    options = options_;
  }
  options.memory_limit_bytes = kExplainBytes;
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<StateStore> store, OpenState(options, StateUse::kRead));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<TaskPlan> plan, TaskPlan::Make(std::move(options), false, false));
  return ExplainSeries(*store, *plan, series);
}

void Serving::Stop() {
  if (server_) server_->Stop();
}

}  // namespace tidecast
