// A changelog partition of rows and commit records, as a broker may hand it out: the restorer and then the task read it
// or refuse it in words; what the task stood at is what it saves.
#include <array>
#include <map>
#include <vector>

#include "engine/core/check.h"
#include "engine/runtime/changelog_restorer.h"
#include "engine/runtime/series_task.h"
#include "engine/runtime/task_plan.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/unit/runtime/scripted_transport.h"

namespace tidecast {
namespace {

constexpr TaskId kTask{Stage::kSeries, 0};

std::unique_ptr<TaskPlan> MakePlan() {
  EngineOptions options;
  options.name_space = "shop";
  InputOptions orders;
  orders.name = "orders";
  orders.topic = "shop.orders";
  options.inputs = {orders};
  ViewOptions view;
  FeatureOptions units;
  units.name = "units";
  units.input = "orders";
  units.aggregate = Aggregate::kSum;
  view.features = {units};
  options.views = {view};
  Result<std::unique_ptr<TaskPlan>> plan = TaskPlan::Make(options, true, false);
  TC_CHECK(plan.ok(), "{}", plan.status().message());
  return std::move(plan).value();
}

// A row as the committer writes it, of which the input may change each part; the commit record's hash is often right.
void AddRows(FuzzInput& input, std::vector<OutputRecord>* log) {
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> so_far;  // by seq: rows and hash
  uint64_t tip = 0;
  while (!input.empty() && log->size() < 128) {
    const uint8_t bits = input.U8();
    OutputRecord record;
    const auto family = static_cast<Family>((bits & 1) != 0 ? Family::kMeta : Family::kPanes);
    const uint64_t seq = input.U8();
    const bool commit = (bits & 2) != 0;
    const std::string own(commit ? std::string_view("commit") : input.Text());
    const std::string value(input.LongText());
    const std::string key = TaskPrefix(kTask) + own;
    record.key = std::string(1, static_cast<char>(commit ? Family::kMeta : family)) + key;
    if ((bits & 4) == 0) record.value = value;
    record.headers = {{"seq", std::to_string(seq)}, {"ordinal", "0"}, {"by", "i1/1"}};
    auto& [rows, hash] = so_far[seq];
    if (commit) {
      record.headers.push_back({"format", std::to_string(kChangelogFormat)});
      record.headers.push_back({"prev", std::to_string(tip)});
      record.headers.push_back({"prev_age", "0"});
      record.headers.push_back({"base", "0"});
      tip = seq;
      record.headers.push_back({"rows", std::to_string(rows + ((bits & 8) != 0 ? 1 : 0))});
      record.headers.push_back({"hash", std::to_string(hash + ((bits & 16) != 0 ? 1 : 0))});
    } else {
      ++rows;
      hash = FoldRowHash(hash, family, key, record.value ? value : std::string(), !record.value);
    }
    if ((bits & 32) != 0) record.headers[input.Below(record.headers.size())].value = input.Text();
    if ((bits & 64) != 0) record.key = input.Text();
    log->push_back(std::move(record));
  }
}

Status Restore(testing::ScriptedTransport& transport, StateStore& store) {
  const ManualClock clock(ProcessingTime{1});
  ChangelogRestorer restorer(transport, store, {"shop.changelog.series", "shop.changelog.model", 0, "i1"}, clock);
  restorer.Start({0});
  for (;;) {
    TC_ASSIGN_OR_RETURN(const bool done, restorer.Step(0));
    if (done) return restorer.findings().at(0).stopped;
  }
}

void Fuzz(FuzzInput input) {
  static const std::unique_ptr<TaskPlan> plan = MakePlan();
  testing::ScriptedTransport transport;
  AddRows(input, &transport.logs[{"shop.changelog.series", 0}]);
  const std::unique_ptr<StateStore> store = MakeMemoryStore();
  if (!Restore(transport, *store).ok()) return;

  const std::array<SeriesTask::Input, 1> inputs = {{{0, 1}}};
  Result<std::unique_ptr<SeriesTask>> task = SeriesTask::Make(0, *plan, inputs);
  TC_CHECK(task.ok(), "{}", task.status().message());
  if (const Status loaded = (*task)->Reload(*store); !loaded.ok()) {
    TC_CHECK(!loaded.message().empty());
    return;
  }
  const int64_t position = (*task)->position(0).next_offset;
  const EventTime watermark = (*task)->watermark();
  StateBatch saved;
  (*task)->Save(1, 1, saved);
  TC_CHECK(store->Write(saved).ok());
  const Status again = (*task)->Reload(*store);
  TC_CHECK(again.ok(), "what was saved is not read: {}", again.message());
  TC_CHECK_EQ((*task)->position(0).next_offset, position);
  TC_CHECK_EQ((*task)->watermark().us, watermark.us);
}

std::string LongText(std::string_view text) {
  return std::string{static_cast<char>(text.size() >> 8), static_cast<char>(text.size())} + std::string(text);
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  const std::unique_ptr<TaskPlan> plan = MakePlan();
  const std::array<SeriesTask::Input, 1> inputs = {{{0, 1}}};
  const std::unique_ptr<SeriesTask> task = std::move(SeriesTask::Make(0, *plan, inputs)).value();
  StateBatch saved;
  task->Save(1, 1, saved);
  std::string record;
  for (const StateBatch::Row& row : saved.rows()) {
    if (IsCommitRecordKey(row.family, row.key)) record = row.value;
  }
  const std::string row = std::string("\0\1\2ab", 5) + LongText("value");
  const std::string commit = std::string("\3\1", 2) + LongText(record);
  return {commit, row + commit, row + row + commit + std::string("\3\2", 2) + LongText(record),
          std::string("\x23\1", 2) + LongText(record) + "\1\1x", std::string("\x0b\1", 2) + LongText(record)};
}

}  // namespace tidecast

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidecast::Fuzz({data, size});
  return 0;
}
