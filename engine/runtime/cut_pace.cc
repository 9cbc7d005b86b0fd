#include "engine/runtime/cut_pace.h"

#include <algorithm>

namespace tidecast {
namespace {

// Older records have waited for longer than a cut could win back.
constexpr Duration kLive = std::chrono::seconds(1);
// A transaction that is open this long is not yet near its timeout.
constexpr Duration kMoments = std::chrono::seconds(1);
constexpr Duration kMeasureFor = std::chrono::milliseconds(500);
constexpr int kHoldsApart = 10;  // intervals: where buckets are short, input has no less room for that
constexpr double kNewest = .3;   // weight of the newest commit

}  // namespace

void CutPace::StartAt(ProcessingTime at) {
  last_cut_ = at;
  last_early_ = {};
  closed_ = holds_input_ = false;
  held_at_ = {};
  close_expected_ = kNever;
  speed_ = 0;
  speed_from_ = EventTime::Min();
}

void CutPace::OnStep(const Step& step) {
  if (step.closed && !closed_) {
    closed_ = true;
    closed_at_ = step.now;
  }
  if (!step.watermark.IsFinite()) {
    close_expected_ = kNever;
    return;
  }
  if (!speed_from_.IsFinite()) {
    speed_from_ = step.watermark;
    speed_since_ = step.now;
  } else if (const Duration measured = step.now - speed_since_; measured >= kMeasureFor) {
    speed_ = static_cast<double>(step.watermark.us - speed_from_.us) / static_cast<double>(measured.count());
    speed_from_ = step.watermark;
    speed_since_ = step.now;
  }
  const double wait =
      speed_ > 0 && step.to_close != Duration::max() ? static_cast<double>(step.to_close.count()) / speed_ : 1e15;
  close_expected_ = wait < 1e12 ? step.now + Duration(static_cast<int64_t>(wait)) : kNever;
}

void CutPace::OnCut(ProcessingTime now) {
  if (now - last_cut_ < interval_) last_early_ = now;
  last_cut_ = now;
  holds_input_ = closed_ && now - held_at_ >= kHoldsApart * interval_;
  if (holds_input_) held_at_ = now;
  closed_ = false;
}

void CutPace::OnCommitted(ProcessingTime now) {
  holds_input_ = false;
  const Duration took = std::max(now - last_cut_, Duration{});
  const double smoothed =
      static_cast<double>(commit_takes_.count()) * (1 - kNewest) + static_cast<double>(took.count()) * kNewest;
  commit_takes_ = commit_takes_ == Duration{} ? took : Duration(static_cast<int64_t>(smoothed));
}

bool CutPace::IsLive(ProcessingTime now) const { return appended_.IsFinite() && now.us - appended_.us < kLive.count(); }

Duration CutPace::longest_wait() const { return std::min(commit_takes_, interval_ / 2); }

bool CutPace::IsNear(ProcessingTime now) const {
  return close_expected_ != kNever && close_expected_ - now < longest_wait();
}

bool CutPace::WaitsForOthers(ProcessingTime now) const {
  return closed_ && IsLive(now) && IsNear(now) && now - closed_at_ < longest_wait();
}

bool CutPace::HoldsInput(ProcessingTime now) const {
  return holds_input_ && IsLive(now) && now - last_cut_ < interval_;
}

bool CutPace::Due(ProcessingTime now, bool settled) const {
  const bool is_over = now - last_cut_ >= interval_;
  if (!IsLive(now)) return is_over;
  if (closed_) return (is_over || (settled && now - last_early_ >= interval_)) && !WaitsForOthers(now);
  return is_over && (!IsNear(now) || now - last_cut_ >= interval_ + longest_wait());
}

bool CutPace::IsImminent(ProcessingTime now, bool settled) const {
  return closed_ && settled && IsLive(now) && now - std::min(last_cut_, last_early_) >= interval_ - kMoments;
}

}  // namespace tidecast
