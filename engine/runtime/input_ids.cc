#include "engine/runtime/input_ids.h"

#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::string_view kKey = "inputs";

std::string Encode(const InputIds& ids) {
  ByteWriter value;
  value.U8(kVersion).Varint(ids.size());
  for (const auto& [topic, id] : ids) value.Bytes(topic).Bytes(id);
  return value.Take();
}

}  // namespace

Status CheckInputIds(const StateStore& store, TaskId task, const InputIds& ids) {
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, TaskStateReader(store, task).Get(Family::kMeta, kKey, &value));
  if (!found) return Status::Ok();
  ByteReader bytes(value);
  if (const uint8_t version = bytes.U8(); version != kVersion)
    return Status(Code::kVersion,
                  fmt::format("the ids of inputs have format {}, this build reads {}", version, kVersion));
  const size_t count = bytes.Count(2);
  for (size_t i = 0; i < count; ++i) {
    const std::string topic(bytes.Bytes());
    const std::string_view id = bytes.Bytes();
    const auto now = ids.find(topic);
    if (now == ids.end() || now->second.empty() || id.empty() || now->second == id) continue;
    return Status(
               Code::kConfig,
               fmt::format("an input topic was made anew under its old name: {} was {}, is {}", topic, id, now->second),
               Domain::kExternal)
        .WithRemedy("`tidecast state reset` starts anew from what the topic holds now");
  }
  return bytes.Finish("ids of inputs");
}

Status PutInputIds(const StateStore& store, TaskId task, const InputIds& ids, StateBatch& out) {
  const std::string value = Encode(ids);
  std::string stored;
  TC_ASSIGN_OR_RETURN(const bool found, TaskStateReader(store, task).Get(Family::kMeta, kKey, &stored));
  if (!found || stored != value) TaskDeltaSink(out, task).Put(Family::kMeta, kKey, value);
  return Status::Ok();
}

}  // namespace tidecast
