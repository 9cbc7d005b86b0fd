// Windows that outgrow `state.memory_limit` are told of, once: the limit cannot make them smaller.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/simulation/lab.h"

namespace tidecast::simulation {
namespace {

size_t NotesOnMemory(size_t limit_bytes) {
  Lab lab({.partitions = 2, .series = 400, .days = 5, .orders_a_day = 800});
  lab.adjust = [limit_bytes](EngineOptions& options) {
    options.memory_limit_bytes = limit_bytes;
    options.model_enabled = false;
  };
  Machine& one = lab.Add("i2");
  lab.Start(one);
  EXPECT_TRUE(lab.Run([&] { return one.process->instance().running(); }));
  EXPECT_TRUE(lab.Finish()) << one.ended.message();
  const std::vector<std::string> notes = one.process->instance().TakeNotes();
  return static_cast<size_t>(std::count_if(notes.begin(), notes.end(), [](const std::string& note) {
    return note.find("state.memory_limit") != std::string::npos;
  }));
}

TEST(WindowMemory, WindowsThatOutgrowTheLimitAreToldOfOnce) { EXPECT_EQ(NotesOnMemory(64 << 10), 1U); }

TEST(WindowMemory, WindowsThatFitAreNot) { EXPECT_EQ(NotesOnMemory(1 << 30), 0U); }

}  // namespace
}  // namespace tidecast::simulation
