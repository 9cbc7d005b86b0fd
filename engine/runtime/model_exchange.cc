#include "engine/runtime/model_exchange.h"

#include <algorithm>

#include "engine/core/hash.h"
#include "models/piece_rows.h"
#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::string_view kOffsetKey = "models";
constexpr size_t kRecordsPerRead = 16;

/// Number of the newest version that the net has learnt by itself; 0: none.
int64_t NewestLearned(const NetHistory& history) {
  int64_t newest = 0;
  for (const NetVersion& version : history.kept()) {
    if (version.origin == NetVersion::Origin::kLearned) newest = std::max(newest, version.number);
  }
  return newest;
}

}  // namespace

Status ModelExchange::Reload(const StateReader& instance, const ModelTask& model) {
  told_.clear();
  heard_.clear();
  coming_.clear();
  reader_.reset();
  due_ = read_ = dirty_ = false;
  offset_ = -2;
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, instance.Get(Family::kMeta, kOffsetKey, &value));
  if (found) {
    ByteReader bytes(value);
    if (const uint8_t version = bytes.U8(); version != kVersion) {
      return Status(Code::kVersion, fmt::format("how far other instances' weights were read has format {}, this build reads {}", version, kVersion));
    }
    offset_ = bytes.I64();
    TC_RETURN_IF_ERROR(bytes.Finish("how far other instances' weights were read"));
  }
  for (uint16_t v = 0; v < model.views(); ++v) {
    const NetKeeper* keeper = model.net_keeper(v);
    if (keeper == nullptr) continue;
    const NetHistory history = keeper->NetVersions();
    told_[v] = NewestLearned(history);
    due_ |= history.current() == 0;
  }
  return Status::Ok();
}

Status ModelExchange::Tell(const ModelTask& model, std::vector<OutputRecord>& outputs) {
  for (auto& [view, told] : told_) {
    const int64_t newest = NewestLearned(model.net_keeper(view)->NetVersions());
    if (newest <= told) continue;
    told = newest;
    due_ = true;
    const Forecaster& forecaster = model.forecast_operator(view)->forecaster();
    TC_ASSIGN_OR_RETURN(std::string weights, forecaster.ExportNet(fmt::format("instance {}, view {}, after {} rounds", instance_, model.view_name(view), forecaster.Stats().rounds)));
    const size_t pieces = (weights.size() + kPieceBytes - 1) / kPieceBytes;
    const uint64_t hash = Hash64(weights);
    for (size_t n = 0; n < pieces; ++n) {
      OutputRecord& record = outputs.emplace_back();
      record.topic = topic_;
      record.partition = 0;
      record.key = fmt::format("{}/{}/{}", instance_, model.view_name(view), n);
      record.value = ByteWriter().U8(kVersion).U32(static_cast<uint32_t>(pieces)).U64(hash).Bytes(std::string_view(weights).substr(n * kPieceBytes, kPieceBytes)).Take();
    }
  }
  return Status::Ok();
}

// The pieces of one telling come in order and together: they are of one transaction.
void ModelExchange::Hear(const InputRecord& record) {
  const size_t first = record.key.find('/'), last = record.key.rfind('/');
  if (first == last || record.is_null || record.key.substr(0, first) == instance_) return;
  ByteReader bytes(record.value);
  const uint8_t version = bytes.U8();
  const uint32_t pieces = bytes.U32();
  const uint64_t hash = bytes.U64();
  const std::string_view piece = bytes.Bytes();
  if (version != kVersion || !bytes.Finish("a piece of a net's weights").ok()) return;  // of another build
  const std::pair from(std::string(record.key.substr(0, first)), std::string(record.key.substr(first + 1, last - first - 1)));
  std::string& coming = coming_[from];
  if (record.key.substr(last + 1) == "0") coming.clear();
  coming += piece;
  if (record.key.substr(last + 1) != fmt::format("{}", pieces - 1)) return;
  if (Hash64(coming) == hash) heard_[from] = std::move(coming);  // else compaction has taken one: newer ones follow
  coming_.erase(from);
}

Status ModelExchange::Read(bool* any) {
  if (!reader_) {
    Result<std::unique_ptr<LogReader>> opened = transport_.OpenReader({topic_, 0}, offset_, true);
    if (!opened.ok() && opened.status().code() == Code::kNotFound && offset_ >= 0) {
      opened = transport_.OpenReader({topic_, 0}, -2, true);  // the topic was made anew
    }
    TC_RETURN_IF_ERROR(opened.status());
    reader_ = std::move(opened).value();
    batch_ = reader_->MakeBatch();
  }
  batch_->Clear();
  TC_ASSIGN_OR_RETURN(const PollResult polled, reader_->Read(*batch_, kRecordsPerRead, 0));
  for (const InputRecord& record : batch_->records()) {
    *any = true;
    Hear(record);
  }
  offset_ = std::max(offset_, polled.next_offset);
  if (!polled.at_end) return Status::Ok();
  read_ = true;
  batch_.reset();
  reader_.reset();
  return Status::Ok();
}

Status ModelExchange::Meet(ModelTask& model, std::vector<std::string>* notes) {
  for (const auto& [from, weights] : heard_) {
    for (const auto& [view, told] : told_) {
      if (model.view_name(view) != from.second) continue;
      TC_RETURN_IF_ERROR(model.Ready(view));
      const Result<bool> moved = model.net_keeper(view)->MeetNet(weights);
      // Another build's, or those of another shape: it goes on without them.
      notes->push_back(fmt::format("view {}: the net {} the weights of instance {}{}", from.second,
                                   !moved.ok() ? "cannot take in" : *moved ? "takes in" : "would be no better with", from.first,
                                   moved.ok() ? "" : ": " + moved.status().message()));
      if (moved.ok() && *moved) model.MarkDirty();
    }
  }
  heard_.clear();
  read_ = due_ = false;
  dirty_ = true;
  return Status::Ok();
}

Result<bool> ModelExchange::Step(ModelTask& model, std::vector<std::string>* notes) {
  if (!due_) return false;
  bool any = false;
  if (!read_) TC_RETURN_IF_ERROR(Read(&any));
  if (!read_ || !model.between_rounds()) return any;
  TC_RETURN_IF_ERROR(Meet(model, notes));
  return true;
}

void ModelExchange::Save(DeltaSink& instance) {
  if (dirty_) instance.Put(Family::kMeta, kOffsetKey, ByteWriter().U8(kVersion).I64(offset_).view());
  dirty_ = false;
}

}  // namespace tidecast
