#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace tidecast::integration {

/// What a copier is told to do (kafka_copier.cc).
struct CopierTask {
  std::string group;
  std::string instance;
  std::vector<std::string> inputs;
  std::string output;
  std::string changelog;
  int batch = 20;
  std::string die_at;  ///< "sent:3", empty: lives
  int session_ms = 45'000;
};

/// A copier as a process of its own. Killed with the object.
class CopierProcess {
 public:
  explicit CopierProcess(const CopierTask& task);
  ~CopierProcess();
  CopierProcess(const CopierProcess&) = delete;
  CopierProcess& operator=(const CopierProcess&) = delete;

  void Signal(int signal);
  /// Waits for its end; the exit code, or minus the signal that ended it. -1000 when it still runs after `seconds`.
  int Await(int seconds);
  /// Its lines so far.
  std::vector<std::string> Lines() const;
  /// Partitions of its newest assignment, e.g. "orders[0]"; empty when it holds none.
  std::vector<std::string> Assigned() const;

 private:
  std::string output_path_;
  pid_t pid_ = -1;
};

}  // namespace tidecast::integration
