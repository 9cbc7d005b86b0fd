#include "tests/simulation/aborting_run.h"

#include "engine/runtime/epoch_committer.h"
#include "tests/simulation/engine_process.h"

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
  except.insert(except.end(), {"shop.changelog.series", "shop.changelog.model"});
  for (const auto& [tp, records] : ReadCommitted(broker, except)) {
    for (const OutputRecord& record : records) {
      // Told once an epoch, so how often is a matter of the epochs; the newest word on each key is not.
      if (tp.topic == "shop.activity") {
        run.activity[record.key] = record.value.value_or("");
      } else {
        run.outputs.push_back(record);
        run.records.push_back(TextOf(record));
      }
    }
  }
  // Left out: commit records (they name the epoch's number, which an abort uses up) and how far a changelog was read.
  run.state = DumpRows(disk->rows(), [](Family family, std::string_view key) {
    return IsCommitRecordKey(family, key) ||
           (family == Family::kMeta && key.size() > 3 && static_cast<unsigned char>(key[3]) == 0xF7);
  });
  run.commits = wire.commits;
  run.aborted = wire.aborted;
  run.counts = engine.instance().counts();
  run.notes = std::move(notes);
  return run;
}

}  // namespace tidecast::simulation
