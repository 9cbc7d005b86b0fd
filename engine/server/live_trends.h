#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace tidecast {

/// The newest trend of each series (topic <ns>.trends), ordered by how likely its demand rises. Bounded: once
/// `series_max` are there, those that say least (nearest to even odds) go first.  Thread: safe.
class LiveTrends {
 public:
  explicit LiveTrends(size_t series_max) : series_max_(series_max) {}

  /// `value`: JSON of the record (config/schemas/trend.schema.json). What is no trend is left out.
  void OnTrend(const std::string& series, std::string_view value);
  void Erase(const std::string& series);

  /// {items: [{series, rank, trend}], total}; `phase`: "" = all. Rank 1: the likeliest rise of all series that are
  /// kept. `from_the_end`: likeliest fall first.
  std::string ListJson(std::string_view phase, bool from_the_end, size_t limit) const;
  /// {rising: [...], fading: [...]}, `limit` of each, rows as in ListJson.
  std::string BoardJson(size_t limit) const;
  /// Whether anything came since the last call.
  bool TakeChanged();

 private:
  struct Row {
    std::string json;
    std::string phase;
    double rise = .5;
    double gain = 0;  ///< expected - last
  };
  /// By rise, then gain, then name.
  std::vector<const std::map<std::string, Row>::value_type*> Ranked() const;

  const size_t series_max_;
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, Row> rows_;
  bool changed_ = false;
};

}  // namespace tidecast
