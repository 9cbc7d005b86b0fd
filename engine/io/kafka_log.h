#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace tidecast {

enum class KafkaLogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

/// Takes one line of words. Thread: called from any thread, one call at a time.
using KafkaLogSink = std::function<void(KafkaLogLevel level, std::string_view text)>;

/// Hands librdkafka's lines on, at most one of a kind (its facility) every few seconds; those left out are counted and
/// told with the next one. Secrets never come here: librdkafka does not log them and we log no property's value.
/// Thread: safe.
class KafkaLog {
 public:
  explicit KafkaLog(KafkaLogSink sink) : sink_(std::move(sink)) {}

  void Write(KafkaLogLevel level, const std::string& kind, std::string_view text);
  /// Trouble with a connection, for an error that has no cause of its own: the most telling one, and of equals the
  /// newest. Once a broker has let us in, one that goes or comes is not said to speak another protocol.
  void RememberTrouble(std::string_view text);
  /// A broker has let us in: what was before is over.
  void ForgetTrouble();
  std::string last_trouble() const;

 private:
  struct Kind {
    std::chrono::steady_clock::time_point told;
    int64_t left_out = 0;
  };
  mutable std::mutex mutex_;
  KafkaLogSink sink_;  // under mutex_, as all below
  std::map<std::string, Kind> kinds_;
  std::string last_trouble_;
  bool was_let_in_ = false;
};

}  // namespace tidecast
