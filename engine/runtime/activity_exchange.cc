#include "engine/runtime/activity_exchange.h"

#include <algorithm>
#include <charconv>

namespace tidecast {
namespace {

constexpr size_t kRecordsPerRead = 4096;

bool ReadInteger(std::string_view text, int64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

void ActivityExchange::Reset() {
  told_.clear();
  told_active_.clear();
  reader_.reset();
}

void ActivityExchange::Tell(uint16_t partition, EventTime watermark, std::vector<OutputRecord>& outputs) {
  const auto told = told_.find(partition);
  if (watermark == EventTime::Min() || (told != told_.end() && told->second == watermark)) return;
  told_[partition] = watermark;
  OutputRecord& record = outputs.emplace_back();
  record.topic = topic_;
  record.partition = 0;
  record.key = fmt::format("w/{}", partition);
  record.value = fmt::format("{}", watermark.us);
}

void ActivityExchange::TellActive(uint16_t view, EventTime bucket_start, std::vector<OutputRecord>& outputs) {
  if (!told_active_.insert({view, bucket_start}).second) return;
  OutputRecord& record = outputs.emplace_back();
  record.topic = topic_;
  record.partition = 0;
  record.key = fmt::format("a/{}/{}", view, bucket_start.us);
  record.value = std::string(1, '1');
}

Result<bool> ActivityExchange::Read(ActivityTable& table) {
  if (!reader_) {
    TC_ASSIGN_OR_RETURN(reader_, transport_.OpenReader({topic_, 0}, -2, true));
    batch_ = reader_->MakeBatch();
  }
  batch_->Clear();
  TC_RETURN_IF_ERROR(reader_->Read(*batch_, kRecordsPerRead, 0).status());
  for (const InputRecord& record : batch_->records()) {
    int64_t number = 0;
    int64_t value = 0;
    if (record.key.starts_with("w/") && ReadInteger(record.key.substr(2), &number) && ReadInteger(record.value, &value)) {
      EventTime& watermark = watermarks_[static_cast<uint16_t>(number)];
      watermark = std::max(watermark, EventTime{value});
    } else if (record.key.starts_with("a/")) {
      const size_t slash = record.key.find('/', 2);
      if (slash != std::string_view::npos && ReadInteger(record.key.substr(2, slash - 2), &number) && ReadInteger(record.key.substr(slash + 1), &value)) {
        table.ReportForeign(static_cast<uint16_t>(number), EventTime{value});
      }
    }
  }
  return !batch_->records().empty();
}

EventTime ActivityExchange::LeastForeign(int32_t count, const std::vector<uint16_t>& own) const {
  EventTime least = EventTime::Max();
  for (int32_t p = 0; p < count; ++p) {
    if (std::find(own.begin(), own.end(), static_cast<uint16_t>(p)) != own.end()) continue;
    const auto told = watermarks_.find(static_cast<uint16_t>(p));
    least = std::min(least, told == watermarks_.end() ? EventTime::Min() : told->second);
  }
  return least;
}

}  // namespace tidecast
