#include "operators/key_split.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;
constexpr double kForgotten = 1e-6;  // of the task's sum

}  // namespace

void KeySplit::Add(uint16_t partition, std::string_view key, double value) {
  if (!(value > 0)) return;
  auto& of_task = sums_[partition];
  const auto at = of_task.find(key);
  if (at != of_task.end()) {
    at->second += value;
  } else {
    of_task.emplace(key, value);
  }
}

void KeySplit::Fade() {
  for (auto& [partition, of_task] : sums_) {
    double total = 0;
    for (auto& [key, sum] : of_task) total += sum *= kMemory;
    std::erase_if(of_task, [total](const auto& key_sum) { return key_sum.second < kForgotten * total; });
  }
}

void KeySplit::Visit(uint16_t partition, const std::function<void(std::string_view key, double part)>& visit) const {
  const auto at = sums_.find(partition);
  if (at == sums_.end()) return;
  double total = 0;
  for (const auto& [key, sum] : at->second) total += sum;
  if (!(total > 0)) return;
  for (const auto& [key, sum] : at->second) visit(key, sum / total);
}

std::string KeySplit::Encode(uint16_t partition) const {
  ByteWriter out;
  const auto at = sums_.find(partition);
  out.U8(kVersion).Varint(at == sums_.end() ? 0 : at->second.size());
  if (at != sums_.end()) {
    for (const auto& [key, sum] : at->second) out.Bytes(key).F64(sum);
  }
  return out.Take();
}

Status KeySplit::Decode(uint16_t partition, std::string_view bytes) {
  ByteReader in(bytes);
  if (const uint8_t version = in.U8(); version != kVersion) {
    return Status(Code::kVersion,
                  fmt::format("the split of a rollup has format {}, this build reads {}", version, kVersion));
  }
  const size_t keys = in.Count(9);
  auto& of_task = sums_[partition];
  of_task.clear();
  for (size_t i = 0; i < keys; ++i) {
    std::string key(in.Bytes());
    of_task[std::move(key)] = in.F64();
  }
  return in.Finish("split of a rollup");
}

}  // namespace tidecast
