#include "engine/runtime/owed_rows.h"

#include "engine/runtime/changelog_notes.h"
#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kOwedVersion = 1;

std::string OwedKey(TaskId stream) {
  std::string key = KeyWriter().U8(0xFE).U8('R').Raw(TaskPrefix(stream)).Take();
  TC_CHECK(IsLocalNote(Family::kMeta, key));
  return key;
}

}  // namespace

Status OweRows(const StateStore& store, TaskId stream, StateBatch& rows) {
  TC_ASSIGN_OR_RETURN(ChangelogDebt debt, ReadDebt(store, stream));
  for (const StateBatch::Row& row : rows.rows()) {
    TC_CHECK(StreamOf(row.key) == stream && !IsCommitRecordKey(row.family, row.key));
    debt.orphans.insert({row.family, std::string(row.key)});
  }
  TC_ASSIGN_OR_RETURN(const uint64_t seq, StoredSeq(store, stream));
  PutDebt(stream, debt, rows);
  rows.Put(Family::kMeta, OwedKey(stream), ByteWriter().U8(kOwedVersion).U64(seq).view());
  return Status::Ok();
}

Result<OwedRows> TakeOwedRows(StateStore& store, TaskId stream) {
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, store.Get(Family::kMeta, OwedKey(stream), &value));
  if (!found) return OwedRows::kNone;
  ByteReader bytes(value);
  const uint8_t version = bytes.U8();
  const uint64_t seq = bytes.U64();
  if (version != kOwedVersion) {
    return Status(Code::kVersion,
                  fmt::format("a note on owed rows has format {}, this build reads {}", version, kOwedVersion));
  }
  TC_RETURN_IF_ERROR(bytes.Finish("a note on owed rows"));
  TC_ASSIGN_OR_RETURN(const uint64_t seq_now, StoredSeq(store, stream));
  TC_ASSIGN_OR_RETURN(const ChangelogDebt debt, ReadDebt(store, stream));  // a restore from the beginning drops it, too
  StateBatch batch;
  batch.Delete(Family::kMeta, OwedKey(stream));
  TC_RETURN_IF_ERROR(store.Write(batch));
  return seq_now == seq && !debt.orphans.empty() ? OwedRows::kStand : OwedRows::kUndone;
}

}  // namespace tidecast
