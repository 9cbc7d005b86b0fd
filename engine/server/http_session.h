#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "engine/server/http_server.h"

namespace tidecast {

class HttpSession;

/// What the connections of one server share. All but `posts` belongs to the server's thread.
struct SessionContext {
  SessionContext(const HttpServerOptions& server_options, LiveView& live_view, MetricRegistry& metrics, EventSink sink,
                 EngineRequests requests)
      : options(server_options),
        view(live_view),
        routes(live_view, metrics, std::move(sink), std::move(requests), server_options.ui_directory),
        registry(metrics),
        streams_open(metrics.Gauge("tidecast_http_streams", "Open live streams")),
        connections_open(metrics.Gauge("tidecast_http_connections", "Open connections")) {}

  const HttpServerOptions options;
  LiveView& view;
  const Routes routes;
  MetricRegistry& registry;
  Metric& streams_open;
  Metric& connections_open;
  std::atomic<bool> stopping{false};  ///< nothing new is begun any more
  bool any_host = false;              ///< bound to another address than loopback, by the user's word
  boost::asio::io_context io{1};
  boost::asio::thread_pool posts{4};  ///< where a POST waits until it is durable
  std::atomic<size_t> post_bytes{0};  ///< of the bodies that are there
  std::set<HttpSession*> sessions;
  size_t streams = 0;
};

/// One connection: requests one after another, or, after GET /v1/stream, Server-Sent Events until somebody closes.
/// Thread: confined to the server's.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(std::shared_ptr<SessionContext> context, boost::asio::ip::tcp::socket socket);
  ~HttpSession();

  void Run() { ReadRequest(); }
  /// Writes a refusal and closes.
  void Refuse(HttpReply reply);
  void Close();
  /// Sends what is new, if this is a stream that can take it.
  void PumpStream();
  void Heartbeat();

 private:
  using Response = boost::beast::http::response<boost::beast::http::string_body>;

  void ReadRequest();
  void OnRequest();
  void Reply(HttpReply reply, bool keep_alive);
  std::optional<HttpReply> RefuseForeign() const;
  void StartStream();
  void WriteStream(std::string text);
  void WatchStreamEnd();

  std::shared_ptr<SessionContext> context_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  HttpRequest request_;
  std::shared_ptr<Response> response_;

  bool streaming_ = false;
  bool writing_ = false;
  bool close_after_write_ = false;
  bool heartbeat_due_ = false;
  uint64_t cursor_ = 0;
  LiveEventFilter filter_;
  std::string outgoing_;
  char ignored_[64] = {};
};

}  // namespace tidecast
