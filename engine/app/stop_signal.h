#pragma once

namespace tidecast {

/// Catches SIGINT and SIGTERM: the first asks for a clean stop, the second ends the process at once. For verbs that have
/// something to finish; the others end by the signal as any program does.
/// Thread: safe.
void InstallStopSignal();
bool StopWasAsked();
/// Exit code of a job that a signal cut short, 128 + the signal; 0 when none came. `main` ends by the signal itself then,
/// so that a shell's loop ends too.
int InterruptedExitCode();
/// Ends this process by `signal` as if nothing had caught it.
[[noreturn]] void EndBySignal(int signal);
/// Waits for a signal or a tenth of a second, whichever comes first.
void PauseBriefly();

}  // namespace tidecast
