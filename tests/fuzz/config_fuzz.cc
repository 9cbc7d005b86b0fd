// Config texts with overrides: each is refused in words or makes a plan that an engine can run; no secret is printed.
#include <string>
#include <vector>

#include "config/config_loader.h"
#include "config/config_printer.h"
#include "engine/core/check.h"
#include "engine/runtime/task_plan.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidecast {
namespace {

// Stands for a password in the kept inputs; a mutant of it is another text.
constexpr std::string_view kSecret = "Xq7vPz0Lk3";

// A key that is a secret hides its value; one that is none may show what was put there by chance.
bool IsPlacedAsSecret(std::string_view text) {
  return text.find("sasl.password: Xq7vPz0Lk3\n") != std::string_view::npos;
}

void Fuzz(FuzzInput input) {
  std::vector<ConfigOverride> overrides;
  if (const std::string flag(input.Line()); !flag.empty()) {
    if (Result<ConfigOverride> change = ParseSetFlag(flag); change.ok()) overrides.push_back(std::move(change).value());
    for (ConfigOverride& change : OverridesFromEnvironment({"TIDECAST__" + flag}))
      overrides.push_back(std::move(change));
  }
  const std::string_view text = input.Rest();
  if (text.find("file:") != std::string_view::npos) return;  // would read files of this machine
  const ConfigReport report = CheckConfigText(text, "fuzz.yaml", overrides);
  const std::string words =
      PrintProblems(report) + PrintProblemsJson(report) + (report.ok() ? PrintOrigins(report) : "");
  const size_t times = [&] {
    size_t count = 0;
    for (size_t at = text.find(kSecret); at != std::string_view::npos; at = text.find(kSecret, at + 1)) ++count;
    return count;
  }();
  if (overrides.empty() && times == 1 && IsPlacedAsSecret(text))
    TC_CHECK_EQ(words.find(kSecret), std::string::npos, "a secret was printed");
  if (!report.ok()) return;
  const Result<std::unique_ptr<TaskPlan>> plan = TaskPlan::Make(report.options, true, false);
  TC_CHECK(plan.ok(), "a config without problems makes no plan: {}", plan.status().message());
}

}  // namespace
}  // namespace tidecast

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidecast::Fuzz({data, size});
  return 0;
}
