#include "state/state_owner.h"

#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr std::string_view kOwnerKey(
    "\xff"
    "owner");
constexpr uint8_t kVersion = 1;

}  // namespace

Result<std::optional<StateOwner>> ReadStateOwner(const StateStore& store) {
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, store.Get(Family::kMeta, kOwnerKey, &value));
  if (!found) return std::optional<StateOwner>();
  ByteReader bytes(value);
  if (const uint8_t version = bytes.U8(); version != kVersion) {
    return Status(Code::kVersion,
                  fmt::format("the owner of the state has format {}, this build reads {}", version, kVersion));
  }
  StateOwner owner;
  owner.name_space = bytes.Bytes();
  owner.instance = bytes.Bytes();
  TC_RETURN_IF_ERROR(bytes.Finish("owner of the state"));
  return std::optional<StateOwner>(std::move(owner));
}

Status CheckStateOwner(const std::optional<StateOwner>& found, const StateOwner& wanted, std::string_view place) {
  if (!found || *found == wanted) return Status::Ok();
  return Status(Code::kConfig,
                fmt::format("the state is another's: it belongs to instance {} of namespace {}, the config says "
                            "instance {} of namespace {}: {}",
                            found->instance, found->name_space, wanted.instance, wanted.name_space, place),
                Domain::kInput)
      .WithRemedy("give each instance a state.directory of its own, or correct `instance` and `namespace`");
}

Status BindStateOwner(StateStore& store, const StateOwner& owner) {
  TC_ASSIGN_OR_RETURN(const std::optional<StateOwner> found, ReadStateOwner(store));
  if (found) return CheckStateOwner(found, owner, "state.directory");
  StateBatch batch;
  batch.Put(Family::kMeta, kOwnerKey, ByteWriter().U8(kVersion).Bytes(owner.name_space).Bytes(owner.instance).view());
  return store.Write(batch);
}

}  // namespace tidecast
