#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "engine/core/executor.h"
#include "engine/core/hash.h"
#include "models/forecaster.h"

namespace tidecast {

/// Rows in memory, as a task would keep them.
class MemoryRows final : public StateReader, public DeltaSink {
 public:
  void Put(Family, std::string_view key, std::string_view value) override {
    rows_.insert_or_assign(std::string(key), std::string(value));
  }
  void Delete(Family, std::string_view key) override { rows_.erase(std::string(key)); }
  Result<bool> Get(Family, std::string_view key, std::string* value) const override {
    const auto found = rows_.find(std::string(key));
    if (found == rows_.end()) return false;
    *value = found->second;
    return true;
  }
  Status Scan(Family, std::string_view prefix, std::string_view from,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    for (auto row = rows_.lower_bound(std::string(from)); row != rows_.end() && row->first.starts_with(prefix); ++row) {
      if (!visit(row->first, row->second)) break;
    }
    return Status::Ok();
  }
  std::map<std::string, std::string>& rows() { return rows_; }

 private:
  std::map<std::string, std::string> rows_;
};

/// Some series of weekly rhythm and the rounds over them.
class Shop {
 public:
  Shop(ForecasterOptions options, size_t series, size_t threads = 1, NetKind net = NetKind::kNone)
      : options_(std::move(options)), executor_(MakeExecutor(threads)) {
    if (options_.season_lengths.empty()) options_.season_lengths = {6};
    options_.net = net;
    auto made = MakeForecaster(options_);
    EXPECT_TRUE(made.ok()) << made.status().message();
    forecaster_ = std::move(made).value();
    for (size_t s = 0; s < series; ++s) names_.push_back("sku" + std::to_string(1000 + s));
    states_.resize(series);
  }
  /// A series that is there from the next round on.
  void Launch(std::string name, uint64_t category) {
    categories_.resize(names_.size());
    names_.push_back(std::move(name));
    categories_.push_back(category);
    states_.emplace_back();
  }
  static float Demand(std::string_view name, int64_t index) {
    const uint64_t hash = Hash64(name);
    const double rate = (.3 + static_cast<double>(hash % 7) * static_cast<double>(hash % 5)) *
                        (1 + .5 * std::sin(static_cast<double>(index % 6)));
    const double u = UniformAt(11, hash, index);
    return static_cast<float>(std::floor(-std::log(1 - u) * rate));
  }
  BucketContext Context(int64_t index) const {
    BucketContext context;
    const auto step = [this](int64_t at) {
      CalendarStep s;
      s.index = at;
      const bool by_hour = options_.season_lengths.size() > 1;
      s.start = EventTime::FromSeconds(at * (by_hour ? 3600 : 86400));
      for (const int season : options_.season_lengths) s.season_phase.push_back(static_cast<int32_t>(at % season));
      return s;
    };
    context.now = step(index);
    for (int h = 1; h <= options_.horizon; ++h) context.ahead.push_back(step(index + h));
    return context;
  }
  /// Rows [from, to) of blocks scored; the caller may stop in between.
  std::vector<SeriesRow> Rows(int64_t index) const {
    std::vector<SeriesRow> rows;
    for (size_t s = 0; s < names_.size(); ++s) {
      const float y = change_ ? change_(s, index, Demand(names_[s], index)) : Demand(names_[s], index);
      rows.push_back(
          {names_[s], Hash64(names_[s]), y, {}, Known(s, index), s < categories_.size() ? categories_[s] : 0});
    }
    return rows;
  }
  /// Known covariates of the bucket and the steps ahead; they live until the next call for the same series.
  std::span<const float> Known(size_t series, int64_t index) const {
    if (options_.known_covariates == 0) return {};
    known_.resize(names_.size());
    std::vector<float>& row = known_[series];
    row.clear();
    for (int64_t t = index; t <= index + options_.horizon; ++t) {
      for (size_t k = 0; k < options_.known_covariates; ++k)
        row.push_back(covariate_ ? covariate_(series, t) : (t + static_cast<int64_t>(series)) % 7 == 0 ? 1.0F : 0.0F);
    }
    return row;
  }
  size_t blocks() const { return (names_.size() + options_.block_series - 1) / options_.block_series; }
  template <typename T>
  std::span<T> Block(std::vector<T>& all, size_t block) const {
    const size_t begin = block * options_.block_series;
    return std::span<T>(all).subspan(begin, std::min(options_.block_series, all.size() - begin));
  }
  void ScoreBlock(std::vector<SeriesRow>& rows, size_t block) {
    forecaster_->ScoreAndLearnBlock(block, Block(rows, block), Block(states_, block), Block(scores_, block), {});
  }
  void Forecast(std::vector<SeriesRow>& rows) {
    const size_t h = static_cast<size_t>(options_.horizon);
    out_.assign(blocks(), {});
    executor_->ParallelFor(blocks(), [&](size_t b) {
      const size_t count = Block(rows, b).size();
      out_[b].mean.resize(count * h);
      out_[b].quantiles.resize(count * h * kLevelCount);
      out_[b].zero_probability.resize(count * h);
      out_[b].age_buckets.resize(count);
      forecaster_->ForecastBlock(b, Block(rows, b), Block(states_, b), out_[b]);
    });
  }
  void Round(int64_t index) {
    std::vector<SeriesRow> rows = Rows(index);
    scores_.assign(rows.size(), {});
    forecaster_->BeginRound(Context(index), blocks());
    executor_->ParallelFor(blocks(), [&](size_t b) { ScoreBlock(rows, b); });
    ASSERT_TRUE(forecaster_->LearnShared().ok());
    Forecast(rows);
  }
  /// Every byte that the last round published, block after block.
  std::string Published() const {
    std::string bytes;
    const auto add = [&](const std::vector<float>& v) {
      bytes.append(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(float));
    };
    for (const auto& block : out_) {
      add(block.mean);
      add(block.quantiles);
      add(block.zero_probability);
    }
    return bytes;
  }
  std::string SeriesPublished(size_t s) const {
    const size_t width = static_cast<size_t>(options_.horizon) * kLevelCount;
    const auto& block = out_[s / options_.block_series];
    return {reinterpret_cast<const char*>(block.quantiles.data() + (s % options_.block_series) * width),
            width * sizeof(float)};
  }

  ForecasterOptions options_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Forecaster> forecaster_;
  std::vector<std::string> names_, states_;
  std::vector<uint64_t> categories_;  ///< by series; none told beyond
  std::vector<BucketScore> scores_;
  std::vector<struct ForecastBlock> out_;
  std::function<float(size_t series, int64_t index, float demand)> change_;
  std::function<float(size_t series, int64_t index)> covariate_;
  mutable std::vector<std::vector<float>> known_;
};

}  // namespace tidecast
