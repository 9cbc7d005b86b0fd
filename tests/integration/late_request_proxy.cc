#include "tests/integration/late_request_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace tidecast::integration {
namespace {

constexpr int kLookMs = 50;
constexpr size_t kLength = 4;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int Listen(uint16_t port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = Loopback(port);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && listen(listener, 64) == 0)
    return listener;
  close(listener);
  return -1;
}

int Connect(uint16_t port) {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  if (connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(connection);
    return -1;
  }
  const int on = 1;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return connection;
}

bool SendAll(int to, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t sent = send(to, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

bool ReceiveAll(int from, char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t got = recv(from, bytes, size, 0);
    if (got <= 0) return false;
    bytes += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

uint32_t LengthOf(const char* bytes) {
  uint32_t length = 0;
  std::memcpy(&length, bytes, kLength);
  return ntohl(length);
}

/// Takes the first request out of what has been received, if it is there in whole.
std::optional<std::string> TakeRequest(std::string* received) {
  if (received->size() < kLength) return std::nullopt;
  const size_t size = kLength + LengthOf(received->data());
  if (received->size() < size) return std::nullopt;
  std::string request = received->substr(0, size);
  received->erase(0, size);
  return request;
}

int16_t ApiKeyOf(const std::string& request) {
  return static_cast<int16_t>((static_cast<uint8_t>(request[kLength]) << 8) |
                              static_cast<uint8_t>(request[kLength + 1]));
}

}  // namespace

LateRequestProxy::LateRequestProxy(uint16_t port, uint16_t broker_port)
    : broker_port_(broker_port), listener_(Listen(port)) {
  if (ok()) accepting_ = std::thread([this] { Accept(); });
}

LateRequestProxy::~LateRequestProxy() {
  stopping_ = true;
  if (accepting_.joinable()) accepting_.join();
  for (std::thread& passing : passing_) passing.join();
  if (held_.broker >= 0) close(held_.broker);
  if (listener_ >= 0) close(listener_);
}

bool LateRequestProxy::holds() const {
  const std::lock_guard lock(mutex_);
  return held_.broker >= 0;
}

std::optional<std::string> LateRequestProxy::Deliver() {
  Held held;
  {
    const std::lock_guard lock(mutex_);
    std::swap(held, held_);
  }
  std::array<char, kLength> length{};
  std::optional<std::string> answer;
  if (held.broker >= 0 && SendAll(held.broker, held.request.data(), held.request.size()) &&
      ReceiveAll(held.broker, length.data(), kLength)) {
    answer.emplace(LengthOf(length.data()), '\0');
    if (!ReceiveAll(held.broker, answer->data(), answer->size())) answer.reset();
  }
  if (held.broker >= 0) close(held.broker);
  return answer;
}

void LateRequestProxy::Accept() {
  while (!stopping_) {
    pollfd look{listener_, POLLIN, 0};
    if (poll(&look, 1, kLookMs) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    const std::lock_guard lock(mutex_);
    passing_.emplace_back([this, client] { Pass(client); });
  }
}

bool LateRequestProxy::Forward(int broker, const std::string& request) {
  int16_t key = ApiKeyOf(request);
  if (key < 0 || !wanted_.compare_exchange_strong(key, -1)) {
    SendAll(broker, request.data(), request.size());  // where that fails the broker's end is seen next
    return true;
  }
  const std::lock_guard lock(mutex_);
  held_ = {broker, request};
  return false;
}

void LateRequestProxy::Pass(int client) {
  const int broker = Connect(broker_port_);
  std::array<char, 64 << 10> bytes{};
  std::string received;
  bool ours = true;
  while (broker >= 0 && !stopping_) {
    std::array<pollfd, 2> look{pollfd{client, POLLIN, 0}, pollfd{broker, POLLIN, 0}};
    if (poll(look.data(), look.size(), kLookMs) <= 0) continue;
    if (look[1].revents != 0) {
      const ssize_t got = recv(broker, bytes.data(), bytes.size(), 0);
      if (got <= 0 || !SendAll(client, bytes.data(), static_cast<size_t>(got))) break;
    }
    if (look[0].revents == 0) continue;
    const ssize_t got = recv(client, bytes.data(), bytes.size(), 0);
    if (got <= 0) break;
    received.append(bytes.data(), static_cast<size_t>(got));
    while (const auto request = TakeRequest(&received)) {
      if (!(ours = Forward(broker, *request))) break;
    }
    if (!ours) break;
  }
  close(client);
  if (broker >= 0 && ours) close(broker);
}

}  // namespace tidecast::integration
