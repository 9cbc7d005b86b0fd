#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/stateful.h"
#include "models/net.h"
#include "models/net_example.h"
#include "models/net_history.h"

namespace tidecast {

struct NetTrainerOptions {
  int origins_per_round = 512;  ///< recorded a round; the series are drawn by chance, a segment of origins at a time
  int steps_per_round = 4;      ///< optimiser steps, a count and never a time
  int64_t young_steps = 1200;   ///< twice as many steps a round until so many have been made
  int batch_newest = 32;        ///< windows
  int batch_replay = 32;
  double learning_rate = 2e-3;         ///< of a young net
  double learning_rate_last = 1.5e-4;  ///< what it decays to
  double decay_steps = 1000;
  int64_t warm_steps = 0;            ///< made elsewhere: the net is no longer as young
  int64_t freeze_after_rounds = -1;  ///< -1: learns for ever
  int canary_rounds = 16;            ///< rounds between two comparisons with the last accepted copy
  int version_rounds = 64;           ///< rounds between two versions that are kept; a multiple of canary_rounds
  uint64_t seed = 7;
  std::string prefix;  ///< of the stored rows' keys
};

/// Teaches the net online without ever seeing a label too early: an origin recorded at t waits until all its labels
/// have come; the origins of a segment are one window, which is among the newest of the round in which its last label
/// came, and goes into a replay reservoir stratified by volume and demand class. Thread: Record and Mature may be
/// called side by side for different series; all else is confined.
class NetTrainer {
 public:
  NetTrainer(std::unique_ptr<ResidualNet> net, const NetShape& shape, const NetTrainerOptions& options);
  ResidualNet& net() { return *net_; }
  const ResidualNet& net() const { return *net_; }
  const NetShape& shape() const { return shape_; }
  /// Brings the net to the weights of the last Reload. Before Learn and whatever else asks the net.
  /// Errors: of ResidualNet::Load.
  Status Ready();

  /// Whether this series's origin is one of the sample.
  bool Samples(uint64_t key_hash, int64_t origin) const;
  /// Whether it is the last of its segment, which brings the window of inputs.
  bool Closes(uint64_t key_hash, int64_t origin) const {
    return PlaceInSegment(key_hash, origin) == shape_.positions - 1;
  }
  void Record(NetOrigin origin);
  /// Whether this series's origin waits; then its labels may be handed in.
  bool Waits(int64_t origin, uint64_t key_hash) const;
  /// actuals [horizon] in target units; NaN = missing.
  void Mature(int64_t origin, uint64_t key_hash, std::span<const float> actuals);

  /// Learns from what matured at `origin`. `series`: how many were in the round. Once a round, after the last block.
  void Learn(int64_t matured_origin, int64_t series);

  const NetHistory& history() const { return history_; }
  /// Begins anew with another net's weights (ResidualNet::Adopt); those it has now are kept as a version, and the new
  /// ones, too. REQUIRES: Ready. Errors: as Adopt; nothing has changed then.
  Status Import(std::string_view blob, const NetRows& rows, std::string provenance);
  /// Lets the net come half of the way to weights that another one has learnt beside it, if that is no worse on the own
  /// replay sample; a net that has learnt nothing yet takes them over. Returns whether it has moved; then the weights
  /// are a version. REQUIRES: Ready. Errors: as Adopt; nothing has changed then.
  Result<bool> Meet(std::string_view blob, const NetRows& rows, std::string provenance);
  /// Goes back to a version (NetHistory::Find); the present weights are kept as one. `store`: where they lie.
  /// REQUIRES: Ready. Errors: kNotFound, of ResidualNet::Load; nothing has changed then.
  Status RollBack(std::optional<int64_t> version, const StateReader& store);

  void Save(DeltaSink& out);
  /// Does not touch the net. Errors: of the rows (kCorruption, kVersion).
  Status Reload(const StateReader& store);

  int64_t steps() const { return head_.steps; }
  int64_t rejected() const { return head_.rejected; }
  int64_t rolled_back() const { return head_.rolled_back; }
  const NetLoss& last_loss() const { return last_loss_; }

 private:
  static constexpr uint32_t kStrata = 16;
  static constexpr uint32_t kSlotsPerStratum = 128;
  using Key = std::pair<int64_t, uint64_t>;
  struct Head {
    uint32_t format = 1;
    uint32_t unused = 0;
    int64_t steps = 0;
    int64_t rejected = 0;
    int64_t rolled_back = 0;
    int64_t rounds = 0;
    int64_t series = 0;
    int64_t seen[kStrata] = {};
  };
  int64_t PlaceInSegment(uint64_t key_hash, int64_t origin) const;
  /// Takes the windows closed at `matured_origin` out of the waiting origins, and gives up what can never close.
  std::vector<NetExample> TakeMatured(int64_t matured_origin);
  std::string PendingKey(const Key& key) const;
  std::string ReplayKey(uint32_t slot) const;
  void Retain(NetExample example);
  /// The windows of the reservoir by slot: a uniform draw from them favours none that follows a gap.
  std::vector<const NetExample*> Kept() const;
  NetBatch MakeBatch(const std::vector<NetExample>& newest, int64_t step) const;
  /// So many windows of the reservoir, drawn by chance.
  std::vector<NetBatch> DrawReplay() const;
  void CheckCanary();
  std::string VersionKey(int64_t number) const;
  /// Nothing is to be stored any more.
  void Clean();
  /// Keeps `blob`, the weights that the net has, as a version.
  void Keep(std::string blob, NetVersion::Origin origin, std::string provenance, int64_t spare = 0);
  /// The weights that the net has are the accepted ones.
  void Accept(std::string blob);

  std::unique_ptr<ResidualNet> net_;
  NetShape shape_;
  NetTrainerOptions options_;
  Head head_;
  NetLoss last_loss_;
  std::string newborn_;         ///< weights at birth: what an empty store means
  std::string stored_weights_;  ///< as of Reload; empty: none
  bool loaded_ = true;          ///< the net has them
  std::string accepted_;        ///< weights of the last accepted copy
  mutable std::mutex mutex_;    // guards pending_ and what is dirty of it while blocks are at work
  std::map<Key, NetOrigin> pending_;
  std::set<Key> dirty_pending_, deleted_pending_;
  std::map<uint32_t, NetExample> replay_;  ///< by slot
  std::set<uint32_t> dirty_replay_;
  NetHistory history_;
  std::map<int64_t, std::string> new_versions_;  ///< weights by number, to be stored
  std::set<int64_t> dropped_versions_;
  bool dirty_weights_ = false;
  bool dirty_accepted_ = false;
  bool dirty_head_ = false;
  bool dirty_history_ = false;
};

}  // namespace tidecast
