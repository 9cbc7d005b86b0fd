// From an event's way into its topic to the rows that it let close being visible to a read_committed consumer:
//
//   live_latency BOOTSTRAP NAMESPACE RATE [WARMUP_S]
//
// Copies the topics `orders` and `clicks` in the order of their record times, RATE events a second, to NAMESPACE.orders
// and NAMESPACE.clicks, which an engine reads (retail60.yaml), and reads NAMESPACE.features. The row of a window that
// ends at e could come once both inputs of its partition had an event at e + 60 s or later: its latency counts from
// when the broker appended the later of the two (both topics keep that time: message.timestamp.type=LogAppendTime, in
// whole ms) until it was read. Prints one JSON line; `sent_p50_ms` and `sent_p99_ms` count from just before it was
// sent.
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <thread>
#include <vector>

#include "engine/io/kafka_transport.h"

namespace tidecast {
namespace {

using Clock = std::chrono::system_clock;  // the broker's, too
constexpr size_t kPartitions = 8;
constexpr int64_t kMinuteMs = 60'000;
constexpr size_t kMinutesMax = 24 * 60;
constexpr std::array<const char*, 2> kInputs = {"orders", "clicks"};

int64_t NowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

/// What let a minute of a partition close.
struct Due {
  size_t input = 0;
  int64_t offset = 0;
  int64_t appended_us = 0;
};

/// When each minute of each partition became due; 0: not yet.
struct DueTimes {
  std::array<std::array<std::atomic<int64_t>, kMinutesMax>, kPartitions> at{};  ///< sent
  std::array<std::array<Due, kMinutesMax>, kPartitions> by{};                   ///< the sender's until all is over
  std::atomic<int64_t> first_minute = -1;
  std::atomic<bool> over = false;
};

[[noreturn]] void Die(const Status& status) {
  fmt::print(stderr, "live_latency: {}\n", status.message());
  std::exit(ExitCode(status.code()));
}
template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) Die(result.status());
  return std::move(result).value();
}
void Must(Status status) {
  if (!status.ok()) Die(status);
}

/// A group member that reads all partitions of its topics.
class Reader {
 public:
  Reader(const std::string& bootstrap, const std::string& name, const std::vector<std::string>& topics) {
    KafkaTransportOptions options;
    options.properties = {{"bootstrap.servers", bootstrap}};
    options.name_space = name;
    options.instance = name;
    transport_ = Must(MakeKafkaTransport(std::move(options)));
    Must(transport_->Open());
    Must(transport_->Join(topics));
    while (sources_.empty()) {
      std::vector<TransportEvent> events;
      transport_->Step(50, &events);
      for (const TransportEvent& event : events) {
        if (event.kind == TransportEvent::Kind::kAssigned) sources_ = event.partitions;
      }
    }
    std::vector<Position> positions;
    for (const TopicPartition& source : sources_) positions.push_back({source, -2});
    Must(transport_->StartAt(positions));
  }
  const std::vector<TopicPartition>& sources() const { return sources_; }
  std::unique_ptr<RecordBatch> MakeBatch() {
    auto batch = transport_->MakeBatch();
    batch->LeaveOutHeaders();
    return batch;
  }
  PollResult Poll(size_t handle, RecordBatch& batch) {
    return Must(transport_->Poll(static_cast<uint32_t>(handle), 1000, 1 << 20, batch));
  }
  void Step(int wait_ms) {
    std::vector<TransportEvent> events;
    transport_->Step(wait_ms, &events);
    for (const TransportEvent& event : events) {
      if (!event.status.ok()) Die(event.status);
    }
  }

 private:
  std::unique_ptr<LogTransport> transport_;
  std::vector<TopicPartition> sources_;
};

/// Writes records to the partitions that they are given for: in order, each once. Not the engine's way to do so, since
/// it shares two cores with what it measures: no report and no lock a record.
class Sender {
 public:
  Sender(const std::string& bootstrap, const std::string& name) {
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    std::array<char, 256> why{};
    for (const auto& [key, value] :
         std::initializer_list<std::pair<const char*, const char*>>{{"bootstrap.servers", bootstrap.c_str()},
                                                                    {"enable.idempotence", "true"},
                                                                    {"linger.ms", "5"},
                                                                    {"compression.type", "lz4"},
                                                                    {"queue.buffering.max.messages", "5000000"},
                                                                    {"queue.buffering.max.kbytes", "2000000"}}) {
      if (rd_kafka_conf_set(conf, key, value, why.data(), why.size()) != RD_KAFKA_CONF_OK)
        Die(Status(Code::kConfig, why.data()));
    }
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
      if (message->err != 0) Die(Status(Code::kUnavailable, rd_kafka_err2str(message->err)));
    });
    if (rd_kafka_conf_set(conf, "delivery.report.only.error", "true", why.data(), why.size()) != RD_KAFKA_CONF_OK)
      Die(Status(Code::kConfig, why.data()));
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
    if (client_ == nullptr) Die(Status(Code::kConfig, why.data()));
    for (size_t i = 0; i < kInputs.size(); ++i)
      topics_[i] = rd_kafka_topic_new(client_, (name + "." + kInputs[i]).c_str(), nullptr);
  }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  ~Sender() {
    for (rd_kafka_topic_t* topic : topics_) rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client_);
  }
  void Send(size_t input, size_t partition, std::span<const InputRecord> records) {
    messages_.assign(records.size(), {});
    for (size_t i = 0; i < records.size(); ++i) {
      messages_[i].payload = const_cast<char*>(records[i].value.data());
      messages_[i].len = records[i].value.size();
      messages_[i].key = const_cast<char*>(records[i].key.data());
      messages_[i].key_len = records[i].key.size();
    }
    rd_kafka_produce_batch(topics_[input], static_cast<int32_t>(partition), RD_KAFKA_MSG_F_COPY, messages_.data(),
                           static_cast<int>(messages_.size()));
    for (const rd_kafka_message_t& message : messages_) {
      if (message.err != 0) Die(Status(Code::kUnavailable, rd_kafka_err2str(message.err)));
    }
    rd_kafka_poll(client_, 0);
  }
  void Flush() {
    if (const auto error = rd_kafka_flush(client_, 60'000); error != RD_KAFKA_RESP_ERR_NO_ERROR)
      Die(Status(Code::kUnavailable, rd_kafka_err2str(error)));
  }

 private:
  rd_kafka_t* client_ = nullptr;
  std::array<rd_kafka_topic_t*, kInputs.size()> topics_{};
  std::vector<rd_kafka_message_t> messages_;
};

/// Sends the events on, in time order, and notes which minutes they let close.
class Pacer {
 public:
  Pacer(const std::string& bootstrap, const std::string& name, double rate, DueTimes& due)
      : reader_(bootstrap, name + ".pacer", {kInputs[0], kInputs[1]}),
        rate_(rate),
        due_(due),
        sender_(bootstrap, name) {
    for (const TopicPartition& source : reader_.sources()) {
      Source& added = sources_.emplace_back();
      added.input = source.topic == kInputs[0] ? 0 : 1;
      added.partition = static_cast<size_t>(source.partition);
      added.batch = reader_.MakeBatch();
    }
  }

  int64_t Run() {
    const auto start = Clock::now();
    int64_t sent = 0;
    for (bool more = true; more;) {
      const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
      const auto wanted = static_cast<int64_t>(elapsed * rate_);
      const int64_t now = NowUs();
      for (; sent < wanted; ++sent) {
        Source* const source = Earliest();
        if (source == nullptr) {
          more = false;
          break;
        }
        Note(*source, source->batch->records()[source->next++].record_time.us / 1000, now);
      }
      for (Source& source : sources_) Hand(source);
      std::this_thread::sleep_for(kTick);
    }
    sender_.Flush();
    return sent;
  }

 private:
  static constexpr std::chrono::milliseconds kTick{10};
  struct Source {
    size_t input = 0;
    size_t partition = 0;
    std::unique_ptr<RecordBatch> batch;
    size_t handed = 0;  ///< records of the batch that are with the sender
    size_t next = 0;
    bool ended = false;
    int64_t newest_ms = INT64_MIN;
    int64_t sent = 0;
  };

  void Hand(Source& source) {
    sender_.Send(
        source.input, source.partition,
        std::span<const InputRecord>(source.batch->records()).subspan(source.handed, source.next - source.handed));
    source.handed = source.next;
  }

  Source* Earliest() {
    Source* best = nullptr;
    for (size_t i = 0; i < sources_.size(); ++i) {
      Source& source = sources_[i];
      while (!source.ended && source.next == source.batch->records().size()) {
        Hand(source);
        source.next = source.handed = 0;
        const PollResult polled = reader_.Poll(i, *source.batch);
        if (!source.batch->records().empty()) break;
        if (polled.at_end) source.ended = true;
        if (!source.ended) reader_.Step(5);
      }
      if (source.ended) continue;
      if (best == nullptr ||
          source.batch->records()[source.next].record_time < best->batch->records()[best->next].record_time)
        best = &source;
    }
    return best;
  }

  void Note(Source& source, int64_t time_ms, int64_t now_us) {
    const int64_t offset = source.sent++;
    if (time_ms <= source.newest_ms) return;
    source.newest_ms = time_ms;
    int64_t both = INT64_MAX;
    for (const Source& other : sources_) {
      if (other.partition == source.partition) both = std::min(both, other.newest_ms);
    }
    if (both == INT64_MIN) return;
    const int64_t closed = both / kMinuteMs - 1;  // the last minute whose end lies 60 s back
    if (due_.first_minute < 0) due_.first_minute = closed;
    for (int64_t m = closed - due_.first_minute; m >= 0 && static_cast<size_t>(m) < kMinutesMax; --m) {
      auto& at = due_.at[source.partition][static_cast<size_t>(m)];
      if (at != 0) break;
      due_.by[source.partition][static_cast<size_t>(m)] = {source.input, offset, 0};
      at = now_us;
    }
  }

  Reader reader_;
  const double rate_;
  DueTimes& due_;
  Sender sender_;
  std::vector<Source> sources_;
};

int64_t EndOf(std::string_view json) {
  constexpr std::string_view kField = "\"end\":";
  const size_t at = json.find(kField);
  int64_t end = -1;
  if (at != std::string_view::npos) std::from_chars(json.data() + at + kField.size(), json.data() + json.size(), end);
  return end;
}

/// Rows of one partition and minute that were read at once.
struct Seen {
  size_t partition = 0;
  size_t minute = 0;
  int64_t at_us = 0;
  uint64_t rows = 0;
};

/// Reads rows until two seconds after the last event; `seen`: those due after the warm-up.
void Watch(const std::string& bootstrap, const std::string& name, int64_t warm_us, DueTimes& due,
           std::vector<Seen>* seen) {
  Reader reader(bootstrap, name + ".watch", {name + ".features"});
  const auto batch = reader.MakeBatch();
  int64_t quiet_since = NowUs();
  while (!due.over || NowUs() - quiet_since < 2'000'000) {
    bool any = false;
    for (size_t i = 0; i < reader.sources().size(); ++i) {
      reader.Poll(i, *batch);
      const int64_t now = NowUs();
      for (const InputRecord& record : batch->records()) {
        any = true;
        const int64_t minute = EndOf(record.value) / kMinuteMs - due.first_minute;
        if (minute < 0 || static_cast<size_t>(minute) >= kMinutesMax) continue;
        const auto partition = static_cast<size_t>(reader.sources()[i].partition);
        const int64_t at = due.at[partition][static_cast<size_t>(minute)];
        if (at == 0) Die(Status(Code::kInternal, "a window closed before its time"));
        if (at < warm_us) continue;
        if (seen->empty() || seen->back().partition != partition ||
            seen->back().minute != static_cast<size_t>(minute) || seen->back().at_us != now)
          seen->push_back({partition, static_cast<size_t>(minute), now, 0});
        ++seen->back().rows;
      }
    }
    if (any) quiet_since = NowUs();
    reader.Step(any ? 0 : 2);
  }
}

/// When the broker appended what let each minute close.
void FindAppended(const std::string& bootstrap, const std::string& name, DueTimes& due) {
  Reader reader(bootstrap, name + ".appended", {name + "." + kInputs[0], name + "." + kInputs[1]});
  const auto batch = reader.MakeBatch();
  for (size_t i = 0; i < reader.sources().size(); ++i) {
    const TopicPartition& source = reader.sources()[i];
    const size_t input = source.topic.ends_with(kInputs[0]) ? 0 : 1;
    std::map<int64_t, std::vector<Due*>> wanted;
    for (Due& of : due.by[static_cast<size_t>(source.partition)]) {
      if (of.input == input && of.offset > 0) wanted[of.offset].push_back(&of);
    }
    while (!wanted.empty()) {
      const PollResult polled = reader.Poll(i, *batch);
      for (const InputRecord& record : batch->records()) {
        const auto found = wanted.find(record.offset);
        if (found == wanted.end()) continue;
        for (Due* const of : found->second) of->appended_us = record.record_time.us;
        wanted.erase(found);
      }
      if (!batch->records().empty()) continue;
      if (polled.at_end) break;
      reader.Step(5);
    }
  }
}

/// The least ms that a share `q` of the rows does not exceed.
size_t Quantile(const std::vector<uint64_t>& rows_by_ms, double q) {
  uint64_t rows = 0;
  for (const uint64_t n : rows_by_ms) rows += n;
  auto left = static_cast<uint64_t>(q * static_cast<double>(rows));
  for (size_t ms = 0; ms < rows_by_ms.size(); ++ms) {
    if (rows_by_ms[ms] > left) return ms;
    left -= rows_by_ms[ms];
  }
  return rows_by_ms.size();
}

int Run(const std::string& bootstrap, const std::string& name, double rate, double warmup_s) {
  DueTimes due;
  std::vector<Seen> seen;
  Pacer pacer(bootstrap, name, rate, due);
  const int64_t start = NowUs();
  std::thread watch([&] { Watch(bootstrap, name, start + static_cast<int64_t>(warmup_s * 1e6), due, &seen); });
  const int64_t sent = pacer.Run();
  const double seconds = static_cast<double>(NowUs() - start) / 1e6;
  due.over = true;
  watch.join();
  FindAppended(bootstrap, name, due);
  std::vector<uint64_t> from_append;  // rows by ms
  std::vector<uint64_t> from_send;
  uint64_t rows = 0;
  for (const Seen& of : seen) {
    const Due& by = due.by[of.partition][of.minute];
    if (by.appended_us == 0) Die(Status(Code::kInternal, "an event that let a window close is not in its topic"));
    const auto add = [&](std::vector<uint64_t>& to, int64_t from_us) {
      const auto ms = static_cast<size_t>(std::max<int64_t>(of.at_us - from_us, 0) / 1000);
      if (ms >= to.size()) to.resize(ms + 1);
      to[ms] += of.rows;
    };
    add(from_append, by.appended_us);
    add(from_send, due.at[of.partition][of.minute]);
    rows += of.rows;
  }
  fmt::print(
      R"({{"events":{},"seconds":{:.1f},"events_per_s":{:.0f},"rows":{},"p50_ms":{},"p99_ms":{},"p999_ms":{},"max_ms":{},"sent_p50_ms":{},"sent_p99_ms":{}}})"
      "\n",
      sent, seconds, static_cast<double>(sent) / seconds, rows, Quantile(from_append, .5), Quantile(from_append, .99),
      Quantile(from_append, .999), from_append.size(), Quantile(from_send, .5), Quantile(from_send, .99));
  return rows > 0 ? 0 : 1;
}

}  // namespace
}  // namespace tidecast

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: live_latency BOOTSTRAP NAMESPACE RATE [WARMUP_S]\n");
    return 64;
  }
  return tidecast::Run(argv[1], argv[2], std::atof(argv[3]), argc > 4 ? std::atof(argv[4]) : 10);
}
