#include "engine/io/csv_reader.h"

namespace tidecast {
namespace {

constexpr size_t kRecordBytesMax = 1U << 20;

// Whether a quoted field is still open behind `line`; `open`: whether one was before it.
bool QuoteOpenBehind(std::string_view line, char delimiter, bool open) {
  size_t i = 0;
  bool field_start = !open;
  while (i < line.size()) {
    if (open) {
      i = line.find('"', i);
      if (i == std::string_view::npos) return true;
      if (i + 1 < line.size() && line[i + 1] == '"') {
        i += 2;
        continue;
      }
      open = false;
      ++i;
    } else if (field_start && line[i] == '"') {
      open = true;
      field_start = false;
      ++i;
    } else {
      i = line.find(delimiter, i);
      if (i == std::string_view::npos) return false;
      field_start = true;
      ++i;
    }
  }
  return open;
}

}  // namespace

bool SplitCsv(std::string_view record, char delimiter, std::string* scratch, std::vector<std::string_view>* fields) {
  fields->clear();
  scratch->clear();
  scratch->reserve(record.size());  // so that views into it stay valid
  size_t i = 0;
  for (;;) {
    if (i < record.size() && record[i] == '"') {
      size_t begin = ++i;
      const size_t kept = scratch->size();
      bool doubled = false;
      size_t end = 0;
      for (;;) {
        end = record.find('"', i);
        if (end == std::string_view::npos) return false;
        if (end + 1 < record.size() && record[end + 1] == '"') {
          scratch->append(record.substr(begin, end + 1 - begin));
          doubled = true;
          begin = i = end + 2;
          continue;
        }
        break;
      }
      if (doubled) {
        scratch->append(record.substr(begin, end - begin));
        fields->push_back(std::string_view(*scratch).substr(kept));
      } else {
        fields->push_back(record.substr(begin, end - begin));
      }
      i = end + 1;
      if (i == record.size()) return true;
      if (record[i] != delimiter) return false;
      ++i;
    } else {
      const size_t end = record.find(delimiter, i);
      if (end == std::string_view::npos) {
        fields->push_back(record.substr(i));
        return true;
      }
      fields->push_back(record.substr(i, end - i));
      i = end + 1;
    }
  }
}

void AppendCsv(std::string_view field, std::string* out) {
  if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
    out->append(field);
    return;
  }
  out->push_back('"');
  for (const char c : field) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

Result<bool> CsvReader::NextLine(std::string* line) {
  if (!pushed_back_.empty()) {
    *line = std::move(pushed_back_.front());
    pushed_back_.pop_front();
    ++lines_taken_;
    return true;
  }
  TC_ASSIGN_OR_RETURN(const bool more, source_.NextLine(line));
  if (more) ++lines_taken_;
  return more;
}

Result<bool> CsvReader::Next(std::string* record) {
  for (;;) {
    TC_ASSIGN_OR_RETURN(const bool more, NextLine(record));
    if (!more) return false;
    if (!record->empty() && *record != "\r") break;
    ++blank_lines_;
  }
  line_ = lines_taken_;
  if (delimiter_ != kLinesOnly && record->find('"') != std::string::npos && QuoteOpenBehind(*record, delimiter_, false)) {
    std::vector<std::string> following;
    std::string whole = *record;
    bool open = true;
    while (open && whole.size() <= kRecordBytesMax) {
      std::string line;
      TC_ASSIGN_OR_RETURN(const bool more, NextLine(&line));
      if (!more) break;
      whole += '\n';
      whole += line;
      open = QuoteOpenBehind(line, delimiter_, true);
      following.push_back(std::move(line));
    }
    if (open) {
      lines_taken_ -= static_cast<int64_t>(following.size());
      pushed_back_.insert(pushed_back_.begin(), std::make_move_iterator(following.begin()), std::make_move_iterator(following.end()));
    } else {
      *record = std::move(whole);
    }
  }
  if (record->ends_with('\r')) record->pop_back();
  return true;
}

}  // namespace tidecast
