#include "tests/unit/torch/net_fixture.h"

namespace tidecast {
namespace {

using Fixture = NetFixture;

/// The hand-written path against autograd of the ATen expressions, and against finite differences.
class NetBackendTest : public testing::TestWithParam<NetCase> {
 protected:
  NetOptions Options(const std::string& device) const {
    NetOptions options = Fixture::SmallOptions(GetParam(), device);
    options.gradient_clip = 1e9;
    options.weight_anchor = 0;
    return options;
  }

  /// A blob of weights without zeros, so that every derivative is alive. Raw values spread so that none tie.
  std::string AliveBlob(const NetOptions& options) const {
    const auto net = Fixture::Make(options);
    std::string blob = Fixture::Blob(*net);
    std::vector<float> weights = Fixture::Read(blob, Fixture::kWeights);
    const std::vector<float> noise = Fixture::Uniform(11, weights.size(), -.3F, .3F);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] += noise[i];
    blob = Fixture::Write(blob, Fixture::kWeights, weights);
    return Fixture::Write(blob, Fixture::kAverage, weights);
  }

  /// The gradient at the blob's weights, read from the first moment after one step.
  static std::vector<float> Gradient(ResidualNet& net, const std::string& blob, const NetBatch& batch) {
    TC_CHECK(net.Load(blob).ok());
    TC_CHECK(net.Learn(batch, 1).accepted);
    std::vector<float> gradient = Fixture::Read(Fixture::Blob(net), Fixture::kFirstMoment);
    for (float& g : gradient) g *= 10;
    return gradient;
  }

  /// Twenty steps on the same batches keep both nets' losses the same.
  void ExpectLearnTogether(ResidualNet& left, ResidualNet& right) const {
    for (uint64_t step = 0; step < 20; ++step) {
      const NetBatch batch = Fixture::MakeBatch(Options("cpu").shape, 64, step);
      EXPECT_NEAR(left.Learn(batch, 1).loss, right.Learn(batch, 1).loss, 1e-4);
    }
    const NetBatch batch = Fixture::MakeBatch(Options("cpu").shape, 64, 77);
    EXPECT_NEAR(left.Evaluate(batch).loss, right.Evaluate(batch).loss, 1e-4);
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, NetBackendTest,
                         testing::Values(kMlp, kLstm, kLstmOfTwo, kGru, kGruOfTwo, kTcn, kAttention), NameOfCase);

TEST_P(NetBackendTest, ForwardEqualsTheExpressions) {
  const auto fast = Fixture::Make(Options("cpu"));
  const auto expressions = Fixture::Make(Options("cpu-expressions"));
  const std::string blob = AliveBlob(Options("cpu"));
  ASSERT_TRUE(fast->Load(blob).ok());
  ASSERT_TRUE(expressions->Load(blob).ok());
  EXPECT_EQ(expressions->device(), "cpu-expressions");
  NetBatch batch = Fixture::MakeBatch(Options("cpu").shape, 101, 3);
  for (size_t i = 0; i < batch.base.size(); i += 3) batch.base[i] -= 1;  // negative bases too
  const std::vector<float> left = Fixture::Forecast(*fast, batch);
  const std::vector<float> right = Fixture::Forecast(*expressions, batch);
  for (size_t i = 0; i < left.size(); ++i) ASSERT_NEAR(left[i], right[i], 1e-5);
  const NetLoss loss = fast->Evaluate(batch);
  EXPECT_NEAR(loss.loss, expressions->Evaluate(batch).loss, 1e-5);
  EXPECT_NEAR(loss.base_loss, expressions->Evaluate(batch).base_loss, 1e-5);
  if (!CarriesState(Options("cpu").shape)) return;
  std::vector<float> carried(101 * fast->state_floats());
  std::vector<float> reference(carried.size());
  const std::vector<float> inputs = Fixture::Uniform(6, 101 * 7, -1, 1);
  const std::vector<float> mask(101, 1);
  fast->Advance(101, inputs, mask, carried);
  expressions->Advance(101, inputs, mask, reference);
  for (size_t i = 0; i < carried.size(); ++i) ASSERT_NEAR(carried[i], reference[i], 1e-5);
}

TEST_P(NetBackendTest, EveryGradientEqualsAutograd) {
  const auto fast = Fixture::Make(Options("cpu"));
  const auto expressions = Fixture::Make(Options("cpu-expressions"));
  const std::string blob = AliveBlob(Options("cpu"));
  const NetBatch batch = Fixture::MakeBatch(Options("cpu").shape, 400, 3);
  const std::vector<float> left = Gradient(*fast, blob, batch);
  const std::vector<float> right = Gradient(*expressions, blob, batch);
  size_t alive = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    ASSERT_NEAR(left[i], right[i], 1e-5 + 1e-4 * std::fabs(right[i])) << "parameter " << i;
    if (right[i] != 0) ++alive;
  }
  // All but the padding of the last layer (4 of 32 columns of 64 rows, and of the bias).
  EXPECT_EQ(alive, left.size() - 4 * 65);
}

TEST_P(NetBackendTest, GradientEqualsAutogradWithYoungSeriesAndHoles) {
  const auto fast = Fixture::Make(Options("cpu"));
  const auto expressions = Fixture::Make(Options("cpu-expressions"));
  const std::string blob = AliveBlob(Options("cpu"));
  NetBatch batch = Fixture::MakeBatch(Options("cpu").shape, 60, 3);
  for (size_t row = 0; row < 60; ++row) {
    for (size_t step = 0; step < 9; ++step) {
      // The last rows, a chunk of their own, have never been alive; the others are young, with a hole.
      if (row >= 48 || step < 4 || (row + step) % 6 == 0) batch.input_mask[row * 9 + step] = 0;
    }
  }
  const std::vector<float> left = Gradient(*fast, blob, batch);
  const std::vector<float> right = Gradient(*expressions, blob, batch);
  for (size_t i = 0; i < left.size(); ++i) {
    ASSERT_NEAR(left[i], right[i], 1e-5 + 1e-4 * std::fabs(right[i])) << "parameter " << i;
  }
}

TEST_P(NetBackendTest, GradientEqualsFiniteDifferences) {
  const NetOptions options = Options("cpu");
  const auto net = Fixture::Make(options);
  const std::string blob = AliveBlob(options);
  const NetBatch batch = Fixture::MakeBatch(options.shape, 40, 3);
  const std::vector<float> gradient = Gradient(*net, blob, batch);
  const std::vector<float> weights = Fixture::Read(blob, Fixture::kWeights);
  const auto loss_at = [&](size_t i, float step) {
    std::vector<float> moved = weights;
    moved[i] += step;
    TC_CHECK(net->Load(Fixture::Write(blob, Fixture::kAverage, moved)).ok());
    return net->Evaluate(batch).loss;
  };
  for (size_t i = 0; i < weights.size(); i += 37) {
    constexpr float kStep = 4e-3F;
    const double difference = (loss_at(i, kStep) - loss_at(i, -kStep)) / (2 * double{kStep});
    ASSERT_NEAR(gradient[i], difference, 1e-3 + .03 * std::fabs(difference)) << "parameter " << i;
  }
}

TEST_P(NetBackendTest, LearningStaysTogether) {
  const auto fast = Fixture::Make(Options("cpu"));
  const auto expressions = Fixture::Make(Options("cpu-expressions"));
  ExpectLearnTogether(*fast, *expressions);
}

TEST_P(NetBackendTest, BaselineKernelsAgreeWithTheBest) {
  const auto best = Fixture::Make(Options("cpu"));
  const auto baseline = Fixture::Make(Options("cpu-baseline"));
  const std::string blob = AliveBlob(Options("cpu"));
  const NetBatch batch = Fixture::MakeBatch(Options("cpu").shape, 101, 3);
  const std::vector<float> left = Gradient(*best, blob, batch);
  const std::vector<float> right = Gradient(*baseline, blob, batch);
  for (size_t i = 0; i < left.size(); ++i) ASSERT_NEAR(left[i], right[i], 1e-5 + 1e-4 * std::fabs(right[i]));
}

/// The same on a CUDA device; skipped where none is.
class NetCudaTest : public NetBackendTest {
 protected:
  void SetUp() override {
    const auto made = LoadNet(TIDECAST_NET_MODULE, Options("cuda"));
    if (made.ok()) return;
    EXPECT_EQ(made.status().code(), Code::kInvalidArgument);
    EXPECT_FALSE(made.status().remedy().empty());
    GTEST_SKIP() << "no CUDA device: " << made.status().message();
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, NetCudaTest,
                         testing::Values(kMlp, kLstm, kLstmOfTwo, kGru, kGruOfTwo, kTcn, kAttention), NameOfCase);

TEST_P(NetCudaTest, GradientAgreesWithTheCpu) {
  const auto cpu = Fixture::Make(Options("cpu"));
  const auto cuda = Fixture::Make(Options("cuda"));
  const std::string blob = AliveBlob(Options("cpu"));
  NetBatch batch = Fixture::MakeBatch(Options("cpu").shape, 400, 3);
  for (size_t row = 300; row < 400; ++row) {
    for (size_t step = 0; step < 9; ++step) {
      if (row >= 380 || (row + step) % 4 == 0) batch.input_mask[row * 9 + step] = 0;  // holes; never alive
    }
  }
  const std::vector<float> left = Gradient(*cpu, blob, batch);
  const std::vector<float> right = Gradient(*cuda, blob, batch);
  for (size_t i = 0; i < left.size(); ++i) {
    ASSERT_NEAR(left[i], right[i], 1e-5 + 1e-4 * std::fabs(right[i])) << "parameter " << i;
  }
  EXPECT_EQ(cuda->device(), "cuda:0");
}

TEST_P(NetCudaTest, LearningStaysTogetherAndForecastsAreTheCpus) {
  const auto cpu = Fixture::Make(Options("cpu"));
  const auto cuda = Fixture::Make(Options("cuda"));
  ExpectLearnTogether(*cpu, *cuda);
  const NetBatch batch = Fixture::MakeBatch(Options("cpu").shape, 64, 77);
  // What serves is on the CPU: the same weights say the same to the bit.
  ASSERT_TRUE(cpu->Load(Fixture::Blob(*cuda)).ok());
  EXPECT_EQ(Fixture::Forecast(*cpu, batch), Fixture::Forecast(*cuda, batch));
}

TEST_P(NetCudaTest, LearningTwiceGivesTheSameBits) {
  const auto learnt = [this] {
    const auto net = Fixture::Make(Options("cuda"));
    for (uint64_t step = 0; step < 10; ++step) net->Learn(Fixture::MakeBatch(Options("cuda").shape, 400, step), 1);
    return Fixture::Blob(*net);
  };
  const std::string first = learnt();
  for (int repeat = 0; repeat < 3; ++repeat) ASSERT_TRUE(learnt() == first) << "repeat " << repeat;
}

TEST(NetOptionsTest, AutomaticDeviceAlwaysWorks) {
  const auto net = Fixture::Make(Fixture::SmallOptions("auto"));
  EXPECT_TRUE(net->device() == "cpu" || net->device() == "cuda:0") << net->device();
}

TEST(NetOptionsTest, RefusesWhatCannotBe) {
  const auto refused = [](auto&& change) {
    NetOptions options = Fixture::SmallOptions();
    change(options);
    const auto net = LoadNet(TIDECAST_NET_MODULE, options);
    ASSERT_FALSE(net.ok());
    EXPECT_EQ(net.status().code(), Code::kInvalidArgument);
    EXPECT_FALSE(net.status().remedy().empty());
  };
  refused([](NetOptions& o) { o.device = "tpu"; });
  refused([](NetOptions& o) { o.shape.hidden = 20; });
  refused([](NetOptions& o) { o.shape.inputs = 0; });
  refused([](NetOptions& o) { o.shape.layers = 3; });
  refused([](NetOptions& o) { o.shape.encoder = static_cast<NetEncoder>(9); });
  refused([](NetOptions& o) { o = Fixture::SmallOptions(kTcn), o.shape.layers = 2; });
  refused([](NetOptions& o) { o = Fixture::SmallOptions(kGru), o.shape.layers = 0; });
  refused([](NetOptions& o) { o = Fixture::SmallOptions(kAttention), o.shape.window = o.shape.positions = 1; });
  refused([](NetOptions& o) { o.learning_rate = 0; });
  refused([](NetOptions& o) { o.average_decay = 1; });
  refused([](NetOptions& o) { o.gradient_clip = -1; });
}

}  // namespace
}  // namespace tidecast
