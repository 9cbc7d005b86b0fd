#include "operators/mean_reconciler.h"

#include <algorithm>
#include <cmath>

#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kFormat = 1;
constexpr double kPriorHorizons = 2;  // as if so many forecasts had told for one half

}  // namespace

Result<MeanReconciler> MeanReconciler::Decode(std::string_view state, size_t horizon) {
  MeanReconciler reconciler(horizon);
  if (state.empty()) return reconciler;
  ByteReader in(state);
  if (const uint8_t format = in.U8(); format != kFormat) {
    return Status(Code::kVersion,
                  fmt::format("a reconciler's state has format {}, this build reads {}", format, kFormat));
  }
  if (in.Varint() != horizon) return reconciler;
  reconciler.newest_ = in.I64();
  reconciler.apart_ = in.F64();
  reconciler.toward_ = in.F64();
  reconciler.count_ = in.F64();
  reconciler.waiting_.resize(std::min(in.Count(8 + 8 * horizon), horizon));
  for (Waiting& waiting : reconciler.waiting_) {
    waiting.index = in.I64();
    waiting.own.resize(horizon);
    in.Array<float>(waiting.own);
    waiting.bottom_up.resize(horizon);
    in.Array<float>(waiting.bottom_up);
  }
  TC_RETURN_IF_ERROR(in.Finish("a reconciler's state"));
  return reconciler;
}

std::string MeanReconciler::Encode() const {
  ByteWriter out;
  out.U8(kFormat).Varint(horizon_).I64(newest_).F64(apart_).F64(toward_).F64(count_).Varint(waiting_.size());
  for (const Waiting& waiting : waiting_)
    out.I64(waiting.index).Array<float>(waiting.own).Array<float>(waiting.bottom_up);
  return out.Take();
}

void MeanReconciler::OnActual(int64_t index, float value) {
  const auto horizon = static_cast<int64_t>(horizon_);
  if (index <= newest_) waiting_.clear();
  newest_ = index;
  for (double* sum : {&apart_, &toward_, &count_}) *sum *= kMemory;
  for (const Waiting& waiting : waiting_) {
    const int64_t ahead = index - waiting.index;
    if (ahead > horizon || !std::isfinite(value)) continue;
    const auto step = static_cast<size_t>(ahead - 1);
    const double own = waiting.own[step];
    const double apart = waiting.bottom_up[step] - own;
    if (!std::isfinite(apart)) continue;
    apart_ += apart * apart;
    toward_ += apart * (value - own);
    count_ += 1;
  }
  while (!waiting_.empty() && index - waiting_.front().index >= horizon) waiting_.pop_front();
}

double MeanReconciler::WeightOfBottomUp() const {
  if (!(apart_ > 0) || !(count_ > 0)) return .5;
  const double prior = kPriorHorizons * static_cast<double>(horizon_) * apart_ / count_;
  return std::clamp((toward_ + .5 * prior) / (apart_ + prior), 0., 1.);
}

void MeanReconciler::Forecast(int64_t index, std::span<const float> own, std::span<const float> bottom_up,
                              std::span<float> reconciled) {
  const double weight = WeightOfBottomUp();
  for (size_t h = 0; h < horizon_; ++h)
    reconciled[h] = static_cast<float>((1 - weight) * own[h] + weight * bottom_up[h]);
  if (!waiting_.empty() && waiting_.back().index >= index) waiting_.clear();
  waiting_.push_back({index, {own.begin(), own.end()}, {bottom_up.begin(), bottom_up.end()}});
  newest_ = index;
}

}  // namespace tidecast
