#pragma once

namespace tidecast {

/// Catches SIGINT and SIGTERM: the first asks for a clean stop, the second ends the process at once.
/// Thread: safe.
void InstallStopSignal();
bool StopWasAsked();
/// Waits for a signal or a tenth of a second, whichever comes first.
void PauseBriefly();
/// For tests and for verbs that end by themselves.
void AskToStop();

}  // namespace tidecast
