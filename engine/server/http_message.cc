#include "engine/server/http_message.h"

#include <nlohmann/json.hpp>

namespace tidecast {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view Title(int status) {
  switch (status) {
    case 400:
      return "The request cannot be understood";
    case 403:
      return "Not allowed";
    case 404:
      return "Not found";
    case 405:
      return "Method not allowed";
    case 408:
      return "The request took too long";
    case 409:
      return "Conflict";
    case 413:
      return "The body is too large";
    case 415:
      return "The content type is not supported";
    case 421:
      return "This host is not served here";
    case 429:
      return "Too many requests";
    case 431:
      return "The header is too large";
    case 503:
      return "Not available now";
    case 504:
      return "Timed out";
    case 507:
      return "No space left";
    default:
      return "Internal error";
  }
}

int HttpStatusOf(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kUsage:
    case Code::kParse:
    case Code::kData:
    case Code::kInvalidShape:
    case Code::kOverflow:
    case Code::kNotFinite:
      return 400;
    case Code::kPermission:
      return 403;
    case Code::kNotFound:
    case Code::kNoInput:
      return 404;
    case Code::kWouldBlock:
      return 429;
    case Code::kUnavailable:
    case Code::kNotReady:
    case Code::kAborted:
    case Code::kFenced:
      return 503;
    case Code::kTimeout:
      return 504;
    case Code::kNoSpace:
      return 507;
    default:
      return 500;
  }
}

}  // namespace

std::string HttpRequest::Query(const std::string& name, std::string otherwise) const {
  const auto it = query.find(name);
  return it == query.end() ? std::move(otherwise) : it->second;
}

std::string HttpRequest::Header(const std::string& name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? std::string() : it->second;
}

std::string PercentDecode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])));
      i += 2;
    } else if (text[i] == '+' && plus_is_space) {
      out.push_back(' ');
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

void SplitTarget(std::string_view target, std::string* path, std::map<std::string, std::string>* query) {
  const size_t mark = target.find('?');
  *path = std::string(target.substr(0, mark));
  query->clear();
  if (mark == std::string_view::npos) return;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const size_t equals = pair.find('=');
    const std::string name = PercentDecode(pair.substr(0, equals), true);
    const std::string value = equals == std::string_view::npos ? "" : PercentDecode(pair.substr(equals + 1), true);
    if (!name.empty()) (*query)[name] = value;
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
}

HttpReply Problem(int status, std::string_view code, std::string_view detail, std::string_view remedy) {
  nlohmann::ordered_json body;
  body["type"] = "about:blank";
  body["title"] = Title(status);
  body["status"] = status;
  body["code"] = code;
  body["detail"] = detail;
  if (!remedy.empty()) body["remedy"] = remedy;
  HttpReply reply;
  reply.status = status;
  reply.content_type = "application/problem+json";
  reply.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return reply;
}

HttpReply Problem(const Status& status) {
  HttpReply reply = Problem(HttpStatusOf(status.code()), CodeName(status.code()), status.message(), status.remedy());
  if (reply.status == 429 || reply.status == 503) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

}  // namespace tidecast
