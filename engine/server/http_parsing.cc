#include "engine/server/http_parsing.h"

#include <algorithm>
#include <cctype>

namespace tidecast {

HttpRequest TakeRequest(boost::beast::http::request<boost::beast::http::string_body>&& message) {
  HttpRequest request;
  request.method = std::string(message.method_string());
  SplitTarget(std::string_view(message.target().data(), message.target().size()), &request.path, &request.query);
  for (const auto& field : message) {
    std::string name(field.name_string());
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    request.headers[name] = std::string(field.value());
  }
  request.body = std::move(message.body());
  return request;
}

}  // namespace tidecast
