#include "operators/block_journal.h"

#include <algorithm>

namespace tidecast {
namespace {

constexpr uint8_t kBlockVersion = 2;  // reads 1 too: without the number of the newest delta
constexpr uint8_t kDeltaVersion = 1;
// A row of a delta is written again with its block: with fewer changed rows than one in so many that is less.
constexpr size_t kDeltaShare = 3;
// Blocks that are written in turn with one Save where deltas have to go.
constexpr size_t kWholeBlocks = 1024;

Status NewerFormat(std::string_view what, uint8_t version, uint8_t ours) {
  return Status(Code::kVersion, fmt::format("{} has format {}, this build reads {}", what, version, ours));
}

}  // namespace

Status CheckStoredSlots(std::string_view what, uint64_t stored, size_t slots) {
  if (stored == slots) return Status::Ok();
  return Status(
             Code::kConfig,
             fmt::format("the view's features are not those of what is stored: {}, {} slots stored, {} in the config",
                         what, stored, slots),
             Domain::kInput)
      .WithRemedy("go back to the old features, or start with a new view name or a fresh state");
}

Status CheckStoredBlock(std::string_view what, uint32_t block, size_t series) {
  if (uint64_t{block} * BlockJournal::kBlockIds < series) return Status::Ok();
  return Status(Code::kCorruption, fmt::format("stored {} are of no series: block {}, {} series", what, block, series));
}

void BlockJournal::PutBlock(const Table& table, uint32_t number, DeltaSink& out) {
  Block& block = blocks_[number];
  rows_.Clear();
  table.EncodeRows(number, kAllIds, rows_);
  // Without rows it still has to outdo older deltas.
  if (!rows_.empty() || !deltas_.empty()) {
    value_.Clear();
    value_.U8(kBlockVersion).Varint(table.slots()).Varint(newest_).Raw(rows_.view());
    out.Put(Family::kPanes, table.BlockKey(number), value_.view());
    block.flags = kStored;
  } else if ((block.flags & kStored) != 0) {
    out.Delete(Family::kPanes, table.BlockKey(number));
    block.flags = 0;
  }
  block.changed = 0;
}

// The rows of into_delta_ that are still to be written: one delta, or several where they are many.
void BlockJournal::PutDelta(const Table& table, DeltaSink& out) {
  const auto put = [&] {
    ++newest_;
    out.Put(Family::kPanes, table.DeltaKey(newest_), value_.view());
    deltas_.push_back({newest_, passed_});
    value_.Clear();
  };
  value_.Clear();
  for (const uint32_t number : into_delta_) {
    Block& block = blocks_[number];
    if (block.changed == 0) continue;  // it was its turn
    rows_.Clear();
    table.EncodeRows(number, block.changed, rows_);
    if (value_.empty()) value_.U8(kDeltaVersion).Varint(table.slots());
    value_.Varint(number).U32(block.changed).Bytes(rows_.view());
    block.flags |= kInDelta;
    block.changed = 0;
    if (value_.size() > kDeltaBytes) put();
  }
  if (!value_.empty()) put();
}

void BlockJournal::PutInTurn(const Table& table, size_t most, DeltaSink& out) {
  for (size_t looked = 0; looked < blocks_.size() && most > 0; ++looked) {
    if (turn_ >= blocks_.size()) turn_ = 0;
    if ((blocks_[turn_].flags & kInDelta) != 0) {
      PutBlock(table, static_cast<uint32_t>(turn_), out);
      --most;
    }
    ++turn_;
    ++passed_;
  }
  auto keep = deltas_.begin();
  for (; keep != deltas_.end() && passed_ - keep->passed >= blocks_.size(); ++keep)
    out.Delete(Family::kPanes, table.DeltaKey(keep->number));
  deltas_.erase(deltas_.begin(), keep);
}

void BlockJournal::Save(const Table& table, size_t delta_blocks, DeltaSink& out) {
  newer_than_.clear();
  std::sort(changed_.begin(), changed_.end());
  const size_t rows_a_block = blocks_.empty() ? 0 : table.rows() / blocks_.size();
  into_delta_.clear();
  size_t delta_rows = 0;
  for (const uint32_t number : changed_) {
    const auto changed = static_cast<size_t>(std::popcount(blocks_[number].changed));
    if (changed * kDeltaShare >= rows_a_block) continue;
    into_delta_.push_back(number);
    delta_rows += changed;
  }
  if (into_delta_.size() < delta_blocks) into_delta_.clear();
  auto left_out = into_delta_.begin();
  for (const uint32_t number : changed_) {
    if (left_out != into_delta_.end() && *left_out == number) {
      ++left_out;
    } else {
      PutBlock(table, number, out);
    }
  }
  changed_.clear();
  if (!deltas_.empty())
    PutInTurn(table, delta_blocks == kNoDeltas ? kWholeBlocks : delta_rows / std::max<size_t>(rows_a_block, 1) + 1,
              out);
  PutDelta(table, out);
}

bool BlockJournal::DeleteStored(const Table& table, size_t most, DeltaSink& out) {
  for (; !deltas_.empty(); deltas_.pop_back()) {
    if (most-- == 0) return false;
    out.Delete(Family::kPanes, table.DeltaKey(deltas_.back().number));
  }
  for (; deleted_ < blocks_.size(); ++deleted_) {
    if ((blocks_[deleted_].flags & kStored) == 0) continue;
    if (most-- == 0) return false;
    out.Delete(Family::kPanes, table.BlockKey(static_cast<uint32_t>(deleted_)));
  }
  return true;
}

Status BlockJournal::LoadBlock(uint32_t number, size_t slots, std::string_view what, std::string_view bytes,
                               const DecodeRows& decode) {
  ByteReader value(bytes);
  const uint8_t version = value.U8();
  if (version < 1 || version > kBlockVersion) return NewerFormat(what, version, kBlockVersion);
  TC_RETURN_IF_ERROR(CheckStoredSlots(what, value.Varint(), slots));
  const uint64_t newer_than = version > 1 ? value.Varint() : 0;
  TC_RETURN_IF_ERROR(value.ok() ? decode(number, kAllIds, value) : value.Finish(what));
  if (number >= blocks_.size()) blocks_.resize(size_t{number} + 1);
  blocks_[number].flags |= kStored;
  if (newer_than == 0) return Status::Ok();
  newest_ = std::max(newest_, newer_than);
  if (number >= newer_than_.size()) newer_than_.resize(size_t{number} + 1);
  newer_than_[number] = newer_than;
  return Status::Ok();
}

Status BlockJournal::LoadDelta(uint64_t delta, size_t slots, std::string_view what, std::string_view bytes,
                               const DecodeRows& decode) {
  ByteReader value(bytes);
  if (const uint8_t version = value.U8(); version != kDeltaVersion) return NewerFormat(what, version, kDeltaVersion);
  TC_RETURN_IF_ERROR(CheckStoredSlots(what, value.Varint(), slots));
  while (value.ok() && !value.AtEnd()) {
    const uint64_t number = value.Varint();
    const uint32_t ids = value.U32();
    ByteReader rows(value.Bytes());
    if (!value.ok()) break;
    if (number > UINT32_MAX / kBlockIds || ids == 0)
      return Status(Code::kCorruption, fmt::format("a stored delta makes no sense: {}, block {}", what, number));
    if (number < newer_than_.size() && newer_than_[number] >= delta) continue;
    TC_RETURN_IF_ERROR(decode(static_cast<uint32_t>(number), ids, rows));
    if (number >= blocks_.size()) blocks_.resize(number + 1);
    blocks_[number].flags |= kInDelta;
  }
  TC_RETURN_IF_ERROR(value.Finish(what));
  newest_ = std::max(newest_, delta);
  deltas_.push_back({delta, 0});
  return Status::Ok();
}

void BlockJournal::Clear() {
  blocks_.clear();
  changed_.clear();
  deltas_.clear();
  newer_than_.clear();
  newest_ = passed_ = 0;
  turn_ = deleted_ = 0;
}

size_t BlockJournal::memory_bytes() const {
  return blocks_.capacity() * sizeof(Block) + (changed_.capacity() + into_delta_.capacity()) * sizeof(uint32_t) +
         deltas_.capacity() * sizeof(Delta);
}

}  // namespace tidecast
