// Copies co-partitioned input topics to one output topic, exactly once, with its positions in a changelog: the commit
// protocol in small, as a process that tests kill and restart.
//
//   integration_kafka_copier BROKERS GROUP INSTANCE INPUT[,INPUT...] OUTPUT CHANGELOG BATCH [DIE_AT:N]
//
// DIE_AT: produced | sent | committed: ends itself by SIGKILL when that step is reached the N-th time.
// stdout: "assigned TOPIC[P] ..." and "revoked", a line each. Exit code 75: fenced, or a dead membership.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "engine/io/kafka_transport.h"

namespace tidecast {
namespace {

constexpr int kExitMembershipOver = 75;
constexpr int kWaitMs = 50;

volatile std::sig_atomic_t stop_asked = 0;

struct Arguments {
  std::string brokers, group, instance, output, changelog;
  std::vector<std::string> inputs;
  size_t batch = 100;
  std::string die_at;
  int die_count = 0;
};

class Copier {
 public:
  Copier(Arguments arguments, std::unique_ptr<LogTransport> transport)
      : arguments_(std::move(arguments)), transport_(std::move(transport)) {}

  int Run() {
    Must(transport_->Open());
    Must(transport_->Join(arguments_.inputs));
    batch_ = transport_->MakeBatch();
    while (stop_asked == 0) {
      events_.clear();
      transport_->Step(in_transaction_ || progressed_ ? 0 : kWaitMs, &events_);
      progressed_ = false;
      for (const TransportEvent& event : events_) {
        if (event.kind == TransportEvent::Kind::kFailed) return Report(event.status);
        if (const int code = Handle(event); code != 0) return code;
      }
      if (started_ && !in_transaction_) CopyOne();
      if (in_transaction_) transport_->Step(kWaitMs, &later_);
      for (; !later_.empty(); later_.erase(later_.begin())) {
        if (later_.front().kind == TransportEvent::Kind::kFailed) return Report(later_.front().status);
        if (const int code = Handle(later_.front()); code != 0) return code;
      }
    }
    transport_->Leave();
    return 0;
  }

 private:
  static void Must(const Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "copier: %s\n", status.message().c_str());
    std::exit(1);
  }
  static int Report(const Status& status) {
    std::fprintf(stderr, "copier: %s\n", status.message().c_str());
    return kExitMembershipOver;
  }

  int Handle(const TransportEvent& event) {
    using Kind = TransportEvent::Kind;
    switch (event.kind) {
      case Kind::kAssigned: {
        std::string line = "assigned";
        for (const TopicPartition& p : event.partitions) line += fmt::format(" {}[{}]", p.topic, p.partition);
        std::printf("%s\n", line.c_str());
        std::fflush(stdout);
        assigned_ = event.partitions;
        Restart();
        return 0;
      }
      case Kind::kRevoked:
        std::printf("revoked\n");
        std::fflush(stdout);
        started_ = false;
        revoked_ = true;
        if (!in_transaction_) Release();
        return 0;
      case Kind::kLost:
        started_ = false;
        assigned_.clear();
        return 0;
      case Kind::kTransaction:
        return OnEnd(event);
      default:
        return 0;
    }
  }

  int OnEnd(const TransportEvent& event) {
    if (aborting_) {
      aborting_ = in_transaction_ = false;
      if (event.outcome != Outcome::kOk) {
        if (event.outcome == Outcome::kFenced) return Report(event.status);
        Must(Renew());
      }
      return AfterFailure();
    }
    switch (event.outcome) {
      case Outcome::kOk:
        in_transaction_ = false;
        Reach("committed");
        if (revoked_) Release();
        return 0;
      case Outcome::kAbortable:
        std::fprintf(stderr, "copier: abort: %s\n", event.status.message().c_str());
        aborting_ = true;
        transport_->Abort();
        return 0;
      case Outcome::kFenced:
        return Report(event.status);
      default:
        std::fprintf(stderr, "copier: renew: %s\n", event.status.message().c_str());
        in_transaction_ = false;
        Must(Renew());
        return AfterFailure();
    }
  }

  Status Renew() {
    Status status = transport_->RenewProducer();
    while (status.code() == Code::kUnavailable && stop_asked == 0)
      status = transport_->RenewProducer();  // waits itself
    return status;
  }

  int AfterFailure() {
    if (revoked_) {
      Release();
    } else if (!assigned_.empty()) {
      Restart();
    }
    return 0;
  }

  void Release() {
    revoked_ = started_ = false;
    assigned_.clear();
    transport_->ReleaseRevoked();
  }

  // Positions are those of the changelog, never the group's.
  void Restart() {
    positions_.clear();
    for (const TopicPartition& source : assigned_) positions_[source] = -2;
    for (const auto& [source, unused] : std::map(positions_)) {
      auto reader = transport_->OpenReader({arguments_.changelog, source.partition}, -2, true);
      Must(reader.status());
      auto batch = (*reader)->MakeBatch();
      for (bool at_end = false; !at_end;) {
        auto read = (*reader)->Read(*batch, 1000, kWaitMs);
        Must(read.status());
        for (const InputRecord& record : batch->records()) {
          if (record.key == source.topic) positions_[source] = std::stoll(std::string(record.value));
        }
        at_end = read->at_end;
      }
    }
    std::vector<Position> starts;
    for (const auto& [source, next_offset] : positions_) starts.push_back({source, next_offset});
    const Status started = transport_->StartAt(starts);
    if (started.code() == Code::kNotReady) return;  // revoked meanwhile
    Must(started);
    started_ = true;
    turn_ = 0;
  }

  void CopyOne() {
    for (size_t tries = 0; tries < positions_.size() && !in_transaction_; ++tries) {
      const auto handle = static_cast<uint32_t>(turn_++ % positions_.size());
      auto at = positions_.begin();
      std::advance(at, handle);
      const auto polled = transport_->Poll(handle, arguments_.batch, 1 << 20, *batch_);
      Must(polled.status());
      if (batch_->records().empty()) continue;
      if (const Status begun = transport_->Begin(); !begun.ok()) {
        Must(Renew());
        return Restart();
      }
      in_transaction_ = progressed_ = true;
      for (const InputRecord& record : batch_->records()) {
        if (!Put({.topic = arguments_.output,
                  .partition = at->first.partition,
                  .key = std::string(record.key),
                  .value = std::string(record.value)}))
          return;
      }
      if (!Put({.topic = arguments_.changelog,
                .partition = at->first.partition,
                .key = at->first.topic,
                .value = std::to_string(polled->next_offset)}))
        return;
      Reach("produced");
      at->second = polled->next_offset;
      Must(transport_->SendOffsets(std::vector<Position>{{at->first, at->second}}));
      Reach("sent");
      transport_->Commit({});
    }
  }

  bool Put(const OutputRecord& record) {
    Status status = transport_->Produce(record);
    for (; status.code() == Code::kWouldBlock; status = transport_->Produce(record)) transport_->Step(10, &later_);
    if (status.ok()) return true;
    std::fprintf(stderr, "copier: produce: %s\n", status.message().c_str());
    aborting_ = true;
    transport_->Abort();
    return false;
  }

  void Reach(const std::string& step) {
    if (step != arguments_.die_at || ++reached_ < arguments_.die_count) return;
    // What was handed to librdkafka is given the time to arrive, so that the kill leaves something to clean up.
    for (int i = 0; i < 4 && step != "committed"; ++i) transport_->Step(kWaitMs, &later_);
    std::raise(SIGKILL);
  }

  Arguments arguments_;
  std::unique_ptr<LogTransport> transport_;
  std::unique_ptr<RecordBatch> batch_;
  std::vector<TransportEvent> events_, later_;
  std::vector<TopicPartition> assigned_;
  std::map<TopicPartition, int64_t> positions_;  // in the order of the handles
  size_t turn_ = 0;
  int reached_ = 0;
  bool started_ = false, in_transaction_ = false, aborting_ = false, revoked_ = false, progressed_ = false;
};

int Main(int argc, char** argv) {
  if (argc < 8) return 64;
  Arguments arguments{
      .brokers = argv[1], .group = argv[2], .instance = argv[3], .output = argv[5], .changelog = argv[6]};
  std::istringstream inputs(argv[4]);
  for (std::string input; std::getline(inputs, input, ',');) arguments.inputs.push_back(input);
  arguments.batch = std::stoul(argv[7]);
  if (argc > 8) {
    const std::string die = argv[8];
    arguments.die_at = die.substr(0, die.find(':'));
    arguments.die_count = std::stoi(die.substr(die.find(':') + 1));
  }
  std::signal(SIGTERM, [](int) { stop_asked = 1; });
  KafkaTransportOptions options;
  options.properties = {{"bootstrap.servers", arguments.brokers}};
  if (const char* session = std::getenv("TIDECAST_COPIER_SESSION_MS"))
    options.properties["session.timeout.ms"] = session;
  options.name_space = arguments.group;
  options.group = arguments.group;
  options.instance = arguments.instance;
  options.log = [](KafkaLogLevel level, std::string_view text) {
    if (level >= KafkaLogLevel::kWarning)
      std::fprintf(stderr, "copier: [librdkafka] %.*s\n", static_cast<int>(text.size()), text.data());
  };
  auto transport = MakeKafkaTransport(std::move(options));
  if (!transport.ok()) return 78;
  return Copier(std::move(arguments), std::move(transport).value()).Run();
}

}  // namespace
}  // namespace tidecast

int main(int argc, char** argv) { return tidecast::Main(argc, argv); }
