#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "engine/core/clock.h"
#include "engine/io/log_transport.h"

namespace tidecast::simulation {

/// Who wrote positions: what KIP-447 judges by.
struct Membership {
  std::string member;
  uint64_t incarnation = 0;  ///< of the process behind a static member id
  uint64_t generation = 0;
};

/// The group coordinator: static members, eager `range` assignment, generations, session and rebalance timeouts.
/// One group.  Thread: confined.
class SimulatedGroup {
 public:
  explicit SimulatedGroup(const Clock& clock) : clock_(clock) {}

  Duration session_timeout = std::chrono::seconds(45);
  Duration rebalance_timeout = std::chrono::seconds(60);

  /// A process enters under a static id; one that was behind the id before is fenced. `partitions`: of every topic.
  /// Returns the new incarnation.
  uint64_t Join(const std::string& member, const std::vector<std::string>& topics, int32_t partitions);
  /// A sign of life. Hands out what happened to the member since the last one.
  void Heartbeat(const std::string& member, uint64_t incarnation, std::vector<TransportEvent>* events);
  void Release(const std::string& member, uint64_t incarnation);
  uint64_t generation() const { return generation_; }
  /// kOk, kFenced (another process has the id) or kAbortable (no member any more, or an old generation).
  Outcome Judge(const Membership& membership) const;
  /// The member as it is now; without id and generation when it is in the group no more.
  Membership Current(const std::string& member) const;
  /// Makes everybody give back what it has and assigns anew, as when a member with another subscription comes.
  void Rebalance();
  bool stable() const { return phase_ == Phase::kStable; }

 private:
  enum class Phase : uint8_t { kStable, kRebalancing };
  enum class Hold : uint8_t { kNothing, kAssigned, kRevoking };
  struct Member {
    uint64_t incarnation = 0;
    ProcessingTime last_seen;
    Hold hold = Hold::kNothing;
    std::vector<TopicPartition> assigned;
    std::deque<TransportEvent> events;
  };

  void Expire();
  void CompleteIfReady();

  const Clock& clock_;
  std::map<std::string, Member> members_;
  std::map<std::string, std::pair<uint64_t, std::vector<TopicPartition>>>
      expelled_;  ///< incarnation and what it had, until it asks
  std::map<std::string, uint64_t> incarnations_;
  std::vector<std::string> topics_;
  int32_t partitions_ = 0;
  Phase phase_ = Phase::kStable;
  ProcessingTime deadline_;
  uint64_t generation_ = 0;
};

}  // namespace tidecast::simulation
