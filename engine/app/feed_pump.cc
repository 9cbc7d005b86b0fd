#include "engine/app/feed_pump.h"

#include <charconv>

namespace tidecast {

Result<ReplaySpeed> ParseReplaySpeed(std::string_view text) {
  if (text == "max") return ReplaySpeed{};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  double seconds = 0;
  if (unit == "x") seconds = 1;
  if (unit == "m/s") seconds = 60;
  if (unit == "h/s") seconds = 3600;
  if (unit == "d/s") seconds = 86400;
  if (error != std::errc{} || seconds == 0 || !(number > 0)) {
    return Status(Code::kUsage, fmt::format("not a replay speed: {}", text), Domain::kInput)
        .WithRemedy("use max, a factor such as 60x, or event time a second such as 2d/s");
  }
  return ReplaySpeed{number * seconds};
}

Result<FeedPump> FeedPump::Make(std::unique_ptr<FileFeeder> feeder, std::vector<std::string> topics, std::vector<int64_t> fed, Append append) {
  for (size_t file = 0; file < fed.size(); ++file) TC_RETURN_IF_ERROR(feeder->Skip(file, fed[file]));
  return FeedPump(std::move(feeder), std::move(topics), std::move(fed), std::move(append));
}

Result<size_t> FeedPump::Pump(size_t records_max, EventTime up_to) {
  batch_.clear();
  size_t used = 0;
  while (batch_.size() < records_max) {
    if (used == waiting_.size()) {
      waiting_.clear();
      used = 0;
      if (ended_) break;
      TC_ASSIGN_OR_RETURN(const bool more, feeder_->Next(records_max, [&](const FeedRecord& record) {
        OutputRecord out;
        out.topic = topics_[record.input];
        out.key = std::string(record.key);
        out.value = std::string(record.value);
        out.record_time = record.time;
        waiting_.push_back({record.time, record.input, std::move(out)});
      }));
      ended_ = !more;
      if (waiting_.empty()) break;
    }
    Waiting& next = waiting_[used];
    if (next.time > up_to) break;
    newest_ = std::max(newest_, next.time);
    batch_.push_back(std::move(next.record));
    ++fed_[next.file];
    ++used;
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(used));
  if (!batch_.empty()) TC_RETURN_IF_ERROR(append_(batch_, fed_));
  return batch_.size();
}

}  // namespace tidecast
