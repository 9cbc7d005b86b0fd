#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tidecast {

/// Each verb adds its subcommand to the command line; `*exit_code` is what the process ends with (sysexits(3)).
/// stdout is data, stderr is words.
void AddReplayVerb(CLI::App& app, int* exit_code);
void AddDemoVerb(CLI::App& app, int* exit_code);
void AddRunVerb(CLI::App& app, int* exit_code);
void AddBacktestVerb(CLI::App& app, int* exit_code);
void AddHolidaysVerb(CLI::App& app, int* exit_code);
void AddPretrainVerb(CLI::App& app, int* exit_code);
void AddCheckVerb(CLI::App& app, int* exit_code);
void AddTapVerb(CLI::App& app, int* exit_code);
void AddDlqVerb(CLI::App& app, int* exit_code);
void AddTopicsVerb(CLI::App& app, int* exit_code);
void AddBenchVerb(CLI::App& app, int* exit_code);
void AddVersionVerb(CLI::App& app, int* exit_code);
void AddStateVerb(CLI::App& app, int* exit_code);
void AddModelVerb(CLI::App& app, int* exit_code);
void AddSavepointVerb(CLI::App& app, int* exit_code);
void AddConfigVerb(CLI::App& app, int* exit_code);
void AddCompletionVerb(CLI::App& app, int* exit_code);

}  // namespace tidecast
