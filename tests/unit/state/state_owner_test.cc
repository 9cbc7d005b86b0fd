#include "state/state_owner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "state/key_codec.h"
#include "state/rocks_store.h"
#include "state/testing/scratch_directory.h"

namespace tidecast {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(StateOwnerTest, IsBoundOnceAndAnotherIsRefusedByName) {
  const std::unique_ptr<StateStore> store = MakeMemoryStore();
  ASSERT_TRUE(ReadStateOwner(*store).ok());
  EXPECT_EQ(*ReadStateOwner(*store), std::nullopt);
  ASSERT_TRUE(BindStateOwner(*store, {"shop", "i1"}).ok());
  EXPECT_TRUE(BindStateOwner(*store, {"shop", "i1"}).ok());
  for (const StateOwner& other : {StateOwner{"shop", "i2"}, StateOwner{"store", "i1"}}) {
    const Status refused = BindStateOwner(*store, other);
    EXPECT_EQ(refused.code(), Code::kConfig);
    EXPECT_THAT(refused.message(), AllOf(HasSubstr("instance i1 of namespace shop"), HasSubstr(other.instance),
                                         HasSubstr(other.name_space)));
  }
  EXPECT_EQ(ReadStateOwner(*store)->value(), (StateOwner{"shop", "i1"}));
}

TEST(StateOwnerTest, AnotherFormatIsRefusedByName) {
  const std::unique_ptr<StateStore> store = MakeMemoryStore();
  StateBatch batch;
  batch.Put(Family::kMeta, "\xffowner", ByteWriter().U8(9).view());
  ASSERT_TRUE(store->Write(batch).ok());
  const Status refused = BindStateOwner(*store, {"shop", "i1"});
  EXPECT_EQ(refused.code(), Code::kVersion);
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("format 9"), HasSubstr("reads 1")));
}

// Stores that were written before there were owners go on, and have one from then on.
TEST(StateOwnerTest, AStoreWithoutOwnerGetsOne) {
  const testing::ScratchDirectory directory;
  {
    const auto store = std::move(OpenRocksStore({directory.path()})).value();
    StateBatch old;
    old.Put(Family::kPanes, "row", "kept");
    ASSERT_TRUE(store->Write(old).ok());
    EXPECT_EQ(*ReadStateOwner(*store), std::nullopt);
    EXPECT_TRUE(BindStateOwner(*store, {"shop", "i1"}).ok());
  }
  const auto store = std::move(OpenRocksStore({directory.path()})).value();
  std::string value;
  EXPECT_TRUE(*store->Get(Family::kPanes, "row", &value));
  EXPECT_EQ(value, "kept");
  EXPECT_EQ(BindStateOwner(*store, {"shop", "i2"}).code(), Code::kConfig);
}

TEST(StateOwnerTest, ACopyOfAStoreIsAStore) {
  const testing::ScratchDirectory directory;
  const auto store = std::move(OpenRocksStore({directory.path() + "/state"})).value();
  StateBatch batch;
  batch.Put(Family::kPanes, "row", "before");
  ASSERT_TRUE(store->Write(batch).ok());
  const std::string copy = directory.path() + "/copy";
  ASSERT_TRUE(CopyStore(*store, copy).ok());
  EXPECT_FALSE(CopyStore(*store, copy).ok()) << "a copy is never written over";
  batch.Clear();
  batch.Put(Family::kPanes, "row", "after");
  ASSERT_TRUE(store->Write(batch).ok());
  const auto copied = std::move(OpenRocksStore({copy})).value();
  std::string value;
  EXPECT_TRUE(*copied->Get(Family::kPanes, "row", &value));
  EXPECT_EQ(value, "before");
  EXPECT_EQ(CopyStore(*MakeMemoryStore(), copy).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace tidecast
