#include <limits>

#include "tests/unit/torch/net_fixture.h"

namespace tidecast {
namespace {

using Fixture = NetFixture;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Shapes that the contract must hold for: one and two layers, widths that leave a remainder in every loop; each kind.
std::vector<NetShape> Shapes() {
  NetShape one = Fixture::SmallOptions().shape;
  NetShape two = one;
  two.layers = 2;
  NetShape odd = one;
  odd.layers = 2;
  odd.hidden = 24;
  odd.inputs = 11;
  odd.known = 0;
  odd.statics = 0;
  odd.id_width = 3;
  std::vector<NetShape> shapes{one, two, odd, Fixture::SmallOptions(kMlp).shape};
  for (const NetCase& kind : {kGru, kTcn, kAttention}) {
    shapes.push_back(Fixture::SmallOptions(kind).shape);
    odd.encoder = kind.encoder;
    odd.layers = CarriesState(odd) ? 2 : 1;
    shapes.push_back(odd);
  }
  return shapes;
}

class NetKindTest : public testing::TestWithParam<NetCase> {
 protected:
  static NetOptions Options() { return Fixture::SmallOptions(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Kinds, NetKindTest, testing::Values(kLstm, kGru, kTcn, kAttention), NameOfCase);

TEST(NetLearningTest, StartsEqualToTheBaseToTheBit) {
  for (const NetShape& shape : Shapes()) {
    NetOptions options = Fixture::SmallOptions();
    options.shape = shape;
    const auto net = Fixture::Make(options);
    const NetBatch batch = Fixture::MakeBatch(shape, 53, 3);
    EXPECT_EQ(Fixture::Forecast(*net, batch), Fixture::NewestBase(batch));
    const NetLoss loss = net->Evaluate(batch);
    EXPECT_EQ(loss.loss, loss.base_loss);
  }
}

TEST(NetLearningTest, LearnsASimpleSignal) {
  NetOptions options = Fixture::SmallOptions();
  options.learning_rate = 3e-3;
  const auto net = Fixture::Make(options);
  for (uint64_t step = 0; step < 300; ++step) {
    const NetLoss loss = net->Learn(Fixture::MakeBatch(options.shape, 64, 100 + step), 1);
    ASSERT_TRUE(loss.accepted);
    ASSERT_GT(loss.gradient_norm, 0);
  }
  const NetLoss after = net->Evaluate(Fixture::MakeBatch(options.shape, 200, 7));
  EXPECT_LT(after.loss, .8 * after.base_loss);
}

TEST_P(NetKindTest, LearnsWhatOnlyThePastKnows) {
  NetOptions options = Options();
  options.learning_rate = 3e-3;
  options.average_decay = .9;
  const auto net = Fixture::Make(options);
  // The target is 1 or 3 by the sign of one input, five steps before the end.
  const auto make = [&](uint64_t seed) {
    NetBatch batch = Fixture::MakeBatch(options.shape, 64, seed);
    batch.input_mask.assign(batch.input_mask.size(), 1);
    for (size_t row = 0; row < 64; ++row) {
      const float sign = Mix64(seed * 1000 + row) % 2 == 0 ? 1.0F : -1.0F;
      batch.inputs[(row * 9 + 4) * 7] = sign;
      for (size_t label = 0; label < 15; ++label) batch.target[row * 15 + label] = 2 + sign;
    }
    return batch;
  };
  for (uint64_t step = 0; step < 600; ++step) net->Learn(make(100 + step), 1);
  // Not knowing the sign, no forecast can be better than |3 - 1| * mean(tau or 1 - tau), about .38.
  EXPECT_LT(net->Evaluate(make(7)).loss, .15);
}

TEST(NetLearningTest, LiftsAZeroBase) {
  NetOptions options = Fixture::SmallOptions();
  options.learning_rate = 1e-2;
  const auto net = Fixture::Make(options);
  NetBatch batch = Fixture::MakeBatch(options.shape, 32, 3);
  batch.base.assign(batch.base.size(), 0);
  for (int step = 0; step < 200; ++step) net->Learn(batch, 1);
  const std::vector<float> out = Fixture::Forecast(*net, batch);
  EXPECT_GT(out[kMedian], .5F);
}

TEST(NetLearningTest, GivesSortedQuantiles) {
  NetOptions options = Fixture::SmallOptions();
  options.learning_rate = 5e-2;  // wild on purpose: raw values cross
  const auto net = Fixture::Make(options);
  const NetBatch batch = Fixture::MakeBatch(options.shape, 32, 3);
  for (int step = 0; step < 50; ++step) net->Learn(batch, 1);
  const std::vector<float> out = Fixture::Forecast(*net, batch);
  for (size_t i = 0; i < out.size(); ++i) {
    if (i % kLevelCount == 0) continue;
    ASSERT_LE(out[i - 1], out[i]);
  }
}

TEST_P(NetKindTest, RejectsABatchThatIsNotFiniteAndChangesNothing) {
  const NetOptions options = Options();
  const auto net = Fixture::Make(options);
  const NetBatch good = Fixture::MakeBatch(options.shape, 16, 3);
  for (int step = 0; step < 5; ++step) ASSERT_TRUE(net->Learn(good, 1).accepted);
  const std::string before = Fixture::Blob(*net);
  const std::vector<float> forecast = Fixture::Forecast(*net, good);
  const auto spoil = [&](auto&& change) {
    NetBatch bad = good;
    change(bad);
    EXPECT_FALSE(net->Learn(bad, 1).accepted);
    EXPECT_EQ(Fixture::Blob(*net), before);
    EXPECT_EQ(Fixture::Forecast(*net, good), forecast);
  };
  spoil([](NetBatch& bad) { bad.target[0] = kNan; });
  spoil([](NetBatch& bad) { bad.target[0] = std::numeric_limits<float>::infinity(); });
  spoil([](NetBatch& bad) { bad.inputs[8 * 7] = kNan; });
  spoil([](NetBatch& bad) { bad.base[0] = kNan; });
  spoil([](NetBatch& bad) { bad.known[0] = kNan; });
  spoil([](NetBatch& bad) { bad.weight[0] = kNan; });
  EXPECT_FALSE(net->Learn(good, std::numeric_limits<double>::infinity()).accepted);
  EXPECT_EQ(Fixture::Blob(*net), before);
  EXPECT_TRUE(net->Learn(good, 1).accepted);
}

TEST(NetLearningTest, WhatIsMaskedCannotInfluence) {
  for (const NetShape& shape : Shapes()) {
    NetOptions options = Fixture::SmallOptions();
    options.shape = shape;
    const auto clean = Fixture::Make(options);
    const auto dirty = Fixture::Make(options);
    NetBatch batch = Fixture::MakeBatch(shape, 60, 3);
    const size_t labels = static_cast<size_t>(shape.positions) * static_cast<size_t>(shape.horizon);
    for (size_t label = 0; label < labels; ++label) batch.mask[2 * labels + label] = 0;  // a row without any label
    NetBatch garbage = batch;
    for (size_t i = 0; i < garbage.mask.size(); ++i) {
      if (garbage.mask[i] != 0) continue;
      garbage.target[i] = i % 2 == 0 ? kNan : 1e30F;
      for (size_t level = 0; level < kLevelCount; ++level) garbage.base[i * kLevelCount + level] = kNan;
      for (int j = 0; j < shape.known; ++j)
        garbage.known[i * static_cast<size_t>(shape.known) + static_cast<size_t>(j)] = kNan;
    }
    for (size_t i = 0; i < garbage.input_mask.size(); ++i) {
      if (garbage.input_mask[i] != 0) continue;
      for (int j = 0; j < shape.inputs; ++j)
        garbage.inputs[i * static_cast<size_t>(shape.inputs) + static_cast<size_t>(j)] = kNan;
    }
    for (int step = 0; step < 3; ++step) {
      const NetLoss expected = clean->Learn(batch, 1);
      const NetLoss got = dirty->Learn(garbage, 1);
      EXPECT_TRUE(got.accepted);
      EXPECT_EQ(got.loss, expected.loss);
      EXPECT_EQ(got.base_loss, expected.base_loss);
    }
    EXPECT_EQ(Fixture::Blob(*clean), Fixture::Blob(*dirty));
    EXPECT_EQ(clean->Evaluate(batch).loss, dirty->Evaluate(garbage).loss);
  }
}

TEST_P(NetKindTest, ABatchWithoutLabelsChangesNothing) {
  const NetOptions options = Options();
  const auto net = Fixture::Make(options);
  NetBatch batch = Fixture::MakeBatch(options.shape, 16, 3);
  net->Learn(batch, 1);
  const std::string before = Fixture::Blob(*net);
  batch.mask.assign(batch.mask.size(), 0);
  const NetLoss loss = net->Learn(batch, 1);
  EXPECT_TRUE(loss.accepted);
  EXPECT_EQ(loss.loss, 0);
  EXPECT_EQ(Fixture::Blob(*net), before);
}

TEST_P(NetKindTest, SameSeedSameCallsSameBits) {
  NetOptions options = Options();
  const auto left = Fixture::Make(options);
  const auto right = Fixture::Make(options);
  options.seed = 8;
  const auto other = Fixture::Make(options);
  for (uint64_t step = 0; step < 10; ++step) {
    const NetBatch batch = Fixture::MakeBatch(options.shape, 50, step);
    for (ResidualNet* net : {left.get(), right.get(), other.get()}) net->Learn(batch, 1);
  }
  EXPECT_EQ(Fixture::Blob(*left), Fixture::Blob(*right));
  EXPECT_NE(Fixture::Blob(*left), Fixture::Blob(*other));
}

TEST(NetLearningTest, ServesTheAverageOfTheWeights) {
  NetOptions options = Fixture::SmallOptions();
  const auto net = Fixture::Make(options);
  const NetBatch batch = Fixture::MakeBatch(options.shape, 16, 3);
  const std::vector<float> before = Fixture::Read(Fixture::Blob(*net), Fixture::kWeights);
  net->Learn(batch, 1);
  const std::string blob = Fixture::Blob(*net);
  const std::vector<float> after = Fixture::Read(blob, Fixture::kWeights);
  const std::vector<float> average = Fixture::Read(blob, Fixture::kAverage);
  const float follow = 1 - 2.0F / 11;  // at the first step min(.98, (1 + 1) / (10 + 1))
  for (size_t i = 0; i < after.size(); ++i) {
    ASSERT_NEAR(average[i], before[i] + follow * (after[i] - before[i]), 1e-6);
  }
  // Raw weights are replaced: what serves must not move.
  const std::vector<float> forecast = Fixture::Forecast(*net, batch);
  ASSERT_TRUE(net->Load(Fixture::Write(blob, Fixture::kWeights, before)).ok());
  EXPECT_EQ(Fixture::Forecast(*net, batch), forecast);
  ASSERT_TRUE(net->Load(Fixture::Write(blob, Fixture::kAverage, before)).ok());
  EXPECT_NE(Fixture::Forecast(*net, batch), forecast);
}

TEST(NetLearningTest, ClipsTheGradient) {
  NetOptions options = Fixture::SmallOptions();
  options.gradient_clip = 1e-3;
  const auto net = Fixture::Make(options);
  const NetLoss loss = net->Learn(Fixture::MakeBatch(options.shape, 16, 3), 1);
  EXPECT_GT(loss.gradient_norm, 1e-2);  // before clipping
  double squares = 0;
  for (const float m : Fixture::Read(Fixture::Blob(*net), Fixture::kFirstMoment)) squares += double{m} * double{m};
  EXPECT_NEAR(std::sqrt(squares), .1 * 1e-3, 1e-8);  // first moment = (1 - .9) * clipped gradient
}

}  // namespace
}  // namespace tidecast
