#include "engine/server/http_session.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include "engine/server/http_parsing.h"

namespace tidecast {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr size_t kStreamWriteBytes = 64U << 10;
constexpr std::string_view kContentPolicy =
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors "
    "'none'";

template <typename Fields>
void SetSecurityHeaders(Fields& fields) {
  fields.set("Content-Security-Policy", kContentPolicy);
  fields.set("X-Content-Type-Options", "nosniff");
  fields.set("X-Frame-Options", "DENY");
  fields.set("Referrer-Policy", "no-referrer");
  fields.set("Cross-Origin-Resource-Policy", "same-origin");
}

// "127.0.0.1:8080" -> "127.0.0.1", "[::1]:8080" -> "[::1]".
std::string HostWithoutPort(std::string_view host) {
  const size_t bracket = host.rfind(']');
  const size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  return std::string(host.substr(0, colon));
}

bool IsLoopbackName(const std::string& host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

}  // namespace

HttpSession::HttpSession(std::shared_ptr<SessionContext> context, asio::ip::tcp::socket socket)
    : context_(std::move(context)), stream_(std::move(socket)) {
  context_->sessions.insert(this);
  context_->connections_open.Set(static_cast<double>(context_->sessions.size()));
}

HttpSession::~HttpSession() {
  context_->sessions.erase(this);
  context_->connections_open.Set(static_cast<double>(context_->sessions.size()));
  if (streaming_) context_->streams_open.Set(static_cast<double>(--context_->streams));
}

void HttpSession::Close() {
  beast::error_code ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  stream_.close();
}

void HttpSession::Refuse(HttpReply reply) { Reply(std::move(reply), false); }

void HttpSession::ReadRequest() {
  parser_.emplace();
  parser_->body_limit(context_->options.body_bytes_max);
  parser_->header_limit(context_->options.header_bytes_max);
  stream_.expires_after(context_->options.request_timeout);
  http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, size_t) {
    if (!error) return self->OnRequest();
    if (error == http::error::body_limit) {
      return self->Refuse(Problem(413, "too_large",
                                  fmt::format("The body is larger than this server takes: {} bytes at most",
                                              self->context_->options.body_bytes_max),
                                  "send fewer events a request"));
    }
    if (error == http::error::header_limit) return self->Refuse(Problem(431, "too_large", "The header is too large"));
    const bool our_peer_left = error == http::error::end_of_stream || error == beast::error::timeout ||
                               error.category() != http::make_error_code(http::error::bad_method).category();
    if (our_peer_left) return self->Close();
    self->Refuse(Problem(400, "parse", "This is not HTTP as we know it: " + error.message()));
  });
}

std::optional<HttpReply> HttpSession::RefuseForeign() const {
  const std::string host = request_.Header("host");
  if (!context_->any_host && !host.empty() && !IsLoopbackName(HostWithoutPort(host))) {
    return Problem(421, "permission", "This server answers to loopback names only, not to " + host,
                   "ask for http://localhost, or bind another address with --insecure");
  }
  const std::string origin = request_.Header("origin");
  if (request_.method == "POST" && !origin.empty() && origin != "http://" + host && origin != "https://" + host) {
    return Problem(403, "permission", "Events are not taken from pages of another origin: " + origin);
  }
  return std::nullopt;
}

void HttpSession::OnRequest() {
  auto message = parser_->release();
  const bool keep_alive = message.keep_alive();
  request_ = TakeRequest(std::move(message));

  if (std::optional<HttpReply> refusal = RefuseForeign()) return Reply(std::move(*refusal), false);
  if (context_->stopping) return Reply(Problem(503, "not_ready", "The server is stopping"), false);
  if (Routes::IsStream(request_)) return StartStream();
  if (!Routes::MayBlock(request_)) return Reply(context_->routes.Answer(request_), keep_alive);
  const size_t bytes = request_.body.size();
  if (context_->post_bytes.fetch_add(bytes) + bytes > context_->options.post_bytes_max) {
    context_->post_bytes -= bytes;
    HttpReply reply = Problem(429, "would_block", fmt::format("Too many posted events wait to be written: {} MiB at most; none of these was taken",
                                                              context_->options.post_bytes_max >> 20),
                              "send them again in a moment");
    reply.headers.emplace_back("Retry-After", "1");
    return Reply(std::move(reply), keep_alive);
  }
  stream_.expires_never();
  asio::post(context_->posts, [bytes, self = shared_from_this(), keep_alive]() mutable {
    HttpReply reply = self->context_->routes.Answer(self->request_);
    self->context_->post_bytes -= bytes;
    // The session must end on its own thread, so the reference travels on; `self` is moved, not copied.
    const auto server_thread = self->stream_.get_executor();
    asio::post(server_thread, [self = std::move(self), reply = std::move(reply), keep_alive]() mutable {
      self->Reply(std::move(reply), keep_alive);
    });
  });
}

void HttpSession::Reply(HttpReply reply, bool keep_alive) {
  context_->registry
      .Counter("tidecast_http_requests_total", "Answered requests by status class",
               {{"class", fmt::format("{}xx", reply.status / 100)}})
      .Add(1);
  response_ = std::make_shared<Response>();
  response_->version(11);
  response_->result(static_cast<unsigned>(reply.status));
  response_->keep_alive(keep_alive);
  response_->set(http::field::content_type, reply.content_type);
  SetSecurityHeaders(*response_);
  for (const auto& [name, value] : reply.headers) response_->set(name, value);
  const size_t size = reply.body.size();
  if (request_.method != "HEAD" && reply.status != 304) response_->body() = std::move(reply.body);
  if (reply.status != 304) response_->content_length(size);
  stream_.expires_after(context_->options.request_timeout);
  http::async_write(stream_, *response_, [self = shared_from_this(), keep_alive](beast::error_code error, size_t) {
    self->response_.reset();
    if (error || !keep_alive) return self->Close();
    self->ReadRequest();
  });
}

void HttpSession::StartStream() {
  if (context_->streams >= context_->options.streams_max) {
    HttpReply reply =
        Problem(503, "would_block", "Too many live streams are open", "close another page, or try again later");
    reply.headers.emplace_back("Retry-After", "5");
    return Reply(std::move(reply), false);
  }
  streaming_ = true;
  context_->streams_open.Set(static_cast<double>(++context_->streams));
  std::string wanted = request_.Query("series");
  if (!wanted.empty()) filter_.series.insert(std::move(wanted));

  LiveEventLog& events = context_->view.events();
  http::fields header;
  header.set(http::field::content_type, "text/event-stream");
  header.set(http::field::cache_control, "no-store");
  header.set(http::field::connection, "close");
  SetSecurityHeaders(header);
  std::string text = "HTTP/1.1 200 OK\r\n";
  for (const auto& field : header) {
    text.append(std::string_view(field.name_string()))
        .append(": ")
        .append(std::string_view(field.value()))
        .append("\r\n");
  }
  text += "\r\nretry: 1000\n\n";
  const std::string last_id = request_.Header("last-event-id");
  if (last_id.empty() || !events.ParseId(last_id, &cursor_)) {
    cursor_ = events.newest();
    // Known ids that mean nothing here (another run): the page must take a fresh picture.
    if (!last_id.empty()) RenderServerSentEvent("", "reset", R"({"reason":"the server was started anew"})", &text);
  }
  RenderServerSentEvent("", "status", context_->view.StatusJson(), &text);
  WatchStreamEnd();
  WriteStream(std::move(text));
}

void HttpSession::WatchStreamEnd() {
  // A stream's client says nothing more; reading only tells when it goes. This read has no timeout of its own.
  stream_.socket().async_read_some(asio::buffer(ignored_),
                                   [self = shared_from_this()](beast::error_code error, size_t) {
                                     if (error) return self->Close();
                                     self->WatchStreamEnd();
                                   });
}

void HttpSession::WriteStream(std::string text) {
  writing_ = true;
  outgoing_ = std::move(text);
  stream_.expires_after(context_->options.request_timeout);
  asio::async_write(stream_, asio::buffer(outgoing_), [self = shared_from_this()](beast::error_code error, size_t) {
    self->writing_ = false;
    if (error || self->close_after_write_) return self->Close();
    self->stream_.expires_never();
    self->PumpStream();
  });
}

void HttpSession::PumpStream() {
  if (!streaming_ || writing_ || close_after_write_) return;
  std::string text;
  // Events of other series are skipped in steps, so that one call stays short; a skipped step leaves no text.
  if (context_->view.events().ReadAfter(&cursor_, filter_, kStreamWriteBytes, &text) ==
      LiveEventLog::ReadOutcome::kGap) {
    RenderServerSentEvent("", "reset", R"({"reason":"this client was too slow; connect again"})", &text);
    close_after_write_ = true;
  }
  if (heartbeat_due_) {
    heartbeat_due_ = false;
    RenderServerSentEvent("", "heartbeat",
                          fmt::format(R"({{"age_ms":{}}})", context_->view.status_age().count() / 1000), &text);
  }
  if (!text.empty()) WriteStream(std::move(text));
}

void HttpSession::Heartbeat() {
  if (!streaming_) return;
  heartbeat_due_ = true;
  PumpStream();
}

}  // namespace tidecast
