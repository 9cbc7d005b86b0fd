#include "engine/io/event_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/core/hash.h"
#include "engine/io/input_fields.h"

namespace tidecast {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class EventDecoderTest : public ::testing::Test {
 protected:
  EventDecoderTest() { options_.name = "orders"; }

  // Decodes one value; the record's key is that of `key`.
  void Decode(std::string value, std::optional<std::string> key = "A", int32_t partitions = 1, int32_t partition = 0) {
    auto decoder = EventDecoder::Make(options_, 3, "secret");
    ASSERT_TRUE(decoder.ok()) << decoder.status().message();
    value_ = std::move(value);
    key_ = key.value_or("");
    InputRecord record;
    record.offset = 41;
    record.record_time = record_time_;
    record.has_key = key.has_value();
    record.key = key_;
    record.value = value_;
    record.is_null = is_null_;
    record.headers = headers_;
    batch_.Clear();
    (*decoder)->Decode({&record, 1}, {"shop.orders", partition}, partitions, 100, batch_);
    EXPECT_EQ(batch_.records, 1);
    EXPECT_EQ(batch_.events.size() + batch_.dead_letters.size(), 1U);
  }
  const Event& Accepted() {
    static const Event kNone;
    EXPECT_TRUE(batch_.dead_letters.empty()) << batch_.dead_letters[0].detail;
    return batch_.events.empty() ? kNone : batch_.events[0];
  }
  void ExpectDead(RejectReason reason, std::string_view detail) {
    ASSERT_EQ(batch_.dead_letters.size(), 1U);
    EXPECT_EQ(RejectReasonName(batch_.dead_letters[0].reason), RejectReasonName(reason));
    EXPECT_EQ(batch_.dead_letters[0].detail, detail);
  }

  InputOptions options_;
  EventTime record_time_ = EventTime::FromSeconds(1'291'200'000);
  bool is_null_ = false;
  std::vector<HeaderView> headers_;
  std::string value_;
  std::string key_;
  EventBatch batch_;
};

TEST_F(EventDecoderTest, DecodesAnOrder) {
  Decode(R"({"order_id":"536365","line":1,"sku":"A","ts":"2010-12-01T08:26:00Z","quantity":6,"unit_price":2.55,
            "customer_id":"17850","channel":"web","country":"United Kingdom"})");
  const Event& event = Accepted();
  EXPECT_EQ(event.time, EventTime::FromSeconds(1'291'191'960));
  EXPECT_EQ(event.valid_from, event.time);
  EXPECT_EQ(event.offset, 41);
  EXPECT_EQ(event.record, 100U);
  EXPECT_EQ(event.input, 3);
  EXPECT_EQ(event.kind, InputKind::kOrders);
  EXPECT_EQ(event.key, "A");
  EXPECT_EQ(event.Number(NumberField::kQuantity).micros, 6'000'000);
  EXPECT_EQ(event.Number(NumberField::kUnitPrice).micros, 2'550'000);
  EXPECT_EQ(event.Number(NumberField::kAmount).micros, 15'300'000);
  EXPECT_EQ(event.texts[static_cast<size_t>(TextField::kCountry)], "United Kingdom");
  EXPECT_EQ(event.texts[static_cast<size_t>(TextField::kChannel)], "web");
  EXPECT_NE(event.customer, 0U);
  EXPECT_EQ(event.session, 0U);
  EXPECT_EQ(event.dedupe, 0U);
}

TEST_F(EventDecoderTest, DecodesAClick) {
  options_.kind = InputKind::kClicks;
  Decode(R"({"event_id":"e","session_id":"s9","sku":"A","ts":1291191960,"action":"PV","customer_id":null})");
  EXPECT_EQ(Accepted().action, ClickAction::kView);
  EXPECT_NE(Accepted().session, 0U);
  EXPECT_EQ(Accepted().customer, 0U);
  const std::vector<std::pair<std::string, ClickAction>> words = {{"view", ClickAction::kView}, {"cart", ClickAction::kCart}, {"fav", ClickAction::kFavourite},
                                                                  {"favourite", ClickAction::kFavourite}, {"favorite", ClickAction::kFavourite}, {"buy", ClickAction::kOther}};
  for (const auto& [word, action] : words) {
    Decode(fmt::format(R"({{"sku":"A","ts":1,"action":"{}"}})", word));
    EXPECT_EQ(Accepted().action, action) << word;
  }
  Decode(R"({"sku":"A","ts":1})");
  ExpectDead(RejectReason::kMissingField, "field /action: is not there");
}

TEST_F(EventDecoderTest, DecodesFactsAndPrices) {
  options_.kind = InputKind::kCatalog;
  Decode(R"({"sku":"A","category":"mugs","brand":"B","description":"a \"big\" mug","unit_price":"3.5"})");
  EXPECT_EQ(Accepted().time, record_time_) << "a fact without a time was announced when it was written";
  EXPECT_EQ(Accepted().texts[static_cast<size_t>(TextField::kDescription)], "a \"big\" mug");
  EXPECT_EQ(Accepted().Number(NumberField::kUnitPrice).micros, 3'500'000);

  options_.kind = InputKind::kPromotions;
  Decode(R"({"sku":"A","ts":"2011-01-01","from":"2011-02-01","to":"2011-02-08","depth":0.2,"promotion":"P"})");
  EXPECT_EQ(Accepted().valid_from, EventTime::FromSeconds(1'296'518'400));
  EXPECT_EQ(Accepted().valid_to, EventTime::FromSeconds(1'297'123'200));
  EXPECT_LT(Accepted().time, Accepted().valid_from);
  Decode(R"({"sku":"A","ts":1,"from":"2011-02-08","to":"2011-02-01"})");
  ExpectDead(RejectReason::kOutOfRange, "field /to: ends before it begins: \"2011-02-01\"");
  Decode(R"({"sku":"A","ts":1,"from":"2011-02-08","depth":20})");
  ExpectDead(RejectReason::kOutOfRange, "field /depth: must be a share between 0 and 1: 20");
  record_time_ = EventTime::Min();
  Decode(R"({"sku":"A","from":"2011-02-01"})");
  EXPECT_EQ(Accepted().time, Accepted().valid_from);

  options_.kind = InputKind::kInventory;
  Decode(R"({"sku":"A","ts":1,"on_hand":-2,"due_in":5,"lead_time":3.5,"unit_cost":1})");
  EXPECT_EQ(Accepted().Number(NumberField::kOnHand).micros, -2'000'000);
  EXPECT_EQ(Accepted().Number(NumberField::kLeadTime).micros, 3'500'000);

  options_.kind = InputKind::kMarket;
  Decode(R"({"symbol":"A","ts":1,"close":10.25,"volume":7})");
  EXPECT_EQ(Accepted().key, "A");
  EXPECT_EQ(Accepted().Number(NumberField::kUnitPrice).micros, 10'250'000);
}

TEST_F(EventDecoderTest, KeepsTheKeyAsItStands) {
  for (const std::string key : {"85123a ", " 0012", "15056BL", "é"}) {
    Decode(fmt::format(R"({{"sku":"{}","ts":1,"quantity":1}})", key), key);
    EXPECT_EQ(Accepted().key, key);
  }
  Decode(R"({"sku":995211,"ts":1,"quantity":1})", "995211");
  EXPECT_EQ(Accepted().key, "995211");
  Decode("{\"sku\":\"a\\u0041\\n\",\"ts\":1,\"quantity\":1}", "aA\n");
  EXPECT_EQ(Accepted().key, "aA\n");
}

TEST_F(EventDecoderTest, ZeroIsFineAndReturnsAreEvents) {
  Decode(R"({"sku":"A","ts":1,"quantity":0,"unit_price":0})");
  EXPECT_EQ(Accepted().Number(NumberField::kAmount).micros, 0);
  Decode(R"({"sku":"A","ts":1,"quantity":-3,"unit_price":2})");
  EXPECT_EQ(Accepted().Number(NumberField::kAmount).micros, -6'000'000);
  Decode(R"({"sku":"A","ts":1,"quantity":"-3.5"})");
  EXPECT_EQ(Accepted().Number(NumberField::kQuantity).micros, -3'500'000);
  EXPECT_FALSE(Accepted().Has(NumberField::kUnitPrice));
  EXPECT_FALSE(Accepted().Has(NumberField::kAmount));
}

TEST_F(EventDecoderTest, BadFieldsNameFieldAndValue) {
  Decode(R"({"sku":"A","ts":1,"quantity":"abc"})");
  ExpectDead(RejectReason::kBadValue, "field /quantity: not a number: \"abc\"");
  Decode(R"({"sku":"A","ts":1,"quantity":true})");
  ExpectDead(RejectReason::kBadValue, "field /quantity: not a number: true");
  Decode(R"({"sku":"A","ts":1,"quantity":[1]})");
  ASSERT_EQ(batch_.dead_letters.size(), 1U);
  EXPECT_THAT(batch_.dead_letters[0].detail, HasSubstr("field /quantity: not a number: ["));
  Decode(R"({"sku":"A","ts":1})");
  ExpectDead(RejectReason::kMissingField, "field /quantity: is not there");
  Decode(R"({"sku":"A","ts":1,"quantity":null})");
  ExpectDead(RejectReason::kMissingField, "field /quantity: is null");
  Decode(R"({"sku":"A","ts":1,"quantity":""})");
  ExpectDead(RejectReason::kMissingField, "field /quantity: is empty");
  Decode(R"({"sku":"A","ts":1,"quantity":1,"unit_price":-0.01})");
  ExpectDead(RejectReason::kOutOfRange, "field /unit_price: must not be negative: -0.01");
  Decode(R"({"sku":"A","ts":1,"quantity":1e15})");
  ExpectDead(RejectReason::kOverflow, "field /quantity: larger than 9.2e12: 1e15");
  Decode(R"({"sku":"A","ts":1,"quantity":9000000000000,"unit_price":2})");
  ExpectDead(RejectReason::kOverflow, "quantity x unit_price: too large: 9000000000000 x 2");
  Decode(R"({"sku":"A","ts":"soon","quantity":1})");
  ExpectDead(RejectReason::kBadValue, "field /ts: not a time: \"soon\"");
  Decode(R"({"sku":"A","quantity":1})");
  ExpectDead(RejectReason::kNoTime, "field /ts: is not there");
  Decode(R"({"sku":"A","ts":1,"quantity":1,"country":{}})");
  ASSERT_EQ(batch_.dead_letters.size(), 1U);
  EXPECT_EQ(batch_.dead_letters[0].reason, RejectReason::kBadValue);
}

TEST_F(EventDecoderTest, DeadLetterHasPositionAndBytes) {
  const std::string value = R"({"sku":"A","ts":1,"quantity":"abc"})";
  Decode(value);
  const DeadLetter& letter = batch_.dead_letters.at(0);
  EXPECT_EQ(letter.topic, "shop.orders");
  EXPECT_EQ(letter.partition, 0);
  EXPECT_EQ(letter.offset, 41);
  EXPECT_EQ(letter.record_time, record_time_);
  EXPECT_EQ(letter.key, "A");
  EXPECT_EQ(letter.value, value);
}

TEST_F(EventDecoderTest, WhatIsNoJsonObjectIsUndecodable) {
  const std::vector<std::pair<std::string, std::string>> cases = {{"", "not a JSON object"},          {"{\"sku\":", "not a JSON object"},
                                                                  {"[1]", "not an object"},           {"12", "not an object"},
                                                                  {"{\"sku\":\"A\"} x", "not a JSON object"},
                                                                  {"{\"sku\":\"A\"}{}", "behind"},    {"{\"sku\":\"A\"", "not a JSON object"},
                                                                  {"{\"sku\":\"\xff\"}", "UTF-8"},    {"{\"sku\" \"A\"}", "not a JSON object"},
                                                                  {std::string("\0\0\0\0\1{}", 7), "schema registry"}};
  for (const auto& [value, detail] : cases) {
    Decode(value);
    ASSERT_EQ(batch_.dead_letters.size(), 1U) << value;
    EXPECT_EQ(batch_.dead_letters[0].reason, RejectReason::kUndecodable) << value;
    EXPECT_THAT(batch_.dead_letters[0].detail, HasSubstr(detail));
    EXPECT_EQ(batch_.dead_letters[0].value, value);
  }
  is_null_ = true;
  Decode("");
  ExpectDead(RejectReason::kUndecodable, "value: none (a tombstone)");
}

TEST_F(EventDecoderTest, TooLargeIsRefusedUnread) {
  options_.value_bytes_max = 40;
  const std::string value = R"({"sku":"A","ts":1,"quantity":1})";
  Decode(value + std::string(40 - value.size(), ' '));
  Accepted();
  Decode(value + std::string(41 - value.size(), ' '));
  ExpectDead(RejectReason::kTooLarge, "value: larger than value_bytes_max: 41 bytes, limit 40");
}

TEST_F(EventDecoderTest, KeyMustBeTheSkuInItsPartition) {
  const std::string value = R"({"sku":"A","ts":1,"quantity":1})";
  const int32_t home = PartitionOf("A", 4);
  Decode(value, "A", 4, home);
  Accepted();
  Decode(value, "A", 4, (home + 1) % 4);
  ASSERT_EQ(batch_.dead_letters.size(), 1U);
  EXPECT_EQ(batch_.dead_letters[0].reason, RejectReason::kKeyMismatch);
  EXPECT_THAT(batch_.dead_letters[0].detail, HasSubstr(fmt::format("belongs to partition {} of 4 (murmur2), but was read from partition {}", home, (home + 1) % 4)));
  EXPECT_THAT(batch_.dead_letters[0].detail, HasSubstr("repartition the topic), or set `key_check: false` for input orders"));
  Decode(value, "B");
  ASSERT_EQ(batch_.dead_letters.size(), 1U);
  EXPECT_EQ(batch_.dead_letters[0].reason, RejectReason::kKeyMismatch);
  EXPECT_THAT(batch_.dead_letters[0].detail, HasSubstr("record key: \"B\", but field /sku is \"A\""));
  Decode(value, std::nullopt);
  ASSERT_EQ(batch_.dead_letters.size(), 1U);
  EXPECT_EQ(batch_.dead_letters[0].reason, RejectReason::kNoKey);
}

TEST_F(EventDecoderTest, WithoutKeyCheckTheValueDecides) {
  options_.key_check = false;
  const std::string value = R"({"sku":"A","ts":1,"quantity":1})";
  Decode(value, "B", 4, (PartitionOf("A", 4) + 1) % 4);
  EXPECT_EQ(Accepted().key, "A");
  Decode(value, std::nullopt);
  EXPECT_EQ(Accepted().key, "A");
  Decode(R"({"ts":1,"quantity":1})", "K");
  EXPECT_EQ(Accepted().key, "K") << "topics that carry the sku as the key alone";
  Decode(R"({"sku":"","ts":1,"quantity":1})", std::nullopt);
  ExpectDead(RejectReason::kNoKey, "field /sku: no sku, and the record has no key");
}

TEST_F(EventDecoderTest, FutureIsJudgedAgainstTheRecordsTime) {
  options_.max_future = std::chrono::seconds(60);
  record_time_ = EventTime::FromSeconds(1000);
  Decode(R"({"sku":"A","ts":1060,"quantity":1})");
  Accepted();
  Decode(R"({"sku":"A","ts":1061,"quantity":1})");
  ExpectDead(RejectReason::kFuture, "event time: 61 s ahead of the record's time, max_future is 60 s");
  options_.max_future = {};
  Decode(R"({"sku":"A","ts":"2999-01-01","quantity":1})");
  Accepted();
}

TEST_F(EventDecoderTest, TimeFromHeaderOrRecord) {
  options_.time_source = TimeSource::kCeTime;
  Decode(R"({"sku":"A","quantity":1})");
  ExpectDead(RejectReason::kNoTime, "header ce_time: is not there");
  headers_ = {{"ce_id", "1"}, {"ce_time", "2010-12-01T08:26:00Z"}};
  Decode(R"({"sku":"A","quantity":1})");
  EXPECT_EQ(Accepted().time, EventTime::FromSeconds(1'291'191'960));
  headers_ = {{"ce_time", "noon"}};
  Decode(R"({"sku":"A","quantity":1})");
  ExpectDead(RejectReason::kBadValue, "header ce_time: not a time: \"noon\"");
  options_.time_source = TimeSource::kRecord;
  Decode(R"({"sku":"A","ts":"soon","quantity":1})");
  EXPECT_EQ(Accepted().time, record_time_);
  record_time_ = EventTime::Min();
  Decode(R"({"sku":"A","quantity":1})");
  ExpectDead(RejectReason::kNoTime, "record time: the log has none");
}

TEST_F(EventDecoderTest, FieldsAreMappedByPointer) {
  options_.fields = {{"sku", "/item/code"}, {"quantity", "/item/lines/1/n"}, {"ts", "/a~1b"}, {"country", "/x~0y"}};
  const std::string value = R"({"x~y":"UK","item":{"code":"A","lines":[{"n":5},{"n":7}]},"a/b":12})";
  Decode(value);
  EXPECT_EQ(Accepted().key, "A");
  EXPECT_EQ(Accepted().time, EventTime::FromSeconds(12));
  EXPECT_EQ(Accepted().Number(NumberField::kQuantity).micros, 7'000'000);
  EXPECT_EQ(Accepted().texts[static_cast<size_t>(TextField::kCountry)], "UK");
  Decode(R"({"item":{"code":"A","lines":[{"n":5}]},"a/b":12})");
  ExpectDead(RejectReason::kMissingField, "field /item/lines/1/n: is not there");
  Decode(R"({"item":7,"a/b":12})", std::nullopt);
  EXPECT_EQ(batch_.dead_letters.at(0).reason, RejectReason::kNoKey);
}

// The scanner remembers the order of keys: what it remembers must never decide what it finds.
TEST_F(EventDecoderTest, AnyOrderOfKeysGivesTheSame) {
  auto decoder = EventDecoder::Make(options_, 0, "k");
  ASSERT_TRUE(decoder.ok());
  std::vector<std::string> parts = {R"("sku":"A")", R"("ts":7)", R"("quantity":3)", R"("quantit":4)", R"("quantityy":5)", R"("\u0071uantity_":6)"};
  std::sort(parts.begin(), parts.end());
  do {
    const std::string value = fmt::format("{{{}}}", fmt::join(parts, ","));
    InputRecord record;
    record.has_key = true;
    record.key = "A";
    record.value = value;
    batch_.Clear();
    (*decoder)->Decode({&record, 1}, {"t", 0}, 1, 0, batch_);
    ASSERT_EQ(batch_.events.size(), 1U) << value;
    ASSERT_EQ(batch_.events[0].Number(NumberField::kQuantity).micros, 3'000'000) << value;
    ASSERT_EQ(batch_.events[0].time.us, 7'000'000);
  } while (std::next_permutation(parts.begin(), parts.end()));
  Decode("{\"sku\":\"A\",\"ts\":1,\"\\u0071uantity\":8}");
  EXPECT_EQ(Accepted().Number(NumberField::kQuantity).micros, 8'000'000) << "an escaped key";
  Decode(R"({"sku":"A","ts":1,"quantity":1,"quantity":2})");
  EXPECT_EQ(Accepted().Number(NumberField::kQuantity).micros, 2'000'000) << "the last of doubled keys";
}

TEST_F(EventDecoderTest, CustomersArePseudonyms) {
  Decode(R"({"sku":"A","ts":1,"quantity":1,"customer_id":"17850"})");
  const uint64_t customer = Accepted().customer;
  Decode(R"({"sku":"A","ts":1,"quantity":1,"customer_id":17850})");
  EXPECT_EQ(Accepted().customer, customer) << "a number is the same customer";
  Decode(R"({"sku":"A","ts":1,"quantity":1,"customer_id":""})");
  EXPECT_EQ(Accepted().customer, 0U);
  Decode(R"({"sku":"A","ts":1,"quantity":1,"customer_id":null})");
  EXPECT_EQ(Accepted().customer, 0U);

  Decode(R"({"sku":"A","ts":1,"customer_id": "17850" ,"quantity":"x"})");
  const std::string dead = batch_.dead_letters.at(0).value;
  EXPECT_THAT(dead, Not(HasSubstr("17850")));
  EXPECT_EQ(dead, fmt::format(R"({{"sku":"A","ts":1,"customer_id": "pseudonym:{:016x}" ,"quantity":"x"}})", customer));
  EXPECT_THAT(batch_.dead_letters[0].detail, Not(HasSubstr("17850")));
  // A dead letter that is put right and tried again keeps its customer.
  std::string again = dead;
  again.replace(again.find("\"x\""), 3, "2");
  Decode(again);
  EXPECT_EQ(Accepted().customer, customer);

  auto other = EventDecoder::Make(options_, 0, "another key");
  InputRecord record;
  const std::string value = R"({"sku":"A","ts":1,"quantity":1,"customer_id":"17850"})";
  record.has_key = true;
  record.key = "A";
  record.value = value;
  batch_.Clear();
  (*other)->Decode({&record, 1}, {"t", 0}, 1, 0, batch_);
  EXPECT_NE(batch_.events.at(0).customer, customer);
}

TEST_F(EventDecoderTest, DedupeHashesTheConfiguredFields) {
  options_.dedupe = DedupeOptions{{"order_id", "line"}, std::chrono::hours(1)};
  const auto hash = [this](std::string_view order, std::string_view line) {
    Decode(fmt::format(R"({{"sku":"A","ts":1,"quantity":1,"order_id":"{}","line":{}}})", order, line));
    return Accepted().dedupe;
  };
  EXPECT_NE(hash("1", "2"), 0U);
  EXPECT_EQ(hash("1", "2"), hash("1", "2"));
  EXPECT_NE(hash("1", "2"), hash("2", "1"));
  EXPECT_NE(hash("12", "3"), hash("1", "23"));
  Decode(R"({"sku":"A","ts":1,"quantity":1,"order_id":"1"})");
  ExpectDead(RejectReason::kMissingField, "field /line: is not there");
}

TEST_F(EventDecoderTest, BatchKeepsOrderAndIndexes) {
  auto decoder = EventDecoder::Make(options_, 0, "k");
  ASSERT_TRUE(decoder.ok());
  std::vector<std::string> values;
  for (int i = 0; i < 10; ++i) values.push_back(fmt::format(R"({{"sku":"A","ts":{},"quantity":{}}})", i, i == 4 ? "\"x\"" : "1"));
  std::vector<InputRecord> records(10);
  for (size_t i = 0; i < 10; ++i) {
    records[i].offset = static_cast<int64_t>(i * 2);
    records[i].has_key = true;
    records[i].key = "A";
    records[i].value = values[i];
  }
  (*decoder)->Decode(records, {"t", 0}, 1, 50, batch_);
  ASSERT_EQ(batch_.events.size(), 9U);
  EXPECT_EQ(batch_.events[4].record, 55U);
  EXPECT_EQ(batch_.events[4].offset, 10);
  EXPECT_EQ(batch_.dead_letters.at(0).offset, 8);
  EXPECT_EQ(batch_.records, 10);
}

TEST_F(EventDecoderTest, MakeRefusesABadMapping) {
  const auto message = [this] {
    const auto decoder = EventDecoder::Make(options_, 0, "k");
    EXPECT_FALSE(decoder.ok());
    EXPECT_EQ(decoder.status().code(), Code::kConfig);
    return decoder.ok() ? std::string() : decoder.status().message() + " | " + decoder.status().remedy();
  };
  options_.fields = {{"quantty", "/q"}};
  EXPECT_EQ(message(), "input orders: fields names a field that orders do not have: \"quantty\" | did you mean \"quantity\"?");
  options_.fields = {{"quantity", "q"}};
  EXPECT_THAT(message(), HasSubstr("input orders, field quantity: bad JSON pointer, it must begin with a slash: \"q\""));
  options_.fields = {};
  options_.zone = "Mars";
  EXPECT_THAT(message(), HasSubstr("unknown time zone: \"Mars\""));
  options_.zone = "UTC";
  options_.dedupe = DedupeOptions{{"id"}, {}};
  EXPECT_THAT(message(), HasSubstr("input orders: dedupe names a field that orders do not have: \"id\""));
}

TEST_F(EventDecoderTest, LongValuesAreCutInDetails) {
  Decode(fmt::format(R"({{"sku":"A","ts":1,"quantity":"{}"}})", std::string(500, 'x')));
  EXPECT_LT(batch_.dead_letters.at(0).detail.size(), 150U);
  EXPECT_THAT(batch_.dead_letters[0].detail, HasSubstr("... (502 bytes)"));
}

}  // namespace
}  // namespace tidecast
