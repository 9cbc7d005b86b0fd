#include "engine/runtime/rekey_watermarks.h"

namespace tidecast {

std::vector<UpstreamWatermark> RekeyWatermarks::News(const std::vector<std::unique_ptr<StageTask>>& tasks,
                                                     EventTime up_to) const {
  std::vector<UpstreamWatermark> news;
  for (const auto& task : tasks) {
    if (task->id().stage != Stage::kSeries) continue;
    const auto told = told_.find(task->id().partition);
    UpstreamWatermark now{task->id().partition, task->closed_up_to(), task->idle(), EventTime::Min()};
    // A revision that waits belongs to a bucket that its readers may let go at the watermark: it must go first.
    if (task->windows().has_revisions())
      now.watermark = told == told_.end() ? EventTime::Min() : told->second.watermark;
    // Neither further nor idle, as long as something of it is to go first.
    if (up_to < now.watermark) {
      now.watermark = up_to;
      now.idle = false;
    }
    if (now.watermark == EventTime::Max()) now.newest_event = task->newest_event();
    const bool is_new = told == told_.end() ? now.watermark != EventTime::Min() || now.idle : now != told->second;
    if (is_new) news.push_back(now);
  }
  return news;
}

void RekeyWatermarks::Tell(const std::vector<std::unique_ptr<StageTask>>& tasks, EventTime up_to,
                           std::vector<OutputRecord>& outputs) {
  const std::vector<UpstreamWatermark> news = News(tasks, up_to);
  if (news.empty()) return;
  for (const UpstreamWatermark& one : news) told_[one.upstream] = one;
  for (const std::string& topic : topics_) {
    for (int32_t p = 0; p < partitions_; ++p) outputs.push_back(WatermarksRecord(topic, p, news));
  }
}

}  // namespace tidecast
