#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "engine/core/time.h"
#include "engine/io/column_sniffer.h"
#include "engine/io/csv_reader.h"
#include "engine/io/event_time_parser.h"
#include "engine/io/file_feeder.h"
#include "engine/io/json_line_writer.h"
#include "engine/io/json_slot_scanner.h"

namespace tidecast {

/// One record of a file as it stands, and its time (Min() when it could not be read).
struct FileRow {
  std::string_view text;
  int64_t line = 0;
  EventTime time;
};

/// Knows one file's format: finds its records, reads their times, and makes the JSON that is fed.
/// Thread: confined.
class FileRows {
 public:
  /// Looks at the first line. Errors: kNoInput, kPermission, kData (no columns, empty CSV), kConfig (mapping).
  static Result<std::unique_ptr<FileRows>> Open(const FeedFile& file);

  /// Goes back to the first record. Errors: of opening.
  Status Rewind();
  /// The next record; false at the end. The view holds until the next call.
  Result<bool> Next(FileRow* row);
  /// Key and JSON value of a record. A CSV row whose number of cells is not the header's goes out as its raw text, which
  /// no decoder takes: it ends as a dead letter with its bytes. Views hold until the next call.
  void MakeRecord(std::string_view text, int64_t line, std::string_view* key, std::string_view* value);

  std::vector<std::string> Notes() const;

 private:
  FileRows(const FeedFile& file, EventTimeParser times) : file_(file), times_(std::move(times)) {}
  Status Begin();
  EventTime TimeOf(std::string_view text);
  bool Split(std::string_view text);

  const FeedFile file_;
  EventTimeParser times_;
  bool json_lines_ = false;
  char delimiter_ = ',';
  ColumnPlan plan_;
  int key_column_ = -1;
  int time_column_ = -1;
  std::optional<JsonLineWriter> writer_;
  std::optional<JsonSlotScanner> scanner_;  // JSON Lines: slot 0 the key, slot 1 the time
  std::optional<CsvReader> reader_;
  std::optional<std::string> first_;        // a first line that is no header
  std::string record_;
  std::string latin_;
  std::string scratch_;
  std::string json_;
  std::string key_;
  std::vector<std::string_view> cells_;
  int64_t malformed_ = 0;
  int64_t not_utf8_ = 0;
};

}  // namespace tidecast
