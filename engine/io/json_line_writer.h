#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "engine/io/column_sniffer.h"

namespace tidecast {

/// Writes the cells of a row as the JSON object that an input's field mapping expects. Texts go out as they stand; the
/// cell of a number field goes out bare when it is a JSON number, and else as a string, so that nothing is repaired.
/// Where the kind has a `line` and the file no column for it, the line of the file is written.
/// Thread: immutable after Make.
class JsonLineWriter {
 public:
  /// Errors: kConfig (bad pointer, one field's pointer inside of another's).
  static Result<JsonLineWriter> Make(const InputOptions& options, const std::vector<ColumnPlan::Column>& columns);

  /// REQUIRES: valid UTF-8 cells, one for each column of the file.
  void Write(const std::vector<std::string_view>& cells, int64_t line, std::string* out) const;

 private:
  static constexpr size_t kLineNumber = SIZE_MAX;
  struct Piece {
    std::string before;       // what stands before the value: braces, commas, the name
    size_t column = 0;
    bool number = false;
  };
  std::vector<Piece> pieces_;
  std::string end_;
};

/// Whether `text` is a number in JSON's grammar.
bool IsJsonNumber(std::string_view text);

}  // namespace tidecast
