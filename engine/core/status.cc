#include "engine/core/status.h"

#include <array>

namespace tidecast {
namespace {

struct CodeRow {
  std::string_view name;
  int exit_code;
};

// In the order of the enum. Exit codes by sysexits(3).
constexpr std::array<CodeRow, 24> kCodes = {{
    {"ok", 0},           {"invalid_argument", 64}, {"usage", 64},     {"config", 78},      {"parse", 65},
    {"data", 65},        {"not_found", 66},        {"no_input", 66},  {"permission", 77},  {"no_space", 74},
    {"io", 74},          {"unavailable", 69},      {"timeout", 69},   {"would_block", 75}, {"aborted", 75},
    {"fenced", 75},      {"fatal", 75},            {"corruption", 65}, {"version", 65},    {"not_ready", 75},
    {"invalid_shape", 70}, {"overflow", 65},       {"not_finite", 70}, {"internal", 70},
}};
static_assert(static_cast<size_t>(Code::kInternal) + 1 == kCodes.size());

const std::string kEmpty;

}  // namespace

Status::Status(Code code, std::string message, Domain domain, Retry retry) {
  if (code == Code::kOk) return;
  rep_ = std::make_shared<Rep>(Rep{code, domain, retry, std::move(message), {}});
}

const std::string& Status::message() const { return rep_ ? rep_->message : kEmpty; }
const std::string& Status::remedy() const { return rep_ ? rep_->remedy : kEmpty; }

Status Status::WithRemedy(std::string remedy) && {
  if (!rep_) return std::move(*this);
  Status copy;
  copy.rep_ = std::make_shared<Rep>(*rep_);
  copy.rep_->remedy = std::move(remedy);
  return copy;
}

Status Status::In(std::string_view context) && {
  if (!rep_) return std::move(*this);
  Status copy;
  copy.rep_ = std::make_shared<Rep>(*rep_);
  copy.rep_->message = fmt::format("{}: {}", context, rep_->message);
  return copy;
}

std::string_view CodeName(Code code) { return kCodes[static_cast<size_t>(code)].name; }
int ExitCode(Code code) { return kCodes[static_cast<size_t>(code)].exit_code; }

}  // namespace tidecast
