#include <fmt/format.h>

#include "models/net_loader.h"
#include "models/stream_forecaster.h"

namespace tidecast {

Result<std::unique_ptr<Forecaster>> MakeForecaster(const ForecasterOptions& options) {
  if (options.horizon < 1 || options.horizon > 1000) {
    return Status(Code::kInvalidArgument, fmt::format("a horizon must lie between 1 and 1000: {}", options.horizon));
  }
  std::unique_ptr<ResidualNet> net;
  LateNet* late = nullptr;
  if (options.net != NetKind::kNone) {
    if (options.horizon > kHistory) {
      return Status(Code::kInvalidArgument,
                    fmt::format("the net looks at most {} buckets ahead, as far as a series keeps its labels: {}",
                                kHistory, options.horizon))
          .WithRemedy("set model to experts, or choose a shorter horizon or larger buckets");
    }
    NetOptions wanted;
    wanted.shape = NetSeries::ShapeOf(options);
    wanted.seed = options.seed;
    wanted.device = options.device;
    auto make = [options, wanted]() -> Result<std::unique_ptr<ResidualNet>> {
      TC_ASSIGN_OR_RETURN(auto made, LoadNet(options.net_module, wanted));
      if (!options.net_weights.empty()) {
        TC_ASSIGN_OR_RETURN(const NetWeights weights, NetWeights::Decode(options.net_weights));
        TC_RETURN_IF_ERROR(made->Adopt(weights.blob, weights.RowsFor(NetSeries::NamesOf(options))));
      }
      return made;
    };
    if (options.load_net_late) {
      TC_RETURN_IF_ERROR(FindNetModule(options.net_module));
      auto made = std::make_unique<LateNet>(wanted.shape, std::move(make));
      late = made.get();
      net = std::move(made);
    } else {
      TC_ASSIGN_OR_RETURN(net, make());
    }
  }
  auto forecaster = std::make_unique<StreamForecaster>(options, std::move(net), late);
  if (forecaster->shape().state_floats.empty()) {
    return Status(Code::kInvalidArgument, "no expert of the pool has one of the names given");
  }
  if (late == nullptr) TC_RETURN_IF_ERROR(forecaster->Ready());
  return std::unique_ptr<Forecaster>(std::move(forecaster));
}

}  // namespace tidecast
