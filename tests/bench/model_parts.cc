// The model plane in parts: a bucket of a block of series, beside plain loops over as many floats.
#include <benchmark/benchmark.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "engine/core/hash.h"
#include "models/expert.h"
#include "models/mixer.h"
#include "models/net.h"

namespace tidecast {
namespace {

constexpr size_t kSeries = 256;

/// A block of series with a history, as Expert::Step wants it.
struct Block {
  Block()
      : actual(kSeries),
        history(kSeries * kHistory),
        scale(kSeries, 5),
        demand_class(kSeries, 0),
        observed(kSeries, 100),
        inverse(kHistory, 1),
        age(kHistory),
        prior(kSeries, 5) {
    for (size_t i = 0; i < history.size(); ++i) history[i] = static_cast<float>(UniformAt(1, i, 0) * 10);
    for (size_t i = 0; i < kSeries; ++i) actual[i] = static_cast<float>(std::floor(UniformAt(2, i, 0) * 10));
    for (size_t i = 0; i < age.size(); ++i) age[i] = static_cast<float>(i);
  }
  ExpertBlock At(int64_t index) const {
    return {kSeries, index, actual, history, scale, demand_class, observed, inverse, age, prior};
  }
  std::vector<float> actual, history, scale;
  std::vector<uint8_t> demand_class;
  std::vector<uint32_t> observed;
  std::vector<float> inverse, age, prior;
};

/// One bucket for every expert of the pool: take the value in, sum the origin up.
void ExpertUpdate(benchmark::State& state) {
  const Block block;
  const auto experts = MakeExperts({.domain = ValueDomain::kCount, .season_lengths = {7}}, {});
  struct Memory {
    std::vector<float> states, summaries;
    std::vector<double> pooled;
  };
  std::vector<Memory> memory;
  for (const auto& expert : experts) {
    Memory& m = memory.emplace_back();
    m.states.resize(kSeries * expert->state_floats());
    m.summaries.resize(kSeries * expert->summary_floats());
    m.pooled.resize(expert->pooled_size());
    expert->StartPooled(m.pooled);
  }
  int64_t index = kHistory;
  for (auto _ : state) {
    const ExpertBlock at = block.At(index++);
    for (size_t e = 0; e < experts.size(); ++e) {
      experts[e]->Step(at, memory[e].states, memory[e].pooled);
      experts[e]->Summarise(at, memory[e].states, memory[e].pooled, memory[e].summaries);
    }
    benchmark::DoNotOptimize(memory.data());
  }
  for (const Memory& m : memory) {
    for (const float value : m.states) {
      if (!std::isfinite(value)) state.SkipWithError("a state is not finite");
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(kSeries));
  state.counters["experts"] = static_cast<double>(experts.size());
}
BENCHMARK(ExpertUpdate);

void ExpertUpdateLight(benchmark::State& state) {
  const Block block;
  std::vector<float> states(kSeries * 32);
  for (auto _ : state) {
    for (size_t i = 0; i < states.size(); ++i) states[i] += .05F * (block.actual[i % kSeries] - states[i]);
    benchmark::DoNotOptimize(states.data());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(kSeries));
}
BENCHMARK(ExpertUpdateLight);

constexpr size_t kExperts = 13;
constexpr size_t kRows = kLevelCount + 1;

void MixOne(benchmark::State& state) {
  const Mixer mixer(kExperts);
  const std::vector<float> own(mixer.state_floats());
  const std::vector<uint8_t> awake(kExperts, 1);
  std::vector<float> weights(kRows * kExperts), toward(weights.size()), quantiles(kExperts * kLevelCount),
      means(kExperts, 2), mixed(kLevelCount);
  for (size_t e = 0; e < kExperts; ++e) {
    for (size_t l = 0; l < kLevelCount; ++l) quantiles[e * kLevelCount + l] = static_cast<float>(l);
  }
  float mean = 0;
  for (auto _ : state) {
    mixer.WeightsOf(0, 0, own, 50, awake, weights, toward);
    Mixer::Mix(kExperts, weights, quantiles, means, mixed, &mean);
    benchmark::DoNotOptimize(mixed.data());
  }
  // All experts say the same, so the mixture does.
  if (std::fabs(mean - 2) > 1e-4 || std::fabs(mixed[3] - 3) > 1e-4)
    state.SkipWithError("the mixture is not what its members say");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(MixOne);

void MixOneLight(benchmark::State& state) {
  std::vector<float> weights(kRows * kExperts, 1.F / kExperts), quantiles(kExperts * kRows, 2), mixed(kRows);
  for (auto _ : state) {
    for (size_t l = 0; l < kRows; ++l) {
      float sum = 0;
      for (size_t e = 0; e < kExperts; ++e) sum += weights[l * kExperts + e] * quantiles[e * kRows + l];
      mixed[l] = sum;
    }
    benchmark::DoNotOptimize(mixed.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(MixOneLight);

#ifdef TIDECAST_NET_MODULE
constexpr int kHidden = 64;
constexpr int kInputs = 24;

void LstmStep(benchmark::State& state) {
  const int rows = static_cast<int>(state.range(0));
  NetOptions options;
  options.shape.inputs = kInputs;
  options.shape.hidden = kHidden;
  options.device = "cpu";
  auto loaded = LoadNet(TIDECAST_NET_MODULE, options);
  if (!loaded.ok()) {
    state.SkipWithError("the module is not there");
    return;
  }
  const auto net = std::move(loaded).value();
  std::vector<float> inputs(static_cast<size_t>(rows * kInputs), .5F), mask(static_cast<size_t>(rows), 1);
  std::vector<float> states(static_cast<size_t>(rows) * net->state_floats());
  for (auto _ : state) {
    net->Advance(rows, inputs, mask, states);
    benchmark::DoNotOptimize(states.data());
  }
  // Equal rows stay equal, and something has moved.
  if (states[0] == 0 || states[0] != states[(static_cast<size_t>(rows) - 1) * net->state_floats()])
    state.SkipWithError("rows differ");
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * rows);
}
BENCHMARK(LstmStep)->Arg(256)->Arg(1024);

/// The same number of multiplications and additions, vectorised by the compiler as it can.
void LstmStepLight(benchmark::State& state) {
  const size_t rows = static_cast<size_t>(state.range(0));
  constexpr size_t kWidth = 4 * kHidden;
  constexpr size_t kDepth = kInputs + kHidden;
  const std::vector<float> weights(kDepth * kWidth, .01F), inputs(rows * kDepth, .5F);
  std::vector<float> out(rows * kWidth);
  for (auto _ : state) {
    for (size_t r = 0; r < rows; ++r) {
      float* to = out.data() + r * kWidth;
      for (size_t k = 0; k < kDepth; ++k) {
        const float x = inputs[r * kDepth + k];
        const float* w = weights.data() + k * kWidth;
        for (size_t j = 0; j < kWidth; ++j) to[j] += x * w[j];
      }
    }
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * rows));
}
BENCHMARK(LstmStepLight)->Arg(256);

/// One optimiser step of the default shape: windows of 42 buckets whose newest 8 forecast 14 each.
void LearnStep(benchmark::State& state, const std::string& device) {
  NetOptions options;
  options.shape = {.positions = 8, .inputs = kInputs, .known = 12, .statics = 4};
  options.shape.hidden = static_cast<int>(state.range(0));
  options.device = device;
  auto loaded = LoadNet(TIDECAST_NET_MODULE, options);
  if (!loaded.ok()) {
    state.SkipWithError(std::string(loaded.status().message()).c_str());
    return;
  }
  const auto net = std::move(loaded).value();
  const NetShape& shape = options.shape;
  const size_t rows = static_cast<size_t>(state.range(1));
  const size_t origins = rows * static_cast<size_t>(shape.positions);
  const size_t positions = origins * static_cast<size_t>(shape.horizon);
  NetBatch batch{.rows = static_cast<int>(rows)};
  const auto noise = [](size_t count, int64_t seed) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(UniformAt(3, i, seed));
    return values;
  };
  batch.inputs = noise(rows * static_cast<size_t>(shape.window * shape.inputs), 1);
  batch.input_mask.assign(rows * static_cast<size_t>(shape.window), 1);
  batch.statics = noise(origins * static_cast<size_t>(shape.statics), 2);
  batch.known = noise(positions * static_cast<size_t>(shape.known), 3);
  batch.target = noise(positions, 4);
  batch.mask.assign(positions, 1);
  batch.weight.assign(rows, 1);
  for (size_t row = 0; row < rows; ++row) batch.ids.push_back(static_cast<uint32_t>(row) % 4096);
  batch.base.resize(positions * kLevelCount);
  for (size_t i = 0; i < batch.base.size(); ++i) batch.base[i] = kLevels[i % kLevelCount];
  NetLoss last;
  for (auto _ : state) last = net->Learn(batch, 1);
  if (!last.accepted || !std::isfinite(last.loss) || net->device() != device) {
    state.SkipWithError(("a step failed on " + net->device()).c_str());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * state.range(1));
}
void LearnArguments(benchmark::internal::Benchmark* benchmark) {
  for (const int hidden : {64, 128}) {
    for (const int rows : {64, 256, 1024, 4096}) benchmark->Args({hidden, rows});
  }
  benchmark->ArgNames({"hidden", "windows"})->Unit(benchmark::kMillisecond)->UseRealTime();
}
BENCHMARK_CAPTURE(LearnStep, cpu, "cpu")->Apply(LearnArguments);
/// Where no driver is, there is nothing to measure.
[[maybe_unused]] const bool kOnCuda = [] {
  const bool is_there = std::filesystem::exists("/dev/nvidiactl");
  if (is_there) LearnArguments(benchmark::RegisterBenchmark("LearnStep/cuda", LearnStep, "cuda:0"));
  return is_there;
}();
#endif

}  // namespace
}  // namespace tidecast
