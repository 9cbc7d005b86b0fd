#include "engine/app/event_poster.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tidecast {
namespace {

using Json = nlohmann::json;

/// Takes what is appended; answers as it is told.
class FakeLog final : public EventAppender {
 public:
  Result<std::vector<Position>> Append(std::span<const OutputRecord> records, bool sync) override {
    if (!refusal.ok()) return refusal;
    synced = sync;
    appended.insert(appended.end(), records.begin(), records.end());
    return std::vector<Position>{{{"shop.orders", 2}, static_cast<int64_t>(appended.size())}};
  }
  std::string_view Promise(bool sync) const override { return sync ? "disk" : "process"; }

  std::vector<OutputRecord> appended;
  bool synced = false;
  Status refusal;
};

class EventPosterTest : public ::testing::Test {
 protected:
  EventPosterTest() {
    InputOptions orders;
    orders.name = "orders";
    orders.topic = "shop.orders";
    InputOptions prices;
    prices.name = "prices";
    prices.kind = InputKind::kMarket;
    prices.topic = "shop.prices";
    prices.fields["sku"] = "/item/code";
    poster_ = std::make_unique<EventPoster>(log_, std::vector<InputOptions>{orders, prices}, clock_);
  }
  Status Refused(const std::string& input, const std::string& body) {
    const Result<std::string> outcome = poster_->Post(input, body, false);
    EXPECT_FALSE(outcome.ok()) << body;
    EXPECT_TRUE(log_.appended.empty()) << body;
    return outcome.status();
  }

  ManualClock clock_{{5'000'000}};
  FakeLog log_;
  std::unique_ptr<EventPoster> poster_;
};

TEST_F(EventPosterTest, TakesAnObjectAnArrayAndLines) {
  for (const char* body :
       {R"({"sku":"A","quantity":1})", R"([{"sku":"B"},{"sku":7}])", "{\"sku\":\"C\"}\n\n  {\"sku\":\"D\"}\r\n"}) {
    const Result<std::string> outcome = poster_->Post("orders", body, false);
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  }
  ASSERT_EQ(log_.appended.size(), 5U);
  EXPECT_EQ(log_.appended[0].key, "A");
  EXPECT_EQ(log_.appended[0].topic, "shop.orders");
  EXPECT_EQ(log_.appended[0].partition, -1);
  EXPECT_EQ(*log_.appended[0].value, R"({"sku":"A","quantity":1})");
  EXPECT_EQ(log_.appended[0].record_time, EventTime{5'000'000});
  EXPECT_EQ(log_.appended[2].key, "7");
  EXPECT_EQ(log_.appended[4].key, "D");
}

TEST_F(EventPosterTest, AnswersWithPlacesAndWithWhatItPromises) {
  const Json plain = Json::parse(poster_->Post("orders", R"({"sku":"A"})", false).value());
  EXPECT_EQ(plain["accepted"], 1);
  EXPECT_EQ(plain["kept_by"], "process");
  EXPECT_EQ(plain["positions"][0]["partition"], 2);
  EXPECT_EQ(plain["positions"][0]["offset"], 1);
  EXPECT_FALSE(log_.synced);
  EXPECT_EQ(Json::parse(poster_->Post("orders", R"({"sku":"A"})", true).value())["kept_by"], "disk");
  EXPECT_TRUE(log_.synced);
}

TEST_F(EventPosterTest, KeysStayWhereTheSenderPutThem) {
  ASSERT_TRUE(poster_->Post("orders", R"({"ts":1,"sku":"A","a":2})", false).ok());
  EXPECT_EQ(*log_.appended[0].value, R"({"ts":1,"sku":"A","a":2})");
}

TEST_F(EventPosterTest, ABodyIsRefusedWholeAndItsPlaceNamed) {
  EXPECT_EQ(Refused("orders", "3").code(), Code::kParse);
  EXPECT_NE(Refused("orders", "{\"sku\":\"A\"}\n{\"sku\":").message().find("line 2"), std::string::npos);
  EXPECT_NE(Refused("orders", R"([{"sku":"A"},{"sku":""}])").message().find("event 2"), std::string::npos);
  EXPECT_NE(Refused("orders", R"([{"sku":"A"},{"code":"A"}])").message().find("/sku"), std::string::npos);
  EXPECT_NE(Refused("orders", R"([{"sku":"A"},[]])").message().find("event 2"), std::string::npos);
  EXPECT_EQ(Refused("ordres", "{}").code(), Code::kNotFound);
}

TEST_F(EventPosterTest, ABodyThatNestsTooDeepIsRefusedAndTheProcessLives) {
  const auto nested = [](size_t depth) {
    return R"({"sku":"A[[","x":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(Refused("orders", nested(1'000'000)).code(), Code::kParse);
  EXPECT_NE(Refused("orders", nested(1000)).message().find("1000 levels"), std::string::npos);
  EXPECT_TRUE(poster_->Post("orders", nested(999), false).ok());
}

TEST_F(EventPosterTest, TheKeyStandsWhereTheConfigSays) {
  ASSERT_TRUE(poster_->Post("prices", R"({"item":{"code":"X"},"sku":"Y"})", false).ok());
  EXPECT_EQ(log_.appended[0].key, "X");
  EXPECT_EQ(log_.appended[0].topic, "shop.prices");
}

TEST_F(EventPosterTest, WhatTheLogRefusesIsHandedOn) {
  log_.refusal = Status(Code::kWouldBlock, "full");
  EXPECT_EQ(poster_->Post("orders", R"({"sku":"A"})", false).status().code(), Code::kWouldBlock);
}

TEST_F(EventPosterTest, OnceClosedItTakesNothing) {
  poster_->Close();
  EXPECT_EQ(Refused("orders", R"({"sku":"A"})").code(), Code::kNotReady);
}

}  // namespace
}  // namespace tidecast
