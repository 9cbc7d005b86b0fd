#pragma once

#include <string>
#include <string_view>

#include "engine/core/stateful.h"

namespace tidecast {

/// A value of any size as rows of at most kPieceBytes: a changelog's record may not be larger than the brokers take (1
/// MB unless they are told otherwise). The first piece lies under `key`, the next ones under key + "+1", "+2" ...; a
/// row that is longer was written before there were pieces, and is all there is.
inline constexpr size_t kPieceBytes = 512 << 10;

/// Writes the value over one of whatever size.
void PutPieces(Family family, std::string_view key, std::string_view value, DeltaSink& out);
/// False when there is none. Errors: of StateReader::Get.
Result<bool> GetPieces(const StateReader& store, Family family, std::string_view key, std::string* value);
/// Deletes a value of `bytes`.
void DeletePieces(Family family, std::string_view key, size_t bytes, DeltaSink& out);

}  // namespace tidecast
