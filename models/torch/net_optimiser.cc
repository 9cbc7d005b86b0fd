#include "models/torch/net_optimiser.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "engine/core/hash.h"

namespace tidecast::net {
namespace {

constexpr double kMomentDecay = .9;
constexpr double kSquareDecay = .999;
constexpr double kEpsilon = 1e-8;

constexpr uint32_t kMagic = 0x544E4354;  // "TCNT"
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 64;
constexpr size_t kChecksumBytes = 8;

static_assert(std::endian::native == std::endian::little, "the blob is little-endian");

/// Uniform in [-bound, bound] for LSTM and decoder; zero for embedding, horizon and output, so that a new net and a new
/// id add nothing; forget gates start open.
void Initialise(const NetLayout& layout, uint64_t seed, std::vector<float>* weights) {
  weights->assign(layout.size, 0.0F);
  uint64_t purpose = 0;
  const auto uniform = [&](const Segment& segment, double bound) {
    ++purpose;
    for (size_t i = 0; i < segment.size(); ++i) {
      const double u = UniformAt(seed, purpose, static_cast<int64_t>(i));
      (*weights)[segment.offset + i] = static_cast<float>((2 * u - 1) * bound);
    }
  };
  const int hidden = layout.shape.hidden;
  for (int layer = 0; layer < layout.shape.layers; ++layer) {
    const LayerSegments& segments = layout.layers[layer];
    uniform(segments.input, 1 / std::sqrt(layout.layer_inputs(layer)));
    uniform(segments.recurrent, 1 / std::sqrt(hidden));
    std::fill_n(weights->begin() + static_cast<ptrdiff_t>(segments.bias.offset) + hidden, hidden, 1.0F);
  }
  uniform(layout.context, 1 / std::sqrt(layout.context_width()));
  uniform(layout.step, 1 / std::sqrt(layout.step_width()));
}

bool AllFinite(std::span<const float> values) {
  float sum = 0;  // x * 0 is 0 for a finite x and NaN for all else
  for (const float value : values) sum += value * 0.0F;
  return sum == 0.0F;
}

template <typename T>
void Put(std::string* out, const T& value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

template <typename T>
T Get(std::string_view blob, size_t offset) {
  T value;
  std::memcpy(&value, blob.data() + offset, sizeof(T));
  return value;
}

Status Damaged(std::string_view what) {
  return Status(Code::kCorruption, fmt::format("the stored net is damaged: {}", what))
      .WithRemedy("restore it from a savepoint, or remove it and let the net learn anew");
}

}  // namespace

NetOptimiser::NetOptimiser(const NetLayout& layout, const NetOptions& options) : layout_(layout), options_(options) {
  Initialise(layout, options.seed, &state_.weights);
  state_.average = state_.weights;
  state_.first_moment.assign(layout.size, 0.0F);
  state_.second_moment.assign(layout.size, 0.0F);
  next_ = state_;
}

bool NetOptimiser::Apply(std::span<float> gradient, double learning_rate_factor, double* norm) {
  TC_CHECK_EQ(gradient.size(), layout_.size);
  double squares = 0;
  const float anchor = static_cast<float>(2 * options_.weight_anchor);
  for (size_t i = 0; i < gradient.size(); ++i) {
    squares += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
    gradient[i] += anchor * (state_.weights[i] - state_.average[i]);
  }
  *norm = std::sqrt(squares);
  const double rate = options_.learning_rate * learning_rate_factor;
  if (!std::isfinite(*norm) || !std::isfinite(rate)) return false;

  const float clip = *norm > options_.gradient_clip ? static_cast<float>(options_.gradient_clip / *norm) : 1.0F;
  const double t = static_cast<double>(state_.steps + 1);
  const float step_size = static_cast<float>(rate / (1 - std::pow(kMomentDecay, t)));
  const float square_scale = static_cast<float>(1 / (1 - std::pow(kSquareDecay, t)));
  const float follow = static_cast<float>(1 - std::min(options_.average_decay, (1 + t) / (10 + t)));
  constexpr float kMoment = static_cast<float>(kMomentDecay);
  constexpr float kSquare = static_cast<float>(kSquareDecay);
  for (size_t i = 0; i < gradient.size(); ++i) {
    const float g = gradient[i] * clip;
    const float first = kMoment * state_.first_moment[i] + (1 - kMoment) * g;
    const float second = kSquare * state_.second_moment[i] + (1 - kSquare) * g * g;
    const float weight = state_.weights[i] - step_size * first / (std::sqrt(second * square_scale) + float{kEpsilon});
    next_.first_moment[i] = first;
    next_.second_moment[i] = second;
    next_.weights[i] = weight;
    next_.average[i] = state_.average[i] + follow * (weight - state_.average[i]);
  }
  if (!AllFinite(next_.weights) || !AllFinite(next_.average) || !AllFinite(next_.first_moment) ||
      !AllFinite(next_.second_moment)) {
    return false;
  }
  next_.steps = state_.steps + 1;
  std::swap(state_, next_);
  return true;
}

void NetOptimiser::Save(std::string* out) const {
  out->clear();
  out->reserve(kHeaderBytes + 4 * layout_.size * sizeof(float) + kChecksumBytes);
  const NetShape& s = layout_.shape;
  Put(out, kMagic);
  Put(out, kVersion);
  for (const int value :
       {s.horizon, s.window, s.inputs, s.known, s.statics, s.hidden, s.layers, s.id_buckets, s.id_width, 0}) {
    Put(out, static_cast<int32_t>(value));
  }
  Put(out, static_cast<uint64_t>(layout_.size));
  Put(out, state_.steps);
  TC_CHECK_EQ(out->size(), kHeaderBytes);
  for (const std::vector<float>* values :
       {&state_.weights, &state_.average, &state_.first_moment, &state_.second_moment}) {
    out->append(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(float));
  }
  Put(out, Hash64(*out));
}

Status NetOptimiser::Load(std::string_view blob) {
  if (blob.size() < kHeaderBytes + kChecksumBytes) return Damaged(fmt::format("{} bytes are too few", blob.size()));
  if (Get<uint32_t>(blob, 0) != kMagic) return Damaged("it does not begin with TCNT");
  if (const auto version = Get<uint32_t>(blob, 4); version != kVersion) {
    return Status(Code::kVersion, fmt::format("the stored net has format {}, this build reads {}", version, kVersion))
        .WithRemedy("use the build that wrote it, or remove it and let the net learn anew");
  }
  const size_t body = blob.size() - kChecksumBytes;
  if (Get<uint64_t>(blob, body) != Hash64(blob.substr(0, body))) return Damaged("the checksum does not match");
  NetShape shape;
  int* const members[] = {&shape.horizon, &shape.window, &shape.inputs,     &shape.known,   &shape.statics,
                          &shape.hidden,  &shape.layers, &shape.id_buckets, &shape.id_width};
  for (size_t i = 0; i < std::size(members); ++i) *members[i] = Get<int32_t>(blob, 8 + 4 * i);
  if (!SameShape(shape, layout_.shape)) {
    return Status(Code::kInvalidShape, fmt::format("the stored net has another shape: stored {}; wanted {}",
                                                   DescribeShape(shape), DescribeShape(layout_.shape)))
        .WithRemedy("restore the options it was made with, or remove it and let the net learn anew");
  }
  const size_t bytes = layout_.size * sizeof(float);
  if (Get<uint64_t>(blob, 48) != layout_.size || body != kHeaderBytes + 4 * bytes) {
    return Damaged(fmt::format("{} bytes do not hold {} parameters", blob.size(), layout_.size));
  }
  State loaded;
  loaded.steps = Get<uint64_t>(blob, 56);
  size_t offset = kHeaderBytes;
  for (std::vector<float>* values : {&loaded.weights, &loaded.average, &loaded.first_moment, &loaded.second_moment}) {
    values->resize(layout_.size);
    std::memcpy(values->data(), blob.data() + offset, bytes);
    offset += bytes;
    if (!AllFinite(*values)) {
      return Status(Code::kNotFinite, "the stored net holds a value that is not finite")
          .WithRemedy("restore it from a savepoint, or remove it and let the net learn anew");
    }
  }
  state_ = std::move(loaded);
  return Status::Ok();
}

}  // namespace tidecast::net
