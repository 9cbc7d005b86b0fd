// Stored rows of the model's shared part, and a series's blob with bytes of its body changed: shared rows are refused
// in words or loaded and saved again; a round over strange numbers ends, and what it forecasts is in order.
#include <array>
#include <cmath>
#include <cstring>
#include <iterator>

#include "engine/core/check.h"
#include "engine/core/hash.h"
#include "models/forecaster.h"
#include "models/series_columns.h"
#include "tests/fuzz/row_input.h"

namespace tidecast {
namespace {

constexpr int kHorizon = 3;
constexpr size_t kSeries = 2;

std::unique_ptr<Forecaster> Make() {
  ForecasterOptions options;
  options.horizon = kHorizon;
  options.season_lengths = {6};
  options.net = NetKind::kNone;
  Result<std::unique_ptr<Forecaster>> made = MakeForecaster(options);
  TC_CHECK(made.ok(), "{}", made.status().message());
  return std::move(made).value();
}

BucketContext Context(int64_t index) {
  const auto step = [](int64_t at) {
    CalendarStep s;
    s.index = at;
    s.season_phase = {static_cast<int32_t>(at % 6)};
    return s;
  };
  BucketContext context;
  context.now = step(index);
  for (int h = 1; h <= kHorizon; ++h) context.ahead.push_back(step(index + h));
  return context;
}

void Round(Forecaster& forecaster, int64_t index, std::array<std::string, kSeries>& states) {
  const std::array<std::string, kSeries> names = {"a", "b"};
  std::vector<SeriesRow> rows;
  for (size_t s = 0; s < kSeries; ++s) {
    rows.push_back({names[s], Hash64(names[s]), static_cast<float>((index * 7 + static_cast<int64_t>(s)) % 5), {}, {}});
  }
  std::array<BucketScore, kSeries> scores{};
  forecaster.BeginRound(Context(index), 1);
  forecaster.ScoreAndLearnBlock(0, rows, states, scores, {});
  TC_CHECK(forecaster.LearnShared().ok());
  ForecastBlock out;
  out.mean.resize(kSeries * kHorizon);
  out.quantiles.resize(kSeries * kHorizon * kLevelCount);
  out.zero_probability.resize(kSeries * kHorizon);
  out.age_buckets.resize(kSeries);
  forecaster.ForecastBlock(0, rows, states, out);
}

/// A forecaster that has seen some rounds, and what its series have then.
struct Grown {
  std::array<std::string, kSeries> states;
  FuzzRows shared;
  Grown() {
    const std::unique_ptr<Forecaster> forecaster = Make();
    for (int64_t index = 0; index < 20; ++index) Round(*forecaster, index, states);
    forecaster->SaveShared(1, shared);
  }
};

/// Lays what is left of the input over `bytes` from a place on; or cuts them off there.
void Damage(FuzzInput& input, std::string* bytes) {
  if (bytes->empty()) return;
  const bool cut = input.Below(8) == 0;
  size_t at = input.U16();
  at = (at << 8 | input.U8()) % bytes->size();
  if (cut) bytes->resize(at);
  const std::string_view over = input.Rest();
  for (size_t i = 0; i < over.size() && at + i < bytes->size(); ++i) (*bytes)[at + i] = over[i];
}

void FuzzShared(FuzzInput& input, const Grown& grown) {
  FuzzRows rows = grown.shared;
  auto row = rows.rows().begin();
  std::advance(row, input.Below(rows.rows().size()));
  Damage(input, &row->second);
  const std::unique_ptr<Forecaster> forecaster = Make();
  if (const Status loaded = forecaster->ReloadShared(rows); !loaded.ok()) {
    TC_CHECK(!loaded.message().empty());
    return;
  }
  forecaster->SaveShared(1, rows);
  TC_CHECK(forecaster->ReloadShared(rows).ok(), "what was saved is not read");
}

void Fuzz(FuzzInput input) {
  static const Grown grown;
  if (input.Below(2) == 0) return FuzzShared(input, grown);
  const std::unique_ptr<Forecaster> forecaster = Make();
  TC_CHECK(forecaster->ReloadShared(grown.shared).ok());
  std::array<std::string, kSeries> states = grown.states;
  // Length, format and shape are checked where a blob is loaded; behind them anything may stand.
  std::string body = states[0].substr(offsetof(SeriesCore, last_index));
  const size_t size = body.size();
  Damage(input, &body);
  body.resize(size);
  states[0].replace(offsetof(SeriesCore, last_index), size, body);
  for (int64_t index = 20; index < 23; ++index) Round(*forecaster, index, states);
}

}  // namespace
}  // namespace tidecast

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidecast::Fuzz({data, size});
  return 0;
}
