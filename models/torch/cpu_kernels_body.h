// Body of CpuKernels, included once by each cpu_kernels_*.cc, which is compiled for its own instruction set.
// Everything is in an unnamed namespace: no function compiled for a wide machine may be picked by the linker for
// another, which is also why no inline function of the standard library is used here.
#include <cstdint>
#include <cstring>
#if defined(__FMA__)
#include <immintrin.h>
#endif

#include "models/torch/cpu_kernels.h"

namespace tidecast::net {
namespace {

constexpr float kLimit = 3.0F;  // = kScaleLimit

// --- vectors ---------------------------------------------------------------------------------------------------------

#if defined(__AVX512F__)
constexpr int kLanes = 16;
using Vector = __m512;
inline Vector Load(const float* p) { return _mm512_loadu_ps(p); }
inline void Store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
inline Vector Broadcast(float x) { return _mm512_set1_ps(x); }
inline Vector MultiplyAdd(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
#elif defined(__FMA__)
constexpr int kLanes = 8;
using Vector = __m256;
inline Vector Load(const float* p) { return _mm256_loadu_ps(p); }
inline void Store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
inline Vector Broadcast(float x) { return _mm256_set1_ps(x); }
inline Vector MultiplyAdd(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
#else
constexpr int kLanes = 4;
using Vector = float __attribute__((vector_size(16)));
inline Vector Load(const float* p) {
  Vector v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
inline void Store(float* p, Vector v) { std::memcpy(p, &v, sizeof(v)); }
inline Vector Broadcast(float x) { return Vector{x, x, x, x}; }
inline Vector MultiplyAdd(Vector a, Vector b, Vector c) {
#if defined(__ARM_FEATURE_FMA)
  for (int i = 0; i < kLanes; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return c;
#else
  return a * b + c;
#endif
}
#endif

inline float Fma(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

// --- multiply_add ----------------------------------------------------------------------------------------------------

template <int kRows, int kVectors>
inline void Tile(int k, const float* a, ptrdiff_t a_row, ptrdiff_t a_inner, const float* b, ptrdiff_t b_row, float* c,
                 ptrdiff_t c_row) {
  Vector sum[kRows][kVectors];
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) sum[i][j] = Load(c + i * c_row + j * kLanes);
  }
  for (int p = 0; p < k; ++p) {
    Vector right[kVectors];
    for (int j = 0; j < kVectors; ++j) right[j] = Load(b + j * kLanes);
    for (int i = 0; i < kRows; ++i) {
      const Vector left = Broadcast(a[i * a_row]);
      for (int j = 0; j < kVectors; ++j) sum[i][j] = MultiplyAdd(left, right[j], sum[i][j]);
    }
    a += a_inner;
    b += b_row;
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kVectors; ++j) Store(c + i * c_row + j * kLanes, sum[i][j]);
  }
}

constexpr int kTileRows = 6;

/// All rows of one panel of kVectors vectors.
template <int kVectors>
inline void Panel(int m, int k, const float* a, ptrdiff_t a_row, ptrdiff_t a_inner, const float* b, ptrdiff_t b_row,
                  float* c, ptrdiff_t c_row) {
  int i = 0;
  for (; i + kTileRows <= m; i += kTileRows) {
    Tile<kTileRows, kVectors>(k, a + i * a_row, a_row, a_inner, b, b_row, c + i * c_row, c_row);
  }
  const float* a_rest = a + i * a_row;
  float* c_rest = c + i * c_row;
  switch (m - i) {
    case 5:
      Tile<5, kVectors>(k, a_rest, a_row, a_inner, b, b_row, c_rest, c_row);
      break;
    case 4:
      Tile<4, kVectors>(k, a_rest, a_row, a_inner, b, b_row, c_rest, c_row);
      break;
    case 3:
      Tile<3, kVectors>(k, a_rest, a_row, a_inner, b, b_row, c_rest, c_row);
      break;
    case 2:
      Tile<2, kVectors>(k, a_rest, a_row, a_inner, b, b_row, c_rest, c_row);
      break;
    case 1:
      Tile<1, kVectors>(k, a_rest, a_row, a_inner, b, b_row, c_rest, c_row);
      break;
    default:
      break;
  }
}

void MultiplyAddMatrices(int m, int n, int k, const float* a, ptrdiff_t a_row, ptrdiff_t a_inner, const float* b,
                         ptrdiff_t b_row, float* c, ptrdiff_t c_row) {
  int j = 0;
  for (; j + 2 * kLanes <= n; j += 2 * kLanes) Panel<2>(m, k, a, a_row, a_inner, b + j, b_row, c + j, c_row);
  for (; j + kLanes <= n; j += kLanes) Panel<1>(m, k, a, a_row, a_inner, b + j, b_row, c + j, c_row);
  for (; j < n; ++j) {
    for (int i = 0; i < m; ++i) {
      float sum = c[i * c_row + j];
      for (int p = 0; p < k; ++p) sum = Fma(a[i * a_row + p * a_inner], b[p * b_row + j], sum);
      c[i * c_row + j] = sum;
    }
  }
}

// --- functions -------------------------------------------------------------------------------------------------------

/// exp with relative error below 2e-7; exactly 1 at 0; finite for every finite x. Source: Cephes expf (S. Moshier).
inline float Exp(float x) {
  x = x > 88.0F ? 88.0F : x;
  x = x < -87.0F ? -87.0F : x;
  constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  const float n = Fma(x, 1.44269504088896341F, kRounder) - kRounder;
  float r = Fma(n, -0.693359375F, x);
  r = Fma(n, 2.12194440e-4F, r);
  float p = 1.9875691500e-4F;
  p = Fma(p, r, 1.3981999507e-3F);
  p = Fma(p, r, 8.3334519073e-3F);
  p = Fma(p, r, 4.1665795894e-2F);
  p = Fma(p, r, 1.6666665459e-1F);
  p = Fma(p, r, 5.0000001201e-1F);
  p = Fma(p, r * r, r) + 1.0F;
  // A NaN must not reach the conversion: its exponent is taken as 0, and p carries the NaN on.
  const float whole = n == n ? n : 0.0F;
  return p * __builtin_bit_cast(float, (static_cast<int32_t>(whole) + 127) << 23);
}

inline float Sigmoid(float x) { return 1.0F / (1.0F + Exp(-x)); }
inline float Tanh(float x) { return 2.0F / (1.0F + Exp(-2.0F * x)) - 1.0F; }

/// log(1 + x) for x >= 0; absolute error below 1e-6, exactly 0 at 0. Source: Cephes logf (S. Moshier).
inline float LogOnePlus(float x) {
  const float y = 1.0F + x;
  const int32_t bits = __builtin_bit_cast(int32_t, y);
  float exponent = static_cast<float>((bits >> 23) - 126);
  float m = __builtin_bit_cast(float, (bits & 0x007fffff) | 0x3f000000);
  const bool low = m < 0.707106781186547524F;
  exponent = low ? exponent - 1.0F : exponent;
  m = (low ? m + m : m) - 1.0F;
  const float z = m * m;
  float p = 7.0376836292e-2F;
  p = Fma(p, m, -1.1514610310e-1F);
  p = Fma(p, m, 1.1676998740e-1F);
  p = Fma(p, m, -1.2420140846e-1F);
  p = Fma(p, m, 1.4249322787e-1F);
  p = Fma(p, m, -1.6668057665e-1F);
  p = Fma(p, m, 2.0000714765e-1F);
  p = Fma(p, m, -2.4999993993e-1F);
  p = Fma(p, m, 3.3333331174e-1F);
  p = p * m * z;
  p = Fma(exponent, -2.12194440e-4F, p);
  p = Fma(-0.5F, z, p);
  const float result = Fma(exponent, 0.693359375F, m + p);
  return x == x ? result : x;
}

// --- cells -----------------------------------------------------------------------------------------------------------

void LstmCell(int rows, int hidden, const float* mask, ptrdiff_t mask_row, float* gates, ptrdiff_t gates_row,
              const float* h_before, const float* c_before, float* h, float* c, ptrdiff_t state_row, float* tanh_c) {
  for (int row = 0; row < rows; ++row) {
    const ptrdiff_t state = row * state_row;
    if (mask[row * mask_row] == 0.0F) {
      if (h != h_before) std::memcpy(h + state, h_before + state, sizeof(float) * static_cast<size_t>(hidden));
      if (c != c_before) std::memcpy(c + state, c_before + state, sizeof(float) * static_cast<size_t>(hidden));
      continue;
    }
    float* __restrict gate = gates + row * gates_row;
    for (int j = 0; j < 2 * hidden; ++j) gate[j] = Sigmoid(gate[j]);
    for (int j = 2 * hidden; j < 3 * hidden; ++j) gate[j] = Tanh(gate[j]);
    for (int j = 3 * hidden; j < 4 * hidden; ++j) gate[j] = Sigmoid(gate[j]);
    const float* before = c_before + state;
    float* after = c + state;
    float* out = h + state;
    float* squashed = tanh_c != nullptr ? tanh_c + row * hidden : out;
    // Each loop reads and writes the same index only, so that states may be stepped in place.
#pragma GCC ivdep
    for (int j = 0; j < hidden; ++j) after[j] = Fma(gate[hidden + j], before[j], gate[j] * gate[2 * hidden + j]);
#pragma GCC ivdep
    for (int j = 0; j < hidden; ++j) squashed[j] = Tanh(after[j]);
#pragma GCC ivdep
    for (int j = 0; j < hidden; ++j) out[j] = gate[3 * hidden + j] * squashed[j];
  }
}

void LstmCellBackward(int rows, int hidden, const float* mask, ptrdiff_t mask_row, float* gates, ptrdiff_t gates_row,
                      const float* c_before, const float* tanh_c, float* dh, float* dc) {
  for (int row = 0; row < rows; ++row) {
    float* __restrict gate = gates + row * gates_row;
    if (mask[row * mask_row] == 0.0F) {
      std::memset(gate, 0, sizeof(float) * 4 * static_cast<size_t>(hidden));
      continue;
    }
    const float* __restrict before = c_before + row * hidden;
    const float* __restrict squashed = tanh_c + row * hidden;
    float* __restrict from_h = dh + row * hidden;
    float* __restrict from_c = dc + row * hidden;
#pragma GCC ivdep
    for (int j = 0; j < hidden; ++j) {
      const float in = gate[j];
      const float forget = gate[hidden + j];
      const float cell = gate[2 * hidden + j];
      const float out = gate[3 * hidden + j];
      const float t = squashed[j];
      const float d = Fma(from_h[j] * out, 1.0F - t * t, from_c[j]);
      gate[3 * hidden + j] = from_h[j] * t * out * (1.0F - out);
      gate[j] = d * cell * in * (1.0F - in);
      gate[hidden + j] = d * before[j] * forget * (1.0F - forget);
      gate[2 * hidden + j] = d * in * (1.0F - cell * cell);
      from_c[j] = d * forget;
      from_h[j] = 0.0F;
    }
  }
}

void GruCell(int rows, int hidden, const float* mask, ptrdiff_t mask_row, float* from_input, float* from_state,
             ptrdiff_t gates_row, float* h, ptrdiff_t state_row) {
  for (int row = 0; row < rows; ++row) {
    if (mask[row * mask_row] == 0.0F) continue;
    float* __restrict x = from_input + row * gates_row;
    const float* __restrict s = from_state + row * gates_row;
    float* __restrict state = h + row * state_row;
    for (int j = 0; j < 2 * hidden; ++j) x[j] = Sigmoid(x[j] + s[j]);
    for (int j = 0; j < hidden; ++j) x[2 * hidden + j] = Tanh(Fma(x[j], s[2 * hidden + j], x[2 * hidden + j]));
    for (int j = 0; j < hidden; ++j) {
      const float fresh = x[2 * hidden + j];
      state[j] = Fma(x[hidden + j], state[j] - fresh, fresh);
    }
  }
}

void Attend(int heads, int width, int steps, const float* query, const float* keys, const float* values, ptrdiff_t row,
            const float* age_bias, float* weights, float* out) {
  const float scale = 1.0F / __builtin_sqrtf(static_cast<float>(width));
  for (int head = 0; head < heads; ++head) {
    const float* __restrict q = query + head * width;
    float largest = 0;
    for (int step = 0; step < steps; ++step) {
      const float* __restrict k = keys + step * row + head * width;
      float score = 0;
      for (int j = 0; j < width; ++j) score = Fma(q[j], k[j], score);
      score = Fma(score, scale, age_bias[(steps - 1 - step) * heads + head]);
      weights[step] = score;
      largest = step == 0 || score > largest ? score : largest;
    }
    for (int step = 0; step < steps; ++step) weights[step] = Exp(weights[step] - largest);
    float sum = 0;
    for (int step = 0; step < steps; ++step) sum += weights[step];
    float* __restrict to = out + head * width;
    for (int j = 0; j < width; ++j) to[j] = 0;
    for (int step = 0; step < steps; ++step) {
      const float* __restrict v = values + step * row + head * width;
      for (int j = 0; j < width; ++j) to[j] = Fma(weights[step], v[j], to[j]);
    }
    const float inverse = 1.0F / sum;
    for (int j = 0; j < width; ++j) to[j] *= inverse;
  }
}

void Silu(size_t count, float* __restrict x, float* __restrict slope) {
  if (slope == nullptr) {
    for (size_t i = 0; i < count; ++i) x[i] = x[i] * Sigmoid(x[i]);
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    const float s = Sigmoid(x[i]);
    const float y = x[i] * s;
    slope[i] = Fma(y, 1.0F - s, s);
    x[i] = y;
  }
}

void SignedLog(size_t count, const float* __restrict x, float* __restrict out) {
  for (size_t i = 0; i < count; ++i) out[i] = __builtin_copysignf(LogOnePlus(__builtin_fabsf(x[i])), x[i]);
}

void CorrectPositions(size_t positions, const float* __restrict raw, const float* __restrict base,
                      float* __restrict values, float* __restrict slope) {
  for (size_t position = 0; position < positions; ++position) {
    const float* r = raw + position * 32;
    for (size_t l = 0; l < 16; ++l) {
      const size_t at = position * 16 + l;
      const float t = Tanh(r[l] * (1.0F / kLimit));
      const float scaled = base[at] * Exp(kLimit * t);
      values[at] = scaled + r[16 + l];
      if (slope != nullptr) slope[at] = scaled * (1.0F - t * t);
    }
  }
}

void AddColumns(int rows, int n, const float* x, ptrdiff_t x_row, float* __restrict sums) {
  for (int row = 0; row < rows; ++row) {
    const float* values = x + row * x_row;
    for (int j = 0; j < n; ++j) sums[j] += values[j];
  }
}

constexpr CpuKernels MakeKernels(const char* name) {
  return {name, MultiplyAddMatrices, LstmCell,         LstmCellBackward, GruCell, Attend,
          Silu, SignedLog,           CorrectPositions, AddColumns};
}

}  // namespace
}  // namespace tidecast::net
