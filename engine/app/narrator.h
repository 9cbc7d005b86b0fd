#pragma once

#include <string>
#include <string_view>

#include "engine/core/clock.h"
#include "engine/runtime/live_status.h"

namespace tidecast {

/// Tells on stderr how it goes: words and a progress line on a terminal, one JSON object a line otherwise.
/// Thread: safe for Say; Progress is confined.
class Narrator {
 public:
  explicit Narrator(const Clock& clock);
  void Say(std::string_view level, std::string_view text);
  void Info(std::string_view text) { Say("info", text); }
  /// Whether it is time to tell how far things are: a few times a second on a terminal, every ten seconds otherwise.
  bool ProgressIsDue() const;
  /// A line that replaces itself on a terminal and is logged otherwise. `done` in [0, 1], negative when there is no end
  /// in sight. Whoever asks ProgressIsDue first need not look at the engine for nothing.
  void Progress(const LiveStatus& status, double done);
  void EndProgress();

 private:
  const Clock& clock_;
  bool terminal_;
  bool line_open_ = false;
  ProcessingTime started_;
  ProcessingTime last_;
};

}  // namespace tidecast
