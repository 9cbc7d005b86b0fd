#include "tests/simulation/engine_process.h"

#include <algorithm>
#include <utility>

namespace tidecast::simulation {
namespace {

void CopyInto(const StateBatch& from, StateBatch& to) {
  for (const StateBatch::Range& range : from.ranges()) to.DeleteRange(range.family, range.from, range.to);
  for (const StateBatch::Row& row : from.rows()) {
    if (row.is_delete) {
      to.Delete(row.family, row.key);
    } else {
      to.Put(row.family, row.key, row.value);
    }
  }
}

}  // namespace

Status Disk::Write(const StateBatch& batch) {
  CopyInto(batch, journal_.emplace_back());
  return rows_->Write(batch);
}

void Disk::LoseTail(size_t batches) {
  journal_.resize(journal_.size() - std::min(batches, journal_.size()));
  rows_ = MakeMemoryStore();
  for (const StateBatch& batch : journal_) TC_CHECK(rows_->Write(batch).ok());
}

void Disk::Wipe() {
  journal_.clear();
  rows_ = MakeMemoryStore();
}

std::shared_ptr<Disk> Disk::Copy() const {
  auto copy = std::make_shared<Disk>();
  for (const StateBatch& batch : journal_) TC_CHECK(copy->Write(batch).ok());
  return copy;
}

std::string DumpRows(const StateStore& store, const std::function<bool(Family, std::string_view)>& skip) {
  std::string text;
  for (size_t f = 0; f < kFamilies; ++f) {
    const auto family = static_cast<Family>(f);
    const Status scanned = store.Scan(family, {}, {}, [&](std::string_view key, std::string_view value) {
      if (!skip(family, key)) text += fmt::format("{} {:?} {:?}\n", f, key, value);
      return true;
    });
    TC_CHECK(scanned.ok());
  }
  return text;
}

/// The disk as a process sees it.
class EngineProcess::Store final : public StateStore {
 public:
  Store(std::shared_ptr<Disk> disk, Wire& wire) : disk_(std::move(disk)), wire_(wire) {}
  Status Write(const StateBatch& batch) override {
    wire_.Reach(Site::kStateWrite);
    TC_RETURN_IF_ERROR(wire_.OnDiskWrite());
    TC_RETURN_IF_ERROR(disk_->Write(batch));
    wire_.Reach(Site::kStateWritten);
    return Status::Ok();
  }
  Result<bool> Get(Family family, std::string_view key, std::string* value) const override {
    TC_RETURN_IF_ERROR(wire_.OnDiskRead());
    return disk_->rows().Get(family, key, value);
  }
  Status Scan(Family family, std::string_view from, std::string_view to,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    TC_RETURN_IF_ERROR(wire_.OnDiskRead());
    return disk_->rows().Scan(family, from, to, visit);
  }
  Status Sync() override { return Status::Ok(); }
  size_t MemoryBytes() const override { return disk_->rows().MemoryBytes(); }

 private:
  std::shared_ptr<Disk> disk_;
  Wire& wire_;
};

/// The world's clock, as wrong as this machine's is.
class EngineProcess::MachineClock final : public Clock {
 public:
  MachineClock(const Clock& world, std::function<Duration()> offset) : world_(world), offset_(std::move(offset)) {}
  ProcessingTime Now() const override { return world_.Now() + (offset_ ? offset_() : Duration{}); }

 private:
  const Clock& world_;
  std::function<Duration()> offset_;
};

EngineProcess::EngineProcess(EngineOptions options, const Parts& parts)
    : clock_(std::make_unique<MachineClock>(parts.clock, parts.clock_offset)),
      executor_(MakeExecutor(1)),
      store_(std::make_unique<Store>(parts.disk, parts.wire)) {
  auto transport = std::make_unique<SimulatedTransport>(parts.broker, parts.clock, parts.wire,
                                                        options.name_space + "." + options.instance, options.instance);
  simulated_ = transport.get();
  transport_ = std::move(transport);
  if (parts.decorate_transport) transport_ = parts.decorate_transport(std::move(transport_));
  auto plan = TaskPlan::Make(std::move(options), true, parts.sink != nullptr);
  TC_CHECK(plan.ok(), "{}", plan.status().message());
  if (parts.make_forecaster) (*plan)->make_forecaster = parts.make_forecaster;
  instance_ = std::make_unique<Instance>(
      std::move(plan).value(), Instance::Parts{*transport_, *store_, *executor_, *clock_, metrics_, faults_, nullptr,
                                               parts.sink, parts.changelog_lag, parts.rekey_kept});
}

std::map<TopicPartition, std::vector<OutputRecord>> ReadCommitted(const SimulatedBroker& broker,
                                                                  const std::vector<std::string>& except_topics) {
  std::map<TopicPartition, std::vector<OutputRecord>> found;
  for (const TopicInfo& topic : broker.ListTopics()) {
    if (std::find(except_topics.begin(), except_topics.end(), topic.name) != except_topics.end()) continue;
    for (int32_t p = 0; p < topic.partitions; ++p) {
      const PartitionLog& log = *broker.Find({topic.name, p});
      std::vector<OutputRecord>& records = found[{topic.name, p}];
      for (int64_t at = 0; at < log.last_stable(); ++at) {
        if (log.IsVisible(at, true)) records.push_back(log.slot(at).record);
      }
    }
  }
  return found;
}

std::string TextOf(const OutputRecord& record) {
  std::string text = fmt::format("{}[{}] {:?} ", record.topic, record.partition, record.key);
  text += record.value ? fmt::format("{:?}", *record.value) : "null";
  for (const Header& header : record.headers) text += fmt::format(" {}={:?}", header.name, header.value);
  return text;
}

void CreateInputTopics(const Shop& shop, SimulatedBroker& broker) {
  for (const std::string& topic : shop.input_topics)
    TC_CHECK(broker.CreateTopic({topic, shop.spec.partitions, {}}).ok());
}

}  // namespace tidecast::simulation
