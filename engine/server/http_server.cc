#include "engine/server/http_server.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <thread>

#include "engine/server/http_session.h"

namespace tidecast {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

Status BindError(const error_code& error, const std::string& address, uint16_t port) {
  if (error == asio::error::address_in_use) {
    return Status(Code::kUnavailable, fmt::format("The port is taken by another program: {}:{}", address, port),
                  Domain::kExternal)
        .WithRemedy(fmt::format(
            "end the program that listens on port {}, or choose another one (server.port, or --port; 0 takes any "
            "free one)",
            port));
  }
  if (error == asio::error::access_denied) {
    return Status(Code::kPermission, fmt::format("This user may not listen on the port: {}:{}", address, port),
                  Domain::kExternal)
        .WithRemedy("choose a port of 1024 or above");
  }
  return Status(Code::kIo, fmt::format("Cannot listen on {}:{}: {}", address, port, error.message()), Domain::kExternal)
      .WithRemedy("use an address of this machine for server.address, such as 127.0.0.1");
}

}  // namespace

struct HttpServer::Core : SessionContext, std::enable_shared_from_this<HttpServer::Core> {
  using SessionContext::SessionContext;

  Status Listen();
  void Accept();
  void Tick();
  void Beat();
  void PumpAll();

  std::optional<Tcp::acceptor> acceptor;
  asio::steady_timer tick_timer{io};
  asio::steady_timer beat_timer{io};
  std::atomic<bool> pump_pending{false};
  std::atomic<uint16_t> bound_port{0};
  std::thread thread;
};

Status HttpServer::Core::Listen() {
  error_code error;
  const std::string& text = options.address;
  const asio::ip::address address = asio::ip::make_address(text == "localhost" ? "127.0.0.1" : text, error);
  if (error) {
    return Status(Code::kConfig, "The server's address is not an IP address: " + text, Domain::kInput)
        .WithRemedy("set server.address to 127.0.0.1, ::1 or an address of this machine");
  }
  if (!address.is_loopback() && !options.insecure) {
    return Status(Code::kConfig, "The server has no authentication, so it listens on loopback only, not on " + text,
                  Domain::kInput)
        .WithRemedy(
            "keep server.address at 127.0.0.1 and put an authenticating proxy in front, or say server.insecure: true "
            "(--insecure) if everyone who reaches this address may read and write");
  }
  any_host = !address.is_loopback();
  const Tcp::endpoint endpoint(address, options.port);
  acceptor.emplace(io);
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    acceptor.reset();
    return BindError(error, text, options.port);
  }
  bound_port = acceptor->local_endpoint(error).port();
  return Status::Ok();
}

void HttpServer::Core::Accept() {
  acceptor->async_accept([this, self = shared_from_this()](const error_code& error, Tcp::socket socket) {
    if (stopping) return;
    if (error) {
      // Out of file descriptors or the like: wait a tick instead of spinning.
      auto pause = std::make_shared<asio::steady_timer>(io, options.tick);
      pause->async_wait([this, self, pause](const error_code&) {
        if (!stopping) Accept();
      });
      return;
    }
    const bool full = sessions.size() >= options.connections_max;
    auto session = std::make_shared<HttpSession>(self, std::move(socket));
    if (full) {
      HttpReply reply = Problem(503, "would_block", "Too many connections are open", "try again in a moment");
      reply.headers.emplace_back("Retry-After", "1");
      session->Refuse(std::move(reply));
    } else {
      session->Run();
    }
    Accept();
  });
}

void HttpServer::Core::Tick() {
  tick_timer.expires_after(options.tick);
  tick_timer.async_wait([this, self = shared_from_this()](const error_code& error) {
    if (error || stopping) return;
    view.Tick();
    Tick();
  });
}

void HttpServer::Core::Beat() {
  beat_timer.expires_after(options.heartbeat);
  beat_timer.async_wait([this, self = shared_from_this()](const error_code& error) {
    if (error || stopping) return;
    for (const auto& session : std::vector<HttpSession*>(sessions.begin(), sessions.end())) session->Heartbeat();
    Beat();
  });
}

void HttpServer::Core::PumpAll() {
  pump_pending = false;
  for (const auto& session : std::vector<HttpSession*>(sessions.begin(), sessions.end())) session->PumpStream();
}

HttpServer::HttpServer(HttpServerOptions options, LiveView& view, MetricRegistry& metrics, EventSink sink,
                       EngineRequests requests)
    : core_(std::make_shared<Core>(options, view, metrics, std::move(sink), std::move(requests))) {}

HttpServer::~HttpServer() { Stop(); }

Status HttpServer::Start() {
  Core& core = *core_;
  if (core.thread.joinable() || core.stopping) return Status::Ok();
  TC_RETURN_IF_ERROR(core.Listen());
  core.Accept();
  core.Tick();
  core.Beat();
  core.view.events().SetListener([weak = std::weak_ptr<Core>(core_)] {
    const std::shared_ptr<Core> self = weak.lock();
    if (!self || self->pump_pending.exchange(true)) return;
    asio::post(self->io, [self] { self->PumpAll(); });
  });
  core.thread = std::thread([&core] { core.io.run(); });
  return Status::Ok();
}

void HttpServer::Stop() {
  Core& core = *core_;
  if (!core.thread.joinable()) return;
  core.view.events().SetListener(nullptr);
  core.stopping = true;
  core.posts.join();  // posted events end first; their replies are then queued before the close below
  asio::post(core.io, [&core] {
    error_code ignored;
    core.acceptor->close(ignored);
    core.tick_timer.cancel();
    core.beat_timer.cancel();
    for (HttpSession* session : std::vector<HttpSession*>(core.sessions.begin(), core.sessions.end())) session->Close();
  });
  core.thread.join();  // ends when nothing is left to do
}

uint16_t HttpServer::port() const { return core_->bound_port; }

std::string HttpServer::url() const {
  const std::string& address = core_->options.address;
  const bool six = address.find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}/", six ? "[" : "", address, six ? "]" : "", port());
}

}  // namespace tidecast
