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
constexpr uint32_t kVersion = 3;
constexpr uint32_t kLstmVersion = 2;  // as kVersion, always an LSTM or an MLP
constexpr size_t kHeaderBytes = 64;
constexpr size_t kChecksumBytes = 8;

static_assert(std::endian::native == std::endian::little, "the blob is little-endian");

/// Uniform in [-bound, bound] for encoder and decoder; zero for embedding, horizon and output, so that a new net and a
/// new id add nothing; forget and update gates start open.
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
  for (const DenseSegments& segments : layout.dense) uniform(segments.weight, 1 / std::sqrt(segments.weight.rows));
  const int hidden = layout.shape.hidden;
  for (size_t i = 0; layout.shape.encoder == NetEncoder::kGru && i < layout.dense.size(); i += 2)
    std::fill_n(weights->begin() + static_cast<ptrdiff_t>(layout.dense[i].bias.offset) + hidden, hidden, 1.0F);
  for (int layer = 0; layout.is_lstm() && layer < layout.shape.layers; ++layer) {
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
  for (const int value : {s.horizon, s.window, s.inputs, s.known, s.statics, s.hidden, s.layers, s.id_buckets,
                          s.id_width, static_cast<int>(s.encoder)}) {
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

Status NetOptimiser::Read(std::string_view blob, NetShape* shape, State* state) {
  if (blob.size() < kHeaderBytes + kChecksumBytes) return Damaged(fmt::format("{} bytes are too few", blob.size()));
  if (Get<uint32_t>(blob, 0) != kMagic) return Damaged("it does not begin with TCNT");
  if (const auto version = Get<uint32_t>(blob, 4); version != kVersion && version != kLstmVersion) {
    return Status(Code::kVersion, fmt::format("the stored net has format {}, this build reads {} and {}", version,
                                              kLstmVersion, kVersion))
        .WithRemedy("use the build that wrote it, or remove it and let the net learn anew");
  }
  const size_t body = blob.size() - kChecksumBytes;
  if (Get<uint64_t>(blob, body) != Hash64(blob.substr(0, body))) return Damaged("the checksum does not match");
  int* const members[] = {&shape->horizon, &shape->window, &shape->inputs,     &shape->known,   &shape->statics,
                          &shape->hidden,  &shape->layers, &shape->id_buckets, &shape->id_width};
  for (size_t i = 0; i < std::size(members); ++i) *members[i] = Get<int32_t>(blob, 8 + 4 * i);
  const auto encoder = Get<uint32_t>(blob, 44);
  if (encoder > static_cast<uint32_t>(NetEncoder::kAttention)) return Damaged(fmt::format("encoder {}", encoder));
  shape->encoder = static_cast<NetEncoder>(encoder);
  const uint64_t parameters = Get<uint64_t>(blob, 48);
  if (parameters > blob.size() || body != kHeaderBytes + 4 * parameters * sizeof(float)) {
    return Damaged(fmt::format("{} bytes do not hold {} parameters", blob.size(), parameters));
  }
  state->steps = Get<uint64_t>(blob, 56);
  size_t offset = kHeaderBytes;
  for (std::vector<float>* values : {&state->weights, &state->average, &state->first_moment, &state->second_moment}) {
    values->resize(parameters);
    std::memcpy(values->data(), blob.data() + offset, parameters * sizeof(float));
    offset += parameters * sizeof(float);
    if (!AllFinite(*values)) {
      return Status(Code::kNotFinite, "the stored net holds a value that is not finite")
          .WithRemedy("restore it from a savepoint, or remove it and let the net learn anew");
    }
  }
  return Status::Ok();
}

Status NetOptimiser::Load(std::string_view blob) {
  NetShape shape;
  State loaded;
  TC_RETURN_IF_ERROR(Read(blob, &shape, &loaded));
  if (!SameShape(shape, layout_.shape)) {
    return Status(Code::kInvalidShape, fmt::format("the stored net has another shape: stored {}; wanted {}",
                                                   DescribeShape(shape), DescribeShape(layout_.shape)))
        .WithRemedy("restore the options it was made with, or remove it and let the net learn anew");
  }
  if (loaded.weights.size() != layout_.size) {
    return Damaged(fmt::format("{} parameters are not those of its shape", loaded.weights.size()));
  }
  state_ = std::move(loaded);
  return Status::Ok();
}

Status NetOptimiser::CopyRows(std::string_view blob, const NetRows& rows, std::vector<float>* values) const {
  NetShape shape;
  State other;
  TC_RETURN_IF_ERROR(Read(blob, &shape, &other));
  shape.positions = 1;
  TC_RETURN_IF_ERROR(CheckShape(shape));
  const NetLayout from(shape);
  if (other.average.size() != from.size)
    return Damaged(fmt::format("{} parameters are not those of its shape", other.average.size()));
  if (shape.encoder != layout_.shape.encoder || shape.hidden != layout_.shape.hidden ||
      shape.layers != layout_.shape.layers || from.dense.size() != layout_.dense.size()) {
    return Status(Code::kInvalidShape, fmt::format("another net's weights do not fit: theirs {}; wanted {}",
                                                   DescribeShape(shape), DescribeShape(layout_.shape)))
        .WithRemedy("use weights of a net of the same kind, with as many hidden units and layers");
  }
  const auto beyond = [](const std::vector<int>& map, int theirs) {
    return std::any_of(map.begin(), map.end(), [&](int at) { return at >= theirs; });
  };
  if (beyond(rows.inputs, shape.inputs) || beyond(rows.known, shape.known) || beyond(rows.statics, shape.statics))
    return Damaged("more rows have names than there are");
  const auto row = [&](const Segment& own, int own_row, const Segment& their, int their_row) {
    if (their_row < 0 || their_row >= their.rows) return;
    TC_CHECK_EQ(own.columns, their.columns);
    std::copy_n(other.average.begin() + static_cast<ptrdiff_t>(their.offset) + ptrdiff_t{their_row} * their.columns,
                their.columns, values->begin() + static_cast<ptrdiff_t>(own.offset) + ptrdiff_t{own_row} * own.columns);
  };
  const auto all = [&](const Segment& own, const Segment& their) {
    for (int i = 0; i < own.rows; ++i) row(own, i, their, i);
  };
  const auto mapped = [&](const Segment& own, int own_first, const Segment& their, int their_first,
                          const std::vector<int>& map) {
    for (size_t i = 0; i < map.size(); ++i) {
      if (map[i] >= 0) row(own, own_first + static_cast<int>(i), their, their_first + map[i]);
    }
  };
  for (size_t i = 0; i < from.dense.size(); ++i) {
    const Segment &own = layout_.dense[i].weight, &their = from.dense[i].weight;
    if (i > 0) {
      all(own, their);
    } else {
      for (int tap = 0; tap < own.rows / layout_.shape.inputs; ++tap)
        mapped(own, tap * layout_.shape.inputs, their, tap * shape.inputs, rows.inputs);
    }
    all(layout_.dense[i].bias, from.dense[i].bias);
  }
  all(layout_.age_bias, from.age_bias);
  for (int layer = 0; layout_.is_lstm() && layer < shape.layers; ++layer) {
    if (layer == 0) {
      mapped(layout_.layers[0].input, 0, from.layers[0].input, 0, rows.inputs);
    } else {
      all(layout_.layers[layer].input, from.layers[layer].input);
    }
    all(layout_.layers[layer].recurrent, from.layers[layer].recurrent);
    all(layout_.layers[layer].bias, from.layers[layer].bias);
  }
  const int memory = layout_.memory_width();
  for (int i = 0; i < memory; ++i) row(layout_.context, i, from.context, i);
  mapped(layout_.context, memory + layout_.shape.id_width, from.context, memory + shape.id_width, rows.statics);
  mapped(layout_.step, 0, from.step, 0, rows.known);
  for (int i = 0; i < layout_.step_width() - layout_.shape.known; ++i)
    row(layout_.step, layout_.shape.known + i, from.step, shape.known + i);
  for (int h = 0; h < layout_.shape.horizon; ++h)
    row(layout_.horizon_bias, h, from.horizon_bias, std::min(h, shape.horizon - 1));
  all(layout_.output, from.output);
  all(layout_.output_bias, from.output_bias);
  return Status::Ok();
}

Status NetOptimiser::Adopt(std::string_view blob, const NetRows& rows) {
  State adopted;
  adopted.average.assign(layout_.size, 0.0F);
  TC_RETURN_IF_ERROR(CopyRows(blob, rows, &adopted.average));
  const int memory = layout_.memory_width();
  // What no other net can have taught: the embedding's way into the decoder keeps its own random start.
  for (int i = memory; i < memory + layout_.shape.id_width; ++i) {
    const size_t at = layout_.context.offset + static_cast<size_t>(i) * kDecoderWidth;
    std::copy_n(state_.weights.begin() + static_cast<ptrdiff_t>(at), kDecoderWidth,
                adopted.average.begin() + static_cast<ptrdiff_t>(at));
  }
  adopted.weights = adopted.average;
  adopted.first_moment.assign(layout_.size, 0.0F);
  adopted.second_moment.assign(layout_.size, 0.0F);
  state_ = std::move(adopted);
  return Status::Ok();
}

Status NetOptimiser::Blend(std::string_view blob, const NetRows& rows, float share) {
  std::vector<float> theirs = state_.average;
  TC_RETURN_IF_ERROR(CopyRows(blob, rows, &theirs));
  for (size_t i = 0; i < theirs.size(); ++i) {
    const float step = share * (theirs[i] - state_.average[i]);
    state_.average[i] += step;
    state_.weights[i] += step;
  }
  return Status::Ok();
}

}  // namespace tidecast::net
