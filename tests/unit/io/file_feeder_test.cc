#include "engine/io/file_feeder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "engine/io/column_sniffer.h"
#include "engine/io/event_decoder.h"
#include "engine/io/json_append.h"
#include "engine/io/json_line_writer.h"

namespace tidecast {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Fed {
  size_t input = 0;
  EventTime time;
  std::string key;
  std::string value;
  int64_t line = 0;
};

class FileFeederTest : public ::testing::Test {
 protected:
  FeedFile File(const std::string& name, std::string_view text, InputKind kind = InputKind::kOrders) {
    FeedFile file;
    file.path = fmt::format("{}tidecast_{}_{}", ::testing::TempDir(), getpid(), name);
    std::ofstream(file.path, std::ios::binary) << text;
    file.input.name = kind == InputKind::kOrders ? "orders" : "other";
    file.input.kind = kind;
    return file;
  }
  std::vector<Fed> Feed(const std::vector<FeedFile>& files, FileFeeder::Order order = FileFeeder::Order::kEventTime, size_t records_max = 3) {
    std::vector<Fed> fed;
    auto feeder = FileFeeder::Open(files, order);
    EXPECT_TRUE(feeder.ok()) << feeder.status().message();
    if (!feeder.ok()) return fed;
    lines_total_ = (*feeder)->lines_total();
    first_ = (*feeder)->first_time();
    last_ = (*feeder)->last_time();
    for (;;) {
      auto more = (*feeder)->Next(records_max, [&](const FeedRecord& record) {
        fed.push_back({record.input, record.time, std::string(record.key), std::string(record.value), record.line});
      });
      EXPECT_TRUE(more.ok());
      if (!more.ok() || !*more) break;
    }
    notes_ = (*feeder)->Notes();
    EXPECT_EQ((*feeder)->lines_read(), static_cast<int64_t>(fed.size()));
    EXPECT_EQ(lines_total_, static_cast<int64_t>(fed.size()));
    return fed;
  }
  static std::vector<int64_t> Lines(const std::vector<Fed>& fed) {
    std::vector<int64_t> lines;
    for (const Fed& record : fed) lines.push_back(record.line);
    return lines;
  }

  int64_t lines_total_ = 0;
  EventTime first_;
  EventTime last_;
  std::vector<std::string> notes_;
};

TEST_F(FileFeederTest, MakesTheJsonThatAProducerWouldSend) {
  const auto fed = Feed({File("a.csv",
                              "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n"
                              "536365,85123A,\"HEART, \"\"BIG\"\"\",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\r\n"
                              "C536379,D,,-1,2010-12-01 09:41:00,27.50,,United Kingdom\r\n")});
  ASSERT_EQ(fed.size(), 2U);
  EXPECT_EQ(fed[0].value,
            R"({"sku":"85123A","ts":"2010-12-01 08:26:00","quantity":6,"unit_price":2.55,"order_id":"536365","customer_id":"17850.0",)"
            R"("country":"United Kingdom","description":"HEART, \"BIG\"","line":2})");
  EXPECT_EQ(fed[0].key, "85123A");
  EXPECT_EQ(fed[0].time, EventTime::FromSeconds(1'291'191'960));
  EXPECT_THAT(fed[1].value, HasSubstr(R"("quantity":-1,"unit_price":27.50)"));
  EXPECT_THAT(fed[1].value, HasSubstr(R"("customer_id":"")"));
  EXPECT_THAT(notes_, Contains(HasSubstr("StockCode -> sku")));
  EXPECT_THAT(notes_, Contains(HasSubstr("delimiter ','")));
}

TEST_F(FileFeederTest, WhatItFeedsTheDecoderTakes) {
  FeedFile file = File("b.csv", "sku;date;qty;price;customer\nA 1;2011-07-01 00:30;2;1.5;c\n0012;2011-07-01 00:31;007;.5;\nB;2011-07-01 00:32;two;1;\n");
  file.input.zone = "Europe/London";
  file.input.fields = {{"quantity", "/line/qty"}, {"unit_price", "/line/price"}, {"sku", "/item~1code"}};
  const auto fed = Feed({file});
  ASSERT_EQ(fed.size(), 3U);
  EXPECT_EQ(fed[0].value, R"({"item/code":"A 1","ts":"2011-07-01 00:30","line":{"qty":2,"price":1.5},"customer_id":"c"})")
      << "the mapped objects; `line` is taken by one of them";
  auto decoder = EventDecoder::Make(file.input, 0, "k");
  ASSERT_TRUE(decoder.ok());
  EventBatch batch;
  for (const Fed& record : fed) {
    InputRecord in;
    in.has_key = true;
    in.key = record.key;
    in.value = record.value;
    (*decoder)->Decode({&in, 1}, {"t", 0}, 1, 0, batch);
  }
  ASSERT_EQ(batch.events.size(), 2U);
  EXPECT_EQ(batch.events[0].time, fed[0].time);
  EXPECT_EQ(batch.events[1].Number(NumberField::kQuantity).micros, 7'000'000) << "not JSON, but a number";
  ASSERT_EQ(batch.dead_letters.size(), 1U);
  EXPECT_EQ(batch.dead_letters[0].detail, "field /line/qty: not a number: \"two\"");
}

TEST_F(FileFeederTest, FeedsByEventTimeThenLine) {
  const auto fed = Feed({File("c.csv", "sku,ts,qty\nA,30,1\nB,10,1\nC,30,1\nD,10,1\nE,20,1\n")});
  EXPECT_THAT(Lines(fed), ElementsAre(3, 5, 6, 2, 4));
  EXPECT_EQ(first_, EventTime::FromSeconds(10));
  EXPECT_EQ(last_, EventTime::FromSeconds(30));
}

TEST_F(FileFeederTest, FeedsAsTheyCome) {
  const auto fed = Feed({File("d.csv", "sku,ts,qty\nA,30,1\nB,10,1\nC,30,1\n")}, FileFeeder::Order::kAsIs);
  EXPECT_THAT(Lines(fed), ElementsAre(2, 3, 4));
  EXPECT_EQ(first_, EventTime::FromSeconds(10));
}

TEST_F(FileFeederTest, UnreadableTimesKeepTheirPlace) {
  const auto fed = Feed({File("e.csv", "sku,ts,qty\nX,never,1\nA,30,1\nB,soon,1\nC,10,1\nD,,1\n")});
  EXPECT_THAT(Lines(fed), ElementsAre(2, 5, 6, 3, 4)) << "behind the line before them";
  EXPECT_EQ(fed[0].time, EventTime::Min());
  EXPECT_EQ(fed[2].time, EventTime::Min());
}

TEST_F(FileFeederTest, MergesFilesByTimeAndKeepsTheFirstFirst) {
  const FeedFile orders = File("f.csv", "sku,ts,qty\nA,10,1\nB,20,1\nC,30,1\n");
  const FeedFile clicks = File("f.jsonl", "{\"sku\":\"A\",\"ts\":20,\"action\":\"view\"}\n{\"sku\":\"B\",\"ts\":5,\"action\":\"cart\"}\n\n{\"sku\":\"C\",\"ts\":\"1970-01-01T00:00:25Z\"}\n",
                               InputKind::kClicks);
  const auto fed = Feed({orders, clicks}, FileFeeder::Order::kEventTime, 1);
  std::vector<std::string> order;
  for (const Fed& record : fed) order.push_back(fmt::format("{}{}", record.input, record.key));
  EXPECT_THAT(order, ElementsAre("1B", "0A", "0B", "1A", "1C", "0C"));
  EXPECT_EQ(fed[0].value, "{\"sku\":\"B\",\"ts\":5,\"action\":\"cart\"}") << "JSON Lines go out as they stand";
  EXPECT_THAT(notes_, Contains(HasSubstr("blank lines passed over: 1")));
}

TEST_F(FileFeederTest, NoLineIsLost) {
  const auto fed = Feed({File("g.csv", "sku,ts,qty\nA,10,1\nB,11\nC,12,1,9\nE,14,\"x\"y\nD,13,\"open\nF,15,1\n")});
  ASSERT_EQ(fed.size(), 6U);
  EXPECT_EQ(fed[1].value, "B,11") << "its own bytes, which end as a dead letter";
  EXPECT_EQ(fed[2].value, "C,12,1,9");
  EXPECT_EQ(fed[3].value, "E,14,\"x\"y");
  EXPECT_EQ(fed[4].value, "D,13,\"open");
  EXPECT_EQ(fed[5].key, "F");
  EXPECT_THAT(notes_, Contains(HasSubstr("lines that do not have 3 columns, or a quote left open: 4")));
}

TEST_F(FileFeederTest, ReadsOtherEncodingsAndDelimiters) {
  const auto latin = Feed({File("h.csv", "sku\tts\tqty\tdescription\nA\t10\t1\t\xA3 5 caf\xE9\n")});
  ASSERT_EQ(latin.size(), 1U);
  EXPECT_THAT(latin[0].value, HasSubstr("\"description\":\"\xC2\xA3 5 caf\xC3\xA9\""));
  const auto pipe = Feed({File("i.csv", "\"sku\"|\"ts\"|\"qty\"\n\"A|B\"|10|1\n")});
  EXPECT_EQ(pipe.at(0).key, "A|B");
}

TEST_F(FileFeederTest, ColumnsAreTakenFromTheConfigFirst) {
  FeedFile file = File("j.csv", "sku,ts,qty,Pieces\nA,10,1,7\n");
  file.input.columns = {{"quantity", "Pieces"}};
  EXPECT_THAT(Feed({file}).at(0).value, HasSubstr("\"quantity\":7"));
  FeedFile bare = File("k.csv", "1,2268318,2520377,pv,1511544070\n", InputKind::kClicks);
  bare.input.columns = {{"customer_id", "#1"}, {"sku", "#2"}, {"action", "#4"}, {"ts", "#5"}};
  const auto fed = Feed({bare});
  ASSERT_EQ(fed.size(), 1U);
  EXPECT_EQ(fed[0].value, R"({"sku":"2268318","ts":"1511544070","action":"pv","customer_id":"1"})");
  EXPECT_EQ(fed[0].line, 1);
}

TEST_F(FileFeederTest, MissingColumnsAreNamedWithTheHeader) {
  const auto status = [this](const FeedFile& file) { return FileFeeder::Open({file}, FileFeeder::Order::kEventTime).status(); };
  const FeedFile file = File("l.csv", "code,when,quantities\nA,1,2\n");
  EXPECT_EQ(status(file).code(), Code::kData);
  EXPECT_EQ(status(file).message(), fmt::format("the file has no column for sku, ts, quantity, which orders need: {} (header: code, when, quantities)", file.path));
  EXPECT_THAT(status(file).remedy(), HasSubstr("inputs.orders.columns: {sku: COLUMN}"));
  FeedFile wrong = File("m.csv", "sku,ts,Qty\nA,1,2\n");
  wrong.input.columns = {{"quantity", "Qyt"}};
  EXPECT_THAT(status(wrong).message(), HasSubstr("the file has no column \"Qyt\", which `columns` of input orders gives for quantity"));
  EXPECT_EQ(status(wrong).remedy(), "did you mean \"Qty\"?");
  EXPECT_EQ(status(File("n.csv", "")).message(), fmt::format("the file is empty: {}", File("n.csv", "").path));
  FeedFile none;
  none.path = "/nowhere/x.csv";
  EXPECT_EQ(status(none).code(), Code::kNoInput);
  EXPECT_EQ(ExitCode(status(none).code()), 66);
}

TEST_F(FileFeederTest, FactsNeedNoTime) {
  const auto fed = Feed({File("o.csv", "product_id,department,brand\n25671,GROCERY,National\n", InputKind::kCatalog)});
  ASSERT_EQ(fed.size(), 1U);
  EXPECT_EQ(fed[0].value, R"({"sku":"25671","category":"GROCERY","brand":"National"})");
  EXPECT_EQ(fed[0].time, EventTime::Min());
}

TEST_F(FileFeederTest, AHeaderAloneFeedsNothing) { EXPECT_TRUE(Feed({File("p.csv", "sku,ts,qty\n")}).empty()); }

TEST(ColumnSnifferTest, SniffsDelimitersOutsideOfQuotes) {
  EXPECT_EQ(SniffDelimiter("a,b"), ',');
  EXPECT_EQ(SniffDelimiter("a;b;c,d"), ';');
  EXPECT_EQ(SniffDelimiter("\"a;b;c;d\",e"), ',');
  EXPECT_EQ(SniffDelimiter("a\tb"), '\t');
  EXPECT_EQ(SniffDelimiter("one"), ',');
}

TEST(JsonLineWriterTest, KnowsJsonNumbersAndEscapes) {
  for (const char* text : {"0", "-1", "2.50", "1e5", "-0.5E-3", "10"}) EXPECT_TRUE(IsJsonNumber(text)) << text;
  for (const char* text : {"", "-", "007", "+1", ".5", "1.", "1e", "1,000", " 1", "nan", "0x1"}) EXPECT_FALSE(IsJsonNumber(text)) << text;
  std::string out;
  AppendJsonString("a\"b\\c\n\t\r\x01", &out);
  EXPECT_EQ(out, R"("a\"b\\c\n\t\r\u0001")");
}

TEST(JsonLineWriterTest, RefusesAPointerInsideOfAnother) {
  InputOptions options;
  options.name = "orders";
  options.fields = {{"sku", "/a"}, {"quantity", "/a/b"}};
  std::vector<ColumnPlan::Column> columns = {{FindField(InputKind::kOrders, "sku"), 0}, {FindField(InputKind::kOrders, "quantity"), 1}};
  const auto writer = JsonLineWriter::Make(options, columns);
  ASSERT_FALSE(writer.ok());
  EXPECT_THAT(writer.status().message(), HasSubstr("a field's pointer lies inside of another field's"));
}

}  // namespace
}  // namespace tidecast
