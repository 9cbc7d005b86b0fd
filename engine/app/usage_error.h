#pragma once

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace tidecast {

/// Says what is wrong with a command line, with the verb or flag that was probably meant; answers --help and --version.
/// Returns the exit code: 64, or 0 for help and version.
int ReportUsage(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv);

}  // namespace tidecast
