#include "state/rocks_status.h"

#include <fmt/format.h>

#include <string>

namespace tidecast {
namespace {

bool Says(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

Status FromRocks(const rocksdb::Status& status, std::string_view doing, std::string_view directory) {
  if (status.ok()) return Status::Ok();
  const std::string text = status.ToString();
  const auto make = [&](Code code, std::string_view reason, Retry retry, std::string remedy) {
    return Status(code, fmt::format("{}: {}: {} ({})", doing, reason, directory, text), Domain::kExternal, retry)
        .WithRemedy(std::move(remedy));
  };
  if (status.IsNoSpace() || Says(text, "No space left on device") || Says(text, "Disk quota exceeded") ||
      Says(text, "File too large")) {
    return make(Code::kNoSpace, "the disk is full", Retry::kBackoff,
                "free some space on the disk of the state directory and start again: what was committed is there, nothing is lost");
  }
  if (Says(text, "LOCK") && (Says(text, "lock") || Says(text, "Resource temporarily unavailable"))) {
    return make(Code::kFenced, "another process holds the state directory", Retry::kNever,
                "stop the other process, or give this one a state directory of its own");
  }
  if (Says(text, "Permission denied") || Says(text, "Read-only file system") || Says(text, "Operation not permitted")) {
    return make(Code::kPermission, "the state directory cannot be written", Retry::kNever,
                "give this user the right to write there, or choose another state directory");
  }
  if (status.IsCorruption()) {
    return make(Code::kCorruption, "stored bytes are damaged", Retry::kNever,
                "check the disk, then restore the state from a savepoint or from the changelog");
  }
  if (status.IsNotFound() || status.IsPathNotFound()) {
    return make(Code::kNotFound, "nothing is there", Retry::kNever, "check the path of the state directory");
  }
  return make(Code::kIo, "the disk or file system failed", Retry::kNever, "look at the system's log for this disk");
}

}  // namespace tidecast
