// Loading a net module:
//   1. the first path that can be opened wins (RTLD_LOCAL: the module's 288 libraries stay out of our symbol space);
//   2. its entry must have been built against the same net.h;
//   3. the handle is kept for the life of the process, since nets and their code live in it.
#include "models/net_loader.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>

#include "models/net_module.h"

namespace tidecast {
namespace {

constexpr const char* kRemedy =
    "build the target tidecast_torch, name the module with model.module, or do without the net: model: experts";

Result<const NetModuleEntry*> Open(const std::string& module_path) {
  std::string tried;
  for (const std::string& path : NetModulePaths(module_path)) {
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* words = ::dlerror();
      tried += fmt::format("{}{}: {}", tried.empty() ? "" : "; ", path, words != nullptr ? words : "unknown");
      continue;
    }
    const auto* entry = static_cast<const NetModuleEntry*>(::dlsym(handle, kNetModuleSymbol));
    if (entry == nullptr) {
      return Status(Code::kNotFound, fmt::format("this file is not a net module: {} lacks {}", path, kNetModuleSymbol),
                    Domain::kExternal)
          .WithRemedy(kRemedy);
    }
    if (entry->abi != kNetModuleAbi) {
      return Status(Code::kVersion,
                    fmt::format("the net module was built for another version: {} has {:#x}, wanted {:#x}", path,
                                entry->abi, kNetModuleAbi),
                    Domain::kExternal)
          .WithRemedy("build binary and module from the same sources");
    }
    return entry;
  }
  return Status(Code::kNotFound, fmt::format("the net module cannot be loaded: {}", tried), Domain::kExternal)
      .WithRemedy(kRemedy);
}

}  // namespace

std::vector<std::string> NetModulePaths(const std::string& module_path) {
  if (!module_path.empty()) return {module_path};
  std::error_code error;
  const std::filesystem::path executable = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {kNetModuleFile};
  const std::filesystem::path folder = executable.parent_path();
  return {(folder / kNetModuleFile).string(),
          (folder.parent_path() / "lib" / "tidecast" / kNetModuleFile).lexically_normal().string()};
}

Status FindNetModule(const std::string& module_path) {
  std::string tried;
  for (const std::string& path : NetModulePaths(module_path)) {
    if (::access(path.c_str(), R_OK) == 0 || path.find('/') == std::string::npos) return Status::Ok();
    tried += fmt::format("{}{}: {}", tried.empty() ? "" : "; ", path, std::strerror(errno));
  }
  return Status(Code::kNotFound, fmt::format("the net module cannot be loaded: {}", tried), Domain::kExternal)
      .WithRemedy(kRemedy);
}

Result<std::unique_ptr<ResidualNet>> LoadNet(const std::string& module_path, const NetOptions& options) {
  // Guards the modules opened so far; a failure is not kept, so that a module put in place later is found.
  static std::mutex mutex;
  // Never destroyed: a thread may still load a net while the process ends.
  static auto& opened = *new std::map<std::string, const NetModuleEntry*>();
  const NetModuleEntry* entry = nullptr;
  {
    const std::lock_guard lock(mutex);
    if (const auto found = opened.find(module_path); found != opened.end()) {
      entry = found->second;
    } else {
      TC_ASSIGN_OR_RETURN(entry, Open(module_path));
      opened.emplace(module_path, entry);
    }
  }
  return entry->make(options);
}

}  // namespace tidecast
