#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace tidecast {

/// A number that goes up, or up and down. One cache line each, so that threads do not disturb one another.
/// Thread: safe.
class alignas(64) Metric {
 public:
  void Add(double by) { value_.fetch_add(by, std::memory_order_relaxed); }
  void Set(double to) { value_.store(to, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// Counts observations into fixed buckets (upper bounds, seconds or bytes).
/// Thread: safe.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void Observe(double value);
  const std::vector<double>& bounds() const { return bounds_; }
  uint64_t count(size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
  double sum() const { return sum_.load(std::memory_order_relaxed); }
  /// Upper bound of the bucket that holds quantile q of what was observed; 0 when nothing was.
  double QuantileBound(double q) const;

 private:
  std::vector<double> bounds_;
  std::deque<std::atomic<uint64_t>> counts_;
  std::atomic<double> sum_{0};
};

/// The process's metrics by name and labels (`tidecast_*`, base units, `_total` for counters; never a label per series).
/// References stay valid for the registry's life. Thread: safe; look up once, keep the reference.
class MetricRegistry {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;
  Metric& Counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Metric& Gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& Distribution(std::string_view name, std::string_view help, std::vector<double> bounds, const Labels& labels = {});
  /// Value of a counter or gauge; 0 when it does not exist.
  double Value(std::string_view name, const Labels& labels = {}) const;
  /// Prometheus text format 0.0.4.
  std::string Render() const;

 private:
  struct FamilyRow {
    std::string help;
    std::string type;
    std::map<std::string, Metric*> metrics;        // by rendered labels
    std::map<std::string, Histogram*> histograms;
  };
  mutable std::mutex mutex_;  // guards the maps, not the values
  std::map<std::string, FamilyRow, std::less<>> families_;
  std::deque<Metric> metrics_;
  std::deque<Histogram> histograms_;
};

}  // namespace tidecast
