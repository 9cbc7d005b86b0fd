#include "operators/name_list.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace tidecast {
namespace {

// Of every length about the borders of what lies in the list, with equal beginnings and ends.
std::vector<std::string> Names() {
  std::set<std::string> names;
  for (size_t size = 0; size <= 40; ++size) {
    const std::string same(size, 'a');
    names.insert(same);
    for (size_t at = 0; at < size; ++at) {
      std::string other = same;
      other[at] = 'b';
      names.insert(other);
      other[at] = '\0';
      names.insert(other);
    }
  }
  return {names.begin(), names.end()};
}

TEST(NameList, TellsEachNameFromAllOthers) {
  const std::vector<std::string> names = Names();
  NameList list;
  for (const std::string& name : names) list.Add(name);
  ASSERT_EQ(list.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(list[i], names[i]);
    const NameList::Probe probe(names[i]);
    for (size_t k = 0; k < names.size(); ++k) ASSERT_EQ(list.Is(k, probe), k == i) << names[i] << " and " << names[k];
  }
}

TEST(NameList, ViewsStayWhereTheyAreAsItGrows) {
  NameList list;
  list.Add("short");
  list.Add("a name that is longer");
  const std::string_view first = list[0];
  const std::string_view second = list[1];
  for (int i = 0; i < 100'000; ++i) list.Add(std::to_string(i));
  EXPECT_EQ(list[0].data(), first.data());
  EXPECT_EQ(list[1].data(), second.data());
  EXPECT_EQ(second, "a name that is longer");
  EXPECT_EQ(list[100'001], "99999");
}

TEST(NameList, CountsWhatItHolds) {
  NameList list;
  EXPECT_TRUE(list.empty());
  list.Add("123456789012");
  const size_t of_short_ones = list.memory_bytes();
  list.Add(std::string(100'000, 'x'));
  EXPECT_EQ(list.name_bytes(), 100'012U);
  EXPECT_GE(list.memory_bytes(), of_short_ones + 100'000);
  EXPECT_EQ(list[1].size(), 100'000U);
}

}  // namespace
}  // namespace tidecast
