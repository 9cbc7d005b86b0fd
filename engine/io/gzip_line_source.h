#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/status.h"

namespace tidecast {

/// Reads a file, plain or gzip, line by line.
/// Thread: confined.
class GzipLineSource {
 public:
  /// Errors: kNoInput (not there, a directory), kPermission.
  static Result<GzipLineSource> Open(const std::string& path);

  GzipLineSource(GzipLineSource&&) noexcept = default;

  /// Gives the next line without its '\n' (a '\r' stays); false at the end. A byte order mark at the beginning is left out.
  /// Errors: kData for gzip bytes that are damaged or end too early, kIo.
  Result<bool> NextLine(std::string* line);

 private:
  struct Closer {
    void operator()(void* file) const;
  };
  GzipLineSource(std::string path, void* file);
  Result<bool> Fill();

  std::string path_;
  std::unique_ptr<void, Closer> file_;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  bool first_ = true;
};

}  // namespace tidecast
