#include "tests/unit/torch/net_fixture.h"

namespace tidecast {
namespace {

using Fixture = NetFixture;

TEST(NetBlobTest, SaveLoadGoOnEqualsUninterrupted) {
  NetOptions options = Fixture::SmallOptions();
  options.shape.layers = 2;
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
  ExpectRefused(other, Code::kVersion, "format 9, this build reads 1");
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
