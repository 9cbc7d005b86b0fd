#include "models/net_kind.h"

namespace tidecast {

std::string_view NetKindName(NetKind kind) {
  for (const NetKindWord& known : kNetKinds) {
    if (known.kind == kind) return known.word;
  }
  return "experts";
}

std::optional<NetKind> NetKindOf(std::string_view word) {
  for (const NetKindWord& known : kNetKinds) {
    if (known.word == word) return known.kind;
  }
  if (word == NetKindName(NetKind::kNone)) return NetKind::kNone;
  return std::nullopt;
}

std::string NetKindList() {
  std::string list;
  for (const NetKindWord& known : kNetKinds) list.append(list.empty() ? "" : ", ").append(known.word);
  return list;
}

}  // namespace tidecast
