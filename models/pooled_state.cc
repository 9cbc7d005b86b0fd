#include "models/pooled_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/core/check.h"

namespace tidecast {
namespace {

constexpr uint32_t kFormat = 8;  // reads 5 to 7 too
constexpr uint32_t kOldest = 5;
struct Head {
  uint32_t format;
  uint32_t values;
  uint64_t fingerprint;
  int64_t rounds;
};

}  // namespace

size_t PooledState::Claim(size_t size, size_t sums) {
  parts_.push_back({values_.size(), size, sums_size_, sums});
  values_.resize(values_.size() + size);
  sums_size_ += sums;
  return parts_.size() - 1;
}

size_t PooledState::ClaimSince(uint32_t format, size_t size, size_t sums) {
  TC_CHECK(later_.empty() || later_.back().format < format, "in order of formats");
  later_.push_back({format, size, sums});
  return Claim(size, sums);
}

bool PooledState::HasSums(size_t size) const {
  size_t sums = sums_size_;
  for (auto part = later_.rbegin(); part != later_.rend() && size < sums; ++part) sums -= part->sums;
  return size == sums;
}

void PooledState::SetPhase(int64_t index, uint16_t phase) { phase_[HistorySlot(index)] = phase; }

void PooledState::Clear() {
  std::fill(values_.begin(), values_.end(), 0.0);
  phase_.fill(0);
  rounds = 0;
}

void PooledState::Encode(uint64_t fingerprint, std::string* out) const {
  const Head head{kFormat, static_cast<uint32_t>(values_.size()), fingerprint, rounds};
  out->assign(reinterpret_cast<const char*>(&head), sizeof head);
  out->append(reinterpret_cast<const char*>(phase_.data()), sizeof phase_);
  out->append(reinterpret_cast<const char*>(values_.data()), values_.size() * sizeof(double));
}

Status PooledState::Decode(uint64_t fingerprint, std::string_view bytes) {
  Head head;
  if (bytes.size() < sizeof head) return Status(Code::kCorruption, "the model's shared state is cut short");
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.format < kOldest || head.format > kFormat) {
    return Status(Code::kVersion,
                  fmt::format("the model's shared state has format {}, this build reads {}", head.format, kFormat));
  }
  size_t stored = values_.size();
  for (const Later& part : later_) stored -= part.format > head.format ? part.values : 0;
  if (head.fingerprint != fingerprint || head.values != stored) {
    return Status(Code::kInvalidShape,
                  "the stored model was made with another horizon, season, domain or pool of experts")
        .WithRemedy("use the same view options as before, or start with a new state directory");
  }
  if (bytes.size() != sizeof head + sizeof phase_ + stored * sizeof(double)) {
    return Status(Code::kCorruption, "the model's shared state has a wrong length");
  }
  bytes.remove_prefix(sizeof head);
  std::memcpy(phase_.data(), bytes.data(), sizeof phase_);
  bytes.remove_prefix(sizeof phase_);
  std::fill(values_.begin(), values_.end(), 0.0);
  std::memcpy(values_.data(), bytes.data(), bytes.size());
  rounds = head.rounds;
  for (const double value : values_) {
    if (!std::isfinite(value))
      return Status(Code::kNotFinite, "the model's shared state holds a number that is not finite");
  }
  return Status::Ok();
}

}  // namespace tidecast
