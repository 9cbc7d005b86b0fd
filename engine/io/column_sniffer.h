#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "engine/io/input_fields.h"

namespace tidecast {

/// Which column of a CSV file feeds which field of an input.
struct ColumnPlan {
  struct Column {
    const InputField* field = nullptr;
    size_t index = 0;                 ///< 0 = first column
  };
  bool has_header = true;
  size_t width = 0;                   ///< columns of the file
  std::vector<Column> columns;        ///< in the order of FieldsOf
  std::vector<std::string> notes;     ///< what was found, in words

  /// Index of the column of the field with this role; -1 when it has none.
  int IndexOf(FieldRole role) const;
};

/// The most frequent of , ; tab | outside of quotes; a comma when there is none.
char SniffDelimiter(std::string_view first_line);

/// Finds columns by the options' `columns` first (a header's name, or "#3" for the third column of a file without a
/// header), then by usual names (StockCode, item_id ... for sku), letter case and punctuation ignored.
/// Errors: kData when a needed field has no column: the header and what to write are in the message.
Result<ColumnPlan> SniffColumns(const std::vector<std::string_view>& first_row, const InputOptions& options, const std::string& path);

}  // namespace tidecast
