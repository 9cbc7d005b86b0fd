#include "engine/io/json_pointer_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidecast {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(JsonPointerPathTest, TakesApartByRfc6901) {
  EXPECT_THAT(JsonPointerPath::Parse("/a")->steps, ElementsAre("a"));
  EXPECT_THAT(JsonPointerPath::Parse("/a/0/b c")->steps, ElementsAre("a", "0", "b c"));
  EXPECT_THAT(JsonPointerPath::Parse("/a~1b/m~0n/~01")->steps, ElementsAre("a/b", "m~n", "~1"));
  EXPECT_THAT(JsonPointerPath::Parse("/")->steps, ElementsAre(""));
  EXPECT_TRUE(JsonPointerPath::Parse("/a~1b")->top_level());
}

TEST(JsonPointerPathTest, RefusesInWords) {
  for (const auto& [text, why] : {std::pair<std::string, std::string>{"", "it is empty"}, {"a", "must begin with a slash"}, {"/a~", "a ~ must be followed"}, {"/~2", "a ~ must be followed"}}) {
    const auto path = JsonPointerPath::Parse(text);
    ASSERT_FALSE(path.ok()) << text;
    EXPECT_EQ(path.status().code(), Code::kConfig);
    EXPECT_THAT(path.status().message(), HasSubstr(why));
  }
}

}  // namespace
}  // namespace tidecast
