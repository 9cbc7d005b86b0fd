#include "engine/runtime/row_sink.h"

#include <limits>

#include "engine/runtime/rekey_records.h"

namespace tidecast {

void RowSink::Add(OutputRecord&& record) {
  out_.bytes += record.Bytes();
  out_.records.push_back(std::move(record));
}

void RowSink::OnBucket(const ClosedBucket& bucket) {
  ++calls_;
  const ViewOptions& options = plan_.options.views[bucket.view];
  const TaskPlan::View& view = plan_.views[bucket.view];
  if (plan_.publish && options.publish_features) {
    const size_t before = rows_.bytes();
    plan_.encoder->Features(bucket, *view.calendar, &rows_);
    out_.bytes += rows_.bytes() - before;
  }
  if (plan_.collect || (plan_.follows && plan_.follows(bucket.view, bucket.series))) {
    out_.buckets.push_back({bucket.view, std::string(bucket.series), bucket.start, bucket.end, bucket.revision,
                            std::vector<double>(bucket.features.begin(), bucket.features.end())});
    out_.bytes += sizeof(OwnedBucket) + bucket.series.size() + bucket.features.size_bytes();
  }
  // A revision does not teach the model a second time (SEMANTICS.md 4).
  if (!view.forecast || bucket.revision > 1) return;
  QueuedRow queued{bucket.view, bucket.start, bucket.end, {}};
  queued.row.series = std::string(bucket.series);
  queued.row.partition = task_.partition;
  // Without stock nothing sold says nothing of demand: neither learned from nor scored.
  const double target = bucket.features[view.target_feature];
  const bool is_censored = bucket.out_of_stock && target == 0;
  queued.row.target = is_censored ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(target);
  queued.row.past.reserve(view.past_features.size());
  for (const size_t f : view.past_features) queued.row.past.push_back(static_cast<float>(bucket.features[f]));
  queued.row.known.assign(bucket.known.begin(), bucket.known.end());
  queued.row.category = bucket.category;
  if (view.bottom_up_from && bottom_up_ != nullptr) {
    queued.row.bottom_up =
        bottom_up_->Take(bucket.view, bucket.series, bucket.start, bucket.end, static_cast<size_t>(options.horizon));
  }
  out_.bytes += sizeof(QueuedRow) + bucket.series.size() +
                (queued.row.past.size() + queued.row.known.size() + queued.row.bottom_up.size()) * sizeof(float);
  out_.rows.push_back(std::move(queued));
}

void RowSink::OnWindow(const ClosedBucket& window, uint16_t window_index) {
  ++calls_;
  if (!plan_.publish) return;
  const size_t before = rows_.bytes();
  plan_.encoder->Window(window, window_index, &rows_);
  out_.bytes += rows_.bytes() - before;
}

void RowSink::OnBucketEnd(uint16_t view, EventTime start, EventTime end, bool open) {
  ++calls_;
  if (plan_.views[view].stage != task_.stage) {
    if (open) out_.active.emplace_back(view, start);
    return;
  }
  out_.over.push_back({view, start, end, open});
}

void RowSink::OnRetired(uint16_t view, std::string_view series, EventTime start, EventTime end) {
  ++calls_;
  if (!plan_.views[view].forecast) return;
  QueuedRow queued{view, start, end, {}};
  queued.row.series = std::string(series);
  queued.row.partition = task_.partition;
  queued.row.retired = true;
  out_.bytes += sizeof(QueuedRow) + series.size();
  out_.rows.push_back(std::move(queued));
}

void RowSink::OnContribution(const Contribution& contribution) {
  ++calls_;
  Contribution own = contribution;
  own.upstream = task_.partition;
  Add(ContributionRecord(plan_.RekeyTopic(Stage::kRollup), own));
  ++out_.rekeyed;
  // By how its values were spread a task's forecasts are: series belong to no country as a whole.
  const bool is_split =
      plan_.options.views[own.view].group_by == GroupBy::kCountry && plan_.views[own.view].bottom_up_from;
  if (is_split && own.revision == 1 && own.target > 0) {
    out_.bytes += sizeof(QueuedPart) + own.key.size();
    out_.parts.push_back({own.view, task_.partition, own.start, std::string(own.key), own.target});
  }
}

}  // namespace tidecast
