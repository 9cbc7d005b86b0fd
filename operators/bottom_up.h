#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/bucket_context.h"
#include "operators/key_split.h"
#include "operators/view_options.h"
#include "state/key_codec.h"

namespace tidecast {

/// Means of forecasts, summed over those series of one task that belong to a rollup's key: what a round sends there.
struct BottomUpShare {
  uint16_t view = 0;            ///< the rollup's
  uint16_t upstream = 0;        ///< partition of the task whose series they are
  std::string_view key;         ///< of the rollup's series
  EventTime start;              ///< of the cutoff's bucket
  EventTime end;                ///< of the cutoff's bucket
  EventTime until;              ///< end of the last step: from there on it says nothing
  std::vector<int64_t> micros;  ///< [horizon], millionths of a unit
};

/// The view whose means add up to those of a rollup view: the first one of single series that is forecast over the same
/// buckets at least as far ahead, has a row of each series in each bucket, and the same target, a sum or a count.
std::optional<uint16_t> BottomUpSource(std::span<const ViewOptions> views, uint16_t rollup);

/// Gathers one round's means by task and, where a rollup goes by category, by that. Sums are fixed point, so that they
/// do not depend on the order. Thread: confined.
class BottomUpSums {
 public:
  /// A rollup view that is summed up to.
  struct Feed {
    uint16_t view = 0;
    GroupBy group_by = GroupBy::kAll;
    size_t horizon = 0;  ///< of the rollup; at most that of the series
  };
  explicit BottomUpSums(std::vector<Feed> feeds);

  const std::vector<Feed>& feeds() const { return feeds_; }
  /// `mean`: [horizon of the series], as published. An empty category: none is told.
  void Add(uint16_t partition, std::string_view category, std::span<const float> mean);
  /// What the round has for the rollups, by (view, task, key). `splits`: by view, of those that go by country.
  void Give(const BucketContext& context, const std::map<uint16_t, KeySplit>& splits,
            const std::function<void(const BottomUpShare&)>& give) const;

  bool empty() const { return sums_.empty(); }
  void Clear() { sums_.clear(); }
  /// A round may be cut: what it has gathered so far (state/FORMAT.md 7, `f6`).
  void Encode(ByteWriter* out) const;
  Status Decode(std::string_view bytes);

 private:
  using Steps = std::vector<int64_t>;
  std::vector<Feed> feeds_;
  size_t horizon_ = 0;  ///< the greatest of the feeds
  bool by_category_ = false;
  /// By task, then by category; without `by_category_` all is under "".
  std::map<uint16_t, std::map<std::string, Steps, std::less<>>> sums_;
};

}  // namespace tidecast
