#include "operators/distinct_sketch.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kRanks = 64 - DistinctSketch::kRegisterBits + 1;  // the largest rank a register can hold

double Sigma(double x) {
  if (x == 1.0) return INFINITY;
  double y = 1;
  double z = x;
  for (double last = -1; z != last;) {
    x *= x;
    last = z;
    z += x * y;
    y += y;
  }
  return z;
}

double Tau(double x) {
  if (x == 0.0 || x == 1.0) return 0;
  double y = 1;
  double z = 1 - x;
  for (double last = -1; z != last;) {
    x = std::sqrt(x);
    last = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  }
  return z / 3;
}

}  // namespace

bool DistinctSketch::Add(uint64_t hash) {
  if (!exact()) return many_->AddToRegisters(hash);
  if (!Insert(hash == 0 ? 1 : hash)) return false;
  if (size_ > kExactMax) ToRegisters();
  return true;
}

bool DistinctSketch::Insert(uint64_t hash) {
  if (many_ == nullptr) {
    const auto end = few_.begin() + size_;
    if (std::find(few_.begin(), end, hash) != end) return false;
    if (size_ < kFew) {
      few_[size_++] = hash;
      return true;
    }
    many_ = std::make_unique<Many>();
    many_->table.resize(8);
    for (size_t i = 0; i < kFew; ++i) many_->Insert(few_[i], i);
  }
  if (!many_->Insert(hash, size_)) return false;
  ++size_;
  return true;
}

bool DistinctSketch::Many::Insert(uint64_t hash, size_t size) {
  const auto find = [this, hash] {
    size_t at = Mix64(hash) & (table.size() - 1);
    while (table[at] != 0 && table[at] != hash) at = (at + 1) & (table.size() - 1);
    return at;
  };
  size_t at = find();
  if (table[at] == hash) return false;
  if ((size + 1) * 4 > table.size() * 3) {
    Grow(table.size() * 2);
    at = find();
  }
  table[at] = hash;
  return true;
}

void DistinctSketch::Many::Grow(size_t slots) {
  std::vector<uint64_t> old(slots);
  old.swap(table);
  for (const uint64_t hash : old) {
    if (hash == 0) continue;
    size_t at = Mix64(hash) & (table.size() - 1);
    while (table[at] != 0) at = (at + 1) & (table.size() - 1);
    table[at] = hash;
  }
}

bool DistinctSketch::Many::AddToRegisters(uint64_t hash) {
  const uint64_t mixed = Mix64(hash == 0 ? 1 : hash);
  const size_t index = mixed >> (64 - kRegisterBits);
  const uint64_t rest = (mixed << kRegisterBits) | (uint64_t{1} << (kRegisterBits - 1));
  const auto rank = static_cast<uint8_t>(std::countl_zero(rest) + 1);
  if (rank <= registers[index]) return false;
  registers[index] = rank;
  return true;
}

void DistinctSketch::ToRegisters() {
  auto many = std::make_unique<Many>();
  many->registers.assign(kRegisters, 0);
  for (const uint64_t hash : Slots()) {
    if (hash != 0) many->AddToRegisters(hash);
  }
  many_ = std::move(many);
  size_ = 0;
}

void DistinctSketch::Merge(const DistinctSketch& other) {
  if (other.exact()) {
    for (const uint64_t hash : other.Slots()) {
      if (hash != 0) Add(hash);
    }
    return;
  }
  if (exact()) ToRegisters();
  std::vector<uint8_t>& registers = many_->registers;
  for (size_t i = 0; i < kRegisters; ++i) registers[i] = std::max(registers[i], other.many_->registers[i]);
}

int64_t DistinctSketch::Count() const {
  if (exact()) return static_cast<int64_t>(size_);
  std::array<int, kRanks + 1> histogram{};
  for (const uint8_t rank : many_->registers) ++histogram[rank];
  constexpr double kM = kRegisters;
  double z = kM * Tau(1.0 - histogram[kRanks] / kM);
  for (size_t k = kRanks - 1; k >= 1; --k) z = 0.5 * (z + histogram[k]);
  z += kM * Sigma(histogram[0] / kM);
  return static_cast<int64_t>(std::llround(kM / (2 * std::log(2.0)) * kM / z));
}

void DistinctSketch::Clear() {
  many_.reset();
  size_ = 0;
}

void DistinctSketch::Encode(ByteWriter& out) const {
  out.U8(kVersion).Bool(exact());
  if (!exact()) {
    out.Array<uint8_t>(many_->registers);
    return;
  }
  std::vector<uint64_t> sorted;
  sorted.reserve(size_);
  for (const uint64_t hash : Slots()) {
    if (hash != 0) sorted.push_back(hash);
  }
  std::sort(sorted.begin(), sorted.end());
  out.Varint(sorted.size()).Array<uint64_t>(sorted);
}

Status DistinctSketch::Decode(ByteReader& in) {
  if (const uint8_t version = in.U8(); version != kVersion) {
    return Status(Code::kVersion,
                  fmt::format("a distinct count has format {}, this build reads {}", version, kVersion));
  }
  DistinctSketch read;
  if (in.Bool()) {
    const size_t count = in.Count(sizeof(uint64_t));
    if (count > kExactMax)
      return Status(Code::kCorruption, fmt::format("a distinct count holds too many values: {}", count));
    for (size_t i = 0; i < count; ++i) {
      if (const uint64_t hash = in.U64(); hash != 0) read.Insert(hash);
    }
  } else {
    read.many_ = std::make_unique<Many>();
    read.many_->registers.resize(kRegisters);
    in.Array<uint8_t>(read.many_->registers);
    for (const uint8_t rank : read.many_->registers) {
      if (rank > kRanks)
        return Status(Code::kCorruption, fmt::format("a distinct count has a register out of range: {}", rank));
    }
  }
  if (!in.ok()) return Status(Code::kCorruption, "a distinct count is cut short");
  *this = std::move(read);
  return Status::Ok();
}

}  // namespace tidecast
