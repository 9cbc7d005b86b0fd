#include "engine/io/file_rows.h"

#include <simdjson.h>

#include <filesystem>

namespace tidecast {
namespace {

// Bytes that are not UTF-8 are read as Latin-1, the usual other encoding of order exports.
void LatinToUtf8(std::string_view text, std::string* out) {
  out->clear();
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out->push_back(c);
    } else {
      out->push_back(static_cast<char>(0xC0 | byte >> 6));
      out->push_back(static_cast<char>(0x80 | (byte & 0x3F)));
    }
  }
}

bool NamedJsonLines(const std::string& path) {
  std::filesystem::path name(path);
  if (name.extension() == ".gz") name = name.stem();
  const std::string extension = name.extension().string();
  return extension == ".jsonl" || extension == ".ndjson" || extension == ".json";
}

}  // namespace

Result<std::unique_ptr<FileRows>> FileRows::Open(const FeedFile& file) {
  TC_ASSIGN_OR_RETURN(EventTimeParser times, EventTimeParser::Make(file.input.time_format, file.input.zone));
  std::unique_ptr<FileRows> rows(new FileRows(file, std::move(times)));
  TC_RETURN_IF_ERROR(rows->Begin());
  TC_RETURN_IF_ERROR(rows->Rewind());
  return rows;
}

Status FileRows::Begin() {
  TC_ASSIGN_OR_RETURN(GzipLineSource source, GzipLineSource::Open(file_.path));
  std::string first;
  TC_ASSIGN_OR_RETURN(const bool any, source.NextLine(&first));
  json_lines_ = NamedJsonLines(file_.path) || (!first.empty() && first[0] == '{');
  if (json_lines_) {
    std::vector<JsonPointerPath> slots;
    for (const InputField& field : FieldsOf(file_.input.kind).first(2)) {
      TC_ASSIGN_OR_RETURN(JsonPointerPath path, JsonPointerPath::Parse(PointerOf(file_.input, field.name)));
      slots.push_back(std::move(path));
    }
    scanner_.emplace(std::move(slots));
    delimiter_ = CsvReader::kLinesOnly;
    return Status::Ok();
  }
  if (!any) {
    return Status(Code::kData, fmt::format("the file is empty: {}", file_.path), Domain::kInput)
        .WithRemedy("a CSV file begins with a line of column names");
  }
  delimiter_ = SniffDelimiter(first);
  // The header is a record: it may hold line ends inside of quotes.
  TC_ASSIGN_OR_RETURN(GzipLineSource again, GzipLineSource::Open(file_.path));
  CsvReader reader(std::move(again), delimiter_);
  TC_ASSIGN_OR_RETURN(const bool record, reader.Next(&record_));
  if (!record || !SplitCsv(record_, delimiter_, &scratch_, &cells_)) {
    return Status(Code::kData, fmt::format("the first line is not a CSV header: {}", file_.path), Domain::kInput)
        .WithRemedy("a CSV file begins with a line of column names, separated by one of , ; tab |");
  }
  TC_ASSIGN_OR_RETURN(plan_, SniffColumns(cells_, file_.input, file_.path));
  TC_ASSIGN_OR_RETURN(writer_, JsonLineWriter::Make(file_.input, plan_.columns));
  key_column_ = plan_.IndexOf(FieldRole::kKey);
  if (file_.input.time_source == TimeSource::kField) {
    time_column_ = plan_.IndexOf(FieldRole::kTime);
    if (time_column_ < 0) time_column_ = plan_.IndexOf(FieldRole::kValidFrom);
  }
  return Status::Ok();
}

Status FileRows::Rewind() {
  TC_ASSIGN_OR_RETURN(GzipLineSource source, GzipLineSource::Open(file_.path));
  reader_.emplace(std::move(source), delimiter_);
  malformed_ = not_utf8_ = 0;
  if (!json_lines_ && plan_.has_header) TC_RETURN_IF_ERROR(reader_->Next(&record_).status());
  return Status::Ok();
}

bool FileRows::Split(std::string_view text) {
  return SplitCsv(text, delimiter_, &scratch_, &cells_) && cells_.size() == plan_.width;
}

EventTime FileRows::TimeOf(std::string_view text) {
  if (json_lines_) {
    if (file_.input.time_source != TimeSource::kField || !scanner_->Scan(text) || !scanner_->token(1).filled()) return {};
    return times_.Parse(scanner_->token(1).text).value_or(EventTime::Min());
  }
  if (!Split(text)) {
    ++malformed_;
    return {};
  }
  if (time_column_ < 0) return {};
  return times_.Parse(cells_[static_cast<size_t>(time_column_)]).value_or(EventTime::Min());
}

Result<bool> FileRows::Next(FileRow* row) {
  TC_ASSIGN_OR_RETURN(const bool more, reader_->Next(&record_));
  if (!more) return false;
  row->text = record_;
  row->line = reader_->line();
  row->time = TimeOf(record_);
  return true;
}

void FileRows::MakeRecord(std::string_view text, int64_t line, std::string_view* key, std::string_view* value) {
  *key = {};
  *value = text;
  if (json_lines_) {
    if (!scanner_->Scan(text) || !scanner_->token(0).filled()) return;
    const JsonToken& token = scanner_->token(0);
    if (!token.escaped) *key = token.text;
    else if (scanner_->Unescape(token, &key_)) *key = key_;
    return;
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    LatinToUtf8(text, &latin_);
    text = latin_;
    ++not_utf8_;
  }
  if (!Split(text)) return;
  writer_->Write(cells_, line, &json_);
  *value = json_;
  if (key_column_ >= 0) *key = cells_[static_cast<size_t>(key_column_)];
}

std::vector<std::string> FileRows::Notes() const {
  std::vector<std::string> notes;
  if (json_lines_) {
    notes.emplace_back("JSON Lines");
  } else {
    notes.push_back(delimiter_ == '\t' ? std::string("delimiter tab") : fmt::format("delimiter '{}'", delimiter_));
    notes.insert(notes.end(), plan_.notes.begin(), plan_.notes.end());
  }
  if (reader_ && reader_->blank_lines() > 0) notes.push_back(fmt::format("blank lines passed over: {}", reader_->blank_lines()));
  if (malformed_ > 0) notes.push_back(fmt::format("lines that do not have {} columns, or a quote left open: {}", plan_.width, malformed_));
  if (not_utf8_ > 0) notes.push_back(fmt::format("lines that are not UTF-8, read as Latin-1: {}", not_utf8_));
  for (std::string& note : notes) note = fmt::format("{}: {}", std::filesystem::path(file_.path).filename().string(), note);
  return notes;
}

}  // namespace tidecast
