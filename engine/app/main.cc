#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <system_error>

#include "engine/app/error_report.h"
#include "engine/app/explain_verb.h"
#include "engine/app/stop_signal.h"
#include "engine/app/usage_error.h"
#include "engine/app/verbs.h"
#include "engine/app/version.h"

namespace {

/// What was printed must have gone somewhere. A reader that went away (`| head`) ends us without words, as it ends `cat`.
int CheckOutput(int exit_code, int error) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  if (error == 0) error = errno;
  if (error == EPIPE) tidecast::EndBySignal(SIGPIPE);
  if (exit_code != 0) return exit_code;
  return tidecast::ReportError(tidecast::Status(error == ENOSPC ? tidecast::Code::kNoSpace : tidecast::Code::kIo,
                                                fmt::format("the standard output cannot be written: {}", std::generic_category().message(error)),
                                                tidecast::Domain::kExternal)
                                   .WithRemedy("the verb itself has done its work; give its output a place with room and run it again"));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Tidecast: exactly-once streaming aggregation with a model that learns online"};
  app.name("tidecast");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("tidecast ") + tidecast::kVersionText);
  app.footer(
      "Exit codes follow sysexits(3): 64 usage, 65 data, 66 no input, 69 broker unreachable, 74 disk, 75 in use or\n"
      "fenced, 77 permission, 78 config; 130 and 143: a job was cut short by Ctrl-C or SIGTERM.");
  int exit_code = 0;
  tidecast::AddDemoVerb(app, &exit_code);
  tidecast::AddConfigVerb(app, &exit_code);
  tidecast::AddCheckVerb(app, &exit_code);
  tidecast::AddRunVerb(app, &exit_code);
  tidecast::AddReplayVerb(app, &exit_code);
  tidecast::AddBacktestVerb(app, &exit_code);
  tidecast::AddPretrainVerb(app, &exit_code);
  tidecast::AddHolidaysVerb(app, &exit_code);
  tidecast::AddTapVerb(app, &exit_code);
  tidecast::AddTopicsVerb(app, &exit_code);
  tidecast::AddExplainVerb(app, &exit_code);
  tidecast::AddStateVerb(app, &exit_code);
  tidecast::AddModelVerb(app, &exit_code);
  tidecast::AddSavepointVerb(app, &exit_code);
  tidecast::AddDlqVerb(app, &exit_code);
  tidecast::AddBenchVerb(app, &exit_code);
  tidecast::AddCompletionVerb(app, &exit_code);
  tidecast::AddVersionVerb(app, &exit_code);
  std::signal(SIGPIPE, SIG_IGN);  // sockets tell by their errors
  int output_error = 0;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return tidecast::ReportUsage(app, error, argc, argv);
  } catch (const std::system_error& error) {
    // fmt throws this when a stream does not take what it prints.
    if (std::ferror(stdout) == 0) {
      if (std::ferror(stderr) != 0 && error.code().value() == EPIPE) tidecast::EndBySignal(SIGPIPE);
      std::fprintf(stderr, "error[internal]: %s\n", error.what());
      return 70;
    }
    output_error = error.code().value();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error[internal]: %s\n", error.what());
    return 70;
  }
  exit_code = CheckOutput(exit_code, output_error);
  if (exit_code > 128) tidecast::EndBySignal(exit_code - 128);
  return exit_code;
}
