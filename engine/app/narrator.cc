#include "engine/app/narrator.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace tidecast {

Narrator::Narrator(const Clock& clock) : clock_(clock), terminal_(isatty(STDERR_FILENO) != 0), started_(clock.Now()), last_(clock.Now()) {}

void Narrator::Say(std::string_view level, std::string_view text) {
  if (terminal_) {
    fmt::print(stderr, "{}{}{}\n", line_open_ ? "\r\033[K" : "", level == "info" ? "" : fmt::format("{}: ", level), text);
    line_open_ = false;
    return;
  }
  const nlohmann::json line = {{"time_ms", clock_.Now().us / 1000}, {"level", level}, {"message", text}};
  fmt::print(stderr, "{}\n", line.dump());
}

bool Narrator::ProgressIsDue() const {
  return clock_.Now() - last_ >= (terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10'000));
}

void Narrator::Progress(const LiveStatus& status, double done) {
  if (!ProgressIsDue()) return;
  const ProcessingTime now = clock_.Now();
  last_ = now;
  const double seconds = static_cast<double>((now - started_).count()) / 1e6;
  std::string eta;
  if (done > .01 && done < 1) eta = fmt::format(", about {:.0f} s left", seconds * (1 - done) / done);
  const std::string text = fmt::format("{} {}{} events ({:.0f}/s), {} series, {} forecasts, {} alerts{}", status.state,
                                       done >= 0 ? fmt::format("{:3.0f} %: ", done * 100) : "", status.events_read, status.events_per_second,
                                       status.series, status.forecasts, status.alerts, eta);
  if (!terminal_) return Say("info", text);
  fmt::print(stderr, "\r\033[K{}", text);
  std::fflush(stderr);
  line_open_ = true;
}

void Narrator::EndProgress() {
  if (line_open_) fmt::print(stderr, "\r\033[K");
  line_open_ = false;
}

}  // namespace tidecast
