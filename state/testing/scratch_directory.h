#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "engine/core/check.h"

namespace tidecast::testing {

/// A directory of its own for one test; gone with the object.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "tidecast-test-XXXXXX").string();
    TC_CHECK(::mkdtemp(name.data()) != nullptr, "{}", name);
    path_ = name;
  }
  ~ScratchDirectory() {
    std::error_code ignored;  // a directory that is left behind is no reason to fail a test
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tidecast::testing
