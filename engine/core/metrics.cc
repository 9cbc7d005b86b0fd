#include "engine/core/metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/core/check.h"

namespace tidecast {
namespace {

std::string RenderLabels(const MetricRegistry::Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name + "=\"";
    for (char c : value) {
      if (c == '\\' || c == '"') out += '\\';
      if (c == '\n') {
        out += "\\n";
      } else {
        out += c;
      }
    }
    out += '"';
  }
  return out;
}

std::string WithLabels(std::string_view name, std::string_view labels) {
  return labels.empty() ? std::string(name) : fmt::format("{}{{{}}}", name, labels);
}

}  // namespace

void Histogram::Observe(double value) {
  const size_t i = static_cast<size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin());
  counts_[i].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

double Histogram::QuantileBound(double q) const {
  uint64_t total = 0;
  for (const auto& c : counts_) total += c.load(std::memory_order_relaxed);
  if (total == 0) return 0;
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += count(i);
    if (static_cast<double>(seen) >= q * static_cast<double>(total)) return i < bounds_.size() ? bounds_[i] : bounds_.back();
  }
  return bounds_.back();
}

Metric& MetricRegistry::Counter(std::string_view name, std::string_view help, const Labels& labels) {
  std::lock_guard lock(mutex_);
  FamilyRow& row = families_[std::string(name)];
  if (row.type.empty()) row = {std::string(help), "counter", {}, {}};
  Metric*& metric = row.metrics[RenderLabels(labels)];
  if (metric == nullptr) metric = &metrics_.emplace_back();
  return *metric;
}

Metric& MetricRegistry::Gauge(std::string_view name, std::string_view help, const Labels& labels) {
  Metric& metric = Counter(name, help, labels);
  std::lock_guard lock(mutex_);
  families_.find(name)->second.type = "gauge";
  return metric;
}

Histogram& MetricRegistry::Distribution(std::string_view name, std::string_view help, std::vector<double> bounds, const Labels& labels) {
  TC_CHECK(!bounds.empty());
  std::lock_guard lock(mutex_);
  FamilyRow& row = families_[std::string(name)];
  if (row.type.empty()) row = {std::string(help), "histogram", {}, {}};
  Histogram*& histogram = row.histograms[RenderLabels(labels)];
  if (histogram == nullptr) histogram = &histograms_.emplace_back(std::move(bounds));
  return *histogram;
}

double MetricRegistry::Value(std::string_view name, const Labels& labels) const {
  std::lock_guard lock(mutex_);
  const auto family = families_.find(name);
  if (family == families_.end()) return 0;
  const auto metric = family->second.metrics.find(RenderLabels(labels));
  return metric == family->second.metrics.end() ? 0 : metric->second->value();
}

std::string MetricRegistry::Render() const {
  std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, row] : families_) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, row.help, name, row.type);
    for (const auto& [labels, metric] : row.metrics) out += fmt::format("{} {}\n", WithLabels(name, labels), metric->value());
    for (const auto& [labels, histogram] : row.histograms) {
      uint64_t seen = 0;
      const std::string comma = labels.empty() ? "" : labels + ",";
      for (size_t i = 0; i <= histogram->bounds().size(); ++i) {
        seen += histogram->count(i);
        const std::string bound = i < histogram->bounds().size() ? fmt::format("{}", histogram->bounds()[i]) : "+Inf";
        out += fmt::format("{}_bucket{{{}le=\"{}\"}} {}\n", name, comma, bound, seen);
      }
      out += fmt::format("{} {}\n{} {}\n", WithLabels(name + "_sum", labels), histogram->sum(), WithLabels(name + "_count", labels), seen);
    }
  }
  return out;
}

}  // namespace tidecast
