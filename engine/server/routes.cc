#include "engine/server/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace tidecast {
namespace {

constexpr std::array<RouteRow, 13> kRoutes = {{
    {"GET", "/v1/status"},
    {"GET", "/v1/series"},
    {"GET", "/v1/forecasts"},
    {"GET", "/v1/forecasts/{series}"},
    {"GET", "/v1/alerts"},
    {"GET", "/v1/trends"},
    {"GET", "/v1/stream"},
    {"POST", "/v1/events/{input}"},
    {"POST", "/v1/savepoints"},
    {"GET", "/metrics"},
    {"GET", "/livez"},
    {"GET", "/readyz"},
    {"GET", "/api/openapi.json"},
}};

constexpr std::string_view kForecastsPrefix = "/v1/forecasts/";
constexpr std::string_view kEventsPrefix = "/v1/events/";
constexpr size_t kPageMax = 500;

HttpReply Json(std::string body) {
  HttpReply reply;
  reply.body = std::move(body);
  reply.headers.emplace_back("Cache-Control", "no-store");
  return reply;
}

HttpReply Text(int status, std::string body) {
  HttpReply reply;
  reply.status = status;
  reply.content_type = "text/plain; charset=utf-8";
  reply.body = std::move(body);
  reply.headers.emplace_back("Cache-Control", "no-store");
  return reply;
}

}  // namespace

Result<size_t> CountParameter(const HttpRequest& request, const std::string& name, size_t otherwise, size_t max) {
  const std::string text = request.Query(name);
  if (text.empty()) return otherwise;
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > max) {
    return Status(Code::kInvalidArgument, fmt::format("A parameter is no number in its range: {}={}", name, text),
                  Domain::kInput)
        .WithRemedy(fmt::format("give {} as a whole number from 0 to {}", name, max));
  }
  return value;
}

Routes::Routes(const LiveView& view, const MetricRegistry& metrics, EventSink sink, EngineRequests requests,
               std::string ui_directory)
    : view_(view),
      metrics_(metrics),
      sink_(std::move(sink)),
      requests_(std::move(requests)),
      pages_(std::move(ui_directory)) {}

std::span<const RouteRow> Routes::Table() { return kRoutes; }

bool Routes::IsStream(const HttpRequest& request) { return request.method == "GET" && request.path == "/v1/stream"; }

bool Routes::MayBlock(const HttpRequest& request) { return request.method == "POST" || request.query.contains("explain"); }

HttpReply Routes::Answer(const HttpRequest& request) const {
  const bool events = request.path.starts_with(kEventsPrefix);
  const bool savepoints = request.path == "/v1/savepoints";
  if ((events || savepoints) && request.method != "POST") {
    HttpReply reply = savepoints ? Problem(405, "usage", "Savepoints are made by POST: " + request.method,
                                           "`tidecast savepoint list` shows what there is")
                                 : Problem(405, "usage", "Events are posted: " + request.method,
                                           "POST a JSON object, an array or NDJSON");
    reply.headers.emplace_back("Allow", "POST");
    return reply;
  }
  if (savepoints) return PostSavepoint(request);
  if (events)
    return PostEvents(request, PercentDecode(std::string_view(request.path).substr(kEventsPrefix.size()), false));
  if (request.method != "GET" && request.method != "HEAD") {
    HttpReply reply = Problem(405, "usage", "This path is only read: " + request.method + " " + request.path);
    reply.headers.emplace_back("Allow", "GET, HEAD");
    return reply;
  }
  return Get(request);
}

HttpReply Routes::Get(const HttpRequest& request) const {
  const std::string& path = request.path;
  if (path == "/v1/status") return Json(view_.StatusJson());
  if (path == "/v1/series") {
    const Result<size_t> limit = CountParameter(request, "limit", 50, kPageMax);
    if (!limit.ok()) return Problem(limit.status());
    const std::string sort = request.Query("sort", "busiest");
    LiveView::SeriesOrder order = LiveView::SeriesOrder::kBusiest;
    if (sort == "name") {
      order = LiveView::SeriesOrder::kName;
    } else if (sort == "movers") {
      order = LiveView::SeriesOrder::kMovers;
    } else if (sort != "busiest") {
      return Problem(400, "invalid_argument", "There is no such order: sort=" + sort, "use busiest, name or movers");
    }
    return Json(view_.SeriesListJson(request.Query("search"), order, *limit));
  }
  if (path == "/v1/forecasts") {
    const Result<size_t> limit = CountParameter(request, "limit", 50, kPageMax);
    if (!limit.ok()) return Problem(limit.status());
    return Json(view_.ForecastsJson(request.Query("after"), std::max<size_t>(1, *limit)));
  }
  if (path.starts_with(kForecastsPrefix) && path.size() > kForecastsPrefix.size()) {
    return OneForecast(request, PercentDecode(std::string_view(path).substr(kForecastsPrefix.size()), false));
  }
  if (path == "/v1/alerts") {
    const Result<size_t> limit = CountParameter(request, "limit", 100, kPageMax);
    if (!limit.ok()) return Problem(limit.status());
    const std::string status = request.Query("status");
    if (!status.empty() && status != "firing" && status != "resolved") {
      return Problem(400, "invalid_argument", "There is no such status: " + status,
                     "use firing or resolved, or leave it out");
    }
    return Json(view_.AlertsJson(status, request.Query("series"), *limit));
  }
  if (path == "/v1/trends") return Trends(request);
  if (path == "/metrics") {
    HttpReply reply = Text(200, metrics_.Render());
    reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return reply;
  }
  if (path == "/livez") return Text(200, "ok\n");
  if (path == "/readyz") return Ready(request);
  if (path == "/api/openapi.json") return pages_.AnswerEmbedded(request, "/api/openapi.json");
  return pages_.Answer(request, PercentDecode(path, false));
}

HttpReply Routes::Trends(const HttpRequest& request) const {
  constexpr std::array<std::string_view, 6> kPhases = {"", "new", "steady", "rising", "peak", "fading"};
  const Result<size_t> limit = CountParameter(request, "limit", 50, kPageMax);
  if (!limit.ok()) return Problem(limit.status());
  const std::string phase = request.Query("phase");
  if (std::find(kPhases.begin(), kPhases.end(), phase) == kPhases.end()) {
    return Problem(400, "invalid_argument", "There is no such phase: " + phase, "use new, steady, rising, peak or fading, or leave it out");
  }
  const std::string sort = request.Query("sort", phase == "fading" ? "fall" : "rise");
  if (sort != "rise" && sort != "fall") {
    return Problem(400, "invalid_argument", "There is no such order: sort=" + sort, "use rise or fall");
  }
  return Json(view_.trends().ListJson(phase, sort == "fall", *limit));
}

HttpReply Routes::OneForecast(const HttpRequest& request, const std::string& series) const {
  const Result<size_t> history = CountParameter(request, "history", 60, 10'000);
  if (!history.ok()) return Problem(history.status());
  const Result<size_t> past = CountParameter(request, "past", 0, 1'000);
  if (!past.ok()) return Problem(past.status());
  std::optional<std::string> json = view_.SeriesJson(series, *history, *past);
  if (!json) {
    return Problem(404, "not_found", "There is no such series, or it is not among the busiest that are kept: " + series,
                   "look for it with /v1/series?search=; the topic of forecasts has all series");
  }
  const std::string explain = request.Query("explain", "false");
  if (explain != "true" && explain != "false") {
    return Problem(400, "invalid_argument", "A parameter is neither true nor false: explain=" + explain,
                   "use explain=true, or leave it out");
  }
  if (explain == "false") return Json(std::move(*json));
  if (!requests_.explain) return Problem(503, "not_ready", "No engine runs here whose model could be asked");
  const Result<std::string> why = requests_.explain(series);
  if (!why.ok()) return Problem(why.status());
  json->pop_back();
  *json += ",\"explanation\":" + *why + "}";
  return Json(std::move(*json));
}

HttpReply Routes::Ready(const HttpRequest& request) const {
  const bool ready = view_.ready();
  const std::string state = view_.state();
  if (!request.query.contains("verbose")) return Text(ready ? 200 : 503, ready ? "ok\n" : "not ready: " + state + "\n");
  std::string text = fmt::format("[{}] state restored and inputs assigned: {}\n", ready ? '+' : '-', state);
  text += fmt::format("[i] series in the view: {}\n[i] engine last reported: {:.1f} s ago\n", view_.series_count(),
                      static_cast<double>(view_.status_age().count()) / 1e6);
  text += ready ? "ready\n" : "not ready\n";
  return Text(ready ? 200 : 503, std::move(text));
}

HttpReply Routes::PostSavepoint(const HttpRequest& request) const {
  if (!requests_.savepoint) return Problem(503, "not_ready", "No engine runs here whose state could be saved");
  // As with events: a foreign page's form cannot send this without asking first.
  if (!request.Header("content-type").starts_with("application/json"))
    return Problem(415, "invalid_argument", "A savepoint is asked for as JSON", "send Content-Type: application/json");
  Result<std::string> head = requests_.savepoint(request.Query("name"));
  if (!head.ok()) return Problem(head.status());
  return Json(std::move(*head));
}

HttpReply Routes::PostEvents(const HttpRequest& request, const std::string& input) const {
  if (!sink_)
    return Problem(503, "not_ready", "This run takes no events over HTTP", "write to the input's topic instead");
  if (input.empty() || input.find('/') != std::string::npos)
    return Problem(404, "not_found", "There is no such input: " + input);
  const std::string type = request.Header("content-type");
  // Only what a foreign page's form cannot send without asking first.
  const bool json = type.empty() || type.starts_with("application/json") || type.starts_with("application/x-ndjson") ||
                    type.starts_with("application/jsonl");
  if (!json)
    return Problem(415, "invalid_argument", "Events are JSON or NDJSON, not " + type,
                   "send Content-Type: application/json");
  if (request.body.find_first_not_of(" \t\r\n") == std::string::npos) {
    return Problem(400, "parse", "The body is empty", "POST a JSON object, an array of objects, or one object a line");
  }
  const std::string durable = request.Query("durable", "false");
  if (durable != "true" && durable != "false") {
    return Problem(400, "invalid_argument", "A parameter is neither true nor false: durable=" + durable,
                   "use durable=true, or leave it out");
  }
  Result<std::string> outcome = sink_(input, request.body, durable == "true");
  if (!outcome.ok()) return Problem(outcome.status());
  return Json(std::move(*outcome));
}

}  // namespace tidecast
