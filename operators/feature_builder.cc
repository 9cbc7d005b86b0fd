#include "operators/feature_builder.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <unordered_map>

#include "operators/window_keys.h"

// Rows are written once, when they are added or revised, and read back when a tensor needs what is not in memory. A
// series in memory holds a ring of its last `time_steps` rows. Rows that have left the ring are deleted from state.

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::string SeriesPrefix(std::string_view series) {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kFeatureRow)).Text(series).Take();
}
std::string RowKey(std::string_view series, int64_t step) { return KeyWriter(SeriesPrefix(series)).I64(step).Take(); }

struct Ring {
  std::vector<float> rows;  ///< [time_steps, feature]; step s stands at s modulo time_steps
  int64_t last_step = std::numeric_limits<int64_t>::min();
  int64_t first_step = 0;  ///< of this ring: older rows may be in the store alone
  Epoch saved_in = 0;

  bool Whole(size_t time_steps) const { return last_step - first_step + 1 >= static_cast<int64_t>(time_steps); }
};

}  // namespace

struct FeatureBuilder::Impl {
  size_t features;
  size_t time_steps;
  size_t memory_bytes_max;
  std::unordered_map<std::string, Ring> rings;
  std::map<std::pair<std::string, int64_t>, bool> dirty;  ///< since the last Save; true: put, false: delete

  size_t RingBytes() const { return time_steps * features * sizeof(float) + sizeof(Ring) + 96; }
  size_t At(int64_t step) const {
    const auto steps = static_cast<int64_t>(time_steps);
    return static_cast<size_t>(((step % steps) + steps) % steps) * features;
  }
  float* Row(Ring& ring, int64_t step) const { return ring.rows.data() + At(step); }
  const float* Row(const Ring& ring, int64_t step) const { return ring.rows.data() + At(step); }
};

FeatureBuilder::FeatureBuilder(size_t features, size_t time_steps, size_t memory_bytes_max) noexcept
    : impl_(new Impl{features, time_steps, memory_bytes_max, {}, {}}) {
  TC_CHECK(features > 0 && time_steps > 0);
}

FeatureBuilder::~FeatureBuilder() = default;

void FeatureBuilder::OnRow(std::string_view series, int64_t step, std::span<const double> features) {
  Impl& impl = *impl_;
  TC_CHECK_EQ(features.size(), impl.features);
  const auto steps = static_cast<int64_t>(impl.time_steps);
  const std::string name(series);
  Ring& ring = impl.rings[name];
  if (ring.rows.empty()) ring.rows.assign(impl.time_steps * impl.features, kNaN);
  if (ring.last_step != std::numeric_limits<int64_t>::min() && step <= ring.last_step - steps)
    return;  // no tensor reaches back to it
  if (step > ring.last_step) {
    const bool first = ring.last_step == std::numeric_limits<int64_t>::min();
    // Steps in between have no row: what stood in their places is over.
    for (int64_t s = first ? step : std::max(ring.last_step + 1, step - steps + 1); s <= step; ++s) {
      impl.dirty[{name, s - steps}] = false;
      std::fill_n(impl.Row(ring, s), impl.features, kNaN);
    }
    if (first) ring.first_step = step;
    ring.last_step = step;
  }
  float* row = impl.Row(ring, step);
  for (size_t f = 0; f < impl.features; ++f) row[f] = static_cast<float>(features[f]);
  impl.dirty[{name, step}] = true;
}

FeatureTensor FeatureBuilder::Tensor(std::span<const std::string_view> series, int64_t last_step,
                                     const StateReader& store, std::vector<float>& memory) const {
  const Impl& impl = *impl_;
  const auto steps = static_cast<int64_t>(impl.time_steps);
  memory.assign(series.size() * impl.time_steps * impl.features, kNaN);
  for (size_t s = 0; s < series.size(); ++s) {
    float* out = memory.data() + s * impl.time_steps * impl.features;
    const int64_t first_step = last_step - steps + 1;
    const auto at = impl.rings.find(std::string(series[s]));
    if (at == impl.rings.end() || !at->second.Whole(impl.time_steps)) {
      const std::string prefix = SeriesPrefix(series[s]);
      const Status status = store.Scan(
          Family::kPanes, prefix, RowKey(series[s], first_step), [&](std::string_view key, std::string_view value) {
            KeyReader key_reader(key.substr(prefix.size()));
            const int64_t step = key_reader.I64();
            if (step > last_step) return false;
            ByteReader bytes(value);
            const bool good = bytes.U8() == kVersion && bytes.left() == impl.features * sizeof(float);
            if (good && step >= first_step)
              bytes.Array<float>({out + static_cast<size_t>(step - first_step) * impl.features, impl.features});
            return true;
          });
      // A row that cannot be read is a row that is not there: NaN is masked by all that use the tensor.
      status.IgnoreWithReason("missing feature rows are NaN");
    }
    if (at == impl.rings.end() || at->second.last_step == std::numeric_limits<int64_t>::min()) continue;
    const Ring& ring = at->second;
    for (int64_t step = std::max(first_step, ring.last_step - steps + 1); step <= std::min(last_step, ring.last_step);
         ++step) {
      const float* row = impl.Row(ring, step);
      // Rows in memory are newer than stored ones; what memory does not have may still be in the store.
      const bool known = std::any_of(row, row + impl.features, [](float v) { return v == v; });
      if (known || ring.Whole(impl.time_steps))
        std::copy_n(row, impl.features, out + static_cast<size_t>(step - first_step) * impl.features);
    }
  }
  return {memory, series.size(), impl.time_steps, impl.features};
}

void FeatureBuilder::Save(Epoch epoch, DeltaSink& out) {
  Impl& impl = *impl_;
  const auto steps = static_cast<int64_t>(impl.time_steps);
  ByteWriter value;
  for (const auto& [at, put] : impl.dirty) {
    Ring& ring = impl.rings[at.first];
    ring.saved_in = epoch;
    if (!put || at.second <= ring.last_step - steps) {
      out.Delete(Family::kPanes, RowKey(at.first, at.second));
      continue;
    }
    value.Clear();
    value.U8(kVersion).Array<float>(std::span<const float>(impl.Row(ring, at.second), impl.features));
    out.Put(Family::kPanes, RowKey(at.first, at.second), value.view());
  }
  impl.dirty.clear();
}

void FeatureBuilder::OnCommitted(Epoch epoch) {
  Impl& impl = *impl_;
  if (memory_bytes() <= impl.memory_bytes_max) return;
  std::erase_if(impl.rings, [&impl, epoch](const auto& entry) {
    if (entry.second.saved_in > epoch) return false;
    const auto at = impl.dirty.lower_bound({entry.first, std::numeric_limits<int64_t>::min()});
    return at == impl.dirty.end() || at->first.first != entry.first;
  });
}

Status FeatureBuilder::Reload(const StateReader&) {
  impl_->rings.clear();
  impl_->dirty.clear();
  return Status::Ok();
}

size_t FeatureBuilder::memory_bytes() const {
  return impl_->rings.size() * impl_->RingBytes() + impl_->dirty.size() * 96;
}

}  // namespace tidecast
