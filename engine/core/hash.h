#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace tidecast {

/// Kafka's default partitioner hash (Java client's murmur2).
/// Source: org.apache.kafka.common.utils.Utils#murmur2, algorithm by A. Appleby (public domain).
inline uint32_t Murmur2(std::string_view key) {
  constexpr uint32_t kM = 0x5bd1e995;
  uint32_t h = 0x9747b28cU ^ static_cast<uint32_t>(key.size());
  const char* p = key.data();
  size_t left = key.size();
  for (; left >= 4; p += 4, left -= 4) {
    uint32_t k = 0;
    std::memcpy(&k, p, 4);
    k *= kM;
    k ^= k >> 24;
    k *= kM;
    h = h * kM ^ k;
  }
  if (left >= 3) h ^= static_cast<uint32_t>(static_cast<unsigned char>(p[2])) << 16;
  if (left >= 2) h ^= static_cast<uint32_t>(static_cast<unsigned char>(p[1])) << 8;
  if (left >= 1) {
    h ^= static_cast<unsigned char>(p[0]);
    h *= kM;
  }
  h ^= h >> 13;
  h *= kM;
  return h ^ (h >> 15);
}

/// Partition that a Java producer would choose for `key`.
inline int32_t PartitionOf(std::string_view key, int32_t partitions) {
  return static_cast<int32_t>((Murmur2(key) & 0x7fffffffU) % static_cast<uint32_t>(partitions));
}

/// Finaliser of splitmix64: a good mix of one 64-bit word.
constexpr uint64_t Mix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

/// 64-bit hash of bytes under a seed; stable across builds and machines (it goes into stored state).
inline uint64_t Hash64(std::string_view bytes, uint64_t seed = 0) {
  uint64_t h = Mix64(seed ^ (bytes.size() * 0xD6E8FEB86659FD93ULL));
  const char* p = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; p += 8, left -= 8) {
    uint64_t word = 0;
    std::memcpy(&word, p, 8);
    h = Mix64(h ^ word);
  }
  uint64_t tail = 0;
  if (left > 0) std::memcpy(&tail, p, left);
  return Mix64(h ^ tail ^ (static_cast<uint64_t>(left) << 56));
}

/// Counter-based random number in [0, 1): a function of its arguments alone.
inline double UniformAt(uint64_t seed, uint64_t series_hash, int64_t bucket, uint64_t purpose = 0) {
  const uint64_t bits = Mix64(Mix64(Mix64(seed ^ purpose * 0x9E3779B97F4A7C15ULL) ^ series_hash) ^ static_cast<uint64_t>(bucket));
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

}  // namespace tidecast
