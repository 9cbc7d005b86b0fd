#include "config/config_loader.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "config/config_binder.h"
#include "config/config_checker.h"
#include "config/config_printer.h"
#include "config/config_rules.h"
#include "config/secret_mask.h"

namespace tidecast {
namespace {

std::string LineOf(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  std::string found(text.substr(0, text.find('\n')));
  if (found.ends_with('\r')) found.pop_back();
  return found;
}

}  // namespace

ConfigReport CheckConfigText(std::string_view text, const std::string& path,
                             const std::vector<ConfigOverride>& overrides) {
  ConfigReport report;
  report.path = path;
  report.tree = ParseConfigText(text, &report.problems);
  const SecretMask mask(report.tree);
  const bool readable = std::none_of(report.problems.begin(), report.problems.end(),
                                     [](const ConfigProblem& problem) { return problem.code == "TC0101"; });
  if (readable) {
    ApplyOverrides(overrides, &report.tree, &report.problems);
    CheckAgainstFields(&report.tree, &report.problems);
    report.options = BindConfig(report.tree);
    CheckRules(report.tree, report.options, &report.problems);
  }
  for (ConfigProblem& problem : report.problems) {
    // A quote that is not closed makes a value of all that follows.
    if (const size_t quoted = problem.what.find('"'); quoted != std::string::npos)
      problem.what.replace(quoted, std::string::npos, mask.Hide(problem.what.substr(quoted), 0).text);
    if (!problem.place.origin.empty() || problem.place.line <= 0) continue;
    // Without a tree a line of a key's block cannot be told from others.
    if (!readable && text.find("PRIVATE KEY") != std::string_view::npos) continue;
    SecretMask::Line shown = mask.Hide(LineOf(text, problem.place.line), problem.place.column);
    problem.source_line = std::move(shown.text);
    problem.source_column = shown.column;
  }
  std::stable_sort(report.problems.begin(), report.problems.end(), [](const ConfigProblem& a, const ConfigProblem& b) {
    return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
  });
  return report;
}

Result<ConfigReport> CheckConfig(const std::string& path, const std::vector<ConfigOverride>& overrides) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return Status(Code::kNoInput, fmt::format("no such config file: {}", path), Domain::kInput)
        .WithRemedy("check the path, or make one: tidecast init > tidecast.yaml");
  }
  if (S_ISDIR(info.st_mode)) {
    return Status(Code::kNoInput, fmt::format("not a config file but a directory: {}", path), Domain::kInput)
        .WithRemedy("name the file in it");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int error = errno;
    return Status(error == EACCES ? Code::kPermission : Code::kIo,
                  fmt::format("cannot open the config file ({}): {}", std::strerror(error), path), Domain::kInput)
        .WithRemedy("make it readable for the user that runs tidecast");
  }
  std::ostringstream text;
  text << file.rdbuf();
  return CheckConfigText(text.str(), path, overrides);
}

Result<EngineOptions> LoadConfig(const std::string& path, const std::vector<ConfigOverride>& overrides) {
  TC_ASSIGN_OR_RETURN(ConfigReport report, CheckConfig(path, overrides));
  if (!report.ok()) return Status(Code::kConfig, PrintProblems(report), Domain::kInput);
  return std::move(report.options);
}

}  // namespace tidecast
