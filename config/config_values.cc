#include "config/config_values.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

namespace tidecast {
namespace {

struct Unit {
  std::string_view name;
  int64_t size;
};
constexpr std::array<Unit, 9> kDurations = {{{"us", 1},
                                             {"ms", 1'000},
                                             {"s", 1'000'000},
                                             {"min", 60'000'000},
                                             {"m", 60'000'000},
                                             {"h", 3'600'000'000},
                                             {"d", 86'400'000'000},
                                             {"w", 604'800'000'000},
                                             {"", 0}}};
constexpr std::array<Unit, 7> kBytes = {
    {{"B", 1}, {"KiB", 1LL << 10}, {"MiB", 1LL << 20}, {"GiB", 1LL << 30}, {"KB", 1'000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}}};

// Reads digits with at most one point at the front of *text.
std::optional<double> TakeNumber(std::string_view* text) {
  size_t i = 0;
  while (i < text->size() && (((*text)[i] >= '0' && (*text)[i] <= '9') || (*text)[i] == '.')) ++i;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + i, value);
  if (i == 0 || error != std::errc() || end != text->data() + i) return std::nullopt;
  text->remove_prefix(i);
  return value;
}

template <size_t kSize>
std::optional<int64_t> TakeUnit(std::string_view* text, const std::array<Unit, kSize>& units) {
  size_t i = 0;
  while (i < text->size() && std::isalpha(static_cast<unsigned char>((*text)[i]))) ++i;
  for (const Unit& unit : units) {
    if (unit.size == 0 || unit.name != text->substr(0, i)) continue;
    text->remove_prefix(i);
    return unit.size;
  }
  return std::nullopt;
}

int TwoDigits(std::string_view text) {
  if (text.size() < 2 || !std::isdigit(static_cast<unsigned char>(text[0])) || !std::isdigit(static_cast<unsigned char>(text[1]))) return -1;
  return (text[0] - '0') * 10 + (text[1] - '0');
}

std::optional<int> ParseMinute(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const int hour = TwoDigits(text);
  const int minute = TwoDigits(text.substr(3));
  if (hour < 0 || minute < 0 || minute > 59 || hour * 60 + minute > 24 * 60) return std::nullopt;
  return hour * 60 + minute;
}

}  // namespace

std::optional<Duration> ParseDuration(std::string_view text) {
  if (text == "0") return Duration{};
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const auto number = TakeNumber(&text);
    if (!number) return std::nullopt;
    const auto unit = TakeUnit(&text, kDurations);
    if (!unit) return std::nullopt;
    total += *number * static_cast<double>(*unit);
  }
  if (total > 9e18) return std::nullopt;
  return Duration(std::llround(total));
}

std::optional<uint64_t> ParseBytes(std::string_view text) {
  if (text == "0") return 0;
  const auto number = TakeNumber(&text);
  if (!number) return std::nullopt;
  const auto unit = TakeUnit(&text, kBytes);
  if (!unit || !text.empty() || *number * static_cast<double>(*unit) > 9e18) return std::nullopt;
  return static_cast<uint64_t>(std::llround(*number * static_cast<double>(*unit)));
}

std::optional<BucketLength> ParseBucketLength(std::string_view text) {
  BucketLength length;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length.count);
  if (error != std::errc() || length.count < 1 || length.count > 100'000) return std::nullopt;
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (unit == "s") length.unit = BucketUnit::kSecond;
  else if (unit == "m" || unit == "min") length.unit = BucketUnit::kMinute;
  else if (unit == "h") length.unit = BucketUnit::kHour;
  else if (unit == "d") length.unit = BucketUnit::kDay;
  else if (unit == "w") length.unit = BucketUnit::kWeek;
  else if (unit == "mo") length.unit = BucketUnit::kMonth;
  else return std::nullopt;
  return length;
}

std::optional<BusinessHours> ParseBusinessHours(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto open = ParseMinute(text.substr(0, dash));
  const auto close = ParseMinute(text.substr(dash + 1));
  if (!open || !close || *open >= *close) return std::nullopt;
  return BusinessHours{*open, *close};
}

std::optional<int> ParseWeekday(std::string_view text) {
  constexpr std::array<std::string_view, 7> kDays = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};
  for (size_t i = 0; i < kDays.size(); ++i) {
    if (text == kDays[i] || text == kDays[i].substr(0, 3)) return static_cast<int>(i) + 1;
  }
  return std::nullopt;
}

std::optional<bool> ParseBoolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::optional<int64_t> ParseInteger(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  if (text.starts_with('.')) return ParseNumber("0" + std::string(text));
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string ShowDuration(Duration duration) {
  const int64_t us = duration.count();
  if (us == 0) return "0s";
  for (size_t i = kDurations.size() - 1; i-- > 0;) {
    if (kDurations[i].name == "min" || kDurations[i].name == "w") continue;
    if (us % kDurations[i].size == 0) return fmt::format("{}{}", us / kDurations[i].size, kDurations[i].name);
  }
  return fmt::format("{}us", us);
}

std::string ShowBytes(uint64_t bytes) {
  for (size_t i = 4; i-- > 1;) {
    const auto size = static_cast<uint64_t>(kBytes[i].size);
    if (bytes >= size && bytes % size == 0) return fmt::format("{}{}", bytes / size, kBytes[i].name);
  }
  return fmt::format("{}B", bytes);
}

}  // namespace tidecast
