#include "engine/app/stop_signal.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>

namespace tidecast {
namespace {

std::atomic<int> asked_by{0};

void OnSignal(int signal) {
  int nobody = 0;
  if (!asked_by.compare_exchange_strong(nobody, signal)) _exit(128 + signal);
}

}  // namespace

void InstallStopSignal() {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool StopWasAsked() { return asked_by.load() != 0; }
int InterruptedExitCode() { return StopWasAsked() ? 128 + asked_by.load() : 0; }

void EndBySignal(int signal) {
  std::signal(signal, SIG_DFL);
  raise(signal);
  std::abort();  // not reached: these signals end a process
}

void PauseBriefly() { usleep(100'000); }

}  // namespace tidecast
