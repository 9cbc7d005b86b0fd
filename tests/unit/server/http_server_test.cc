#include "engine/server/http_server.h"

#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <future>
#include <nlohmann/json.hpp>

#include "engine/server/http_client.h"
#include "engine/server/page_store.h"

namespace tidecast {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Json = nlohmann::json;
using Reply = http::response<http::string_body>;

// A connection of a test: one request after another.
class Client {
 public:
  explicit Client(uint16_t port) : socket_(io_) { socket_.connect({asio::ip::address_v4::loopback(), port}); }
  void Send(http::request<http::string_body> request) {
    if (request.find(http::field::host) == request.end()) request.set(http::field::host, "localhost");
    request.prepare_payload();
    http::write(socket_, request);
  }
  Reply Receive(bool head = false) {
    http::response_parser<http::string_body> parser;
    parser.skip(head);
    http::read(socket_, buffer_, parser);
    return parser.release();
  }
  Reply Get(const std::string& target) {
    Send({http::verb::get, target, 11});
    return Receive();
  }
  std::string ReadUntil(const std::string& mark) {
    const size_t size = asio::read_until(socket_, text_, mark);
    std::string out(asio::buffers_begin(text_.data()),
                    asio::buffers_begin(text_.data()) + static_cast<std::ptrdiff_t>(size));
    text_.consume(size);
    return out;
  }
  // True when the server has closed.
  bool ReadsEnd() {
    boost::system::error_code error;
    char byte = 0;
    while (!error) asio::read(socket_, asio::buffer(&byte, 1), error);
    return error == asio::error::eof || error == asio::error::connection_reset;
  }
  void Write(const std::string& bytes) { asio::write(socket_, asio::buffer(bytes)); }

 private:
  asio::io_context io_;
  asio::ip::tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
  asio::streambuf text_;
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    view_options_.targets["sku"] = "units";
    options_.port = 0;
    options_.body_bytes_max = 1000;
    sink_ = [](const std::string& input, const std::string& body, bool) -> Result<std::string> {
      if (input == "full") return Status(Code::kWouldBlock, "queue full", Domain::kInternal, Retry::kBackoff);
      if (!input.starts_with("orders"))
        return Status(Code::kNotFound, "no such input", Domain::kInput).WithRemedy("orders or clicks");
      return Json{{"input", input}, {"bytes", body.size()}}.dump();
    };
  }
  uint16_t Serve() {
    view_ = std::make_unique<LiveView>(view_options_, clock_);
    server_ = std::make_unique<HttpServer>(options_, *view_, metrics_, sink_, requests_);
    const Status started = server_->Start();
    EXPECT_TRUE(started.ok()) << started.message();
    return server_->port();
  }
  void CommitBucket(const std::string& key, double units) {
    OutputRecord record;
    record.topic = "shop.features";
    record.key = key;
    record.value = fmt::format(R"({{"view":"sku","ds":"2011-01-{:02}","revision":1,"units":{}}})", ++day_, units);
    view_->OnCommitted(std::span(&record, 1));
  }
  static http::request<http::string_body> Post(const std::string& target, const std::string& body) {
    http::request<http::string_body> request{http::verb::post, target, 11, body};
    request.set(http::field::content_type, "application/json");
    return request;
  }

  ManualClock clock_{{1'000'000}};
  LiveViewOptions view_options_;
  HttpServerOptions options_;
  EventSink sink_;
  EngineRequests requests_;
  MetricRegistry metrics_;
  std::unique_ptr<LiveView> view_;
  std::unique_ptr<HttpServer> server_;
  int day_ = 0;
};

TEST_F(HttpServerTest, ServesASeriesWhoseNameNeedsEscaping) {
  Client client(Serve());
  CommitBucket("a/b c+é", 4);
  const Reply reply = client.Get("/v1/forecasts/a%2Fb%20c+%C3%A9?history=5");
  EXPECT_EQ(reply.result_int(), 200U);
  EXPECT_EQ(Json::parse(reply.body())["series"], "a/b c+é");
  EXPECT_EQ(Json::parse(reply.body())["actuals"][0]["y"], 4);
}

TEST_F(HttpServerTest, ErrorsAreProblemsWithARemedy) {
  Client client(Serve());
  const Reply unknown = client.Get("/v1/forecasts/none");
  EXPECT_EQ(unknown.result_int(), 404U);
  EXPECT_EQ(unknown[http::field::content_type], "application/problem+json");
  EXPECT_EQ(Json::parse(unknown.body())["status"], 404);
  EXPECT_FALSE(Json::parse(unknown.body())["remedy"].get<std::string>().empty());
  EXPECT_EQ(client.Get("/v1/alerts?limit=-1").result_int(), 400U);
  EXPECT_EQ(client.Get("/v1/alerts?status=odd").result_int(), 400U);
  EXPECT_EQ(client.Get("/v1/series?sort=odd").result_int(), 400U);
  EXPECT_EQ(client.Get("/no/such/path").result_int(), 404U);
  client.Send({http::verb::delete_, "/v1/status", 11});
  EXPECT_EQ(client.Receive().result_int(), 405U);
  EXPECT_EQ(client.Get("/v1/events/orders").result_int(), 405U);
}

TEST_F(HttpServerTest, EveryReplyHasSecurityHeaders) {
  Client client(Serve());
  for (const char* path : {"/", "/v1/status", "/nothing"}) {
    const Reply reply = client.Get(path);
    EXPECT_NE(std::string(reply["Content-Security-Policy"]).find("default-src 'self'"), std::string::npos) << path;
    EXPECT_EQ(reply["X-Content-Type-Options"], "nosniff") << path;
  }
}

TEST_F(HttpServerTest, EventsAreHandedToTheSinkAndItsAnswerComesBack) {
  Client client(Serve());
  client.Send(Post("/v1/events/orders%201", R"({"sku":"A"})"));
  const Reply reply = client.Receive();
  EXPECT_EQ(reply.result_int(), 200U);
  EXPECT_EQ(Json::parse(reply.body())["input"], "orders 1");
  EXPECT_EQ(Json::parse(reply.body())["bytes"], 11);
  client.Send(Post("/v1/events/unknown", "{}"));
  const Reply unknown = client.Receive();
  EXPECT_EQ(unknown.result_int(), 404U);
  EXPECT_EQ(Json::parse(unknown.body())["remedy"], "orders or clicks");
  client.Send(Post("/v1/events/full", "{}"));
  const Reply full = client.Receive();
  EXPECT_EQ(full.result_int(), 429U);
  EXPECT_EQ(full["Retry-After"], "1");
  client.Send(Post("/v1/events/orders", "  \n"));
  EXPECT_EQ(client.Receive().result_int(), 400U);
}

TEST_F(HttpServerTest, ABodyAboveTheLimitIsRefusedAndNeverReachesTheSink) {
  Client client(Serve());
  client.Send(Post("/v1/events/orders", std::string(1001, 'x')));
  EXPECT_EQ(client.Receive().result_int(), 413U);
  EXPECT_TRUE(client.ReadsEnd());
  Client again(server_->port());
  again.Send(Post("/v1/events/orders", std::string(1000, 'x')));
  EXPECT_EQ(again.Receive().result_int(), 200U);
}

TEST_F(HttpServerTest, ForeignPagesAreKeptOut) {
  const uint16_t port = Serve();
  http::request<http::string_body> rebound{http::verb::get, "/v1/status", 11};
  rebound.set(http::field::host, "evil.example:8080");
  Client first(port);
  first.Send(rebound);
  EXPECT_EQ(first.Receive().result_int(), 421U);
  auto post = Post("/v1/events/orders", "{}");
  post.set(http::field::origin, "http://evil.example");
  Client second(port);
  second.Send(post);
  EXPECT_EQ(second.Receive().result_int(), 403U);
  auto form = Post("/v1/events/orders", "{}");
  form.set(http::field::content_type, "text/plain");
  Client third(port);
  third.Send(form);
  EXPECT_EQ(third.Receive().result_int(), 415U);
}

TEST_F(HttpServerTest, NonsenseIsAnsweredAndTheServerLivesOn) {
  const uint16_t port = Serve();
  Client nonsense(port);
  nonsense.Write("\x16\x03\x01 this is no http\r\n\r\n");
  EXPECT_EQ(nonsense.Receive().result_int(), 400U);
  Client header(port);
  header.Write("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
  EXPECT_EQ(header.Receive().result_int(), 431U);
  EXPECT_EQ(Client(port).Get("/livez").result_int(), 200U);
}

TEST_F(HttpServerTest, ReadyFollowsTheEngine) {
  Client client(Serve());
  EXPECT_EQ(client.Get("/readyz").result_int(), 503U);
  LiveStatus status;
  status.state = "running";
  status.ready = true;
  view_->OnStatus(status);
  EXPECT_EQ(client.Get("/readyz").result_int(), 200U);
  EXPECT_NE(client.Get("/readyz?verbose").body().find("[+] state restored and inputs assigned: running"),
            std::string::npos);
}

TEST_F(HttpServerTest, MetricsAreRendered) {
  Client client(Serve());
  metrics_.Counter("tidecast_test_total", "A test").Add(3);
  const Reply reply = client.Get("/metrics");
  EXPECT_NE(reply.body().find("tidecast_test_total 3"), std::string::npos);
  EXPECT_EQ(std::string(reply[http::field::content_type]).substr(0, 25), "text/plain; version=0.0.4");
}

TEST_F(HttpServerTest, TheStreamBringsEventsOfItsSeries) {
  Client client(Serve());
  CommitBucket("A", 1);
  client.Send({http::verb::get, "/v1/stream?series=A", 11});
  EXPECT_NE(client.ReadUntil("\r\n\r\n").find("text/event-stream"), std::string::npos);
  EXPECT_NE(client.ReadUntil("\n\n").find("retry:"), std::string::npos);
  EXPECT_NE(client.ReadUntil("\n\n").find("event: status"), std::string::npos);
  CommitBucket("B", 2);
  CommitBucket("A", 3);
  std::string event = client.ReadUntil("\n\n");
  while (event.find("event: heartbeat") != std::string::npos) event = client.ReadUntil("\n\n");
  EXPECT_NE(event.find(R"("series":"A","bucket":{"ds":"2011-01-03","y":3)"), std::string::npos) << event;
}

TEST_F(HttpServerTest, AStreamGoesOnAfterItsLastEvent) {
  const uint16_t port = Serve();
  CommitBucket("A", 1);
  CommitBucket("A", 2);
  std::string all;
  uint64_t cursor = 0;
  ASSERT_EQ(view_->events().ReadAfter(&cursor, {}, 1 << 20, &all), LiveEventLog::ReadOutcome::kOk);
  http::request<http::string_body> request{http::verb::get, "/v1/stream", 11};
  request.set("Last-Event-ID", all.substr(4, all.find('\n') - 4));
  Client client(port);
  client.Send(request);
  const std::string text = client.ReadUntil("\"y\":2");
  EXPECT_EQ(text.find("\"y\":1"), std::string::npos);
  EXPECT_EQ(text.find("event: reset"), std::string::npos);

  request.set("Last-Event-ID", "123-1");
  Client stranger(port);
  stranger.Send(request);
  EXPECT_NE(stranger.ReadUntil("\n\n").size(), 0U);
  EXPECT_NE(stranger.ReadUntil("event: status").find("event: reset"), std::string::npos);
}

TEST_F(HttpServerTest, AStreamThatFellBehindIsToldToStartAnewAndClosed) {
  view_options_.events_max = 3;
  const uint16_t port = Serve();
  CommitBucket("A", 1);
  std::string all;
  uint64_t cursor = 0;
  ASSERT_EQ(view_->events().ReadAfter(&cursor, {}, 1 << 20, &all), LiveEventLog::ReadOutcome::kOk);
  for (int i = 0; i < 10; ++i) CommitBucket("A", i);
  http::request<http::string_body> request{http::verb::get, "/v1/stream", 11};
  request.set("Last-Event-ID", all.substr(4, all.find('\n') - 4));
  Client client(port);
  client.Send(request);
  EXPECT_NE(client.ReadUntil("too slow").find("event: reset"), std::string::npos);
  EXPECT_TRUE(client.ReadsEnd());
}

TEST_F(HttpServerTest, StreamsAndConnectionsAreBounded) {
  options_.streams_max = 1;
  options_.connections_max = 3;
  const uint16_t port = Serve();
  Client first(port);
  first.Send({http::verb::get, "/v1/stream", 11});
  EXPECT_FALSE(first.ReadUntil("event: status").empty());
  Client second(port);
  EXPECT_EQ(second.Get("/v1/stream").result_int(), 503U);
  Client third(port), fourth(port);
  EXPECT_EQ(third.Get("/livez").result_int(), 200U);
  EXPECT_EQ(fourth.Get("/livez").result_int(), 200U);
  Client fifth(port);
  EXPECT_EQ(fifth.Receive().result_int(), 503U);
}

TEST_F(HttpServerTest, ATakenPortIsNamedWithARemedy) {
  options_.port = Serve();
  HttpServer other(options_, *view_, metrics_, sink_);
  const Status started = other.Start();
  EXPECT_EQ(started.code(), Code::kUnavailable);
  EXPECT_NE(started.message().find(std::to_string(options_.port)), std::string::npos);
  EXPECT_NE(started.remedy().find("--port"), std::string::npos);
}

TEST_F(HttpServerTest, AnotherAddressThanLoopbackNeedsTheUsersWord) {
  Serve();
  options_.address = "0.0.0.0";
  HttpServer refused(options_, *view_, metrics_, sink_);
  const Status status = refused.Start();
  EXPECT_EQ(status.code(), Code::kConfig);
  EXPECT_NE(status.remedy().find("--insecure"), std::string::npos);
  options_.insecure = true;
  HttpServer allowed(options_, *view_, metrics_, sink_);
  EXPECT_TRUE(allowed.Start().ok());
  options_.address = "no address";
  HttpServer nonsense(options_, *view_, metrics_, sink_);
  EXPECT_EQ(nonsense.Start().code(), Code::kConfig);
}

TEST_F(HttpServerTest, StartAndStopMayBeCalledTwiceAndStopEndsStreams) {
  const uint16_t port = Serve();
  EXPECT_TRUE(server_->Start().ok());
  EXPECT_EQ(server_->port(), port);
  Client client(port);
  client.Send({http::verb::get, "/v1/stream", 11});
  EXPECT_FALSE(client.ReadUntil("event: status").empty());
  server_->Stop();
  EXPECT_TRUE(client.ReadsEnd());
  server_->Stop();
  EXPECT_EQ(metrics_.Value("tidecast_http_streams"), 0);
}

TEST_F(HttpServerTest, StopWaitsForAPostedEventAndItsReply) {
  std::promise<void> entered, leave;
  sink_ = [&](const std::string&, const std::string&, bool) -> Result<std::string> {
    entered.set_value();
    leave.get_future().wait();
    return std::string("{\"done\":true}");
  };
  Client client(Serve());
  client.Send(Post("/v1/events/orders", "{}"));
  entered.get_future().wait();
  // While it waits, others are served.
  EXPECT_EQ(Client(server_->port()).Get("/livez").result_int(), 200U);
  auto stopped = std::async(std::launch::async, [&] { server_->Stop(); });
  leave.set_value();
  EXPECT_EQ(client.Receive().result_int(), 200U);
  stopped.wait();
}

TEST_F(HttpServerTest, ASavepointIsMadeByPostAlone) {
  requests_.savepoint = [](const std::string& name) -> Result<std::string> {
    if (name == "taken") return Status(Code::kInvalidArgument, "of this name already").WithRemedy("another name");
    return Json{{"name", name}}.dump();
  };
  Client client(Serve());
  client.Send(Post("/v1/savepoints?name=monday", ""));
  const Reply made = client.Receive();
  EXPECT_EQ(made.result_int(), 200U);
  EXPECT_EQ(Json::parse(made.body())["name"], "monday");
  const Reply read = client.Get("/v1/savepoints");
  EXPECT_EQ(read.result_int(), 405U);
  EXPECT_EQ(read["Allow"], "POST");
  auto form = Post("/v1/savepoints", "");
  form.set(http::field::content_type, "text/plain");
  client.Send(form);
  EXPECT_EQ(client.Receive().result_int(), 415U) << "a foreign page's form could fill the disk";

  EXPECT_TRUE(PostToEngine("127.0.0.1", server_->port(), "/v1/savepoints?name=tuesday").ok());
  const Status refused = PostToEngine("localhost", server_->port(), "/v1/savepoints?name=taken");
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_EQ(refused.message(), "of this name already");
  EXPECT_EQ(refused.remedy(), "another name");
  const uint16_t port = server_->port();
  server_->Stop();
  EXPECT_EQ(PostToEngine("127.0.0.1", port, "/v1/savepoints").code(), Code::kUnavailable);
}

TEST_F(HttpServerTest, ASavepointIsRefusedWhereNoEngineRuns) {
  Client client(Serve());
  client.Send(Post("/v1/savepoints", ""));
  EXPECT_EQ(client.Receive().result_int(), 503U);
}

TEST_F(HttpServerTest, AForecastIsExplainedWhenAsked) {
  requests_.explain = [](const std::string& series) -> Result<std::string> {
    if (series == "B") return Status(Code::kNotReady, "the model is at work").WithRemedy("ask again in a moment");
    return Json::array({{{"series", series}}}).dump();
  };
  Client client(Serve());
  CommitBucket("A", 1);
  CommitBucket("B", 1);
  EXPECT_FALSE(Json::parse(client.Get("/v1/forecasts/A").body()).contains("explanation"));
  const Reply explained = client.Get("/v1/forecasts/A?explain=true");
  EXPECT_EQ(explained.result_int(), 200U);
  const Json json = Json::parse(explained.body());
  EXPECT_EQ(json["explanation"][0]["series"], "A");
  EXPECT_EQ(json["series"], "A");
  EXPECT_EQ(client.Get("/v1/forecasts/B?explain=true").result_int(), 503U);
  EXPECT_EQ(client.Get("/v1/forecasts/A?explain=maybe").result_int(), 400U);
  EXPECT_EQ(client.Get("/v1/forecasts/nobody?explain=true").result_int(), 404U);
}

TEST_F(HttpServerTest, ThePageComesCompressedAndIsNotSentTwice) {
  Client client(Serve());
  const Reply plain = client.Get("/app.js");
  EXPECT_EQ(plain.result_int(), 200U);
  EXPECT_EQ(plain["Content-Encoding"], "");
  http::request<http::string_body> request{http::verb::get, "/app.js", 11};
  request.set(http::field::accept_encoding, "gzip, br");
  client.Send(request);
  const Reply packed = client.Receive();
  EXPECT_EQ(packed["Content-Encoding"], "gzip");
  EXPECT_LT(packed.body().size(), plain.body().size() / 2);
  request.set(http::field::if_none_match, packed["ETag"]);
  client.Send(request);
  const Reply unchanged = client.Receive();
  EXPECT_EQ(unchanged.result_int(), 304U);
  EXPECT_TRUE(unchanged.body().empty());
  client.Send({http::verb::head, "/", 11});
  const Reply head = client.Receive(true);
  EXPECT_EQ(head.result_int(), 200U);
  EXPECT_EQ(head[http::field::content_type], "text/html; charset=utf-8");
}

TEST_F(HttpServerTest, TheOpenApiDocumentListsEveryRouteAndNothingElse) {
  Client client(Serve());
  const Json document = Json::parse(client.Get("/api/openapi.json").body());
  EXPECT_EQ(document["openapi"], "3.1.0");
  size_t operations = 0;
  for (const auto& [path, methods] : document["paths"].items()) operations += methods.size();
  EXPECT_EQ(operations, Routes::Table().size());
  for (const RouteRow& row : Routes::Table()) {
    std::string method(row.method);
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    ASSERT_TRUE(document["paths"].contains(std::string(row.path))) << row.path;
    EXPECT_TRUE(document["paths"][std::string(row.path)].contains(method)) << row.path;
    // And each is really there: no route of the table answers 404 without a problem of its own.
    if (row.method == "GET" && row.path.find('{') == std::string_view::npos && row.path != "/v1/stream") {
      EXPECT_NE(client.Get(std::string(row.path)).result_int(), 404U) << row.path;
    }
  }
}

TEST(PageStoreTest, AUiDirectoryIsNotLeft) {
  const PageStore store(testing::TempDir());
  HttpRequest request;
  EXPECT_EQ(store.Answer(request, "/../etc/passwd").status, 404);
  EXPECT_EQ(store.Answer(request, "/.hidden").status, 404);
  EXPECT_EQ(store.Answer(request, std::string("/a\0b", 4)).status, 404);
}

TEST(PageStoreTest, GzipIsRefusedByQualityZero) {
  EXPECT_TRUE(AcceptsGzip("br, gzip"));
  EXPECT_TRUE(AcceptsGzip("gzip;q=0.5"));
  EXPECT_FALSE(AcceptsGzip("gzip;q=0, br"));
  EXPECT_FALSE(AcceptsGzip("br"));
}

}  // namespace
}  // namespace tidecast
