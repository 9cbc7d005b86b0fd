#include "engine/app/data_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "engine/app/audit_report.h"
#include "engine/app/order_series.h"
#include "engine/io/csv_reader.h"
#include "operators/series_audit.h"

namespace tidecast {
namespace {

constexpr size_t kSniffedRows = 200;
constexpr size_t kColumnsMax = 40;

bool IsNumber(std::string_view text) {
  if (text == "NA" || text == "null") return true;  // missing ones, as the reader takes them
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// What a first look tells: whether it is a series file, and its further columns that hold numbers.
struct FirstLook {
  bool series = false;
  std::vector<std::string> columns;
  size_t left_out = 0;  ///< more columns than are looked at
};

Result<FirstLook> LookAt(const std::string& path) {
  TC_ASSIGN_OR_RETURN(GzipLineSource source, GzipLineSource::Open(path));
  CsvReader reader(std::move(source), ',');
  std::string record, scratch;
  std::vector<std::string_view> fields;
  FirstLook look;
  TC_ASSIGN_OR_RETURN(bool more, reader.Next(&record));
  if (more && record.find_first_not_of(' ') != std::string::npos && record[record.find_first_not_of(' ')] == '{') {
    look.series = record.find("\"target\"") != std::string::npos;
    return look;
  }
  if (!more || !SplitCsv(record, ',', &scratch, &fields)) return look;
  const std::vector<std::string> header(fields.begin(), fields.end());
  const auto has = [&](const char* name) { return std::find(header.begin(), header.end(), name) != header.end(); };
  look.series = has("unique_id") && has("ds") && has("y");
  if (!look.series) return look;
  std::vector<bool> numeric(header.size(), true), seen(header.size(), false);
  for (size_t row = 0; row < kSniffedRows; ++row) {
    TC_ASSIGN_OR_RETURN(more, reader.Next(&record));
    if (!more || !SplitCsv(record, ',', &scratch, &fields) || fields.size() != header.size()) break;
    for (size_t c = 0; c < fields.size(); ++c) {
      if (fields[c].empty()) continue;
      seen[c] = true;
      if (!IsNumber(fields[c])) numeric[c] = false;
    }
  }
  for (size_t c = 0; c < header.size(); ++c) {
    const bool own = header[c] == "unique_id" || header[c] == "ds" || header[c] == "y";
    if (own || !numeric[c] || !seen[c]) continue;
    if (look.columns.size() < kColumnsMax) {
      look.columns.push_back(header[c]);
    } else {
      ++look.left_out;
    }
  }
  return look;
}

}  // namespace

Status CheckData(const DataCheckRequest& request, int* exit_code) {
  TC_ASSIGN_OR_RETURN(const FirstLook look, LookAt(request.path));
  SeriesRows rows;
  OrderFindings orders;
  if (look.series) {
    BacktestOptions options;
    options.series_path = request.path;
    options.frequency = request.frequency;
    options.known_columns = look.columns;
    TC_ASSIGN_OR_RETURN(rows, SeriesRows::Read(options));
  } else {
    if (request.frequency != "auto" && request.frequency != "1d") {
      return Status(Code::kUsage, fmt::format("orders are summed by day, --freq {} is of series", request.frequency),
                    Domain::kInput)
          .WithRemedy("leave --freq out, or give a file of unique_id,ds,y");
    }
    TC_ASSIGN_OR_RETURN(rows, ReadOrderSeries(request.path, request.config, &orders));
  }
  TC_ASSIGN_OR_RETURN(const SeriesAudit audit, AuditSeries(rows, look.series ? request.frequency : "1d"));
  std::vector<Advice> advice;
  if (!look.series) AdviseOnOrders(request.path, request.config, orders, &advice);
  for (Advice& one : AdviceOf(audit, look.series ? AuditSource::kSeriesFile : AuditSource::kOrders)) {
    advice.push_back(std::move(one));
  }
  if (look.left_out > 0) {
    advice.push_back(
        {AdviceWeight::kNote,
         fmt::format("{} columns of numbers behind the first {} were not looked at", look.left_out, kColumnsMax),
         "put the columns to be judged first"});
  }
  SortByWeight(&advice);
  (request.json ? PrintAuditJson : PrintAudit)(audit, look.series ? nullptr : &orders, advice);
  const bool refused = !advice.empty() && advice.front().weight == AdviceWeight::kFix;
  *exit_code = refused ? ExitCode(Code::kData) : 0;
  return Status::Ok();
}

}  // namespace tidecast
