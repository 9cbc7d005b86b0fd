#pragma once

#include <memory>
#include <span>

#include "models/torch/net_layout.h"
#include "models/torch/packed_windows.h"

namespace tidecast::net {

/// An encoder other than the LSTM over windows that are learnt from, differentiated by autograd on the CPU.
/// Thread: confined.
class EncoderTape {
 public:
  virtual ~EncoderTape() = default;
  /// Fills memory [positions, rows, hidden] at the encoder's parameters (the layout's first encoder_size).
  virtual void Forward(std::span<const float> parameters, const PackedWindows& windows, bool learn,
                       std::span<float> memory) = 0;
  /// Adds to gradient [encoder_size]. REQUIRES: Forward with `learn` came before. d_memory: as memory.
  virtual void Backward(std::span<const float> d_memory, std::span<float> gradient) = 0;
};

std::unique_ptr<EncoderTape> MakeEncoderTape(const NetLayout& layout);

}  // namespace tidecast::net
