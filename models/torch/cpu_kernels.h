#pragma once

#include <cstddef>

namespace tidecast::net {

/// The loops of the CPU path, compiled once for each instruction set. All of them treat a row by itself, with one
/// fixed fma chain an output: the bits of a row depend neither on the other rows nor on the width of the vectors.
/// (The baseline for x86-64 without FMA rounds twice; its bits differ from the others'.)
struct CpuKernels {
  const char* name;

  /// c[m][n] += a[m][k] b[k][n], the chain running along k from the value that c holds. a's element (i, p) lies at
  /// a[i * a_row + p * a_inner], so a may be read transposed.
  void (*multiply_add)(int m, int n, int k, const float* a, ptrdiff_t a_row, ptrdiff_t a_inner, const float* b,
                       ptrdiff_t b_row, float* c, ptrdiff_t c_row);

  /// One LSTM cell a row. gates [rows, gates_row]: pre-activations in, activations out. Rows of states are `state_row`
  /// apart; h and c may be the same memory as h_before and c_before. tanh_c [rows, hidden] may be null.
  /// A row with mask 0 keeps its state.
  void (*lstm_cell)(int rows, int hidden, const float* mask, ptrdiff_t mask_row, float* gates, ptrdiff_t gates_row,
                    const float* h_before, const float* c_before, float* h, float* c, ptrdiff_t state_row,
                    float* tanh_c);

  /// Backward of lstm_cell. gates: activations in, gradients of the pre-activations out. dh: gradient of h in; out,
  /// what passes to h_before past the gates (all of it where mask is 0, else 0). dc: gradient of c in, of c_before out.
  void (*lstm_cell_backward)(int rows, int hidden, const float* mask, ptrdiff_t mask_row, float* gates,
                             ptrdiff_t gates_row, const float* c_before, const float* tanh_c, float* dh, float* dc);

  /// One GRU cell a row, in place. from_input, from_state [rows, gates_row]: pre-activations in the order reset,
  /// update, new; scratch afterwards. A row with mask 0 keeps its state.
  void (*gru_cell)(int rows, int hidden, const float* mask, ptrdiff_t mask_row, float* from_input, float* from_state,
                   ptrdiff_t gates_row, float* h, ptrdiff_t state_row);

  /// One row's causal attention, from its newest step. query [heads, width]; keys and values of `steps` steps, oldest
  /// first, `row` apart, [heads, width] each; age_bias [*, heads] by steps back; weights: scratch of `steps`.
  void (*attend)(int heads, int width, int steps, const float* query, const float* keys, const float* values,
                 ptrdiff_t row, const float* age_bias, float* weights, float* out);

  /// y = x * sigmoid(x) in place of x; slope dy/dx unless null.
  void (*silu)(size_t count, float* x, float* slope);

  /// out = sign(x) * log(1 + |x|).
  void (*signed_log)(size_t count, const float* x, float* out);

  /// values[i][l] = base[i][l] * exp(a) + b with a = limit * tanh(raw[i][l] / limit), b = raw[i][16 + l]; rows of 16,
  /// raw of 32. slope (d value / d raw a) unless null.
  void (*correct)(size_t positions, const float* raw, const float* base, float* values, float* slope);

  /// sums[n] += column sums of x[rows][n].
  void (*add_columns)(int rows, int n, const float* x, ptrdiff_t x_row, float* sums);
};

const CpuKernels& BaselineKernels();
#if defined(__x86_64__)
const CpuKernels& Avx2Kernels();
const CpuKernels& Avx512Kernels();
#endif

/// The widest that this processor runs.
const CpuKernels& BestKernels();

}  // namespace tidecast::net
