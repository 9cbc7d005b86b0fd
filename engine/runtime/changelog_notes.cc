#include "engine/runtime/changelog_notes.h"

#include <array>

#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kNotes = 0xFE;  // first byte of the keys; no task's
constexpr uint8_t kHintVersion = 1;
constexpr uint8_t kDebtVersion = 1;
constexpr std::array kTaskFamilies = {Family::kPanes, Family::kSeries, Family::kModels, Family::kMeta};

std::string HintKey(const TopicPartition& source) {
  return KeyWriter().U8(kNotes).U8('H').U32(static_cast<uint32_t>(source.partition)).Raw(source.topic).Take();
}
std::string DebtKey(TaskId stream) { return KeyWriter().U8(kNotes).U8('D').Raw(TaskPrefix(stream)).Take(); }

// The ranges of keys that a stream's rows lie in.
std::vector<std::string> PrefixesOf(TaskId stream) {
  if (IsKeyed(stream.stage)) return {TaskPrefix(stream)};
  return {std::string(1, static_cast<char>(Stage::kInstance)), std::string(1, static_cast<char>(Stage::kModel))};
}

Status VersionError(std::string_view what, uint8_t found, uint8_t known) {
  return Status(Code::kVersion, fmt::format("{} has format {}, this build reads {}", what, found, known));
}

}  // namespace

bool IsLocalNote(Family family, std::string_view key) {
  return family == Family::kMeta && !key.empty() && static_cast<uint8_t>(key[0]) == kNotes;
}

void PutHint(const TopicPartition& source, const ChangelogHint& hint, StateBatch& out) {
  out.Put(Family::kMeta, HintKey(source),
          ByteWriter().U8(kHintVersion).I64(hint.offset).I64(hint.noted.us).U64(hint.tip).view());
}

void DeleteHint(const TopicPartition& source, StateBatch& out) { out.Delete(Family::kMeta, HintKey(source)); }

Result<std::optional<ChangelogHint>> ReadHint(const StateStore& store, const TopicPartition& source) {
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, store.Get(Family::kMeta, HintKey(source), &value));
  if (!found) return std::optional<ChangelogHint>();
  ByteReader bytes(value);
  const uint8_t version = bytes.U8();
  ChangelogHint hint;
  hint.offset = bytes.I64();
  hint.noted.us = bytes.I64();
  hint.tip = bytes.U64();
  if (version != kHintVersion) return VersionError("a changelog position", version, kHintVersion);
  TC_RETURN_IF_ERROR(bytes.Finish("changelog position"));
  return std::optional(hint);
}

void PutDebt(TaskId stream, const ChangelogDebt& debt, StateBatch& out) {
  if (debt.empty()) {
    out.Delete(Family::kMeta, DebtKey(stream));
    return;
  }
  ByteWriter value;
  value.U8(kDebtVersion).Bool(debt.snapshot).Varint(debt.orphans.size());
  for (const ChangelogFold::Orphan& orphan : debt.orphans)
    value.U8(static_cast<uint8_t>(orphan.family)).Bytes(orphan.key);
  out.Put(Family::kMeta, DebtKey(stream), value.view());
}

Result<ChangelogDebt> ReadDebt(const StateStore& store, TaskId stream) {
  std::string value;
  ChangelogDebt debt;
  TC_ASSIGN_OR_RETURN(const bool found, store.Get(Family::kMeta, DebtKey(stream), &value));
  if (!found) return debt;
  ByteReader bytes(value);
  if (const uint8_t version = bytes.U8(); version != kDebtVersion)
    return VersionError("a changelog's debt", version, kDebtVersion);
  debt.snapshot = bytes.Bool();
  const size_t count = bytes.Count(2);
  for (size_t i = 0; i < count; ++i) {
    const auto family = static_cast<Family>(bytes.U8());
    debt.orphans.insert({family, std::string(bytes.Bytes())});
  }
  TC_RETURN_IF_ERROR(bytes.Finish("a changelog's debt"));
  return debt;
}

void DropStream(TaskId stream, StateBatch& out) {
  for (const std::string& prefix : PrefixesOf(stream)) {
    for (const Family family : kTaskFamilies) out.DeleteRange(family, prefix, PrefixEnd(prefix));
  }
}

Status ScanStream(const StateStore& store, TaskId stream, Family family, std::string_view from,
                  const std::function<bool(Family, std::string_view, std::string_view)>& visit) {
  const std::string base_key = TaskPrefix(stream) + "base";
  bool go_on = true;
  for (const Family f : kTaskFamilies) {
    if (f < family) continue;
    for (const std::string& prefix : PrefixesOf(stream)) {
      const std::string end = PrefixEnd(prefix);
      const std::string_view first = f == family && from > prefix ? from : std::string_view(prefix);
      if (first >= end) continue;
      TC_RETURN_IF_ERROR(store.Scan(f, first, end, [&](std::string_view key, std::string_view value) {
        if (IsCommitRecordKey(f, key) || (f == Family::kMeta && key == base_key)) return true;
        return go_on = visit(f, key, value);
      }));
      if (!go_on) return Status::Ok();
    }
  }
  return Status::Ok();
}

}  // namespace tidecast
