#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/core/metrics.h"
#include "engine/core/status.h"
#include "engine/server/live_view.h"
#include "engine/server/routes.h"

namespace tidecast {

/// Where and how the server listens. Every limit has a default that a person need not touch.
struct HttpServerOptions {
  std::string address = "127.0.0.1";  ///< an IP address or "localhost"
  uint16_t port = 8080;               ///< 0: any free one
  bool insecure = false;              ///< allow another address than loopback although there is no authentication
  std::string ui_directory;           ///< serve the page from here instead of from the binary; for work on the page
  size_t body_bytes_max = 4ULL << 20;
  size_t post_bytes_max = 32ULL << 20;  ///< bodies of all posts that wait to be durable; one more is told to come again
  uint32_t header_bytes_max = 16U << 10;
  size_t connections_max = 256;
  size_t streams_max = 64;
  std::chrono::milliseconds request_timeout{30'000};  ///< to read a request or to write a reply
  std::chrono::milliseconds heartbeat{2'000};         ///< of a stream
  std::chrono::milliseconds tick{250};                ///< how often the view publishes what it gathered
};

/// The HTTP API, the live stream and the page, on one thread of its own (posted events wait for durability on a few
/// others). It reads the view and never touches the engine. Without authentication it answers on loopback only, and
/// only to requests that name a loopback host, so that a foreign web page cannot reach it by a name that resolves to
/// this machine. Slow clients: a stream that falls behind the ring of events, or does not take bytes for
/// `request_timeout`, is closed; the browser connects again and starts from a fresh picture. Thread: Start and Stop by
/// one owner, may be called twice; Stop waits for requests under way.
class HttpServer {
 public:
  /// `view` and `metrics` outlive the server. `sink` may be empty: then events are refused.
  /// each of `requests` may be, too.
  HttpServer(HttpServerOptions options, LiveView& view, MetricRegistry& metrics, EventSink sink,
             EngineRequests requests = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds and starts. Errors: kConfig (address not allowed or not an address), kUnavailable (port taken), kPermission,
  /// kIo.
  Status Start();
  void Stop();

  /// The port that it listens on; 0 before Start.
  uint16_t port() const;
  /// "http://127.0.0.1:8080/"
  std::string url() const;

 private:
  struct Core;
  std::shared_ptr<Core> core_;  // shared with the connections, which may outlive Stop by one handler
};

}  // namespace tidecast
