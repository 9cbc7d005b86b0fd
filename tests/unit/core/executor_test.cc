#include "engine/core/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

namespace tidecast {
namespace {

TEST(ExecutorTest, EachPieceRunsOnceWhateverTheNumberOfThreads) {
  for (const size_t threads : {0, 1, 2, 5}) {
    SCOPED_TRACE(threads);
    const auto executor = MakeExecutor(threads);
    EXPECT_EQ(executor->threads(), std::max<size_t>(threads, 1));
    for (const size_t pieces : {0, 1, 2, 7, 100}) {
      std::vector<std::atomic<int>> runs(pieces);
      executor->ParallelFor(pieces, [&](size_t piece) { ++runs[piece]; });
      for (const auto& run : runs) EXPECT_EQ(run, 1);
    }
  }
}

TEST(UsableCoresTest, AContainersShareIsALimit) {
  const size_t cores = UsableCores("max 100000\n");
  EXPECT_GE(cores, 1U);
  EXPECT_EQ(UsableCores("100000 100000\n"), 1U);
  EXPECT_EQ(UsableCores("50000 100000\n"), 1U) << "half a core";
  EXPECT_EQ(UsableCores("150000 100000\n"), std::min<size_t>(cores, 2));
  EXPECT_EQ(UsableCores("99900000 100000\n"), cores) << "no more than there are";
}

TEST(UsableCoresTest, WithoutALimitAllThatThereAre) {
  const size_t cores = UsableCores("max 100000\n");
  for (const char* const unreadable : {"", "max", "100000", "100000 ", "100000 0", "-1 100000", "a b"}) {
    SCOPED_TRACE(unreadable);
    EXPECT_EQ(UsableCores(unreadable), cores);
  }
  EXPECT_LE(UsableCores(), cores);
}

}  // namespace
}  // namespace tidecast
