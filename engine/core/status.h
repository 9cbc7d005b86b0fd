#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/core/check.h"

namespace tidecast {

/// What went wrong. Each code has an exit code (ExitCode) and a remedy in the text of its error.
enum class Code : uint8_t {
  kOk,
  kInvalidArgument,  ///< a value out of its domain, from a caller or a flag
  kUsage,            ///< the command line is off
  kConfig,           ///< the config is off
  kParse,            ///< bytes that are not what they should be
  kData,             ///< a file that can be read but makes no sense
  kNotFound,
  kNoInput,          ///< a file or topic to read is not there
  kPermission,
  kNoSpace,          ///< disk full or over quota
  kIo,
  kUnavailable,      ///< a broker or peer cannot be reached
  kTimeout,
  kWouldBlock,       ///< a bounded queue is full: try again later
  kAborted,          ///< the transaction was, or must be, aborted
  kFenced,           ///< another process has our identity
  kFatal,            ///< the client cannot go on and must be made anew
  kCorruption,
  kVersion,          ///< a stored format that this build does not read
  kNotReady,
  kInvalidShape,
  kOverflow,
  kNotFinite,
  kInternal,
};

enum class Domain : uint8_t { kInput, kExternal, kInternal };
enum class Retry : uint8_t { kNever, kBackoff };

/// The outcome of something that may fail. Cheap when ok (one pointer).
/// Text: a fixed sentence first, values last. Each layer may add context once (`In`).
/// Thread: immutable value.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message, Domain domain = Domain::kInternal, Retry retry = Retry::kNever);

  static Status Ok() { return {}; }
  bool ok() const { return rep_ == nullptr; }
  Code code() const { return rep_ ? rep_->code : Code::kOk; }
  Domain domain() const { return rep_ ? rep_->domain : Domain::kInternal; }
  Retry retry() const { return rep_ ? rep_->retry : Retry::kNever; }
  const std::string& message() const;

  /// The remedy, shown as `= try: ...`. Empty when there is none.
  const std::string& remedy() const;
  Status WithRemedy(std::string remedy) &&;

  /// Prepends "context: " to the message.
  Status In(std::string_view context) &&;

  /// Says in words that can be searched for why nobody looks at this one.
  void IgnoreWithReason(std::string_view) const {}

 private:
  struct Rep {
    Code code;
    Domain domain;
    Retry retry;
    std::string message;
    std::string remedy;
  };
  std::shared_ptr<Rep> rep_;  // shared so that a Status can be copied; never written after it was published
};

/// Name of a code as it stands in logs and metrics, e.g. "no_space".
std::string_view CodeName(Code code);
/// sysexits(3) code for a process that ends on this.
int ExitCode(Code code);

/// A value or the reason why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                                      // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) { TC_CHECK(!status_.ok()); }    // NOLINT: implicit on purpose

  bool ok() const { return value_.has_value(); }
  const Status& status() const& { return status_; }
  Status status() && { return std::move(status_); }
  /// REQUIRES: ok().
  T& value() & { TC_CHECK(ok(), "{}", status_.message()); return *value_; }
  const T& value() const& { TC_CHECK(ok(), "{}", status_.message()); return *value_; }
  T value() && { TC_CHECK(ok(), "{}", status_.message()); return std::move(*value_); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

#define TC_RETURN_IF_ERROR(expr)                       \
  do {                                                 \
    ::tidecast::Status tc_status = (expr);             \
    if (!tc_status.ok()) [[unlikely]] return tc_status; \
  } while (0)

#define TC_CONCAT_(a, b) a##b
#define TC_CONCAT(a, b) TC_CONCAT_(a, b)
#define TC_ASSIGN_OR_RETURN(decl, expr)                                   \
  auto TC_CONCAT(tc_result_, __LINE__) = (expr);                          \
  if (!TC_CONCAT(tc_result_, __LINE__).ok()) [[unlikely]]                 \
    return std::move(TC_CONCAT(tc_result_, __LINE__)).status();           \
  decl = std::move(TC_CONCAT(tc_result_, __LINE__)).value()

}  // namespace tidecast
