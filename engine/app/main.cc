#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "engine/app/stop_signal.h"
#include "engine/app/verbs.h"

int main(int argc, char** argv) {
  CLI::App app{"Tidecast: exactly-once streaming aggregation with a model that learns online"};
  app.name("tidecast");
  app.require_subcommand(1);
  app.footer(
      "Exit codes follow sysexits(3): 64 usage, 65 data, 66 no input, 69 broker unreachable, 74 disk, 78 config.");
  int exit_code = 0;
  tidecast::AddDemoVerb(app, &exit_code);
  tidecast::AddRunVerb(app, &exit_code);
  tidecast::AddReplayVerb(app, &exit_code);
  tidecast::AddBacktestVerb(app, &exit_code);
  tidecast::AddPretrainVerb(app, &exit_code);
  tidecast::AddCheckVerb(app, &exit_code);
  tidecast::AddConfigVerb(app, &exit_code);
  tidecast::AddTapVerb(app, &exit_code);
  tidecast::AddTopicsVerb(app, &exit_code);
  tidecast::AddStateVerb(app, &exit_code);
  tidecast::AddSavepointVerb(app, &exit_code);
  tidecast::AddBenchVerb(app, &exit_code);
  tidecast::AddVersionVerb(app, &exit_code);
  tidecast::InstallStopSignal();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 64;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error[internal]: %s\n", error.what());
    return 70;
  }
  return exit_code;
}
