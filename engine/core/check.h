#pragma once

#include <fmt/format.h>

#include <string_view>

namespace tidecast::internal {
/// Prints the failed check to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, std::string_view what, std::string_view detail);
}  // namespace tidecast::internal

/// Our own bug: prints and aborts in every build. Values go after the condition as a fmt format.
#define TC_CHECK(cond, ...)                                                                            \
  do {                                                                                                 \
    if (!(cond)) [[unlikely]]                                                                          \
      ::tidecast::internal::CheckFailed(__FILE__, __LINE__, #cond, ::fmt::format("" __VA_ARGS__));     \
  } while (0)

#define TC_CHECK_OP_(op, a, b, ...)                                                                    \
  do {                                                                                                 \
    const auto& tc_a = (a);                                                                            \
    const auto& tc_b = (b);                                                                            \
    if (!(tc_a op tc_b)) [[unlikely]]                                                                  \
      ::tidecast::internal::CheckFailed(__FILE__, __LINE__, #a " " #op " " #b,                         \
                                        ::fmt::format("left {} right {} ", tc_a, tc_b) +               \
                                            ::fmt::format("" __VA_ARGS__));                            \
  } while (0)

#define TC_CHECK_EQ(a, b, ...) TC_CHECK_OP_(==, a, b __VA_OPT__(, ) __VA_ARGS__)
#define TC_CHECK_NE(a, b, ...) TC_CHECK_OP_(!=, a, b __VA_OPT__(, ) __VA_ARGS__)
#define TC_CHECK_LT(a, b, ...) TC_CHECK_OP_(<, a, b __VA_OPT__(, ) __VA_ARGS__)
#define TC_CHECK_LE(a, b, ...) TC_CHECK_OP_(<=, a, b __VA_OPT__(, ) __VA_ARGS__)
#define TC_CHECK_GT(a, b, ...) TC_CHECK_OP_(>, a, b __VA_OPT__(, ) __VA_ARGS__)
#define TC_CHECK_GE(a, b, ...) TC_CHECK_OP_(>=, a, b __VA_OPT__(, ) __VA_ARGS__)
