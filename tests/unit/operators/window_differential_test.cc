#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

#include "operators/window_keys.h"
#include "tests/unit/operators/windows_fixture.h"

namespace tidecast {
namespace {

using namespace testing;  // NOLINT

/// A random log of one partition: reordered within a bound, some late, some too late, some twice.
struct RandomLog {
  std::deque<std::string> names;
  std::vector<Event> events;
};

RandomLog MakeLog(uint64_t seed, size_t count, size_t series = 12) {
  std::mt19937_64 random(seed);
  RandomLog log;
  for (size_t i = 0; i < series; ++i) log.names.push_back(fmt::format("s{:03}", (i * 7) % series));
  int64_t now = 1000 * kHour;
  for (size_t i = 0; i < count; ++i) {
    now += static_cast<int64_t>(random() % 900);
    if (random() % 97 == 0) now += 5 * kHour;
    int64_t time = now - static_cast<int64_t>(random() % 600);
    if (random() % 12 == 0) time -= static_cast<int64_t>(random() % (5 * kHour));
    const size_t known = 2 + i * (series - 2) / count;
    Event event = Order(log.names[random() % known], time, static_cast<double>(random() % 9) - 2, 1 + random() % 30);
    event.Set(NumberField::kUnitPrice, Decimal{static_cast<int64_t>(random() % 5'000'000)});
    event.dedupe = 1 + i;
    log.events.push_back(event);
    if (random() % 15 == 0)
      log.events.push_back(log.events[log.events.size() - 1 - random() % std::min<size_t>(20, log.events.size())]);
  }
  return log;
}

constexpr Duration kGap = std::chrono::minutes(40);

WindowAggregator::Options RichOptions(bool emit_empty) {
  auto options = HourlyUnits(2 * kHour);
  ViewOptions& view = options.views[0];
  view.emit_empty = emit_empty;
  view.features.push_back(Feature("lines", Aggregate::kCount));
  view.features.push_back(Feature("price", Aggregate::kMean, NumberField::kUnitPrice));
  view.features.push_back(Feature("top", Aggregate::kMax));
  view.features.push_back(Feature("low", Aggregate::kMin));
  view.features.push_back(Feature("last", Aggregate::kLast, NumberField::kUnitPrice));
  view.features.push_back(Feature("customers", Aggregate::kDistinct));
  WindowOptions hopping;
  hopping.name = "four";
  hopping.size_buckets = 4;
  WindowOptions session;
  session.name = "visit";
  session.kind = WindowKind::kSession;
  session.gap = kGap;
  view.windows = {hopping, session};
  options.dedupe_keep = {std::chrono::hours(24 * 365)};
  return options;
}

constexpr int64_t kBound = 600;

struct Played {
  RecordingSink sink;
  std::vector<Verdict> verdicts;
  std::map<std::string, std::string> stored;
  int pane_deltas = 0, session_deltas = 0;  ///< seen behind commits
};

/// Steps through the log. `batch`: events between commits; with `abort`, each batch is first done, dropped, and done
/// again.
void Play(const WindowAggregator::Options& options, const std::vector<Event>& events, uint64_t seed, bool abort,
          Played* run) {
  std::mt19937_64 random(seed);
  FixedActivity activity;
  auto windows = MakeWindows(options);
  Committer committer;
  EventTime max_time;
  size_t at = 0;
  while (at < events.size()) {
    const size_t until = std::min(events.size(), at + 1 + random() % 25);
    const size_t rows_max = 1 + random() % 40;
    const EventTime max_before = max_time;
    for (int attempt = abort ? 0 : 1; attempt < 2; ++attempt) {
      RecordingSink sink;
      std::vector<Verdict> verdicts;
      max_time = max_before;
      for (size_t i = at; i < until; ++i) {
        const EventTime judged_by = max_time - std::chrono::seconds(kBound);
        verdicts.push_back(windows->OnEvent(events[i], judged_by));
        max_time = std::max(max_time, events[i].time);
        const EventTime watermark = max_time - std::chrono::seconds(kBound);
        if (windows->next_close() <= watermark || i + 1 == until) {
          // The last walk of a batch may be cut in the middle: its cursor is in the commit.
          if (i + 1 == until) {
            windows->OnWatermark(watermark, activity, sink, rows_max);
          } else {
            Drain(*windows, watermark, sink, activity);
          }
        }
      }
      if (attempt == 0) {
        ASSERT_TRUE(windows->Reload(committer.reader()).ok());
        continue;
      }
      run->sink.rows.insert(run->sink.rows.end(), sink.rows.begin(), sink.rows.end());
      run->sink.log.insert(run->sink.log.end(), sink.log.begin(), sink.log.end());
      run->verdicts.insert(run->verdicts.end(), verdicts.begin(), verdicts.end());
      committer.Commit(*windows);
      for (const auto& [key, value] : committer.Contents()) {
        run->pane_deltas += static_cast<WindowTable>(key[0]) == WindowTable::kPaneDelta;
        run->session_deltas += static_cast<WindowTable>(key[0]) == WindowTable::kSessionDelta;
      }
      if (abort && random() % 3 == 0) {
        ASSERT_TRUE(windows->Reload(committer.reader()).ok());
      } else if (!abort) {
        random();  // both kinds of run take the same numbers
      }
    }
    at = until;
  }
  Drain(*windows, EventTime::Max(), run->sink, activity, 3);
  committer.Commit(*windows);
  run->stored = committer.Contents();
}

struct Cell {
  double units = 0;
  int64_t lines = 0;
  double price_sum = 0;
  double top = -1e18;
  double low = 1e18;
  std::pair<int64_t, int64_t> last{INT64_MIN, INT64_MIN};
  std::set<uint64_t> customers;
  void Add(const Event& e) {
    const double q = e.Number(NumberField::kQuantity).ToDouble();
    units += q;
    ++lines;
    price_sum += e.Number(NumberField::kUnitPrice).ToDouble();
    top = std::max(top, q);
    low = std::min(low, q);
    last = std::max(last, {e.time.us, e.Number(NumberField::kUnitPrice).micros});
    customers.insert(e.customer);
  }
};

void ExpectCell(const Cell& cell, const SeenRow& row) {
  EXPECT_DOUBLE_EQ(row.features[0], cell.units) << row.Text();
  EXPECT_EQ(row.features[1], static_cast<double>(cell.lines)) << row.Text();
  EXPECT_EQ(row.features[6], static_cast<double>(cell.customers.size())) << row.Text();
  if (cell.lines == 0) {
    for (const size_t f : {2U, 3U, 4U, 5U}) EXPECT_TRUE(std::isnan(row.features[f])) << row.Text();
    return;
  }
  EXPECT_NEAR(row.features[2], cell.price_sum / static_cast<double>(cell.lines), 1e-9) << row.Text();
  EXPECT_EQ(row.features[3], cell.top) << row.Text();
  EXPECT_EQ(row.features[4], cell.low) << row.Text();
  EXPECT_EQ(row.features[5], static_cast<double>(cell.last.second) / 1e6) << row.Text();
}

class WindowDifferentialTest : public ::testing::TestWithParam<int> {};

TEST_P(WindowDifferentialTest, FinalRowsEqualAPlainRecomputation) {
  const auto seed = static_cast<uint64_t>(GetParam());
  const bool emit_empty = seed % 3 != 0;
  const RandomLog log = MakeLog(seed, 500);
  Played run;
  Play(RichOptions(emit_empty), log.events, seed * 31, seed % 2 == 0, &run);

  // The plain recomputation: verdicts from the log alone, cells, then rows.
  const int64_t hour_us = kHour * 1'000'000;
  std::map<std::pair<int64_t, std::string>, Cell> cells;
  std::map<std::string, int64_t> births;
  std::map<std::string, std::map<int64_t, std::vector<const Event*>>> by_time;
  std::set<uint64_t> seen;
  EventTime max_time;
  int64_t last_bucket = INT64_MIN;
  size_t lates = 0;
  for (size_t i = 0; i < log.events.size(); ++i) {
    const Event& e = log.events[i];
    const EventTime judged_by = max_time - std::chrono::seconds(kBound);
    max_time = std::max(max_time, e.time);
    const int64_t bucket = e.time.us / hour_us;
    const EventTime end{(bucket + 1) * hour_us};
    Verdict expected = Verdict::kAccepted;
    if (seen.contains(e.dedupe)) {
      expected = Verdict::kDuplicate;
    } else if (end + std::chrono::hours(2) <= judged_by) {
      expected = Verdict::kTooLate;
    } else if (end <= judged_by) {
      expected = Verdict::kLate;
      ++lates;
    }
    ASSERT_EQ(run.verdicts[i], expected) << i;
    if (expected == Verdict::kDuplicate || expected == Verdict::kTooLate) continue;
    seen.insert(e.dedupe);
    const std::string name(e.key);
    cells[{bucket, name}].Add(e);
    if (e.time + kGap + std::chrono::hours(2) > judged_by) by_time[name][e.time.us].push_back(&e);
    last_bucket = std::max(last_bucket, bucket);
    const auto birth = births.try_emplace(name, bucket).first;
    birth->second = std::min(birth->second, bucket);
  }
  EXPECT_GT(lates, 5U);

  std::map<std::tuple<int, int64_t, std::string>, SeenRow> final_rows;
  std::map<std::tuple<int, int64_t, std::string>, uint32_t> revisions;
  for (const SeenRow& row : run.sink.rows) {
    const std::tuple key{row.window, row.window == 1 ? row.start.us : row.end.us, row.series};
    if (row.window == -1 && revisions.contains(key)) {
      EXPECT_EQ(row.revision, revisions[key] + 1) << row.Text();
    }
    revisions[key] = row.revision;
    final_rows[key] = row;
  }
  size_t buckets = 0;
  size_t hops = 0;
  for (const auto& [name, birth] : births) {
    for (int64_t b = birth; b <= last_bucket; ++b) {
      const auto cell = cells.find({b, name});
      const auto row = final_rows.find({-1, (b + 1) * hour_us, name});
      if (cell == cells.end() && !emit_empty) {
        EXPECT_EQ(row, final_rows.end());
      } else {
        ASSERT_NE(row, final_rows.end()) << name << " bucket " << b << " birth " << birth;
        ExpectCell(cell == cells.end() ? Cell{} : cell->second, row->second);
        ++buckets;
      }
      // Four hours ending here.
      double units = 0;
      int64_t lines = 0;
      double top = -1e18;
      std::set<uint64_t> customers;
      for (int64_t p = b - 3; p <= b; ++p) {
        const auto pane = cells.find({p, name});
        if (pane == cells.end()) continue;
        units += pane->second.units;
        lines += pane->second.lines;
        top = std::max(top, pane->second.top);
        customers.insert(pane->second.customers.begin(), pane->second.customers.end());
      }
      const auto hop = final_rows.find({0, (b + 1) * hour_us, name});
      if (lines == 0) {
        EXPECT_EQ(hop, final_rows.end());
        continue;
      }
      ASSERT_NE(hop, final_rows.end()) << name << " window at " << b;
      EXPECT_DOUBLE_EQ(hop->second.features[0], units);
      EXPECT_EQ(hop->second.features[1], static_cast<double>(lines));
      EXPECT_EQ(hop->second.features[3], top);
      EXPECT_EQ(hop->second.features[6], static_cast<double>(customers.size()));
      ++hops;
    }
  }
  // Sessions: what is less than a gap apart, per series. Withdrawn ones have no lines.
  std::map<std::pair<int64_t, std::string>, std::pair<int64_t, Cell>> sessions;
  for (const auto& [name, times] : by_time) {
    int64_t start = 0;
    int64_t last = INT64_MIN / 2;
    for (const auto& [time, at] : times) {
      if (time - last >= kGap.count()) start = time;
      last = time;
      auto& session = sessions[{start, name}];
      session.first = last + kGap.count();
      for (const Event* e : at) session.second.Add(*e);
    }
  }
  size_t seen_sessions = 0;
  for (const auto& [key, row] : final_rows) {
    if (std::get<0>(key) != 1 || row.features[1] == 0) continue;
    ++seen_sessions;
    const auto session = sessions.find({row.start.us, row.series});
    ASSERT_NE(session, sessions.end()) << row.Text();
    EXPECT_EQ(session->second.first, row.end.us) << row.Text();
    ExpectCell(session->second.second, row);
  }
  EXPECT_EQ(seen_sessions, sessions.size());

  size_t seen_buckets = 0;
  size_t seen_hops = 0;
  for (const auto& [key, row] : final_rows) {
    seen_buckets += std::get<0>(key) == -1;
    seen_hops += std::get<0>(key) == 0;
  }
  EXPECT_EQ(seen_buckets, buckets);
  EXPECT_EQ(seen_hops, hops);
}

TEST_P(WindowDifferentialTest, AbortingAfterEveryBatchGivesTheSameBytes) {
  const auto seed = static_cast<uint64_t>(GetParam());
  const RandomLog log = MakeLog(seed, 400);
  Played plain;
  Played aborted;
  Play(RichOptions(seed % 3 != 0), log.events, seed * 17, false, &plain);
  Play(RichOptions(seed % 3 != 0), log.events, seed * 17, true, &aborted);
  EXPECT_EQ(plain.verdicts, aborted.verdicts);
  ASSERT_EQ(plain.sink.log, aborted.sink.log);
  EXPECT_EQ(plain.stored, aborted.stored);
}

// What is in a delta is a matter of the epochs; what comes of it is not.
TEST_P(WindowDifferentialTest, ManySeriesWhoseRowsGoIntoDeltasGiveTheSameRows) {
  const auto seed = static_cast<uint64_t>(GetParam());
  const RandomLog log = MakeLog(seed, 500, 150);
  auto options = RichOptions(seed % 3 != 0);
  options.views[0].windows[1].gap = std::chrono::hours(24);
  if (seed % 2 == 0) options.views[0].windows.erase(options.views[0].windows.begin());
  options.views[0].calendar.unit = BucketUnit::kDay;
  options.delta_blocks = BlockJournal::kNoDeltas;
  Played blocks;
  Play(options, log.events, seed * 17, false, &blocks);
  options.delta_blocks = 1;
  Played deltas;
  Played aborted;
  Play(options, log.events, seed * 17, false, &deltas);
  Play(options, log.events, seed * 17, true, &aborted);
  EXPECT_EQ(blocks.verdicts, deltas.verdicts);
  EXPECT_EQ(blocks.verdicts, aborted.verdicts);
  ASSERT_EQ(blocks.sink.log, deltas.sink.log);
  ASSERT_EQ(blocks.sink.log, aborted.sink.log);
  EXPECT_EQ(blocks.pane_deltas + blocks.session_deltas, 0);
  EXPECT_GT(deltas.pane_deltas, 10);
  EXPECT_GT(deltas.session_deltas, 10);
}

// Only windows that have been reloaded know a store, and let closed panes go; hopping windows would keep them.
TEST_P(WindowDifferentialTest, PanesThatWereLetGoGiveTheSameBytes) {
  const auto seed = static_cast<uint64_t>(GetParam());
  const RandomLog log = MakeLog(seed, 600);
  auto options = RichOptions(seed % 3 != 0);
  options.views[0].windows.erase(options.views[0].windows.begin());
  options.views[0].allowed_lateness = std::chrono::seconds(20 * kHour);
  Played kept;
  Played let_go;
  Play(options, log.events, seed * 17, false, &kept);
  Play(options, log.events, seed * 17, true, &let_go);
  EXPECT_EQ(kept.verdicts, let_go.verdicts);
  ASSERT_EQ(kept.sink.log, let_go.sink.log);
  EXPECT_EQ(kept.stored, let_go.stored);
}

INSTANTIATE_TEST_SUITE_P(Seeds, WindowDifferentialTest, ::testing::Range(1, 31));

}  // namespace
}  // namespace tidecast
