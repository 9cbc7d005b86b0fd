#include "operators/series_dictionary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "operators/window_keys.h"

namespace tidecast {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kBlock = SeriesDictionary::kBlockIds;

/// What a store would hold.
class Rows final : public DeltaSink, public StateReader {
 public:
  Result<bool> Get(Family, std::string_view, std::string*) const override { return false; }
  Status Scan(Family, std::string_view prefix, std::string_view from,
              const std::function<bool(std::string_view key, std::string_view value)>& visit) const override {
    for (auto at = rows.lower_bound(std::string(from)); at != rows.end() && at->first.starts_with(prefix); ++at) {
      if (!visit(at->first, at->second)) break;
    }
    return Status::Ok();
  }
  void Put(Family family, std::string_view key, std::string_view value) override {
    EXPECT_EQ(family, Family::kPanes);
    rows[std::string(key)] = std::string(value);
    ++puts;
    bytes += key.size() + value.size() + kRowBytes;
  }
  void Delete(Family family, std::string_view key) override {
    EXPECT_EQ(family, Family::kPanes);
    EXPECT_EQ(rows.erase(std::string(key)), 1U) << "a deletion of nothing";
    ++deletes;
    bytes += key.size() + kRowBytes;
  }
  /// Of the Saves since the last call.
  std::pair<int, int> TakePutsAndDeletes() { return {std::exchange(puts, 0), std::exchange(deletes, 0)}; }

  static constexpr size_t kRowBytes = 56;  // as StateBatch counts them
  std::map<std::string, std::string> rows;
  int puts = 0;
  int deletes = 0;
  size_t bytes = 0;
};

std::string Key(uint32_t first) { return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kSeries)).U32(first).Take(); }

std::string OldRow(uint8_t version, std::string_view name, const std::vector<std::pair<EventTime, EventTime>>& times) {
  ByteWriter value;
  value.U8(version).Bytes(name).Varint(times.size());
  for (const auto& [birth, sign] : times) {
    value.Time(birth);
    if (version > 1) value.Time(sign);
  }
  return value.Take();
}

/// A row of one view; all differences of times are zero.
std::string NewRow(const std::vector<std::string>& names, size_t views = 1) {
  ByteWriter value;
  value.U8(3).Varint(views).Varint(names.size());
  for (const std::string& name : names) value.Varint(name.size());
  for (const std::string& name : names) value.Raw(name);
  for (size_t i = 0; i < 2 * views * names.size(); ++i) value.SignedVarint(0);
  return value.Take();
}

std::string Name(size_t i) { return fmt::format("sku-{}", i); }

std::vector<std::string> Names(size_t begin, size_t end) {
  std::vector<std::string> names;
  for (size_t i = begin; i < end; ++i) names.push_back(Name(i));
  return names;
}

EventTime Hour(int64_t hour) { return EventTime::FromSeconds(hour * 3600); }

std::string Text(const SeriesDictionary& dictionary, size_t views) {
  std::string text;
  for (uint32_t id = 0; id < dictionary.size(); ++id) {
    text += fmt::format("{} {}", id, dictionary.name(id));
    for (size_t view = 0; view < views; ++view)
      text += fmt::format(" {}/{}", dictionary.birth(view, id).us, dictionary.last_sign(view, id).us);
    text += dictionary.Find(dictionary.name(id)) == id ? "\n" : " is not found\n";
  }
  return text;
}

/// Expects that a start from `rows` finds what `dictionary` holds.
void ExpectStored(const Rows& rows, const SeriesDictionary& dictionary, size_t views) {
  SeriesDictionary again(views);
  const Status read = again.Reload(rows);
  ASSERT_TRUE(read.ok()) << read.message();
  EXPECT_EQ(Text(again, views), Text(dictionary, views));
}

/// `series` names in rows of their own, in turn of the two old formats.
Rows OldRows(size_t series) {
  Rows store;
  for (size_t i = 0; i < series; ++i) {
    const auto at = static_cast<int64_t>(i);
    store.rows[Key(static_cast<uint32_t>(i))] =
        OldRow(i % 3 == 0 ? 1 : 2, Name(i), {{Hour(at), Hour(at + 5)}, {EventTime::Max(), EventTime::Min()}});
  }
  return store;
}

TEST(SeriesDictionaryTest, AStartFindsNamesAndTimes) {
  for (const uint32_t series : {0U, 1U, kBlock - 1, kBlock, kBlock + 1, 5 * kBlock + 7}) {
    SeriesDictionary dictionary(2);
    for (uint32_t i = 0; i < series; ++i) {
      EXPECT_EQ(dictionary.Intern(Name(i)), i);
      EXPECT_EQ(dictionary.Intern(Name(i)), i);
      if (i % 3 != 1) dictionary.SetBirth(0, i, Hour(100 - static_cast<int64_t>(i)));
      if (i % 2 == 0) dictionary.SetBirth(1, i, EventTime{-1 - static_cast<int64_t>(i)});
      if (i % 5 == 0) dictionary.SetSign(1, i, Hour(i * 7));
    }
    if (series > 4) dictionary.Retire(0, 3);
    Rows store;
    dictionary.Save(store);
    EXPECT_EQ(store.rows.size(), (series + kBlock - 1) / kBlock);
    ExpectStored(store, dictionary, 2);
    EXPECT_FALSE(dictionary.Find("sku").has_value());
    store.TakePutsAndDeletes();
    dictionary.Save(store);
    EXPECT_EQ(store.TakePutsAndDeletes(), std::pair(0, 0)) << "nothing has changed";
  }
}

TEST(SeriesDictionaryTest, ItsRowIsThatOfTheFormatPage) {
  SeriesDictionary dictionary(1);
  dictionary.SetBirth(0, dictionary.Intern("a"), EventTime{0});
  Rows store;
  dictionary.Save(store);
  const std::string sign = std::string(9, '\xff') + '\x01';
  EXPECT_EQ(store.rows, (std::map<std::string, std::string>{{{"\x01\0\0\0\0", 5},
                                                             std::string("\x03\x01\x01\x01"
                                                                         "a"
                                                                         "\0",
                                                                         6) +
                                                                 sign}}));
}

TEST(SeriesDictionaryTest, SaveWritesTheBlocksThatChanged) {
  Rows store;
  SeriesDictionary dictionary(1);
  for (uint32_t i = 0; i < 3 * kBlock; ++i) dictionary.Intern(Name(i));
  dictionary.Save(store);
  ASSERT_TRUE(dictionary.Reload(store).ok());
  const auto changed = [&] {
    std::map<std::string, std::string> before = std::move(store.rows);
    store.rows.clear();
    dictionary.Save(store);
    std::string keys;
    for (const auto& [key, value] : store.rows) keys += fmt::format("{} ", KeyReader(key.substr(1)).U32() / kBlock);
    store.rows.merge(before);
    ExpectStored(store, dictionary, 1);
    return keys;
  };
  EXPECT_EQ(changed(), "");
  dictionary.SetSign(0, kBlock + 3, Hour(2));
  dictionary.SetSign(0, kBlock + 4, Hour(2));
  EXPECT_EQ(changed(), "1 ");
  dictionary.SetSign(0, kBlock + 3, Hour(1));
  EXPECT_EQ(changed(), "") << "an older sign";
  dictionary.SetBirth(0, 3 * kBlock - 1, Hour(9));
  dictionary.SetSign(0, 0, Hour(2));
  EXPECT_EQ(changed(), "0 2 ");
  dictionary.Retire(0, kBlock);
  EXPECT_EQ(changed(), "1 ");
  dictionary.Intern("new");
  EXPECT_EQ(changed(), "3 ");
  dictionary.Intern("newer");
  EXPECT_EQ(changed(), "3 ");
  for (uint32_t i = 0; i < kBlock; ++i) dictionary.Intern(fmt::format("newest {}", i));
  EXPECT_EQ(changed(), "3 4 ");
}

TEST(SeriesDictionaryTest, WhatWasNotSavedIsGoneAfterAReload) {
  Rows store;
  SeriesDictionary dictionary(1);
  for (uint32_t i = 0; i < 40; ++i) dictionary.Intern(Name(i));
  dictionary.Save(store);
  const std::string saved = Text(dictionary, 1);
  dictionary.Intern("dropped");
  dictionary.SetSign(0, 7, Hour(3));
  ASSERT_TRUE(dictionary.Reload(store).ok());
  EXPECT_EQ(Text(dictionary, 1), saved);
  EXPECT_FALSE(dictionary.Find("dropped").has_value());
  EXPECT_EQ(dictionary.dirty_bytes(), 0U);
  EXPECT_EQ(dictionary.Intern("another"), 40U);
}

TEST(SeriesDictionaryTest, RowsOfOldFormatsAreReadAndCarriedOver) {
  constexpr uint32_t kSeries = 3000;
  Rows store = OldRows(kSeries);
  std::string expected;
  for (int64_t i = 0; i < kSeries; ++i) {
    expected += fmt::format("{} {} {}/{} {}/{}\n", i, Name(static_cast<size_t>(i)), Hour(i).us,
                            Hour(i % 3 == 0 ? i : i + 5).us, EventTime::Max().us, EventTime::Min().us);
  }
  // Each turn is a start that finds what the one before has left.
  for (int turn = 0; turn < 3; ++turn) {
    SeriesDictionary dictionary(2);
    ASSERT_TRUE(dictionary.Reload(store).ok());
    EXPECT_EQ(Text(dictionary, 2), expected);
    EXPECT_EQ(dictionary.dirty_bytes(), 0U) << "of what is carried over alone no epoch is full";
    dictionary.Save(store);
    const auto [puts, deletes] = store.TakePutsAndDeletes();
    EXPECT_EQ(puts, turn < 2 ? 32 : 30);
    EXPECT_EQ(puts + deletes, turn < 2 ? 1024 : 952);
  }
  EXPECT_EQ(store.rows.size(), 94U);
  for (const auto& [key, value] : store.rows) EXPECT_EQ(value[0], 3);
  SeriesDictionary dictionary(2);
  ASSERT_TRUE(dictionary.Reload(store).ok());
  EXPECT_EQ(Text(dictionary, 2), expected);
  dictionary.Save(store);
  EXPECT_EQ(store.TakePutsAndDeletes(), std::pair(0, 0));
}

TEST(SeriesDictionaryTest, CarriesOverSaveBySaveWithoutAReload) {
  Rows store = OldRows(2500);
  SeriesDictionary dictionary(2);
  ASSERT_TRUE(dictionary.Reload(store).ok());
  for (int save = 0; save < 4; ++save) {
    dictionary.Save(store);
    ExpectStored(store, dictionary, 2);
  }
  EXPECT_EQ(store.rows.size(), (2500 + kBlock - 1) / kBlock);
}

TEST(SeriesDictionaryTest, ABlockOfOldRowsThatChangesIsCarriedOverWhole) {
  constexpr uint32_t kSeries = 64 * kBlock + 10;
  Rows store = OldRows(kSeries);
  SeriesDictionary dictionary(2);
  ASSERT_TRUE(dictionary.Reload(store).ok());
  dictionary.SetSign(0, 50 * kBlock + 9, Hour(99999));
  dictionary.Intern("new");  // joins the last old rows
  EXPECT_GT(dictionary.dirty_bytes(), 40 * Rows::kRowBytes) << "the deletions count";
  dictionary.Save(store);
  EXPECT_EQ(store.TakePutsAndDeletes(), std::pair(32 + 2, 32 * 31 + 31 + 9));
  EXPECT_EQ(store.rows.at(Key(50 * kBlock))[0], 3);
  EXPECT_EQ(store.rows.at(Key(64 * kBlock))[0], 3);
  EXPECT_TRUE(store.rows.contains(Key(49 * kBlock + 1))) << "its turn has not come";
  ExpectStored(store, dictionary, 2);
  dictionary.Save(store);
  ExpectStored(store, dictionary, 2);
  EXPECT_EQ(store.rows.size(), 65U);
}

TEST(SeriesDictionaryTest, LongNamesHaveRowsOfTheirOwn) {
  Rows store;
  SeriesDictionary dictionary(1);
  const auto long_name = [](size_t i, size_t size) { return Name(i) + std::string(size, 'x'); };
  for (size_t i = 0; i < 10; ++i) dictionary.Intern(long_name(i, 20'000));
  dictionary.Save(store);
  ExpectStored(store, dictionary, 1);
  dictionary.Intern(long_name(10, 500'000));
  for (size_t i = 11; i < 70; ++i) dictionary.Intern(long_name(i, i));
  dictionary.Save(store);
  ExpectStored(store, dictionary, 1);
  ASSERT_TRUE(dictionary.Reload(store).ok());
  dictionary.SetSign(0, 8, Hour(1));
  dictionary.Save(store);
  ExpectStored(store, dictionary, 1);
  std::string begins;
  for (const auto& [key, value] : store.rows) {
    begins += fmt::format("{} ", KeyReader(key.substr(1)).U32());
    EXPECT_LT(value.size(), key == Key(10) ? 510'000 : SeriesDictionary::kRowNameBytes + 1000);
  }
  EXPECT_EQ(begins, "0 3 6 9 10 11 32 64 ");
  // Old rows of them go over, too.
  Rows old;
  for (uint32_t id = 0; id < dictionary.size(); ++id)
    old.rows[Key(id)] = OldRow(2, dictionary.name(id), {{EventTime::Max(), dictionary.last_sign(0, id)}});
  ASSERT_TRUE(dictionary.Reload(old).ok());
  dictionary.Save(old);
  EXPECT_EQ(old.rows, store.rows);
}

TEST(SeriesDictionaryTest, IsWhatAPlainListWouldBe) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    Rows store = OldRows(random() % 3 == 0 ? 0 : random() % 2000);
    SeriesDictionary dictionary(2);
    ASSERT_TRUE(dictionary.Reload(store).ok());
    std::vector<std::string> names;
    std::map<std::pair<size_t, uint32_t>, std::pair<EventTime, EventTime>> times;
    for (uint32_t id = 0; id < dictionary.size(); ++id) {
      names.emplace_back(dictionary.name(id));
      for (size_t v = 0; v < 2; ++v) times[{v, id}] = {dictionary.birth(v, id), dictionary.last_sign(v, id)};
    }
    for (int step = 0; step < 400; ++step) {
      const auto id = static_cast<uint32_t>(names.empty() ? 0 : random() % names.size());
      const size_t view = random() % 2;
      const EventTime time = Hour(static_cast<int64_t>(random() % 9999));
      switch (names.empty() ? 0 : random() % 8) {
        case 0:
        case 1: {
          const std::string name = fmt::format("{}{}", step, std::string(random() % 40 == 0 ? 30'000 : 3, 'n'));
          EXPECT_EQ(dictionary.Intern(name), names.size());
          for (size_t v = 0; v < 2; ++v)
            times[{v, static_cast<uint32_t>(names.size())}] = {EventTime::Max(), EventTime::Min()};
          names.push_back(name);
          break;
        }
        case 2:
          dictionary.SetBirth(view, id, time);
          times[{view, id}].first = time;
          break;
        case 3:
        case 4:
          dictionary.SetSign(view, id, time);
          times[{view, id}].second = std::max(times[{view, id}].second, time);
          break;
        case 5:
          dictionary.Retire(view, id);
          times[{view, id}] = {EventTime::Max(), EventTime::Min()};
          break;
        case 6:
          dictionary.Save(store);
          break;
        default:
          if (random() % 4 != 0) break;
          dictionary.Save(store);
          ASSERT_TRUE(dictionary.Reload(store).ok());
      }
      EXPECT_EQ(dictionary.size(), names.size());
    }
    dictionary.Save(store);
    ExpectStored(store, dictionary, 2);
    for (uint32_t id = 0; id < names.size(); ++id) {
      ASSERT_EQ(dictionary.name(id), names[id]);
      ASSERT_EQ(dictionary.Find(names[id]), id);
      for (size_t v = 0; v < 2; ++v)
        ASSERT_EQ(std::pair(dictionary.birth(v, id), dictionary.last_sign(v, id)), (times[{v, id}]));
    }
  }
}

TEST(SeriesDictionaryTest, SaysWhatSaveWillTake) {
  for (const size_t size : {4U, 12U, 60U, 3000U}) {
    SeriesDictionary dictionary(2);
    for (uint32_t i = 0; i < 2000; ++i) {
      const uint32_t id = dictionary.Intern(Name(i) + std::string(size, 'x'));
      dictionary.SetBirth(0, id, Hour(i));
      dictionary.SetSign(0, id, Hour(i * 31 % 1000));
    }
    const auto expect_right = [&] {
      Rows store;
      const auto said = static_cast<double>(dictionary.dirty_bytes());
      dictionary.Save(store);
      EXPECT_GT(said, .7 * static_cast<double>(store.bytes)) << size;
      EXPECT_LT(said, 1.6 * static_cast<double>(store.bytes)) << size;
      EXPECT_EQ(dictionary.dirty_bytes(), 0U);
    };
    expect_right();
    for (uint32_t id = 0; id < 2000; id += 100) dictionary.SetSign(0, id, Hour(5000));
    expect_right();
  }
}

TEST(SeriesDictionaryTest, AStartTakesNoMoreMemoryThanGrowing) {
  SeriesDictionary grown(1), read(1);
  for (size_t i = 0; i < 100'000; ++i) grown.Intern(Name(i));
  Rows store;
  grown.Save(store);
  ASSERT_TRUE(read.Reload(store).ok());
  EXPECT_LE(read.memory_bytes(), grown.memory_bytes());
  EXPECT_LT(read.memory_bytes(), 100'000 * 100U);
}

/// Two full blocks and ten names, of one view.
class DamagedDictionaryTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kSeries = 2 * kBlock + 10;
  DamagedDictionaryTest() {
    for (uint32_t first = 0; first < kSeries; first += kBlock)
      store_.rows[Key(first)] = NewRow(Names(first, std::min(kSeries, first + kBlock)));
  }
  void ExpectRefused(Code code, std::string_view text) {
    SeriesDictionary dictionary(1);
    const Status read = dictionary.Reload(store_);
    EXPECT_EQ(read.code(), code) << read.message();
    EXPECT_THAT(read.message(), HasSubstr(std::string(text)));
    EXPECT_EQ(dictionary.size(), 0U);
    EXPECT_FALSE(dictionary.Find(Name(0)).has_value());
  }
  void ExpectDamaged(std::string_view text = "the dictionary of series is damaged") {
    ExpectRefused(Code::kCorruption, text);
  }
  Rows store_;
};

TEST_F(DamagedDictionaryTest, IsReadAsLongAsItIsWhole) {
  SeriesDictionary dictionary(1);
  ASSERT_TRUE(dictionary.Reload(store_).ok());
  EXPECT_EQ(dictionary.size(), kSeries);
}

TEST_F(DamagedDictionaryTest, RefusesAGap) {
  store_.rows.erase(Key(kBlock));
  ExpectDamaged("damaged: row 64 of 32, views 1 of 1");
}

TEST_F(DamagedDictionaryTest, RefusesAMissingBegin) {
  store_.rows.erase(Key(0));
  ExpectDamaged();
}

TEST_F(DamagedDictionaryTest, RefusesAGapOfOldRows) {
  store_ = OldRows(100);
  store_.rows.erase(Key(50));
  SeriesDictionary dictionary(2);
  EXPECT_EQ(dictionary.Reload(store_).code(), Code::kCorruption);
}

TEST_F(DamagedDictionaryTest, RefusesOtherViews) {
  store_.rows[Key(kBlock)] = NewRow(Names(kBlock, 2 * kBlock), 2);
  ExpectDamaged("views 2 of 1");
}

TEST_F(DamagedDictionaryTest, RefusesOldRowsOfOtherViews) {
  store_ = OldRows(3);
  ExpectDamaged("views 2 of 1");
}

TEST_F(DamagedDictionaryTest, RefusesANameThatCameBefore) {
  std::vector<std::string> names = Names(2 * kBlock, kSeries);
  names[4] = Name(17);
  store_.rows[Key(2 * kBlock)] = NewRow(names);
  ExpectDamaged("damaged: row 68 of 74");
}

TEST_F(DamagedDictionaryTest, RefusesANameThatCameBeforeInItsRow) {
  std::vector<std::string> names = Names(2 * kBlock, kSeries);
  names[4] = names[3];
  store_.rows[Key(2 * kBlock)] = NewRow(names);
  ExpectDamaged("damaged: row 68 of 74");
}

TEST_F(DamagedDictionaryTest, RefusesTrailingBytes) {
  store_.rows[Key(kBlock)] += '\0';
  ExpectDamaged("series name");
}

TEST_F(DamagedDictionaryTest, RefusesTrailingBytesOfAnOldRow) {
  store_.rows = {{Key(0), OldRow(2, "a", {{Hour(1), Hour(1)}}) + '\0'}};
  ExpectDamaged("series name");
}

TEST_F(DamagedDictionaryTest, RefusesEachCutRow) {
  const std::string whole = store_.rows[Key(2 * kBlock)];
  for (size_t size = 1; size < whole.size(); ++size) {
    store_.rows[Key(2 * kBlock)] = whole.substr(0, size);
    ExpectDamaged("");
  }
}

TEST_F(DamagedDictionaryTest, RefusesARowOfNoNames) {
  store_.rows[Key(kSeries)] = NewRow({});
  ExpectDamaged("damaged: row 74 of 74");
  store_.rows.erase(Key(kSeries));
  store_.rows[Key(2 * kBlock)] = NewRow({});
  ExpectDamaged("damaged: row 64 of 64");
}

TEST_F(DamagedDictionaryTest, RefusesMoreNamesThanABlockHas) {
  store_.rows[Key(2 * kBlock)] = NewRow(Names(2 * kBlock, 3 * kBlock + 1));
  ExpectDamaged("damaged: row 64 of 64");
}

TEST_F(DamagedDictionaryTest, RefusesACountThatDoesNotFit) {
  std::string& row = store_.rows[Key(2 * kBlock)];
  row[2] = 9;
  ExpectDamaged("series name");
  row[2] = 11;
  ExpectDamaged("");
}

TEST_F(DamagedDictionaryTest, RefusesANameLongerThanItsRow) {
  std::string& row = store_.rows[Key(2 * kBlock)];
  row[3] = 127;
  ExpectDamaged("series name");
}

TEST_F(DamagedDictionaryTest, RefusesRowsThatEndWhereNoneOughtTo) {
  store_.rows[Key(2 * kBlock)] = NewRow(Names(2 * kBlock, 2 * kBlock + 4));
  store_.rows[Key(2 * kBlock + 4)] = NewRow(Names(2 * kBlock + 4, kSeries));
  ExpectDamaged("damaged: row 68");
}

TEST_F(DamagedDictionaryTest, RefusesALongNameThatSharesItsRow) {
  store_.rows[Key(2 * kBlock)] = NewRow({std::string(SeriesDictionary::kRowNameBytes, 'x'), "y"});
  ExpectDamaged("damaged: row 64");
}

TEST_F(DamagedDictionaryTest, RefusesAnOldRowBehindANewOneOfItsBlock) {
  store_.rows[Key(kSeries)] = OldRow(2, "a", {{Hour(1), Hour(1)}});
  ExpectDamaged("damaged: row 74 of 74");
}

TEST_F(DamagedDictionaryTest, RefusesANewRowBehindAnOldOneOfItsBlock) {
  store_.rows = {{Key(0), OldRow(2, "a", {{Hour(1), Hour(1)}})}, {Key(1), NewRow({"b"})}};
  ExpectDamaged("damaged: row 1 of 1");
}

TEST_F(DamagedDictionaryTest, RefusesAKeyOfAnotherLength) {
  const std::string row = store_.rows[Key(2 * kBlock)];
  store_.rows.erase(Key(2 * kBlock));
  store_.rows[Key(2 * kBlock) + '\0'] = row;
  ExpectDamaged();
  store_.rows.erase(Key(2 * kBlock) + '\0');
  store_.rows[Key(0).substr(0, 3)] = row;
  ExpectDamaged();
}

TEST_F(DamagedDictionaryTest, RefusesANewerFormatByName) {
  store_.rows[Key(kBlock)][0] = 4;
  ExpectRefused(Code::kVersion, "a series name has format 4, this build reads 3");
  store_.rows[Key(kBlock)][0] = 0;
  ExpectRefused(Code::kVersion, "format 0");
  store_.rows[Key(kBlock)] = "";
  ExpectRefused(Code::kVersion, "format 0");
}

}  // namespace
}  // namespace tidecast
