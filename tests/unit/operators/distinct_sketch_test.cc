#include "operators/distinct_sketch.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

TEST(DistinctSketchTest, IsExactUpTo4096AndSaysWhenNot) {
  DistinctSketch sketch;
  for (int pass = 0; pass < 2; ++pass) {
    for (uint64_t i = 1; i <= DistinctSketch::kExactMax; ++i) EXPECT_EQ(sketch.Add(i * 977), pass == 0);
  }
  EXPECT_TRUE(sketch.exact());
  EXPECT_EQ(sketch.Count(), 4096);
  sketch.Add(1);
  EXPECT_FALSE(sketch.exact());
  EXPECT_NEAR(static_cast<double>(sketch.Count()), 4097, 4097 * .05);
}

TEST(DistinctSketchTest, EstimatesWithinFourStandardErrors) {
  DistinctSketch sketch;
  uint64_t n = 0;
  for (const uint64_t until : {5000U, 20000U, 100000U, 1000000U}) {
    for (; n < until; ++n) sketch.Add(Hash64("customer", n));
    EXPECT_NEAR(static_cast<double>(sketch.Count()), static_cast<double>(until), 4 * .0163 * static_cast<double>(until))
        << until;
  }
}

TEST(DistinctSketchTest, MergesLikeOneSetAtEverySize) {
  for (const uint64_t count : {10U, 3000U, 6000U, 40000U}) {
    DistinctSketch a;
    DistinctSketch b;
    DistinctSketch both;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t hash = Hash64("x", i * 2 / 3);
      (i % 2 == 0 ? a : b).Add(hash);
      both.Add(hash);
    }
    a.Merge(b);
    ByteWriter left;
    ByteWriter right;
    a.Encode(left);
    both.Encode(right);
    EXPECT_EQ(left.view(), right.view()) << count;
    EXPECT_EQ(a.Count(), both.Count());
  }
}

TEST(DistinctSketchTest, DecodesWhatItEncodedAndRefusesTheRest) {
  for (const uint64_t count : {0U, 5U, 9000U}) {
    DistinctSketch sketch;
    for (uint64_t i = 0; i < count; ++i) sketch.Add(Hash64("y", i));
    ByteWriter bytes;
    sketch.Encode(bytes);
    DistinctSketch read;
    ByteReader reader(bytes.view());
    ASSERT_TRUE(read.Decode(reader).ok());
    EXPECT_EQ(read.Count(), sketch.Count());
    EXPECT_EQ(read.exact(), sketch.exact());
    if (count == 0) continue;
    ByteReader cut(bytes.view().substr(0, bytes.size() - 1));
    EXPECT_EQ(read.Decode(cut).code(), Code::kCorruption);
  }
  ByteReader other("\x05\x01");
  EXPECT_EQ(DistinctSketch().Decode(other).code(), Code::kVersion);
}

}  // namespace
}  // namespace tidecast
