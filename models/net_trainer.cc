// A round's learning:
//   1. the windows whose last label came in this round are the newest: the origins of a segment, put together;
//   2. some steps: half newest, half replay, chosen by counters; a rejected step is counted and changes nothing;
//   3. the newest go into the reservoir of their stratum;
//   4. now and then the net is compared with the last accepted copy on the same replay windows: worse by two standard
//      errors means back to that copy, else it is the next accepted one; each fourth of these is kept as a version.
#include "models/net_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "engine/core/hash.h"
#include "models/piece_rows.h"

namespace tidecast {
namespace {

constexpr float kMeetShare = .5F;  ///< of the way to another instance's weights
constexpr uint64_t kSamplePurpose = 0x736d;
constexpr uint64_t kReplayPurpose = 0x7270;
constexpr uint64_t kReservoirPurpose = 0x7276;
constexpr int kCanaryChunks = 8;
constexpr int kCanaryRows = 16;

void AppendBigEndian(uint64_t value, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

}  // namespace

NetTrainer::NetTrainer(std::unique_ptr<ResidualNet> net, const NetShape& shape, const NetTrainerOptions& options)
    : net_(std::move(net)), shape_(shape), options_(options) {}

Status NetTrainer::Ready() {
  if (newborn_.empty()) net_->Save(&newborn_);
  if (accepted_.empty()) accepted_ = newborn_;
  if (loaded_) return Status::Ok();
  TC_RETURN_IF_ERROR(net_->Load(stored_weights_.empty() ? newborn_ : stored_weights_));
  loaded_ = true;
  return Status::Ok();
}

int64_t NetTrainer::PlaceInSegment(uint64_t key_hash, int64_t origin) const {
  const int64_t length = shape_.positions;
  const int64_t place = (origin + static_cast<int64_t>(key_hash % static_cast<uint64_t>(length))) % length;
  return place < 0 ? place + length : place;
}

bool NetTrainer::Samples(uint64_t key_hash, int64_t origin) const {
  const double share =
      static_cast<double>(options_.origins_per_round) / static_cast<double>(std::max<int64_t>(head_.series, 1));
  return UniformAt(options_.seed, key_hash, origin - PlaceInSegment(key_hash, origin), kSamplePurpose) < share;
}

void NetTrainer::Record(NetOrigin origin) {
  const Key key{origin.origin, origin.key_hash};
  const std::lock_guard lock(mutex_);
  pending_.insert_or_assign(key, std::move(origin));
  dirty_pending_.insert(key);
  deleted_pending_.erase(key);
}

bool NetTrainer::Waits(int64_t origin, uint64_t key_hash) const {
  const std::lock_guard lock(mutex_);
  return pending_.contains({origin, key_hash});
}

void NetTrainer::Mature(int64_t origin, uint64_t key_hash, std::span<const float> actuals) {
  const std::lock_guard lock(mutex_);
  const Key key{origin, key_hash};
  const auto found = pending_.find(key);
  if (found == pending_.end()) return;
  NetOrigin& waiting = found->second;
  TC_CHECK(actuals.size() == waiting.target.size());
  for (size_t h = 0; h < actuals.size(); ++h) {
    const bool there = std::isfinite(actuals[h]);
    waiting.target[h] = ToHalf(there ? actuals[h] / waiting.scale : 0);
    waiting.mask[h] = ToHalf(there ? 1 : 0);
  }
  waiting.matured = true;
  dirty_pending_.insert(key);
}

std::vector<const NetExample*> NetTrainer::Kept() const {
  std::vector<const NetExample*> kept;
  kept.reserve(replay_.size());
  for (const auto& [slot, example] : replay_) kept.push_back(&example);
  return kept;
}

NetBatch NetTrainer::MakeBatch(const std::vector<NetExample>& newest, int64_t step) const {
  NetBatch batch;
  const size_t fresh = std::min(newest.size(), static_cast<size_t>(options_.batch_newest));
  for (size_t i = 0; i < fresh; ++i) {
    AppendExample(shape_, newest[(static_cast<size_t>(step) * fresh + i) % newest.size()], &batch);
  }
  if (replay_.empty()) return batch;
  const std::vector<const NetExample*> kept = Kept();
  for (int i = 0; i < options_.batch_replay; ++i) {
    const double chance = UniformAt(options_.seed, static_cast<uint64_t>(i), step, kReplayPurpose);
    AppendExample(shape_, *kept[static_cast<size_t>(chance * static_cast<double>(kept.size()))], &batch);
  }
  return batch;
}

void NetTrainer::Retain(NetExample example) {
  const uint32_t stratum = example.last().stratum % kStrata;
  const int64_t seen = head_.seen[stratum]++;
  int64_t slot = seen;
  if (seen >= kSlotsPerStratum) {
    slot = static_cast<int64_t>(
        UniformAt(options_.seed, example.last().key_hash, example.last().origin, kReservoirPurpose) *
        static_cast<double>(seen + 1));
    if (slot >= kSlotsPerStratum) return;
  }
  const uint32_t at = stratum * kSlotsPerStratum + static_cast<uint32_t>(slot);
  replay_.insert_or_assign(at, std::move(example));
  dirty_replay_.insert(at);
}

std::vector<NetBatch> NetTrainer::DrawReplay() const {
  std::vector<NetBatch> chunks;
  if (replay_.empty()) return chunks;
  chunks.resize(kCanaryChunks);
  const std::vector<const NetExample*> kept = Kept();
  for (int i = 0; i < kCanaryChunks * kCanaryRows; ++i) {
    const double chance = UniformAt(options_.seed, static_cast<uint64_t>(i), head_.rounds, kReplayPurpose + 1);
    AppendExample(shape_, *kept[static_cast<size_t>(chance * static_cast<double>(kept.size()))],
                  &chunks[static_cast<size_t>(i / kCanaryRows)]);
  }
  return chunks;
}

void NetTrainer::CheckCanary() {
  const std::vector<NetBatch> chunks = DrawReplay();
  std::string now;
  net_->Save(&now);
  std::array<double, kCanaryChunks> worse;
  for (size_t c = 0; c < worse.size(); ++c) worse[c] = net_->Evaluate(chunks[c]).loss;
  const Status loaded = net_->Load(accepted_);
  TC_CHECK(loaded.ok(), "{}", loaded.message());
  double mean = 0;
  for (size_t c = 0; c < worse.size(); ++c) {
    worse[c] -= net_->Evaluate(chunks[c]).loss;
    mean += worse[c] / kCanaryChunks;
  }
  double variance = 0;
  for (const double difference : worse) variance += (difference - mean) * (difference - mean);
  const double error = std::sqrt(variance / (kCanaryChunks - 1) / kCanaryChunks);
  dirty_weights_ = true;
  if (!(mean <= 2 * error)) {  // also when it is not a number
    ++head_.rolled_back;
    return;
  }
  const Status back = net_->Load(now);
  TC_CHECK(back.ok(), "{}", back.message());
  if (head_.rounds % options_.version_rounds == 0) Keep(now, NetVersion::Origin::kLearned, {});
  Accept(std::move(now));
}

void NetTrainer::Accept(std::string blob) {
  accepted_ = std::move(blob);
  dirty_weights_ = dirty_accepted_ = true;
}

void NetTrainer::Keep(std::string blob, NetVersion::Origin origin, std::string provenance, int64_t spare) {
  NetVersion version;
  version.origin = origin;
  version.rounds = head_.rounds;
  version.steps = head_.steps;
  version.provenance = std::move(provenance);
  for (const NetBatch& batch : DrawReplay()) {
    const NetLoss loss = net_->Evaluate(batch);
    version.windows += batch.rows;
    version.loss += loss.loss / kCanaryChunks;
    version.base_loss += loss.base_loss / kCanaryChunks;
  }
  const int64_t dropped = history_.Add(std::move(version), head_.steps, spare);
  new_versions_[history_.current()] = std::move(blob);
  if (dropped > 0) {
    new_versions_.erase(dropped);
    dropped_versions_.insert(dropped);
  }
  dirty_history_ = true;
}

Status NetTrainer::Import(std::string_view blob, const NetRows& rows, std::string provenance) {
  std::string before, now;
  net_->Save(&before);
  TC_RETURN_IF_ERROR(net_->Adopt(blob, rows));
  net_->Save(&now);
  if (history_.moved(head_.steps)) {  // judged by what it forecasts itself
    TC_RETURN_IF_ERROR(net_->Load(before));
    Keep(std::move(before), NetVersion::Origin::kLearned, {});
    TC_RETURN_IF_ERROR(net_->Load(now));
  }
  Keep(now, NetVersion::Origin::kImported, std::move(provenance));
  Accept(std::move(now));
  return Status::Ok();
}

Result<bool> NetTrainer::Meet(std::string_view blob, const NetRows& rows, std::string provenance) {
  std::string now;
  if (head_.steps == 0) {
    TC_RETURN_IF_ERROR(net_->Adopt(blob, rows));
  } else {
    const std::vector<NetBatch> chunks = DrawReplay();
    if (chunks.empty()) return false;
    std::string before;
    net_->Save(&before);
    double worse = 0;
    for (const NetBatch& batch : chunks) worse -= net_->Evaluate(batch).loss;
    TC_RETURN_IF_ERROR(net_->Blend(blob, rows, kMeetShare));
    for (const NetBatch& batch : chunks) worse += net_->Evaluate(batch).loss;
    if (!(worse <= 0)) {  // also when it is not a number
      TC_RETURN_IF_ERROR(net_->Load(before));
      return false;
    }
  }
  net_->Save(&now);
  Keep(now, NetVersion::Origin::kImported, std::move(provenance));
  Accept(std::move(now));
  return true;
}

Status NetTrainer::RollBack(std::optional<int64_t> version, const StateReader& store) {
  TC_ASSIGN_OR_RETURN(const int64_t number, history_.Find(version, head_.steps));
  std::string then, now;
  TC_ASSIGN_OR_RETURN(const bool found, GetPieces(store, Family::kModels, VersionKey(number), &then));
  if (!found)
    return Status(Code::kCorruption, fmt::format("the weights of a version of the net are not there: {}", number));
  net_->Save(&now);
  TC_RETURN_IF_ERROR(net_->Load(then));
  if (history_.moved(head_.steps)) {
    TC_RETURN_IF_ERROR(net_->Load(now));
    Keep(std::move(now), NetVersion::Origin::kLearned, {}, number);
    TC_RETURN_IF_ERROR(net_->Load(then));
  }
  history_.GoBackTo(number, head_.steps);
  dirty_history_ = true;
  Accept(std::move(then));
  return Status::Ok();
}

std::vector<NetExample> NetTrainer::TakeMatured(int64_t matured_origin) {
  std::vector<NetExample> closed;
  std::vector<Key> closing;
  for (auto it = pending_.lower_bound({matured_origin, 0}); it != pending_.end() && it->first.first == matured_origin;
       ++it) {
    if (it->second.closes() && it->second.matured) closing.push_back(it->first);
  }
  const auto take = [&](const Key& key) {
    auto node = pending_.extract(key);
    deleted_pending_.insert(key);
    dirty_pending_.erase(key);
    return std::move(node.mapped());
  };
  for (const Key& key : closing) {
    NetExample& example = closed.emplace_back();
    for (int64_t origin = matured_origin - shape_.positions + 1; origin <= matured_origin; ++origin) {
      const auto found = pending_.find({origin, key.second});
      if (found == pending_.end()) continue;
      NetOrigin one = take(found->first);
      if (one.matured) example.origins.push_back(std::move(one));
    }
  }
  // What is older than a segment was given up by its series: not brought when it fell due, or not drawn to the end.
  while (!pending_.empty() && pending_.begin()->first.first <= matured_origin - shape_.positions)
    take(Key(pending_.begin()->first));
  return closed;
}

void NetTrainer::Learn(int64_t matured_origin, int64_t series) {
  ++head_.rounds;
  head_.series = series;
  dirty_head_ = true;
  std::vector<NetExample> newest = TakeMatured(matured_origin);
  if (newest.empty()) return;
  const bool frozen = options_.freeze_after_rounds >= 0 && head_.rounds > options_.freeze_after_rounds;
  const int steps = (head_.steps + options_.warm_steps < options_.young_steps ? 2 : 1) * options_.steps_per_round;
  for (int i = 0; i < steps && !frozen; ++i) {
    const double decay = 1 + static_cast<double>(head_.steps + options_.warm_steps) / options_.decay_steps;
    const double factor = std::max(options_.learning_rate_last / options_.learning_rate, 1 / decay);
    last_loss_ = net_->Learn(MakeBatch(newest, head_.steps), factor);
    ++head_.steps;
    if (!last_loss_.accepted) ++head_.rejected;
    dirty_weights_ = true;
  }
  for (NetExample& example : newest) Retain(std::move(example));
  if (!frozen && head_.rounds % options_.canary_rounds == 0) CheckCanary();
}

std::string NetTrainer::PendingKey(const Key& key) const {
  std::string text = options_.prefix + "net/pending/";
  AppendBigEndian(static_cast<uint64_t>(key.first) ^ (1ULL << 63), &text);
  AppendBigEndian(key.second, &text);
  return text;
}

std::string NetTrainer::ReplayKey(uint32_t slot) const {
  return options_.prefix + fmt::format("net/replay/{:08x}", slot);
}

std::string NetTrainer::VersionKey(int64_t number) const {
  return options_.prefix + fmt::format("net/version/{:08x}", number);
}

void NetTrainer::Save(DeltaSink& out) {
  std::string value;
  for (const Key& key : deleted_pending_) out.Delete(Family::kModels, PendingKey(key));
  for (const Key& key : dirty_pending_) {
    pending_.at(key).Encode(&value);
    out.Put(Family::kModels, PendingKey(key), value);
  }
  for (const uint32_t slot : dirty_replay_) {
    replay_.at(slot).Encode(&value);
    out.Put(Family::kModels, ReplayKey(slot), value);
  }
  if (dirty_weights_) {
    net_->Save(&value);
    PutPieces(Family::kModels, options_.prefix + "net/weights", value, out);
  }
  if (dirty_accepted_) PutPieces(Family::kModels, options_.prefix + "net/accepted", accepted_, out);
  if (dirty_head_) {
    out.Put(Family::kModels, options_.prefix + "net/head", {reinterpret_cast<const char*>(&head_), sizeof head_});
  }
  for (const int64_t number : dropped_versions_) {
    DeletePieces(Family::kModels, VersionKey(number), newborn_.size(), out);  // all of one shape
  }
  for (const auto& [number, blob] : new_versions_) PutPieces(Family::kModels, VersionKey(number), blob, out);
  if (dirty_history_) out.Put(Family::kModels, options_.prefix + "net/versions", history_.Encode());
  Clean();
}

void NetTrainer::Clean() {
  deleted_pending_.clear();
  dirty_pending_.clear();
  dirty_replay_.clear();
  dropped_versions_.clear();
  new_versions_.clear();
  dirty_weights_ = dirty_accepted_ = dirty_head_ = dirty_history_ = false;
}

Status NetTrainer::Reload(const StateReader& store) {
  pending_.clear();
  replay_.clear();
  Clean();
  head_ = {};
  history_ = {};
  last_loss_ = {};
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool has_head, store.Get(Family::kModels, options_.prefix + "net/head", &value));
  if (has_head) {
    if (value.size() != sizeof head_) return Status(Code::kCorruption, "the net's head row has a wrong length");
    std::memcpy(&head_, value.data(), sizeof head_);
    if (head_.format != Head{}.format)
      return Status(Code::kVersion, fmt::format("the net's head row has format {}", head_.format));
  }
  TC_ASSIGN_OR_RETURN(const bool has_history, store.Get(Family::kModels, options_.prefix + "net/versions", &value));
  if (has_history) TC_RETURN_IF_ERROR(history_.Decode(value));
  stored_weights_.clear();
  accepted_.clear();
  loaded_ = false;
  for (const auto& [name, blob] : {std::pair("net/weights", &stored_weights_), std::pair("net/accepted", &accepted_)}) {
    TC_RETURN_IF_ERROR(GetPieces(store, Family::kModels, options_.prefix + name, blob).status());
  }
  Status failed;
  const auto scan = [&](const std::string& prefix, const auto& decode, const auto& take) -> Status {
    TC_RETURN_IF_ERROR(store.Scan(Family::kModels, prefix, prefix, [&](std::string_view key, std::string_view bytes) {
      auto decoded = decode(shape_, bytes);
      if (!decoded.ok()) {
        failed = std::move(decoded).status();
        return false;
      }
      take(key.substr(prefix.size()), std::move(decoded).value());
      return true;
    }));
    return failed;
  };
  TC_RETURN_IF_ERROR(scan(options_.prefix + "net/pending/", NetOrigin::Decode, [&](std::string_view, NetOrigin origin) {
    const Key key{origin.origin, origin.key_hash};
    pending_.emplace(key, std::move(origin));
  }));
  return scan(options_.prefix + "net/replay/", NetExample::Decode, [&](std::string_view rest, NetExample example) {
    replay_.emplace(static_cast<uint32_t>(std::stoul(std::string(rest), nullptr, 16)), std::move(example));
  });
}

}  // namespace tidecast
