#include "tests/simulation/aborting_run.h"

#include "engine/runtime/changelog_notes.h"
#include "tests/simulation/engine_process.h"
#include "tests/simulation/oracle.h"

namespace tidecast::simulation {

ShopRun RunShop(const Shop& shop, bool aborts) {
  ManualClock clock{ProcessingTime{ShopStart().us}};
  SimulatedBroker broker(clock);
  CreateInputTopics(shop, broker);
  broker.Feed(shop.records);
  AbortingWire wire(aborts);
  const auto disk = std::make_shared<Disk>();
  EngineOptions options = shop.options;
  options.commit_interval = Duration{};
  EngineProcess engine(options, {broker, clock, wire, disk, {}, nullptr});
  TC_CHECK(engine.Start().ok());
  bool bounded = false;
  std::vector<std::string> notes;
  for (int steps = 0;; ++steps) {
    TC_CHECK(steps < 1'000'000, "the engine does not come to its end");
    if (!bounded && engine.instance().running()) {
      TC_CHECK(engine.instance().FinishAtEnd().ok());
      bounded = true;
    }
    const auto progress = engine.Step();
    TC_CHECK(progress.ok(), "{}", progress.status().message());
    for (std::string& note : engine.instance().TakeNotes()) notes.push_back(std::move(note));
    clock.Advance(std::chrono::milliseconds(1));
    if (*progress == Instance::Progress::kFinished) break;
  }
  ShopRun run;
  std::vector<std::string> except = shop.input_topics;
  for (const std::string& topic : InternalTopics()) except.push_back(topic);
  std::map<std::pair<TopicPartition, std::string>, std::vector<std::string>> by_key;
  for (const auto& [tp, records] : ReadCommitted(broker, except)) {
    for (const OutputRecord& record : records) {
      // Told once an epoch, so how often is a matter of the epochs; the newest word on each key is not.
      if (tp.topic == "shop.activity") {
        run.activity[record.key] = record.value.value_or("");
      } else {
        run.outputs.push_back(record);
        by_key[{tp, record.key}].push_back(TextOf(record));
      }
    }
  }
  for (auto& [key, texts] : by_key) {
    for (std::string& text : texts) run.records.push_back(std::move(text));
  }
  // Left out: commit records (they name the epoch's number, which an abort uses up), how far a changelog was read, and
  // the further stages: how their watermark comes in steps, and so what they have let go, is a matter of the epochs.
  run.state = DumpRows(disk->rows(), [](Family family, std::string_view key) {
    const auto stage = static_cast<Stage>(key[0]);
    return IsCommitRecordKey(family, key) || stage == Stage::kRollup || stage == Stage::kActor ||
           IsLocalNote(family, key);
  });
  run.commits = wire.commits;
  run.aborted = wire.aborted;
  run.counts = engine.instance().counts();
  run.notes = std::move(notes);
  return run;
}

}  // namespace tidecast::simulation
