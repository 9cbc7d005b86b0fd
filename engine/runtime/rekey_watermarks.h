#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/runtime/rekey_records.h"
#include "engine/runtime/stage_task.h"

namespace tidecast {

/// Tells the further stages how far the series tasks of this instance have come: in each epoch in which one moved, one
/// record to every partition of each rekey topic, behind what these tasks have sent there. What was told is not state:
/// after a restore it is told again. Thread: confined.
class RekeyWatermarks {
 public:
  RekeyWatermarks(std::vector<std::string> topics, int32_t partitions)
      : topics_(std::move(topics)), partitions_(partitions) {}

  bool HasTopic(const std::string& topic) const { return std::find(topics_.begin(), topics_.end(), topic) != topics_.end(); }
  /// Says all anew.
  void Reset() {
    told_.clear();
    committed_.clear();
  }
  /// What was told last is committed, or was dropped.
  void OnCommitted() { committed_ = told_; }
  void RollBack() { told_ = committed_; }
  /// `up_to`: no task is told to be further than that.
  bool HasNews(const std::vector<std::unique_ptr<StageTask>>& tasks, EventTime up_to) const { return !News(tasks, up_to).empty(); }
  void Tell(const std::vector<std::unique_ptr<StageTask>>& tasks, EventTime up_to, std::vector<OutputRecord>& outputs);

 private:
  std::vector<UpstreamWatermark> News(const std::vector<std::unique_ptr<StageTask>>& tasks, EventTime up_to) const;

  std::vector<std::string> topics_;
  int32_t partitions_;
  std::map<uint16_t, UpstreamWatermark> told_;
  std::map<uint16_t, UpstreamWatermark> committed_;
};

}  // namespace tidecast
