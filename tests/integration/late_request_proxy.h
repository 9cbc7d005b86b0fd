#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tidecast::integration {

/// Stands between Kafka clients and a broker, on loopback. Lets everything through, but for one request: that one it
/// keeps and breaks its connection to the client, which will send it again on another one. Deliver then brings the
/// first copy to the broker after all, as a network does that delays a packet.
/// Thread: safe; has threads of its own.
class LateRequestProxy {
 public:
  static constexpr int16_t kEndTxn = 26;  ///< api key

  LateRequestProxy(uint16_t port, uint16_t broker_port);
  ~LateRequestProxy();
  LateRequestProxy(const LateRequestProxy&) = delete;
  LateRequestProxy& operator=(const LateRequestProxy&) = delete;

  /// Whether the port could be listened on.
  bool ok() const { return listener_ >= 0; }
  /// The next request of this kind is the one.
  void HoldNext(int16_t api_key) { wanted_ = api_key; }
  bool holds() const;
  /// Brings it to the broker and waits for its answer. The bytes of the answer, correlation id first; nothing where the
  /// broker breaks the connection.
  std::optional<std::string> Deliver();

 private:
  struct Held {
    int broker = -1;
    std::string request;  ///< with its length
  };
  void Accept();
  void Pass(int client);
  /// False: the request is kept.
  bool Forward(int broker, const std::string& request);

  const uint16_t broker_port_;
  int listener_ = -1;
  std::atomic<int16_t> wanted_{-1};
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  Held held_;                         // under mutex_, as all below
  std::vector<std::thread> passing_;  ///< one a connection
  std::thread accepting_;
};

}  // namespace tidecast::integration
