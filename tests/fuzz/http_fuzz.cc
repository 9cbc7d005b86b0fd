// Bytes of a connection: what Beast takes for a request is answered by the routes, posted events by the embedded log;
// every answer has a status, and what says that it is JSON is JSON.
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <nlohmann/json.hpp>

#include "engine/app/event_poster.h"
#include "engine/io/embedded_transport.h"
#include "engine/core/check.h"
#include "engine/io/embedded_appender.h"
#include "engine/server/http_parsing.h"
#include "engine/server/routes.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidecast {
namespace {

namespace http = boost::beast::http;

OutputRecord Record(const std::string& topic, std::string value) {
  OutputRecord record;
  record.topic = topic;
  record.key = "A";
  record.value = std::move(value);
  return record;
}

/// A server's routes over a view with one series in it, and an embedded log.
struct Served {
  ManualClock clock{{1'000'000}};
  LiveView view{MakeOptions(), clock};
  MetricRegistry metrics;
  std::unique_ptr<StateStore> store = MakeMemoryStore();
  EmbeddedTransport log{*store, clock};
  EmbeddedAppender appender{log};
  EventPoster poster{appender, Inputs(), clock};
  Routes routes{view, metrics,
                [this](const std::string& input, const std::string& body, auto... more) {
                  return poster.Post(input, body, more...);
                },
                {},
                ""};

  Served() {
    TC_CHECK(log.Open().ok());
    TC_CHECK(log.CreateTopic({"shop.orders", 2, {}}).ok());
    const std::vector<OutputRecord> records = {
        Record("shop.features", R"({"unique_id":"A","view":"sku","ds":"2011-01-04","end":"x","revision":1,"units":3})"),
        Record("shop.forecasts",
               R"({"unique_id":"A","view":"sku","cutoff":"2011-01-04","ds":["2011-01-05"],"mean":[3],)"
               R"("quantiles":{"0.1":[1],"0.5":[3],"0.9":[5]},"model":"tidecast","model_version":1,"revision":1})"),
        Record(
            "shop.alerts",
            R"({"specversion":"1.0","data":{"id":"f/1/1","status":"firing","labels":{"unique_id":"A"},"observed":9,"revision":1}})")};
    view.OnCommitted(records);
  }
  static LiveViewOptions MakeOptions() {
    LiveViewOptions options;
    options.targets["sku"] = "units";
    return options;
  }
  static std::vector<InputOptions> Inputs() {
    InputOptions orders;
    orders.name = "orders";
    orders.topic = "shop.orders";
    return {orders};
  }
};

void Fuzz(std::string_view bytes) {
  http::request_parser<http::string_body> parser;
  parser.body_limit(1 << 16);
  parser.header_limit(1 << 13);
  parser.eager(true);
  boost::system::error_code error;
  parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  if (!error && !parser.is_done()) parser.put_eof(error);
  if (error || !parser.is_done()) return;
  const HttpRequest request = TakeRequest(parser.release());
  Served served;
  if (Routes::IsStream(request)) return;
  const HttpReply reply = served.routes.Answer(request);
  TC_CHECK(reply.status >= 200 && reply.status < 600, "{}", reply.status);
  if (reply.content_type.find("json") != std::string::npos) {
    TC_CHECK(nlohmann::json::accept(reply.body), "not JSON: {}", reply.body);
  }
  for (const auto& [name, value] : reply.headers)
    TC_CHECK_EQ(value.find_first_of("\r\n"), std::string::npos, "a header that ends early");
}

}  // namespace
}  // namespace tidecast

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidecast::Fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
