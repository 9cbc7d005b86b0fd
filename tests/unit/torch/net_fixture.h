#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/hash.h"
#include "models/net.h"

namespace tidecast {

/// A kind of net that the contract must hold for.
struct NetCase {
  const char* name;
  NetEncoder encoder;
  int layers;
};
inline constexpr NetCase kMlp{"Mlp", NetEncoder::kLstm, 0}, kLstm{"Lstm", NetEncoder::kLstm, 1},
    kLstmOfTwo{"LstmOfTwoLayers", NetEncoder::kLstm, 2}, kGru{"Gru", NetEncoder::kGru, 1},
    kGruOfTwo{"GruOfTwoLayers", NetEncoder::kGru, 2}, kTcn{"Tcn", NetEncoder::kTcn, 1},
    kAttention{"Attention", NetEncoder::kAttention, 1};

inline std::string NameOfCase(const testing::TestParamInfo<NetCase>& info) { return info.param.name; }

/// Small shapes and synthetic batches for the net's contract. All numbers are functions of a seed.
class NetFixture {
 public:
  static NetOptions SmallOptions(const std::string& device = "cpu") {
    NetOptions options;
    options.shape = {.horizon = 5,
                     .window = 9,
                     .positions = 3,
                     .inputs = 7,
                     .known = 3,
                     .statics = 2,
                     .hidden = 16,
                     .layers = 1,
                     .id_buckets = 32,
                     .id_width = 4};
    options.device = device;
    return options;
  }

  static NetOptions SmallOptions(const NetCase& kind, const std::string& device = "cpu") {
    NetOptions options = SmallOptions(device);
    options.shape.encoder = kind.encoder;
    options.shape.layers = kind.layers;
    return options;
  }

  static std::unique_ptr<ResidualNet> Make(const NetOptions& options) {
    Result<std::unique_ptr<ResidualNet>> net = LoadNet(TIDECAST_NET_MODULE, options);
    TC_CHECK(net.ok(), "{}", net.status().message());
    return std::move(net).value();
  }

  /// Uniform numbers in [low, high).
  static std::vector<float> Uniform(uint64_t seed, size_t count, float low, float high) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) {
      values[i] = low + (high - low) * static_cast<float>(UniformAt(seed, 1, static_cast<int64_t>(i)));
    }
    return values;
  }

  /// A batch with a base that is half of what comes, masked steps at the start of windows, and some missing labels.
  static NetBatch MakeBatch(const NetShape& shape, int rows, uint64_t seed) {
    const size_t count = static_cast<size_t>(rows);
    const size_t steps = count * static_cast<size_t>(shape.window);
    const size_t origins = count * static_cast<size_t>(shape.positions);
    const size_t positions = origins * static_cast<size_t>(shape.horizon);
    NetBatch batch;
    batch.rows = rows;
    batch.inputs = Uniform(seed + 1, steps * static_cast<size_t>(shape.inputs), -1, 1);
    batch.input_mask.assign(steps, 1);
    batch.statics = Uniform(seed + 2, origins * static_cast<size_t>(shape.statics), -1, 1);
    batch.known = Uniform(seed + 3, positions * static_cast<size_t>(shape.known), -1, 1);
    batch.weight = Uniform(seed + 4, count, .5, 2);
    batch.mask.assign(positions, 1);
    batch.ids.resize(count);
    for (size_t row = 0; row < count; ++row) {
      batch.ids[row] = static_cast<uint32_t>(Mix64(seed + row) % static_cast<uint64_t>(shape.id_buckets));
      for (size_t step = 0; step < row % static_cast<size_t>(shape.window); ++step) {
        batch.input_mask[row * static_cast<size_t>(shape.window) + step] = 0;
      }
    }
    batch.base.resize(positions * kLevelCount);
    batch.target.resize(positions);
    for (size_t i = 0; i < positions; ++i) {
      const double noise = UniformAt(seed + 5, 1, static_cast<int64_t>(i));
      batch.target[i] = static_cast<float>(1 + 2 * noise);
      for (size_t level = 0; level < kLevelCount; ++level) batch.base[i * kLevelCount + level] = .5F + kLevels[level];
      if (i % 7 == 3) batch.mask[i] = 0;
    }
    return batch;
  }

  /// Corrected quantiles of a batch's windows.
  static std::vector<float> Forecast(ResidualNet& net, const NetBatch& batch) {
    std::vector<float> states(static_cast<size_t>(batch.rows) * net.state_floats());
    net.Rerun(batch.rows, batch.inputs, batch.input_mask, states);
    std::vector<float> out(batch.base.size() / Positions(batch));
    net.Correct(batch.rows, states, Newest(batch, batch.statics), batch.ids, Newest(batch, batch.known),
                NewestBase(batch), out);
    return out;
  }

  /// The newest position's part of an array [rows, positions, ...].
  static std::vector<float> Newest(const NetBatch& batch, const std::vector<float>& from) {
    const size_t positions = Positions(batch);
    const size_t width = from.size() / static_cast<size_t>(batch.rows) / positions;
    std::vector<float> newest;
    for (size_t row = 0; row < static_cast<size_t>(batch.rows); ++row) {
      const auto at = from.begin() + static_cast<ptrdiff_t>(((row + 1) * positions - 1) * width);
      newest.insert(newest.end(), at, at + static_cast<ptrdiff_t>(width));
    }
    return newest;
  }
  static std::vector<float> NewestBase(const NetBatch& batch) { return Newest(batch, batch.base); }
  /// All shapes of these tests have the fixture's horizon.
  static size_t Positions(const NetBatch& batch) {
    return batch.mask.size() / static_cast<size_t>(batch.rows * SmallOptions().shape.horizon);
  }

  static std::string Blob(const ResidualNet& net) {
    std::string blob;
    net.Save(&blob);
    return blob;
  }

  // FORMAT.md: header of 64 bytes, then weights, average, first and second moments, then a checksum of 8 bytes.
  static constexpr size_t kHeaderBytes = 64;
  enum Part { kWeights, kAverage, kFirstMoment, kSecondMoment };

  static size_t ParameterCount(const std::string& blob) { return (blob.size() - kHeaderBytes - 8) / 16; }

  static std::vector<float> Read(const std::string& blob, Part part) {
    std::vector<float> values(ParameterCount(blob));
    std::memcpy(values.data(), blob.data() + kHeaderBytes + static_cast<size_t>(part) * values.size() * 4,
                values.size() * 4);
    return values;
  }

  static std::string Write(std::string blob, Part part, const std::vector<float>& values) {
    std::memcpy(blob.data() + kHeaderBytes + static_cast<size_t>(part) * values.size() * 4, values.data(),
                values.size() * 4);
    return Seal(blob);
  }

  /// Renews the checksum.
  static std::string Seal(std::string blob) {
    const uint64_t sum = Hash64(std::string_view(blob).substr(0, blob.size() - 8));
    std::memcpy(blob.data() + blob.size() - 8, &sum, 8);
    return blob;
  }
};

}  // namespace tidecast
