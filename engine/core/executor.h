#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

namespace tidecast {

/// Runs independent pieces of one step side by side and returns when all are done (fork and join).
/// What the pieces write must be apart from each other, so that the result does not depend on the number of threads.
/// Thread: confined; ParallelFor must not be called from inside a piece.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void ParallelFor(size_t pieces, const std::function<void(size_t piece)>& run) = 0;
  virtual size_t threads() const = 0;
};

/// `threads` <= 1 runs everything on the caller's thread, in order.
std::unique_ptr<Executor> MakeExecutor(size_t threads);

/// Cores that this process may use, at least 1: those it is bound to, and no more than its container's share of time
/// comes to (`cpu_max`: what Linux's cgroups have in cpu.max, e.g. "150000 100000").
size_t UsableCores(std::string_view cpu_max);
size_t UsableCores();

}  // namespace tidecast
