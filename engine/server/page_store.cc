#include "engine/server/page_store.h"

#include <fmt/format.h>
#include <zlib.h>

#include <fstream>
#include <iterator>

#include "engine/core/hash.h"
#include "engine/server/page_files.h"

namespace tidecast {
namespace {

std::string EtagOf(std::string_view bytes) { return fmt::format("\"{:016x}\"", Hash64(bytes)); }

HttpReply NothingAt(const std::string& path) {
  return Problem(404, "not_found", "There is nothing at this path: " + path, "see /api/openapi.json for what there is");
}

}  // namespace

std::string_view ContentTypeOf(std::string_view path) {
  const size_t dot = path.rfind('.');
  const std::string_view ending = dot == std::string_view::npos ? "" : path.substr(dot + 1);
  if (ending == "html") return "text/html; charset=utf-8";
  if (ending == "js") return "text/javascript; charset=utf-8";
  if (ending == "css") return "text/css; charset=utf-8";
  if (ending == "svg") return "image/svg+xml";
  if (ending == "json") return "application/json";
  if (ending == "png") return "image/png";
  if (ending == "woff2") return "font/woff2";
  return "application/octet-stream";
}

std::string Gzip(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) return "";
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int outcome = deflate(&stream, Z_FINISH);
  out.resize(outcome == Z_STREAM_END ? stream.total_out : 0);
  deflateEnd(&stream);
  return out;
}

bool AcceptsGzip(std::string_view accept_encoding) {
  const size_t at = accept_encoding.find("gzip");
  if (at == std::string_view::npos) return false;
  std::string_view rest = accept_encoding.substr(at + 4);
  rest = rest.substr(0, rest.find(','));
  const size_t q = rest.find("q=");
  return q == std::string_view::npos || rest.substr(q + 2).find_first_of("123456789") != std::string_view::npos;
}

PageStore::PageStore(std::string ui_directory) : ui_directory_(std::move(ui_directory)) {
  for (const PageFile& file : EmbeddedPageFiles()) {
    File row{file.bytes, Gzip(file.bytes), EtagOf(file.bytes)};
    if (row.gzip.size() >= row.bytes.size()) row.gzip.clear();
    files_[std::string(file.path)] = std::move(row);
  }
}

HttpReply PageStore::Answer(const HttpRequest& request, const std::string& path) const {
  const std::string name = path == "/" ? "/index.html" : path;
  if (!ui_directory_.empty()) {
    HttpReply reply;
    reply.content_type = ContentTypeOf(name);
    // One directory, no way out of it: no second slash, no leading dot, no NUL.
    const bool plain = name.find('/', 1) == std::string::npos && name.size() > 1 && name[1] != '.' &&
                       name.find('\0') == std::string::npos;
    std::ifstream file;
    if (plain) file.open(ui_directory_ + name, std::ios::binary);
    if (!file.is_open()) return NothingAt(path);
    reply.body.assign(std::istreambuf_iterator<char>(file), {});
    reply.headers.emplace_back("Cache-Control", "no-store");
    return reply;
  }
  return AnswerEmbedded(request, name);
}

HttpReply PageStore::AnswerEmbedded(const HttpRequest& request, const std::string& name) const {
  const auto it = files_.find(name);
  if (it == files_.end()) return NothingAt(name);
  HttpReply reply;
  reply.content_type = ContentTypeOf(name);
  reply.headers.emplace_back("ETag", it->second.etag);
  reply.headers.emplace_back("Cache-Control", "no-cache");
  reply.headers.emplace_back("Vary", "Accept-Encoding");
  if (request.Header("if-none-match").find(it->second.etag) != std::string::npos) {
    reply.status = 304;
    return reply;
  }
  if (!it->second.gzip.empty() && AcceptsGzip(request.Header("accept-encoding"))) {
    reply.headers.emplace_back("Content-Encoding", "gzip");
    reply.body = it->second.gzip;
  } else {
    reply.body = it->second.bytes;
  }
  return reply;
}

}  // namespace tidecast
