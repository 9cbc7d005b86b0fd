#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "engine/server/http_message.h"

namespace tidecast {

/// The routes' view of a request that Beast has read; takes its body.
HttpRequest TakeRequest(boost::beast::http::request<boost::beast::http::string_body>&& message);

}  // namespace tidecast
