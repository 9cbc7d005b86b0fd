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
  EventSink sink;
  if (engine.embedded() != nullptr) {
    poster_ = std::make_unique<EventPoster>(*engine.embedded(), options_.inputs, clock_);
    sink = [poster = poster_.get()](const std::string& input, const std::string& body) { return poster->Post(input, body); };
  } else {
    sink = [](const std::string&, const std::string&) -> Result<std::string> {
      return Status(Code::kInvalidArgument, "this instance reads Kafka: produce events to its input topics", Domain::kInput);
    };
  }
  HttpServerOptions http;
  http.address = options_.server.address;
  http.port = options_.server.port;
  http.insecure = options_.server.insecure;
  server_ = std::make_unique<HttpServer>(http, *view_, metrics_, std::move(sink));
  return server_->Start();
}

void Serving::Stop() {
  if (server_) server_->Stop();
}

}  // namespace tidecast
