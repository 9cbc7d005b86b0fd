#pragma once

#include <cstddef>
#include <functional>
#include <memory>

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

}  // namespace tidecast
