#include <thread>

#include "tests/unit/torch/net_fixture.h"

namespace tidecast {
namespace {

using Fixture = NetFixture;

/// A net that has learnt a little, so that every weight matters.
std::unique_ptr<ResidualNet> Learnt(const NetOptions& options) {
  auto net = Fixture::Make(options);
  for (uint64_t step = 0; step < 20; ++step) net->Learn(Fixture::MakeBatch(options.shape, 32, step), 10);
  return net;
}

template <typename T>
std::span<const T> Row(const std::vector<T>& values, size_t row, size_t width) {
  return std::span(values).subspan(row * width, width);
}

class NetServingTest : public testing::TestWithParam<NetCase> {
 protected:
  NetOptions Options() const {
    NetOptions options = Fixture::SmallOptions(GetParam());
    options.shape.positions = 1;
    return options;
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, NetServingTest, testing::Values(kLstm, kLstmOfTwo, kGru, kGruOfTwo, kTcn, kAttention),
                         NameOfCase);

/// Those that have a state to carry.
class NetCarryingTest : public NetServingTest {};
INSTANTIATE_TEST_SUITE_P(Kinds, NetCarryingTest, testing::Values(kLstm, kLstmOfTwo, kGru, kGruOfTwo), NameOfCase);

TEST_P(NetCarryingTest, AdvanceStepByStepEqualsRerun) {
  const NetOptions options = Options();
  const auto net = Learnt(options);
  const size_t rows = 101;
  const NetBatch batch = Fixture::MakeBatch(options.shape, static_cast<int>(rows), 3);
  std::vector<float> rerun(rows * net->state_floats(), 7);
  net->Rerun(static_cast<int>(rows), batch.inputs, batch.input_mask, rerun);
  std::vector<float> carried(rows * net->state_floats(), 0);
  for (size_t step = 0; step < 9; ++step) {
    std::vector<float> inputs;
    std::vector<float> mask;
    for (size_t row = 0; row < rows; ++row) {
      const auto x = Row(batch.inputs, row * 9 + step, 7);
      inputs.insert(inputs.end(), x.begin(), x.end());
      mask.push_back(batch.input_mask[row * 9 + step]);
    }
    net->Advance(static_cast<int>(rows), inputs, mask, carried);
  }
  EXPECT_EQ(carried, rerun);
}

TEST_P(NetServingTest, ARowDoesNotDependOnItsBatch) {
  const NetOptions options = Options();
  const auto net = Learnt(options);
  const size_t rows = 101;
  const size_t width = net->state_floats();
  const NetBatch batch = Fixture::MakeBatch(options.shape, static_cast<int>(rows), 3);
  std::vector<float> states = Fixture::Uniform(5, rows * width, -1, 1);
  std::vector<float> alone = states;
  std::vector<float> out(batch.base.size());
  const bool carries = CarriesState(options.shape);
  // One step from any state, or the whole window.
  const size_t steps = carries ? 1 : 9;
  const std::vector<float> inputs = carries ? Fixture::Uniform(6, rows * 7, -1, 1) : batch.inputs;
  const std::vector<float> mask = carries ? std::vector<float>(rows, 1) : batch.input_mask;
  const auto remember = [&](size_t first, size_t count, std::span<float> state) {
    const auto x = std::span(inputs).subspan(first * steps * 7, count * steps * 7);
    const auto alive = std::span(mask).subspan(first * steps, count * steps);
    carries ? net->Advance(static_cast<int>(count), x, alive, state)
            : net->Rerun(static_cast<int>(count), x, alive, state);
  };
  remember(0, rows, states);
  net->Correct(static_cast<int>(rows), states, batch.statics, batch.ids, batch.known, batch.base, out);
  for (size_t row = 0; row < rows; ++row) {
    const std::span<float> state = std::span(alone).subspan(row * width, width);
    remember(row, 1, state);
    std::vector<float> own(5 * kLevelCount);
    net->Correct(1, state, Row(batch.statics, row, 2), Row(batch.ids, row, 1), Row(batch.known, row, 15),
                 Row(batch.base, row, own.size()), own);
    ASSERT_EQ(own, std::vector<float>(out.begin() + static_cast<ptrdiff_t>(row * own.size()),
                                      out.begin() + static_cast<ptrdiff_t>((row + 1) * own.size())));
  }
  EXPECT_EQ(alone, states);
}

TEST_P(NetCarryingTest, AMaskedStepLeavesTheState) {
  const NetOptions options = Options();
  const auto net = Learnt(options);
  const std::vector<float> before = Fixture::Uniform(5, 3 * net->state_floats(), -1, 1);
  std::vector<float> states = before;
  const std::vector<float> inputs(21, std::nanf(""));
  net->Advance(3, inputs, std::vector<float>(3, 0), states);
  EXPECT_EQ(states, before);
}

TEST_P(NetServingTest, TheLossIsThatOfWhatServes) {
  const NetOptions options = Options();
  const auto net = Learnt(options);
  NetBatch batch = Fixture::MakeBatch(options.shape, 60, 3);
  for (size_t i = 0; i < batch.input_mask.size(); ++i) {
    // The last rows have never been alive; the others have holes.
    if (i >= 54 * 9 || (i + i / 9) % 5 == 0) batch.input_mask[i] = 0;
  }
  const std::vector<float> out = Fixture::Forecast(*net, batch);
  double loss = 0, labels = 0;
  for (size_t i = 0; i < batch.target.size(); ++i) {
    const double weight = double{batch.weight[i / 5]} * double{batch.mask[i]};
    labels += weight;
    for (size_t level = 0; level < kLevelCount; ++level) {
      const double above = double{batch.target[i]} - double{out[i * kLevelCount + level]};
      loss += weight * std::max(double{kLevels[level]} * above, (double{kLevels[level]} - 1) * above) / kLevelCount;
    }
  }
  EXPECT_NEAR(net->Evaluate(batch).loss, loss / labels, 1e-6);
}

TEST_P(NetServingTest, EveryInputMatters) {
  const NetOptions options = Options();
  const auto net = Learnt(options);
  const NetBatch batch = Fixture::MakeBatch(options.shape, 1, 3);
  const std::vector<float> forecast = Fixture::Forecast(*net, batch);
  const auto differs = [&](auto&& change) {
    NetBatch other = batch;
    change(other);
    EXPECT_NE(Fixture::Forecast(*net, other), forecast);
  };
  for (size_t i = 0; i < 7; ++i) differs([&](NetBatch& other) { other.inputs[2 * 7 + i] += 1; });
  for (size_t i = 0; i < 2; ++i) differs([&](NetBatch& other) { other.statics[i] += 1; });
  for (size_t i = 0; i < 3; ++i) differs([&](NetBatch& other) { other.known[i] += 1; });
  differs([&](NetBatch& other) { other.ids[0] = (other.ids[0] + 1) % 32; });
  differs([&](NetBatch& other) { other.input_mask[2] = 0; });
}

TEST_P(NetServingTest, TwoThreadsOnDifferentRowsAgreeWithOne) {
  const NetOptions options = Options();
  const auto net = Learnt(options);
  const size_t rows = 400;
  const size_t width = net->state_floats();
  const NetBatch batch = Fixture::MakeBatch(options.shape, static_cast<int>(rows), 3);
  const bool carries = CarriesState(options.shape);
  const size_t steps = carries ? 1 : 9;
  const std::vector<float> inputs = Fixture::Uniform(6, rows * steps * 7, -1, 1);
  const std::vector<float> mask(rows * steps, 1);
  const auto serve = [&](std::vector<float>& states, std::vector<float>& out, size_t first, size_t count) {
    for (int round = 0; round < 20; ++round) {
      const std::span<float> state = std::span(states).subspan(first * width, count * width);
      const auto x = std::span(inputs).subspan(first * steps * 7, count * steps * 7);
      const auto alive = std::span(mask).subspan(first * steps, count * steps);
      carries ? net->Advance(static_cast<int>(count), x, alive, state)
              : net->Rerun(static_cast<int>(count), x, alive, state);
      net->Correct(static_cast<int>(count), state, std::span(batch.statics).subspan(first * 2, count * 2),
                   std::span(batch.ids).subspan(first, count), std::span(batch.known).subspan(first * 15, count * 15),
                   std::span(batch.base).subspan(first * 70, count * 70),
                   std::span(out).subspan(first * 70, count * 70));
    }
  };
  std::vector<float> states(rows * width);
  std::vector<float> out(rows * 70);
  serve(states, out, 0, rows);
  std::vector<float> shared_states(rows * width);
  std::vector<float> shared_out(rows * 70);
  std::thread other([&] { serve(shared_states, shared_out, 0, 150); });
  serve(shared_states, shared_out, 150, 250);
  other.join();
  EXPECT_EQ(shared_states, states);
  EXPECT_EQ(shared_out, out);
}

TEST_P(NetServingTest, NoRowsIsNoWork) {
  const auto net = Fixture::Make(Options());
  if (CarriesState(Options().shape)) net->Advance(0, {}, {}, {});
  net->Rerun(0, {}, {}, {});
  net->Correct(0, {}, {}, {}, {}, {}, {});
  EXPECT_TRUE(net->Learn(NetBatch{}, 1).accepted);
}

}  // namespace
}  // namespace tidecast
