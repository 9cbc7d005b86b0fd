#pragma once

#include <string_view>
#include <vector>

namespace tidecast {

/// One file of the page as it stands in the binary. Path as in a URL: "/app.js".
struct PageFile {
  std::string_view path;
  std::string_view bytes;
};

/// The files of web/dist as of the build (generated, see links.cmake).
std::vector<PageFile> EmbeddedPageFiles();

}  // namespace tidecast
