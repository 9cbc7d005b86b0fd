#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "engine/io/gzip_line_source.h"

namespace tidecast {

/// Splits one CSV record into its fields. Views point into `record` or `scratch`. False when it is malformed: a quote
/// that is not closed, or something between a closing quote and the delimiter. Quotes inside a bare field are text.
/// Source: RFC 4180.
bool SplitCsv(std::string_view record, char delimiter, std::string* scratch, std::vector<std::string_view>* fields);

/// Writes a field with quotes where RFC 4180 wants them.
void AppendCsv(std::string_view field, std::string* out);

/// Finds the records of a CSV file: a record ends at a line end outside of quotes. Blank lines are passed over and counted.
/// A quote that stays open to the end, or for more than a MiB, is taken for damage in its first line alone: that line
/// comes out as a record (SplitCsv then refuses it) and reading goes on with the line behind it.
/// Thread: confined.
class CsvReader {
 public:
  /// As the delimiter: every line is a record, quotes mean nothing (JSON Lines).
  static constexpr char kLinesOnly = '\0';

  CsvReader(GzipLineSource source, char delimiter) : source_(std::move(source)), delimiter_(delimiter) {}

  /// The next record without its line end; false at the end. Errors: of GzipLineSource.
  Result<bool> Next(std::string* record);
  /// Line of the file (1 = first) at which the last record began.
  int64_t line() const { return line_; }
  int64_t blank_lines() const { return blank_lines_; }

 private:
  Result<bool> NextLine(std::string* line);

  GzipLineSource source_;
  char delimiter_;
  std::deque<std::string> pushed_back_;
  int64_t lines_taken_ = 0;
  int64_t line_ = 0;
  int64_t blank_lines_ = 0;
};

}  // namespace tidecast
