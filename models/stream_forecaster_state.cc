// What all series share, as rows of the store: the pool, the net's (NetTrainer), and inside a round the sums gathered
// so far with the block that is next.
#include <fmt/format.h>

#include <cstring>

#include "engine/core/hash.h"
#include "models/piece_rows.h"
#include "models/stream_forecaster.h"

namespace tidecast {
namespace {

constexpr uint32_t kRoundFormat = 1;
struct RoundHead {
  uint32_t format;
  uint32_t sums;
  uint64_t next;
};

}  // namespace

uint64_t StreamForecaster::Fingerprint() const {
  uint64_t hash = Mix64(shape_.Fingerprint() ^ (static_cast<uint64_t>(options_.domain) << 40));
  for (const auto& expert : experts_) hash = Hash64(expert->name(), hash);
  for (const int season : options_.season_lengths) hash = Mix64(hash ^ static_cast<uint64_t>(season));
  return hash;
}

void StreamForecaster::SaveShared(Epoch, DeltaSink& out) {
  std::string value;
  if (trainer_ != nullptr) trainer_->Save(out);
  if (pool_dirty_) {
    pool_.Encode(Fingerprint(), &value);
    PutPieces(Family::kModels, options_.state_prefix + "pool", value, out);
    pool_dirty_ = false;
  }
  if (!round_dirty_) return;
  const std::string key = options_.state_prefix + "round";
  if (gathering_) {
    TC_CHECK(!sums_.has_gap(), "saved while blocks are at work");
    const RoundHead head{kRoundFormat, static_cast<uint32_t>(sums_.total().size()), sums_.next()};
    value.assign(reinterpret_cast<const char*>(&head), sizeof head);
    value.append(reinterpret_cast<const char*>(sums_.total().data()), sums_.total().size() * sizeof(double));
    PutPieces(Family::kModels, key, value, out);
    has_stored_round_ = true;
  } else if (has_stored_round_) {
    DeletePieces(Family::kModels, key, sizeof(RoundHead) + pool_.sums_size() * sizeof(double), out);
    has_stored_round_ = false;
  }
  round_dirty_ = false;
}

void StreamForecaster::OnCommitted(Epoch) {}

Status StreamForecaster::ReloadShared(const StateReader& store) {
  StartParts();
  gathering_ = stored_gathering_ = has_stored_round_ = false;
  pool_dirty_ = round_dirty_ = false;
  if (trainer_ != nullptr) {
    TC_RETURN_IF_ERROR(trainer_->Reload(store));
    if (late_ == nullptr) TC_RETURN_IF_ERROR(trainer_->Ready());
  }
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, GetPieces(store, Family::kModels, options_.state_prefix + "pool", &value));
  if (!found) return Status::Ok();
  TC_RETURN_IF_ERROR(pool_.Decode(Fingerprint(), value));
  RefreshFactors();
  prior_mean_ = profile_.PriorMean(std::as_const(pool_).pooled(profile_part_));
  mixer_.Refresh(std::as_const(pool_).pooled(mixer_part_));
  if (trainer_ != nullptr) outer_.Refresh(std::as_const(pool_).pooled(outer_part_));
  TC_ASSIGN_OR_RETURN(has_stored_round_, GetPieces(store, Family::kModels, options_.state_prefix + "round", &value));
  if (!has_stored_round_) return Status::Ok();
  RoundHead head;
  if (value.size() < sizeof head) return Status(Code::kCorruption, "the model's stored round is cut short");
  std::memcpy(&head, value.data(), sizeof head);
  if (head.format != kRoundFormat) {
    return Status(Code::kVersion, fmt::format("the model's stored round has format {}, this build reads {}",
                                              head.format, kRoundFormat));
  }
  if (!pool_.HasSums(head.sums) || value.size() != sizeof head + head.sums * sizeof(double)) {
    return Status(Code::kCorruption, "the model's stored round has a wrong length");
  }
  stored_total_.assign(pool_.sums_size(), 0);
  std::memcpy(stored_total_.data(), value.data() + sizeof head, head.sums * sizeof(double));
  stored_next_ = head.next;
  stored_gathering_ = true;
  return Status::Ok();
}

}  // namespace tidecast
