#include "models/net_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace tidecast {
namespace {

constexpr uint32_t kFormat = 1;

struct Head {
  uint32_t format = kFormat;
  uint32_t versions = 0;
  int64_t next = 1;
  int64_t current = 0;
  int64_t steps_at_current = 0;
};
struct Row {
  int64_t number, rounds, steps, windows;
  double loss, base_loss;
  uint32_t origin, provenance_bytes;
};

template <typename T>
void Append(const T& value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
bool Take(std::string_view* bytes, T* value) {
  if (bytes->size() < sizeof *value) return false;
  std::memcpy(value, bytes->data(), sizeof *value);
  bytes->remove_prefix(sizeof *value);
  return true;
}

}  // namespace

int64_t NetHistory::Add(NetVersion version, int64_t steps, int64_t spare) {
  version.number = next_++;
  current_ = version.number;
  steps_at_current_ = steps;
  kept_.push_back(std::move(version));
  if (kept_.size() <= kKept) return 0;
  const auto oldest = kept_.front().number == spare ? kept_.begin() + 1 : kept_.begin();
  const int64_t dropped = oldest->number;
  kept_.erase(oldest);
  return dropped;
}

void NetHistory::GoBackTo(int64_t number, int64_t steps) {
  current_ = number;
  steps_at_current_ = steps;
}

std::string NetHistory::Numbers() const {
  std::string numbers;
  for (const NetVersion& version : kept_) numbers += fmt::format("{}{}", numbers.empty() ? "" : ", ", version.number);
  return numbers;
}

Result<int64_t> NetHistory::Find(std::optional<int64_t> number, int64_t steps) const {
  if (number) {
    const bool is_there =
        std::any_of(kept_.begin(), kept_.end(), [&](const NetVersion& v) { return v.number == *number; });
    if (is_there) return *number;
    return Status(Code::kNotFound, fmt::format("the net has no version of this number: {}", *number), Domain::kInput)
        .WithRemedy(kept_.empty() ? "none is kept yet" : fmt::format("these are kept: {}", Numbers()));
  }
  const int64_t below = moved(steps) ? current_ + 1 : current_;
  int64_t found = 0;
  for (const NetVersion& version : kept_) {
    if (version.number < below) found = version.number;
  }
  if (found > 0) return found;
  return Status(Code::kNotFound, "there is no older version of the net to go back to", Domain::kInput)
      .WithRemedy(kept_.empty() ? "none is kept yet" : fmt::format("name one of these: {}", Numbers()));
}

std::string NetHistory::Encode() const {
  std::string bytes;
  Append(Head{kFormat, static_cast<uint32_t>(kept_.size()), next_, current_, steps_at_current_}, &bytes);
  for (const NetVersion& v : kept_) {
    Append(Row{v.number, v.rounds, v.steps, v.windows, v.loss, v.base_loss, static_cast<uint32_t>(v.origin),
               static_cast<uint32_t>(v.provenance.size())},
           &bytes);
    bytes += v.provenance;
  }
  return bytes;
}

Status NetHistory::Decode(std::string_view bytes) {
  const Status damaged(Code::kCorruption, "the list of the net's versions is damaged");
  Head head;
  if (!Take(&bytes, &head)) return damaged;
  if (head.format != kFormat) {
    return Status(Code::kVersion, fmt::format("the list of the net's versions has format {}, this build reads {}",
                                              head.format, kFormat));
  }
  std::vector<NetVersion> kept;
  for (uint32_t i = 0; i < head.versions; ++i) {
    Row row;
    if (!Take(&bytes, &row) || bytes.size() < row.provenance_bytes || row.origin > 1) return damaged;
    kept.push_back({row.number, static_cast<NetVersion::Origin>(row.origin), row.rounds, row.steps, row.windows,
                    row.loss, row.base_loss, std::string(bytes.substr(0, row.provenance_bytes))});
    bytes.remove_prefix(row.provenance_bytes);
  }
  if (!bytes.empty()) return damaged;
  kept_ = std::move(kept);
  next_ = head.next;
  current_ = head.current;
  steps_at_current_ = head.steps_at_current;
  return Status::Ok();
}

}  // namespace tidecast
