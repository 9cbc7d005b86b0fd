#include "engine/core/event.h"

#include <algorithm>

namespace tidecast {

std::string_view RejectReasonName(RejectReason reason) {
  switch (reason) {
    case RejectReason::kUndecodable: return "undecodable";
    case RejectReason::kMissingField: return "missing_field";
    case RejectReason::kBadValue: return "bad_value";
    case RejectReason::kOutOfRange: return "out_of_range";
    case RejectReason::kNoKey: return "no_key";
    case RejectReason::kKeyMismatch: return "key_mismatch";
    case RejectReason::kNoTime: return "no_time";
    case RejectReason::kFuture: return "future";
    case RejectReason::kOverflow: return "overflow";
    case RejectReason::kTooLarge: return "too_large";
  }
  return "unknown";
}

std::string_view EventBatch::Keep(std::string_view text) {
  if (text.empty()) return {};
  constexpr size_t kBlock = 64 * 1024;
  if (arena.empty() || arena.back().capacity() - arena.back().size() < text.size()) {
    arena.emplace_back();
    arena.back().reserve(std::max(kBlock, text.size()));
  }
  std::string& block = arena.back();
  const size_t at = block.size();
  block.append(text);
  return std::string_view(block).substr(at, text.size());
}

void EventBatch::Clear() {
  events.clear();
  dead_letters.clear();
  records = 0;
  if (arena.size() > 1) arena.resize(1);
  if (!arena.empty()) arena.front().clear();
}

}  // namespace tidecast
