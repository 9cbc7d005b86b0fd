#include <CLI/CLI.hpp>

#include "engine/app/verbs.h"
#include "engine/app/version.h"

namespace tidecast {

void AddVersionVerb(CLI::App& app, int*) {
  app.add_subcommand("version", "Print the version")->callback([] { std::printf("tidecast %s\n", kVersionText); });
}

}  // namespace tidecast
