#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidecast {

/// The steps of a commit (EXACTLY_ONCE.md 1), in order. A fault point stands right after each.
enum class CommitStep : uint8_t {
  kCut,               ///< 0: dirty rows and outputs frozen
  kOutputsProduced,   ///< 1
  kChangelogProduced, ///< 2
  kOffsetsSent,       ///< 3
  kCommitted,         ///< 4: the log has committed, the local store has not
  kStateWritten,      ///< 5
  kCount_,
};
std::string_view CommitStepName(CommitStep step);

/// Lets a test end the process at a step of its choice, by SIGKILL, so that nothing is cleaned up.
/// Armed from TIDECAST_FAULT="<step name>:<n>": dies the n-th time the step is reached, after appending the step's name to
/// the file TIDECAST_FAULT_REPORT. Unarmed it costs one load.
/// Thread: safe.
class FaultPoints {
 public:
  FaultPoints() = default;
  /// Reads the environment.
  static void ArmFromEnvironment(FaultPoints& points);
  void Arm(CommitStep step, int64_t at_count);
  void Reach(CommitStep step);
  int64_t reached(CommitStep step) const { return counts_[static_cast<size_t>(step)].load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<int64_t>, static_cast<size_t>(CommitStep::kCount_)> counts_{};
  std::atomic<int> armed_step_{-1};
  int64_t armed_count_ = 0;
  std::string report_path_;
};

}  // namespace tidecast
