// CSV and JSON Lines files, plain or gzip: every record of the file comes out once, as JSON or as its raw bytes.
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "engine/core/check.h"
#include "engine/io/file_feeder.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidecast {
namespace {

/// A file in memory that can be opened by path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : descriptor_(memfd_create("fuzz", 0)) {
    TC_CHECK(descriptor_ >= 0);
    TC_CHECK_EQ(write(descriptor_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

void Fuzz(FuzzInput input) {
  FeedFile file;
  file.input.name = "orders";
  const uint8_t bits = input.U8();
  if ((bits & 1) != 0) file.input.kind = InputKind::kClicks;
  if ((bits & 2) != 0) file.input.columns = {{"sku", "#1"}, {"ts", "#2"}};
  if ((bits & 4) != 0) file.input.zone = "Europe/London";
  const MemoryFile content(input.Rest());
  file.path = content.path();
  Result<std::unique_ptr<FileFeeder>> feeder =
      FileFeeder::Open({file}, (bits & 8) != 0 ? FileFeeder::Order::kAsIs : FileFeeder::Order::kEventTime);
  if (!feeder.ok()) {
    TC_CHECK(!feeder.status().message().empty());
    return;
  }
  int64_t taken = 0;
  for (;;) {
    const Result<bool> more = (*feeder)->Next(16, [&](const FeedRecord& record) {
      ++taken;
      TC_CHECK_EQ(record.input, size_t{0});
    });
    if (!more.ok()) return;
    if (!*more) break;
  }
  TC_CHECK_LE(taken, (*feeder)->lines_total(), "a record was fed twice");
  (*feeder)->Notes();
}

}  // namespace
}  // namespace tidecast

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidecast::Fuzz({data, size});
  return 0;
}
