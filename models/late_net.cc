#include "models/late_net.h"

#include <chrono>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/core/check.h"

namespace tidecast {
namespace {

constexpr std::chrono::seconds kBehindStart{1};  // until the first commit has been made; unless it is wanted before

}  // namespace

LateNet::LateNet(const NetShape& shape, Make make)
    : state_floats_(StateFloats(shape)),
      coming_(std::async(std::launch::async, [make = std::move(make), wanted = wanted_.get_future()] {
        wanted.wait_for(kBehindStart);
        return make();
      })) {}

LateNet::~LateNet() {
  if (!coming_.valid()) return;
  static std::mutex mutex;
  static std::vector<decltype(coming_)> unused;
  const std::lock_guard lock(mutex);
  unused.push_back(std::move(coming_));
}

Status LateNet::Wait() {
  if (!coming_.valid()) return status_;
  wanted_.set_value();
  auto made = coming_.get();
  if (!made.ok()) {
    status_ = std::move(made).status();
    return status_;
  }
  net_ = std::move(made).value();
  TC_CHECK_EQ(net_->state_floats(), state_floats_);
  return Status::Ok();
}

void LateNet::Advance(int rows, std::span<const float> inputs, std::span<const float> mask, std::span<float> states) {
  net_->Advance(rows, inputs, mask, states);
}

void LateNet::Correct(int rows, std::span<const float> states, std::span<const float> statics,
                      std::span<const uint32_t> ids, std::span<const float> known, std::span<const float> base,
                      std::span<float> out) {
  net_->Correct(rows, states, statics, ids, known, base, out);
}

void LateNet::Rerun(int rows, std::span<const float> inputs, std::span<const float> mask, std::span<float> states) {
  net_->Rerun(rows, inputs, mask, states);
}

NetLoss LateNet::Learn(const NetBatch& batch, double learning_rate_factor) {
  return net_->Learn(batch, learning_rate_factor);
}

NetLoss LateNet::Evaluate(const NetBatch& batch) { return net_->Evaluate(batch); }
void LateNet::Save(std::string* out) const { net_->Save(out); }
Status LateNet::Load(std::string_view blob) { return net_->Load(blob); }
Status LateNet::Adopt(std::string_view blob, const NetRows& rows) { return net_->Adopt(blob, rows); }

Status LateNet::Blend(std::string_view blob, const NetRows& rows, float share) {
  return net_->Blend(blob, rows, share);
}
std::string LateNet::device() const { return net_ == nullptr ? "loading" : net_->device(); }

}  // namespace tidecast
