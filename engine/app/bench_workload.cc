#include "engine/app/bench_workload.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr int64_t kBaseMillis = 1'795'219'200'000;  // 2026-11-21T00:00:00Z
constexpr int64_t kClicksPerOrder = 10;

}  // namespace

BenchWorkload::BenchWorkload(Options options) : options_(std::move(options)) {
  double sum = 0;
  for (uint32_t rank = 0; rank < options_.skus; ++rank) {
    sum += 1.0 / (rank + 1);
    cumulative_.push_back(sum);
    names_.push_back(fmt::format("SKU-{:05}", Mix64(rank) % 100'000'000));
  }
  for (double& c : cumulative_) c /= sum;
}

double BenchWorkload::Uniform() { return UniformAt(options_.seed, 0, static_cast<int64_t>(counter_++)); }

uint32_t BenchWorkload::PickSku() {
  const auto at = std::lower_bound(cumulative_.begin(), cumulative_.end(), Uniform());
  return static_cast<uint32_t>(std::min<size_t>(static_cast<size_t>(at - cumulative_.begin()), options_.skus - 1));
}

bool BenchWorkload::Next(size_t records_max, std::vector<OutputRecord>* out) {
  out->clear();
  for (; out->size() < records_max && next_ < options_.events; ++next_) {
    const uint32_t sku = PickSku();
    const int64_t clock_ms = kBaseMillis + next_ * options_.span_seconds * 1000 / options_.events;
    const int64_t jitter_ms = Uniform() < .05 ? static_cast<int64_t>(Uniform() * 10'000) : 0;
    const int64_t ts = std::max(kBaseMillis, clock_ms - jitter_ms);
    OutputRecord record;
    record.key = names_[sku];
    record.partition = PartitionOf(record.key, options_.partitions);
    record.record_time = EventTime::FromMillis(ts);
    const auto customer = static_cast<int64_t>(Uniform() * 200'000);
    if (next_ % (kClicksPerOrder + 1) == 0) {
      record.topic = options_.name_space + ".orders";
      record.value = fmt::format(
          R"j({{"order_id":"o-{:012}","line":{},"sku":"{}","ts":{},"quantity":{},"unit_price":{}.{:02},"customer_id":"c-{:06}","channel":"web","country":"United Kingdom","note":"a line of an order as shops send it"}})j",
          next_, next_ % 7, record.key, ts, 1 + static_cast<int>(Uniform() * 12), 1 + sku % 190, sku % 100, customer);
    } else {
      const char* action = Uniform() < .8 ? "view" : "cart";
      record.topic = options_.name_space + ".clicks";
      record.value = fmt::format(
          R"j({{"event_id":"e-{:012}","session_id":"s-{:08}","sku":"{}","ts":{},"action":"{}","customer_id":"c-{:06}","page":"/product/{}","agent":"Mozilla/5.0 (X11; Linux x86_64)"}})j",
          next_, customer * 3 + next_ % 3, record.key, ts, action, customer, record.key);
    }
    out->push_back(std::move(record));
  }
  return !out->empty();
}

}  // namespace tidecast
