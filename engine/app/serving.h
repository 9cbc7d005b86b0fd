#pragma once

#include <memory>
#include <mutex>
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
  /// From now on Start takes any free port when the config's is taken by another program.
  void AllowAnotherPort() { another_port_ = true; }
  /// Errors: as the server's and the event producer's.
  Status Start(WiredEngine& engine);
  /// In words why the port is not the config's; empty when it is.
  const std::string& note() const { return note_; }
  void Stop();
  /// The engine is about to go: events are refused from now on; the page stays with what it has.
  void Detach();
  /// Detaches when it goes; stands behind the engine, so that it goes before it, whatever the way out.
  class EngineEnd {
   public:
    explicit EngineEnd(Serving* serving) : serving_(serving) {}
    ~EngineEnd() {
      if (serving_ != nullptr) serving_->Detach();
    }
    EngineEnd(const EngineEnd&) = delete;
    EngineEnd& operator=(const EngineEnd&) = delete;

   private:
    Serving* serving_;
  };
  /// Empty when nothing is served.
  std::string url() const { return server_ ? server_->url() : std::string(); }

 private:
  Result<std::string> MakeSavepoint(const std::string& name);
  Result<std::string> Explain(const std::string& series);

  EngineOptions options_;  ///< since Start: the engine's own, with its state directory
  const Clock& clock_;
  MetricRegistry& metrics_;
  std::unique_ptr<LiveView> view_;
  bool another_port_ = false;
  std::string note_;
  std::unique_ptr<EventAppender> appender_;
  std::unique_ptr<EventPoster> poster_;
  std::mutex store_mutex_;  ///< one savepoint at a time
  std::mutex explain_mutex_;  ///< one model beside the running one at a time
  StateStore* store_ = nullptr;  ///< under store_mutex_; of the engine, while it is there
  std::unique_ptr<HttpServer> server_;
};

}  // namespace tidecast
