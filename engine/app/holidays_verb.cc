#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "engine/app/error_report.h"
#include "engine/app/verbs.h"
#include "engine/io/csv_reader.h"
#include "operators/holiday_sources.h"

namespace tidecast {
namespace {

struct HolidaysFlags {
  std::vector<std::string> sources;
  std::string year;
  bool countries = false;
};

Status PrintHolidays(const HolidaysFlags& flags) {
  if (flags.countries) {
    for (const std::string_view code : HolidayCountries()) fmt::print("{}\n", code);
    return Status::Ok();
  }
  TC_ASSIGN_OR_RETURN(const HolidayDates dates, ReadHolidays(flags.sources));
  std::string text = "date,name\n";
  for (const auto& [day, name] : dates) {
    const std::string date = DateText(day);
    if (!flags.year.empty() && !date.starts_with(flags.year + "-")) continue;
    text += date + ",";
    AppendCsv(name, &text);
    text += "\n";
  }
  fmt::print("{}", text);
  return Status::Ok();
}

}  // namespace

void AddHolidaysVerb(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<HolidaysFlags>();
  CLI::App* verb =
      app.add_subcommand("holidays", "Print public holidays as CSV, as a config or a backtest would take them");
  verb->add_option("source", flags->sources,
                   "countries (GB-ENG), days (2011-12-27), calendar files (closures.ics, holidays.csv#DE)");
  verb->add_option("--year", flags->year, "of this year only");
  verb->add_flag("--countries", flags->countries, "list the countries whose rules are built in");
  verb->callback([flags, exit_code] {
    if (Status status = PrintHolidays(*flags); !status.ok()) *exit_code = ReportError(status);
  });
}

}  // namespace tidecast
