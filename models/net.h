#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/forecast.h"
#include "engine/core/status.h"

namespace tidecast {

/// What reads a series's past. LSTM and GRU carry a state from bucket to bucket; the others read their window anew.
enum class NetEncoder : uint8_t { kLstm = 0, kGru = 1, kTcn = 2, kAttention = 3 };

/// Shapes of a net; fixed for its life. The plain C++ face of the torch module: no torch type passes here.
struct NetShape {
  int horizon = 14;
  int window = 42;    ///< time steps of a training window
  int positions = 1;  ///< newest steps of a training window that forecast all horizons; no parameter depends on it
  int inputs = 0;     ///< width of one input step
  int known = 0;    ///< width of what is known ahead for one future step (calendar, covariates, horizon code excluded)
  int statics = 0;  ///< width of per-series static inputs (e.g. log scale)
  NetEncoder encoder = NetEncoder::kLstm;
  int hidden = 64;
  int layers = 1;         ///< recurrent layers; 0: no memory but the inputs of the decoder (an MLP); 1 unless recurrent
  int id_buckets = 4096;  ///< rows of the hashed id embedding
  int id_width = 8;
};

/// Whether Advance moves a state; if not, each bucket needs Rerun.
constexpr bool CarriesState(const NetShape& shape) {
  return shape.encoder == NetEncoder::kLstm || shape.encoder == NetEncoder::kGru;
}

/// Floats of a series's state: what is carried (h and c of each LSTM layer, h of each GRU layer), or what the decoder
/// reads of the window.
constexpr size_t StateFloats(const NetShape& shape) {
  const size_t layers = static_cast<size_t>(shape.layers) * (shape.encoder == NetEncoder::kLstm ? 2 : 1);
  return layers * static_cast<size_t>(shape.hidden);
}

struct NetOptions {
  NetShape shape;
  uint64_t seed = 7;
  std::string device = "auto";  ///< auto | cpu | cuda
  double learning_rate = 2e-3;
  double gradient_clip = 1.0;
  double weight_anchor = 1e-5;  ///< L2 towards the last accepted weights
  double average_decay = .995;  ///< of the averaged weights that serve
};

/// A batch of training windows. Row-major float32; `mask` 0 drops a label from the loss.
/// All values are scaled by the series's own causal scale before they come here.
struct NetBatch {
  int rows = 0;
  std::vector<float> inputs;      ///< [rows, window, inputs]
  std::vector<float> input_mask;  ///< [rows, window] 0 = step before birth or missing
  std::vector<float> statics;     ///< [rows, positions, statics]
  std::vector<uint32_t> ids;      ///< [rows] hashed id, < id_buckets; 0 = dropped
  std::vector<float> known;       ///< [rows, positions, horizon, known]
  std::vector<float> base;        ///< [rows, positions, horizon, kLevelCount] base quantiles, scaled, non-decreasing
  std::vector<float> target;      ///< [rows, positions, horizon] scaled actuals
  std::vector<float> mask;        ///< [rows, positions, horizon] weight of a label beside `weight`; 0 = none
  std::vector<float> weight;      ///< [rows] loss weight
};

/// For each row of the own matrices of inputs, known and statics: the other net's row of the same meaning, or -1.
struct NetRows {
  std::vector<int> inputs, known, statics;
};

struct NetLoss {
  double loss = 0;           ///< mean weighted pinball of the net
  double base_loss = 0;      ///< the same of the base
  double gradient_norm = 0;  ///< before clipping
  bool accepted = true;      ///< false: non-finite loss, gradient or weight; nothing was changed
};

/// A quantile net that corrects base quantiles: quantile = sort(base * exp(a) + b), a and b zero at birth, so that a
/// new net returns the base to the bit (given a sorted base). Deterministic: same shape, seed, device kind and calls
/// give the same bits; Forward's result for a row does not depend on the other rows of the batch. Thread: confined, but
/// Advance and Correct may run side by side on different rows.
class ResidualNet {
 public:
  virtual ~ResidualNet() = default;
  /// StateFloats of the shape.
  virtual size_t state_floats() const = 0;
  /// Moves the carried state by one step. inputs [rows, inputs], states [rows, state_floats()], mask [rows] (0: state
  /// unchanged). REQUIRES: CarriesState.
  virtual void Advance(int rows, std::span<const float> inputs, std::span<const float> mask,
                       std::span<float> states) = 0;
  /// states [rows, state_floats()], statics [rows, statics], ids [rows], known [rows, horizon, known], base and out
  /// [rows, horizon, kLevelCount].
  virtual void Correct(int rows, std::span<const float> states, std::span<const float> statics,
                       std::span<const uint32_t> ids, std::span<const float> known, std::span<const float> base,
                       std::span<float> out) = 0;
  /// Re-runs whole windows from a zero state: fills states [rows, state_floats()] from inputs [rows, window, inputs].
  virtual void Rerun(int rows, std::span<const float> inputs, std::span<const float> mask, std::span<float> states) = 0;
  /// One optimiser step. Rejected updates leave every weight and moment as they were.
  virtual NetLoss Learn(const NetBatch& batch, double learning_rate_factor) = 0;
  /// Loss of the serving weights without learning.
  virtual NetLoss Evaluate(const NetBatch& batch) = 0;

  /// Weights, averaged weights, optimiser moments and step count in one versioned blob (see models/FORMAT.md).
  virtual void Save(std::string* out) const = 0;
  virtual Status Load(std::string_view blob) = 0;  ///< kVersion, kInvalidShape, kCorruption, kNotFinite
  /// Begins from the averaged weights in another net's blob, whose shape may differ in all but encoder, hidden and
  /// layers: rows go where `rows` says that they mean the same, new ones are zero, ids are forgotten. Errors: as Load.
  virtual Status Adopt(std::string_view blob, const NetRows& rows) = 0;
  /// Moves the weights by `share` of the way to another net's averaged ones, in the rows that mean the same; the
  /// others, ids and moments stay. Errors: as Adopt; then nothing was changed.
  virtual Status Blend(std::string_view blob, const NetRows& rows, float share) = 0;
  virtual std::string device() const = 0;  ///< "cpu", "cuda:0"
};

/// Loads the module (dlopen, once a process) and makes a net in it.
/// Errors: kNotFound with the path tried and the loader's words; kInvalidArgument for a device that is not there.
Result<std::unique_ptr<ResidualNet>> LoadNet(const std::string& module_path, const NetOptions& options);

}  // namespace tidecast
