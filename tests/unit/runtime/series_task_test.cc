#include "engine/runtime/series_task.h"

#include <gtest/gtest.h>

#include "tests/unit/runtime/scripted_transport.h"
#include "tests/unit/runtime/units_a_day.h"

namespace tidecast {
namespace {

using testing::ScriptedTransport;
using testing::VectorBatch;

class Quiet final : public ActivityBoard {
 public:
  Answer Ask(uint16_t, EventTime, EventTime) const override { return Answer::kActive; }
};

/// The counts of a task that has read one order with CloudEvents headers.
EventCounts CountsOfOneOrder(TimeSource time_source) {
  EngineOptions options = testing::UnitsADay();
  options.model_enabled = false;
  options.inputs[0].time_source = time_source;
  options.inputs[0].key_check = false;
  const std::unique_ptr<TaskPlan> plan = testing::MakePlan(std::move(options));
  const std::unique_ptr<StateStore> store = MakeMemoryStore();
  const std::vector<SeriesTask::Input> inputs = {{0, 1}};
  std::unique_ptr<SeriesTask> task = SeriesTask::Make(0, *plan, inputs).value();
  TC_CHECK(task->Reload(*store).ok());
  ScriptedTransport transport;
  const OutputRecord order{.topic = "shop.orders",
                           .key = "apple",
                           .value = R"({"sku":"apple","ts":"2010-12-02T08:26:00Z","quantity":1,"order_id":"1"})",
                           .headers = {{"ce_time", "2010-12-01T08:26:00Z"}}};
  static_cast<VectorBatch&>(task->PrepareBatch(0, transport)).Add(0, order);
  task->OnPolled(0, {.at_end = true, .next_offset = 1}, {});
  TaskStepOutput out;
  task->Process(Quiet(), 1 << 20, out);
  return task->counts();
}

TEST(SeriesTaskTest, HeadersAreThereForAnInputWhoseTimeIsInThem) {
  EXPECT_EQ(CountsOfOneOrder(TimeSource::kCeTime).dead_lettered, 0);
  EXPECT_EQ(CountsOfOneOrder(TimeSource::kCeTime).events_accepted, 1);
  EXPECT_EQ(CountsOfOneOrder(TimeSource::kField).events_accepted, 1) << "its batch leaves them out";
}

}  // namespace
}  // namespace tidecast
