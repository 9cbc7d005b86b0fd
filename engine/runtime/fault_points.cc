#include "engine/runtime/fault_points.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/core/check.h"

namespace tidecast {

std::string_view CommitStepName(CommitStep step) {
  switch (step) {
    case CommitStep::kCut: return "cut";
    case CommitStep::kOutputsProduced: return "outputs_produced";
    case CommitStep::kChangelogProduced: return "changelog_produced";
    case CommitStep::kOffsetsSent: return "offsets_sent";
    case CommitStep::kCommitted: return "committed";
    case CommitStep::kStateWritten: return "state_written";
    case CommitStep::kCount_: break;
  }
  return "unknown";
}

void FaultPoints::ArmFromEnvironment(FaultPoints& points) {
  const char* text = std::getenv("TIDECAST_FAULT");
  if (text == nullptr) return;
  const std::string_view fault = text;
  const size_t colon = fault.find(':');
  TC_CHECK(colon != std::string_view::npos, "TIDECAST_FAULT must be <step>:<n>, is {}", fault);
  const int64_t count = std::strtoll(text + colon + 1, nullptr, 10);
  if (const char* report = std::getenv("TIDECAST_FAULT_REPORT")) points.report_path_ = report;
  for (int i = 0; i < static_cast<int>(CommitStep::kCount_); ++i) {
    if (CommitStepName(static_cast<CommitStep>(i)) == fault.substr(0, colon)) return points.Arm(static_cast<CommitStep>(i), count);
  }
  TC_CHECK(false, "TIDECAST_FAULT names no commit step: {}", fault);
}

void FaultPoints::Arm(CommitStep step, int64_t at_count) {
  armed_count_ = at_count;
  armed_step_.store(static_cast<int>(step));
}

void FaultPoints::Reach(CommitStep step) {
  const int64_t count = counts_[static_cast<size_t>(step)].fetch_add(1, std::memory_order_relaxed) + 1;
  if (armed_step_.load(std::memory_order_relaxed) != static_cast<int>(step) || count != armed_count_) return;
  if (!report_path_.empty()) {
    if (std::FILE* file = std::fopen(report_path_.c_str(), "a")) {
      std::fprintf(file, "%s\n", std::string(CommitStepName(step)).c_str());
      std::fclose(file);
    }
  }
  std::raise(SIGKILL);
}

}  // namespace tidecast
