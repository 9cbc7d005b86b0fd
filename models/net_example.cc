#include "models/net_example.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "engine/core/check.h"

namespace tidecast {
namespace {

constexpr uint32_t kFormat = 2;
struct Head {
  uint32_t format;
  uint32_t id;
  uint32_t stratum;
  uint32_t matured;
  int64_t origin;
  uint64_t key_hash;
  float scale;
  uint32_t halves;
};

template <typename Origin, typename Visit>
void ForEachArray(Origin& origin, Visit visit) {
  visit(origin.inputs);
  visit(origin.input_mask);
  visit(origin.statics);
  visit(origin.known);
  visit(origin.base);
  visit(origin.target);
  visit(origin.mask);
}

size_t CountHalves(const NetOrigin& origin) {
  size_t halves = 0;
  ForEachArray(origin, [&](const std::vector<Half>& array) { halves += array.size(); });
  return halves;
}

void Append(std::vector<float>& to, const std::vector<Half>& from) {
  for (const Half half : from) to.push_back(FromHalf(half));
}

}  // namespace

NetOrigin NetOrigin::Of(const NetShape& shape, bool closes) {
  NetOrigin origin;
  const auto window = closes ? static_cast<size_t>(shape.window) : 0;
  const auto horizon = static_cast<size_t>(shape.horizon);
  origin.inputs.resize(window * static_cast<size_t>(shape.inputs));
  origin.input_mask.resize(window);
  origin.statics.resize(static_cast<size_t>(shape.statics));
  origin.known.resize(horizon * static_cast<size_t>(shape.known));
  origin.base.resize(horizon * kLevelCount);
  origin.target.resize(horizon);
  origin.mask.resize(horizon);
  return origin;
}

void NetOrigin::Encode(std::string* out) const {
  const Head head{kFormat, id,       stratum, matured ? 1U : 0U,
                  origin,  key_hash, scale,   static_cast<uint32_t>(CountHalves(*this))};
  out->assign(reinterpret_cast<const char*>(&head), sizeof head);
  ForEachArray(*this, [&](const std::vector<Half>& array) {
    out->append(reinterpret_cast<const char*>(array.data()), array.size() * sizeof(Half));
  });
}

Result<NetOrigin> NetOrigin::Decode(const NetShape& shape, std::string_view bytes) {
  Head head;
  if (bytes.size() < sizeof head) return Status(Code::kCorruption, "a stored training origin is cut short");
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.format != kFormat) {
    return Status(Code::kVersion,
                  fmt::format("a stored training origin has format {}, this build reads {}", head.format, kFormat));
  }
  bytes.remove_prefix(sizeof head);
  NetOrigin origin = Of(shape, false);
  if (CountHalves(origin) != head.halves) origin = Of(shape, true);
  const size_t halves = CountHalves(origin);
  if (halves != head.halves || bytes.size() != halves * sizeof(Half)) {
    return Status(Code::kCorruption, "a stored training origin has a wrong length");
  }
  ForEachArray(origin, [&](std::vector<Half>& array) {
    if (!array.empty()) std::memcpy(array.data(), bytes.data(), array.size() * sizeof(Half));
    bytes.remove_prefix(array.size() * sizeof(Half));
  });
  origin.origin = head.origin;
  origin.key_hash = head.key_hash;
  origin.scale = head.scale;
  origin.id = head.id;
  origin.stratum = head.stratum;
  origin.matured = head.matured != 0;
  return origin;
}

void NetExample::Encode(std::string* out) const {
  out->clear();
  std::string one;
  for (const NetOrigin& origin : origins) {
    origin.Encode(&one);
    const auto bytes = static_cast<uint32_t>(one.size());
    out->append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
    out->append(one);
  }
}

Result<NetExample> NetExample::Decode(const NetShape& shape, std::string_view bytes) {
  NetExample example;
  while (!bytes.empty()) {
    uint32_t size = 0;
    if (bytes.size() >= sizeof size) std::memcpy(&size, bytes.data(), sizeof size);
    if (size == 0 || bytes.size() - sizeof size < size)
      return Status(Code::kCorruption, "a stored training window is cut short");
    TC_ASSIGN_OR_RETURN(NetOrigin origin, NetOrigin::Decode(shape, bytes.substr(sizeof size, size)));
    bytes.remove_prefix(sizeof size + size);
    example.origins.push_back(std::move(origin));
  }
  if (example.origins.empty() || !example.last().closes())
    return Status(Code::kCorruption, "a stored training window is not closed");
  return example;
}

void AppendExample(const NetShape& shape, const NetExample& example, NetBatch* batch) {
  const NetOrigin& last = example.last();
  TC_CHECK(last.closes());
  Append(batch->inputs, last.inputs);
  Append(batch->input_mask, last.input_mask);
  const NetOrigin hole = NetOrigin::Of(shape, false);
  size_t next = 0;
  for (int64_t at = last.origin - shape.positions + 1; at <= last.origin; ++at) {
    while (next < example.origins.size() && example.origins[next].origin < at) ++next;
    const bool there = next < example.origins.size() && example.origins[next].origin == at;
    const NetOrigin& origin = there ? example.origins[next] : hole;
    Append(batch->statics, origin.statics);
    Append(batch->known, origin.known);
    Append(batch->base, origin.base);
    Append(batch->target, origin.target);
    const float weight = std::sqrt(origin.scale);
    for (const Half half : origin.mask) batch->mask.push_back(weight * FromHalf(half));
  }
  batch->ids.push_back(last.id);
  batch->weight.push_back(1);
  ++batch->rows;
}

}  // namespace tidecast
