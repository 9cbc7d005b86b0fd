#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

namespace tidecast {

/// Normal equations of a few regressors, as a packed lower triangle by rows: (A + ridge I) x = b by Cholesky.
/// Thread: confined.
template <size_t kMax>
class SmallRidge {
 public:
  explicit SmallRidge(size_t width) : width_(width) { a_.fill(0.0); }
  template <typename Number>
  void Add(const Number* packed, double factor) {
    for (size_t at = 0; at < width_ * (width_ + 1) / 2; ++at) a_[at] += factor * static_cast<double>(packed[at]);
  }
  void Times(std::span<const double> x, double* out) const {
    for (size_t i = 0; i < width_; ++i) {
      double sum = 0;
      for (size_t j = 0; j < width_; ++j) sum += a_[At(std::max(i, j), std::min(i, j))] * x[j];
      out[i] = sum;
    }
  }
  /// `x`: b on entry, the solution after; A is used up. REQUIRES: A positive semidefinite up to rounding, ridge > 0.
  void Solve(double ridge, std::span<double> x) {
    for (size_t i = 0; i < width_; ++i) {
      for (size_t j = 0; j <= i; ++j) {
        double sum = a_[At(i, j)] + (i == j ? ridge : 0);
        for (size_t k = 0; k < j; ++k) sum -= a_[At(i, k)] * a_[At(j, k)];
        a_[At(i, j)] = i == j ? std::sqrt(std::max(sum, .1 * ridge)) : sum / a_[At(j, j)];
      }
    }
    for (size_t i = 0; i < width_; ++i) {
      for (size_t k = 0; k < i; ++k) x[i] -= a_[At(i, k)] * x[k];
      x[i] /= a_[At(i, i)];
    }
    for (size_t i = width_; i-- > 0;) {
      for (size_t k = i + 1; k < width_; ++k) x[i] -= a_[At(k, i)] * x[k];
      x[i] /= a_[At(i, i)];
    }
  }

 private:
  static size_t At(size_t i, size_t j) { return i * (i + 1) / 2 + j; }
  size_t width_;
  std::array<double, kMax*(kMax + 1) / 2> a_;
};

}  // namespace tidecast
