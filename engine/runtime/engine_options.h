#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/core/time.h"
#include "engine/io/input_options.h"
#include "models/forecaster.h"
#include "operators/alert_options.h"
#include "operators/view_options.h"

namespace tidecast {

enum class TransportKind : uint8_t { kEmbedded, kKafka };

struct ServerOptions {
  bool enabled = true;
  std::string address = "127.0.0.1";
  uint16_t port = 8080;
  bool insecure = false;              ///< allow another address than loopback without authentication
};

/// Everything a config says. Filled by config/config_loader.h, read by engine/app/wiring.cc.
struct EngineOptions {
  std::string name_space = "shop";    ///< prefix of topics: <ns>.forecasts ...
  TransportKind transport = TransportKind::kEmbedded;
  int32_t partitions = 4;             ///< of topics that Tidecast creates
  std::map<std::string, std::string> kafka;  ///< librdkafka's own property names
  std::string instance = "i1";        ///< static member id; transactional.id = <ns>.<instance>
  std::string state_directory = "./tidecast-state";
  std::string weights_path;           ///< where a new net begins; empty: at its base
  size_t memory_limit_bytes = 0;      ///< 0: half of the cgroup or machine
  Duration commit_interval = std::chrono::seconds(1);
  size_t delta_blocks = 4;               ///< an epoch writes a delta where it stands for so many blocks of rows
  size_t epoch_bytes_max = 32ULL << 20;  ///< a config without it: a 16th of the memory limit
  int threads = 0;  ///< 0: as many as there are cores
  std::vector<InputOptions> inputs;
  std::vector<ViewOptions> views;
  ForecasterOptions model;            ///< horizon, seasons and widths are filled from the view
  bool model_enabled = true;
  AlertOptions alerts;
  ServerOptions server;
  std::string pseudonym_key = "tidecast";  ///< of the keyed hash for customer ids
};

}  // namespace tidecast
