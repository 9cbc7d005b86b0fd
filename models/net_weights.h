#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "models/net.h"

namespace tidecast {

/// What the columns of a net's matrices mean, so that weights can move between views.
struct NetNames {
  std::vector<std::string> inputs, known, statics;
};

/// Weights that leave the series they were learnt on: for a warm start elsewhere. Bytes: weights/FORMAT.md.
struct NetWeights {
  NetNames names;
  std::string provenance;  ///< what they were learnt from, in words
  std::string blob;        ///< ResidualNet::Save

  std::string Encode() const;
  /// Errors: kCorruption, kVersion.
  static Result<NetWeights> Decode(std::string_view bytes);
  /// Which of their rows mean what `own` names.
  NetRows RowsFor(const NetNames& own) const;
};

}  // namespace tidecast
