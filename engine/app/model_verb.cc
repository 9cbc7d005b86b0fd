#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <nlohmann/json.hpp>

#include "engine/app/error_report.h"
#include "engine/app/verbs.h"
#include "engine/app/weights_file.h"
#include "engine/app/wiring.h"
#include "engine/io/text_file.h"
#include "engine/runtime/model_shelf.h"

namespace tidecast {
namespace {

using Json = nlohmann::ordered_json;

struct ModelFlags {
  std::string config;
  std::string view;
  std::string out;
  std::string file;
  std::optional<int64_t> version;
  bool json = false;
};

struct Opened {
  std::unique_ptr<StateStore> store;
  std::unique_ptr<TaskPlan> plan;
};

Result<Opened> Open(const ModelFlags& flags, StateUse use) {
  TC_ASSIGN_OR_RETURN(EngineOptions options, LoadOptions(flags.config));
  Opened opened;
  TC_ASSIGN_OR_RETURN(opened.store, OpenState(options, use));
  TC_ASSIGN_OR_RETURN(opened.plan, TaskPlan::Make(std::move(options), false, false));
  return opened;
}

void PrintVersions(const Json& net) {
  for (const Json& version : net["versions"]) {
    const bool is_current = version["version"] == net["version"];
    fmt::print("  {} version {}: {}, after {} rounds and {} steps", is_current ? '*' : ' ', version["version"].get<int64_t>(),
               version["origin"].get<std::string>(), version["rounds"].get<int64_t>(), version["steps"].get<int64_t>());
    if (version.contains("loss")) {
      fmt::print("; loss {:.4f}, experts {:.4f}, on {} windows", version["loss"].get<double>(), version["base_loss"].get<double>(), version["windows"].get<int64_t>());
    }
    if (version.contains("from")) fmt::print("; from {}", version["from"].get<std::string>());
    fmt::print("{}\n", is_current && net["moved"].get<bool>() ? "; has learned since" : "");
  }
}

Status List(const ModelFlags& flags) {
  TC_ASSIGN_OR_RETURN(const Opened opened, Open(flags, StateUse::kRead));
  TC_ASSIGN_OR_RETURN(const std::string text, DescribeModels(*opened.store, *opened.plan));
  if (flags.json) {
    fmt::print("{}\n", text);
    return Status::Ok();
  }
  for (const Json& model : Json::parse(text)) {
    fmt::print("view {}: {}, {} rounds\n", model["view"].get<std::string>(), model["model"].get<std::string>(), model["rounds"].get<int64_t>());
    if (model.contains("net")) {
      const Json& net = model["net"];
      fmt::print("  net on {}: weight {:.3f}, {} steps, {} rejected\n", net["device"].get<std::string>(), net["weight"].get<double>(), net["steps"].get<int64_t>(),
                 net["rejected"].get<int64_t>());
      PrintVersions(net);
    }
    for (const auto& [name, weight] : model["experts"].items()) fmt::print("  {:<22} {:.3f}\n", name, weight.get<double>());
  }
  return Status::Ok();
}

Status Export(const ModelFlags& flags) {
  TC_ASSIGN_OR_RETURN(const Opened opened, Open(flags, StateUse::kRead));
  TC_ASSIGN_OR_RETURN(const std::string weights, ExportWeights(*opened.store, *opened.plan, flags.view));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<TextFile> file, TextFile::Create(flags.out, false));
  file->Write(weights);
  TC_RETURN_IF_ERROR(file->Close());
  fmt::print(stderr, "{} bytes of weights in {}; a new net begins there with model.weights or `tidecast backtest --weights`\n", weights.size(), flags.out);
  return Status::Ok();
}

Status Import(const ModelFlags& flags) {
  TC_ASSIGN_OR_RETURN(const std::string weights, ReadWeightsFile(flags.file));
  TC_ASSIGN_OR_RETURN(const Opened opened, Open(flags, StateUse::kWrite));
  Result<std::string> changed = ImportWeights(*opened.store, *opened.plan, flags.view, weights, flags.file);
  if (!changed.ok()) return std::move(changed).status().In(fmt::format("the weights of {} cannot be taken", flags.file));
  const Json net = Json::parse(*changed)["net"];
  PrintVersions(net);
  fmt::print(stderr, "the net goes on from the imported weights, version {}, with the next start\n", net["version"].get<int64_t>());
  return Status::Ok();
}

Status RollBack(const ModelFlags& flags) {
  TC_ASSIGN_OR_RETURN(const Opened opened, Open(flags, StateUse::kWrite));
  TC_ASSIGN_OR_RETURN(const std::string changed, RollBackWeights(*opened.store, *opened.plan, flags.view, flags.version));
  const Json net = Json::parse(changed)["net"];
  PrintVersions(net);
  fmt::print(stderr, "the net goes on from version {} with the next start\n", net["version"].get<int64_t>());
  return Status::Ok();
}

using Work = Status (*)(const ModelFlags&);

CLI::App* Add(CLI::App* to, const char* name, const char* what, const std::shared_ptr<ModelFlags>& flags, Work work, int* exit_code) {
  CLI::App* verb = to->add_subcommand(name, what);
  verb->add_option("--config,-c", flags->config, "config file")->required();
  verb->callback([flags, work, exit_code] {
    if (Status status = work(*flags); !status.ok()) *exit_code = ReportError(status);
  });
  return verb;
}

}  // namespace

void AddModelVerb(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<ModelFlags>();
  CLI::App* model = app.add_subcommand("model", "Show what the models have learned; take the net's weights along, bring others, go back");
  model->require_subcommand(1);
  CLI::App* list = Add(model, "list", "Show each view's model: rounds, weights of the experts, the net's steps and versions", flags, List, exit_code);
  list->add_flag("--json", flags->json, "as JSON");
  CLI::App* save = Add(model, "export", "Write the net's weights, for a new net to begin with (model.weights)", flags, Export, exit_code);
  save->add_option("--out,-o", flags->out, "file for the weights, e.g. shop.tcnw")->required();
  CLI::App* import = Add(model, "import", "Let the net go on from the weights of a file; the engine must not run", flags, Import, exit_code);
  import->add_option("file", flags->file, "of `tidecast model export` or `tidecast pretrain`")->required();
  CLI::App* roll_back = Add(model, "rollback", "Let the net go on from a version that was kept; the engine must not run", flags, RollBack, exit_code);
  roll_back->add_option("version", flags->version, "as `tidecast model list` shows it; default: the one before");
  for (CLI::App* verb : {save, import, roll_back}) verb->add_option("--view", flags->view, "whose net, where several views are forecast");
}

}  // namespace tidecast
