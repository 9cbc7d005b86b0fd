#include "engine/app/feed_ledger.h"

#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kOwner = 0xf1;
constexpr uint8_t kVersion = 1;

std::string KeyOf(std::string_view topic, uint64_t fingerprint) { return KeyWriter().U8(kOwner).Text(topic).U64(fingerprint).Take(); }

}  // namespace

Result<int64_t> RecordsFed(const StateStore& store, std::string_view topic, uint64_t fingerprint) {
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, store.Get(Family::kMeta, KeyOf(topic, fingerprint), &value));
  if (!found) return 0;
  ByteReader bytes(value);
  if (const uint8_t version = bytes.U8(); version != kVersion) {
    return Status(Code::kVersion, fmt::format("the account of files that were fed has format {}, this build reads {}", version, kVersion));
  }
  const int64_t records = bytes.I64();
  TC_RETURN_IF_ERROR(bytes.Finish("the account of files that were fed"));
  return records;
}

void PutRecordsFed(std::string_view topic, uint64_t fingerprint, int64_t records, StateBatch* rows) {
  rows->Put(Family::kMeta, KeyOf(topic, fingerprint), ByteWriter().U8(kVersion).I64(records).view());
}

}  // namespace tidecast
