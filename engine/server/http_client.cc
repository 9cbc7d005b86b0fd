#include "engine/server/http_client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>

namespace tidecast {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

Code CodeOf(unsigned status) {
  switch (status) {
    case 400:
      return Code::kInvalidArgument;
    case 403:
      return Code::kPermission;
    case 404:
      return Code::kNotFound;
    case 503:
      return Code::kNotReady;
    case 507:
      return Code::kNoSpace;
    default:
      return Code::kIo;
  }
}

}  // namespace

Status PostToEngine(const std::string& address, uint16_t port, const std::string& target) {
  const auto broken = [&](const boost::system::error_code& error) {
    return Status(Code::kUnavailable, fmt::format("no engine answers at {}:{} ({})", address, port, error.message()),
                  Domain::kExternal)
        .WithRemedy("server.address and server.port must be those that the engine runs with");
  };
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  boost::system::error_code error;
  const asio::ip::address host = asio::ip::make_address(address == "localhost" ? "127.0.0.1" : address, error);
  if (!error) socket.connect({host, port}, error);
  if (error) return broken(error);
  http::request<http::empty_body> request(http::verb::post, target, 11);
  request.set(http::field::host, fmt::format("{}:{}", host.is_v6() ? "[" + address + "]" : address, port));
  request.set(http::field::content_type, "application/json");
  request.prepare_payload();
  http::write(socket, request, error);
  if (error) return broken(error);
  boost::beast::flat_buffer buffer;
  http::response<http::string_body> response;
  http::read(socket, buffer, response, error);
  if (error) return broken(error);
  if (response.result() == http::status::ok) return Status::Ok();
  const auto problem = nlohmann::json::parse(response.body(), nullptr, false);
  if (!problem.is_object() || !problem.contains("detail")) {
    return Status(Code::kIo,
                  fmt::format("what answers at {}:{} is no engine of this version (HTTP {})", address, port,
                              response.result_int()),
                  Domain::kExternal);
  }
  return Status(CodeOf(response.result_int()), problem.value("detail", ""), Domain::kExternal)
      .WithRemedy(problem.value("remedy", ""));
}

}  // namespace tidecast
