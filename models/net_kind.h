#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidecast {

/// Which net stands above the experts.
enum class NetKind : uint8_t { kNone, kLstm, kMlp, kGru, kTcn, kAttention };

struct NetKindWord {
  NetKind kind;
  std::string_view word;
};

/// The nets by the names that configs and flags have for them.
inline constexpr std::array kNetKinds{NetKindWord{NetKind::kLstm, "lstm"}, NetKindWord{NetKind::kGru, "gru"},
                                      NetKindWord{NetKind::kTcn, "tcn"}, NetKindWord{NetKind::kAttention, "attention"},
                                      NetKindWord{NetKind::kMlp, "mlp"}};

/// "experts" without a net.
std::string_view NetKindName(NetKind kind);
/// Nothing for a word that names no net; "experts" is kNone.
std::optional<NetKind> NetKindOf(std::string_view word);
/// "lstm, gru, tcn, attention, mlp", for messages and help.
std::string NetKindList();

}  // namespace tidecast
