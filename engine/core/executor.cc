#include "engine/core/executor.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tidecast {
namespace {

class SerialExecutor final : public Executor {
 public:
  void ParallelFor(size_t pieces, const std::function<void(size_t)>& run) override {
    for (size_t i = 0; i < pieces; ++i) run(i);
  }
  size_t threads() const override { return 1; }
};

// The caller works too: `threads - 1` workers stand by.
class PoolExecutor final : public Executor {
 public:
  explicit PoolExecutor(size_t threads) {
    for (size_t i = 1; i < threads; ++i) workers_.emplace_back([this] { Work(); });
  }
  ~PoolExecutor() override {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void ParallelFor(size_t pieces, const std::function<void(size_t)>& run) override {
    if (pieces <= 1) {
      if (pieces == 1) run(0);
      return;
    }
    {
      std::lock_guard lock(mutex_);
      run_ = &run;
      pieces_ = pieces;
      next_.store(0, std::memory_order_relaxed);
      busy_ = workers_.size();
      ++round_;
    }
    wake_.notify_all();
    Drain(run, pieces);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    run_ = nullptr;
  }
  size_t threads() const override { return workers_.size() + 1; }

 private:
  void Drain(const std::function<void(size_t)>& run, size_t pieces) {
    for (size_t i = next_.fetch_add(1); i < pieces; i = next_.fetch_add(1)) run(i);
  }
  void Work() {
    uint64_t seen = 0;
    for (;;) {
      const std::function<void(size_t)>* run = nullptr;
      size_t pieces = 0;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stop_ || round_ != seen; });
        if (stop_) return;
        seen = round_;
        run = run_;
        pieces = pieces_;
      }
      Drain(*run, pieces);
      std::lock_guard lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;  // guards all below but next_
  std::condition_variable wake_;
  std::condition_variable done_;
  const std::function<void(size_t)>* run_ = nullptr;
  size_t pieces_ = 0;
  size_t busy_ = 0;
  uint64_t round_ = 0;
  bool stop_ = false;
  std::atomic<size_t> next_{0};
  std::vector<std::thread> workers_;
};

}  // namespace

std::unique_ptr<Executor> MakeExecutor(size_t threads) {
  if (threads <= 1) return std::make_unique<SerialExecutor>();
  return std::make_unique<PoolExecutor>(threads);
}

size_t UsableCores(std::string_view cpu_max) {
  size_t cores = std::max(1U, std::thread::hardware_concurrency());  // goes by the cores that we are bound to
  size_t quota = 0;
  size_t period = 0;
  const char* const end = cpu_max.data() + cpu_max.size();
  const auto [after, bad] = std::from_chars(cpu_max.data(), end, quota);  // "max": no limit
  if (bad != std::errc{} || after == end) return cores;
  if (std::from_chars(after + 1, end, period).ec != std::errc{} || period == 0) return cores;
  return std::clamp<size_t>((quota + period - 1) / period, 1, cores);
}

size_t UsableCores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string line;
  std::getline(file, line);
  return UsableCores(line);
}

}  // namespace tidecast
