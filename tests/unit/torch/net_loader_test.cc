#include "models/net_loader.h"

#include "models/net_module.h"
#include "tests/unit/torch/net_fixture.h"

namespace tidecast {
namespace {

TEST(NetLoaderTest, SaysWhichPathItTriedAndWhy) {
  const auto net = LoadNet("/nowhere/libtidecast_torch.so", NetFixture::SmallOptions());
  ASSERT_FALSE(net.ok());
  EXPECT_EQ(net.status().code(), Code::kNotFound);
  EXPECT_NE(net.status().message().find("/nowhere/libtidecast_torch.so"), std::string::npos);
  EXPECT_NE(net.status().message().find("No such file"), std::string::npos) << net.status().message();
  EXPECT_FALSE(net.status().remedy().empty());
}

TEST(NetLoaderTest, RefusesALibraryThatIsNoNetModule) {
  const auto net = LoadNet("libdl.so.2", NetFixture::SmallOptions());
  ASSERT_FALSE(net.ok());
  EXPECT_EQ(net.status().code(), Code::kNotFound);
  EXPECT_NE(net.status().message().find(kNetModuleSymbol), std::string::npos) << net.status().message();
}

TEST(NetLoaderTest, LooksBesideTheBinaryThenInTheLibraryFolder) {
  const std::vector<std::string> paths = NetModulePaths("");
  ASSERT_EQ(paths.size(), 2U);
  const std::string folder = paths[0].substr(0, paths[0].rfind('/'));
  EXPECT_EQ(paths[0], folder + "/" + kNetModuleFile);
  EXPECT_EQ(paths[1], folder.substr(0, folder.rfind('/')) + "/lib/tidecast/" + kNetModuleFile);
  EXPECT_EQ(NetModulePaths("/a/b.so"), std::vector<std::string>{"/a/b.so"});
}

TEST(NetLoaderTest, GivesANetFromTheModule) {
  const auto net = LoadNet(TIDECAST_NET_MODULE, NetFixture::SmallOptions());
  ASSERT_TRUE(net.ok()) << net.status().message();
  EXPECT_EQ((*net)->state_floats(), 32U);
}

}  // namespace
}  // namespace tidecast
