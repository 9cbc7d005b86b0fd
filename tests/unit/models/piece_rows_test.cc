#include "models/piece_rows.h"

#include <gtest/gtest.h>

#include "tests/unit/models/forecaster_fixture.h"

namespace tidecast {
namespace {

std::string Value(size_t bytes, char salt) {
  std::string value(bytes, salt);
  for (size_t i = 0; i < bytes; i += 97) value[i] = static_cast<char>(i);
  return value;
}

std::string Read(const MemoryRows& rows) {
  std::string value;
  return *GetPieces(rows, Family::kModels, "net", &value) ? value : "none";
}

TEST(PieceRowsTest, AValueOfAnySizeIsReadAsItWasWrittenAlsoOverALongerOne) {
  MemoryRows rows;
  EXPECT_EQ(Read(rows), "none");
  char salt = 'a';
  for (const size_t bytes : {3 * kPieceBytes + 5, 2 * kPieceBytes, kPieceBytes + 1, kPieceBytes, size_t{7}, size_t{0},
                             2 * kPieceBytes + 9}) {
    const std::string value = Value(bytes, salt++);
    PutPieces(Family::kModels, "net", value, rows);
    ASSERT_TRUE(Read(rows) == value) << bytes;
    for (const auto& [key, row] : rows.rows()) ASSERT_LE(row.size(), kPieceBytes) << key;
  }
}

TEST(PieceRowsTest, ARowFromBeforeThereWerePiecesIsAllThereIs) {
  MemoryRows rows;
  const std::string old = Value(kPieceBytes + 300, 'x');
  rows.Put(Family::kModels, "net", old);
  rows.Put(Family::kModels, "net+1", "of another time");
  EXPECT_TRUE(Read(rows) == old);
}

TEST(PieceRowsTest, NothingIsLeftOfADeletedValue) {
  for (const size_t bytes : {size_t{7}, kPieceBytes, 2 * kPieceBytes + 5}) {
    MemoryRows rows;
    PutPieces(Family::kModels, "net", Value(bytes, 'd'), rows);
    DeletePieces(Family::kModels, "net", bytes, rows);
    EXPECT_TRUE(rows.rows().empty()) << bytes;
  }
}

}  // namespace
}  // namespace tidecast
