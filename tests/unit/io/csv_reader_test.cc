#include "engine/io/csv_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>

namespace tidecast {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string WriteFile(const std::string& name, std::string_view text) {
  const std::string path = fmt::format("{}tidecast_{}_{}", ::testing::TempDir(), getpid(), name);
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::vector<std::string> Split(std::string_view record, char delimiter = ',') {
  std::string scratch;
  std::vector<std::string_view> fields;
  if (!SplitCsv(record, delimiter, &scratch, &fields)) return {"(malformed)"};
  return {fields.begin(), fields.end()};
}

// "line: record" of each record of a file.
std::vector<std::string> Records(std::string_view text, char delimiter = ',') {
  auto source = GzipLineSource::Open(WriteFile("records.csv", text));
  EXPECT_TRUE(source.ok());
  CsvReader reader(std::move(source).value(), delimiter);
  std::vector<std::string> rows;
  std::string record;
  for (;;) {
    auto more = reader.Next(&record);
    EXPECT_TRUE(more.ok());
    if (!*more) return rows;
    rows.push_back(fmt::format("{}: {}", reader.line(), record));
  }
}

TEST(SplitCsvTest, SplitsByRfc4180) {
  EXPECT_THAT(Split("a,b,c"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Split(",,"), ElementsAre("", "", ""));
  EXPECT_THAT(Split(""), ElementsAre(""));
  EXPECT_THAT(Split(R"("a,b","say ""hi""","",x)"), ElementsAre("a,b", "say \"hi\"", "", "x"));
  EXPECT_THAT(Split("\"two\r\nlines\",b"), ElementsAre("two\r\nlines", "b"));
  EXPECT_THAT(Split("a; b ;\"c;d\"", ';'), ElementsAre("a", " b ", "c;d"));
  EXPECT_THAT(Split(R"("a""","""b""")"), ElementsAre("a\"", "\"b\""));
}

TEST(SplitCsvTest, QuoteInABareFieldIsText) { EXPECT_THAT(Split(R"(5" NAIL,a"b)"), ElementsAre("5\" NAIL", "a\"b")); }

TEST(SplitCsvTest, RefusesOpenQuotesAndTextBehindThem) {
  EXPECT_THAT(Split(R"(a,"b)"), ElementsAre("(malformed)"));
  EXPECT_THAT(Split(R"("a"b,c)"), ElementsAre("(malformed)"));
}

TEST(CsvReaderTest, FindsRecordsWhateverTheLineEnds) {
  EXPECT_THAT(Records("a,b\n1,2\n3,4"), ElementsAre("1: a,b", "2: 1,2", "3: 3,4"));
  EXPECT_THAT(Records("a,b\r\n1,2\r\n"), ElementsAre("1: a,b", "2: 1,2"));
  EXPECT_THAT(Records("\xEF\xBB\xBF" "a,b\n"), ElementsAre("1: a,b"));
  EXPECT_THAT(Records("a\n\n\r\nb\n\n"), ElementsAre("1: a", "4: b")) << "blank lines keep their numbers";
  EXPECT_THAT(Records(""), ElementsAre());
}

TEST(CsvReaderTest, ARecordGoesOnInsideOfQuotes) {
  EXPECT_THAT(Records("1,\"two\nlines, \"\"quoted\"\"\n\",3\n4,5,6\n"), ElementsAre("1: 1,\"two\nlines, \"\"quoted\"\"\n\",3", "4: 4,5,6"));
  EXPECT_THAT(Records("1,5\" NAIL\n2,b\n"), ElementsAre("1: 1,5\" NAIL", "2: 2,b"));
}

TEST(CsvReaderTest, AQuoteThatStaysOpenCostsItsLineAlone) {
  EXPECT_THAT(Records("1,\"open\n2,b\n3,c\n"), ElementsAre("1: 1,\"open", "2: 2,b", "3: 3,c"));
  std::string text = "0,\"open\n";
  for (int i = 1; i <= 60'000; ++i) text += fmt::format("{},a line of a large file\n", i);
  const auto rows = Records(text);
  ASSERT_EQ(rows.size(), 60'001U);
  EXPECT_EQ(rows[0], "1: 0,\"open");
  EXPECT_EQ(rows[60'000], "60001: 60000,a line of a large file");
}

TEST(CsvReaderTest, LinesOnlyIgnoresQuotes) {
  EXPECT_THAT(Records("{\"a\":1,\"b\n{}\n", CsvReader::kLinesOnly), ElementsAre("1: {\"a\":1,\"b", "2: {}"));
}

TEST(AppendCsvTest, QuotesWhatNeedsIt) {
  std::string out;
  for (const char* field : {"plain", "a,b", "say \"hi\"", "two\nlines", ""}) {
    out.clear();
    AppendCsv(field, &out);
    EXPECT_THAT(Split(out), ElementsAre(field));
  }
}

TEST(GzipLineSourceTest, ReadsGzipAndPlainAlike) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += fmt::format("line {}\n", i);
  const std::string path = WriteFile("lines.gz", "");
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  auto source = GzipLineSource::Open(path);
  ASSERT_TRUE(source.ok());
  std::string line;
  for (int i = 0; i < 50'000; ++i) {
    ASSERT_TRUE(*source->NextLine(&line));
    ASSERT_EQ(line, fmt::format("line {}", i));
  }
  EXPECT_FALSE(*source->NextLine(&line));

  // Cut short: named, not taken for the end.
  std::ifstream whole(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(whole)), {});
  auto cut = GzipLineSource::Open(WriteFile("cut.gz", bytes.substr(0, bytes.size() / 2)));
  ASSERT_TRUE(cut.ok());
  Status status;
  for (;;) {
    auto more = cut->NextLine(&line);
    if (!more.ok()) status = more.status();
    if (!more.ok() || !*more) break;
  }
  EXPECT_EQ(status.code(), Code::kData);
  EXPECT_THAT(status.message(), HasSubstr("the gzip file is damaged"));
}

TEST(GzipLineSourceTest, MissingFileIsNoInput) {
  EXPECT_EQ(GzipLineSource::Open("/nowhere/orders.csv").status().code(), Code::kNoInput);
  EXPECT_EQ(GzipLineSource::Open("/nowhere/orders.csv").status().message(), "no such file: /nowhere/orders.csv");
  EXPECT_EQ(GzipLineSource::Open(::testing::TempDir()).status().code(), Code::kNoInput);
}

}  // namespace
}  // namespace tidecast
