#include <array>
#include <bit>

#include "operators/bucket_calendar.h"
#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;
constexpr int kWeeksKept = 8;
constexpr int kWeeksFree = 2;

class WeekOfOpenBuckets final : public OpenBuckets {
 public:
  WeekOfOpenBuckets(const BucketCalendar& calendar, const CalendarOptions& options)
      : calendar_(calendar),
        learned_(options.open == OpenRule::kLearned &&
                 (options.unit < BucketUnit::kDay || (options.unit == BucketUnit::kDay && options.count == 1))),
        daily_(options.unit == BucketUnit::kDay) {}

  void OnBucketEnd(EventTime start, bool open) override {
    TC_CHECK(start > last_over_, "bucket ends come in order: {} after {}", start.us, last_over_.us);
    last_over_ = start;
    if (learned_) {
      const int32_t day = calendar_.LocalDay(start);
      if (day != day_) EndDay();
      day_ = day;
      day_open_ |= open;
    }
    if (!open) return;
    last_open_ = start;
    ++open_count_;
  }

  BucketContext Context(int horizon) const override {
    TC_CHECK_GT(open_count_, 0);
    BucketContext context;
    context.now = calendar_.StepAt(last_open_, open_count_ - 1);
    context.ahead.reserve(static_cast<size_t>(horizon));
    const std::array<bool, 7> week = OpenWeek();
    BucketCalendar::Span span = calendar_.Next(last_open_);
    // Thirty years of closed days would be a config that never opens again: then the rules are set aside.
    for (int64_t skipped = 0; static_cast<int>(context.ahead.size()) < horizon; span = calendar_.BucketOf(span.end)) {
      if (skipped < 100'000 && !ExpectedOpen(span.start, week)) {
        ++skipped;
        continue;
      }
      context.ahead.push_back(calendar_.StepAt(span.start, open_count_ + static_cast<int64_t>(context.ahead.size())));
    }
    return context;
  }

  int64_t open_count() const override { return open_count_; }

  void Encode(std::string* out) const override {
    ByteWriter bytes;
    bytes.U8(kVersion)
        .I64(open_count_)
        .Time(last_over_)
        .Time(last_open_)
        .U32(static_cast<uint32_t>(day_))
        .Bool(day_open_);
    for (size_t i = 0; i < 7; ++i) bytes.U8(history_[i]).U8(seen_[i]);
    out->append(bytes.view());
  }

  Status Decode(std::string_view bytes) override {
    ByteReader reader(bytes);
    if (const uint8_t version = reader.U8(); version != kVersion) {
      return Status(Code::kVersion,
                    fmt::format("stored open buckets have format {}, this build reads {}", version, kVersion));
    }
    const int64_t open_count = reader.I64();
    const EventTime last_over = reader.Time();
    const EventTime last_open = reader.Time();
    const auto day = static_cast<int32_t>(reader.U32());
    const bool day_open = reader.Bool();
    std::array<uint8_t, 7> history{};
    std::array<uint8_t, 7> seen{};
    for (size_t i = 0; i < 7; ++i) {
      history[i] = reader.U8();
      seen[i] = reader.U8();
    }
    TC_RETURN_IF_ERROR(reader.Finish("open buckets"));
    open_count_ = open_count;
    last_over_ = last_over;
    last_open_ = last_open;
    day_ = day;
    day_open_ = day_open;
    history_ = history;
    seen_ = seen;
    return Status::Ok();
  }

 private:
  static constexpr int32_t kNoDay = INT32_MIN;

  static size_t WeekdayOf(int32_t day) { return static_cast<size_t>(((day + 3) % 7 + 7) % 7); }

  void EndDay() {
    if (day_ != kNoDay) Learn(&history_, &seen_);
    day_open_ = false;
  }
  void Learn(std::array<uint8_t, 7>* history, std::array<uint8_t, 7>* seen) const {
    const size_t weekday = WeekdayOf(day_);
    (*history)[weekday] = static_cast<uint8_t>(((*history)[weekday] << 1) | (day_open_ ? 1 : 0));
    if ((*seen)[weekday] < kWeeksKept) ++(*seen)[weekday];
  }

  std::array<bool, 7> OpenWeek() const {
    std::array<bool, 7> week;
    week.fill(true);
    if (!learned_) return week;
    std::array<uint8_t, 7> history = history_;
    std::array<uint8_t, 7> seen = seen_;
    if (day_ != kNoDay && (daily_ || day_open_)) Learn(&history, &seen);  // the last day, unless it may still open
    bool any = false;
    for (size_t i = 0; i < 7; ++i) {
      week[i] = seen[i] < kWeeksFree || 2 * std::popcount(history[i]) >= seen[i];
      any |= week[i];
    }
    if (!any) week.fill(true);
    return week;
  }

  bool ExpectedOpen(EventTime start, const std::array<bool, 7>& week) const {
    if (!learned_) return calendar_.OpenByRule(start);
    return week[WeekdayOf(calendar_.LocalDay(start))] && !calendar_.ClosedByHoliday(start);
  }

  const BucketCalendar& calendar_;
  bool learned_;
  bool daily_;
  int64_t open_count_ = 0;
  EventTime last_over_;
  EventTime last_open_;
  int32_t day_ = kNoDay;              ///< learned: the local day of the last bucket
  bool day_open_ = false;             ///< and whether one of its buckets was open
  std::array<uint8_t, 7> history_{};  ///< by weekday: bit i = open i weeks ago
  std::array<uint8_t, 7> seen_{};     ///< weeks in the history, at most 8
};

}  // namespace

std::unique_ptr<OpenBuckets> OpenBuckets::Make(const BucketCalendar& calendar, const CalendarOptions& options) {
  return std::make_unique<WeekOfOpenBuckets>(calendar, options);
}

}  // namespace tidecast
