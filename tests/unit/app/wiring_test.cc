#include "engine/app/wiring.h"

#include <gtest/gtest.h>

namespace tidecast {
namespace {

EngineOptions WithMemory(size_t bytes) {
  EngineOptions options;
  options.memory_limit_bytes = bytes;
  options.epoch_bytes_max = 0;
  return options;
}

TEST(WiringTest, AnEpochIsAShareOfTheMemoryLimitWithinBounds) {
  EXPECT_EQ(EpochBytesMax(WithMemory(256ULL << 20)), 16ULL << 20);
  EXPECT_EQ(EpochBytesMax(WithMemory(64ULL << 20)), 4ULL << 20);
  EXPECT_EQ(EpochBytesMax(WithMemory(8ULL << 20)), 1ULL << 20);
  EXPECT_EQ(EpochBytesMax(WithMemory(64ULL << 30)), 32ULL << 20);
}

TEST(WiringTest, AnEpochThatTheConfigSetsStays) {
  EngineOptions options = WithMemory(512ULL << 20);
  options.epoch_bytes_max = 64 << 10;
  EXPECT_EQ(EpochBytesMax(options), 64U << 10);
}

}  // namespace
}  // namespace tidecast
