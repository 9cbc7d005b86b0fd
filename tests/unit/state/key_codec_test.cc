#include "state/key_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <vector>

namespace tidecast {
namespace {

template <typename T, typename Write>
void ExpectOrderKept(std::vector<T> values, Write write) {
  std::sort(values.begin(), values.end());
  for (size_t i = 0; i + 1 < values.size(); ++i) {
    KeyWriter a;
    KeyWriter b;
    write(a, values[i]);
    write(b, values[i + 1]);
    if (values[i] < values[i + 1]) {
      EXPECT_LT(a.view(), b.view()) << i;
    } else {
      EXPECT_EQ(a.view(), b.view()) << i;
    }
  }
}

TEST(KeyWriterTest, NumbersSortAsTheirBytes) {
  std::mt19937_64 random(7);
  std::vector<uint64_t> unsigneds = {0, 1, 255, 256, 65535, 65536, UINT32_MAX, 1ULL << 63, UINT64_MAX};
  std::vector<int64_t> signeds = {INT64_MIN, INT64_MIN + 1, -256, -1, 0, 1, 255, INT64_MAX};
  for (int i = 0; i < 500; ++i) {
    unsigneds.push_back(random() >> (random() % 64));
    signeds.push_back(static_cast<int64_t>(random()) >> (random() % 64));
  }
  ExpectOrderKept(unsigneds, [](KeyWriter& key, uint64_t v) { key.U64(v); });
  ExpectOrderKept(signeds, [](KeyWriter& key, int64_t v) { key.I64(v); });
  ExpectOrderKept(signeds, [](KeyWriter& key, int64_t v) { key.Time({v}); });
}

TEST(KeyWriterTest, TextsSortAsTextsWhateverFollows) {
  std::mt19937_64 random(8);
  std::vector<std::pair<std::string, uint8_t>> values;
  for (int i = 0; i < 2000; ++i) {
    std::string text(random() % 4, '\0');
    for (char& c : text) c = "\x00\x01\x02\xfe\xff"[random() % 5];
    values.emplace_back(text, static_cast<uint8_t>(random()));
  }
  ExpectOrderKept(values, [](KeyWriter& key, const auto& v) { key.Text(v.first).U8(v.second); });
}

TEST(KeyWriterTest, BytesAreAsTheFormatPageSays) {
  KeyWriter key;
  key.U8(1).U16(0x0203).U32(0x04050607).Time({1}).Text(std::string_view("a\0b", 3)).Raw("z");
  EXPECT_EQ(key.view(), std::string_view("\x01\x02\x03\x04\x05\x06\x07"
                                         "\x80\0\0\0\0\0\0\x01"
                                         "a\0\xff"
                                         "b\0\x01z",
                                         22));
}

TEST(KeyReaderTest, ReadsBackWhatWasWritten) {
  KeyWriter key("pre");
  key.U8(9).U16(65535).U32(1).U64(UINT64_MAX).I64(-5).Time(EventTime::Max()).Text(std::string("\0x\0", 3)).Raw("end");
  KeyReader in(key.view());
  EXPECT_EQ(in.Raw(3), "pre");
  EXPECT_EQ(in.U8(), 9);
  EXPECT_EQ(in.U16(), 65535);
  EXPECT_EQ(in.U32(), 1U);
  EXPECT_EQ(in.U64(), UINT64_MAX);
  EXPECT_EQ(in.I64(), -5);
  EXPECT_EQ(in.Time(), EventTime::Max());
  EXPECT_EQ(in.Text(), std::string("\0x\0", 3));
  EXPECT_EQ(in.Rest(), "end");
  EXPECT_TRUE(in.Finish("key").ok());
}

TEST(KeyReaderTest, FailsForGoodOnBytesThatAreCutShort) {
  KeyWriter key;
  key.U32(7).Text("name").U64(1);
  for (size_t size = 0; size < key.size(); ++size) {
    KeyReader in(key.view().substr(0, size));
    in.U32();
    in.Text();
    in.U64();
    EXPECT_FALSE(in.ok()) << size;
    EXPECT_EQ(in.U8(), 0);
    EXPECT_EQ(in.Finish("key").code(), Code::kCorruption);
  }
}

TEST(KeyReaderTest, RefusesAnUnknownEscape) {
  KeyReader in(std::string_view("a\0\x02", 3));
  in.Text();
  EXPECT_FALSE(in.ok());
}

TEST(PrefixEndTest, IsTheLeastKeyAboveThePrefix) {
  EXPECT_EQ(PrefixEnd("ab"), "ac");
  EXPECT_EQ(PrefixEnd("a\xff\xff"), "b");
  EXPECT_EQ(PrefixEnd("\xff"), "");
  EXPECT_EQ(PrefixEnd(""), "");
}

TEST(ByteReaderTest, ReadsBackWhatWasWritten) {
  const std::array<float, 3> floats = {1.5F, -0.0F, std::numeric_limits<float>::infinity()};
  ByteWriter out;
  out.U8(1).U16(2).U32(3).U64(4).I64(-5).F32(1.25F).F64(-2.5).Bool(true).Time(EventTime::Min());
  for (const uint64_t v : {uint64_t{0}, uint64_t{127}, uint64_t{128}, UINT64_MAX}) out.Varint(v);
  for (const int64_t v : {int64_t{0}, int64_t{-1}, INT64_MIN, INT64_MAX}) out.SignedVarint(v);
  out.Bytes("text").Array(std::span<const float>(floats)).Raw("rest");
  ByteReader in(out.view());
  EXPECT_EQ(in.U8(), 1);
  EXPECT_EQ(in.U16(), 2);
  EXPECT_EQ(in.U32(), 3U);
  EXPECT_EQ(in.U64(), 4U);
  EXPECT_EQ(in.I64(), -5);
  EXPECT_EQ(in.F32(), 1.25F);
  EXPECT_EQ(in.F64(), -2.5);
  EXPECT_TRUE(in.Bool());
  EXPECT_EQ(in.Time(), EventTime::Min());
  for (const uint64_t v : {uint64_t{0}, uint64_t{127}, uint64_t{128}, UINT64_MAX}) EXPECT_EQ(in.Varint(), v);
  for (const int64_t v : {int64_t{0}, int64_t{-1}, INT64_MIN, INT64_MAX}) EXPECT_EQ(in.SignedVarint(), v);
  EXPECT_EQ(in.Bytes(), "text");
  std::array<float, 3> read{};
  in.Array(std::span<float>(read));
  EXPECT_EQ(read, floats);
  EXPECT_EQ(in.left(), 4U);
  EXPECT_EQ(in.Finish("value").code(), Code::kCorruption);  // four bytes are left
  EXPECT_EQ(in.Raw(4), "rest");
  EXPECT_TRUE(in.Finish("value").ok());
}

TEST(ByteReaderTest, NeverReadsPastTheEnd) {
  ByteWriter out;
  out.U32(7).Varint(300).Bytes("some text").F64(1);
  for (size_t size = 0; size < out.size(); ++size) {
    const std::string cut(out.view().substr(0, size));  // its own allocation, so that a sanitizer sees an overrun
    ByteReader in(cut);
    in.U32();
    in.Varint();
    in.Bytes();
    in.F64();
    EXPECT_FALSE(in.ok()) << size;
    EXPECT_EQ(in.U64(), 0U);
  }
}

TEST(ByteReaderTest, RefusesLengthsAndCountsThatCannotBe) {
  const std::string huge = ByteWriter().Varint(UINT64_MAX).Take();
  EXPECT_EQ(ByteReader(huge).Count(), 0U);
  ByteReader bytes(huge);
  EXPECT_TRUE(bytes.Bytes().empty());
  EXPECT_FALSE(bytes.ok());
  ByteReader overlong("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
  overlong.Varint();
  EXPECT_FALSE(overlong.ok());
  const std::string three = ByteWriter().Varint(3).Raw("abcdef").Take();
  EXPECT_EQ(ByteReader(three).Count(2), 3U);
  EXPECT_EQ(ByteReader(three).Count(3), 0U);
}

}  // namespace
}  // namespace tidecast
