#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "engine/core/bucket.h"
#include "engine/core/forecast.h"
#include "engine/core/record.h"
#include "engine/core/rollup_means.h"
#include "engine/core/status.h"

namespace tidecast {

class TextFile;

/// The files of `replay --out DIR`: features.csv, forecasts.csv, trends.csv, alerts.jsonl, late.jsonl, dlq.jsonl, summary.json.
/// With several views, features of the second and later ones go to features.<view>.csv (columns differ), and unique_id
/// in forecasts.csv is view/key. Results that come a second time (after a rollback) are written once. The first trouble
/// with a file is kept, later calls do nothing, and Finish tells it. Memory: forecasts and lines are streamed; feature
/// rows are kept until Finish, since a revision may change any of them. Thread: confined.
class ResultFiles {
 public:
  struct View {
    std::string name;
    std::vector<std::string> features;
    bool reconciled = false;  ///< its forecasts have mean_bottom_up and mean_reconciled: two more columns for all views
  };
  struct Options {
    std::string directory;
    bool gzip = false;  ///< .csv.gz in place of .csv
    std::vector<View> views;
    bool forecasts = true;  ///< forecasts.csv and trends.csv, by far the largest
  };
  /// Makes the directory where it is missing and the files, empty but for their headers; an old summary.json goes.
  /// Errors: kPermission, kInvalidArgument, kNoSpace, kIo, each naming file and cause.
  static Result<std::unique_ptr<ResultFiles>> Create(Options options);
  ~ResultFiles();

  /// `ds`: the label of the bucket's start.
  void OnBucket(const ClosedBucket& bucket, std::string_view ds);
  /// `steps`: the labels of the horizon's buckets, [horizon]; `cutoff`: that of the last observed one.
  /// In order of (cutoff_start, series), as rounds make them.
  void OnForecast(uint16_t view, const SeriesForecast& forecast, EventTime cutoff_start, std::string_view cutoff,
                  std::span<const std::string> steps, const RollupMeans& means = {});
  /// `numbers`: as kTrendColumns names them. In order of (cutoff_start, series), as OnForecast.
  static constexpr std::array<std::string_view, 8> kTrendColumns = {"p_rise", "last", "before", "expected", "next_0.1", "next_0.5", "next_0.9", "acceleration"};
  void OnTrend(uint16_t view, std::string_view series, EventTime cutoff_start, std::string_view cutoff, std::string_view phase,
               std::span<const double, kTrendColumns.size()> numbers);
  /// `json`: the event as it stands on the topic; `id`: fingerprint/episode/revision.
  void OnAlert(std::string_view id, std::string_view json);
  void OnLate(const OutputRecord& record);
  void OnDeadLetter(const OutputRecord& record);

  /// Writes the feature rows in order of (ds, unique_id) and summary.json, and closes all files.
  Status Finish(std::string_view summary_json);

 private:
  struct FeatureRow {
    uint32_t series = 0;  ///< index into names
    uint32_t revision = 1;
  };
  /// Rows of one bucket in the order they came; a revision is a further row.
  struct FeatureBucket {
    std::string ds;
    std::vector<FeatureRow> rows;
    std::vector<double> values;  ///< [rows, features]
  };
  struct ViewRows {
    std::unordered_map<std::string, uint32_t> ids;
    std::vector<std::string> names;  ///< by id
    std::map<EventTime, FeatureBucket> buckets;
    /// Place of the newest row that was written.
    struct Place {
      EventTime cutoff = EventTime::Min();
      std::string series;
      /// Whether a row of this place is new; moves there if so.
      bool Advance(EventTime to_cutoff, std::string_view to_series);
    };
    Place forecast;
    Place trend;
  };

  explicit ResultFiles(Options options);
  std::string UniqueId(uint16_t view, std::string_view series) const;
  Status WriteFeatures(size_t view);
  void WriteRejected(TextFile& file, const OutputRecord& record);

  Options options_;
  std::vector<ViewRows> views_;
  std::vector<std::unique_ptr<TextFile>> features_;
  bool reconciled_ = false;              ///< of any view
  std::unique_ptr<TextFile> forecasts_;  ///< null when not wanted, as trends_
  std::unique_ptr<TextFile> trends_;
  std::unique_ptr<TextFile> alerts_;
  std::unique_ptr<TextFile> late_;
  std::unique_ptr<TextFile> dead_;
  std::unordered_set<std::string> alert_ids_;
  std::unordered_set<uint64_t> rejected_;  ///< hashes of content ids
  std::string line_;
};

}  // namespace tidecast
