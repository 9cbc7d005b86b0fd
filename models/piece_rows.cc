#include "models/piece_rows.h"

#include <fmt/format.h>

namespace tidecast {
namespace {

std::string PieceKey(std::string_view key, size_t piece) {
  return piece == 0 ? std::string(key) : fmt::format("{}+{}", key, piece);
}

}  // namespace

void PutPieces(Family family, std::string_view key, std::string_view value, DeltaSink& out) {
  size_t piece = 0;
  for (; piece == 0 || piece * kPieceBytes < value.size(); ++piece) {
    out.Put(family, PieceKey(key, piece), value.substr(piece * kPieceBytes, kPieceBytes));
  }
  // A full last piece would let whoever reads look for another one, which a longer value may have left.
  if (value.size() % kPieceBytes == 0 && !value.empty()) out.Put(family, PieceKey(key, piece), {});
}

Result<bool> GetPieces(const StateReader& store, Family family, std::string_view key, std::string* value) {
  value->clear();
  std::string next;
  for (size_t piece = 0;; ++piece) {
    TC_ASSIGN_OR_RETURN(const bool found, store.Get(family, PieceKey(key, piece), &next));
    if (!found) return piece > 0;
    value->append(next);
    if (next.size() != kPieceBytes) return true;
  }
}

void DeletePieces(Family family, std::string_view key, size_t bytes, DeltaSink& out) {
  for (size_t piece = 0; piece == 0 || piece * kPieceBytes <= bytes; ++piece) out.Delete(family, PieceKey(key, piece));
}

}  // namespace tidecast
