#include "operators/block_journal.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace tidecast {
namespace {

/// What a store would hold, and how many bytes were written to it.
class Rows final : public DeltaSink {
 public:
  void Put(Family, std::string_view key, std::string_view value) override {
    rows[std::string(key)] = std::string(value);
    ++puts;
    bytes += key.size() + value.size();
    longest = std::max(longest, value.size());
  }
  void Delete(Family, std::string_view key) override {
    EXPECT_EQ(rows.erase(std::string(key)), 1U) << "deleted, but not there: " << key;
  }
  size_t deltas() const {
    return static_cast<size_t>(
        std::count_if(rows.begin(), rows.end(), [](const auto& r) { return r.first[0] == 'd'; }));
  }
  std::map<std::string, std::string> rows;
  size_t puts = 0, bytes = 0, longest = 0;
};

/// A number for each id that has one.
class Numbers final : public BlockJournal::Table {
 public:
  size_t rows() const override { return values.size(); }
  size_t slots() const override { return 1; }
  std::string BlockKey(uint32_t block) const override { return KeyWriter().U8('b').U32(block).Take(); }
  std::string DeltaKey(uint64_t number) const override { return KeyWriter().U8('d').U64(number).Take(); }
  void EncodeRows(uint32_t block, uint32_t ids, ByteWriter& value) const override {
    for (uint32_t place = 0; place < BlockJournal::kBlockIds; ++place) {
      const auto at = values.find(block * BlockJournal::kBlockIds + place);
      if ((ids >> place & 1) != 0 && at != values.end())
        value.U8(static_cast<uint8_t>(place)).Varint(at->second).Raw(padding);
    }
  }
  Status Decode(uint32_t block, uint32_t ids, ByteReader& value) {
    for (uint32_t place = 0; place < BlockJournal::kBlockIds; ++place) {
      if ((ids >> place & 1) != 0) values.erase(block * BlockJournal::kBlockIds + place);
    }
    while (value.ok() && !value.AtEnd()) {
      const uint8_t place = value.U8();
      EXPECT_EQ(ids >> place & 1, 1U);
      values[block * BlockJournal::kBlockIds + place] = value.Varint();
      value.Raw(padding.size());
    }
    return value.Finish("numbers");
  }
  std::map<uint32_t, uint64_t> values;
  std::string padding;
};

class BlockJournalTest : public ::testing::Test {
 protected:
  void Set(uint32_t id, uint64_t value) {
    numbers_.values[id] = value;
    journal_.Mark(id);
  }
  void Fill(uint32_t ids) {
    for (uint32_t id = 0; id < ids; ++id) Set(id, id);
    Save();
  }
  void Save(size_t delta_blocks = 1) { journal_.Save(numbers_, delta_blocks, store_); }
  /// What a start reads.
  Numbers Load(BlockJournal& journal) const {
    Numbers read;
    read.padding = numbers_.padding;
    const auto decode = [&read](uint32_t block, uint32_t ids, ByteReader& rows) {
      return read.Decode(block, ids, rows);
    };
    for (const auto& [key, value] : store_.rows) {
      KeyReader at(std::string_view(key).substr(1));
      const Status loaded = key[0] == 'b' ? journal.LoadBlock(at.U32(), 1, "a block", value, decode)
                                          : journal.LoadDelta(at.U64(), 1, "a delta", value, decode);
      EXPECT_TRUE(loaded.ok()) << loaded.message();
    }
    return read;
  }
  std::map<uint32_t, uint64_t> Loaded() const {
    BlockJournal journal;
    return Load(journal).values;
  }
  Numbers numbers_;
  BlockJournal journal_;
  Rows store_;
};

TEST_F(BlockJournalTest, WhatIsStoredIsTheTableAfterEachSaveWhateverChangedAndWheneverItWasReadAnew) {
  std::mt19937_64 random(5);
  size_t deltas = 0;
  for (int round = 0; round < 600; ++round) {
    const uint64_t changes = random() % 5 == 0 ? random() % 400 : random() % 12;
    for (uint64_t i = 0; i < changes; ++i) {
      const auto id = static_cast<uint32_t>(random() % (round < 300 ? 200 : 500));
      if (random() % 4 == 0) {
        numbers_.values.erase(id);
        journal_.Mark(id);
      } else {
        Set(id, random() % 1000);
      }
    }
    for (uint32_t id = 64; id < 96 && round % 7 == 0; ++id) {  // now and then a block to its end
      numbers_.values.erase(id);
      journal_.Mark(id);
    }
    Save(random() % 40 == 0 ? BlockJournal::kNoDeltas : 1 + random() % 3);
    ASSERT_EQ(Loaded(), numbers_.values) << round;
    EXPECT_FALSE(journal_.dirty());
    deltas = std::max(deltas, store_.deltas());
    if (random() % 20 != 0) continue;
    BlockJournal again;
    numbers_ = Load(again);
    journal_ = std::move(again);
  }
  EXPECT_GT(deltas, 3U);
}

TEST_F(BlockJournalTest, AFewChangedRowsOfManyBlocksAreWrittenTwiceAndNotThirtyTwoTimes) {
  Fill(32 * 100);
  std::mt19937_64 random(1);
  const size_t puts = store_.puts, bytes = store_.bytes;
  constexpr int kRounds = 200;
  for (int round = 0; round < kRounds; ++round) {
    for (uint32_t block = 0; block < 100; ++block)
      Set(block * 32 + static_cast<uint32_t>(random() % 32), random() % 100);
    Save();
  }
  // By blocks alone a hundred puts a round, of 32 rows of 2 to 3 bytes each.
  EXPECT_LT((store_.puts - puts) / kRounds, 8U);
  EXPECT_LT((store_.bytes - bytes) / kRounds, 2000U);
  EXPECT_LT(store_.deltas(), 40U);
  EXPECT_EQ(Loaded(), numbers_.values);
}

TEST_F(BlockJournalTest, ADeltaStandsForSeveralBlocks) {
  Fill(320);
  for (const uint32_t id : {0U, 32U, 64U}) Set(id, 5);
  Save(BlockJournal::kDeltaBlocks);
  EXPECT_EQ(store_.deltas(), 0U);
  for (const uint32_t id : {0U, 32U, 64U, 96U}) Set(id, 6);
  Save(BlockJournal::kDeltaBlocks);
  EXPECT_EQ(store_.deltas(), 1U);
  EXPECT_EQ(Loaded(), numbers_.values);
}

TEST_F(BlockJournalTest, BlocksWhoseRowsAllChangeAreWrittenAsBlocks) {
  Fill(320);
  const size_t puts = store_.puts;
  for (uint32_t id = 0; id < 320; ++id) Set(id, id + 1);
  Save();
  EXPECT_EQ(store_.puts - puts, 10U);
  EXPECT_EQ(store_.deltas(), 0U);
}

TEST_F(BlockJournalTest, ABlockOutdoesTheDeltasBeforeItAlsoWithoutRows) {
  Fill(320);
  Set(40, 7777);
  Save();
  ASSERT_EQ(store_.deltas(), 1U);
  const Rows before = store_;
  for (uint32_t id = 32; id < 64; ++id) {  // the whole block goes
    numbers_.values.erase(id);
    journal_.Mark(id);
  }
  Save();
  store_.rows.insert(before.rows.begin(), before.rows.end());  // the delta, if it went meanwhile
  EXPECT_EQ(Loaded(), numbers_.values);
}

TEST_F(BlockJournalTest, DeltasGoOnceTheirBlocksWereWritten) {
  Fill(32 * 20);
  for (uint32_t id = 0; id < 32 * 20; id += 32) Set(id, 5);
  Save();
  EXPECT_TRUE(journal_.has_deltas());
  for (int i = 0; i < 3 && journal_.has_deltas(); ++i) Save(BlockJournal::kNoDeltas);
  EXPECT_FALSE(journal_.has_deltas());
  EXPECT_EQ(store_.deltas(), 0U);
  EXPECT_EQ(Loaded(), numbers_.values);
}

TEST_F(BlockJournalTest, ALargeDeltaIsCutIntoSeveral) {
  numbers_.padding = std::string(1000, 'x');
  Fill(32 * 300);
  store_.longest = 0;
  for (uint32_t id = 0; id < 32 * 300; id += 32) Set(id, 5);
  Save();
  EXPECT_GE(store_.deltas(), 4U);
  EXPECT_LT(store_.longest, BlockJournal::kDeltaBytes + 33 * 1010);
  EXPECT_EQ(Loaded(), numbers_.values);
}

TEST_F(BlockJournalTest, DeletesAllThatIsStoredInPortions) {
  Fill(32 * 40);
  for (int i = 0; i < 5; ++i) {
    for (uint32_t id = 0; id < 32 * 40; id += 64) Set(id, 5);
    Save();
  }
  ASSERT_GT(store_.deltas(), 0U);
  int portions = 1;
  while (!journal_.DeleteStored(numbers_, 10, store_)) ASSERT_LT(++portions, 20);
  EXPECT_GT(portions, 3);
  EXPECT_TRUE(store_.rows.empty());
}

TEST_F(BlockJournalTest, BlocksOfTheFormatBeforeAreRead) {
  ByteWriter old;
  old.U8(1).Varint(1).U8(3).Varint(77);
  store_.rows[numbers_.BlockKey(2)] = old.Take();
  numbers_ = Load(journal_);
  EXPECT_EQ(numbers_.values, (std::map<uint32_t, uint64_t>{{67, 77}}));
  Set(67, 78);
  Save();
  EXPECT_EQ(Loaded(), numbers_.values);
  EXPECT_EQ(store_.rows.at(numbers_.BlockKey(2))[0], 2);
}

TEST_F(BlockJournalTest, WhatMakesNoSenseIsRefused) {
  const auto decode = [this](uint32_t block, uint32_t ids, ByteReader& rows) {
    return numbers_.Decode(block, ids, rows);
  };
  const auto block = [&](const ByteWriter& value) { return journal_.LoadBlock(0, 1, "a block", value.view(), decode); };
  const auto delta = [&](const ByteWriter& value) { return journal_.LoadDelta(1, 1, "a delta", value.view(), decode); };
  EXPECT_EQ(block(ByteWriter().U8(3).Varint(1)).code(), Code::kVersion);
  EXPECT_EQ(block(ByteWriter().U8(2).Varint(2).Varint(0)).code(), Code::kConfig);
  EXPECT_EQ(block(ByteWriter().U8(2).Varint(1)).code(), Code::kCorruption);
  EXPECT_EQ(delta(ByteWriter().U8(2).Varint(1)).code(), Code::kVersion);
  EXPECT_EQ(delta(ByteWriter().U8(1).Varint(2)).code(), Code::kConfig);
  EXPECT_EQ(delta(ByteWriter().U8(1).Varint(1).Varint(0).U32(1).Varint(9)).code(), Code::kCorruption);
  EXPECT_EQ(delta(ByteWriter().U8(1).Varint(1).Varint(0).U32(0).Bytes("")).code(), Code::kCorruption);
  EXPECT_EQ(delta(ByteWriter().U8(1).Varint(1).Varint(uint64_t{1} << 40).U32(1).Bytes("")).code(), Code::kCorruption);
}

}  // namespace
}  // namespace tidecast
