// From an event's way into its topic to the rows that it let close being visible to a read_committed consumer:
//
//   live_latency copy BOOTSTRAP FILE
//   live_latency send BOOTSTRAP FILE NAMESPACE RATE [WARMUP_S]
//
// `copy` writes the topics `orders` and `clicks` to FILE, in the order of their record times. `send` writes that, RATE
// events a second, to NAMESPACE.orders and NAMESPACE.clicks, which an engine reads (retail60.yaml), and reads
// NAMESPACE.features. The row of a window that ends at e could come once both inputs of its partition had an event at
// e + 60 s or later: its latency counts from when the broker appended the later of the two (both topics keep that time:
// message.timestamp.type=LogAppendTime, in whole ms) until it was read. Prints one JSON line; `sent_p50_ms` and
// `sent_p99_ms` count from just before it was sent.
#include <fcntl.h>
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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

/// An event as it lies in the file that is sent from, before its key and its value. In time order.
struct Stored {
  int64_t time_ms = 0;
  uint16_t input = 0;
  uint16_t partition = 0;
  uint16_t key_size = 0;
  uint16_t value_size = 0;
};

/// Writes the events of the topics `orders` and `clicks` to a file, in the order of their record times.
class Copier {
 public:
  explicit Copier(const std::string& bootstrap) : reader_(bootstrap, "live_latency.copier", {kInputs[0], kInputs[1]}) {
    for (const TopicPartition& source : reader_.sources()) {
      Source& added = sources_.emplace_back();
      added.input = source.topic == kInputs[0] ? 0 : 1;
      added.partition = static_cast<uint16_t>(source.partition);
      added.batch = reader_.MakeBatch();
    }
  }

  void CopyTo(const std::string& path) {
    std::FILE* const file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) Die(Status(Code::kIo, fmt::format("{}: cannot be written", path)));
    bool written = true;
    for (Source* source = Earliest(); source != nullptr; source = Earliest()) {
      const InputRecord& record = source->batch->records()[source->next++];
      const Stored head{record.record_time.us / 1000, source->input, source->partition,
                        static_cast<uint16_t>(record.key.size()), static_cast<uint16_t>(record.value.size())};
      written &= std::fwrite(&head, sizeof head, 1, file) == 1;
      written &= std::fwrite(record.key.data(), 1, record.key.size(), file) == record.key.size();
      written &= std::fwrite(record.value.data(), 1, record.value.size(), file) == record.value.size();
    }
    if (std::fclose(file) != 0 || !written) Die(Status(Code::kIo, fmt::format("{}: could not be written", path)));
  }

 private:
  struct Source {
    uint16_t input = 0;
    uint16_t partition = 0;
    std::unique_ptr<RecordBatch> batch;
    size_t next = 0;
    bool ended = false;
  };

  Source* Earliest() {
    Source* best = nullptr;
    for (size_t i = 0; i < sources_.size(); ++i) {
      Source& source = sources_[i];
      while (!source.ended && source.next == source.batch->records().size()) {
        source.next = 0;
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

  Reader reader_;
  std::vector<Source> sources_;
};

/// A whole file in memory, as far as the system keeps it there.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat about {};
    if (file < 0 || fstat(file, &about) != 0) Die(Status(Code::kIo, fmt::format("{}: cannot be read", path)));
    size_ = static_cast<size_t>(about.st_size);
    void* const at = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (at == MAP_FAILED) Die(Status(Code::kIo, fmt::format("{}: cannot be mapped", path)));
    madvise(at, size_, MADV_SEQUENTIAL);
    data_ = static_cast<char*>(at);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() { munmap(data_, size_); }
  char* begin() const { return data_; }
  char* end() const { return data_ + size_; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
};

/// Writes messages to the partitions that they are given for: in order, each once, without a copy, a report or a lock
/// each, since it shares its cores with what it measures.
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
                                                                    {"queue.buffering.max.kbytes", "2000000"},
                                                                    {"delivery.report.only.error", "true"}}) {
      if (rd_kafka_conf_set(conf, key, value, why.data(), why.size()) != RD_KAFKA_CONF_OK)
        Die(Status(Code::kConfig, why.data()));
    }
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
      if (message->err != 0) Die(Status(Code::kUnavailable, rd_kafka_err2str(message->err)));
    });
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
  /// What the messages point to must stay until the next Flush().
  void Send(size_t input, size_t partition, std::vector<rd_kafka_message_t>& messages) {
    rd_kafka_produce_batch(topics_[input], static_cast<int32_t>(partition), 0, messages.data(),
                           static_cast<int>(messages.size()));
    for (const rd_kafka_message_t& message : messages) {
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
};

/// Sends the events of a file and notes which minutes they let close.
class Pacer {
 public:
  Pacer(const std::string& path, const std::string& bootstrap, const std::string& name, double rate, DueTimes& due)
      : events_(path), rate_(rate), due_(due), sender_(bootstrap, name) {}

  int64_t Run() {
    const auto start = Clock::now();
    int64_t sent = 0;
    for (char* at = events_.begin(); at != events_.end();) {
      const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
      const auto wanted = static_cast<int64_t>(elapsed * rate_);
      const int64_t now = NowUs();
      for (; sent < wanted && at != events_.end(); ++sent) at = Take(at, now);
      for (size_t input = 0; input < kInputs.size(); ++input) {
        for (size_t partition = 0; partition < kPartitions; ++partition) {
          Target& target = targets_[input][partition];
          sender_.Send(input, partition, target.messages);
          target.messages.clear();
        }
      }
      std::this_thread::sleep_for(kTick);
    }
    sender_.Flush();
    return sent;
  }

 private:
  static constexpr std::chrono::milliseconds kTick{10};
  struct Target {
    std::vector<rd_kafka_message_t> messages;  ///< to be sent
    int64_t newest_ms = INT64_MIN;
    int64_t sent = 0;
  };

  char* Take(char* at, int64_t now_us) {
    Stored head;
    std::memcpy(&head, at, sizeof head);
    at += sizeof head;
    rd_kafka_message_t& message = targets_[head.input][head.partition].messages.emplace_back();
    message.key = at;
    message.key_len = head.key_size;
    message.payload = at + head.key_size;
    message.len = head.value_size;
    Note(head.input, head.partition, head.time_ms, now_us);
    return at + head.key_size + head.value_size;
  }

  void Note(size_t input, size_t partition, int64_t time_ms, int64_t now_us) {
    Target& target = targets_[input][partition];
    const int64_t offset = target.sent++;
    if (time_ms <= target.newest_ms) return;
    target.newest_ms = time_ms;
    const int64_t both = std::min(targets_[0][partition].newest_ms, targets_[1][partition].newest_ms);
    if (both == INT64_MIN) return;
    const int64_t closed = both / kMinuteMs - 1;  // the last minute whose end lies 60 s back
    if (due_.first_minute < 0) due_.first_minute = closed;
    for (int64_t m = closed - due_.first_minute; m >= 0 && static_cast<size_t>(m) < kMinutesMax; --m) {
      auto& due = due_.at[partition][static_cast<size_t>(m)];
      if (due != 0) break;
      due_.by[partition][static_cast<size_t>(m)] = {input, offset, 0};
      due = now_us;
    }
  }

  MappedFile events_;
  const double rate_;
  DueTimes& due_;
  Sender sender_;
  std::array<std::array<Target, kPartitions>, kInputs.size()> targets_{};
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

int Run(const std::string& bootstrap, const std::string& file, const std::string& name, double rate, double warmup_s) {
  DueTimes due;
  std::vector<Seen> seen;
  Pacer pacer(file, bootstrap, name, rate, due);
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
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "copy" && argc == 4) {
    tidecast::Copier(argv[2]).CopyTo(argv[3]);
    return 0;
  }
  if (verb == "send" && argc >= 6)
    return tidecast::Run(argv[2], argv[3], argv[4], std::atof(argv[5]), argc > 6 ? std::atof(argv[6]) : 10);
  std::fprintf(stderr,
               "usage: live_latency copy BOOTSTRAP FILE\n"
               "       live_latency send BOOTSTRAP FILE NAMESPACE RATE [WARMUP_S]\n");
  return 64;
}
