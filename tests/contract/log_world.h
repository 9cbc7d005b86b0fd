#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/log_transport.h"

namespace tidecast::contract {

/// A log that outlives its clients, as the contract suite needs one: the embedded store of a test, or a real broker.
/// One world a test.  Thread: confined.
class LogWorld {
 public:
  virtual ~LogWorld() = default;

  /// A client that was not opened yet. The same `member` later is the same identity (group member, transactional id);
  /// the suite destroys the old client first. All members are in one group.
  virtual std::unique_ptr<LogTransport> MakeClient(const std::string& member) = 0;

  /// `base` as a topic name that no other test and no earlier run uses.
  virtual std::string TopicName(const std::string& base) = 0;

  /// Puts records as another producer would, outside of the client's transactions; durable when it returns.
  /// `client` is the one that is open now.
  virtual void Feed(LogTransport& client, const std::vector<OutputRecord>& records) = 0;

  /// The group's committed position; nullopt when there is none yet. `client` is the one that is open now.
  virtual std::optional<int64_t> CommittedPosition(LogTransport& client, const TopicPartition& source) = 0;

  /// Whether `state` handed to Commit is written by the transport (then Row tells what is there).
  virtual bool WritesState() const { return false; }
  virtual std::optional<std::string> Row(Family, const std::string& /*key*/) { return std::nullopt; }

  /// Whether DiscardBelow deletes as soon as the log comes to it; else with a later segment.
  virtual bool DiscardsAtOnce() const { return true; }

  /// After so long a wait a test gives up. Successful tests never use it up.
  virtual std::chrono::milliseconds Deadline() const { return std::chrono::seconds(30); }
  /// What the suite hands to Step and Read while it waits. 0 for logs that never make anyone wait.
  virtual int WaitMs() const { return 20; }
};

using LogWorldFactory = std::function<std::unique_ptr<LogWorld>()>;

}  // namespace tidecast::contract
