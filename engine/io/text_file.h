#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/core/status.h"

namespace tidecast {

/// Makes a folder for results where it is missing. Errors: kPermission, kInvalidArgument (something is in the way), kNoSpace,
/// kIo, each naming the path.
Status MakeOutputDirectory(const std::string& path);

/// A text file that is written from its start to its end, plain or gzip (level 6, no time stamp in the header, so that
/// the same text gives the same bytes). The first trouble is kept: later writes do nothing and Close tells it.
/// Thread: confined.
class TextFile {
 public:
  /// Replaces a file of that name. Errors: kPermission, kNoSpace, kInvalidArgument (no such folder, or a folder of that name), kIo, each naming the path.
  static Result<std::unique_ptr<TextFile>> Create(const std::string& path, bool gzip);
  ~TextFile();
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  void Write(std::string_view text) {
    buffer_.append(text);
    if (buffer_.size() >= kBufferBytes) Flush();
  }
  /// Writes what is buffered and closes. May be called twice.
  Status Close();
  const Status& status() const { return status_; }
  const std::string& path() const { return path_; }

 private:
  struct Gzip;
  static constexpr size_t kBufferBytes = 1 << 18;
  TextFile(std::string path, int descriptor, bool gzip);
  void Flush();
  void WriteBytes(const char* bytes, size_t size);
  void Compress(bool finish);

  std::string path_;
  int descriptor_ = -1;
  std::string buffer_;
  Status status_;
  std::unique_ptr<Gzip> gzip_;
};

}  // namespace tidecast
