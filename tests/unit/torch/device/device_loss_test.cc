#include <gtest/gtest.h>

#include <stdexcept>

#include "models/torch/cpu_backend.h"
#include "models/torch/encoder_tape.h"
#include "models/torch/expression_backend.h"
#include "models/torch/residual_net_torch.h"

namespace tidecast::net {
namespace {

/// What the device of this program does, set by each test.
struct DeviceScript {
  bool present = true;
  bool opens = true;
  int calls_before_loss = 1 << 30;
} script;

/// A "device" with the CPU's arithmetic that is lost after some calls.
class LosableBackend : public CpuBackend {
 public:
  using CpuBackend::CpuBackend;
  void SetServing(std::span<const float> parameters) override {
    Count();
    CpuBackend::SetServing(parameters);
  }
  BatchLoss Differentiate(std::span<const float> parameters, const NetBatch& batch,
                          std::span<float> gradient) override {
    gradient[0] = std::numeric_limits<float>::quiet_NaN();  // half-written when it is lost
    Count();
    return CpuBackend::Differentiate(parameters, batch, gradient);
  }
  BatchLoss Evaluate(const NetBatch& batch) override {
    Count();
    return CpuBackend::Evaluate(batch);
  }
  std::string name() const override { return "cuda:0"; }

 private:
  static void Count() {
    if (script.calls_before_loss-- <= 0) throw std::runtime_error("CUDA error: out of memory\nframe #0 ...");
  }
};

NetOptions Options(const std::string& device) {
  NetOptions options;
  options.shape = {.horizon = 2,
                   .window = 3,
                   .inputs = 2,
                   .known = 1,
                   .statics = 1,
                   .hidden = 8,
                   .layers = 1,
                   .id_buckets = 4,
                   .id_width = 2};
  options.device = device;
  return options;
}

NetBatch Batch() {
  NetBatch batch;
  batch.rows = 1;
  batch.inputs = {.1F, .2F, .3F, .4F, .5F, .6F};
  batch.input_mask = {1, 1, 1};
  batch.statics = {.5F};
  batch.ids = {1};
  batch.known = {.1F, .2F};
  batch.base.assign(2 * kLevelCount, 1);
  batch.target = {2, 3};
  batch.mask = {1, 1};
  batch.weight = {1};
  return batch;
}

std::string Blob(const ResidualNet& net) {
  std::string blob;
  net.Save(&blob);
  return blob;
}

TEST(DeviceLossTest, GoesOnWithTheCpuAtWhateverCallTheDeviceIsLost) {
  for (int calls = 0; calls < 12; ++calls) {
    script = {.calls_before_loss = calls};
    auto lost = ResidualNetTorch::Make(Options("auto"));
    auto cpu = ResidualNetTorch::Make(Options("cpu"));
    ASSERT_TRUE(lost.ok() && cpu.ok());
    for (int step = 0; step < 4; ++step) {
      const NetLoss got = (*lost)->Learn(Batch(), 1);
      EXPECT_TRUE(got.accepted);
      EXPECT_EQ(got.loss, (*cpu)->Learn(Batch(), 1).loss);
      EXPECT_EQ((*lost)->Evaluate(Batch()).loss, (*cpu)->Evaluate(Batch()).loss);
    }
    EXPECT_EQ(Blob(**lost), Blob(**cpu));
    EXPECT_EQ((*lost)->device(), "cpu (device failures: 1; cuda:0 failed: CUDA error: out of memory)");
  }
}

TEST(DeviceLossTest, NamesTheDeviceWhileItWorks) {
  script = {};
  EXPECT_EQ((*ResidualNetTorch::Make(Options("auto")))->device(), "cuda:0");
  EXPECT_EQ((*ResidualNetTorch::Make(Options("cuda:0")))->device(), "cuda:0");
  EXPECT_EQ((*ResidualNetTorch::Make(Options("cpu")))->device(), "cpu");
}

TEST(DeviceLossTest, ADeviceThatDoesNotOpenIsCountedOrRefused) {
  script = {.opens = false};
  EXPECT_EQ((*ResidualNetTorch::Make(Options("auto")))->device(), "cpu (device failures: 1; does not open)");
  EXPECT_EQ(ResidualNetTorch::Make(Options("cuda")).status().code(), Code::kInvalidArgument);
}

TEST(DeviceLossTest, WithoutADeviceAutomaticMeansCpu) {
  script = {.present = false};
  EXPECT_EQ((*ResidualNetTorch::Make(Options("auto")))->device(), "cpu");
  EXPECT_EQ(ResidualNetTorch::Make(Options("cuda")).status().code(), Code::kInvalidArgument);
}

}  // namespace

// In place of expression_backend.cc and encoder_expressions.cc.
std::unique_ptr<EncoderTape> MakeEncoderTape(const NetLayout&) { return nullptr; }
bool CudaIsAvailable() { return script.present; }
void LimitThreads() {}
Result<std::unique_ptr<NetBackend>> MakeExpressionBackend(const NetLayout& layout, const std::string&) {
  if (!script.opens) return Status(Code::kInvalidArgument, "does not open");
  return std::unique_ptr<NetBackend>(std::make_unique<LosableBackend>(layout, BestKernels()));
}

}  // namespace tidecast::net
