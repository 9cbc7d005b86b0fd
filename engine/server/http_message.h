#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/status.h"

namespace tidecast {

/// A request as the routes see it, free of the HTTP library.
struct HttpRequest {
  std::string method;                          ///< "GET", "HEAD", "POST" ...
  std::string path;                            ///< percent-decoded once routing has split it; here still encoded
  std::map<std::string, std::string> query;    ///< decoded; the last one of a name wins
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  /// Value of a query parameter, or `otherwise`.
  std::string Query(const std::string& name, std::string otherwise = "") const;
  std::string Header(const std::string& name) const;
};

/// What a route answers.
struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Percent-decodes; `plus_is_space` for query strings. Malformed escapes stay as they are.
std::string PercentDecode(std::string_view text, bool plus_is_space);

/// Splits a request target "/path?a=b&c" into path (still encoded) and decoded query.
void SplitTarget(std::string_view target, std::string* path, std::map<std::string, std::string>* query);

/// An error as application/problem+json (RFC 9457): type, title, status, detail, remedy.
HttpReply Problem(int status, std::string_view code, std::string_view detail, std::string_view remedy = "");

/// The same for an outcome of ours; the HTTP status follows from its code.
HttpReply Problem(const Status& status);

}  // namespace tidecast
