#include <CLI/CLI.hpp>
#include <memory>

#include "engine/app/error_report.h"
#include "engine/app/verbs.h"

// Scripts are made from the command line's own tree, so that no verb and no flag can be forgotten.

namespace tidecast {
namespace {

struct VerbWords {
  std::string path;         ///< "config show"
  std::string about;
  std::vector<std::string> words;  ///< verbs below, then flags
};

std::vector<const CLI::App*> Below(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* verb) { return !verb->get_name().empty(); });
}

void Collect(const CLI::App& app, const std::string& path, std::vector<VerbWords>* out) {
  VerbWords row{path, app.get_description(), {}};
  for (const CLI::App* verb : Below(app)) row.words.push_back(verb->get_name());
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) row.words.push_back("--" + name);
  }
  out->push_back(std::move(row));
  for (const CLI::App* verb : Below(app)) Collect(*verb, path.empty() ? verb->get_name() : path + " " + verb->get_name(), out);
}

std::string BashScript(const std::vector<VerbWords>& verbs) {
  std::string script =
      "# tidecast completion bash > /etc/bash_completion.d/tidecast\n"
      "_tidecast() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} path= i\n"
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    case \"${path:+$path }${COMP_WORDS[i]}\" in\n";
  std::string paths;
  for (const VerbWords& verb : verbs) {
    if (!verb.path.empty()) paths += fmt::format("{}\"{}\"", paths.empty() ? "" : " | ", verb.path);
  }
  script += fmt::format("      {}) path=\"${{path:+$path }}${{COMP_WORDS[i]}}\" ;;\n    esac\n  done\n  local words=\n  case \"$path\" in\n", paths);
  for (const VerbWords& verb : verbs) script += fmt::format("    \"{}\") words=\"{}\" ;;\n", verb.path, fmt::join(verb.words, " "));
  script +=
      "  esac\n"
      "  # Flags and verbs where they fit, files everywhere else.\n"
      "  if [[ $word == -* || -z $path || $path == config ]]; then\n"
      "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
      "  else\n"
      "    mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
      "  fi\n"
      "}\n"
      "complete -o filenames -F _tidecast tidecast\n";
  return script;
}

std::string ZshScript(const std::vector<VerbWords>& verbs) {
  return "#compdef tidecast\n# tidecast completion zsh > \"${fpath[1]}/_tidecast\", or: source <(tidecast completion zsh)\n"
         "autoload -Uz bashcompinit && bashcompinit\n" +
         BashScript(verbs);
}

/// For fish: single quotes, in which only ' and \ are special.
std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "'";
}

std::string FishScript(const CLI::App& app) {
  std::string script = "# tidecast completion fish > ~/.config/fish/completions/tidecast.fish\n";
  for (const CLI::App* verb : Below(app)) {
    script += fmt::format("complete -c tidecast -n __fish_use_subcommand -f -a {} -d {}\n", verb->get_name(), Quoted(verb->get_description()));
    for (const CLI::App* below : Below(*verb)) {
      script += fmt::format("complete -c tidecast -n '__fish_seen_subcommand_from {}' -f -a {} -d {}\n", verb->get_name(), below->get_name(),
                            Quoted(below->get_description()));
    }
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        script += fmt::format("complete -c tidecast -n '__fish_seen_subcommand_from {}' -l {}{} -d {}\n", verb->get_name(), name,
                              option->get_items_expected_max() > 0 ? " -r" : "", Quoted(option->get_description()));
      }
    }
  }
  return script;
}

}  // namespace

void AddCompletionVerb(CLI::App& app, int*) {
  auto shell = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand("completion", "Print a script that completes verbs and flags: bash, zsh or fish");
  verb->add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  verb->callback([shell, &app] {
    if (*shell == "fish") {
      fmt::print("{}", FishScript(app));
      return;
    }
    std::vector<VerbWords> verbs;
    Collect(app, "", &verbs);
    fmt::print("{}", *shell == "bash" ? BashScript(verbs) : ZshScript(verbs));
  });
}

}  // namespace tidecast
