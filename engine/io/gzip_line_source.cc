#include "engine/io/gzip_line_source.h"

#include <sys/stat.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>

namespace tidecast {
namespace {

constexpr unsigned kBlockBytes = 1U << 18;

gzFile Handle(void* file) { return static_cast<gzFile>(file); }

}  // namespace

void GzipLineSource::Closer::operator()(void* file) const { gzclose_r(Handle(file)); }

GzipLineSource::GzipLineSource(std::string path, void* file) : path_(std::move(path)), file_(file), buffer_(kBlockBytes) {}

Result<GzipLineSource> GzipLineSource::Open(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return Status(Code::kNoInput, fmt::format("no such file: {}", path), Domain::kInput).WithRemedy("check the path; relative paths start at the working directory");
  }
  if (S_ISDIR(info.st_mode)) {
    return Status(Code::kNoInput, fmt::format("not a file but a directory: {}", path), Domain::kInput).WithRemedy("name a file in it");
  }
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) {
    const int error = errno;
    const Code code = error == EACCES ? Code::kPermission : Code::kIo;
    return Status(code, fmt::format("cannot open the file ({}): {}", std::strerror(error), path), Domain::kInput)
        .WithRemedy("make the file readable for the user that runs tidecast");
  }
  gzbuffer(file, kBlockBytes);
  return GzipLineSource(path, file);
}

Result<bool> GzipLineSource::Fill() {
  const int read = gzread(Handle(file_.get()), buffer_.data(), kBlockBytes);
  int error = Z_OK;
  const char* text = gzerror(Handle(file_.get()), &error);
  if (read < 0 || (error != Z_OK && error != Z_STREAM_END)) {
    if (error == Z_ERRNO) return Status(Code::kIo, fmt::format("cannot read the file ({}): {}", std::strerror(errno), path_), Domain::kExternal);
    const std::string_view what = error == Z_BUF_ERROR ? "the gzip file ends too early" : text;
    return Status(Code::kData, fmt::format("the gzip file is damaged ({}): {}", what, path_), Domain::kInput)
        .WithRemedy("copy or download the file again; `gzip -t FILE` tests it");
  }
  begin_ = 0;
  end_ = static_cast<size_t>(read);
  return read > 0;
}

Result<bool> GzipLineSource::NextLine(std::string* line) {
  line->clear();
  bool any = false;
  for (;;) {
    if (begin_ == end_) {
      TC_ASSIGN_OR_RETURN(const bool more, Fill());
      if (!more) break;
    }
    any = true;
    const char* start = buffer_.data() + begin_;
    const void* newline = std::memchr(start, '\n', end_ - begin_);
    if (newline != nullptr) {
      const size_t size = static_cast<size_t>(static_cast<const char*>(newline) - start);
      line->append(start, size);
      begin_ += size + 1;
      break;
    }
    line->append(start, end_ - begin_);
    begin_ = end_;
  }
  if (any && first_) {
    first_ = false;
    if (line->starts_with("\xEF\xBB\xBF")) line->erase(0, 3);
  }
  return any;
}

}  // namespace tidecast
