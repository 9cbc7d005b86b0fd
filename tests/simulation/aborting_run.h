#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/runtime/series_task.h"
#include "tests/simulation/shop.h"
#include "tests/simulation/wire.h"

namespace tidecast::simulation {

/// Takes in a few records at a time, so that there are many batches; aborts the first try of each commit.
class AbortingWire final : public Wire {
 public:
  explicit AbortingWire(bool aborts) : aborts_(aborts) {}
  CommitFate OnCommit() override {
    ++commits;
    if (!aborts_ || commits % 2 == 0) return {};
    ++aborted;
    return {.told = Outcome::kAbortable, .happens = false};
  }
  size_t Fetched(const TopicPartition&, size_t) override { return 7; }
  int commits = 0;
  int aborted = 0;

 private:
  bool aborts_;
};

/// What a run of the whole engine over all of a shop's records has left.
struct ShopRun {
  std::vector<OutputRecord> outputs;  ///< of all output topics, read_committed
  std::vector<std::string> records;   ///< the same as text, by key: records of two stages may meet in any order
  std::map<std::string, std::string> activity;  ///< what instances tell each other, folded
  std::string state;
  int commits = 0;
  int aborted = 0;
  EventCounts counts;
  std::vector<std::string> notes;  ///< what the engine had to tell
};

/// Runs one instance over the shop's records, all in the topics from the start, to their end; with `aborts` every
/// transaction is aborted once before it is committed.
ShopRun RunShop(const Shop& shop, bool aborts);

}  // namespace tidecast::simulation
