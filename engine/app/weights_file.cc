#include "engine/app/weights_file.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "models/net_weights.h"

namespace tidecast {
namespace {

constexpr int64_t kWarmSteps = 1200;  // how old a net is that begins with another's weights

}  // namespace

Result<std::string> ReadWeightsFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Status(Code::kNoInput, fmt::format("the weights cannot be read: {}", path), Domain::kInput)
        .WithRemedy("name a file of `tidecast pretrain` or `tidecast model export`");
  }
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  if (const auto decoded = NetWeights::Decode(bytes); !decoded.ok()) {
    return Status(decoded.status().code(), fmt::format("{}: {}", decoded.status().message(), path), Domain::kInput)
        .WithRemedy("name a file of `tidecast pretrain` or `tidecast model export`, of this version");
  }
  return bytes;
}

Status BeginWithWeights(const std::string& path, ForecasterOptions* options) {
  if (path.empty()) return Status::Ok();
  TC_ASSIGN_OR_RETURN(options->net_weights, ReadWeightsFile(path));
  options->net_warm_steps = kWarmSteps;
  return Status::Ok();
}

}  // namespace tidecast
