#include "engine/app/event_sample.h"

#include <algorithm>
#include <chrono>

namespace tidecast {
namespace {

using namespace std::chrono_literals;

constexpr size_t kShownBytes = 120;
constexpr std::array<Duration, 17> kRoundBounds = {1s, 5s, 10s, 30s, 60s, 5min, 10min, 30min, 1h, 2h, 6h, 12h, 24h, 48h, 168h, 336h, 720h};
constexpr size_t kLeftBehind = 1000;  // one in so many

std::string Shown(std::string_view value) {
  std::string out(value.substr(0, kShownBytes));
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  if (value.size() > kShownBytes) out += fmt::format("... ({} bytes)", value.size());
  return out;
}

}  // namespace

Result<EventSample> EventSample::Make(const InputOptions& input, const std::string& pseudonym_key) {
  TC_ASSIGN_OR_RETURN(auto decoder, EventDecoder::Make(input, 0, pseudonym_key));
  return EventSample(std::move(decoder));
}

void EventSample::Add(const InputRecord& record, const TopicPartition& source, int32_t partitions, const std::string& place) {
  batch_.Clear();
  decoder_->Decode({&record, 1}, source, partitions, 0, batch_);
  ++records_;
  for (const DeadLetter& letter : batch_.dead_letters) {
    Rejects& reason = rejects_[letter.reason];
    if (reason.count++ == 0) reason = {1, place, letter.detail, Shown(letter.value)};
  }
  for (const Event& event : batch_.events) {
    ++decoded_;
    first_ = std::min(first_, event.time);
    last_ = std::max(last_, event.time);
    if (record.record_time.IsFinite() && event.time > record.record_time) ++ahead_of_record_;
    EventTime& newest = newest_.try_emplace(source, EventTime::Min()).first->second;
    if (event.time < newest) lags_.push_back(newest - event.time);
    newest = std::max(newest, event.time);
  }
}

int64_t EventSample::BehindMoreThan(Duration bound) const {
  return std::count_if(lags_.begin(), lags_.end(), [&](Duration lag) { return lag > bound; });
}

Duration EventSample::lag_max() const { return lags_.empty() ? Duration{} : *std::max_element(lags_.begin(), lags_.end()); }

Duration EventSample::SuggestedOutOfOrderness() const {
  if (lags_.empty()) return {};
  const auto tolerated = static_cast<int64_t>(static_cast<size_t>(decoded_) / kLeftBehind);
  for (const Duration bound : kRoundBounds) {
    if (BehindMoreThan(bound) <= tolerated) return bound;
  }
  return kRoundBounds.back();
}

}  // namespace tidecast
