#include "engine/app/serving.h"

namespace tidecast {

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
  HttpServerOptions http;
  http.address = options_.server.address;
  http.port = options_.server.port;
  http.insecure = options_.server.insecure;
  server_ = std::make_unique<HttpServer>(http, *view_, metrics_, sink);
  Status started = server_->Start();
  if (started.code() != Code::kUnavailable || !another_port_) return started;
  note_ = started.message();
  http.port = 0;
  server_ = std::make_unique<HttpServer>(http, *view_, metrics_, sink);
  return server_->Start();
}

void Serving::Stop() {
  if (server_) server_->Stop();
}

}  // namespace tidecast
