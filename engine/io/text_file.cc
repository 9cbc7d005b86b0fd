#include "engine/io/text_file.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace tidecast {
namespace {

Status FileStatus(std::string_view what, const std::string& path, int error) {
  const std::string message = std::string(what) + ": " + path + ": " + std::generic_category().message(error);
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Status(Code::kNoSpace, message, Domain::kExternal).WithRemedy("make room, or write to another disk");
    case EACCES:
    case EPERM:
    case EROFS:
      return Status(Code::kPermission, message, Domain::kExternal)
          .WithRemedy("choose a directory that you may write to");
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
      return Status(Code::kInvalidArgument, message, Domain::kInput).WithRemedy("give the path of a folder that is there");
    default:
      return Status(Code::kIo, message, Domain::kExternal);
  }
}

}  // namespace

Status MakeOutputDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return Status::Ok();
  const bool permission = error == std::errc::permission_denied || error == std::errc::read_only_file_system;
  const bool in_the_way = error == std::errc::not_a_directory || error == std::errc::file_exists;
  return Status(permission                               ? Code::kPermission
                : in_the_way                             ? Code::kInvalidArgument
                : error == std::errc::no_space_on_device ? Code::kNoSpace
                                                         : Code::kIo,
                fmt::format("cannot make the output directory: {}: {}", path, error.message()), Domain::kExternal)
      .WithRemedy("choose a directory that you may write to with --out");
}

struct TextFile::Gzip {
  z_stream stream{};
  std::array<char, 1 << 16> out;
};

TextFile::TextFile(std::string path, int descriptor, bool gzip) : path_(std::move(path)), descriptor_(descriptor) {
  buffer_.reserve(kBufferBytes + 4096);
  if (!gzip) return;
  gzip_ = std::make_unique<Gzip>();
  // 15 + 16: the largest window, gzip framing; its header has no name and no time.
  TC_CHECK_EQ(deflateInit2(&gzip_->stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
}

TextFile::~TextFile() {
  Close().IgnoreWithReason("whoever wants to know has called Close");
  if (gzip_) deflateEnd(&gzip_->stream);
}

Result<std::unique_ptr<TextFile>> TextFile::Create(const std::string& path, bool gzip) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return FileStatus("cannot create the file", path, errno);
  return std::unique_ptr<TextFile>(new TextFile(path, descriptor, gzip));
}

void TextFile::WriteBytes(const char* bytes, size_t size) {
  while (size > 0 && status_.ok()) {
    const ssize_t written = ::write(descriptor_, bytes, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      status_ = FileStatus("cannot write to the file", path_, errno);
      return;
    }
    bytes += written;
    size -= static_cast<size_t>(written);
  }
}

void TextFile::Compress(bool finish) {
  z_stream& stream = gzip_->stream;
  stream.next_in = reinterpret_cast<Bytef*>(buffer_.data());
  stream.avail_in = static_cast<uInt>(buffer_.size());
  int outcome = Z_OK;
  do {
    stream.next_out = reinterpret_cast<Bytef*>(gzip_->out.data());
    stream.avail_out = static_cast<uInt>(gzip_->out.size());
    outcome = deflate(&stream, finish ? Z_FINISH : Z_NO_FLUSH);
    WriteBytes(gzip_->out.data(), gzip_->out.size() - stream.avail_out);
  } while (status_.ok() && (stream.avail_out == 0 || (finish && outcome == Z_OK)));
}

void TextFile::Flush() {
  if (status_.ok() && descriptor_ >= 0) {
    if (gzip_) {
      Compress(false);
    } else {
      WriteBytes(buffer_.data(), buffer_.size());
    }
  }
  buffer_.clear();
}

Status TextFile::Close() {
  if (descriptor_ < 0) return status_;
  if (gzip_ && status_.ok()) {
    Compress(true);
    buffer_.clear();
  }
  Flush();
  // Some file systems tell a full disk only here.
  if (::close(std::exchange(descriptor_, -1)) != 0 && status_.ok())
    status_ = FileStatus("cannot close the file", path_, errno);
  return status_;
}

}  // namespace tidecast
