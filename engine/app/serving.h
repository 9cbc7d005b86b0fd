#pragma once

#include <memory>
#include <string>

#include "engine/app/event_poster.h"
#include "engine/app/wiring.h"
#include "engine/server/http_server.h"
#include "engine/server/live_view.h"

namespace tidecast {

/// The server beside an engine: the live view that observes it, the API, the page. Nothing when the config says no.
/// Thread: confined; Start after the instance has started, Stop before it goes.
class Serving {
 public:
  Serving(const EngineOptions& options, const Clock& clock, MetricRegistry& metrics);
  CommitObserver* observer() { return view_.get(); }
  LiveView* view() { return view_.get(); }
  Status Start(WiredEngine& engine);
  void Stop();
  /// Empty when nothing is served.
  std::string url() const { return server_ ? server_->url() : std::string(); }

 private:
  const EngineOptions options_;
  const Clock& clock_;
  MetricRegistry& metrics_;
  std::unique_ptr<LiveView> view_;
  std::unique_ptr<EventPoster> poster_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace tidecast
