#include "engine/runtime/savepoint.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "state/rocks_store.h"

namespace tidecast {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr std::string_view kHeadFile = "savepoint.json";
constexpr std::string_view kStateFolder = "state";
constexpr std::string_view kHalf = ".half";

Status IoStatus(std::string_view what, const fs::path& path, const std::error_code& error) {
  const Code code = error == std::errc::no_space_on_device  ? Code::kNoSpace
                    : error == std::errc::permission_denied ? Code::kPermission
                                                            : Code::kIo;
  return Status(code, fmt::format("{}: {} ({})", what, path.string(), error.message()), Domain::kExternal)
      .WithRemedy("check the path, its rights and the room on its disk");
}

Status CheckName(const std::string& name) {
  const bool plain =
      !name.empty() && name[0] != '.' && !name.ends_with(kHalf) &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == std::string::npos;
  if (plain) return Status::Ok();
  return Status(Code::kInvalidArgument, fmt::format("not a name for a savepoint: \"{}\"", name), Domain::kInput)
      .WithRemedy("use letters, digits and . _ -");
}

uint64_t BytesBelow(const fs::path& folder) {
  uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(folder, ignored)) {
    if (entry.is_regular_file(ignored)) bytes += entry.file_size(ignored);
  }
  return bytes;
}

Json ToJson(const SavepointHead& head) {
  Json tasks = Json::array();
  for (const StoredTask& task : head.tasks) {
    Json positions = Json::array();
    for (const Position& position : task.positions)
      positions.push_back({{"topic", position.source.topic}, {"next_offset", position.next_offset}});
    tasks.push_back({{"stage", "series"},
                     {"partition", task.id.partition},
                     {"seq", task.seq},
                     {"positions", std::move(positions)}});
  }
  return {{"format", kFormat},
          {"name", head.name},
          {"made_at_us", head.made_at.us},
          {"namespace", head.owner.name_space},
          {"instance", head.owner.instance},
          {"formats", {{"store", head.store_format}}},
          {"tasks", std::move(tasks)}};
}

Result<SavepointHead> ReadHead(const fs::path& folder) {
  const fs::path path = folder / kHeadFile;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return Status(Code::kNotFound, fmt::format("there is no savepoint here: {}", folder.string()), Domain::kInput)
        .WithRemedy("`tidecast savepoint list` shows what there is");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Json json = Json::parse(text, nullptr, false);
  const Status damaged(Code::kCorruption, fmt::format("a savepoint's head is damaged: {}", path.string()),
                       Domain::kExternal);
  if (!json.is_object() || !json.contains("format") || !json["format"].is_number_integer()) return damaged;
  if (const int format = json["format"]; format != kFormat) {
    return Status(Code::kVersion,
                  fmt::format("a savepoint has format {}, this build reads {}: {}", format, kFormat, path.string()))
        .WithRemedy("restore it with the version that made it");
  }
  SavepointHead head;
  try {
    head.name = folder.filename();
    head.made_at = {json.at("made_at_us").get<int64_t>()};
    head.owner = {json.at("namespace").get<std::string>(), json.at("instance").get<std::string>()};
    head.store_format = json.at("formats").at("store").get<uint32_t>();
    for (const Json& row : json.at("tasks")) {
      StoredTask task;
      task.id = {Stage::kSeries, row.at("partition").get<uint16_t>()};
      task.seq = row.at("seq").get<uint64_t>();
      for (const Json& position : row.at("positions")) {
        task.positions.push_back(
            {{position.at("topic").get<std::string>(), task.id.partition}, position.at("next_offset").get<int64_t>()});
      }
      head.tasks.push_back(std::move(task));
    }
  } catch (const Json::exception&) {
    return damaged;
  }
  head.bytes = BytesBelow(folder);
  return head;
}

Status WriteText(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return IoStatus("cannot write", path, std::make_error_code(std::errc::io_error));
  return Status::Ok();
}

}  // namespace

Result<SavepointHead> CreateSavepoint(StateStore& store, const std::string& directory, const std::string& name,
                                      ProcessingTime now) {
  TC_RETURN_IF_ERROR(CheckName(name));
  const fs::path target = fs::path(directory) / name;
  const fs::path half = fs::path(directory) / (name + std::string(kHalf));
  std::error_code error;
  if (fs::exists(target, error)) {
    return Status(Code::kInvalidArgument, fmt::format("there is a savepoint of this name already: {}", target.string()),
                  Domain::kInput)
        .WithRemedy("choose another name, or remove the old one");
  }
  TC_ASSIGN_OR_RETURN(const std::optional<StateOwner> owner, ReadStateOwner(store));
  if (!owner) {
    return Status(Code::kConfig, "the state belongs to no instance yet", Domain::kInput)
        .WithRemedy("run `tidecast run` with this config once");
  }
  SavepointHead head{name, now, *owner, kStoreFormat, {}, 0};
  fs::remove_all(half, error);
  fs::create_directories(half, error);
  if (error) return IoStatus("cannot make a savepoint", half, error);
  TC_RETURN_IF_ERROR(CopyStore(store, (half / kStateFolder).string()));
  {
    // Asked of the copy, not of the store: a commit may have come in between.
    TC_ASSIGN_OR_RETURN(const auto copy, OpenRocksStore({(half / kStateFolder).string(), 16ULL << 20, true}));
    TC_ASSIGN_OR_RETURN(head.tasks, ListStoredTasks(*copy));
  }
  TC_RETURN_IF_ERROR(WriteText(half / kHeadFile, SavepointJson(head)));
  fs::rename(half, target, error);
  if (error) return IoStatus("cannot make a savepoint", target, error);
  head.bytes = BytesBelow(target);
  return head;
}

std::string SavepointJson(const SavepointHead& head) { return ToJson(head).dump(2) + "\n"; }

std::string SavepointsBeside(const std::string& state_directory) {
  fs::path state = fs::path(state_directory).lexically_normal();
  if (!state.has_filename()) state = state.parent_path();
  return state.string() + ".savepoints";
}

std::string SavepointNameOf(ProcessingTime now) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(static_cast<std::time_t>(now.us / 1'000'000)));
}

Result<std::vector<SavepointHead>> ListSavepoints(const std::string& directory) {
  std::vector<SavepointHead> heads;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (!entry.is_directory(error) || !fs::exists(entry.path() / kHeadFile, error) ||
        entry.path().string().ends_with(kHalf))
      continue;
    TC_ASSIGN_OR_RETURN(SavepointHead head, ReadHead(entry.path()));
    heads.push_back(std::move(head));
  }
  std::sort(heads.begin(), heads.end(), [](const SavepointHead& a, const SavepointHead& b) { return a.name < b.name; });
  return heads;
}

Result<SavepointHead> RestoreSavepoint(const std::string& directory, const std::string& name, const StateOwner& owner,
                                       const std::string& state_directory, bool replace) {
  TC_RETURN_IF_ERROR(CheckName(name));
  const fs::path source = fs::path(directory) / name;
  TC_ASSIGN_OR_RETURN(SavepointHead head, ReadHead(source));
  TC_RETURN_IF_ERROR(CheckStateOwner(head.owner, owner, source.string()));
  if (head.store_format > kStoreFormat) {
    return Status(
               Code::kVersion,
               fmt::format("the savepoint is newer than this program: store format {}, formats up to {} are read: {}",
                           head.store_format, kStoreFormat, source.string()))
        .WithRemedy("restore it with the version that made it, or a newer one");
  }
  std::error_code error;
  const fs::path state = fs::path(state_directory).lexically_normal();
  const fs::path half = state.string() + std::string(kHalf);
  const fs::path before = fmt::format("{}.before-{}", state.string(), name);
  const bool is_there = fs::exists(state, error) && !fs::is_empty(state, error);
  if (is_there && !replace) {
    return Status(Code::kInvalidArgument, fmt::format("there is state already: {}", state.string()), Domain::kInput)
        .WithRemedy(fmt::format("--replace moves it to {}", before.string()));
  }
  if (is_there) {
    // Held open, so that no running instance loses its files from below.
    TC_RETURN_IF_ERROR(OpenRocksStore({state.string(), 16ULL << 20, false}).status());
    if (fs::exists(before, error)) {
      return Status(Code::kInvalidArgument,
                    fmt::format("the old state cannot be kept, that name is taken: {}", before.string()),
                    Domain::kInput)
          .WithRemedy("remove it, or move it away");
    }
  }
  fs::remove_all(half, error);
  if (state.has_parent_path()) fs::create_directories(state.parent_path(), error);
  fs::copy(source / kStateFolder, half, fs::copy_options::recursive, error);
  if (error) return IoStatus("cannot copy the savepoint", half, error);
  if (is_there) {
    fs::rename(state, before, error);
  } else {
    fs::remove(state, error);
  }
  if (!error) fs::rename(half, state, error);
  if (error) return IoStatus("cannot put the savepoint in place", state, error);
  return head;
}

}  // namespace tidecast
