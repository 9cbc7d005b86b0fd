#include "models/torch/residual_net_torch.h"

#include <fmt/format.h>

#include <cmath>
#include <exception>

#include "models/torch/cpu_backend.h"
#include "models/torch/expression_backend.h"

namespace tidecast::net {
namespace {

Status CheckOptions(const NetOptions& options) {
  TC_RETURN_IF_ERROR(CheckShape(options.shape));
  const auto refuse = [](const char* name, double value, const char* range) {
    return Status(Code::kInvalidArgument, fmt::format("a net's option is out of range: {} is {}", name, value),
                  Domain::kInput)
        .WithRemedy(fmt::format("choose {} {}", name, range));
  };
  if (!(options.learning_rate > 0 && options.learning_rate <= 1)) {
    return refuse("learning_rate", options.learning_rate, "above 0, at most 1");
  }
  if (!(options.gradient_clip > 0)) return refuse("gradient_clip", options.gradient_clip, "above 0");
  if (!(options.weight_anchor >= 0 && std::isfinite(options.weight_anchor))) {
    return refuse("weight_anchor", options.weight_anchor, "at least 0");
  }
  if (!(options.average_decay >= 0 && options.average_decay < 1)) {
    return refuse("average_decay", options.average_decay, "at least 0, below 1");
  }
  return Status::Ok();
}

}  // namespace

ResidualNetTorch::ResidualNetTorch(const NetOptions& options)
    : layout_(options.shape), optimiser_(layout_, options), gradient_(layout_.size) {}

Result<std::unique_ptr<ResidualNet>> ResidualNetTorch::Make(const NetOptions& options) {
  TC_RETURN_IF_ERROR(CheckOptions(options));
  LimitThreads();
  std::unique_ptr<ResidualNetTorch> net(new ResidualNetTorch(options));
  TC_RETURN_IF_ERROR(net->ChooseBackends(options.device));
  net->PublishAverage();
  return std::unique_ptr<ResidualNet>(std::move(net));
}

Status ResidualNetTorch::ChooseBackends(const std::string& device) {
  serving_ = std::make_unique<CpuBackend>(layout_, device == "cpu-baseline" ? BaselineKernels() : BestKernels());
  if (device == "cpu" || device == "cpu-baseline") return Status::Ok();
  if (device == "cpu-expressions") {
    TC_ASSIGN_OR_RETURN(serving_, MakeExpressionBackend(layout_, "cpu"));
    return Status::Ok();
  }
  const bool automatic = device == "auto";
  if (!automatic && device != "cuda" && !device.starts_with("cuda:")) {
    return Status(Code::kInvalidArgument, fmt::format("there is no such device for the net: {}", device),
                  Domain::kInput)
        .WithRemedy("set the device to auto, cpu or cuda");
  }
  if (!CudaIsAvailable()) {
    if (automatic) return Status::Ok();
    return Status(Code::kInvalidArgument, fmt::format("the net's device is not there: {}", device), Domain::kExternal)
        .WithRemedy("set the device to auto or cpu, or build with a LibTorch that has CUDA (models/torch/README.md)");
  }
  Result<std::unique_ptr<NetBackend>> made =
      MakeExpressionBackend(layout_, automatic || device == "cuda" ? "cuda:0" : device);
  if (made.ok()) {
    device_ = std::move(made).value();
    return Status::Ok();
  }
  if (!automatic) return std::move(made).status();
  ++device_failures_;
  device_note_ = made.status().message();
  return Status::Ok();
}

void ResidualNetTorch::PublishAverage() {
  serving_->SetServing(optimiser_.average());
  if (!device_) return;
  OnDevice([this](NetBackend& backend) {
    backend.SetServing(optimiser_.average());
    return BatchLoss{};
  });
}

template <typename Work>
BatchLoss ResidualNetTorch::OnDevice(const Work& work) {
  if (!device_) return work(*serving_);
  try {
    return work(*device_);
  } catch (const std::exception& error) {
    ++device_failures_;
    const std::string words = error.what();
    device_note_ = fmt::format("{} failed: {}", device_->name(), words.substr(0, words.find('\n')));
    device_.reset();
    return work(*serving_);
  }
}

std::string ResidualNetTorch::device() const {
  const std::string name = device_ ? device_->name() : serving_->name();
  return device_failures_ == 0 ? name
                               : fmt::format("{} (device failures: {}; {})", name, device_failures_, device_note_);
}

void ResidualNetTorch::Advance(int rows, std::span<const float> inputs, std::span<const float> mask,
                               std::span<float> states) {
  const size_t count = static_cast<size_t>(rows);
  TC_CHECK_EQ(inputs.size(), count * static_cast<size_t>(layout_.shape.inputs));
  TC_CHECK_EQ(mask.size(), count);
  TC_CHECK_EQ(states.size(), count * state_floats());
  if (rows > 0) serving_->Advance(rows, inputs, mask, states);
}

void ResidualNetTorch::Correct(int rows, std::span<const float> states, std::span<const float> statics,
                               std::span<const uint32_t> ids, std::span<const float> known, std::span<const float> base,
                               std::span<float> out) {
  const size_t count = static_cast<size_t>(rows);
  const size_t positions = count * static_cast<size_t>(layout_.shape.horizon);
  TC_CHECK_EQ(states.size(), count * state_floats());
  TC_CHECK_EQ(statics.size(), count * static_cast<size_t>(layout_.shape.statics));
  TC_CHECK_EQ(ids.size(), count);
  TC_CHECK_EQ(known.size(), positions * static_cast<size_t>(layout_.shape.known));
  TC_CHECK_EQ(base.size(), positions * kLevelCount);
  TC_CHECK_EQ(out.size(), positions * kLevelCount);
  for (const uint32_t id : ids) TC_CHECK_LT(id, static_cast<uint32_t>(layout_.shape.id_buckets));
  if (rows > 0) serving_->Correct(rows, states, statics, ids, known, base, out);
}

void ResidualNetTorch::Rerun(int rows, std::span<const float> inputs, std::span<const float> mask,
                             std::span<float> states) {
  const size_t steps = static_cast<size_t>(rows) * static_cast<size_t>(layout_.shape.window);
  TC_CHECK_EQ(inputs.size(), steps * static_cast<size_t>(layout_.shape.inputs));
  TC_CHECK_EQ(mask.size(), steps);
  TC_CHECK_EQ(states.size(), static_cast<size_t>(rows) * state_floats());
  if (rows > 0) serving_->Rerun(rows, inputs, mask, states);
}

void ResidualNetTorch::CheckBatch(const NetBatch& batch) const {
  const NetShape& shape = layout_.shape;
  TC_CHECK_GE(batch.rows, 0);
  const size_t rows = static_cast<size_t>(batch.rows);
  const size_t steps = rows * static_cast<size_t>(shape.window);
  const size_t origins = rows * static_cast<size_t>(shape.positions);
  const size_t positions = origins * static_cast<size_t>(shape.horizon);
  TC_CHECK_EQ(batch.inputs.size(), steps * static_cast<size_t>(shape.inputs));
  TC_CHECK_EQ(batch.input_mask.size(), steps);
  TC_CHECK_EQ(batch.statics.size(), origins * static_cast<size_t>(shape.statics));
  TC_CHECK_EQ(batch.ids.size(), rows);
  TC_CHECK_EQ(batch.known.size(), positions * static_cast<size_t>(shape.known));
  TC_CHECK_EQ(batch.base.size(), positions * kLevelCount);
  TC_CHECK_EQ(batch.target.size(), positions);
  TC_CHECK_EQ(batch.mask.size(), positions);
  TC_CHECK_EQ(batch.weight.size(), rows);
  for (const uint32_t id : batch.ids) TC_CHECK_LT(id, static_cast<uint32_t>(shape.id_buckets));
}

NetLoss ResidualNetTorch::Learn(const NetBatch& batch, double learning_rate_factor) {
  CheckBatch(batch);
  const BatchLoss result =
      OnDevice([&](NetBackend& backend) { return backend.Differentiate(optimiser_.weights(), batch, gradient_); });
  NetLoss out{.loss = result.loss, .base_loss = result.base_loss};
  if (result.labels == 0.0) return out;
  out.accepted = std::isfinite(result.loss) && optimiser_.Apply(gradient_, learning_rate_factor, &out.gradient_norm);
  if (out.accepted) PublishAverage();
  return out;
}

NetLoss ResidualNetTorch::Evaluate(const NetBatch& batch) {
  CheckBatch(batch);
  const BatchLoss result = OnDevice([&](NetBackend& backend) { return backend.Evaluate(batch); });
  return {.loss = result.loss, .base_loss = result.base_loss};
}

void ResidualNetTorch::CheckRows(const NetRows& rows) const {
  TC_CHECK_EQ(rows.inputs.size(), static_cast<size_t>(layout_.shape.inputs));
  TC_CHECK_EQ(rows.known.size(), static_cast<size_t>(layout_.shape.known));
  TC_CHECK_EQ(rows.statics.size(), static_cast<size_t>(layout_.shape.statics));
}

Status ResidualNetTorch::Adopt(std::string_view blob, const NetRows& rows) {
  CheckRows(rows);
  TC_RETURN_IF_ERROR(optimiser_.Adopt(blob, rows));
  PublishAverage();
  return Status::Ok();
}

Status ResidualNetTorch::Blend(std::string_view blob, const NetRows& rows, float share) {
  CheckRows(rows);
  TC_RETURN_IF_ERROR(optimiser_.Blend(blob, rows, share));
  PublishAverage();
  return Status::Ok();
}

Status ResidualNetTorch::Load(std::string_view blob) {
  TC_RETURN_IF_ERROR(optimiser_.Load(blob));
  PublishAverage();
  return Status::Ok();
}

}  // namespace tidecast::net
