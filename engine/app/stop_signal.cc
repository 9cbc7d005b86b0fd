#include "engine/app/stop_signal.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace tidecast {
namespace {

std::atomic<int> asked{0};

void OnSignal(int signal) {
  if (asked.fetch_add(1) > 0) _exit(128 + signal);
}

}  // namespace

void InstallStopSignal() {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool StopWasAsked() { return asked.load() > 0; }
void PauseBriefly() { usleep(100'000); }
void AskToStop() { asked.fetch_add(1); }

}  // namespace tidecast
