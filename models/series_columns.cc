#include "models/series_columns.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/core/check.h"
#include "engine/core/hash.h"

namespace tidecast {

size_t SeriesShape::states() const {
  size_t sum = 0;
  for (const size_t n : state_floats) sum += n;
  return sum;
}

size_t SeriesShape::summaries() const {
  size_t sum = 0;
  for (const size_t n : summary_floats) sum += n;
  return sum + sum % 2;
}

uint32_t SeriesShape::Fingerprint() const {
  uint64_t hash = Mix64(static_cast<uint64_t>(horizon));
  const auto add = [&](size_t n) { hash = Mix64(hash ^ n); };
  for (const size_t n : state_floats) add(n);
  for (const size_t n : summary_floats) add(n);
  add(mixer_floats);
  add(calibrator_floats);
  if (known_floats > 0) add(known_floats);
  if (effect_floats > 0) add(effect_floats);
  add(extra_bytes - newer_bytes);
  return static_cast<uint32_t>(hash);
}

size_t SeriesShape::BlobBytes() const {
  return sizeof(SeriesCore) + (kHistory + states() + mixer_floats + calibrator_floats) * sizeof(float) +
         static_cast<size_t>(horizon) * (sizeof(OriginHead) + summaries() * sizeof(Half)) +
         (known_floats + effect_floats) * sizeof(float) + extra_bytes;
}

SeriesColumns::SeriesColumns(const SeriesShape& shape, size_t series) : shape_(shape) {
  const size_t horizon = static_cast<size_t>(shape.horizon);
  core.resize(series);
  history.assign(series * kHistory, std::numeric_limits<float>::quiet_NaN());
  for (const size_t n : shape.state_floats) states.emplace_back(series * n, 0.0F);
  mixer.resize(series * shape.mixer_floats);
  calibrator.resize(series * shape.calibrator_floats);
  origins.resize(series * horizon);
  summaries.resize(series * horizon * shape.summaries());
  known.resize(series * shape.known_floats, std::numeric_limits<float>::quiet_NaN());
  effect.resize(series * shape.effect_floats);
  extra.resize(series * shape.extra_bytes);
  size_t offset = 0;
  for (const size_t n : shape.summary_floats) {
    summary_offset_.push_back(offset);
    offset += n;
  }
}

template <typename Visit>
void SeriesColumns::ForEachPart(size_t i, Visit visit) {
  const size_t horizon = static_cast<size_t>(shape_.horizon);
  visit(&core[i], sizeof(SeriesCore));
  visit(history.data() + i * kHistory, kHistory * sizeof(float));
  for (size_t k = 0; k < states.size(); ++k) {
    visit(states[k].data() + i * shape_.state_floats[k], shape_.state_floats[k] * sizeof(float));
  }
  visit(mixer.data() + i * shape_.mixer_floats, shape_.mixer_floats * sizeof(float));
  visit(calibrator.data() + i * shape_.calibrator_floats, shape_.calibrator_floats * sizeof(float));
  visit(origins.data() + i * horizon, horizon * sizeof(OriginHead));
  visit(summaries.data() + i * horizon * shape_.summaries(), horizon * shape_.summaries() * sizeof(Half));
  visit(known.data() + i * shape_.known_floats, shape_.known_floats * sizeof(float));
  visit(effect.data() + i * shape_.effect_floats, shape_.effect_floats * sizeof(float));
  visit(extra.data() + i * shape_.extra_bytes, shape_.extra_bytes);
}

void SeriesColumns::Load(size_t series, std::string_view blob) {
  if (blob.empty()) {
    core[series].shape = shape_.Fingerprint();
    return;
  }
  const bool is_older = blob.size() + shape_.newer_bytes == shape_.BlobBytes();
  TC_CHECK(is_older || blob.size() == shape_.BlobBytes(), "a series's state has another size than its pool");
  const char* from = blob.data();
  const char* const end = from + blob.size();
  ForEachPart(series, [&](void* to, size_t bytes) {
    const size_t there = std::min(bytes, static_cast<size_t>(end - from));
    if (there > 0) std::memcpy(to, from, there);
    from += there;
  });
  TC_CHECK_EQ(core[series].format, SeriesCore::kFormat, "format of a series's state");
  TC_CHECK_EQ(core[series].shape, shape_.Fingerprint(), "shape of a series's state");
}

void SeriesColumns::Store(size_t series, std::string* blob) const {
  blob->resize(shape_.BlobBytes());
  char* to = blob->data();
  const_cast<SeriesColumns*>(this)->ForEachPart(series, [&](const void* from, size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
    to += bytes;
  });
}

size_t SeriesColumns::OriginSlot(int64_t index) const {
  const int64_t horizon = shape_.horizon;
  return static_cast<size_t>(((index % horizon) + horizon) % horizon);
}

const OriginHead* SeriesColumns::Origin(size_t series, int64_t index) const {
  const OriginHead& head = origins[series * static_cast<size_t>(shape_.horizon) + OriginSlot(index)];
  return head.index == index ? &head : nullptr;
}

void SeriesColumns::ReadSummaries(size_t series, int64_t index, size_t expert, std::span<float> out) const {
  const size_t slot = series * static_cast<size_t>(shape_.horizon) + OriginSlot(index);
  const Half* from = summaries.data() + slot * shape_.summaries() + summary_offset_[expert];
  for (size_t i = 0; i < out.size(); ++i) out[i] = FromHalf(from[i]);
}

void SeriesColumns::WriteSummaries(size_t series, int64_t index, size_t expert, std::span<const float> in) {
  const size_t slot = series * static_cast<size_t>(shape_.horizon) + OriginSlot(index);
  Half* to = summaries.data() + slot * shape_.summaries() + summary_offset_[expert];
  for (size_t i = 0; i < in.size(); ++i) to[i] = ToHalf(in[i]);
}

}  // namespace tidecast
