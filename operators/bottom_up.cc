#include "operators/bottom_up.h"

#include <algorithm>
#include <cmath>

#include "operators/accumulator.h"
#include "operators/contribution.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;
constexpr double kMicrosMax = 9e18;

int64_t Micros(double units) {
  return static_cast<int64_t>(std::llround(std::clamp(units * 1e6, -kMicrosMax, kMicrosMax)));
}

const FeatureOptions* TargetOf(const ViewOptions& view) {
  const auto at = std::find_if(view.features.begin(), view.features.end(),
                               [&](const FeatureOptions& feature) { return feature.name == view.target; });
  return at == view.features.end() ? nullptr : &*at;
}

}  // namespace

std::optional<uint16_t> BottomUpSource(std::span<const ViewOptions> views, uint16_t v) {
  const ViewOptions& rollup = views[v];
  const bool is_rollup =
      rollup.group_by == GroupBy::kCategory || rollup.group_by == GroupBy::kCountry || rollup.group_by == GroupBy::kAll;
  const FeatureOptions* wanted = TargetOf(rollup);
  if (!is_rollup || !rollup.forecast || wanted == nullptr) return std::nullopt;
  if (wanted->aggregate != Aggregate::kSum && wanted->aggregate != Aggregate::kCount) return std::nullopt;
  for (uint16_t s = 0; s < views.size(); ++s) {
    const ViewOptions& series = views[s];
    const FeatureOptions* target = TargetOf(series);
    if (series.group_by != GroupBy::kKey || !series.forecast || !series.emit_empty || target == nullptr) continue;
    if (series.horizon < rollup.horizon || !(series.calendar == rollup.calendar)) continue;
    FeatureOptions renamed = *target;
    renamed.name = wanted->name;
    if (renamed == *wanted) return s;
  }
  return std::nullopt;
}

BottomUpSums::BottomUpSums(std::vector<Feed> feeds) : feeds_(std::move(feeds)) {
  for (const Feed& feed : feeds_) {
    horizon_ = std::max(horizon_, feed.horizon);
    by_category_ = by_category_ || feed.group_by == GroupBy::kCategory;
  }
}

void BottomUpSums::Add(uint16_t partition, std::string_view category, std::span<const float> mean) {
  if (!by_category_) {
    category = {};
  } else if (category.empty()) {
    category = kUnknownKey;
  }
  auto& of_task = sums_[partition];
  auto at = of_task.find(category);
  if (at == of_task.end()) at = of_task.emplace(category, Steps(horizon_)).first;
  for (size_t h = 0; h < horizon_; ++h) {
    if (std::isfinite(mean[h])) at->second[h] = SaturatingAdd(at->second[h], Micros(static_cast<double>(mean[h])));
  }
}

void BottomUpSums::Give(const BucketContext& context, const std::map<uint16_t, KeySplit>& splits,
                        const std::function<void(const BottomUpShare&)>& give) const {
  BottomUpShare share;
  share.start = context.now.start;
  share.end = context.now.end;
  for (const Feed& feed : feeds_) {
    share.view = feed.view;
    share.until = context.ahead[feed.horizon - 1].end;
    for (const auto& [partition, by_category] : sums_) {
      share.upstream = partition;
      if (feed.group_by == GroupBy::kCategory) {
        for (const auto& [category, steps] : by_category) {
          share.key = category;
          share.micros.assign(steps.begin(), steps.begin() + static_cast<ptrdiff_t>(feed.horizon));
          give(share);
        }
        continue;
      }
      Steps total(feed.horizon);
      for (const auto& [category, steps] : by_category) {
        for (size_t h = 0; h < feed.horizon; ++h) total[h] = SaturatingAdd(total[h], steps[h]);
      }
      if (feed.group_by == GroupBy::kAll) {
        share.key = kAllKey;
        share.micros = total;
        give(share);
        continue;
      }
      const auto split = splits.find(feed.view);
      if (split == splits.end()) continue;
      split->second.Visit(partition, [&](std::string_view key, double part) {
        share.key = key;
        share.micros.resize(feed.horizon);
        for (size_t h = 0; h < feed.horizon; ++h) share.micros[h] = Micros(static_cast<double>(total[h]) / 1e6 * part);
        give(share);
      });
    }
  }
}

void BottomUpSums::Encode(ByteWriter* out) const {
  out->U8(kVersion).Varint(horizon_).Varint(sums_.size());
  for (const auto& [partition, by_category] : sums_) {
    out->U16(partition).Varint(by_category.size());
    for (const auto& [category, steps] : by_category) {
      out->Bytes(category);
      for (const int64_t micros : steps) out->SignedVarint(micros);
    }
  }
}

Status BottomUpSums::Decode(std::string_view bytes) {
  sums_.clear();
  ByteReader in(bytes);
  if (const uint8_t version = in.U8(); version != kVersion) {
    return Status(Code::kVersion,
                  fmt::format("sums of forecasts have format {}, this build reads {}", version, kVersion));
  }
  const uint64_t horizon = in.Varint();
  const size_t tasks = in.Count(3);
  for (size_t t = 0; t < tasks; ++t) {
    auto& of_task = sums_[in.U16()];
    const size_t categories = in.Count();
    for (size_t c = 0; c < categories; ++c) {
      Steps& steps = of_task[std::string(in.Bytes())];
      steps.assign(horizon_, 0);
      for (uint64_t h = 0; h < horizon && in.ok(); ++h) {
        const int64_t micros = in.SignedVarint();
        if (h < horizon_) steps[h] = micros;
      }
    }
  }
  return in.Finish("sums of forecasts");
}

}  // namespace tidecast
