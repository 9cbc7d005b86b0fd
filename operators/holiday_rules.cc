#include "operators/holiday_rules.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>

namespace tidecast {
namespace {

using std::chrono::year_month_day;

enum class Kind : uint8_t {
  kFixed,        ///< month, day
  kNth,          ///< the day-th weekday of the month
  kLast,         ///< the last weekday of the month
  kOnOrAfter,    ///< the first weekday on or after month, day
  kEaster,       ///< so many days after Easter Sunday
  kFirstUnless,  ///< the 1st when it is a Friday, else the first weekday of the month
};

/// What happens when it falls on a weekend. The day itself stays a holiday unless it says "moves".
enum class Shift : uint8_t {
  kNone,
  kMondayToo,       ///< Saturday and Sunday: the Monday after, too
  kTwoDaysToo,      ///< Saturday and Sunday: two days later, too (of two holidays in a row)
  kNearestToo,      ///< Saturday: the Friday before, too; Sunday: the Monday after, too
  kSundayMovesBack  ///< Sunday: it moves to the Saturday before
};

constexpr int kEver = std::numeric_limits<int>::max();
constexpr int kMonday = 1, kThursday = 4, kFriday = 5, kSaturday = 6;

struct Rule {
  std::string_view country;
  std::string_view name;
  Kind kind;
  int month;  ///< kEaster: days after Easter Sunday
  int day = 0;
  int weekday = 0;  ///< 1 = Monday
  int first_year = 0;
  int last_year = kEver;
  Shift shift = Shift::kNone;
  int every = 1;  ///< years divisible by it only
};

constexpr Rule Fixed(std::string_view country, std::string_view name, int month, int day, Shift shift = Shift::kNone,
                     int first = 0, int last = kEver) {
  return {country, name, Kind::kFixed, month, day, 0, first, last, shift};
}
constexpr Rule Easter(std::string_view country, std::string_view name, int days, int first = 0, int last = kEver) {
  return {country, name, Kind::kEaster, days, 0, 0, first, last};
}
constexpr Rule Nth(std::string_view country, std::string_view name, int month, int nth, int weekday, int first = 0,
                   int last = kEver) {
  return {country, name, Kind::kNth, month, nth, weekday, first, last};
}
constexpr Rule Last(std::string_view country, std::string_view name, int month, int weekday, int first = 0,
                    int last = kEver) {
  return {country, name, Kind::kLast, month, 0, weekday, first, last};
}
constexpr Rule OnOrAfter(std::string_view country, std::string_view name, int month, int day, int weekday) {
  return {country, name, Kind::kOnOrAfter, month, day, weekday};
}
/// By proclamation, of one year.
constexpr Rule Once(std::string_view country, std::string_view name, int year, int month, int day) {
  return {country, name, Kind::kFixed, month, day, 0, year, year};
}

constexpr std::array kRules = {
    // Austria. Source: Feiertagsruhegesetz 1957.
    Fixed("AT", "New Year's Day", 1, 1),
    Fixed("AT", "Epiphany", 1, 6),
    Easter("AT", "Easter Monday", 1),
    Fixed("AT", "Labour Day", 5, 1),
    Easter("AT", "Ascension Day", 39),
    Easter("AT", "Whit Monday", 50),
    Easter("AT", "Corpus Christi", 60),
    Fixed("AT", "Assumption Day", 8, 15),
    Fixed("AT", "National Day", 10, 26),
    Fixed("AT", "All Saints' Day", 11, 1),
    Fixed("AT", "Immaculate Conception", 12, 8),
    Fixed("AT", "Christmas Day", 12, 25),
    Fixed("AT", "Saint Stephen's Day", 12, 26),
    // Belgium. Source: loi du 4 janvier 1974, arrêté royal du 18 avril 1974.
    Fixed("BE", "New Year's Day", 1, 1),
    Easter("BE", "Easter Sunday", 0),
    Easter("BE", "Easter Monday", 1),
    Fixed("BE", "Labour Day", 5, 1),
    Easter("BE", "Ascension Day", 39),
    Easter("BE", "Whit Sunday", 49),
    Easter("BE", "Whit Monday", 50),
    Fixed("BE", "National Day", 7, 21),
    Fixed("BE", "Assumption Day", 8, 15),
    Fixed("BE", "All Saints' Day", 11, 1),
    Fixed("BE", "Armistice Day", 11, 11),
    Fixed("BE", "Christmas Day", 12, 25),
    // Czechia. Source: zákon č. 245/2000 Sb.
    Fixed("CZ", "New Year's Day", 1, 1),
    Easter("CZ", "Good Friday", -2, 2016),
    Easter("CZ", "Easter Monday", 1),
    Fixed("CZ", "Labour Day", 5, 1),
    Fixed("CZ", "Victory Day", 5, 8),
    Fixed("CZ", "Saints Cyril and Methodius", 7, 5),
    Fixed("CZ", "Jan Hus Day", 7, 6),
    Fixed("CZ", "Statehood Day", 9, 28),
    Fixed("CZ", "Independence Day", 10, 28),
    Fixed("CZ", "Freedom and Democracy Day", 11, 17),
    Fixed("CZ", "Christmas Eve", 12, 24),
    Fixed("CZ", "Christmas Day", 12, 25),
    Fixed("CZ", "Second Day of Christmas", 12, 26),
    // Germany: the days that all states share. Source: Einigungsvertrag art. 2 (3 October), the states'
    // Feiertagsgesetze.
    Fixed("DE", "New Year's Day", 1, 1),
    Easter("DE", "Good Friday", -2),
    Easter("DE", "Easter Monday", 1),
    Fixed("DE", "Labour Day", 5, 1),
    Easter("DE", "Ascension Day", 39),
    Easter("DE", "Whit Monday", 50),
    Fixed("DE", "German Unity Day", 10, 3),
    Once("DE", "Reformation Day", 2017, 10, 31),
    Fixed("DE", "Christmas Day", 12, 25),
    Fixed("DE", "Second Day of Christmas", 12, 26),
    // Denmark. Source: the feast days of the Church of Denmark; lov nr. 214 af 2023 (Great Prayer Day no longer one).
    Fixed("DK", "New Year's Day", 1, 1),
    Easter("DK", "Maundy Thursday", -3),
    Easter("DK", "Good Friday", -2),
    Easter("DK", "Easter Sunday", 0),
    Easter("DK", "Easter Monday", 1),
    Easter("DK", "Great Prayer Day", 26, 0, 2023),
    Easter("DK", "Ascension Day", 39),
    Easter("DK", "Whit Sunday", 49),
    Easter("DK", "Whit Monday", 50),
    Fixed("DK", "Christmas Day", 12, 25),
    Fixed("DK", "Second Day of Christmas", 12, 26),
    // Finland. Source: kirkkolaki; laki itsenäisyyspäivän viettämisestä 388/1937; laki vapunpäivän järjestämisestä
    // 272/1944.
    Fixed("FI", "New Year's Day", 1, 1),
    Fixed("FI", "Epiphany", 1, 6),
    Easter("FI", "Good Friday", -2),
    Easter("FI", "Easter Sunday", 0),
    Easter("FI", "Easter Monday", 1),
    Fixed("FI", "May Day", 5, 1),
    Easter("FI", "Ascension Day", 39),
    Easter("FI", "Whit Sunday", 49),
    OnOrAfter("FI", "Midsummer Eve", 6, 19, kFriday),
    OnOrAfter("FI", "Midsummer Day", 6, 20, kSaturday),
    OnOrAfter("FI", "All Saints' Day", 10, 31, kSaturday),
    Fixed("FI", "Independence Day", 12, 6),
    Fixed("FI", "Christmas Eve", 12, 24),
    Fixed("FI", "Christmas Day", 12, 25),
    Fixed("FI", "Saint Stephen's Day", 12, 26),
    // France. Source: code du travail, art. L3133-1.
    Fixed("FR", "New Year's Day", 1, 1),
    Easter("FR", "Easter Monday", 1),
    Fixed("FR", "Labour Day", 5, 1),
    Fixed("FR", "Victory Day", 5, 8),
    Easter("FR", "Ascension Day", 39),
    Easter("FR", "Whit Monday", 50),
    Fixed("FR", "National Day", 7, 14),
    Fixed("FR", "Assumption Day", 8, 15),
    Fixed("FR", "All Saints' Day", 11, 1),
    Fixed("FR", "Armistice Day", 11, 11),
    Fixed("FR", "Christmas Day", 12, 25),
    // England. Source: Banking and Financial Dealings Act 1971, royal proclamations; www.gov.uk/bank-holidays.
    Fixed("GB-ENG", "New Year's Day", 1, 1, Shift::kMondayToo),
    Easter("GB-ENG", "Good Friday", -2),
    Easter("GB-ENG", "Easter Monday", 1),
    Nth("GB-ENG", "Early May bank holiday", 5, 1, kMonday, 1978, 2019),
    Once("GB-ENG", "Early May bank holiday", 2020, 5, 8),
    Nth("GB-ENG", "Early May bank holiday", 5, 1, kMonday, 2021),
    Last("GB-ENG", "Spring bank holiday", 5, kMonday, 1971, 2001),
    Once("GB-ENG", "Spring bank holiday", 2002, 6, 4),
    Once("GB-ENG", "Golden Jubilee", 2002, 6, 3),
    Last("GB-ENG", "Spring bank holiday", 5, kMonday, 2003, 2011),
    Once("GB-ENG", "Spring bank holiday", 2012, 6, 4),
    Last("GB-ENG", "Spring bank holiday", 5, kMonday, 2013, 2021),
    Once("GB-ENG", "Spring bank holiday", 2022, 6, 2),
    Last("GB-ENG", "Spring bank holiday", 5, kMonday, 2023),
    Last("GB-ENG", "Summer bank holiday", 8, kMonday),
    Fixed("GB-ENG", "Christmas Day", 12, 25, Shift::kTwoDaysToo),
    Fixed("GB-ENG", "Boxing Day", 12, 26, Shift::kTwoDaysToo),
    Once("GB-ENG", "Royal wedding", 2011, 4, 29),
    Once("GB-ENG", "Diamond Jubilee", 2012, 6, 5),
    Once("GB-ENG", "Platinum Jubilee", 2022, 6, 3),
    Once("GB-ENG", "State funeral", 2022, 9, 19),
    Once("GB-ENG", "Coronation", 2023, 5, 8),
    // Ireland. Source: Organisation of Working Time Act 1997, second schedule; S.I. 2022 (Saint Brigid's Day).
    Fixed("IE", "New Year's Day", 1, 1),
    Rule{"IE", "Saint Brigid's Day", Kind::kFirstUnless, 2, 0, kMonday, 2023},
    Fixed("IE", "Saint Patrick's Day", 3, 17),
    Once("IE", "Day of remembrance", 2022, 3, 18),
    Easter("IE", "Easter Monday", 1),
    Nth("IE", "May holiday", 5, 1, kMonday),
    Nth("IE", "June holiday", 6, 1, kMonday),
    Nth("IE", "August holiday", 8, 1, kMonday),
    Last("IE", "October holiday", 10, kMonday),
    Fixed("IE", "Christmas Day", 12, 25),
    Fixed("IE", "Saint Stephen's Day", 12, 26),
    // Italy. Source: legge 27 maggio 1949 n. 260; legge 151/2025 (4 October, from 2026).
    Fixed("IT", "New Year's Day", 1, 1),
    Fixed("IT", "Epiphany", 1, 6),
    Easter("IT", "Easter Sunday", 0),
    Easter("IT", "Easter Monday", 1),
    Fixed("IT", "Liberation Day", 4, 25),
    Fixed("IT", "Labour Day", 5, 1),
    Fixed("IT", "Republic Day", 6, 2),
    Fixed("IT", "Assumption Day", 8, 15),
    Fixed("IT", "Saint Francis", 10, 4, Shift::kNone, 2026),
    Fixed("IT", "All Saints' Day", 11, 1),
    Fixed("IT", "Immaculate Conception", 12, 8),
    Fixed("IT", "Christmas Day", 12, 25),
    Fixed("IT", "Saint Stephen's Day", 12, 26),
    Once("IT", "150 years of unification", 2011, 3, 17),
    // Netherlands. Source: Algemene termijnenwet, art. 3; Liberation Day as a day off in every fifth year.
    Fixed("NL", "New Year's Day", 1, 1),
    Easter("NL", "Good Friday", -2),
    Easter("NL", "Easter Sunday", 0),
    Easter("NL", "Easter Monday", 1),
    Fixed("NL", "Queen's Day", 4, 30, Shift::kSundayMovesBack, 1980, 2013),
    Fixed("NL", "King's Day", 4, 27, Shift::kSundayMovesBack, 2014),
    Rule{"NL", "Liberation Day", Kind::kFixed, 5, 5, 0, 1990, kEver, Shift::kNone, 5},
    Easter("NL", "Ascension Day", 39),
    Easter("NL", "Whit Sunday", 49),
    Easter("NL", "Whit Monday", 50),
    Fixed("NL", "Christmas Day", 12, 25),
    Fixed("NL", "Second Day of Christmas", 12, 26),
    // Norway. Source: lov 24. februar 1995 nr. 12 om helligdager; lov 26. april 1947 nr. 1 om 1 og 17 mai.
    Fixed("NO", "New Year's Day", 1, 1),
    Easter("NO", "Maundy Thursday", -3),
    Easter("NO", "Good Friday", -2),
    Easter("NO", "Easter Sunday", 0),
    Easter("NO", "Easter Monday", 1),
    Fixed("NO", "Labour Day", 5, 1),
    Fixed("NO", "Constitution Day", 5, 17),
    Easter("NO", "Ascension Day", 39),
    Easter("NO", "Whit Sunday", 49),
    Easter("NO", "Whit Monday", 50),
    Fixed("NO", "Christmas Day", 12, 25),
    Fixed("NO", "Second Day of Christmas", 12, 26),
    // Poland. Source: ustawa z dnia 18 stycznia 1951 r. o dniach wolnych od pracy, with later changes.
    Fixed("PL", "New Year's Day", 1, 1),
    Fixed("PL", "Epiphany", 1, 6, Shift::kNone, 2011),
    Easter("PL", "Easter Sunday", 0),
    Easter("PL", "Easter Monday", 1),
    Fixed("PL", "Labour Day", 5, 1),
    Fixed("PL", "Constitution Day", 5, 3),
    Easter("PL", "Whit Sunday", 49),
    Easter("PL", "Corpus Christi", 60),
    Fixed("PL", "Assumption Day", 8, 15),
    Fixed("PL", "All Saints' Day", 11, 1),
    Fixed("PL", "Independence Day", 11, 11),
    Once("PL", "100 years of independence", 2018, 11, 12),
    Fixed("PL", "Christmas Eve", 12, 24, Shift::kNone, 2025),
    Fixed("PL", "Christmas Day", 12, 25),
    Fixed("PL", "Second Day of Christmas", 12, 26),
    // Portugal. Source: código do trabalho, art. 234; four days were suspended from 2013 to 2015.
    Fixed("PT", "New Year's Day", 1, 1),
    Easter("PT", "Good Friday", -2),
    Easter("PT", "Easter Sunday", 0),
    Fixed("PT", "Freedom Day", 4, 25),
    Fixed("PT", "Labour Day", 5, 1),
    Fixed("PT", "Portugal Day", 6, 10),
    Easter("PT", "Corpus Christi", 60, 0, 2012),
    Easter("PT", "Corpus Christi", 60, 2016),
    Fixed("PT", "Assumption Day", 8, 15),
    Fixed("PT", "Republic Day", 10, 5, Shift::kNone, 0, 2012),
    Fixed("PT", "Republic Day", 10, 5, Shift::kNone, 2016),
    Fixed("PT", "All Saints' Day", 11, 1, Shift::kNone, 0, 2012),
    Fixed("PT", "All Saints' Day", 11, 1, Shift::kNone, 2016),
    Fixed("PT", "Restoration of Independence", 12, 1, Shift::kNone, 0, 2012),
    Fixed("PT", "Restoration of Independence", 12, 1, Shift::kNone, 2016),
    Fixed("PT", "Immaculate Conception", 12, 8),
    Fixed("PT", "Christmas Day", 12, 25),
    // Sweden. Source: lag (1989:253) om allmänna helgdagar.
    Fixed("SE", "New Year's Day", 1, 1),
    Fixed("SE", "Epiphany", 1, 6),
    Easter("SE", "Good Friday", -2),
    Easter("SE", "Easter Sunday", 0),
    Easter("SE", "Easter Monday", 1),
    Fixed("SE", "May Day", 5, 1),
    Easter("SE", "Ascension Day", 39),
    Easter("SE", "Whit Sunday", 49),
    Fixed("SE", "National Day", 6, 6, Shift::kNone, 2005),
    OnOrAfter("SE", "Midsummer Day", 6, 20, kSaturday),
    OnOrAfter("SE", "All Saints' Day", 10, 31, kSaturday),
    Fixed("SE", "Christmas Day", 12, 25),
    Fixed("SE", "Second Day of Christmas", 12, 26),
    // United States, federal. Source: 5 U.S.C. 6103; Executive Order 11582 (days instead).
    Fixed("US", "New Year's Day", 1, 1, Shift::kNearestToo),
    Nth("US", "Martin Luther King Jr. Day", 1, 3, kMonday, 1986),
    Nth("US", "Washington's Birthday", 2, 3, kMonday),
    Last("US", "Memorial Day", 5, kMonday),
    Fixed("US", "Juneteenth", 6, 19, Shift::kNearestToo, 2021),
    Fixed("US", "Independence Day", 7, 4, Shift::kNearestToo),
    Nth("US", "Labor Day", 9, 1, kMonday),
    Nth("US", "Columbus Day", 10, 2, kMonday),
    Fixed("US", "Veterans Day", 11, 11, Shift::kNearestToo),
    Nth("US", "Thanksgiving Day", 11, 4, kThursday),
    Fixed("US", "Christmas Day", 12, 25, Shift::kNearestToo),
};

int32_t DayOf(int year, int month, int day) {
  return static_cast<int32_t>(std::chrono::sys_days(std::chrono::year(year) / month / day).time_since_epoch().count());
}
/// 1 = Monday.
int WeekdayOf(int32_t day) { return (day % 7 + 7 + 3) % 7 + 1; }
int32_t OnOrAfterDay(int32_t day, int weekday) { return day + (weekday - WeekdayOf(day) + 7) % 7; }

int32_t DateOf(const Rule& rule, int year) {
  switch (rule.kind) {
    case Kind::kFixed:
      break;
    case Kind::kNth:
      return OnOrAfterDay(DayOf(year, rule.month, 1), rule.weekday) + 7 * (rule.day - 1);
    case Kind::kLast: {
      const year_month_day last = std::chrono::sys_days(std::chrono::year(year) / rule.month / std::chrono::last);
      return OnOrAfterDay(DayOf(year, rule.month, static_cast<int>(static_cast<unsigned>(last.day()))) - 6,
                          rule.weekday);
    }
    case Kind::kOnOrAfter:
      return OnOrAfterDay(DayOf(year, rule.month, rule.day), rule.weekday);
    case Kind::kEaster:
      return EasterSunday(year) + rule.month;
    case Kind::kFirstUnless: {
      const int32_t first = DayOf(year, rule.month, 1);
      return WeekdayOf(first) == kFriday ? first : OnOrAfterDay(first, rule.weekday);
    }
  }
  return DayOf(year, rule.month, rule.day);
}

void Add(int32_t day, std::string_view name, std::string_view addition, HolidayDates* dates) {
  std::string& names = (*dates)[day];
  if (!names.empty()) names += ", ";
  names += name;
  names += addition;
}

void AddWithShift(const Rule& rule, int32_t day, HolidayDates* dates) {
  const int weekday = WeekdayOf(day);
  if (rule.shift == Shift::kSundayMovesBack) return Add(weekday == 7 ? day - 1 : day, rule.name, "", dates);
  Add(day, rule.name, "", dates);
  if (weekday < kSaturday) return;
  constexpr std::string_view kInstead = " (day instead)";
  switch (rule.shift) {
    case Shift::kMondayToo:
      return Add(day + 8 - weekday, rule.name, kInstead, dates);
    case Shift::kTwoDaysToo:
      return Add(day + 2, rule.name, kInstead, dates);
    case Shift::kNearestToo:
      return Add(weekday == kSaturday ? day - 1 : day + 1, rule.name, kInstead, dates);
    case Shift::kNone:
    case Shift::kSundayMovesBack:
      return;
  }
}

}  // namespace

std::vector<std::string_view> HolidayCountries() {
  std::vector<std::string_view> codes = {"GB"};
  for (const Rule& rule : kRules) {
    if (std::find(codes.begin(), codes.end(), rule.country) == codes.end()) codes.push_back(rule.country);
  }
  std::sort(codes.begin(), codes.end());
  return codes;
}

std::optional<HolidayDates> HolidaysOf(std::string_view country, int first_year, int last_year) {
  if (country == "GB") country = "GB-ENG";
  const std::vector<std::string_view> codes = HolidayCountries();
  if (std::find(codes.begin(), codes.end(), country) == codes.end()) return std::nullopt;
  HolidayDates dates;
  // A day instead may lie in the year before or after.
  for (int year = first_year - 1; year <= last_year + 1; ++year) {
    for (const Rule& rule : kRules) {
      if (rule.country != country || year < rule.first_year || year > rule.last_year || year % rule.every != 0)
        continue;
      AddWithShift(rule, DateOf(rule, year), &dates);
    }
  }
  dates.erase(dates.begin(), dates.lower_bound(DayOf(first_year, 1, 1)));
  dates.erase(dates.lower_bound(DayOf(last_year + 1, 1, 1)), dates.end());
  return dates;
}

int32_t EasterSunday(int year) {
  const int a = year % 19, b = year / 100, c = year % 100;
  const int d = b / 4, e = b % 4, f = (b + 8) / 25, g = (b - f + 1) / 3;
  const int h = (19 * a + b - d - g + 15) % 30;
  const int i = c / 4, k = c % 4;
  const int l = (32 + 2 * e + 2 * i - h - k) % 7;
  const int m = (a + 11 * h + 22 * l) / 451;
  const int n = h + l - 7 * m + 114;
  return DayOf(year, n / 31, n % 31 + 1);
}

}  // namespace tidecast
