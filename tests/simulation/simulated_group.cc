#include "tests/simulation/simulated_group.h"

#include <algorithm>

namespace tidecast::simulation {

uint64_t SimulatedGroup::Join(const std::string& id, const std::vector<std::string>& topics, int32_t partitions) {
  Expire();
  topics_ = topics;
  partitions_ = partitions;
  const uint64_t incarnation = ++incarnations_[id];
  expelled_.erase(id);
  const auto known = members_.find(id);
  if (known != members_.end()) {
    // The same static id again: it takes its place back without a rebalance of the others.
    Member& member = known->second;
    member.incarnation = incarnation;
    member.last_seen = clock_.Now();
    member.events.clear();
    if (phase_ == Phase::kStable) {
      member.hold = Hold::kAssigned;
      member.events.push_back({.kind = TransportEvent::Kind::kAssigned, .partitions = member.assigned});
    } else {
      member.hold = Hold::kNothing;
      CompleteIfReady();
    }
    return incarnation;
  }
  Member member;
  member.incarnation = incarnation;
  member.last_seen = clock_.Now();
  members_[id] = std::move(member);
  Rebalance();
  return incarnation;
}

void SimulatedGroup::Rebalance() {
  if (phase_ == Phase::kStable) {
    phase_ = Phase::kRebalancing;
    deadline_ = clock_.Now() + rebalance_timeout;
    for (auto& [id, member] : members_) {
      if (member.hold != Hold::kAssigned) continue;
      // Who was not told yet what it got never had it.
      const bool told = member.events.empty() || member.events.back().kind != TransportEvent::Kind::kAssigned;
      if (!told) member.events.pop_back();
      if (told && !member.assigned.empty()) {
        member.hold = Hold::kRevoking;
        member.events.push_back({.kind = TransportEvent::Kind::kRevoked, .partitions = member.assigned});
      } else {
        member.hold = Hold::kNothing;
      }
    }
  }
  CompleteIfReady();
}

void SimulatedGroup::CompleteIfReady() {
  if (phase_ != Phase::kRebalancing) return;
  for (const auto& [id, member] : members_) {
    if (member.hold == Hold::kRevoking) return;
  }
  phase_ = Phase::kStable;
  ++generation_;
  const auto count = static_cast<int32_t>(members_.size());
  int32_t rank = 0;
  int32_t next = 0;
  for (auto& [id, member] : members_) {
    const int32_t share = partitions_ / count + (rank++ < partitions_ % count ? 1 : 0);
    member.assigned.clear();
    for (const std::string& topic : topics_) {
      for (int32_t p = next; p < next + share; ++p) member.assigned.push_back({topic, p});
    }
    next += share;
    member.hold = Hold::kAssigned;
    member.events.push_back({.kind = TransportEvent::Kind::kAssigned, .partitions = member.assigned});
  }
}

void SimulatedGroup::Expire() {
  const ProcessingTime now = clock_.Now();
  std::vector<std::string> gone;
  for (const auto& [id, member] : members_) {
    const bool silent = now - member.last_seen > session_timeout;
    const bool stubborn = phase_ == Phase::kRebalancing && member.hold == Hold::kRevoking && now > deadline_;
    if (silent || stubborn) gone.push_back(id);
  }
  for (const std::string& id : gone) {
    Member& member = members_[id];
    expelled_[id] = {member.incarnation, std::move(member.assigned)};
    members_.erase(id);
  }
  if (!gone.empty()) Rebalance();
}

void SimulatedGroup::Heartbeat(const std::string& id, uint64_t incarnation, std::vector<TransportEvent>* events) {
  if (incarnation == incarnations_[id]) {
    if (const auto member = members_.find(id);
        member != members_.end() && clock_.Now() - member->second.last_seen <= session_timeout) {
      member->second.last_seen = clock_.Now();
    }
  }
  Expire();
  if (incarnation != incarnations_[id]) {
    events->push_back(
        {.kind = TransportEvent::Kind::kFailed,
         .status = Status(Code::kFenced, "another process has our identity: instance " + id, Domain::kExternal)});
    return;
  }
  if (const auto out = expelled_.find(id); out != expelled_.end()) {
    // The client learns what it has lost and enters again by itself.
    if (!out->second.second.empty())
      events->push_back({.kind = TransportEvent::Kind::kLost, .partitions = out->second.second});
    expelled_.erase(out);
    Member member;
    member.incarnation = incarnation;
    member.last_seen = clock_.Now();
    members_[id] = std::move(member);
    Rebalance();
    return;
  }
  Member& member = members_.at(id);
  // One at a time: a client deals with a revocation before it hears of the next assignment.
  if (member.events.empty()) return;
  events->push_back(std::move(member.events.front()));
  member.events.pop_front();
}

void SimulatedGroup::Release(const std::string& id, uint64_t incarnation) {
  const auto member = members_.find(id);
  if (member == members_.end() || member->second.incarnation != incarnation || member->second.hold != Hold::kRevoking)
    return;
  member->second.hold = Hold::kNothing;
  member->second.assigned.clear();
  CompleteIfReady();
}

Membership SimulatedGroup::Current(const std::string& id) const {
  const auto member = members_.find(id);
  return member == members_.end() ? Membership{} : Membership{id, member->second.incarnation, generation_};
}

Outcome SimulatedGroup::Judge(const Membership& membership) const {
  // Positions of somebody who is no member are not held against a generation.
  if (membership.member.empty()) return Outcome::kOk;
  const auto newest = incarnations_.find(membership.member);
  if (newest == incarnations_.end()) return Outcome::kAbortable;
  if (newest->second != membership.incarnation) return Outcome::kFenced;
  const auto member = members_.find(membership.member);
  if (member == members_.end() || membership.generation != generation_ || member->second.hold == Hold::kNothing)
    return Outcome::kAbortable;
  return Outcome::kOk;
}

}  // namespace tidecast::simulation
