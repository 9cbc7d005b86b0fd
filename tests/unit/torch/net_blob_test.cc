#include "tests/unit/torch/net_fixture.h"

namespace tidecast {
namespace {

using Fixture = NetFixture;

class NetBlobTest : public testing::TestWithParam<NetCase> {};
INSTANTIATE_TEST_SUITE_P(Kinds, NetBlobTest, testing::Values(kLstmOfTwo, kGru, kTcn, kAttention), NameOfCase);

TEST_P(NetBlobTest, SaveLoadGoOnEqualsUninterrupted) {
  NetOptions options = Fixture::SmallOptions(GetParam());
  const auto whole = Fixture::Make(options);
  auto part = Fixture::Make(options);
  for (uint64_t step = 0; step < 12; ++step) {
    const NetBatch batch = Fixture::MakeBatch(options.shape, 40, step);
    const NetLoss expected = whole->Learn(batch, 1 + .1 * static_cast<double>(step));
    const NetLoss got = part->Learn(batch, 1 + .1 * static_cast<double>(step));
    EXPECT_EQ(got.loss, expected.loss);
    EXPECT_EQ(got.gradient_norm, expected.gradient_norm);
    if (step % 4 != 3) continue;
    const std::string blob = Fixture::Blob(*part);
    options.seed += 1;  // nothing of the newcomer's own start may remain
    part = Fixture::Make(options);
    ASSERT_TRUE(part->Load(blob).ok());
    EXPECT_EQ(Fixture::Blob(*part), blob);
  }
  EXPECT_EQ(Fixture::Blob(*part), Fixture::Blob(*whole));
  const NetBatch batch = Fixture::MakeBatch(options.shape, 40, 99);
  EXPECT_EQ(Fixture::Forecast(*part, batch), Fixture::Forecast(*whole, batch));
}

/// A net that has learnt with one id, to be adopted elsewhere.
std::string TaughtBlob(const NetOptions& options) {
  const auto net = Fixture::Make(options);
  for (uint64_t step = 0; step < 30; ++step) {
    NetBatch batch = Fixture::MakeBatch(options.shape, 32, step);
    batch.ids.assign(batch.ids.size(), 0);
    net->Learn(batch, 10);
  }
  // Id 0 has been taught; elsewhere ids are forgotten, so it must say nothing here either.
  std::string blob = Fixture::Blob(*net);
  std::vector<float> average = Fixture::Read(blob, Fixture::kAverage);
  const NetShape& shape = options.shape;
  const int decoder =
      (shape.hidden + shape.id_width + shape.statics + shape.known + 2 + 14 + shape.horizon) * 64 + 65 * 32;
  const int ids = shape.id_buckets * shape.id_width;
  std::fill_n(average.end() - decoder - ids, ids, 0.0F);
  return Fixture::Write(blob, Fixture::kAverage, average);
}

class NetAdoptKindTest : public testing::TestWithParam<NetCase> {};
INSTANTIATE_TEST_SUITE_P(Kinds, NetAdoptKindTest, testing::Values(kLstm, kGru, kTcn, kAttention), NameOfCase);

TEST_P(NetAdoptKindTest, RowsGoWhereTheyMeanTheSameAndNewOnesSayNothing) {
  NetOptions options = Fixture::SmallOptions(GetParam());
  options.shape.positions = 1;
  const std::string blob = TaughtBlob(options);
  const auto taught = Fixture::Make(options);
  ASSERT_TRUE(taught->Load(blob).ok());
  NetOptions other = options;
  other.seed = 99;
  other.shape.inputs = 8;   // a new one first, then theirs in reverse
  other.shape.known = 4;    // theirs, then a new one
  other.shape.statics = 2;  // exchanged
  other.shape.id_buckets = 5;
  const NetRows rows{{-1, 6, 5, 4, 3, 2, 1, 0}, {0, 1, 2, -1}, {1, 0}};
  const auto adopted = Fixture::Make(other);
  ASSERT_TRUE(adopted->Adopt(blob, rows).ok());
  NetBatch there = Fixture::MakeBatch(options.shape, 40, 7);
  there.ids.assign(40, 0);
  NetBatch here = Fixture::MakeBatch(other.shape, 40, 8);
  here.ids.assign(40, 3);
  here.input_mask = there.input_mask;
  here.base = there.base;
  const auto spread = [](const std::vector<float>& from, const std::vector<int>& map, size_t width,
                         std::vector<float>& to) {
    for (size_t row = 0; row < from.size() / width; ++row) {
      for (size_t i = 0; i < map.size(); ++i) {
        if (map[i] >= 0) to[row * map.size() + i] = from[row * width + static_cast<size_t>(map[i])];
      }
    }
  };
  spread(there.inputs, rows.inputs, 7, here.inputs);
  spread(there.known, rows.known, 3, here.known);
  spread(there.statics, rows.statics, 2, here.statics);
  const std::vector<float> expected = Fixture::Forecast(*taught, there);
  const std::vector<float> got = Fixture::Forecast(*adopted, here);
  EXPECT_NE(expected, there.base) << "the net has learnt nothing: the test would not see it";
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-5);
  EXPECT_TRUE(adopted->Learn(Fixture::MakeBatch(other.shape, 16, 1), 1).accepted);
}

TEST(NetAdoptTest, RefusesWhatDoesNotFitAndChangesNothing) {
  const NetOptions options = Fixture::SmallOptions();
  const auto net = Fixture::Make(options);
  const std::string before = Fixture::Blob(*net);
  const NetRows rows{std::vector<int>(7, 0), std::vector<int>(3, 0), std::vector<int>(2, 0)};
  NetOptions wide = options;
  wide.shape.hidden = 24;
  EXPECT_EQ(net->Adopt(Fixture::Blob(*Fixture::Make(wide)), rows).code(), Code::kInvalidShape);
  for (const NetCase& kind : {kGru, kTcn, kAttention, kMlp}) {
    const std::string blob = Fixture::Blob(*Fixture::Make(Fixture::SmallOptions(kind)));
    for (const Status& status : {net->Adopt(blob, rows), net->Blend(blob, rows, 1), net->Load(blob)}) {
      EXPECT_EQ(status.code(), Code::kInvalidShape) << kind.name;
      EXPECT_NE(status.message().find("lstm"), std::string::npos) << status.message();
    }
  }
  EXPECT_EQ(net->Adopt("TCNT", rows).code(), Code::kCorruption);
  NetRows beyond = rows;
  beyond.known[1] = options.shape.known;
  EXPECT_EQ(net->Adopt(before, beyond).code(), Code::kCorruption);
  EXPECT_EQ(Fixture::Blob(*net), before);
}

/// A net that has learnt its own batches, every id among them.
std::unique_ptr<ResidualNet> Taught(const NetOptions& options, uint64_t seed) {
  auto net = Fixture::Make(options);
  for (uint64_t step = 0; step < 20; ++step) net->Learn(Fixture::MakeBatch(options.shape, 32, seed + 97 * step), 10);
  return net;
}

TEST(NetBlendTest, GoesHalfOfTheWayAndKeepsIdsAndMoments) {
  const NetOptions options = Fixture::SmallOptions();
  const auto net = Taught(options, 100);
  const std::string own = Fixture::Blob(*net), other = Fixture::Blob(*Taught(options, 500));
  const NetRows same{{0, 1, 2, 3, 4, 5, 6}, {0, 1, 2}, {0, 1}};
  ASSERT_TRUE(net->Blend(other, same, .5F).ok());
  const std::string blended = Fixture::Blob(*net);
  const std::vector<float> before = Fixture::Read(own, Fixture::kAverage);
  const std::vector<float> theirs = Fixture::Read(other, Fixture::kAverage);
  const std::vector<float> now = Fixture::Read(blended, Fixture::kAverage);
  const std::vector<float> weights_before = Fixture::Read(own, Fixture::kWeights);
  const std::vector<float> weights = Fixture::Read(blended, Fixture::kWeights);
  size_t stayed = 0;
  for (size_t i = 0; i < now.size(); ++i) {
    const bool is_own = now[i] == before[i] && before[i] != theirs[i];
    stayed += is_own ? 1 : 0;
    if (is_own) continue;
    ASSERT_NEAR(now[i], (before[i] + theirs[i]) / 2, 1e-6) << i;
    ASSERT_NEAR(weights[i] - weights_before[i], now[i] - before[i], 1e-6) << i;
  }
  constexpr size_t kDecoder = 64;
  const size_t width = static_cast<size_t>(options.shape.id_width);
  EXPECT_EQ(stayed, static_cast<size_t>(options.shape.id_buckets) * width + width * kDecoder);
  EXPECT_EQ(Fixture::Read(blended, Fixture::kFirstMoment), Fixture::Read(own, Fixture::kFirstMoment));
  EXPECT_EQ(Fixture::Read(blended, Fixture::kSecondMoment), Fixture::Read(own, Fixture::kSecondMoment));
}

TEST(NetBlendTest, RowsThatAnotherNetDoesNotHaveStay) {
  const NetOptions options = Fixture::SmallOptions();
  const auto net = Taught(options, 100);
  const std::string own = Fixture::Blob(*net);
  const NetRows none{std::vector<int>(7, -1), std::vector<int>(3, -1), std::vector<int>(2, -1)};
  ASSERT_TRUE(net->Blend(own, none, 1).ok());
  EXPECT_EQ(Fixture::Blob(*net), own);
  EXPECT_EQ(net->Blend("TCNT", none, 1).code(), Code::kCorruption);
  EXPECT_EQ(Fixture::Blob(*net), own);
}

class NetBlobDamageTest : public testing::Test {
 protected:
  void SetUp() override {
    net_ = Fixture::Make(options_);
    net_->Learn(Fixture::MakeBatch(options_.shape, 8, 1), 1);
    blob_ = Fixture::Blob(*net_);
  }
  void ExpectRefused(const std::string& blob, Code code, const std::string& words) {
    const Status status = net_->Load(blob);
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
    EXPECT_FALSE(status.remedy().empty());
    EXPECT_EQ(Fixture::Blob(*net_), blob_);
  }

  const NetOptions options_ = Fixture::SmallOptions();
  std::unique_ptr<ResidualNet> net_;
  std::string blob_;
};

TEST_F(NetBlobDamageTest, RefusesEveryFlippedByteOfTheHeaderAndSomeBelow) {
  for (size_t i = 8; i < blob_.size(); i += i < 80 ? 1 : 997) {
    std::string bad = blob_;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    ExpectRefused(bad, Code::kCorruption, "checksum");
  }
}

TEST_F(NetBlobDamageTest, RefusesTruncation) {
  ExpectRefused("", Code::kCorruption, "too few");
  ExpectRefused(blob_.substr(0, 71), Code::kCorruption, "too few");
  ExpectRefused(blob_.substr(0, blob_.size() - 1), Code::kCorruption, "checksum");
  ExpectRefused(Fixture::Seal(blob_.substr(0, blob_.size() - 4)), Code::kCorruption, "do not hold");
}

TEST_F(NetBlobDamageTest, RefusesAnotherFileAndAnotherVersion) {
  std::string other = blob_;
  other[0] = 'X';
  ExpectRefused(other, Code::kCorruption, "TCNT");
  other = blob_;
  other[4] = 9;
  ExpectRefused(other, Code::kVersion, "format 9, this build reads 2 and 3");
}

TEST_F(NetBlobDamageTest, RefusesAnEncoderThatItDoesNotKnow) {
  std::string other = blob_;
  other[44] = 4;
  ExpectRefused(Fixture::Seal(other), Code::kCorruption, "encoder 4");
}

TEST_F(NetBlobDamageTest, ReadsTheFormatBeforeThereWereOtherEncoders) {
  std::string old = blob_;
  old[4] = 2;
  ASSERT_TRUE(net_->Load(Fixture::Seal(old)).ok());
  EXPECT_EQ(Fixture::Blob(*net_), blob_);
}

TEST_F(NetBlobDamageTest, RefusesAnotherShapeNamingBoth) {
  NetOptions options = options_;
  options.shape.hidden = 24;
  const auto other = Fixture::Make(options);
  ExpectRefused(Fixture::Blob(*other), Code::kInvalidShape, "hidden 24");
  ExpectRefused(Fixture::Blob(*other), Code::kInvalidShape, "hidden 16");
}

TEST_F(NetBlobDamageTest, RefusesValuesThatAreNotFinite) {
  for (const auto part : {Fixture::kWeights, Fixture::kAverage, Fixture::kFirstMoment, Fixture::kSecondMoment}) {
    std::vector<float> values = Fixture::Read(blob_, part);
    values.back() = INFINITY;
    ExpectRefused(Fixture::Write(blob_, part, values), Code::kNotFinite, "not finite");
  }
}

}  // namespace
}  // namespace tidecast
