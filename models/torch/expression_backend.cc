// The net as ATen expressions. Follows the same steps as cpu_pass.cc and cpu_decoder.cc:
//   1. parameters are one flat leaf, its matrices are views, so the gradient comes back flat;
//   2. rows without labels are left out, masked steps and labels read zeros;
//   3. a window's live steps side by side, the decoder for all positions at once;
//   4. sort along the level, pinball with slope 0 at a tie, weighted mean.
#include "models/torch/expression_backend.h"

#include "models/torch/encoder_expressions.h"

#define AT_PER_OPERATOR_HEADERS  // only the operators named here: a third of the compile time
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/log1p.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#ifdef TIDECAST_OPENBLAS
extern "C" void openblas_set_num_threads(int threads);
#endif

namespace tidecast::net {
namespace {

at::Tensor FromHost(const float* data, std::vector<int64_t> sizes, const at::Device& device) {
  return at::from_blob(const_cast<float*>(data), sizes, at::TensorOptions(at::kFloat))
      .to(device, at::kFloat, false, true);
}

void ToHost(const at::Tensor& from, std::span<float> out) {
  const at::Tensor host = from.detach().to(at::kCPU).contiguous();
  TC_CHECK_EQ(static_cast<size_t>(host.numel()), out.size());
  std::copy_n(host.data_ptr<float>(), out.size(), out.data());
}

/// Sum of weight * mask and, in `active`, the rows that have any.
double CountLabels(const NetBatch& batch, size_t row_labels, std::vector<size_t>* active) {
  double labels = 0;
  for (size_t row = 0; row < static_cast<size_t>(batch.rows); ++row) {
    double sum = 0;
    for (size_t label = row * row_labels; label < (row + 1) * row_labels; ++label) {
      const float mask = batch.mask[label];
      if (mask != 0.0F) sum += static_cast<double>(batch.weight[row]) * static_cast<double>(mask);
    }
    if (sum != 0.0) active->push_back(row);
    labels += sum;
  }
  return labels;
}

/// The chosen rows of an array whose rows are `width` wide; all of them are the array itself.
std::span<const float> Gather(const std::vector<size_t>& chosen, const std::vector<float>& from, int64_t width,
                              std::vector<float>* store) {
  if (chosen.size() * static_cast<size_t>(width) == from.size()) return from;
  std::vector<float>& values = *store;
  values.clear();
  values.reserve(chosen.size() * static_cast<size_t>(width));
  for (const size_t row : chosen) {
    const auto at = from.begin() + static_cast<ptrdiff_t>(row) * width;
    values.insert(values.end(), at, at + width);
  }
  return values;
}

class ExpressionBackend : public NetBackend {
 public:
  ExpressionBackend(const NetLayout& layout, at::Device device) : layout_(layout), device_(device) {
    const int64_t horizon = layout.shape.horizon;
    const at::Tensor step = at::arange(1, horizon + 1, at::TensorOptions(at::kFloat)).view({horizon, 1});
    code_ = at::cat({at::log1p(step) / 4, step.reciprocal()}, 1).to(device_);
    levels_ = FromHost(kLevels.data(), {static_cast<int64_t>(kLevelCount)}, device_);
  }

  void SetServing(std::span<const float> parameters) override {
    serving_ = FromHost(parameters.data(), {static_cast<int64_t>(parameters.size())}, device_);
  }

  void Advance(int rows, std::span<const float> inputs, std::span<const float> mask,
               std::span<float> states) const override {
    const at::NoGradGuard no_gradient;
    Run(rows, 1, inputs, mask, states);
  }

  void Rerun(int rows, std::span<const float> inputs, std::span<const float> mask,
             std::span<float> states) const override {
    const at::NoGradGuard no_gradient;
    std::fill(states.begin(), states.end(), 0.0F);
    Run(rows, layout_.shape.window, inputs, mask, states);
  }

  void Correct(int rows, std::span<const float> states, std::span<const float> statics, std::span<const uint32_t> ids,
               std::span<const float> known, std::span<const float> base, std::span<float> out) const override {
    const at::NoGradGuard no_gradient;
    const NetShape& shape = layout_.shape;
    const at::Tensor state = FromHost(states.data(), {rows, static_cast<int64_t>(layout_.state_floats())}, device_);
    const at::Tensor quantiles =
        Decode(serving_, state.narrow(1, static_cast<int64_t>(layout_.top_state()), layout_.memory_width()),
               FromHost(statics.data(), {rows, shape.statics}, device_), Ids(ids),
               FromHost(known.data(), {rows, shape.horizon, shape.known}, device_),
               FromHost(base.data(), {rows, shape.horizon, static_cast<int64_t>(kLevelCount)}, device_));
    ToHost(quantiles.reshape({-1}), out);
  }

  BatchLoss Differentiate(std::span<const float> parameters, const NetBatch& batch,
                          std::span<float> gradient) override {
    at::Tensor leaf = FromHost(parameters.data(), {static_cast<int64_t>(parameters.size())}, device_);
    const bool learn = !gradient.empty();
    leaf.set_requires_grad(learn);
    at::Tensor loss;
    const BatchLoss out = Loss(leaf, batch, &loss);
    if (!learn) return out;
    if (out.labels == 0.0) {
      std::fill(gradient.begin(), gradient.end(), 0.0F);
      return out;
    }
    loss.backward();
    ToHost(leaf.grad(), gradient);
    return out;
  }

  BatchLoss Evaluate(const NetBatch& batch) override {
    const at::NoGradGuard no_gradient;
    at::Tensor loss;
    return Loss(serving_, batch, &loss);
  }

  std::string name() const override { return device_.is_cuda() ? device_.str() : "cpu-expressions"; }

 private:
  at::Tensor Ids(std::span<const uint32_t> ids) const {
    std::vector<int64_t> wide(ids.begin(), ids.end());
    return at::from_blob(wide.data(), {static_cast<int64_t>(wide.size())}, at::TensorOptions(at::kLong))
        .to(device_, at::kLong, false, true);
  }

  /// Moves carried states by some steps, or reads a window anew where nothing is carried.
  void Run(int rows, int steps, std::span<const float> inputs, std::span<const float> mask,
           std::span<float> states) const {
    const NetShape& shape = layout_.shape;
    if (shape.layers == 0) return;
    if (!CarriesState(shape)) {
      std::vector<int> all(static_cast<size_t>(rows));
      std::iota(all.begin(), all.end(), 0);
      ToHost(Remember(layout_, serving_, PackedWindows::Of(shape, 1, all, inputs, mask), false, device_).reshape({-1}),
             states);
      return;
    }
    const at::Tensor alive = FromHost(mask.data(), {rows, steps, 1}, device_) != 0;
    at::Tensor x = FromHost(inputs.data(), {rows, steps, shape.inputs}, device_);
    x = at::where(alive, x, at::zeros({1}, x.options()));
    const int64_t parts = static_cast<int64_t>(layout_.state_floats()) / shape.hidden;
    at::Tensor state = FromHost(states.data(), {rows, parts, shape.hidden}, device_);
    for (int64_t step = 0; step < steps; ++step) {
      at::Tensor next = state;
      RunRecurrent(layout_, serving_, x.narrow(1, step, 1), &next);
      state = at::where(alive.select(1, step).view({rows, 1, 1}), next, state);
    }
    ToHost(state.reshape({-1}), states);
  }

  /// Sorted quantiles [rows, horizon, levels].
  at::Tensor Decode(const at::Tensor& parameters, const at::Tensor& hidden, const at::Tensor& statics,
                    const at::Tensor& ids, const at::Tensor& known, const at::Tensor& base) const {
    const int64_t rows = hidden.size(0);
    const int64_t levels = static_cast<int64_t>(kLevelCount);
    const at::Tensor embedded = at::embedding(MatrixOf(parameters, layout_.embedding), ids);
    const at::Tensor context =
        at::matmul(at::cat({hidden, embedded, statics}, 1), MatrixOf(parameters, layout_.context)).unsqueeze(1);
    const at::Tensor code = code_.unsqueeze(0).expand({rows, -1, -1});
    const at::Tensor features = at::cat({known, code, base.sign() * at::log1p(base.abs())}, 2);
    const at::Tensor before = context + MatrixOf(parameters, layout_.horizon_bias).unsqueeze(0) +
                              at::matmul(features, MatrixOf(parameters, layout_.step));
    const at::Tensor raw = at::matmul(before * at::sigmoid(before), MatrixOf(parameters, layout_.output)) +
                           MatrixOf(parameters, layout_.output_bias);
    const at::Tensor scale = at::tanh(raw.narrow(2, 0, levels) / kScaleLimit) * kScaleLimit;
    const at::Tensor shift = raw.narrow(2, kLevelsPadded, levels);
    return std::get<0>(at::sort(base * at::exp(scale) + shift, /*stable=*/true, /*dim=*/2, /*descending=*/false));
  }

  at::Tensor Pinball(const at::Tensor& quantiles, const at::Tensor& target) const {
    const at::Tensor above = target.unsqueeze(2) - quantiles;
    return (levels_ * at::relu(above) + (1 - levels_) * at::relu(-above)).mean(2);
  }

  /// What the encoder remembers at each position [rows * positions, memory width].
  at::Tensor Memory(const at::Tensor& parameters, const NetBatch& batch, const std::vector<size_t>& active) const {
    const NetShape& shape = layout_.shape;
    const int64_t rows = static_cast<int64_t>(active.size());
    if (shape.layers == 0) {
      return at::zeros({rows * shape.positions, 0}, at::TensorOptions(at::kFloat).device(device_));
    }
    const std::vector<int> chosen(active.begin(), active.end());
    return Remember(layout_, parameters,
                    PackedWindows::Of(shape, shape.positions, chosen, batch.inputs, batch.input_mask), false, device_);
  }

  BatchLoss Loss(const at::Tensor& parameters, const NetBatch& batch, at::Tensor* loss) const {
    const NetShape& shape = layout_.shape;
    std::vector<size_t> active;
    BatchLoss out;
    out.labels = CountLabels(batch, static_cast<size_t>(shape.positions * shape.horizon), &active);
    if (out.labels == 0.0) return out;
    const int64_t rows = static_cast<int64_t>(active.size());
    const int64_t horizon = shape.horizon;
    const int64_t positions = shape.positions;
    const int64_t levels = static_cast<int64_t>(kLevelCount);
    std::vector<uint32_t> ids;
    for (const size_t row : active) ids.insert(ids.end(), static_cast<size_t>(positions), batch.ids[row]);
    const auto tensor = [&](const std::vector<float>& from, std::vector<int64_t> sizes) {
      int64_t width = 1;
      for (size_t i = 1; i < sizes.size(); ++i) width *= sizes[i];
      std::vector<float> store;
      return FromHost(Gather(active, from, width, &store).data(), sizes, device_);
    };
    // Decoder rows are [row, position].
    const auto decoded = [&](const std::vector<float>& from, int64_t width) {
      return tensor(from, {rows, positions * width}).view({rows * positions, width});
    };
    const at::Tensor mask = decoded(batch.mask, horizon);
    const at::Tensor labelled = mask != 0;
    const at::Tensor zero = at::zeros({1}, mask.options());
    const at::Tensor target = at::where(labelled, decoded(batch.target, horizon), zero);
    const at::Tensor known =
        at::where(labelled.unsqueeze(2),
                  decoded(batch.known, horizon * shape.known).view({rows * positions, horizon, shape.known}), zero);
    const at::Tensor base = at::where(
        labelled.unsqueeze(2), decoded(batch.base, horizon * levels).view({rows * positions, horizon, levels}), zero);
    const at::Tensor weight =
        mask * tensor(batch.weight, {rows, 1}).expand({-1, positions}).reshape({-1, 1}) / out.labels;

    const at::Tensor hidden = Memory(parameters, batch, active);
    const at::Tensor quantiles =
        Decode(parameters, hidden, decoded(batch.statics, shape.statics), Ids(ids), known, base);
    *loss = (Pinball(quantiles, target) * weight).sum();
    out.loss = loss->item<float>();
    out.base_loss = (Pinball(base, target) * weight).sum().item<float>();
    return out;
  }

  const NetLayout& layout_;
  const at::Device device_;
  at::Tensor code_;    // [horizon, kHorizonCode]
  at::Tensor levels_;  // [kLevelCount]
  at::Tensor serving_;
};

}  // namespace

bool CudaIsAvailable() {
  try {
    return at::globalContext().hasCUDA();
  } catch (const std::exception&) {
    return false;
  }
}

void LimitThreads() {
  at::set_num_threads(1);
#ifdef TIDECAST_OPENBLAS
  openblas_set_num_threads(1);
#endif
}

Result<std::unique_ptr<NetBackend>> MakeExpressionBackend(const NetLayout& layout, const std::string& device) {
  try {
    // As on the CPU: whole float32, and the same bits in each run.
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setAllowTF32CuBLAS(false);
    return std::unique_ptr<NetBackend>(std::make_unique<ExpressionBackend>(layout, at::Device(device)));
  } catch (const std::exception& error) {
    const std::string_view words = error.what();  // a stack trace follows
    return Status(Code::kInvalidArgument,
                  fmt::format("the net's device cannot be used: {}: {}", device, words.substr(0, words.find('\n'))),
                  Domain::kExternal)
        .WithRemedy("set the device to auto or cpu");
  }
}

}  // namespace tidecast::net
