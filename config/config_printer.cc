#include "config/config_printer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/config_fields.h"
#include "config/secret_mask.h"

namespace tidecast {
namespace {

std::string PrintProblem(const ConfigProblem& problem, const std::string& path) {
  std::string out = fmt::format("error[{}]: {}\n", problem.code, problem.what);
  const ConfigPlace& place = problem.place;
  if (!place.origin.empty()) {
    out += fmt::format("  --> {}\n", place.origin);
  } else if (place.line > 0) {
    const std::string number = std::to_string(place.line);
    const std::string gap(number.size(), ' ');
    out += fmt::format("{}--> {}:{}:{}\n", gap, path, place.line, place.column);
    if (!problem.source_line.empty()) {
      // Tabs stay tabs below the line, so that the caret stands where it belongs.
      std::string before = problem.source_line.substr(0, static_cast<size_t>(std::max(0, problem.source_column - 1)));
      for (char& c : before) c = c == '\t' ? '\t' : ' ';
      const size_t room = problem.source_line.size() > before.size() ? problem.source_line.size() - before.size() : 1;
      const bool masked = std::string_view(problem.source_line).substr(before.size()).starts_with(kSecretMask);
      const size_t carets =
          std::clamp<size_t>(masked ? kSecretMask.size() : static_cast<size_t>(place.length), 1, room);
      out += fmt::format("{} |\n{} | {}\n{} | {}{}\n", gap, number, problem.source_line, gap, before,
                         std::string(carets, '^'));
    }
  } else {
    out += fmt::format("  --> {}\n", path);
  }
  if (!problem.why.empty()) out += fmt::format("   = why: {}\n", problem.why);
  if (!problem.remedy.empty()) out += fmt::format("   = try: {}\n", problem.remedy);
  out += fmt::format("   = docs: tidecast help {}\n", problem.code);
  return out;
}

void PrintNode(const ConfigNode& node, const std::string& shown, std::string_view pattern, const std::string& path,
               std::string* out) {
  const auto where = [&](const ConfigPlace& place) {
    return place.origin.empty() ? fmt::format("{}:{}", path, place.line) : place.origin;
  };
  const ConfigField* field = FindConfigField(pattern);
  if (node.IsSection()) {
    for (const ConfigEntry& entry : node.entries) {
      const bool named = field != nullptr && field->type == FieldType::kNamedSections;
      const bool free = field != nullptr && field->type == FieldType::kTextMap;
      const std::string below =
          free ? std::string(pattern)
               : fmt::format("{}{}{}", pattern, pattern.empty() ? "" : ".", named ? "*" : entry.key);
      PrintNode(entry.value, shown.empty() ? entry.key : shown + "." + entry.key, below, path, out);
    }
    return;
  }
  std::string value = node.text;
  if (node.kind == ConfigNode::Kind::kList) {
    std::vector<std::string> items;
    for (const ConfigNode& item : node.items) items.push_back(item.text);
    value = fmt::format("[{}]", fmt::join(items, ", "));
  }
  const bool kafka_secret =
      pattern == "kafka" && IsSecretKey(std::string_view(shown).substr(std::min<size_t>(6, shown.size())));
  if ((field != nullptr && field->type == FieldType::kSecret) || kafka_secret) value = kSecretMask;
  *out += fmt::format("{} = {}  # {}\n", shown, value, where(node.place));
}

}  // namespace

std::string PrintProblems(const ConfigReport& report) {
  std::string out;
  for (const ConfigProblem& problem : report.problems) {
    if (!out.empty()) out += '\n';
    out += PrintProblem(problem, report.path);
  }
  return out;
}

std::string PrintProblemsJson(const ConfigReport& report) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const ConfigProblem& problem : report.problems) {
    nlohmann::ordered_json row;
    row["code"] = problem.code;
    row["what"] = problem.what;
    row["file"] = report.path;
    if (problem.place.origin.empty()) {
      row["line"] = problem.place.line;
      row["column"] = problem.place.column;
      row["source"] = problem.source_line;
    } else {
      row["origin"] = problem.place.origin;
    }
    row["why"] = problem.why;
    row["try"] = problem.remedy;
    rows.push_back(std::move(row));
  }
  return rows.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string PrintOrigins(const ConfigReport& report) {
  std::string out;
  PrintNode(report.tree, "", "", report.path, &out);
  return out;
}

}  // namespace tidecast
