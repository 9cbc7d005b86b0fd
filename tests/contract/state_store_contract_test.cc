#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <thread>

#include "state/state_store.h"
#include "state/testing/scratch_directory.h"

namespace tidecast {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

/// A store that may be closed and opened again; the one in memory stays as it is.
class StoreHolder {
 public:
  virtual ~StoreHolder() = default;
  virtual StateStore& store() = 0;
  virtual void Reopen() {}
};

class MemoryHolder final : public StoreHolder {
 public:
  StateStore& store() override { return *store_; }

 private:
  std::unique_ptr<StateStore> store_ = MakeMemoryStore();
};

class RocksHolder final : public StoreHolder {
 public:
  RocksHolder() { Reopen(); }
  StateStore& store() override { return *store_; }
  void Reopen() override {
    store_.reset();
    auto opened = OpenRocksStore({directory_.path() + "/state", 16 << 20, false});
    TC_CHECK(opened.ok(), "{}", opened.status().message());
    store_ = std::move(opened).value();
  }

 private:
  testing::ScratchDirectory directory_;
  std::unique_ptr<StateStore> store_;
};

using Rows = std::vector<std::pair<std::string, std::string>>;

class StateStoreContract : public ::testing::TestWithParam<std::function<std::unique_ptr<StoreHolder>()>> {
 protected:
  StateStore& store() { return holder_->store(); }
  void Write(const StateBatch& batch) {
    const Status status = store().Write(batch);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  std::optional<std::string> Get(Family family, std::string_view key) {
    std::string value;
    const auto found = store().Get(family, key, &value);
    EXPECT_TRUE(found.ok());
    return *found ? std::optional(value) : std::nullopt;
  }
  Rows Scan(Family family, std::string_view from, std::string_view to) {
    Rows rows;
    const Status status = store().Scan(family, from, to, [&](std::string_view key, std::string_view value) {
      rows.emplace_back(key, value);
      return true;
    });
    EXPECT_TRUE(status.ok()) << status.message();
    return rows;
  }

  std::unique_ptr<StoreHolder> holder_ = GetParam()();
};

TEST_P(StateStoreContract, GivesBackWhatWasWritten) {
  StateBatch batch;
  batch.Put(Family::kPanes, "a", "1");
  batch.PutOwned(Family::kPanes, std::string("\0z", 2), std::string("\0\xff", 2));
  batch.Put(Family::kPanes, "empty", "");
  Write(batch);
  EXPECT_EQ(Get(Family::kPanes, "a"), "1");
  EXPECT_EQ(Get(Family::kPanes, std::string_view("\0z", 2)), std::string("\0\xff", 2));
  EXPECT_EQ(Get(Family::kPanes, "empty"), "");
  EXPECT_EQ(Get(Family::kPanes, "b"), std::nullopt);
}

TEST_P(StateStoreContract, KeepsFamiliesApart) {
  StateBatch batch;
  for (size_t f = 0; f < kFamilies; ++f) batch.Put(static_cast<Family>(f), "key", "family " + std::to_string(f));
  Write(batch);
  for (size_t f = 0; f < kFamilies; ++f) EXPECT_EQ(Get(static_cast<Family>(f), "key"), "family " + std::to_string(f));
}

TEST_P(StateStoreContract, TheLastWordOnAKeyWins) {
  StateBatch batch;
  batch.Put(Family::kPanes, "a", "1");
  batch.Delete(Family::kPanes, "a");
  batch.Put(Family::kPanes, "b", "1");
  batch.Put(Family::kPanes, "b", "2");
  batch.Delete(Family::kPanes, "c");
  batch.Put(Family::kPanes, "c", "3");
  Write(batch);
  EXPECT_EQ(Get(Family::kPanes, "a"), std::nullopt);
  EXPECT_EQ(Get(Family::kPanes, "b"), "2");
  EXPECT_EQ(Get(Family::kPanes, "c"), "3");
}

TEST_P(StateStoreContract, GetsManyKeysInTheOrderAsked) {
  StateBatch batch;
  std::vector<std::string> keys;
  for (int i = 0; i < 500; ++i) {
    keys.push_back("key " + std::to_string(i * 7919 % 1000));
    if (i % 3 != 0) batch.Put(Family::kSeries, keys.back(), "value of " + keys.back());
  }
  batch.Put(Family::kPanes, keys[0], "other family");
  Write(batch);
  keys.push_back(keys[1]);  // twice is fine
  std::vector<std::string> values(keys.size());
  std::vector<uint8_t> found(keys.size(), 7);
  ASSERT_TRUE(store().GetMany(Family::kSeries, keys, values, found).ok());
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto one = Get(Family::kSeries, keys[i]);
    EXPECT_EQ(found[i], one ? 1 : 0) << keys[i];
    EXPECT_EQ(found[i] != 0 ? values[i] : "", one.value_or(""));
  }
  EXPECT_TRUE(store().GetMany(Family::kSeries, {}, {}, {}).ok());
}

TEST_P(StateStoreContract, ScansAHalfOpenRangeInTheOrderOfUnsignedBytes) {
  StateBatch batch;
  for (const char* key : {"b", "a", "\x7f", "\x80", "\xff", "ab", "c"}) batch.Put(Family::kSeries, key, key);
  Write(batch);
  EXPECT_THAT(Scan(Family::kSeries, "a", "c"), ElementsAre(Pair("a", "a"), Pair("ab", "ab"), Pair("b", "b")));
  EXPECT_THAT(Scan(Family::kSeries, "c", ""),
              ElementsAre(Pair("c", "c"), Pair("\x7f", "\x7f"), Pair("\x80", "\x80"), Pair("\xff", "\xff")));
  EXPECT_THAT(Scan(Family::kSeries, "b", "a"), IsEmpty());
  EXPECT_THAT(Scan(Family::kSeries, "a", "a"), IsEmpty());
}

TEST_P(StateStoreContract, AScanStopsWhenToldTo) {
  StateBatch batch;
  for (const char* key : {"a", "b", "c"}) batch.Put(Family::kSeries, key, "");
  Write(batch);
  int visits = 0;
  ASSERT_TRUE(store().Scan(Family::kSeries, "", "", [&](auto, auto) { return ++visits < 2; }).ok());
  EXPECT_EQ(visits, 2);
}

TEST_P(StateStoreContract, DeletesARangeBeforeItsOwnRows) {
  StateBatch first;
  for (const char* key : {"a", "b", "c", "d"}) first.Put(Family::kPanes, key, "old");
  first.Put(Family::kSeries, "b", "other family");
  Write(first);
  StateBatch second;
  second.Put(Family::kPanes, "c", "new");
  second.DeleteRange(Family::kPanes, "b", "d");
  second.DeleteRange(Family::kPanes, "x", "a");  // nothing lies between
  Write(second);
  EXPECT_THAT(Scan(Family::kPanes, "", ""), ElementsAre(Pair("a", "old"), Pair("c", "new"), Pair("d", "old")));
  EXPECT_EQ(Get(Family::kSeries, "b"), "other family");
}

TEST_P(StateStoreContract, AppendedBatchesActAsOneAfterTheOther) {
  StateBatch first;
  first.Put(Family::kPanes, "a", "1");
  first.Put(Family::kPanes, "b", "1");
  first.Put(Family::kSeries, "b", "1");
  StateBatch second;
  second.DeleteRange(Family::kPanes, "b", "c");
  second.Put(Family::kPanes, "a", "2");
  first.Append(std::move(second));
  EXPECT_TRUE(second.empty());  // NOLINT: Append empties it by contract
  EXPECT_EQ(second.bytes(), 0U);
  Write(first);
  EXPECT_THAT(Scan(Family::kPanes, "", ""), ElementsAre(Pair("a", "2")));
  EXPECT_EQ(Get(Family::kSeries, "b"), "1");
}

TEST_P(StateStoreContract, AnEmptyBatchIsFine) {
  Write(StateBatch());
  EXPECT_TRUE(store().Sync().ok());
}

TEST_P(StateStoreContract, KeepsEverythingOverAReopen) {
  for (int i = 0; i < 100; ++i) {
    StateBatch batch;
    batch.Put(Family::kPanes, "k" + std::to_string(i), std::to_string(i));
    batch.Put(Family::kMeta, "last", std::to_string(i));
    if (i > 0) batch.Delete(Family::kPanes, "k" + std::to_string(i - 1));
    Write(batch);
  }
  holder_->Reopen();
  EXPECT_THAT(Scan(Family::kPanes, "", ""), ElementsAre(Pair("k99", "99")));
  EXPECT_EQ(Get(Family::kMeta, "last"), "99");
}

TEST_P(StateStoreContract, AgreesWithAPlainMapOverRandomBatches) {
  std::mt19937 random(20240229);
  std::map<std::string, std::string> model;
  const auto key = [&] { return std::to_string(random() % 200); };
  for (int round = 0; round < 300; ++round) {
    StateBatch batch;
    if (random() % 4 == 0) {
      std::string from = key();
      std::string to = key();
      if (from > to) std::swap(from, to);
      batch.DeleteRange(Family::kModels, from, to);
      model.erase(model.lower_bound(from), model.lower_bound(to));
    }
    for (int i = 0; i < 20; ++i) {
      const std::string k = key();
      if (random() % 3 == 0) {
        batch.Delete(Family::kModels, k);
        model.erase(k);
      } else {
        const std::string value(random() % 300, static_cast<char>('a' + random() % 26));
        batch.Put(Family::kModels, k, value);
        model[k] = value;
      }
    }
    Write(batch);
    if (round % 50 == 49) holder_->Reopen();
    ASSERT_EQ(Scan(Family::kModels, "", ""), Rows(model.begin(), model.end())) << "round " << round;
  }
}

TEST_P(StateStoreContract, ReadersBesideAWriterSeeWholeBatches) {
  const auto write = [&](int i) {
    StateBatch batch;
    batch.Put(Family::kPanes, "a", std::to_string(i));
    batch.Put(Family::kPanes, "z", std::to_string(i));
    return store().Write(batch).ok();
  };
  ASSERT_TRUE(write(0));
  bool torn = false;
  int reads = 0;
  std::atomic<bool> done = false;
  std::thread reader([&] {
    do {
      const Rows rows = Scan(Family::kPanes, "", "");
      torn = torn || rows.size() != 2 || rows[0].second != rows[1].second;
      ++reads;
    } while (!done);
  });
  bool all_ok = true;
  for (int i = 1; i < 2000; ++i) all_ok = write(i) && all_ok;
  done = true;
  reader.join();
  EXPECT_TRUE(all_ok);
  EXPECT_FALSE(torn);
  EXPECT_GT(reads, 0);
}

TEST_P(StateStoreContract, CountsItsMemory) {
  StateBatch batch;
  batch.Put(Family::kPanes, "k", std::string(1 << 20, 'x'));
  Write(batch);
  EXPECT_GE(store().MemoryBytes(), 1U << 20);
}

INSTANTIATE_TEST_SUITE_P(Memory, StateStoreContract,
                         ::testing::Values([] { return std::make_unique<MemoryHolder>(); }));
INSTANTIATE_TEST_SUITE_P(RocksDb, StateStoreContract,
                         ::testing::Values([] { return std::make_unique<RocksHolder>(); }));

}  // namespace
}  // namespace tidecast
