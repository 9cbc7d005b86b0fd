#include "engine/runtime/model_exchange.h"

#include <gtest/gtest.h>

#include "engine/core/hash.h"
#include "state/key_codec.h"
#include "state/state_store.h"
#include "state/task_keyspace.h"
#include "tests/unit/runtime/scripted_transport.h"
#include "tests/unit/runtime/units_a_day.h"

namespace tidecast {
namespace {

/// A net that is a number: it takes in what is not above its own.
class NumberNet final : public Forecaster, public NetKeeper {
 public:
  void BeginRound(const BucketContext&, size_t) override {}
  void ResumeRound(const BucketContext&, size_t) override {}
  void ScoreAndLearnBlock(size_t, std::span<const SeriesRow>, std::span<std::string>, std::span<BucketScore>,
                          const OnScored&) override {}
  Status LearnShared() override { return Status::Ok(); }
  void ForecastBlock(size_t, std::span<const SeriesRow>, std::span<std::string>, struct ForecastBlock&) override {}
  std::vector<Explanation> Explain(const BucketContext&, const std::string&) const override { return {}; }
  void SaveShared(Epoch, DeltaSink&) override {}
  void OnCommitted(Epoch) override {}
  Status ReloadShared(const StateReader&) override { return Status::Ok(); }
  ForecasterStats Stats() const override { return {.rounds = 64}; }
  Result<std::string> ExportNet(const std::string& provenance) const override {
    return fmt::format("{} {}{}", number, provenance, std::string(padding, '.'));
  }
  NetHistory NetVersions() const override { return history; }
  Status ImportNet(std::string_view, std::string) override { return Status::Ok(); }
  Status RollBackNet(std::optional<int64_t>, const StateReader&) override { return Status::Ok(); }
  Result<bool> MeetNet(std::string_view weights) override {
    met.emplace_back(weights);
    if (weights.starts_with('x')) return Status(Code::kCorruption, "no number");
    return weights[0] - '0' <= number;
  }
  void Keep() { history.Add({.origin = NetVersion::Origin::kLearned}, 1); }

  int number = 5;
  size_t padding = 0;
  NetHistory history;
  std::vector<std::string> met;
};

class ModelExchangeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    plan_ = testing::MakePlan(testing::UnitsADay());
    plan_->make_forecaster = [this](const ForecasterOptions&) -> Result<std::unique_ptr<Forecaster>> {
      auto net = std::make_unique<NumberNet>();
      net_ = net.get();
      return std::unique_ptr<Forecaster>(std::move(net));
    };
    auto model = ModelTask::Make(*plan_, *store_, 1 << 20);
    TC_CHECK(model.ok(), "{}", model.status().message());
    model_ = std::move(model).value();
    Reload();
  }
  void Reload() { ASSERT_TRUE(exchange_.Reload(TaskStateReader(*store_, kInstance), *model_).ok()); }
  void Save() {
    StateBatch batch;
    TaskDeltaSink sink(batch, kInstance);
    exchange_.Save(sink);
    ASSERT_TRUE(store_->Write(batch).ok());
  }
  /// Weights as another instance tells them, in so many pieces.
  void Others(const std::string& from, const std::string& weights, size_t pieces = 1) {
    const size_t size = (weights.size() + pieces - 1) / pieces;
    for (size_t n = 0; n < pieces; ++n) {
      OutputRecord& record = transport_.logs[{"shop.models", 0}].emplace_back();
      record.key = fmt::format("{}/{}", from, n);
      record.value = ByteWriter()
                         .U8(1)
                         .U32(static_cast<uint32_t>(pieces))
                         .U64(Hash64(weights))
                         .Bytes(weights.substr(n * size, size))
                         .Take();
    }
  }
  /// Until nothing is left to be done; what it says.
  std::vector<std::string> Steps() {
    std::vector<std::string> notes;
    for (int i = 0; i < 10; ++i) {
      const Result<bool> any = exchange_.Step(*model_, &notes);
      EXPECT_TRUE(any.ok());
    }
    return notes;
  }
  std::vector<OutputRecord> Told() {
    std::vector<OutputRecord> outputs;
    EXPECT_TRUE(exchange_.Tell(*model_, outputs).ok());
    return outputs;
  }

  static constexpr TaskId kInstance{Stage::kInstance, 0};
  testing::ScriptedTransport transport_;
  std::unique_ptr<StateStore> store_ = MakeMemoryStore();
  std::unique_ptr<TaskPlan> plan_;
  NumberNet* net_ = nullptr;
  std::unique_ptr<ModelTask> model_;
  ModelExchange exchange_{transport_, "shop.models", "i1"};
};

TEST_F(ModelExchangeTest, ANewNetMeetsTheNewestOfEachOtherInstanceOnce) {
  Others("i2/sku", "7 old");
  Others("i2/sku", "4 new");
  Others("i3/sku", "9 other");
  Others("i3/basket", "1 of another view");
  Others("i1/sku", "1 own");
  const std::vector<std::string> notes = Steps();
  EXPECT_EQ(net_->met, (std::vector<std::string>{"4 new", "9 other"}));
  EXPECT_EQ(notes, (std::vector<std::string>{"view sku: the net takes in the weights of instance i2",
                                             "view sku: the net would be no better with the weights of instance i3"}));
  EXPECT_TRUE(model_->dirty());
  EXPECT_TRUE(exchange_.dirty());
  EXPECT_TRUE(Steps().empty());
}

TEST_F(ModelExchangeTest, TellsItsOwnOnceWhenAVersionIsKeptAndThenLooksAtOthers) {
  Steps();
  EXPECT_TRUE(Told().empty());
  Others("i2/sku", "4 new");
  EXPECT_TRUE(Steps().empty()) << "not before it has something to tell";
  net_->Keep();
  const std::vector<OutputRecord> told = Told();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].topic, "shop.models");
  EXPECT_EQ(told[0].key, "i1/sku/0");
  ByteReader bytes(*told[0].value);
  EXPECT_EQ(bytes.U8(), 1);
  EXPECT_EQ(bytes.U32(), 1U);
  EXPECT_EQ(bytes.U64(), Hash64("5 instance i1, view sku, after 64 rounds"));
  EXPECT_EQ(bytes.Bytes(), "5 instance i1, view sku, after 64 rounds");
  EXPECT_TRUE(Told().empty());
  EXPECT_EQ(Steps().size(), 1U);
  EXPECT_EQ(net_->met, (std::vector<std::string>{"4 new"}));
}

TEST_F(ModelExchangeTest, WeightsComeInPiecesOfWhatABrokerTakes) {
  Steps();
  net_->Keep();
  net_->padding = 1'200'000;
  const std::vector<OutputRecord> told = Told();
  ASSERT_EQ(told.size(), 3U);
  std::string all;
  for (const OutputRecord& record : told) {
    EXPECT_LT(record.value->size(), 600'000U);
    ByteReader bytes(*record.value);
    bytes.U8();
    bytes.U32();
    bytes.U64();
    all += bytes.Bytes();
  }
  EXPECT_TRUE(all == *net_->ExportNet("instance i1, view sku, after 64 rounds"));
  Others("i2/sku", "4 in some pieces", 3);
  Steps();
  EXPECT_EQ(net_->met, (std::vector<std::string>{"4 in some pieces"}));
}

TEST_F(ModelExchangeTest, PiecesThatAreNotAllThereAreNoWeights) {
  Others("i2/sku", "4 in some pieces", 3);
  auto& log = transport_.logs[{"shop.models", 0}];
  log.erase(log.begin() + 1);
  EXPECT_TRUE(Steps().empty());
  EXPECT_TRUE(net_->met.empty());
}

TEST_F(ModelExchangeTest, HowFarItHasReadIsStateOfTheEpochThatMet) {
  Others("i2/sku", "4 first");
  Steps();
  Reload();  // a rollback before that epoch was committed
  Steps();
  EXPECT_EQ(net_->met, (std::vector<std::string>{"4 first", "4 first"}));
  Save();
  EXPECT_FALSE(exchange_.dirty());
  Others("i2/sku", "4 second");
  Reload();
  Steps();
  EXPECT_EQ(net_->met.size(), 3U);
  EXPECT_EQ(net_->met.back(), "4 second");
}

TEST_F(ModelExchangeTest, WeightsThatCannotBeReadAreSaidAndPassedBy) {
  Others("i2/sku", "x of another build");
  const std::vector<std::string> notes = Steps();
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0], "view sku: the net cannot take in the weights of instance i2: no number");
  EXPECT_FALSE(model_->dirty());
  EXPECT_TRUE(exchange_.dirty());
}

}  // namespace
}  // namespace tidecast
