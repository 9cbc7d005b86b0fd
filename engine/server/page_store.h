#pragma once

#include <map>
#include <string>
#include <string_view>

#include "engine/server/http_message.h"

namespace tidecast {

/// Serves the page's files with ETag and gzip: those embedded in the binary, or, while working on the page, those of a
/// directory, read anew for each request.
/// Thread: immutable after the constructor.
class PageStore {
 public:
  /// `ui_directory`: empty for the embedded files.
  explicit PageStore(std::string ui_directory);
  /// The file for a decoded path; "/" is index.html. 304 when If-None-Match holds; 404 problem for anything unknown.
  HttpReply Answer(const HttpRequest& request, const std::string& path) const;
  /// The same for an embedded file, whatever the directory: "/api/openapi.json".
  HttpReply AnswerEmbedded(const HttpRequest& request, const std::string& name) const;

 private:
  struct File {
    std::string_view bytes;
    std::string gzip;  ///< empty when it would not be smaller
    std::string etag;
  };
  std::string ui_directory_;
  std::map<std::string, File> files_;
};

/// Content type by the name's ending.
std::string_view ContentTypeOf(std::string_view path);
/// RFC 1952 at level 9; empty when zlib refuses.
std::string Gzip(std::string_view bytes);
/// Whether an Accept-Encoding header takes gzip (q=0 refuses).
bool AcceptsGzip(std::string_view accept_encoding);

}  // namespace tidecast
