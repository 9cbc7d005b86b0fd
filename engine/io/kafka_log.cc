#include "engine/io/kafka_log.h"

#include <fmt/format.h>

#include "engine/io/kafka_errors.h"

namespace tidecast {
namespace {
constexpr std::chrono::seconds kQuiet{5};
}  // namespace

void KafkaLog::Write(KafkaLogLevel level, const std::string& kind, std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (!sink_) return;
  const auto now = std::chrono::steady_clock::now();
  const auto [at, is_new] = kinds_.try_emplace(kind);
  Kind& seen = at->second;
  if (!is_new && now - seen.told < kQuiet) {
    ++seen.left_out;
    return;
  }
  seen.told = now;
  if (seen.left_out > 0) {
    sink_(level, fmt::format("{} (and {} more of this kind)", text, seen.left_out));
    seen.left_out = 0;
  } else {
    sink_(level, text);
  }
}

void KafkaLog::RememberTrouble(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (was_let_in_ && JudgeTrouble(text) == KafkaTrouble::kProtocol) return;
  if (JudgeTrouble(text) >= JudgeTrouble(last_trouble_)) last_trouble_ = text;
}

void KafkaLog::ForgetTrouble() {
  const std::lock_guard lock(mutex_);
  last_trouble_.clear();
  was_let_in_ = true;
}

std::string KafkaLog::last_trouble() const {
  const std::lock_guard lock(mutex_);
  return last_trouble_;
}

}  // namespace tidecast
