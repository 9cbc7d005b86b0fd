// A net that is made behind the start: the same net once it is there, and nobody waits for one that is not wanted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "models/late_net.h"
#include "tests/unit/torch/net_fixture.h"

namespace tidecast {
namespace {

using ::testing::HasSubstr;

class LateNetTest : public ::testing::Test, protected NetFixture {};

TEST_F(LateNetTest, IsTheNetThatWasMadeOnceItWasWaitedFor) {
  const NetOptions options = SmallOptions();
  int made = 0;
  LateNet late(options.shape, [&]() -> Result<std::unique_ptr<ResidualNet>> {
    ++made;
    return Make(options);
  });
  EXPECT_EQ(late.device(), "loading");
  ASSERT_TRUE(late.Wait().ok());
  ASSERT_TRUE(late.Wait().ok());
  EXPECT_EQ(made, 1);
  const auto plain = Make(options);
  EXPECT_EQ(late.device(), plain->device());
  EXPECT_EQ(late.state_floats(), plain->state_floats());
  const NetBatch batch = MakeBatch(options.shape, 12, 3);
  for (ResidualNet* net : {static_cast<ResidualNet*>(&late), plain.get()}) {
    for (int i = 0; i < 4; ++i) net->Learn(batch, 1);
  }
  EXPECT_EQ(late.Evaluate(batch).loss, plain->Evaluate(batch).loss);
  EXPECT_EQ(Forecast(late, batch), Forecast(*plain, batch));
  EXPECT_EQ(Blob(late), Blob(*plain));
  const auto other = Make(options);
  ASSERT_TRUE(late.Load(Blob(*other)).ok());
  EXPECT_EQ(Blob(late), Blob(*other));
}

TEST_F(LateNetTest, SaysWhyItCannotBeMadeEachTime) {
  LateNet late(SmallOptions().shape, []() -> Result<std::unique_ptr<ResidualNet>> {
    return Status(Code::kNotFound, "no module", Domain::kInput);
  });
  for (int i = 0; i < 2; ++i) EXPECT_THAT(late.Wait().message(), HasSubstr("no module"));
  EXPECT_EQ(late.device(), "loading");
}

TEST_F(LateNetTest, ItsEndDoesNotWaitForTheMaking) {
  std::promise<void> go_on;
  std::shared_future<void> blocked = go_on.get_future().share();
  {
    LateNet late(SmallOptions().shape, [blocked]() -> Result<std::unique_ptr<ResidualNet>> {
      blocked.wait();
      return Status(Code::kNotReady, "too late");
    });
  }
  go_on.set_value();  // not reached by a destructor that waits
}

}  // namespace
}  // namespace tidecast
