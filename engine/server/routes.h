#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "engine/core/metrics.h"
#include "engine/core/status.h"
#include "engine/server/http_message.h"
#include "engine/server/live_view.h"
#include "engine/server/page_store.h"

namespace tidecast {

/// Takes a posted body (a JSON object, an array of them, or NDJSON) for an input and returns, once it is durable, JSON
/// that tells where it stands (topic, partition, offsets). `durable`: safe from a power loss before it returns. May
/// block. Called from several threads. Errors: kNotFound for an unknown input, kParse, kWouldBlock, kUnavailable.
using EventSink = std::function<Result<std::string>(std::string input, std::string body, bool durable)>;

/// Makes a savepoint of the running engine's state under a name ("": the time) and returns its head as JSON. May block.
/// Called from several threads. Errors: kInvalidArgument, kNotReady, kNoSpace, kIo.
using SavepointSink = std::function<Result<std::string>(std::string name)>;

/// Why the newest forecasts of a series are what they are, as JSON (engine/runtime/series_explainer.h). May take as long
/// as loading a model. Called from several threads. Errors: kNotFound, kNotReady, those of the store.
using ExplainSource = std::function<Result<std::string>(const std::string& series)>;

/// What may be asked of the engine behind the server; an empty one is answered by 503.
struct EngineRequests {
  SavepointSink savepoint;
  ExplainSource explain;
};

/// One row of the API: what the OpenAPI document must list.
struct RouteRow {
  std::string_view method;
  std::string_view path;  ///< with {names}
};

/// Answers every request but the stream. Knows nothing of sockets.
/// Thread: safe.
class Routes {
 public:
  Routes(const LiveView& view, const MetricRegistry& metrics, EventSink sink, EngineRequests requests,
         std::string ui_directory);

  static std::span<const RouteRow> Table();
  /// GET /v1/stream is the session's business.
  static bool IsStream(const HttpRequest& request);
  /// Whether Answer may wait for something durable, so that it must not run on the server's thread.
  static bool MayBlock(const HttpRequest& request);

  HttpReply Answer(const HttpRequest& request) const;

 private:
  HttpReply Get(const HttpRequest& request) const;
  HttpReply PostEvents(const HttpRequest& request, const std::string& input) const;
  HttpReply Trends(const HttpRequest& request) const;
  HttpReply PostSavepoint(const HttpRequest& request) const;
  HttpReply OneForecast(const HttpRequest& request, const std::string& series) const;
  HttpReply Ready(const HttpRequest& request) const;

  const LiveView& view_;
  const MetricRegistry& metrics_;
  const EventSink sink_;
  const EngineRequests requests_;
  const PageStore pages_;
};

/// Reads a query parameter that is a count; `otherwise` when absent. Errors: kInvalidArgument outside [0, max].
Result<size_t> CountParameter(const HttpRequest& request, const std::string& name, size_t otherwise, size_t max);

}  // namespace tidecast
