#include "operators/linear_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace tidecast {
namespace {

TEST(LinearModelTest, FitsAndRefusesWhatCannotBeFitted) {
  // y = 2 + 3 x with residuals +1, -1, -1, +1: sum of squares 4, variance 4 / 2, sum of (x - mean)^2 = 5.
  const std::vector<double> columns = {1, 0, 1, 1, 1, 2, 1, 3};
  const std::vector<double> y = {3, 4, 7, 12};
  const auto fit = FitLeastSquares(columns, 2, y);
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->coefficients[0], 2, 1e-12);
  EXPECT_NEAR(fit->coefficients[1], 3, 1e-12);
  EXPECT_NEAR(fit->residual_squares, 4, 1e-12);
  EXPECT_NEAR(fit->t_values[1], 3 / std::sqrt(2 / 5.), 1e-12);
  EXPECT_NEAR(fit->t_values[0], 2 / std::sqrt(2 * (1 / 4. + 2.25 / 5)), 1e-12);
  EXPECT_FALSE(FitLeastSquares(std::vector<double>{1, 2, 2, 4, 3, 6}, 2, std::vector<double>{1, 2, 3}))
      << "one column twice";
  EXPECT_FALSE(FitLeastSquares(columns, 4, std::vector<double>{1, 2})) << "too few rows";
}

TEST(LinearModelTest, NestedResidualsAreThoseOfEachFit) {
  std::vector<double> columns, y;
  for (int i = 0; i < 12; ++i) {
    const double x = i - 5.5;
    const std::vector<double> row = {1, x, x * x, std::sin(i)};
    columns.insert(columns.end(), row.begin(), row.end());
    y.push_back(3 + .5 * x + std::cos(3 * i));
  }
  const std::vector<double> squares = NestedResidualSquares(columns, 4, 2, y);
  ASSERT_EQ(squares.size(), 3U);
  for (size_t width = 2; width <= 4; ++width) {
    std::vector<double> some;
    for (size_t i = 0; i < y.size(); ++i) {
      for (size_t c = 0; c < width; ++c) some.push_back(columns[i * 4 + c]);
    }
    EXPECT_NEAR(squares[width - 2], FitLeastSquares(some, width, y)->residual_squares, 1e-10);
  }
  for (size_t i = 0; i < y.size(); ++i) columns[i * 4 + 2] = 2 * columns[i * 4 + 1] - 1;
  EXPECT_EQ(NestedResidualSquares(columns, 4, 2, y).size(), 1U) << "a column that says nothing new ends the list";
}

TEST(LinearModelTest, FindsPrincipalComponents) {
  const auto found = FindPrincipalComponents(std::vector<double>{1, .6, .6, 1}, 2);  // eigenvalues 1.6 and .4
  ASSERT_EQ(found.shares.size(), 2U);
  EXPECT_NEAR(found.shares[0], .8, 1e-12);
  EXPECT_NEAR(found.shares[1], .2, 1e-12);
  EXPECT_NEAR(std::fabs(found.directions[0]), std::sqrt(.5), 1e-12);
  EXPECT_NEAR(found.directions[0], found.directions[1], 1e-12);
  EXPECT_NEAR(found.directions[2], -found.directions[3], 1e-12);
  EXPECT_TRUE(FindPrincipalComponents({}, 0).shares.empty());
}

}  // namespace
}  // namespace tidecast
