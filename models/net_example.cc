#include "models/net_example.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

namespace tidecast {
namespace {

constexpr uint32_t kFormat = 1;
struct Head {
  uint32_t format;
  uint32_t id;
  uint32_t stratum;
  uint32_t matured;
  int64_t origin;
  uint64_t key_hash;
  float scale;
  uint32_t floats;
};

template <typename Example, typename Visit>
void ForEachArray(Example& example, Visit visit) {
  visit(example.inputs);
  visit(example.input_mask);
  visit(example.statics);
  visit(example.known);
  visit(example.base);
  visit(example.target);
  visit(example.mask);
}

}  // namespace

NetExample NetExample::Of(const NetShape& shape) {
  NetExample example;
  const auto window = static_cast<size_t>(shape.window);
  const auto horizon = static_cast<size_t>(shape.horizon);
  example.inputs.resize(window * static_cast<size_t>(shape.inputs));
  example.input_mask.resize(window);
  example.statics.resize(static_cast<size_t>(shape.statics));
  example.known.resize(horizon * static_cast<size_t>(shape.known));
  example.base.resize(horizon * kLevelCount);
  example.target.resize(horizon);
  example.mask.resize(horizon);
  return example;
}

void NetExample::Encode(std::string* out) const {
  Head head{kFormat, id, stratum, matured ? 1U : 0U, origin, key_hash, scale, 0};
  ForEachArray(*this, [&](const std::vector<float>& array) { head.floats += static_cast<uint32_t>(array.size()); });
  out->assign(reinterpret_cast<const char*>(&head), sizeof head);
  ForEachArray(*this, [&](const std::vector<float>& array) {
    out->append(reinterpret_cast<const char*>(array.data()), array.size() * sizeof(float));
  });
}

Result<NetExample> NetExample::Decode(const NetShape& shape, std::string_view bytes) {
  Head head;
  if (bytes.size() < sizeof head) return Status(Code::kCorruption, "a stored training window is cut short");
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.format != kFormat) {
    return Status(Code::kVersion, fmt::format("a stored training window has format {}, this build reads {}", head.format, kFormat));
  }
  bytes.remove_prefix(sizeof head);
  NetExample example = Of(shape);
  size_t floats = 0;
  ForEachArray(example, [&](const std::vector<float>& array) { floats += array.size(); });
  if (floats != head.floats || bytes.size() != floats * sizeof(float)) {
    return Status(Code::kCorruption, "a stored training window has a wrong length");
  }
  ForEachArray(example, [&](std::vector<float>& array) {
    if (!array.empty()) std::memcpy(array.data(), bytes.data(), array.size() * sizeof(float));
    bytes.remove_prefix(array.size() * sizeof(float));
  });
  example.origin = head.origin;
  example.key_hash = head.key_hash;
  example.scale = head.scale;
  example.id = head.id;
  example.stratum = head.stratum;
  example.matured = head.matured != 0;
  return example;
}

void AppendExample(const NetExample& example, NetBatch* batch) {
  const auto add = [](std::vector<float>& to, const std::vector<float>& from) { to.insert(to.end(), from.begin(), from.end()); };
  add(batch->inputs, example.inputs);
  add(batch->input_mask, example.input_mask);
  add(batch->statics, example.statics);
  add(batch->known, example.known);
  add(batch->base, example.base);
  add(batch->target, example.target);
  add(batch->mask, example.mask);
  batch->ids.push_back(example.id);
  batch->weight.push_back(std::sqrt(example.scale));
  ++batch->rows;
}

}  // namespace tidecast
