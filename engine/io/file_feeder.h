#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "engine/core/time.h"
#include "engine/io/input_options.h"

namespace tidecast {

/// One line of a file as a record to be produced: the JSON value is what a producer of our topics would have sent.
struct FeedRecord {
  size_t input = 0;            ///< index into the inputs that Open was given
  EventTime time;              ///< Min() when the line's time could not be read: it is fed all the same and ends as a dead letter
  std::string_view key;
  std::string_view value;      ///< JSON in the input's mapped shape (JSON Lines: the line itself)
  int64_t line = 0;
};

struct FeedFile {
  std::string path;            ///< .csv, .csv.gz, .jsonl, .jsonl.gz
  InputOptions input;
};

/// Reads files as streams of records: CSV (RFC 4180, sniffed delimiter and columns), JSON Lines, plain or gzip.
/// Several files are merged by event time; within a file `order` decides. Lines are counted whatever they hold.
/// Thread: confined.
class FileFeeder {
 public:
  enum class Order : uint8_t { kEventTime, kAsIs };
  virtual ~FileFeeder() = default;
  /// Hands out up to `records_max` records; false once all files have ended.
  virtual Result<bool> Next(size_t records_max, const std::function<void(const FeedRecord&)>& take) = 0;
  virtual int64_t lines_read() const = 0;
  virtual int64_t lines_total() const = 0;   ///< known after Open
  /// Of one file and how it is read: the same records in the same order give the same. `file`: as Open was given them.
  virtual uint64_t fingerprint(size_t file) const = 0;
  /// Passes over records of one file in feeding order, at most those that it has; they count as read.
  /// REQUIRES: before the first Next.
  virtual Status Skip(size_t file, int64_t records) = 0;
  /// Time by which the next record has its place; Max() when there is none.
  virtual EventTime next_time() const = 0;
  virtual EventTime first_time() const = 0;
  virtual EventTime last_time() const = 0;
  /// What was sniffed, in words for the audit ("delimiter ',', StockCode -> sku, ...").
  virtual std::vector<std::string> Notes() const = 0;

  /// Errors: kNoInput (path named), kData (no column for a needed field: the header and the nearest names are shown).
  static Result<std::unique_ptr<FileFeeder>> Open(const std::vector<FeedFile>& files, Order order);
};

}  // namespace tidecast
