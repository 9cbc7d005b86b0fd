#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/expert.h"
#include "models/launch_prior.h"

namespace tidecast {

/// What counts came where so much was expected: a table, pooled over all series, of actual counts by expected mean, by
/// how the newest level stands to that mean, and by horizon group, discounted; a forecast is the row of the series's
/// own numbers. No shape is assumed, a sparse series borrows that of all that sell as little, and what the whole shop
/// does to expected means is in the table. The expected mean is a discounted one, drawn towards the series's slow mean
/// with the weight of kPriorBuckets buckets, times the pooled seasonal factor. Rows by the logarithm of the mean and of
/// the newest level over it, a value shared out among the four nearest; cells are single counts up to kSingleCounts,
/// then grow by a fifth each. State: [sum, weight] of the mean, of the slow mean, of the newest level. Summary: the
/// mean, log of level over mean. Asleep beyond the greatest row.
class CountTableExpert final : public Expert {
 public:
  /// `fast_decay`: of the newest level.
  CountTableExpert(std::string name, float decay, float fast_decay)
      : CountTableExpert(std::move(name), decay, fast_decay, false) {}
  /// A table of new series alone, by expected mean and by age in place of the trend; asleep for all others.
  static std::unique_ptr<CountTableExpert> OfLaunches(std::string name, float decay) {
    return std::unique_ptr<CountTableExpert>(new CountTableExpert(std::move(name), decay, decay, true));
  }
  std::string_view name() const override { return name_; }
  double cost() const override { return 6; }
  double prior() const override { return 3; }
  size_t state_floats() const override { return 6; }
  size_t summary_floats() const override { return 2; }
  size_t pooled_size() const override { return (of_launches_ ? kAges : kHorizonGroups * kTrends) * kRows * kNumbers; }
  size_t sums_size() const override { return pooled_size(); }
  void StartPooled(std::span<double> pooled) const override;
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;
  void Expand(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
              std::span<const uint8_t> rows, std::span<const float> summaries, std::span<const double> pooled,
              const ExpertOutput& out) const override;
  void Gather(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
              std::span<const uint8_t> rows, std::span<const float> summaries, std::span<const double> pooled,
              std::span<double> sums) const override;
  void Fold(std::span<const double> sums, std::span<double> pooled) const override;
  /// As others, without the whole table.
  float PresentLevel(const OneForecast& one) const override;

  static constexpr size_t kSingleCounts = 16;  ///< 0 .. 15
  static constexpr size_t kCells = 68;
  static constexpr size_t kRows = 32;
  static constexpr size_t kTrends = 5;

 private:
  CountTableExpert(std::string name, float decay, float fast_decay, bool of_launches);
  static constexpr size_t kAges = LaunchPrior::kBands - 1;
  static constexpr size_t kNumbers = kCells + 2;  ///< a row: cells, sums of actual and of expected mean
  /// Between which rows a forecast lies; `right`, `up`: share of the upper one by mean, by trend.
  struct Place {
    size_t row;
    float right;
    size_t trend, above;  ///< planes of rows, by trend or age
    float up;
    /// Rows of the group's planes that the four corners are.
    std::array<size_t, 4> Rows() const {
      return {trend * kRows + row, trend * kRows + row + 1, above * kRows + row, above * kRows + row + 1};
    }
    std::array<float, 4> Weights() const {
      return {(1 - up) * (1 - right), (1 - up) * right, up * (1 - right), up * right};
    }
  };
  bool Find(float mean, float trend, Place* place) const;
  /// Where a row of a group's planes begins in the table: of launches there is one plane for all groups.
  size_t At(size_t group, size_t row) const { return ((of_launches_ ? 0 : group * kTrends * kRows) + row) * kNumbers; }
  size_t CellOf(float actual) const;
  /// A row of the table, and the sum of its cells.
  const double* NumbersOf(std::span<const double> pooled, size_t group, size_t row, double* total) const;
  static float RatioOf(const double* numbers);  ///< actual over expected mean of a row

  struct Cells {
    std::vector<float> first;  ///< [kCells + 1] least count of a cell
    std::vector<double>
        prior;  ///< [kRows, kNumbers] what a row holds before anything was seen, for one bucket's weight
  };
  /// The same for all tables, made once.
  static const Cells& SharedCells();

  std::string name_;
  float decay_;
  float fast_decay_;
  bool of_launches_;
  const std::vector<float>& first_;
  const std::vector<double>& prior_;
};

}  // namespace tidecast
