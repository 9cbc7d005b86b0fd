#include "engine/app/usage_error.h"

#include <CLI/CLI.hpp>
#include <string_view>

#include "engine/app/error_report.h"
#include "engine/io/nearest_name.h"

namespace tidecast {
namespace {

std::vector<const CLI::App*> VerbsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* verb) { return !verb->get_name().empty(); });
}

const CLI::App* FindVerb(const CLI::App& app, std::string_view name) {
  for (const CLI::App* verb : VerbsOf(app)) {
    if (verb->get_name() == name) return verb;
  }
  return nullptr;
}

std::vector<std::string> FlagsOf(const CLI::App& verb) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
  return flags;
}

Status Usage(std::string message, std::string remedy) {
  return Status(Code::kUsage, std::move(message), Domain::kInput).WithRemedy(std::move(remedy));
}

/// The first verb or flag that does not exist; ok when all do. A wrong name explains more than what is missing by it.
Status FindWrongName(const CLI::App& app, int argc, char** argv) {
  const CLI::App* at = &app;
  std::string path = "tidecast";
  bool group = true;  // the next word must be a verb
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--") break;
    if (word.size() > 1 && word[0] == '-' && (word[1] < '0' || word[1] > '9')) {
      const std::string name(word.substr(0, word.find('=')));
      const std::vector<std::string> flags = FlagsOf(*at);
      // -n5 is -n 5.
      const bool known = std::find(flags.begin(), flags.end(), name) != flags.end() ||
                         (name[1] != '-' && std::find(flags.begin(), flags.end(), name.substr(0, 2)) != flags.end());
      if (known) continue;
      const std::string nearest = NearestName(name, flags);
      return Usage(fmt::format("{} has no flag {}", path, name),
                   nearest.empty() ? fmt::format("{} --help lists them", path) : fmt::format("did you mean {}?", nearest));
    }
    if (!group) continue;
    if (const CLI::App* verb = FindVerb(*at, word)) {
      at = verb;
      path += fmt::format(" {}", word);
      group = !VerbsOf(*at).empty();
      continue;
    }
    std::vector<std::string> names;
    for (const CLI::App* verb : VerbsOf(*at)) names.push_back(verb->get_name());
    const std::string nearest = NearestName(std::string(word), names);
    return Usage(fmt::format("{} has no verb \"{}\"", path, word),
                 nearest.empty() ? fmt::format("one of: {}", fmt::join(names, ", ")) : fmt::format("did you mean {} {}?", path, nearest));
  }
  return Status::Ok();
}

}  // namespace

int ReportUsage(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);
  if (const Status wrong = FindWrongName(app, argc, argv); !wrong.ok()) return ReportError(wrong);
  std::string verb = "tidecast";
  for (const CLI::App* parsed : app.get_subcommands()) verb += " " + parsed->get_name();
  return ReportError(Usage(fmt::format("{}: {}", verb, error.what()), fmt::format("{} --help", verb)));
}

}  // namespace tidecast
